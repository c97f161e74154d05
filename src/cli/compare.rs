//! `profile-run compare`: its arguments and what it does with them.

use super::exit::Exit;

/// Arguments of `profile-run compare`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `profile-run compare`.
pub fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("compare is not built yet")
}
