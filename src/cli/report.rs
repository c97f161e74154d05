//! `profile-run report`: its arguments and what it does with them.

use super::exit::Exit;

/// Arguments of `profile-run report`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `profile-run report`.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("report is not built yet")
}
