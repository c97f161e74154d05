//! The main job's arguments, and what is meant by them.

use std::ffi::OsString;

use super::exit::Exit;

/// Arguments of the main job.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server's command, after `--`.
    #[arg(last = true)]
    pub command: Vec<OsString>,
}

/// Runs the main job.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("the main job is not built yet")
}
