//! A load from its job to its counts, whoever makes it: the one way of the main job and of `load`.

use super::error::LoadError;
use super::external::{Tool, run_external};
use super::job::{Control, Job};
use crate::model::load_stats::LoadStats;

/// Runs `job` to its end, with `tool` where it is not the built-in engine. Blocking: it wants a thread of its own.
///
/// # Errors
/// What keeps it from starting.
pub fn run_with(job: &Job, tool: Option<&Tool>, control: &Control) -> Result<LoadStats, LoadError> {
    match tool {
        None => super::engine::run(job, control),
        Some(tool) => run_external(job, tool, control),
    }
}
