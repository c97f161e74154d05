//! `profile-run watch`: its arguments and what it does with them.

use super::exit::Exit;

/// Arguments of `profile-run watch`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `profile-run watch`.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("watch is not built yet")
}
