//! Thresholds judged: what a condition of the configuration came to in a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a threshold's figures count in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdUnit {
    /// Milliseconds.
    Ms,
    /// Messages (or sessions) a second.
    PerSecond,
    /// A part of a whole: 0.1 is 10%.
    Share,
    /// Against the baseline: 0.1 is 10% more, -0.1 is 10% less.
    Change,
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes for each message.
    BytesPerMessage,
    /// Bytes for each session.
    BytesPerSession,
    /// Bytes an hour.
    BytesPerHour,
    /// Things for each message.
    CountPerMessage,
    /// Things for each session.
    CountPerSession,
    /// Things an hour.
    CountPerHour,
    /// Calls for each message.
    CallsPerMessage,
    /// Milliseconds for each message.
    MsPerMessage,
    /// Instructions for each message.
    InstructionsPerMessage,
}

/// On which side of its limit a threshold is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaks {
    /// By more than the limit.
    Above,
    /// By less than the limit.
    Below,
}

/// Why there is no figure. A threshold without one is broken: what was not measured holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmeasured {
    /// The run has no such figure.
    NotMeasured,
    /// None of the work was done that it is counted for.
    NothingDone,
    /// It is relative, and there is no baseline.
    NoBaseline,
    /// It is relative, and the baseline has no such figure.
    NotInBaseline,
    /// The profile does not hold all calls.
    IncompleteProfile,
    /// It was counted under other conditions than the baseline: another build, another valgrind, another load.
    OtherConditions,
    /// Its tries differ by more than the limit.
    Unsteady,
}

/// A threshold in a scenario, or in the run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdRow {
    /// The condition as it was written; where it holds, the threshold is broken.
    pub text: String,
    /// The scenario that it was looked at in; none for figures of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// It is not broken.
    pub held: bool,
    /// The figure; none where nothing was measured.
    pub measured: Option<f64>,
    /// What `measured` and `limit` count in.
    pub unit: ThresholdUnit,
    /// Its limit.
    pub limit: f64,
    /// On which side of the limit it is broken.
    pub breaks: Breaks,
    /// Why there is no figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<Unmeasured>,
    /// The same figure in another run of the scenario, made because the first broke the threshold: by this it holds or
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<f64>,
}
