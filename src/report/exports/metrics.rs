//! Metrics as text, a line each: `name{labels} value`. GitLab's metrics reports compare them between branches, Prometheus
//! and its relatives read them too.

use std::fmt::Write as _;

use crate::analysis::result::{Finding, RunResult, State};
use crate::model::{GrowthPer, Unit};

/// All figures that mean the same in the next run.
pub(super) fn metrics(result: &RunResult) -> String {
    let mut out = String::new();
    let mut line = |name: &str, labels: &[(&str, &str)], value: f64| {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", label(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a string cannot fail. A figure that is none is no line.
        if value.is_finite() {
            let _ = writeln!(out, "profile_run_{name}{labels} {value}");
        }
    };
    line("exit_code", &[], f64::from(result.exit_code.code()));
    for finding in result.findings.iter().filter(|finding| finding.state != State::NotJudged) {
        if let Some((name, value)) = growth(finding) {
            line(&name, &[("metric", finding.metric.name()), ("scenario", &finding.scenario)], value);
        }
    }
    for row in result.measured_load() {
        let of = [("scenario", row.scenario.as_str())];
        line("errors", &of, row.errors.values().sum::<u64>() as f64);
        if row.work() == 0 {
            continue;
        }
        line("throughput_per_second", &of, row.rate().unwrap_or(f64::NAN));
        for (quantile, ms) in [("0.5", row.latency_ms.p50), ("0.9", row.latency_ms.p90), ("0.99", row.latency_ms.p99)] {
            line("latency_ms", &[("quantile", quantile), of[0]], ms);
        }
        if let Some(seconds) = row.server_cpu_seconds {
            line("server_cpu_ms", &of, seconds * 1000.0 / row.work() as f64);
        }
    }
    for key in ["rss_peak", "fd_peak"] {
        let name = if key == "rss_peak" { "rss_peak_bytes" } else { key };
        line(name, &[], result.samples_summary.get(key).copied().unwrap_or(f64::NAN));
    }
    out
}

/// Growth for one message or session, or for an hour.
fn growth(finding: &Finding) -> Option<(String, f64)> {
    let growth = finding.growth?;
    let unit = if growth.unit == Unit::Bytes { "bytes" } else { "count" };
    Some(match growth.per {
        GrowthPer::Messages => (format!("growth_{unit}_per_message"), growth.value / 1000.0),
        GrowthPer::Sessions => (format!("growth_{unit}_per_session"), growth.value / 1000.0),
        GrowthPer::Hour => (format!("growth_{unit}_per_hour"), growth.value),
    })
}

fn label(text: &str) -> String {
    crate::model::visible(text).replace('\\', "\\\\").replace('"', "\\\"")
}
