//! What a load did, counted: sums that equal what was asked, and latencies that merge exactly.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::plan::scenario::Unit;

use super::latency::Latency;
use super::step::Step;

/// A load that ended because the server answered nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    /// What most of the open sessions waited for.
    pub stage: Step,
    /// Sessions that were open then.
    pub open_sessions: u64,
    /// Seconds since the last reply of any session, or since the start where there was none.
    pub last_reply_seconds_ago: f64,
}

/// Whatever became of what was asked for: the four always add up to `asked`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Count {
    /// How many were asked for.
    pub asked: u64,
    /// Went as far as they should (a message: accepted).
    pub finished: u64,
    /// Refused by a reply of 4xx or 5xx.
    pub refused: u64,
    /// Broken off: connection, time-out, protocol.
    pub failed: u64,
    /// Never begun.
    pub not_started: u64,
}

impl Count {
    fn merge(&mut self, other: &Self) {
        self.asked += other.asked;
        self.finished += other.finished;
        self.refused += other.refused;
        self.failed += other.failed;
        self.not_started += other.not_started;
    }

    /// Whether the sum equals what was asked.
    pub fn adds_up(&self) -> bool {
        self.asked == self.finished + self.refused + self.failed + self.not_started
    }
}

/// The counts and latencies of one load, or of several merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadStats {
    /// What `asked` counts.
    pub unit: Unit,
    /// Messages (or sessions, where that is the unit).
    pub asked: Count,
    /// Sessions that were opened, by how they ended; here `not_started` is that of sessions asked for by number.
    pub sessions: Count,
    /// Messages whose data was handed over to its last byte.
    pub messages_sent: u64,
    /// Messages that the server accepted.
    pub messages_accepted: u64,
    /// Sessions that went as the scenario means them to.
    pub as_meant: u64,
    /// Recipients that were refused.
    pub recipients_refused: u64,
    /// Kind to count: `rcpt_550`, `timeout_banner`, `reset_data`, `connect_refused`, ...
    pub errors: BTreeMap<String, u64>,
    /// Refusals and failures that are the client's own: descriptors, ports.
    pub client_limits: BTreeMap<String, u64>,
    /// Sessions whose connection the server left open after its reply to QUIT.
    pub left_open: u64,
    /// Connections that the kernel lost before the server knew of them; each was opened again.
    #[serde(default)]
    pub lost: u64,
    /// How many connections the server's accept queue holds; 0 where that is not known.
    #[serde(default)]
    pub backlog: u32,
    /// Bytes of message data handed over, headers included.
    pub bytes: u64,
    /// Seconds from the first connect to the last session's end.
    pub seconds: f64,
    /// Latency of each step.
    pub steps: BTreeMap<Step, Latency>,
    /// From the wish to send a message (open loop: from when it was due) to its acceptance; for scenarios
    /// without messages from connect to the last reply.
    pub whole: Latency,
    /// How late the client itself began what was due (open loop alone).
    pub lateness: Latency,
    /// Whether latency counts from when a message was due.
    pub open_loop: bool,
    /// The most sessions that were in flight at once.
    pub peak_open: u64,
    /// Messages accepted (or sessions finished) in each second since the start.
    pub per_second: Vec<u64>,
    /// SYNs that the client's kernel sent again.
    pub syn_retransmits: u64,
    /// CPU seconds of the client's thread, user and system.
    pub client_cpu_seconds: f64,
    /// Why it ended, where the server answered nobody.
    pub stalled: Option<Stall>,
    /// Whether it was told to stop.
    pub interrupted: bool,
    /// Gathering of replies, in µs, where there was any.
    pub gather_micros: u64,
    /// The words of the first session, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<String>,
}

impl LoadStats {
    /// Nothing done yet of `asked`.
    pub fn new(unit: Unit, asked: u64) -> Self {
        let sessions = if unit == Unit::Sessions { asked } else { 0 };
        Self {
            unit,
            asked: Count { asked, not_started: asked, ..Count::default() },
            sessions: Count { asked: sessions, not_started: sessions, ..Count::default() },
            messages_sent: 0,
            messages_accepted: 0,
            as_meant: 0,
            recipients_refused: 0,
            errors: BTreeMap::new(),
            client_limits: BTreeMap::new(),
            left_open: 0,
            lost: 0,
            backlog: 0,
            bytes: 0,
            seconds: 0.0,
            steps: BTreeMap::new(),
            whole: Latency::default(),
            lateness: Latency::default(),
            open_loop: false,
            peak_open: 0,
            per_second: Vec::new(),
            syn_retransmits: 0,
            client_cpu_seconds: 0.0,
            stalled: None,
            interrupted: false,
            gather_micros: 0,
            transcript: Vec::new(),
        }
    }

    /// Adds another load of the same scenario that came after this one.
    pub fn merge(&mut self, other: &Self) {
        self.asked.merge(&other.asked);
        self.sessions.merge(&other.sessions);
        self.messages_sent += other.messages_sent;
        self.messages_accepted += other.messages_accepted;
        self.as_meant += other.as_meant;
        self.recipients_refused += other.recipients_refused;
        for (mine, others) in [(&mut self.errors, &other.errors), (&mut self.client_limits, &other.client_limits)] {
            for (kind, count) in others {
                *mine.entry(kind.clone()).or_default() += count;
            }
        }
        self.left_open += other.left_open;
        self.lost += other.lost;
        self.backlog = self.backlog.max(other.backlog);
        self.bytes += other.bytes;
        self.seconds += other.seconds;
        for (step, latency) in &other.steps {
            self.steps.entry(*step).or_default().merge(latency);
        }
        self.whole.merge(&other.whole);
        self.lateness.merge(&other.lateness);
        self.open_loop |= other.open_loop;
        self.peak_open = self.peak_open.max(other.peak_open);
        self.per_second.extend(&other.per_second);
        self.syn_retransmits += other.syn_retransmits;
        self.client_cpu_seconds += other.client_cpu_seconds;
        self.stalled = self.stalled.take().or_else(|| other.stalled.clone());
        self.interrupted |= other.interrupted;
        self.gather_micros = self.gather_micros.max(other.gather_micros);
    }

    /// Counts one more done in the second that `now` (ns since the start) lies in.
    pub fn count_in_second(&mut self, now: u64) {
        let second = (now / 1_000_000_000) as usize;
        if self.per_second.len() <= second {
            self.per_second.resize(second + 1, 0);
        }
        self.per_second[second] += 1;
    }

    /// Whether every sum equals what was asked.
    pub fn adds_up(&self) -> bool {
        self.asked.adds_up() && self.sessions.adds_up()
    }

    /// Whether all that was asked was done, as the scenario means it.
    pub fn is_whole(&self) -> bool {
        self.asked.finished == self.asked.asked && self.as_meant == self.sessions.asked && self.stalled.is_none()
    }

    /// The share of the sessions that went as meant, 0 to 1; what was never begun counts against it.
    pub fn as_meant_share(&self) -> f64 {
        let never = if self.unit == Unit::Messages { self.asked.not_started } else { 0 };
        let all = self.sessions.asked + never;
        if all == 0 { 0.0 } else { self.as_meant as f64 / all as f64 }
    }

    /// Messages a second (or sessions, where that is the unit) that were done.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.asked.finished as f64 / self.seconds } else { 0.0 }
    }
}
