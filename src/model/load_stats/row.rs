//! A load in figures: one entry of `load[]`, the same in `result.json` and in what `load --json` prints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::plan::scenario::Unit;
use crate::model::{LEDGER, Pass};

use super::latency::Latency;
use super::stats::{Count, LoadStats, Stall};
use super::step::Step;

/// Latencies in milliseconds; 0 where nothing was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// How many were counted.
    #[serde(default)]
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// Nine of ten are no longer.
    pub p90: f64,
    /// 99 of 100 are no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl From<&Latency> for Quantiles {
    fn from(latency: &Latency) -> Self {
        let latency = latency.opened();
        let at = |share| latency.quantile_ms(share).unwrap_or(0.0);
        Self { count: latency.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: latency.max_ms().unwrap_or(0.0) }
    }
}

/// What decides when the next message is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// The end of the one before.
    #[default]
    Closed,
    /// The clock: messages are due at a rate, whatever the server does.
    Open,
}

/// The name under which the first conversation stands among the load.
pub const PREFLIGHT: &str = "preflight";

/// What a load was run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowPass {
    /// The pass that judges.
    #[serde(alias = "clean")]
    Measure,
    /// The pass under the profiler.
    Profile,
    /// The pass that counts instructions.
    Count,
    /// The command `load`: no pass at all.
    Load,
}

impl From<Pass> for RowPass {
    fn from(pass: Pass) -> Self {
        match pass {
            Pass::Measure => RowPass::Measure,
            Pass::Profile => RowPass::Profile,
            Pass::Count => RowPass::Count,
        }
    }
}

/// The load of one wave, of a whole scenario, or of the preflight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadRow {
    /// Scenario; `preflight` for the first conversation.
    pub scenario: String,
    /// Wave; null where the row sums the whole scenario.
    pub wave: Option<u32>,
    /// The pass, or `load` for the command of that name.
    pub pass: RowPass,
    /// Messages whose data was handed over to its last byte.
    pub messages_sent: u64,
    /// Messages that the server accepted.
    pub messages_accepted: u64,
    /// Sessions that went as the scenario means them to.
    pub sessions: u64,
    /// Kind to count: refusals by step and code, failures by kind; `not_started` is what an early end left, so that
    /// with what was finished the sum is what was asked.
    pub errors: BTreeMap<String, u64>,
    /// From the first connection to the last session's end.
    pub seconds: f64,
    /// Of each message (of each session where there are no messages) from the wish to send it to its acceptance.
    pub latency_ms: Quantiles,
    /// What the next keys count.
    #[serde(default = "messages")]
    pub unit: Unit,
    /// What was asked for and what became of it: `asked`, `finished`, `refused`, `failed`, `not_started`.
    #[serde(flatten)]
    pub count: Count,
    /// Sessions by how they ended.
    #[serde(default)]
    pub sessions_by_end: Count,
    /// Whether a server that stops also stops the load, which hides its slowness.
    #[serde(default)]
    pub r#loop: Loop,
    /// Latency by step.
    #[serde(default)]
    pub steps_ms: BTreeMap<Step, Quantiles>,
    /// How late the client itself was, in an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_ms: Option<Quantiles>,
    /// Done in each second since the start.
    #[serde(default)]
    pub per_second: Vec<u64>,
    /// Bytes of message data, headers included.
    #[serde(default)]
    pub bytes: u64,
    /// Most sessions open at once.
    #[serde(default)]
    pub peak_open: u64,
    /// Connections that the server left open after its reply to QUIT.
    #[serde(default)]
    pub left_open: u64,
    /// Connections that the kernel lost before the server knew of them; each was opened again.
    #[serde(default)]
    pub lost: u64,
    /// How many connections the server's accept queue holds; 0 where that is not known.
    #[serde(default)]
    pub backlog: u32,
    /// SYNs that the client's kernel sent again.
    #[serde(default)]
    pub syn_retransmits: u64,
    /// The client's own limits that it met.
    #[serde(default)]
    pub client_limits: BTreeMap<String, u64>,
    /// CPU of the load itself, seconds.
    #[serde(default)]
    pub client_cpu_seconds: f64,
    /// CPU of the server's processes meanwhile, seconds; null where nobody measured it.
    #[serde(default)]
    pub server_cpu_seconds: Option<f64>,
    /// The wait before each look for replies, µs; 0: none.
    #[serde(default)]
    pub gather_micros: u64,
    /// Why it ended, where the server answered nobody.
    #[serde(default)]
    pub stalled: Option<Stall>,
    /// Whether it was told to stop.
    #[serde(default)]
    pub interrupted: bool,
}

/// Rows written before they named their unit counted messages first.
fn messages() -> Unit {
    Unit::Messages
}

