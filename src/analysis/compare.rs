//! Two runs: what got worse. What a message leaves behind and what it calls is exact and judged whatever the machine was;
//! times are shown. One run on each side does not know by how much times differ from run to run of one build.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

pub use super::against::{TimeChange, Timed};
pub use super::compare_calls::ScenarioCalls;
use super::compare_calls::calls_by_scenario;
pub use super::compare_functions::FunctionChange;
use super::compare_functions::functions;
pub use super::compare_instructions::InstructionChange;
use super::compare_instructions::instructions;
use super::result::{Finding, LoadRow, Metric, Per, RunResult, Unit, Verdict};
use crate::model::{Against, Change};
use crate::phrase::{self, grouped, significant};
use crate::verdict::Bounds;
pub use crate::verdict::baseline::LEAST_MESSAGES;
use crate::verdict::baseline::{self, Decided};

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
    /// Who holds what grows now, where it is worse and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

/// The times of one scenario in both runs: shown, not judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeedChange {
    /// Scenario.
    pub scenario: String,
    /// Messages (or sessions) a second then.
    pub was: Option<f64>,
    /// And now.
    pub is: Option<f64>,
    /// CPU of the server for each message (or session) then and now, ms.
    pub cpu_ms: [Option<f64>; 2],
    /// Median latency then and now, ms.
    pub p50_ms: [f64; 2],
    /// 99th percentile of latency then and now, ms.
    pub p99_ms: [f64; 2],
}

/// A build that was launched in turn with the project as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// As it was typed.
    pub revision: String,
    /// Its commit.
    pub commit: String,
    /// Launches of both, all in all.
    pub launches: u64,
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What differs in the conditions of the runs: `PHP: 8.2.1, now 8.3.0`. Times depend on them.
    pub differences: Vec<String>,
    /// Commit of the project under test then and now.
    #[serde(default)]
    pub commits: [Option<String>; 2],
    /// Verdict then and now.
    pub verdict: [Option<Verdict>; 2],
    /// Growth by metric and scenario.
    pub growth: Vec<GrowthChange>,
    /// Functions whose calls for each message changed, the greatest change of their own time first.
    pub functions: Vec<FunctionChange>,
    /// Functions whose calls for each message or session of a scenario changed, where the whole recordings do not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenario_calls: Vec<ScenarioCalls>,
    /// Functions that the later profile alone has, the dearest first.
    #[serde(default)]
    pub new_functions: Vec<FunctionChange>,
    /// Functions that the earlier profile alone has.
    #[serde(default)]
    pub gone_functions: Vec<FunctionChange>,
    /// Functions of both whose time with all that they call changed most: shown, not judged.
    #[serde(default)]
    pub function_times: Vec<FunctionChange>,
    /// Instructions by scenario.
    #[serde(default)]
    pub instructions: Vec<InstructionChange>,
    /// In which conditions the counts of instructions differ; where in any, none of them is judged.
    #[serde(default)]
    pub count_differences: Vec<String>,
    /// Messages of both profiles, where they are so few that one of them could make every difference: then no function
    /// is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_messages: Option<[u64; 2]>,
    /// The revision whose build was launched in turn with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Revision>,
    /// Times of both builds that were launched in turn: judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeChange>,
    /// Times by scenario, of one run on each side: shown.
    pub speed: Vec<SpeedChange>,
    /// At least one figure could be judged.
    pub judged: bool,
    /// Something is worse.
    pub worse: bool,
}

