//! Figures that must hold, as the configuration has them.

use std::collections::BTreeMap;

use super::result::LoadRow;
use super::{Figure, Threshold};
use crate::phrase::significant;

/// Every threshold that was crossed, or whose figure is not there, in a sentence.
pub fn crossed(thresholds: &[Threshold], load: &[LoadRow], samples: &BTreeMap<String, f64>) -> Vec<String> {
    let totals: Vec<&LoadRow> = load.iter().filter(|row| row.is_measured_total()).collect();
    let mut sentences = Vec::new();
    for threshold in thresholds {
        if threshold.figure.is_of_a_scenario() {
            let wanted = |row: &&&LoadRow| threshold.scenario.as_ref().is_none_or(|name| *name == row.scenario);
            let rows: Vec<&&LoadRow> = totals.iter().filter(wanted).collect();
            // A time or a speed of work that was never done is no figure, and so no figure that holds.
            let (rows, idle): (Vec<&&LoadRow>, Vec<&&LoadRow>) =
                rows.into_iter().partition(|row| is_measured(threshold.figure, row));
            if rows.is_empty() && idle.is_empty() {
                sentences.push(format!("The threshold on {} was not measured.", name(threshold.figure)));
            }
            sentences.extend(idle.iter().map(|row| {
                format!(
                    "The threshold on {} of `{}` was not measured{}.",
                    name(threshold.figure),
                    row.scenario,
                    if row.work() == 0 { ": nothing was accepted" } else { "" }
                )
            }));
            sentences.extend(
                rows.iter().filter_map(|row| crossing(threshold, of_scenario(threshold.figure, row), &row.scenario)),
            );
        } else {
            let key = if threshold.figure == Figure::RssPeak { "rss_peak" } else { "fd_peak" };
            match samples.get(key) {
                Some(value) => sentences.extend(crossing(threshold, *value, "")),
                None => sentences.push(format!("The threshold on {} was not measured.", name(threshold.figure))),
            }
        }
    }
    sentences
}

fn is_measured(figure: Figure, row: &LoadRow) -> bool {
    match figure {
        Figure::Errors => true,
        Figure::ServerCpuMs => row.work() > 0 && row.server_cpu_seconds.is_some(),
        _ => row.work() > 0,
    }
}

fn of_scenario(figure: Figure, row: &LoadRow) -> f64 {
    let done = row.work() as f64;
    match figure {
        Figure::P50Ms => row.latency_ms.p50,
        Figure::P90Ms => row.latency_ms.p90,
        Figure::P99Ms => row.latency_ms.p99,
        Figure::MaxMs => row.latency_ms.max,
        Figure::PerSecond => row.rate().unwrap_or(0.0),
        Figure::Errors => row.errors.values().sum::<u64>() as f64,
        Figure::ServerCpuMs => row.server_cpu_seconds.unwrap_or(0.0) * 1000.0 / done.max(1.0),
        Figure::RssPeak | Figure::FdPeak => 0.0,
    }
}

fn crossing(threshold: &Threshold, value: f64, scenario: &str) -> Option<String> {
    let place = if scenario.is_empty() { String::new() } else { format!(" of `{scenario}`") };
    let what = name(threshold.figure);
    if let Some(most) = threshold.most.filter(|most| value > *most) {
        return Some(format!(
            "Threshold crossed: {what}{place} is {}, at most {} is allowed.",
            significant(value),
            significant(most)
        ));
    }
    let least = threshold.least.filter(|least| value < *least)?;
    Some(format!(
        "Threshold crossed: {what}{place} is {}, at least {} is wanted.",
        significant(value),
        significant(least)
    ))
}

fn name(figure: Figure) -> &'static str {
    match figure {
        Figure::P50Ms => "the median latency in ms",
        Figure::P90Ms => "the 90th percentile of latency in ms",
        Figure::P99Ms => "the 99th percentile of latency in ms",
        Figure::MaxMs => "the longest latency in ms",
        Figure::PerSecond => "the speed in messages per second",
        Figure::Errors => "the number of errors",
        Figure::ServerCpuMs => "the server's CPU per message in ms",
        Figure::RssPeak => "the peak of resident memory in bytes",
        Figure::FdPeak => "the peak of descriptors",
    }
}