impl LoadRow {
    /// The figures of `stats`. `server_cpu` is what the server's processes used meanwhile, in seconds: never below 0,
    /// though a child may be gone unseen.
    pub fn new(
        scenario: &str,
        wave: Option<u32>,
        pass: impl Into<RowPass>,
        stats: &LoadStats,
        server_cpu: Option<f64>,
    ) -> Self {
        let mut errors = stats.errors.clone();
        if stats.asked.not_started > 0 {
            errors.insert("not_started".to_owned(), stats.asked.not_started);
        }
        Self {
            scenario: scenario.to_owned(),
            wave,
            pass: pass.into(),
            messages_sent: stats.messages_sent,
            messages_accepted: stats.messages_accepted,
            sessions: stats.as_meant,
            errors,
            seconds: stats.seconds,
            latency_ms: (&stats.whole).into(),
            unit: stats.unit,
            count: stats.asked,
            sessions_by_end: stats.sessions,
            r#loop: if stats.open_loop { Loop::Open } else { Loop::Closed },
            steps_ms: stats.steps.iter().map(|(step, latency)| (*step, latency.into())).collect(),
            lateness_ms: stats.open_loop.then(|| (&stats.lateness).into()),
            per_second: stats.per_second.clone(),
            bytes: stats.bytes,
            peak_open: stats.peak_open,
            left_open: stats.left_open,
            lost: stats.lost,
            backlog: stats.backlog,
            syn_retransmits: stats.syn_retransmits,
            client_limits: stats.client_limits.clone(),
            client_cpu_seconds: stats.client_cpu_seconds,
            server_cpu_seconds: server_cpu.map(|seconds| seconds.max(0.0)),
            gather_micros: stats.gather_micros,
            stalled: stats.stalled.clone(),
            interrupted: stats.interrupted,
        }
    }

    /// The whole of a scenario in the first pass; what speeds and errors of a run are taken from.
    pub fn is_measured_total(&self) -> bool {
        self.wave.is_none() && self.pass == RowPass::Measure && ![PREFLIGHT, LEDGER].contains(&self.scenario.as_str())
    }

    /// What was refused or failed.
    pub fn refused_or_failed(&self) -> u64 {
        refused_or_failed(&self.errors)
    }

    /// Messages accepted, or sessions where there are no messages: what figures per unit of work divide by.
    pub fn work(&self) -> u64 {
        if self.messages_accepted > 0 { self.messages_accepted } else { self.sessions }
    }

    /// Units of work a second while the load ran: the speed of a row, wherever it is shown. None where no time passed.
    pub fn rate(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.work() as f64 / self.seconds)
    }
}

/// Of errors by kind, what was refused or failed: not what was never begun, nor what this program broke off itself,
/// whatever step it was at.
pub fn refused_or_failed(errors: &BTreeMap<String, u64>) -> u64 {
    let ours = |kind: &str| kind == "not_started" || kind.starts_with("interrupted_");
    errors.iter().filter(|(kind, _)| !ours(kind)).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_and_what_was_finished_are_what_was_asked() {
        let mut stats = LoadStats::new(Unit::Messages, 10);
        (stats.asked.finished, stats.asked.refused, stats.asked.not_started) = (3, 2, 5);
        stats.errors.insert("rcpt_550".into(), 2);
        let row = LoadRow::new("churn", None, Pass::Measure, &stats, Some(-0.1));
        assert_eq!(row.errors.values().sum::<u64>() + row.count.finished, row.count.asked);
        assert_eq!(row.server_cpu_seconds, Some(0.0));
        stats.errors.insert("interrupted_banner".into(), 4);
        let row = LoadRow::new("churn", None, Pass::Measure, &stats, None);
        assert_eq!(
            row.refused_or_failed(),
            2,
            "what was not begun and what was broken off is no fault of the server's"
        );
    }

    #[test]
    fn json_has_what_was_asked_as_a_number() {
        let row = LoadRow::new("smoke", Some(1), Pass::Measure, &LoadStats::new(Unit::Sessions, 7), None);
        let json = serde_json::to_value(&row).expect("writes");
        assert_eq!((&json["asked"], &json["unit"]), (&7.into(), &"sessions".into()));
        assert_eq!(serde_json::from_value::<LoadRow>(json).expect("reads"), row);
    }

    /// Results written by earlier versions know fewer keys.
    #[test]
    fn a_row_of_an_earlier_result_is_read() {
        let text = r#"{"scenario": "smoke", "wave": null, "pass": "clean", "messages_sent": 10,
            "messages_accepted": 10, "sessions": 10, "asked": 10, "errors": {}, "seconds": 0.5,
            "latency_ms": {"p50": 1, "p90": 2, "p99": 3, "max": 4}, "server_cpu_seconds": 0.25}"#;
        let row: LoadRow = serde_json::from_str(text).expect("reads");
        assert_eq!((row.count.asked, row.work(), row.server_cpu_seconds), (10, 10, Some(0.25)));
    }
}
