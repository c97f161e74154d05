//! From the findings to the verdict, its sentence and the exit code.

use super::history::Material;
use super::result::{Finding, State, Verdict};
use super::sentences;
use crate::model::plan::{FailOn, Pass};

/// The verdict of a run and what is said of it.
#[derive(Debug, Clone)]
pub struct Conclusion {
    /// The verdict.
    pub verdict: Verdict,
    /// In one sentence.
    pub sentence: String,
    /// Its evidence, where to look last.
    pub evidence: Vec<String>,
    /// The exit code.
    pub exit_code: u8,
}

/// Reasons of an early end that are the environment's, not the server's.
const COULD_NOT_RUN: [&str; 3] = ["preflight", "environment", "launch"];

/// What a run that was interrupted by a signal ends with.
const INTERRUPTED: u8 = 130;

/// Comes to the verdict.
pub fn conclude(findings: &[Finding], material: &Material, worse: &Worse) -> Conclusion {
    let (verdict, sentence, mut evidence) = verdict(findings, material);
    if let Some(signal) = &material.interrupted {
        evidence.insert(0, format!("The run was interrupted by {signal}; this is what there was by then."));
    } else if material.end.is_none() {
        evidence.insert(0, "The run was cut off; this is what there was by then.".to_owned());
    }
    evidence.extend(worse.thresholds.iter().chain(&worse.regressions).cloned());
    let exit_code = exit_code(verdict, material, worse);
    Conclusion { verdict, sentence, evidence, exit_code }
}

/// What is worse than it may be.
#[derive(Debug, Clone, Default)]
pub struct Worse {
    /// Thresholds that were crossed, in sentences.
    pub thresholds: Vec<String>,
    /// What is worse than the baseline, in sentences.
    pub regressions: Vec<String>,
}

fn verdict(findings: &[Finding], material: &Material) -> (Verdict, String, Vec<String>) {
    if let Some(finding) = sentences::foremost(findings, State::Leak) {
        let mut evidence = vec![sentences::evidence(finding)];
        evidence.extend(sentences::also(findings, finding));
        evidence.extend(material.failures.first().map(|failure| failure.sentence.clone()));
        evidence.push(sentences::where_to_look(finding));
        return (Verdict::Leak, sentences::leak(finding), evidence);
    }
    if let Some((sentence, evidence)) = failed(material) {
        return (Verdict::Failed, sentence, evidence);
    }
    let undecided = |f: &&Finding| f.state == State::Inconclusive && f.accepted.is_none() && !is_covered(f, findings);
    if let Some(finding) =
        sentences::foremost(&findings.iter().filter(undecided).cloned().collect::<Vec<_>>(), State::Inconclusive)
    {
        let evidence = vec![sentences::evidence(finding)];
        return (Verdict::Inconclusive, sentences::undecided(finding), evidence);
    }
    let missing = never_judged(findings);
    if material.end.is_none() || material.interrupted.is_some() {
        let sentence = match missing.is_empty() {
            true => "Not decided: the run was not carried to its end. What was judged by then is clean.".to_owned(),
            false => "Not decided: the run was not carried to its end.".to_owned(),
        };
        return (Verdict::Inconclusive, sentence, Vec::new());
    }
    if !missing.is_empty() {
        let first = first_not_judged(findings);
        let would_decide = first.and_then(|finding| finding.would_decide.as_deref());
        let evidence = first.map(sentences::evidence).into_iter().collect();
        return (Verdict::Inconclusive, sentences::never_judged(&missing, would_decide), evidence);
    }
    let foremost = sentences::foremost_clean(findings);
    let mut evidence: Vec<String> = foremost.map(sentences::evidence).into_iter().collect();
    evidence.extend(foremost.filter(|finding| !finding.holders.is_empty()).map(sentences::where_to_look));
    (Verdict::Clean, sentences::clean(findings, material), evidence)
}

/// An undecided resident memory whose scenario's heap is clean changes no verdict, unless it grows as a leak does and the
/// heap does not: then it is one outside PHP's heap, of which the heap knows nothing, and the run was too short to say so.
fn is_covered(finding: &Finding, findings: &[Finding]) -> bool {
    let heap_holds = |f: &Finding| {
        f.metric == "heap" && f.scenario == finding.scenario && is_clean(f) && (f.steady || !finding.steady)
    };
    finding.metric == "rss" && findings.iter().any(heap_holds)
}

fn is_clean(finding: &Finding) -> bool {
    matches!(finding.state, State::Clean | State::Plateau)
}

