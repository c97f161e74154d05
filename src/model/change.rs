//! What became of a figure between two runs.

use serde::{Deserialize, Serialize};

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Worse, beyond the intervals of both.
    Worse,
    /// No difference that the intervals leave.
    Same,
    /// Better, beyond the intervals of both.
    Better,
    /// One run has not decided it, or has no figure.
    Unknown,
}
