//! Conditions held against a run.

use super::condition::{Condition, Figure, FunctionFigure, Quantile};
use crate::analysis::instructions::{differences, is_per_message, is_same_load, judged};
use crate::analysis::result::{Finding, LoadRow, ProfileSummary, RunResult, State};
use crate::model::{Breaks, GrowthPer, InstructionRow, ThresholdRow, ThresholdUnit, Unmeasured};
use crate::verdict::instructions::SPREADS;

/// A figure, or why there is none.
type Measured = Result<f64, Unmeasured>;

/// The runs that conditions are held against.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a> {
    /// The run itself.
    pub now: &'a RunResult,
    /// The earlier one.
    pub baseline: Option<&'a RunResult>,
    /// Another run of what was broken in a time.
    pub again: Option<&'a RunResult>,
}

/// The scenarios in which a time broke its threshold, and was not measured again.
pub fn to_confirm(conditions: &[Condition], rows: &[ThresholdRow]) -> Vec<String> {
    let is_time = |row: &&ThresholdRow| conditions.iter().any(|c| c.text == row.text && c.figure.is_a_time());
    let broken = rows.iter().filter(|row| !row.held && row.measured.is_some() && row.again.is_none());
    let mut names: Vec<String> = broken.filter(is_time).filter_map(|row| row.scenario.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What each condition comes to: in each scenario, where its figure is one of scenarios and it names none.
pub fn judge(conditions: &[Condition], runs: Runs<'_>) -> Vec<ThresholdRow> {
    let Runs { now, baseline, .. } = runs;
    let mut rows = Vec::new();
    for condition in conditions {
        if !condition.figure.is_of_a_scenario() {
            rows.push(row(condition, None, against(condition, None, now, baseline)));
            continue;
        }
        let looked_at = match &condition.scenario {
            Some(name) => vec![name.clone()],
            None => scenarios(condition, now),
        };
        if looked_at.is_empty() {
            rows.push(row(condition, None, Err(Unmeasured::NotMeasured)));
        }
        for name in &looked_at {
            let first = row(condition, Some(name), against(condition, Some(name), now, baseline));
            let again = runs.again.filter(|_| !first.held && condition.figure.is_a_time());
            let second = again.and_then(|again| against(condition, Some(name), again, baseline).ok());
            rows.push(match second {
                Some(second) => ThresholdRow { held: holds(condition, second), again: Some(second), ..first },
                None => first,
            });
        }
    }
    rows
}

/// The scenarios in which a condition is looked at that names none. Growth is judged where it was: a scenario that is too
/// short for it says nothing.
fn scenarios(condition: &Condition, now: &RunResult) -> Vec<String> {
    match condition.figure {
        Figure::Growth(metric) => now
            .findings
            .iter()
            .filter(|finding| finding.metric == metric && growth(condition.unit, finding).is_ok())
            .map(|finding| finding.scenario.clone())
            .collect(),
        // Those that count sessions are held against the baseline alone.
        Figure::Instructions => now
            .instructions
            .iter()
            .flat_map(|counted| &counted.scenarios)
            .filter(|row| condition.unit == ThresholdUnit::Change || is_per_message(row))
            .map(|row| row.scenario.clone())
            .collect(),
        _ => now.measured_load().map(|row| row.scenario.clone()).collect(),
    }
}

fn holds(condition: &Condition, value: f64) -> bool {
    match condition.breaks {
        Breaks::Above => value <= condition.limit,
        Breaks::Below => value >= condition.limit,
    }
}

fn row(condition: &Condition, scenario: Option<&String>, measured: Measured) -> ThresholdRow {
    let held = measured.is_ok_and(|value| holds(condition, value));
    ThresholdRow {
        text: condition.text.clone(),
        scenario: scenario.cloned(),
        held,
        measured: measured.ok(),
        unit: condition.unit,
        limit: condition.limit,
        breaks: condition.breaks,
        unmeasured: measured.err(),
        again: None,
    }
}

/// The figure itself, or its change since the baseline.
fn against(
    condition: &Condition,
    scenario: Option<&String>,
    now: &RunResult,
    baseline: Option<&RunResult>,
) -> Measured {
    if condition.figure == Figure::NewFunctions {
        return new_functions(now, baseline.ok_or(Unmeasured::NoBaseline)?);
    }
    if condition.figure == Figure::Instructions && condition.unit == ThresholdUnit::Change {
        return instructions_since(condition.limit, scenario, now, baseline.ok_or(Unmeasured::NoBaseline)?);
    }
    let value = figure(condition, scenario, now)?;
    if condition.unit != ThresholdUnit::Change {
        return Ok(value);
    }
    let was = figure(condition, scenario, baseline.ok_or(Unmeasured::NoBaseline)?);
    match was.map_err(|_| Unmeasured::NotInBaseline)? {
        was if was > 0.0 => Ok(value / was - 1.0),
        _ if value == 0.0 => Ok(0.0),
        // From nothing to something is no percentage.
        _ => Err(Unmeasured::NotInBaseline),
    }
}

fn figure(condition: &Condition, scenario: Option<&String>, of: &RunResult) -> Measured {
    let sampled = |key: &str| of.samples_summary.get(key).copied().ok_or(Unmeasured::NotMeasured);
    match &condition.figure {
        Figure::RssPeak => sampled("rss_peak"),
        Figure::FdPeak => sampled("fd_peak"),
        Figure::Calls(name) => {
            let profile = profile(of)?;
            let calls: u64 =
                profile.figures.functions.iter().filter(|f| is_called(&f.name, name)).map(|f| f.calls).sum();
            Ok(calls as f64 / profile.figures.messages as f64)
        }
        Figure::Function(name, which) => time(profile(of)?, name, *which, condition.unit),
        Figure::Growth(metric) => {
            let finding = scenario.and_then(|scenario| of.finding(*metric, scenario)).ok_or(Unmeasured::NotMeasured)?;
            growth(condition.unit, finding)
        }
        Figure::Instructions => counted(of, scenario)
            .filter(|row| is_per_message(row))
            .and_then(judged)
            .map(|(value, _)| value)
            .ok_or(Unmeasured::NotMeasured),
        // Told by `new_functions`.
        Figure::NewFunctions => Err(Unmeasured::NotMeasured),
        Figure::Errors | Figure::Latency(_) | Figure::Throughput | Figure::Cpu => {
            let row = of.measured_load().find(|row| Some(&row.scenario) == scenario);
            of_load(condition, row.ok_or(Unmeasured::NotMeasured)?)
        }
    }
}

fn counted<'a>(of: &'a RunResult, scenario: Option<&String>) -> Option<&'a InstructionRow> {
    of.instructions.as_ref()?.row(scenario?)
}

