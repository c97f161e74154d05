//! `profile-run analyze`: its arguments and what it does with them.

use super::exit::Exit;

/// Arguments of `profile-run analyze`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `profile-run analyze`.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("analyze is not built yet")
}
