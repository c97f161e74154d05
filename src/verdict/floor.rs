//! What is judged: floors, the metric they are of, and what is known of the load behind them.

use serde::{Deserialize, Serialize};

use super::garbage::garbage_risk;
pub use crate::model::Metric;
use crate::model::{GrowthPer, MetricKind};

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
    /// Bytes of it that no variable reaches and a collector of cycles may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub garbage: Option<f64>,
    /// What is known of that collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector: Option<Collector>,
    /// Elements of the container that grew most, as a census counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
    /// The metric's highest value within the wave: what was in flight is this less the floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_in_wave: Option<f64>,
    /// The unit in which the kernel hands this memory out, in bytes: a page, or a huge page where some of it lies in such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<f64>,
    /// Bytes of the metric at which the server is ended: `memory_limit`, the container's, the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
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
            collector: None,
            elements: None,
            peak_in_wave: None,
            grain: None,
            limit: None,
        }
    }

    /// The work done until then.
    pub fn work(&self, per: Per) -> u64 {
        match per {
            Per::Messages => self.messages,
            Per::Sessions => self.sessions,
        }
    }

    /// The value; without what a collector will take, where that counts as garbage (see [`Case::counts_garbage`]).
    pub fn own(&self, counts_garbage: bool) -> f64 {
        if counts_garbage { self.value - self.garbage.unwrap_or(0.0) } else { self.value }
    }
}

/// A collector of cycles at a floor, as PHP's heap shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    /// Whether it is on (`zend.enable_gc`, `gc_enable()`).
    pub on: bool,
    /// Possible roots that wait for it.
    pub roots: u64,
    /// Roots at which it runs next.
    pub threshold: u64,
    /// Times that it ran since the process began.
    pub runs: u64,
}

/// A runtime that frees by collections, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collected {
    /// It collects when it will: only whole collections can be compared.
    AtWill,
    /// A collection was forced before each floor.
    Forced,
}

impl Metric {
    /// The steps in which it is measured: one of what is counted, PHP's smallest block with its rounding, two pages.
    pub fn grain(self) -> f64 {
        match self.kind() {
            MetricKind::Heap => 16.0,
            MetricKind::Resident => 8192.0,
            MetricKind::Counted => 1.0,
        }
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

impl From<Per> for GrowthPer {
    fn from(per: Per) -> Self {
        match per {
            Per::Messages => GrowthPer::Messages,
            Per::Sessions => GrowthPer::Sessions,
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
    /// Whether collector garbage is known (or the runtime has no collector).
    pub garbage_known: bool,
    /// How a runtime that frees by collections did so; none where memory is freed as it is given up.
    pub collected: Option<Collected>,
    /// Things left behind and units of work that should have left none, where each is known one by one: sockets in
    /// CLOSE_WAIT to peers that are gone, one object for each message.
    pub fact: Option<(u64, u64)>,
}

impl<'a> Case<'a> {
    /// A case in the usual way: small mails, counts per session, all else per message.
    pub fn new(metric: Metric, floors: &'a [Floor]) -> Self {
        let per = if metric.is_count() { Per::Sessions } else { Per::Messages };
        Case {
            metric,
            floors,
            per,
            large_mail: None,
            parallel: None,
            garbage_known: false,
            collected: None,
            fact: None,
        }
    }

    /// Whether garbage is taken out of each floor: it is known at every floor, and the collector is on, has not passed the
    /// roots at which it would have run, and did run or is still waited for, before a limit of memory is reached. Else it is
    /// memory like any other.
    pub fn counts_garbage(&self) -> bool {
        let taken = |floor: &Floor| {
            let comes = |collector: Collector| collector.on && collector.roots <= collector.threshold;
            floor.garbage.is_some() && floor.collector.is_none_or(comes)
        };
        !self.floors.is_empty() && self.floors.iter().all(taken) && garbage_risk(self).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(collector: impl Fn(u64) -> Option<Collector>, known: impl Fn(u32) -> bool) -> Vec<Floor> {
        let floor = |wave: u32| {
            let messages = u64::from(wave) * 500;
            let garbage = known(wave).then_some(320.0 * messages as f64);
            let collector = collector(messages);
            Floor { garbage, collector, ..Floor::new(wave, messages, 0, 458_000.0 + 320.0 * messages as f64) }
        };
        (0..=12).map(floor).collect()
    }

    #[test]
    fn garbage_is_what_a_collector_will_take() {
        let waited = |messages| Some(Collector { on: true, roots: messages, threshold: 10_001, runs: 0 });
        assert!(Case::new(Metric::Heap, &floors(waited, |_| true)).counts_garbage());
        assert!(Case::new(Metric::Heap, &floors(|_| None, |_| true)).counts_garbage());
        let off = |messages| Some(Collector { on: false, roots: messages, threshold: 10_001, runs: 0 });
        assert!(!Case::new(Metric::Heap, &floors(off, |_| true)).counts_garbage());
        let passed = |messages| Some(Collector { on: true, roots: 4 * messages, threshold: 10_001, runs: 0 });
        assert!(!Case::new(Metric::Heap, &floors(passed, |_| true)).counts_garbage());
    }

    #[test]
    fn one_series_never_mixes_floors_with_and_without_garbage() {
        assert!(!Case::new(Metric::Heap, &floors(|_| None, |wave| wave % 5 == 0)).counts_garbage());
    }
}
