//! Holds what a run said against what is true, and sums it up.

use serde_json::Value;

use crate::cases::{Case, Truth};
use crate::run::Outcome;

/// What a run said was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// What is true, in the right metric, in the right scenario, with an interval that holds.
    Right,
    /// Nothing decided.
    Undecided,
    /// A leak was there, `clean` was said, and the limits that were stated with it are above the leak.
    Below,
    /// Not so.
    Wrong,
}

/// A run's mark, with the reason.
pub struct Score {
    /// The mark.
    pub mark: Mark,
    /// Why, in words.
    pub reason: String,
    /// Waves in the measure pass.
    pub waves: usize,
}

/// Marks what `outcome` says of `case`.
pub fn score(case: &Case, outcome: &Outcome) -> Score {
    let (mark, reason) = mark(case, outcome);
    let waves = outcome.result["waves"].as_array().map_or(0, |waves| {
        waves
            .iter()
            .filter(|wave| wave["pass"] == "measure" && wave["wave"].as_u64().is_some_and(|wave| wave > 0))
            .count()
    });
    Score { mark, reason, waves }
}

fn mark(case: &Case, outcome: &Outcome) -> (Mark, String) {
    let Some(code) = outcome.code else {
        return (Mark::Wrong, "it did not end".into());
    };
    let Some(verdict) = outcome.result["verdict"].as_str() else {
        return (Mark::Wrong, format!("exit code {code} and no result.json\n{}", outcome.said));
    };
    let expected = match verdict {
        "leak" => 1,
        "failed" => 3,
        "inconclusive" => 4,
        _ => 0,
    };
    if code != expected {
        return (Mark::Wrong, format!("exit code {code} with the verdict {verdict}"));
    }
    let findings = outcome.result["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let sentence = outcome.result["sentence"].as_str().unwrap_or("").to_owned();
    match &case.truth {
        Truth::Sound => match verdict {
            "clean" => (Mark::Right, sentence),
            "inconclusive" => (Mark::Undecided, sentence),
            _ => (Mark::Wrong, format!("{verdict}: {sentence}")),
        },
        Truth::Masked => {
            // A clean bill has to say that it is one of restarts, not of a server that keeps nothing.
            let said_so = findings.iter().any(|finding| finding["state"] == "plateau" && finding["steady"] == true);
            match verdict {
                "clean" if said_so => (Mark::Right, sentence),
                "inconclusive" => (Mark::Undecided, sentence),
                _ => (Mark::Wrong, format!("{verdict}, and no word of restarts: {sentence}")),
            }
        }
        Truth::Fails(kind) => {
            let kinds: Vec<&str> = outcome.result["failures"]
                .as_array()
                .map(|failures| failures.iter().filter_map(|failure| failure["kind"].as_str()).collect())
                .unwrap_or_default();
            match verdict {
                "failed" if kinds.contains(kind) => (Mark::Right, sentence),
                _ => (Mark::Wrong, format!("{verdict} {kinds:?}, not failed [{kind}]: {sentence}")),
            }
        }
        Truth::Leak { metrics, only, growth } => leak(verdict, &sentence, findings, metrics, *only, *growth),
    }
}

fn leak(
    verdict: &str,
    sentence: &str,
    findings: &[Value],
    metrics: &[&str],
    only: Option<&str>,
    growth: Option<[f64; 2]>,
) -> (Mark, String) {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("").to_owned();
    let of_metric = |finding: &&Value| metrics.contains(&text(finding, "metric").as_str());
    let leaks: Vec<&Value> = findings.iter().filter(|finding| finding["state"] == "leak").collect();
    for finding in &leaks {
        let (metric, scenario) = (text(finding, "metric"), text(finding, "scenario"));
        if let Some(only) = only
            && scenario != only
        {
            return (Mark::Wrong, format!("{metric} is said to leak in {scenario}, it leaks in {only} only"));
        }
        // The growth is written down in the first metric's unit.
        if let (Some([low, high]), true) = (growth, metric == metrics[0])
            && let (Some(from), Some(to)) = (finding["ci95"][0].as_f64(), finding["ci95"][1].as_f64())
            && (from > high || to < low)
        {
            return (
                Mark::Wrong,
                format!("{metric} in {scenario}: [{from:.0}, {to:.0}], true is [{low:.0}, {high:.0}]"),
            );
        }
    }
    if leaks.iter().any(of_metric) {
        return (Mark::Right, sentence.to_owned());
    }
    if let Some(other) = leaks.first() {
        return (Mark::Wrong, format!("the leak is named {}, it is one of {metrics:?}", text(other, "metric")));
    }
    for finding in findings.iter().filter(of_metric) {
        let (state, scenario) = (text(finding, "state"), text(finding, "scenario"));
        let leaks_here = only.is_none_or(|only| only == scenario);
        if leaks_here
            && ["clean", "plateau"].contains(&state.as_str())
            && let (Some([low, _]), Some(limit)) = (growth, finding["could_have_missed"].as_f64())
            && text(finding, "metric") == metrics[0]
            && low > limit
        {
            return (Mark::Wrong, format!("{} in {scenario} is said to be {state} below {limit:.0}", metrics[0]));
        }
    }
    match verdict {
        "clean" if growth.is_some() => (Mark::Below, sentence.to_owned()),
        "inconclusive" => (Mark::Undecided, sentence.to_owned()),
        _ => (Mark::Wrong, format!("{verdict}: {sentence}")),
    }
}
