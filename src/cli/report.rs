//! `profile-run report`: the reports of a run, written anew; also of one that was cut off.

use std::path::{Path, PathBuf};

use super::against;
use super::exit::Exit;
use super::export::{self, Wanted};
use super::outputs;
use super::stdout::{errln, outln};
use crate::analysis;
use crate::journal::Folder;
use crate::model::Side;

/// Arguments of `profile-run report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's folder, or its result.json or report.html
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// An earlier run to judge against
    #[arg(long, value_name = "RUN")]
    baseline: Option<PathBuf>,
    /// Write the reports here instead of into the run's folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also write FORMAT[=FILE][,...]: junit, sarif, github (annotations), metrics, plot, firefox; `-` is stdout
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = export::wanted)]
    export: Vec<Wanted>,
    /// Hide no passwords, tokens, hooks and names
    #[arg(long)]
    no_redact: bool,
    /// Show no line of the server's scripts
    #[arg(long)]
    no_source: bool,
}

/// Runs `profile-run report`.
///
/// # Errors
/// It is no run, or the reports cannot be written.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    export::check(&args.export, false)?;
    let folder = Folder::open(&args.run)?;
    // What it was compared with when it was run lies in its folder.
    let beside = folder.root().join(against::FOLDER).join(against::BASE);
    let baseline = args.baseline.clone().or_else(|| beside.join("result.json").is_file().then_some(beside));
    let read = |path: &Path| outputs::read_run(path, Side::Base, args.no_redact);
    let baseline = baseline.as_deref().map(read).transpose()?;
    let mut view = analysis::analyse(&folder, baseline.as_ref(), args.no_redact)?;
    if args.no_source {
        view.result.leave_out_source();
    }
    let place = args.out.as_deref().map(Folder::for_reports).transpose()?;
    let written = outputs::write(&folder, place.as_ref().unwrap_or(&folder), &view);
    outln!("{}", view.result.sentence);
    let unwritten = export::write(&view, &args.export, place.as_ref().unwrap_or(&folder).root());
    for missing in written.missing.iter().chain(&unwritten) {
        errln!("profile-run: {missing}");
    }
    let Some(report) = written.report else { return Ok(Exit::CouldNotRun) };
    outln!("{}", report.display());
    Ok(if unwritten.is_empty() { Exit::Held } else { Exit::CouldNotRun })
}
