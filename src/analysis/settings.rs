//! How a run is judged: everything of the configuration that the analysis obeys. A run's journal keeps it,
//! so that a report written anew judges as the first one did.

use serde::{Deserialize, Serialize};

use crate::verdict::Bounds;
use crate::verdict::accepted::Accepted;

/// How a run is judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The verdict's thresholds.
    pub bounds: Bounds,
    /// Leaks that are known and accepted.
    pub accepted: Vec<Accepted>,
    /// Figures that must hold.
    pub thresholds: Vec<Threshold>,
    /// Functions that wait rather than work, beside PHP's own.
    pub waiting: Vec<String>,
}

/// A figure that a threshold can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Median latency of a message, ms.
    P50Ms,
    /// 90th percentile, ms.
    P90Ms,
    /// 99th percentile, ms.
    P99Ms,
    /// The longest, ms.
    MaxMs,
    /// Messages (or sessions, without messages) a second.
    PerSecond,
    /// Refusals and failures.
    Errors,
    /// CPU of the server for a message (or session), ms.
    ServerCpuMs,
    /// The highest resident memory of the run, bytes.
    RssPeak,
    /// The most descriptors of the run.
    FdPeak,
}

impl Figure {
    /// It belongs to a scenario, not to the run as a whole.
    pub fn is_of_a_scenario(self) -> bool {
        !matches!(self, Figure::RssPeak | Figure::FdPeak)
    }
}

/// A threshold of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// What is held.
    pub figure: Figure,
    /// In which scenario; in each if none is named.
    #[serde(default)]
    pub scenario: Option<String>,
    /// It may be this at most.
    #[serde(default)]
    pub most: Option<f64>,
    /// It must be this at least.
    #[serde(default)]
    pub least: Option<f64>,
}
