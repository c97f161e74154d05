//! `profile-run compare`: two runs, and what got worse.

use std::path::PathBuf;

use super::exit::Exit;
use super::outputs::{read_result, read_run};
use super::stdout::is_stdout;
use super::stdout::out;
use crate::analysis::compare::compare;
use crate::model::Side;
use crate::report;

/// Arguments of `profile-run compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The earlier run: its folder, result.json or report.html
    base: PathBuf,
    /// The later run
    new: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Write here instead of stdout; the file is replaced whole
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The formats of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines for a terminal
    Text,
    /// A page, one file
    Html,
    /// For a comment
    Markdown,
    /// One object
    Json,
}

/// Runs `profile-run compare`.
///
/// # Errors
/// One of them is no run, or the comparison cannot be written.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let comparison = compare(&read_result(&args.base)?, &read_result(&args.new)?);
    let text = match if args.json { Format::Json } else { args.format } {
        Format::Text => comparison.text(),
        Format::Html => {
            let base = read_run(&args.base, Side::Base, false)?;
            let new = read_run(&args.new, Side::New, false)?;
            report::comparison_html(&comparison, &base.difference(new.paths.as_ref().map_err(Clone::clone)))?
        }
        Format::Markdown => report::comparison_markdown(&comparison),
        Format::Json => serde_json::to_string_pretty(&comparison)? + "\n",
    };
    match args.output.filter(|path| !is_stdout(path)) {
        Some(path) => report::write_whole(&path, text.as_bytes())?,
        None => out(format_args!("{text}")),
    }
    Ok(match () {
        () if comparison.worse => Exit::Failed,
        () if !comparison.judged => Exit::Inconclusive,
        () => Exit::Held,
    })
}
