//! `profile-run analyze`: its arguments and what it does with them.

use std::path::PathBuf;

use super::exit::Exit;
use super::floors;
use crate::verdict::Bounds;

/// Arguments of `profile-run analyze`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile files, folders of them, or CSV files of floors
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Text for people
    Text,
    /// One JSON object
    Json,
}

/// Runs `profile-run analyze`.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.paths.iter().all(|path| path.extension().is_some_and(|extension| extension == "csv")) {
        return floors::run(&args.paths, args.format == Format::Json, &Bounds::default());
    }
    anyhow::bail!("analyze is not built yet")
}
