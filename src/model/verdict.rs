//! The words for what was found: the verdict of a run, the state of one metric in one scenario, its growth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Unit;

/// What a run comes down to. In order of precedence: leak, failed, inconclusive, clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Something grows with each further wave of work, or with time.
    Leak,
    /// The server ended, stalled, or accepted nothing.
    Failed,
    /// Growth was seen and not decided, or something was never judged at all.
    Inconclusive,
    /// Memory, descriptors and sockets were each judged clean in at least one scenario.
    Clean,
}

/// What the floors of one metric in one scenario show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It grows steadily with the work.
    Leak,
    /// It does not grow by more than the stated limit.
    Clean,
    /// It grew, and stays below a mark that it has reached; counts as clean.
    Plateau,
    /// Growth was seen and is not decided.
    Inconclusive,
    /// Nothing can be said; see the reason.
    NotJudged,
}

impl State {
    /// `clean` or `plateau`: no leak above the stated limit.
    pub fn holds(self) -> bool {
        matches!(self, State::Clean | State::Plateau)
    }

    /// A verdict, as opposed to "not yet".
    pub fn is_decided(self) -> bool {
        self == State::Leak || self.holds()
    }

    /// Whether two looks say the same: `clean` and `plateau` both say that nothing leaks.
    pub fn agrees(self, other: State) -> bool {
        self == other || (self.holds() && other.holds())
    }
}

/// Why a cell was not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Too few waves or too little work; no growth was seen.
    TooShort,
    /// The server refused the traffic.
    Refused,
    /// The metric could not be read, or has no bounds.
    NotReadable,
    /// The server was not running.
    NotRunning,
}

/// What a growth is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum GrowthPer {
    /// Per 1,000 accepted messages.
    #[serde(rename = "1000_messages")]
    Messages,
    /// Per 1,000 sessions.
    #[serde(rename = "1000_sessions")]
    Sessions,
    /// Per hour, with or without work.
    #[serde(rename = "hour")]
    Hour,
}

/// A rate of growth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Growth {
    /// In `unit` per 1,000 messages, 1,000 sessions or hour.
    pub value: f64,
    /// What is counted.
    pub unit: Unit,
    /// What it is counted against.
    pub per: GrowthPer,
}
