//! Which traffic leaks: metric by scenario, a state in each cell.

use super::words;
use crate::analysis::result::{Finding, Per, RunResult, State, Unit};
use crate::analysis::view::RunView;
use crate::model::{Metric, Pass};
use crate::phrase::{self, bytes, significant};

/// The matrix.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    /// Scenarios, in the order in which they ran.
    pub scenarios: Vec<String>,
    /// One row a metric.
    pub rows: Vec<Row>,
    /// The words behind the cells.
    pub evidence: Vec<Evidence>,
}

/// One metric.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name for readers.
    pub metric: String,
    /// One cell a scenario.
    pub cells: Vec<Option<Cell>>,
}

/// One metric in one scenario.
#[derive(Debug)]
pub(super) struct Cell {
    /// The state in a word.
    pub state: &'static str,
    /// The state's style class.
    pub class: &'static str,
    /// It is a chip; what was not judged is a plain word.
    pub chip: bool,
    /// The figure beside it.
    pub figure: String,
    /// An accepted leak.
    pub accepted: bool,
    /// The evidence, for whoever points at it.
    pub hint: String,
}

/// One cell in words.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The metric.
    pub metric: String,
    /// The scenario.
    pub scenario: String,
    /// The state in a word.
    pub state: &'static str,
    /// The state's style class.
    pub class: &'static str,
    /// It is a chip.
    pub chip: bool,
    /// What was seen, in pieces.
    pub seen: Vec<words::Piece>,
    /// What would decide it.
    pub would_decide: Vec<words::Piece>,
    /// Why it is accepted.
    pub accepted: Option<String>,
    /// The 95% interval.
    pub interval: String,
    /// What could have been missed.
    pub missed: String,
}

/// Lays out the findings.
pub(super) fn matrix(view: &RunView) -> Matrix {
    let result = &view.result;
    let scenarios = scenarios(result);
    let mut metrics: Vec<Metric> = Vec::new();
    for finding in &result.findings {
        if !metrics.contains(&finding.metric) {
            metrics.push(finding.metric);
        }
    }
    metrics.sort();
    let find = |metric: Metric, scenario: &str| result.finding(metric, scenario);
    let rows = metrics
        .iter()
        .map(|metric| Row {
            metric: words::metric(*metric).to_owned(),
            cells: scenarios.iter().map(|scenario| find(*metric, scenario).map(|f| cell(result, f))).collect(),
        })
        .collect();
    let mut evidence = Vec::new();
    for metric in &metrics {
        for scenario in &scenarios {
            evidence.extend(find(*metric, scenario).map(in_words));
        }
    }
    Matrix { scenarios: scenarios.iter().map(|name| words::visible(name)).collect(), rows, evidence }
}

/// Scenarios that were judged, in the order in which they ran; those that never ran come last.
fn scenarios(result: &RunResult) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let judged = |name: &str| result.findings.iter().any(|finding| finding.scenario == name);
    let mut waves: Vec<_> = result.waves.iter().filter(|wave| wave.pass == Pass::Measure).collect();
    waves.sort_by(|a, b| a.begin.total_cmp(&b.begin));
    let ran = waves.into_iter().map(|wave| wave.scenario.as_str());
    for name in ran.chain(result.findings.iter().map(|finding| finding.scenario.as_str())) {
        if judged(name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn cell(result: &RunResult, finding: &Finding) -> Cell {
    Cell {
        state: words::state(finding),
        class: words::state_class(finding.state),
        chip: finding.state != State::NotJudged,
        figure: figure(result, finding),
        accepted: finding.accepted.is_some(),
        hint: words::visible(&finding.evidence),
    }
}

/// An amount with as little beside it as a narrow cell can bear: `412 B`, `17.2 / 1,000`.
fn in_cell(amount: String, unit: Unit, per: Per) -> String {
    if unit == Unit::Bytes || per == Per::Hour { amount } else { format!("{amount} / 1,000") }
}

fn figure(result: &RunResult, finding: &Finding) -> String {
    let (unit, per) = words::measure(finding);
    match finding.state {
        State::Leak | State::Inconclusive => finding.growth.map_or(String::new(), |growth| {
            let sign = if growth.value > 0.0 { "+" } else { "" };
            let hour = if per == Per::Hour { " per hour" } else { "" };
            format!("{sign}{}{hour}", in_cell(phrase::growth_amount(growth.value, unit, per), unit, per))
        }),
        State::Plateau if finding.is_bounded_by_restarts() => {
            finding.growth.map_or(String::new(), |growth| format!("{} in a life", words::growth(growth)))
        }
        State::Plateau => rise(result, finding).map_or(String::new(), |rise| {
            let sign = if rise > 0.0 { "+" } else { "" };
            let rise = if finding.metric.is_memory() { bytes(rise) } else { significant(rise) };
            format!("{sign}{rise} once")
        }),
        State::Clean | State::NotJudged => {
            let limit = finding.could_have_missed.map(|limit| phrase::limit_amount(limit, unit, per));
            limit.map_or(String::new(), |limit| format!("< {}", in_cell(limit, unit, per)))
        }
    }
}

/// From the first floor of a scenario to its last.
fn rise(result: &RunResult, finding: &Finding) -> Option<f64> {
    let of = || result.floors_of(finding);
    let first = of().min_by_key(|row| row.wave)?;
    let last = of().max_by_key(|row| row.wave)?;
    (last.wave > first.wave).then_some(last.value - first.value)
}

fn in_words(finding: &Finding) -> Evidence {
    let (unit, per) = words::measure(finding);
    let interval = finding.ci95.map(|ci| {
        let value = words::interval(ci, unit, per);
        if unit == Unit::Bytes { format!("{value} {}", words::per_one(per)) } else { format!("{value} per 1,000") }
    });
    Evidence {
        metric: words::metric(finding.metric).to_owned(),
        scenario: words::visible(&finding.scenario),
        state: words::state(finding),
        class: words::state_class(finding.state),
        chip: finding.state != State::NotJudged,
        seen: words::pieces(&finding.evidence),
        would_decide: finding.would_decide.as_deref().map(words::pieces).unwrap_or_default(),
        accepted: finding.accepted.as_deref().map(words::visible),
        interval: interval.unwrap_or_default(),
        missed: words::missed(finding).unwrap_or_default(),
    }
}
