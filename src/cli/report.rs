//! `profile-run report`: the reports of a run, written anew; also of one that was cut off.

use std::path::PathBuf;

use super::exit::Exit;
use super::outputs;
use super::stdout::outln;
use crate::analysis;
use crate::journal::Folder;

/// Arguments of `profile-run report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's folder, or its result.json or report.html
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// An earlier run to judge against
    #[arg(long, value_name = "RUN")]
    baseline: Option<PathBuf>,
}

/// Runs `profile-run report`.
///
/// # Errors
/// It is no run, or the reports cannot be written.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let folder = Folder::open(&args.run)?;
    let baseline = args.baseline.as_deref().map(outputs::read_result).transpose()?;
    let view = analysis::analyse(&folder, baseline.as_ref())?;
    let report = outputs::write(&folder, &view)?;
    outln!("{}", view.result.sentence);
    outln!("{}", report.display());
    Ok(Exit::Held)
}
