//! `profile-run doctor`: its arguments and what it does with them.

use super::exit::Exit;

/// Arguments of `profile-run doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `profile-run doctor`.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("doctor is not built yet")
}
