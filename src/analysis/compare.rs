//! Two runs: what got worse. Judged only where host, runtime, scenario and scale agree; shown in any case.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::result::{Finding, FunctionRow, LoadRow, Metric, Per, RowPass, RunResult, Unit, Verdict};
use crate::phrase::{self, grouped, significant};
use crate::verdict::baseline::{self, Change, Conditions};
use crate::verdict::{Bounds, Judgement};

/// Throughput may fall by this share before it is called worse: what waves of one run differ by.
const TOLERANCE: f64 = 0.1;

/// Functions that a comparison names, at most.
const FUNCTIONS: usize = 20;

/// Exact counts of calls for each message may differ by this share: the preflight and warm-ups are shared out over
/// another number of messages.
const CALLS: f64 = 0.02;

/// One metric of one scenario in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthChange {
    /// Metric.
    pub metric: Metric,
    /// Scenario.
    pub scenario: String,
    /// Growth then; in the finding's unit.
    pub was: Option<f64>,
    /// Growth now.
    pub is: Option<f64>,
    /// What it counts.
    pub unit: Option<Unit>,
    /// What it is counted against.
    pub per: Option<Per>,
    /// What became of it.
    pub change: Change,
}

/// The speed of one scenario in both runs, messages (or sessions) a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeedChange {
    /// Scenario.
    pub scenario: String,
    /// Median of its waves then.
    pub was: f64,
    /// And now.
    pub is: f64,
    /// 95% interval of the ratio, now to then.
    pub ratio: Option<[f64; 3]>,
    /// 99th percentile of latency then and now, ms; shown, not judged.
    pub p99_ms: [f64; 2],
    /// What became of it.
    pub change: Change,
}

/// One function in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionChange {
    /// Its name.
    pub name: String,
    /// Calls for each message then and now: exact.
    pub calls_per_message: [f64; 2],
    /// Own time for each message then and now, nanoseconds; shown, not judged.
    pub self_ns_per_message: [f64; 2],
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Verdict then and now.
    pub verdict: [Option<Verdict>; 2],
    /// What differs between the runs, so that nothing is judged: `runtime: PHP 8.2, now PHP 8.3`.
    pub differences: Vec<String>,
    /// Growth by metric and scenario.
    pub growth: Vec<GrowthChange>,
    /// Speed by scenario.
    pub speed: Vec<SpeedChange>,
    /// Functions whose calls for each message changed, the greatest change first.
    pub functions: Vec<FunctionChange>,
    /// Something is worse, and the runs can be compared.
    pub worse: bool,
}

/// Compares `now` with `earlier`, by the thresholds that `now` was judged by.
pub fn compare(earlier: &RunResult, now: &RunResult) -> Comparison {
    let bounds = &now.bounds;
    let differences = conditions(now).differences(&conditions(earlier));
    let growth: Vec<GrowthChange> =
        now.findings.iter().map(|is| growth_change(earlier.finding(is.metric, &is.scenario), is, bounds)).collect();
    let speed: Vec<SpeedChange> = now.measured_load().filter_map(|row| speed_change(earlier, now, row)).collect();
    let worse = differences.is_empty()
        && (growth.iter().any(|g| g.change == Change::Worse) || speed.iter().any(|s| s.change == Change::Worse));
    Comparison {
        verdict: [earlier.verdict, now.verdict],
        differences,
        growth,
        speed,
        functions: functions(earlier, now),
        worse,
    }
}

fn conditions(result: &RunResult) -> Conditions {
    let host = |key: &str| result.host.get(key).map_or(String::new(), |value| value.to_string());
    Conditions {
        host: ["cpu", "cpus", "memory", "kernel"].map(host).join(" "),
        runtime: result
            .target
            .versions
            .get("php")
            .map_or_else(|| "not PHP".to_owned(), |version| format!("PHP {version}")),
        // Scenarios are matched by their names.
        scenario: String::new(),
        scale: significant(result.scale),
    }
}

fn growth_change(was: Option<&Finding>, is: &Finding, bounds: &Bounds) -> GrowthChange {
    let bound = match is.metric {
        Metric::Heap => bounds.heap.leak,
        Metric::Rss => bounds.rss.leak,
        Metric::Fd | Metric::Sockets | Metric::Threads | Metric::Processes => bounds.count.leak,
    };
    let change = was.map_or(Change::Unknown, |was| baseline::growth(&judgement(is), &judgement(was), bound));
    GrowthChange {
        metric: is.metric,
        scenario: is.scenario.clone(),
        was: was.and_then(|was| was.growth).map(|growth| growth.value),
        is: is.growth.map(|growth| growth.value),
        unit: is.growth.map(|growth| growth.unit),
        per: is.growth.map(|growth| growth.per),
        change,
    }
}

/// What the verdict compares: growth and its interval.
fn judgement(finding: &Finding) -> Judgement {
    Judgement {
        state: finding.state,
        reason: finding.reason,
        growth: finding.growth,
        ci95: finding.ci95,
        could_have_missed: finding.could_have_missed,
        missed: None,
        why: Vec::new(),
        would_decide: None,
        work: 0,
        waves: 0,
        wants_rest: false,
        steady: finding.steady,
        lives: finding.lives,
    }
}