/// By what part instructions changed: an exact figure, so that it is told only where both counts are of one kind, and where
/// the limit is not below what the tries of one run differ by.
fn instructions_since(limit: f64, scenario: Option<&String>, now: &RunResult, baseline: &RunResult) -> Measured {
    let is = counted(now, scenario).ok_or(Unmeasured::NotMeasured)?;
    let was = counted(baseline, scenario).ok_or(Unmeasured::NotInBaseline)?;
    let (value, _) = judged(is).ok_or(Unmeasured::NotMeasured)?;
    let (before, _) = judged(was).ok_or(Unmeasured::NotInBaseline)?;
    if differences(baseline, now).is_none_or(|differ| !differ.is_empty()) || !is_same_load(was, is) {
        return Err(Unmeasured::OtherConditions);
    }
    let spread = [was, is].into_iter().filter_map(|row| row.spread).fold(0.0, f64::max);
    match SPREADS * spread > limit.abs() {
        true => Err(Unmeasured::Unsteady),
        false => Ok(value / before - 1.0),
    }
}

/// A time or a speed of work that was never done is no figure.
fn of_load(condition: &Condition, row: &LoadRow) -> Measured {
    if let Figure::Errors = condition.figure {
        let errors = row.errors.values().sum::<u64>() as f64;
        return match (condition.unit, row.count.asked) {
            (ThresholdUnit::Share, 0) => Err(Unmeasured::NothingDone),
            (ThresholdUnit::Share, asked) => Ok(errors / asked as f64),
            _ => Ok(errors),
        };
    }
    if row.work() == 0 {
        return Err(Unmeasured::NothingDone);
    }
    let latency = row.latency_ms;
    match condition.figure {
        Figure::Latency(Quantile::P50) => Ok(latency.p50),
        Figure::Latency(Quantile::P90) => Ok(latency.p90),
        Figure::Latency(Quantile::P99) => Ok(latency.p99),
        Figure::Latency(Quantile::Max) => Ok(latency.max),
        Figure::Throughput => row.rate().ok_or(Unmeasured::NotMeasured),
        _ => {
            let seconds = row.server_cpu_seconds.ok_or(Unmeasured::NotMeasured)?;
            Ok(seconds * 1000.0 / row.work() as f64)
        }
    }
}