/// What was judged clean in no scenario at all.
fn never_judged(findings: &[Finding]) -> Vec<&'static str> {
    let holds = |metrics: &[&str]| findings.iter().any(|f| metrics.contains(&f.metric.as_str()) && is_clean(f));
    [("memory", &["heap", "rss"][..]), ("descriptors", &["fd"]), ("sockets", &["sockets"])]
        .into_iter()
        .filter(|(_, metrics)| !holds(metrics))
        .map(|(name, _)| name)
        .collect()
}

/// What was not judged in the first scenario that was tried; what could be read, and knows what would decide, speaks first.
fn first_not_judged(findings: &[Finding]) -> Option<&Finding> {
    let missing = || findings.iter().filter(|f| f.state == State::NotJudged && f.scenario != "smoke");
    missing().find(|f| f.would_decide.is_some()).or_else(|| missing().next())
}

/// The server ended, stalled, or did nothing of what was asked.
fn failed(material: &Material) -> Option<(String, Vec<String>)> {
    if let Some((Some(early), sentence)) = &material.end
        && early != "interrupted"
    {
        let sentence = sentence.clone().unwrap_or_else(|| format!("The run ended early: {early}."));
        let (first, rest) = sentence.split_once('\n').unwrap_or((&sentence, ""));
        let first = sentences::capital(first);
        let evidence = rest.lines().map(|line| format!("`{}`", line.trim())).collect();
        return Some((first, evidence));
    }
    if let Some(failure) = material.failures.first() {
        let mut evidence: Vec<String> =
            Some(failure.advice.clone()).filter(|advice| !advice.is_empty()).into_iter().collect();
        if !failure.scene.scenario.is_empty() {
            evidence.insert(
                0,
                format!(
                    "It happened in `{}`, wave {}, of the {} pass.",
                    failure.scene.scenario,
                    failure.scene.wave,
                    failure.scene.pass.name()
                ),
            );
        }
        return Some((failure.sentence.clone(), evidence));
    }
    let (asked, meant) = material
        .done(Pass::Clean)
        .chain(material.done(Pass::Profile))
        .fold((0, 0), |(asked, meant), (_, tally)| (asked + tally.asked.asked, meant + tally.as_meant));
    (asked > 0 && meant == 0).then(|| {
        ("It accepted nothing: not one session of the run went as its scenario means it to.".to_owned(), Vec::new())
    })
}

/// The code that follows from the verdict and from what was asked to fail.
fn exit_code(verdict: Verdict, material: &Material, worse: &Worse) -> u8 {
    if material.interrupted.is_some() {
        return INTERRUPTED;
    }
    if material.early().is_some_and(|early| COULD_NOT_RUN.contains(&early)) {
        return 2;
    }
    let fails_on = |what: FailOn| material.plan.as_ref().is_some_and(|plan| plan.fail_on.contains(&what));
    let errors = material.done(Pass::Clean).any(|(_, tally)| !tally.errors.is_empty());
    match verdict {
        Verdict::Leak if fails_on(FailOn::Leak) => 1,
        Verdict::Failed if fails_on(FailOn::Failed) => 3,
        _ if fails_on(FailOn::Threshold) && !worse.thresholds.is_empty() => 1,
        _ if fails_on(FailOn::Regression) && !worse.regressions.is_empty() => 1,
        _ if fails_on(FailOn::Errors) && errors => 1,
        Verdict::Inconclusive if fails_on(FailOn::Inconclusive) => 4,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(metric: &str, state: State, steady: bool) -> Finding {
        Finding {
            metric: metric.to_owned(),
            scenario: "sequential".to_owned(),
            state,
            reason: None,
            growth: None,
            ci95: None,
            could_have_missed: None,
            steady,
            lives: false,
            evidence: String::new(),
            would_decide: None,
            holders: Vec::new(),
            accepted: None,
        }
    }

    #[test]
    fn a_heap_that_is_still_covers_no_memory_that_grows_as_a_leak_does() {
        let heap = finding("heap", State::Clean, false);
        let covered = |rss: Finding| is_covered(&rss.clone(), &[heap.clone(), rss]);
        assert!(covered(finding("rss", State::Inconclusive, false)));
        assert!(!covered(finding("rss", State::Inconclusive, true)));
        let bounded = finding("heap", State::Plateau, true);
        assert!(is_covered(&finding("rss", State::Inconclusive, true), &[bounded]), "the heap grows inside its lives");
        assert!(!is_covered(&finding("rss", State::Inconclusive, false), &[finding("heap", State::NotJudged, false)]));
    }
}