/// Compares `now` with `earlier`, by the thresholds that `now` was judged by.
pub fn compare(earlier: &RunResult, now: &RunResult) -> Comparison {
    let change = |is: &Finding| growth_change(earlier.finding(is.metric, &is.scenario), is, &now.bounds);
    let growth: Vec<GrowthChange> = now.findings.iter().map(change).collect();
    let functions = functions(earlier, now);
    let counted = instructions(earlier, now);
    let by_scenario = calls_by_scenario(earlier, now, &functions.told);
    let exact = || {
        functions
            .changed
            .iter()
            .map(|f| f.change)
            .chain(counted.scenarios.iter().map(|row| row.change))
            .chain(by_scenario.changed.iter().map(|row| row.change))
    };
    let changes = || growth.iter().map(|growth| growth.change).chain(exact());
    Comparison {
        differences: differences(earlier, now),
        commits: [earlier.source.commit.clone(), now.source.commit.clone()],
        verdict: [earlier.verdict, now.verdict],
        judged: functions.judged || by_scenario.judged || changes().any(|change| change != Change::Unknown),
        worse: changes().any(|change| change == Change::Worse),
        speed: now.measured_load().filter_map(|row| speed_change(earlier, row)).collect(),
        instructions: counted.scenarios,
        count_differences: counted.differences,
        growth,
        against: None,
        times: Vec::new(),
        functions: functions.changed,
        scenario_calls: by_scenario.changed,
        new_functions: functions.new,
        gone_functions: functions.gone,
        function_times: functions.times,
        few_messages: functions.few_messages,
    }
}

