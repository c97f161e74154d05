//! A load in figures, as it stands in `result.json` (`load[]`) and in what `load --json` prints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::plan::scenario::Unit;

use crate::model::load_stats::Latency;
use crate::model::load_stats::Step;
use crate::model::load_stats::{Count, Stall, Tally};

/// Quantiles in milliseconds; 0 where nothing was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many were counted.
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

impl From<&Latency> for LatencySummary {
    fn from(latency: &Latency) -> Self {
        let at = |share| latency.quantile_ms(share).unwrap_or(0.0);
        Self { count: latency.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: latency.max_ms().unwrap_or(0.0) }
    }
}

/// One entry of `load[]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadSummary {
    /// The scenario's name.
    pub scenario: String,
    /// The wave, from 0; none where the whole load is one.
    pub wave: Option<u32>,
    /// `clean`, `profile`, or `load`.
    pub pass: String,
    /// What `asked` counts.
    pub unit: Unit,
    /// Messages or sessions: asked, finished, refused, failed, not started.
    pub asked: Count,
    /// Messages whose data was handed over to its last byte.
    pub messages_sent: u64,
    /// Messages that the server accepted.
    pub messages_accepted: u64,
    /// Sessions that ended as they should.
    pub sessions: u64,
    /// Sessions: opened (or asked for by number), finished, refused, failed, not started.
    pub sessions_by_end: Count,
    /// Sessions that went as the scenario means them to.
    pub as_meant: u64,
    /// Kind to count; `not_started` are those that an early end left, so that the sum is what was asked.
    pub errors: BTreeMap<String, u64>,
    /// The client's own limits that it met.
    pub client_limits: BTreeMap<String, u64>,
    /// Sessions whose connection the server left open after its reply to QUIT.
    pub left_open: u64,
    /// Seconds.
    pub seconds: f64,
    /// Messages accepted (or sessions finished) a second.
    pub rate: f64,
    /// Of a whole message (or session): from the wish to send it, in an open loop from when it was due.
    pub latency_ms: LatencySummary,
    /// `closed` or `open`: whether a server that stops also stops the load (and hides its slowness).
    pub r#loop: String,
    /// Latency by step.
    pub steps_ms: BTreeMap<Step, LatencySummary>,
    /// How late the client itself was, in an open loop.
    pub lateness_ms: Option<LatencySummary>,
    /// Done in each second since the start.
    pub per_second: Vec<u64>,
    /// Bytes of message data.
    pub bytes: u64,
    /// The most sessions at once.
    pub peak_open: u64,
    /// SYNs that the client's kernel sent again.
    pub syn_retransmits: u64,
    /// The client's CPU, µs a message (or session).
    pub client_cpu_us: f64,
    /// The server's CPU, µs a message (or session), where somebody measured it.
    pub server_cpu_us: Option<f64>,
    /// Gathering of replies, in µs; 0: none.
    pub gather_micros: u64,
    /// Why it ended, where the server answered nobody.
    pub stalled: Option<Stall>,
    /// Whether it was told to stop.
    pub interrupted: bool,
}

impl LoadSummary {
    /// Sets the CPU that the server used meanwhile, in seconds: never below 0, though a child may be gone unseen.
    pub fn server_cpu(&mut self, seconds: f64) {
        self.server_cpu_us = Some(seconds.max(0.0) * 1e6 / self.asked.finished.max(1) as f64);
    }

    /// The figures of `tally`.
    pub fn new(scenario: &str, wave: Option<u32>, pass: &str, tally: &Tally) -> Self {
        let done = tally.asked.finished.max(1) as f64;
        let mut errors = tally.errors.clone();
        if tally.asked.not_started > 0 {
            errors.insert("not_started".to_owned(), tally.asked.not_started);
        }
        Self {
            scenario: scenario.to_owned(),
            wave,
            pass: pass.to_owned(),
            unit: tally.unit,
            asked: tally.asked,
            messages_sent: tally.messages_sent,
            messages_accepted: tally.messages_accepted,
            sessions: tally.sessions.finished,
            sessions_by_end: tally.sessions,
            as_meant: tally.as_meant,
            errors,
            client_limits: tally.client_limits.clone(),
            left_open: tally.left_open,
            seconds: tally.seconds,
            rate: tally.rate(),
            latency_ms: (&tally.whole).into(),
            r#loop: if tally.open_loop { "open" } else { "closed" }.into(),
            steps_ms: tally.steps.iter().map(|(step, latency)| (*step, latency.into())).collect(),
            lateness_ms: tally.open_loop.then(|| (&tally.lateness).into()),
            per_second: tally.per_second.clone(),
            bytes: tally.bytes,
            peak_open: tally.peak_open,
            syn_retransmits: tally.syn_retransmits,
            client_cpu_us: tally.client_cpu_seconds * 1e6 / done,
            server_cpu_us: None,
            gather_micros: tally.gather_micros,
            stalled: tally.stalled.clone(),
            interrupted: tally.interrupted,
        }
    }
}
