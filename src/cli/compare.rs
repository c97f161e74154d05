//! `profile-run compare`: two runs, and what got worse.

use std::path::PathBuf;

use super::exit::Exit;
use super::outputs::read_result;
use super::stdout::{out, outln};
use crate::analysis::compare;

/// Arguments of `profile-run compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The earlier run: its folder, result.json or report.html
    base: PathBuf,
    /// The later run
    new: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `profile-run compare`.
///
/// # Errors
/// One of them is no run.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let (base, new) = (read_result(&args.base)?, read_result(&args.new)?);
    let comparison = compare(&base, &new);
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        out(format_args!("{}", comparison.text()));
    }
    Ok(match () {
        () if comparison.worse => Exit::Failed,
        () if !comparison.judged => Exit::Inconclusive,
        () => Exit::Held,
    })
}
