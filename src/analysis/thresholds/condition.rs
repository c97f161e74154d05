//! A condition under which a run fails.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::read;
use crate::model::{Breaks, Metric, ThresholdUnit};

/// A quantile of latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th.
    P99,
    /// The longest.
    Max,
}

/// Which time of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionFigure {
    /// Its own: a share is one of the busy time, or of the whole time where the function waits.
    Own,
    /// With all that it called: a share is one of the whole time.
    Inclusive,
}

/// A figure that a condition is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figure {
    /// Refusals and failures in a scenario.
    Errors,
    /// Latency of a message in a scenario.
    Latency(Quantile),
    /// Messages (or sessions, without messages) a second in a scenario.
    Throughput,
    /// CPU of the server for a message (or session) of a scenario.
    Cpu,
    /// The highest resident memory of the run.
    RssPeak,
    /// The most descriptors of the run.
    FdPeak,
    /// Growth of a metric in a scenario.
    Growth(Metric),
    /// Calls of a function for each message of the profile.
    Calls(String),
    /// Time of a function in the profile.
    Function(String, FunctionFigure),
    /// Calls, for each message of the profile, of all functions together that the baseline does not have.
    NewFunctions,
    /// Instructions for each message of a scenario.
    Instructions,
}

impl Figure {
    /// It belongs to a scenario, not to the run as a whole.
    pub fn is_of_a_scenario(&self) -> bool {
        use Figure::{Calls, FdPeak, Function, NewFunctions, RssPeak};
        !matches!(self, RssPeak | FdPeak | Calls(_) | Function(..) | NewFunctions)
    }

    /// A time of the load, which another program on the machine can spoil: that it is broken takes two runs.
    pub fn is_a_time(&self) -> bool {
        matches!(self, Figure::Latency(_) | Figure::Throughput | Figure::Cpu)
    }
}

/// A condition, as `p99 > 50ms in churn`: where it is true, the run fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    /// As it was written.
    pub text: String,
    /// What it is about.
    pub figure: Figure,
    /// In which scenario; in each if none is named.
    pub scenario: Option<String>,
    /// On which side of the limit it is true.
    pub breaks: Breaks,
    /// The limit, in `unit`.
    pub limit: f64,
    /// What the figure counts in; [`ThresholdUnit::Change`] where it is held against the baseline.
    pub unit: ThresholdUnit,
}

impl FromStr for Condition {
    type Err = String;

    /// What is wrong with it, and how it is written.
    fn from_str(text: &str) -> Result<Self, String> {
        read::condition(text)
    }
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}
