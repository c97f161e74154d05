//! What a run knows of its user and must not hand on.

use serde::{Deserialize, Serialize};

/// Kept in the journal, which its owner alone may read, so that a report that is made later hides the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hidden {
    /// `--no-redact` was given: nothing is hidden.
    pub nothing: bool,
    /// The user's home folder.
    pub home: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The machine's name.
    pub host: Option<String>,
    /// Values of variables that are secrets by their names.
    pub values: Vec<String>,
}