fn speed_change(earlier: &RunResult, now: &RunResult, row: &LoadRow) -> Option<SpeedChange> {
    let before = earlier.measured_load().find(|other| other.scenario == row.scenario)?;
    let speeds = |result: &RunResult| -> Vec<f64> {
        let waves = result.load.iter().filter(|r| {
            r.scenario == row.scenario && r.pass == RowPass::Measure && r.wave.is_some_and(|wave| wave > 0)
        });
        waves.filter(|r| r.seconds > 0.0).map(|r| r.messages_accepted.max(r.sessions) as f64 / r.seconds).collect()
    };
    let (was, is) = (speeds(earlier), speeds(now));
    let (change, ratio) = baseline::throughput(&is, &was, TOLERANCE);
    Some(SpeedChange {
        scenario: row.scenario.clone(),
        was: median(was),
        is: median(is),
        ratio,
        p99_ms: [before.latency_ms.p99, row.latency_ms.p99],
        change,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn functions(earlier: &RunResult, now: &RunResult) -> Vec<FunctionChange> {
    let (Some(was), Some(is)) = (&earlier.profile, &now.profile) else { return Vec::new() };
    if was.messages == 0 || is.messages == 0 {
        return Vec::new();
    }
    let before: BTreeMap<&str, &FunctionRow> = was.functions.iter().map(|f| (f.name.as_str(), f)).collect();
    let per = |value: u64, messages: u64| value as f64 / messages as f64;
    let mut changes: Vec<FunctionChange> = is
        .functions
        .iter()
        .filter(|function| !function.waiting)
        .map(|function| {
            let old = before.get(function.name.as_str());
            FunctionChange {
                name: function.name.clone(),
                calls_per_message: [old.map_or(0.0, |f| per(f.calls, was.messages)), per(function.calls, is.messages)],
                self_ns_per_message: [old.map_or(0.0, |f| per(f.own, was.messages)), per(function.own, is.messages)],
            }
        })
        .filter(|change| {
            let [was, is] = change.calls_per_message;
            (is - was).abs() > CALLS * was.max(is) && was.max(is) >= 0.1
        })
        .collect();
    let size = |change: &FunctionChange| (change.self_ns_per_message[1] - change.self_ns_per_message[0]).abs();
    changes.sort_by(|a, b| size(b).total_cmp(&size(a)));
    changes.truncate(FUNCTIONS);
    changes
}

impl Comparison {
    /// What is worse, in sentences; nothing where the runs cannot be compared.
    pub fn regressions(&self) -> Vec<String> {
        if !self.differences.is_empty() {
            return Vec::new();
        }
        let grew = self.growth.iter().filter(|growth| growth.change == Change::Worse).map(|growth| {
            format!(
                "Worse than the baseline: {} of `{}` grows by {}, was {}.",
                phrase::metric_noun(growth.metric),
                growth.scenario,
                growth.amount(growth.is),
                growth.amount(growth.was)
            )
        });
        let slower = self.speed.iter().filter(|speed| speed.change == Change::Worse).map(|speed| {
            format!(
                "Slower than the baseline: `{}` runs {} a second, was {}.",
                speed.scenario,
                significant(speed.is),
                significant(speed.was)
            )
        });
        grew.chain(slower).collect()
    }

    /// The comparison for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "verdict      {} -> {}", word(self.verdict[0]), word(self.verdict[1]));
        for difference in &self.differences {
            let _ = writeln!(out, "not judged   the runs differ: {difference}");
        }
        for growth in self.growth.iter().filter(|growth| growth.was.is_some() || growth.is.is_some()) {
            let _ = writeln!(
                out,
                "{:<12} {:<12} {} -> {}  {}",
                growth.metric.name(),
                growth.scenario,
                growth.amount(growth.was),
                growth.amount(growth.is),
                change_word(growth.change)
            );
        }
        for speed in &self.speed {
            let _ = writeln!(
                out,
                "{:<12} {:<12} {}/s -> {}/s, p99 {} -> {} ms  {}",
                "speed",
                speed.scenario,
                significant(speed.was),
                significant(speed.is),
                significant(speed.p99_ms[0]),
                significant(speed.p99_ms[1]),
                change_word(speed.change)
            );
        }
        for function in &self.functions {
            let [was, is] = function.calls_per_message;
            let [own_was, own_is] = function.self_ns_per_message.map(|ns| grouped((ns / 1000.0).round() as u64));
            let _ = writeln!(
                out,
                "calls        {}  {} -> {} per message, {own_was} -> {own_is} µs of its own",
                function.name,
                significant(was),
                significant(is)
            );
        }
        out
    }
}

impl GrowthChange {
    fn amount(&self, value: Option<f64>) -> String {
        let Some(value) = value else { return "-".to_owned() };
        match (self.unit, self.per) {
            (Some(unit), Some(per)) => phrase::growth_of(value, unit, per),
            _ => significant(value),
        }
    }
}

fn change_word(change: Change) -> &'static str {
    match change {
        Change::Worse => "worse",
        Change::Same => "same",
        Change::Better => "better",
        Change::Unknown => "not comparable",
    }
}
/// A verdict's word, where the run has one.
fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("none", phrase::verdict)
}
