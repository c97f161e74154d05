//! A run from its plan to its report.

use std::path::PathBuf;

use super::config::Config;
use super::exit::Exit;
use crate::plan::Plan;

/// How a run is shown.
#[derive(Debug, Clone, Default)]
pub struct Show {
    /// The run's folder, where one was given.
    pub out: Option<PathBuf>,
    /// The verdict and the path alone.
    pub quiet: bool,
    /// Every event.
    pub verbose: bool,
    /// JSON lines.
    pub json: bool,
    /// Open the report.
    pub open: bool,
}

/// Carries the plan out.
pub fn run(_plan: Plan, _config: &Config, _show: Show) -> anyhow::Result<Exit> {
    anyhow::bail!("not built yet")
}
