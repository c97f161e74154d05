//! How a run is judged: everything of the configuration that the analysis obeys. A run's journal keeps it,
//! so that a report written anew judges as the first one did.

use serde::{Deserialize, Serialize};

use super::thresholds::Condition;
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
    pub thresholds: Vec<Condition>,
    /// Functions that wait rather than work, beside PHP's own.
    pub waiting: Vec<String>,
    /// What a link to a line looks like that opens it in an editor, as [`crate::model::Editor`] has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub editor: Option<String>,
}
