//! Six figures: is anything else odd?

use super::words;
use crate::analysis::result::{Finding, LoadRow, RunResult, State};
use crate::analysis::view::RunView;
use crate::model::{Metric, Pass};
use crate::phrase::{bytes, grouped, millis, significant};

/// One figure with its name and a remark.
#[derive(Debug, PartialEq)]
pub(super) struct Figure {
    /// What it is.
    pub name: String,
    /// The figure; `–` where nothing was measured.
    pub value: String,
    /// What it is of, or its interval.
    pub remark: String,
}

impl Figure {
    fn new(name: &str, value: impl Into<String>, remark: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into(), remark: remark.into() }
    }
}

/// The six figures.
pub(super) fn figures(view: &RunView) -> Vec<Figure> {
    let result = &view.result;
    let main = main_load(result);
    let scenario = main.map_or(String::new(), |row| words::visible(&row.scenario));
    let unit = if main.is_some_and(|row| row.messages_accepted == 0) { "sessions/s" } else { "msg/s" };
    let speed = main.and_then(LoadRow::rate);
    vec![
        memory(result),
        peak(view),
        left_open(result),
        Figure::new(
            "Throughput",
            speed.map_or("–".to_owned(), significant),
            match speed {
                Some(_) => format!("{unit}, {scenario}"),
                None => "not measured".to_owned(),
            },
        ),
        Figure::new(
            if unit == "msg/s" { "p99 latency" } else { "p99 per session" },
            main.map_or("–".to_owned(), |row| millis(row.latency_ms.p99)),
            main.map_or("not measured".to_owned(), |_| scenario.clone()),
        ),
        errors(result),
    ]
}

/// Whole-scenario rows of the measure pass.
pub(super) fn totals(result: &RunResult) -> impl Iterator<Item = &LoadRow> {
    result.load.iter().filter(|row| row.is_measured_total())
}

/// The scenario whose speed speaks for the server: most messages, else most sessions.
fn main_load(result: &RunResult) -> Option<&LoadRow> {
    totals(result).filter(|row| row.work() > 0).max_by_key(|row| (row.messages_accepted, row.sessions))
}

fn memory(result: &RunResult) -> Figure {
    let of = |metric: Metric| {
        result
            .findings
            .iter()
            .filter(|f| f.metric == metric && f.state != State::NotJudged)
            .min_by_key(|f| (order(f.state), std::cmp::Reverse(worked(result, f))))
    };
    let Some(finding) = of(Metric::Heap).or_else(|| of(Metric::Rss)) else {
        return Figure::new("Heap per message", "–", "not judged");
    };
    let (unit, per) = words::measure(finding);
    let what = if finding.metric == Metric::Heap { "Heap" } else { "RSS" };
    let name = format!("{what} {}", words::per_one(per));
    match (finding.state, finding.growth) {
        (State::Leak | State::Inconclusive, Some(growth)) => {
            let sign = if growth.value > 0.0 { "+" } else { "" };
            let remark = finding.ci95.map_or(String::new(), |ci| words::interval(ci, unit, per));
            Figure::new(&name, format!("{sign}{}", words::amount(growth.value, unit, per)), remark)
        }
        (_, Some(growth)) if finding.is_bounded_by_restarts() => {
            Figure::new(&name, format!("+{}", words::amount(growth.value, unit, per)), "per worker lifetime")
        }
        _ => match finding.could_have_missed {
            Some(limit) => Figure::new(&name, format!("< {}", words::limit(limit, unit, per)), words::state(finding)),
            None => Figure::new(&name, words::state(finding), ""),
        },
    }
}

fn order(state: State) -> u8 {
    match state {
        State::Leak => 0,
        State::Inconclusive => 1,
        State::Clean | State::Plateau => 2,
        State::NotJudged => 3,
    }
}

fn worked(result: &RunResult, finding: &Finding) -> u64 {
    let of = result.floors_of(finding);
    of.map(|row| row.messages.max(row.sessions)).max().unwrap_or(0)
}

fn peak(view: &RunView) -> Figure {
    let Some(peak) = view.result.samples_summary.get("rss_peak").copied().filter(|peak| *peak > 0.0) else {
        return Figure::new("Peak RSS", "–", "not measured");
    };
    let track = view.timeline.tracks.iter().find(|track| track.name == "rss");
    let points = track.into_iter().flat_map(|track| &track.points).filter(|point| point.1.is_finite());
    let at = points.max_by(|a, b| a.1.total_cmp(&b.1)).map(|point| point.0);
    let scenario = at.and_then(|at| {
        let wave =
            view.result.waves.iter().find(|w| w.pass == Pass::Measure && w.begin <= at && at <= w.end + w.settle);
        wave.map(|wave| words::visible(&wave.scenario))
    });
    Figure::new("Peak RSS", bytes(peak), scenario.unwrap_or_default())
}

/// What each scenario left open beside what was open before it, in sum.
fn left_open(result: &RunResult) -> Figure {
    let left = |metric: &str| -> Option<f64> {
        let mut scenarios: Vec<&str> = Vec::new();
        for row in result.floors.iter().filter(|row| row.metric == metric) {
            if !scenarios.contains(&row.scenario.as_str()) {
                scenarios.push(&row.scenario);
            }
        }
        let mut sum = None;
        for scenario in scenarios {
            let of = || result.floors.iter().filter(|row| row.metric == metric && row.scenario == scenario);
            let (first, last) = (of().min_by_key(|row| row.wave)?, of().max_by_key(|row| row.wave)?);
            if last.wave > first.wave {
                *sum.get_or_insert(0.0) += last.value - first.value;
            }
        }
        sum
    };
    let Some(all) = left("fd") else { return Figure::new("Left open", "–", "not measured") };
    let remark = match (left("fd_socket"), left("fd_file")) {
        (Some(sockets), Some(files)) if all != 0.0 => {
            format!("{} sockets, {} files", significant(sockets), significant(files))
        }
        _ => "descriptors".to_owned(),
    };
    Figure::new("Left open", significant(all), remark)
}

fn errors(result: &RunResult) -> Figure {
    if totals(result).next().is_none() {
        return Figure::new("Errors", "–", "nothing was sent");
    }
    let errors: u64 = totals(result).map(LoadRow::refused_or_failed).sum();
    let sessions: u64 = totals(result).map(|row| row.sessions).sum();
    let remark = if errors == 0 {
        format!("in {} sessions", grouped(sessions))
    } else {
        format!("{} sessions succeeded", grouped(sessions))
    };
    Figure::new("Errors", grouped(errors), remark)
}
