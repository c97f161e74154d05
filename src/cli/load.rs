//! `profile-run load`: its arguments and what it does with them.

use super::exit::Exit;

/// Arguments of `profile-run load`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `profile-run load`.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("load is not built yet")
}
