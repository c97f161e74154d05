//! What is judged: floors, the metric they are of, and what is known of the load behind them.

use serde::{Deserialize, Serialize};

pub use crate::model::Metric;

/// What one metric fell back to when the server was at rest after a wave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// The wave after which it was measured; 0 before any load.
    pub wave: u32,
    /// Messages accepted since the server was started.
    pub messages: u64,
    /// Sessions held since the server was started.
    pub sessions: u64,
    /// The metric's value, in its own unit (bytes, or a count).
    pub value: f64,
    /// The process that it belongs to, where that is known: a new one begins a new life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The run's second at which it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Whether the server had rested for longer than its timers before it was measured.
    #[serde(default)]
    pub rested: bool,
    /// Bytes of it that wait for a collector of cycles. They are no leak and are taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub garbage: Option<f64>,
    /// Elements of the container that grew most, as a census counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
    /// The metric's highest value within the wave: what was in flight is this less the floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_in_wave: Option<f64>,
}

impl Floor {
    /// A floor of which only the wave, the work and the value are known.
    pub fn new(wave: u32, messages: u64, sessions: u64, value: f64) -> Self {
        Floor {
            wave,
            messages,
            sessions,
            value,
            pid: None,
            seconds: None,
            rested: false,
            garbage: None,
            elements: None,
            peak_in_wave: None,
        }
    }

    /// The work done until then.
    pub fn work(&self, per: Per) -> u64 {
        match per {
            Per::Messages => self.messages,
            Per::Sessions => self.sessions,
        }
    }

    /// The value without the garbage that the collector will take.
    pub fn own(&self) -> f64 {
        self.value - self.garbage.unwrap_or(0.0)
    }
}

impl Metric {
    /// The metric that a column of a CSV names, if it is one that has bounds.
    pub fn from_column(name: &str) -> Option<Self> {
        Some(match name {
            "heap" => Metric::Heap,
            "rss_anon" | "rss" => Metric::Rss,
            "fds" | "fd" => Metric::Fd,
            "sockets" => Metric::Sockets,
            "threads" => Metric::Threads,
            "processes" => Metric::Processes,
            _ => return None,
        })
    }

    /// The steps in which it is measured: one of what is counted, PHP's smallest block with its rounding, two pages.
    pub fn grain(self) -> f64 {
        match self {
            Metric::Heap => 16.0,
            Metric::Rss => 8192.0,
            Metric::Fd | Metric::Sockets | Metric::Threads | Metric::Processes => 1.0,
        }
    }

    /// How a sentence calls it.
    pub fn noun(self) -> &'static str {
        match self {
            Metric::Heap => "heap",
            Metric::Rss => "memory",
            Metric::Fd => "descriptors",
            Metric::Sockets => "sockets",
            Metric::Threads => "threads",
            Metric::Processes => "processes",
        }
    }

    /// An amount of it, for a sentence.
    pub fn amount(self, value: f64) -> String {
        if self.is_count() { crate::phrase::significant(value) } else { crate::phrase::bytes(value) }
    }
}

/// The work that growth is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Accepted messages.
    Messages,
    /// Sessions, for what a connection leaves behind and for scenarios in which nothing is accepted.
    Sessions,
}

impl Per {
    /// The plural noun.
    pub fn noun(self) -> &'static str {
        match self {
            Per::Messages => "messages",
            Per::Sessions => "sessions",
        }
    }
}

/// One metric's floors in one scenario, and what is known of them.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What was measured.
    pub metric: Metric,
    /// The floors, by wave; wave 0 (before any load) first where there is one.
    pub floors: &'a [Floor],
    /// What counts as work.
    pub per: Per,
    /// Bytes of one mail, where known. Bounds of large ones count by the mail.
    pub large_mail: Option<f64>,
    /// The most sessions at once, where known.
    pub parallel: Option<u32>,
    /// Whether collector garbage is known and taken out (or the runtime has no collector).
    pub garbage_known: bool,
}

impl<'a> Case<'a> {
    /// A case in the usual way: small mails, counts per session, all else per message.
    pub fn new(metric: Metric, floors: &'a [Floor]) -> Self {
        let per = if metric.is_count() { Per::Sessions } else { Per::Messages };
        Case { metric, floors, per, large_mail: None, parallel: None, garbage_known: false }
    }
}