fn growth(unit: ThresholdUnit, finding: &Finding) -> Measured {
    use ThresholdUnit as U;
    let grown = finding.growth.filter(|_| finding.state != State::NotJudged).ok_or(Unmeasured::NotMeasured)?;
    match (unit, grown.per) {
        (U::BytesPerMessage | U::CountPerMessage, GrowthPer::Messages)
        | (U::BytesPerSession | U::CountPerSession, GrowthPer::Sessions) => Ok(grown.value / 1000.0),
        (U::BytesPerHour | U::CountPerHour, GrowthPer::Hour) => Ok(grown.value),
        _ => Err(Unmeasured::NotMeasured),
    }
}

/// The profile, where it holds every call and knows for how many messages.
fn profile(of: &RunResult) -> Result<&ProfileSummary, Unmeasured> {
    let profile = of.profile.as_ref().ok_or(Unmeasured::NotMeasured)?;
    match () {
        () if !profile.figures.complete => Err(Unmeasured::IncompleteProfile),
        () if profile.figures.messages == 0 => Err(Unmeasured::NothingDone),
        () => Ok(profile),
    }
}

/// Whether a profile's function is the one that is meant: `A::b` is `A->b`.
fn is_called(function: &str, meant: &str) -> bool {
    let plain = |name: &str| name.trim_start_matches('\\').replace("->", "::");
    plain(function) == plain(meant)
}

/// A function's time: what was never called took none.
fn time(profile: &ProfileSummary, name: &str, which: FunctionFigure, unit: ThresholdUnit) -> Measured {
    let meant = || profile.figures.functions.iter().filter(|function| is_called(&function.name, name));
    let ns: i64 = meant().map(|f| if which == FunctionFigure::Own { f.own } else { f.inclusive }).sum();
    if unit == ThresholdUnit::MsPerMessage {
        return Ok(ns as f64 / 1e6 / profile.figures.messages as f64);
    }
    let busy = which == FunctionFigure::Own && !meant().any(|function| function.waiting);
    let whole = if busy { profile.total_ns.saturating_sub(profile.waiting_ns) } else { profile.total_ns };
    if whole == 0 { Err(Unmeasured::NotMeasured) } else { Ok(ns as f64 / whole as f64) }
}

fn new_functions(now: &RunResult, baseline: &RunResult) -> Measured {
    let is = profile(now)?;
    let was = profile(baseline).map_err(|_| Unmeasured::NotInBaseline)?;
    let known: std::collections::BTreeSet<&str> = was.figures.functions.iter().map(|f| f.name.as_str()).collect();
    let new = is.figures.functions.iter().filter(|function| !known.contains(function.name.as_str()));
    Ok(new.map(|function| function.calls).sum::<u64>() as f64 / is.figures.messages as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_either_arrow() {
        assert!(is_called("App\\Parser->parse", "App\\Parser::parse"));
        assert!(is_called("php::substr", "php::substr"));
        assert!(is_called("A::b", "\\A->b") && !is_called("A->bc", "A->b"));
    }

    #[test]
    fn shares_of_what_works_are_of_the_busy_time() {
        let function = |name: &str, own: u64, inclusive: u64, waiting: bool| {
            serde_json::json!({ "name": name, "file": "", "self": own, "inclusive": inclusive, "calls": 10,
                "allocation": 0, "waiting": waiting })
        };
        let profile: ProfileSummary = serde_json::from_value(serde_json::json!({
            "files": [], "records": 3, "complete": true, "recovered_share": 1.0, "top": [], "messages": 10,
            "total_ns": 1_000_000, "waiting_ns": 600_000,
            "functions": [function("A->b", 100_000, 500_000, false), function("php::sleep", 600_000, 600_000, true)],
        }))
        .expect("a profile");
        let share = |name, which| time(&profile, name, which, ThresholdUnit::Share);
        assert_eq!(share("A::b", FunctionFigure::Own), Ok(0.25));
        assert_eq!(share("A::b", FunctionFigure::Inclusive), Ok(0.5));
        assert_eq!(share("php::sleep", FunctionFigure::Own), Ok(0.6));
        assert_eq!(share("gone", FunctionFigure::Own), Ok(0.0));
        assert_eq!(time(&profile, "A->b", FunctionFigure::Own, ThresholdUnit::MsPerMessage), Ok(0.01));
    }
}