/// In what the runs differ beside the program under test.
fn differences(earlier: &RunResult, now: &RunResult) -> Vec<String> {
    let host = |result: &RunResult, key: &str| match result.host.get(key) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) if key == "memory" => value.as_f64().map_or_else(|| value.to_string(), phrase::bytes),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let version = |result: &RunResult, key: &str| result.target.versions.get(key).cloned().unwrap_or_default();
    let scenarios = |result: &RunResult| {
        let names: BTreeSet<&str> = result.measured_load().map(|row| row.scenario.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let busy = |result: &RunResult| {
        let load = result.host.get("load_average").and_then(|load| load.get(0)?.as_f64());
        let cpus = result.host.get("cpus").and_then(serde_json::Value::as_f64);
        match (load, cpus) {
            (Some(load), Some(cpus)) if load > cpus / 2.0 => "busy".to_owned(),
            (Some(_), Some(_)) => "quiet".to_owned(),
            _ => String::new(),
        }
    };
    let both = |name: &'static str, of: &dyn Fn(&RunResult) -> String| (name, of(earlier), of(now));
    [
        both("PHP", &|result| version(result, "php")),
        both("Xdebug", &|result| version(result, "xdebug")),
        both("scenarios", &scenarios),
        both("scale", &|result| significant(result.scale)),
        both("processor", &|result| host(result, "cpu")),
        both("processors", &|result| host(result, "cpus")),
        both("memory", &|result| host(result, "memory")),
        both("kernel", &|result| host(result, "kernel")),
        both("machine", &busy),
    ]
    .into_iter()
    .filter(|(_, was, is)| was != is)
    .map(|(name, was, is)| {
        let [was, is] = [was, is].map(|text| if text.is_empty() { "not known".to_owned() } else { text });
        format!("{name}: {was}, now {is}")
    })
    .collect()
}

fn growth_change(was: Option<&Finding>, is: &Finding, bounds: &Bounds) -> GrowthChange {
    let bound = bounds.leak(is.metric);
    let decided = |finding: &Finding| Decided::new(finding.state, finding.growth, finding.ci95);
    let change = baseline::growth(decided(is), was.and_then(decided), bound);
    let holder = is.holders.first().filter(|_| change == Change::Worse);
    GrowthChange {
        metric: is.metric,
        scenario: is.scenario.clone(),
        was: was.and_then(|was| was.growth).map(|growth| growth.value),
        is: is.growth.map(|growth| growth.value),
        unit: is.growth.map(|growth| growth.unit),
        per: is.growth.map(|growth| growth.per),
        change,
        holder: holder.map(|holder| holder.path.clone()),
    }
}

fn speed_change(earlier: &RunResult, row: &LoadRow) -> Option<SpeedChange> {
    let before = earlier.measured_load().find(|other| other.scenario == row.scenario)?;
    let cpu = |row: &LoadRow| Some(row.server_cpu_seconds? * 1000.0 / row.work() as f64).filter(|ms| ms.is_finite());
    Some(SpeedChange {
        scenario: row.scenario.clone(),
        was: before.rate(),
        is: row.rate(),
        cpu_ms: [cpu(before), cpu(row)],
        p50_ms: [before.latency_ms.p50, row.latency_ms.p50],
        p99_ms: [before.latency_ms.p99, row.latency_ms.p99],
    })
}

impl Comparison {
    /// Takes the times of both builds, tested.
    pub(super) fn take_times(&mut self, against: &Against) {
        let times = super::against::times(against);
        self.against = Some(Revision {
            revision: against.revision.clone(),
            commit: against.commit.clone(),
            launches: (against.loads.len() + against.profiles.len()) as u64,
        });
        self.judged |= !times.is_empty();
        self.worse |= times.iter().any(|time| time.change == Change::Worse);
        self.times = times;
    }

    /// What the times of two builds come to, in a line; none where there was one run on each side.
    pub fn times_in_a_line(&self) -> Option<String> {
        let Revision { revision, launches, .. } = self.against.as_ref()?;
        let of = format!("{revision}, {launches} launches in turn");
        let changed: Vec<String> = self
            .times
            .iter()
            .filter(|time| matches!(time.change, Change::Worse | Change::Better))
            .map(|time| format!("{} {}", time.subject(), phrase::time_ratio(time.ratio, time.ci95)))
            .collect();
        Some(match (self.times.first(), changed.is_empty()) {
            (None, _) => format!("{of}: too few to test times; give a longer --budget"),
            (Some(_), false) => format!("{of}: {}", changed.join(", ")),
            (Some(first), true) => {
                let times = phrase::time_ratio(first.ratio, first.ci95);
                format!("{of}: no time differs; {} {times}", first.subject())
            }
        })
    }

    /// Functions of both runs whose calls per message changed; new and gone ones have lists of their own.
    pub fn changed_functions(&self) -> impl Iterator<Item = &FunctionChange> {
        let other = |name: &str| self.new_functions.iter().chain(&self.gone_functions).any(|one| one.name == name);
        self.functions.iter().filter(move |function| !other(&function.name))
    }

    /// What is worse, in sentences.
    pub fn regressions(&self) -> Vec<String> {
        let grew = self.growth.iter().filter(|growth| growth.change == Change::Worse).map(|growth| {
            let holder = growth.holder.as_ref().map_or(String::new(), |path| format!(", held by `{path}`"));
            format!(
                "Worse than the baseline: {} of `{}` grows by {}, was {}{holder}.",
                phrase::metric_noun(growth.metric),
                growth.scenario,
                growth.amount(growth.is),
                growth.amount(growth.was)
            )
        });
        let called = self.functions.iter().filter(|function| function.change == Change::Worse).map(|function| {
            let [was, is] = function.calls_per_message.map(significant);
            format!("Worse than the baseline: the calls of `{}` per message went from {was} to {is}.", function.name)
        });
        let in_scenario = self.scenario_calls.iter().filter(|row| row.change == Change::Worse).map(|row| {
            let (per, [was, is]) = (phrase::counted_per(row.per), row.calls);
            format!(
                "Worse than the baseline: the calls of `{}` per {per} in {} went from {was} to {is}.",
                row.name, row.scenario
            )
        });
        let slower = self.times.iter().filter(|time| time.change == Change::Worse);
        let slower = slower.map(|time| phrase::slower(&time.subject(), time.ratio, time.ci95));
        let counted = self.instructions.iter().filter_map(InstructionChange::regression);
        grew.chain(called).chain(in_scenario).chain(counted).chain(slower).collect()
    }

    /// The comparison for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        for difference in &self.differences {
            let _ = writeln!(out, "differs      {difference}");
        }
        let _ = writeln!(out, "verdict      {} -> {}", word(self.verdict[0]), word(self.verdict[1]));
        for growth in self.growth.iter().filter(|growth| growth.was.is_some() || growth.is.is_some()) {
            let _ = writeln!(
                out,
                "{:<12} {:<12} {} -> {}  {}",
                growth.metric.name(),
                growth.scenario,
                growth.amount(growth.was),
                growth.amount(growth.is),
                phrase::change(growth.change)
            );
        }
        for time in &self.times {
            let [was, is] = time.micros();
            let _ = writeln!(
                out,
                "time         {}  {was} -> {is} µs per message, {}  {}",
                time.subject(),
                phrase::time_ratio(time.ratio, time.ci95),
                phrase::change(time.change)
            );
        }
        for function in self.changed_functions() {
            let [was, is] = function.calls_per_message.map(significant);
            let [own_was, own_is] = function.self_ns_per_message.map(|ns| grouped((ns / 1000.0).round() as u64));
            let _ = writeln!(
                out,
                "calls        {}  {was} -> {is} per message, {own_was} -> {own_is} µs of its own  {}",
                function.name,
                phrase::change(function.change)
            );
        }
        for row in &self.scenario_calls {
            let (per, [was, is]) = (phrase::counted_per(row.per), row.calls);
            let change = phrase::change(row.change);
            let _ = writeln!(out, "calls        {}  {was} -> {is} per {per} in {}  {change}", row.name, row.scenario);
        }
        if let Some(messages) = self.few_messages {
            let _ = writeln!(out, "functions    {}", phrase::few_messages(messages, LEAST_MESSAGES));
        }
        let micros = |ns: f64| grouped((ns / 1000.0).round() as u64);
        for (word, list, side) in [("new", &self.new_functions, 1), ("gone", &self.gone_functions, 0)] {
            for function in list {
                let _ = writeln!(
                    out,
                    "{word:<12} {}  {} per message, {} µs of its own, {} µs with all that it calls{}{}",
                    function.name,
                    calls(function.calls_per_message[side]),
                    micros(function.self_ns_per_message[side]),
                    micros(function.inclusive_ns_per_message[side]),
                    if function.waiting { ", waits" } else { "" },
                    if function.change == Change::Unknown { "  not judged" } else { "" }
                );
            }
        }
        for function in &self.function_times {
            let [was, is] = function.inclusive_ns_per_message.map(micros);
            let _ =
                writeln!(out, "time         {}  {was} -> {is} µs per message with all that it calls", function.name);
        }
        for row in &self.instructions {
            let _ = writeln!(out, "{}", row.line());
        }
        for difference in self.count_differences.iter().filter(|_| !self.instructions.is_empty()) {
            let _ = writeln!(out, "             Instructions are not judged: the counts differ in {difference}.");
        }
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), significant);
        for speed in &self.speed {
            let ([was, is], [cpu_was, cpu_is]) = ([speed.was, speed.is].map(shown), speed.cpu_ms.map(shown));
            let ([p50_was, p50_is], [p99_was, p99_is]) = (speed.p50_ms.map(significant), speed.p99_ms.map(significant));
            let _ = writeln!(
                out,
                "times        {:<12} {was}/s -> {is}/s, CPU {cpu_was} -> {cpu_is} ms, p50 {p50_was} -> {p50_is} ms, \
                 p99 {p99_was} -> {p99_is} ms",
                speed.scenario
            );
        }
        if !self.speed.is_empty() && self.times.is_empty() {
            let _ = writeln!(out, "             Times are shown and not judged: there is one run on each side.");
        }
        if !self.judged {
            let _ = writeln!(out, "Nothing could be judged: no figure was decided in both runs.");
        }
        out
    }
}

/// `1 call`, `0.33 calls`.
fn calls(count: f64) -> String {
    let count = significant(count);
    let noun = if count == "1" { "call" } else { "calls" };
    format!("{count} {noun}")
}

impl GrowthChange {
    /// A growth with its unit; `-` where there is none.
    pub fn amount(&self, value: Option<f64>) -> String {
        let Some(value) = value else { return "-".to_owned() };
        match (self.unit, self.per) {
            (Some(unit), Some(per)) => phrase::growth_of(value, unit, per),
            _ => significant(value),
        }
    }
}

/// A verdict's word, where the run has one.
fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("none", phrase::verdict)
}
