//! `profile-run analyze`: its arguments and what it does with them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::exit::Exit;
use super::floors;
use crate::cachegrind::export::{folded, json};
use crate::cachegrind::{Metric, Options, Profile, read_paths};
use crate::verdict::Bounds;

/// Arguments of `profile-run analyze`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile files (Xdebug's, callgrind's; gzip or not), folders of them, or CSVs of floors
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// What to sum
    #[arg(long, value_enum, default_value_t = MetricName::Time)]
    metric: MetricName,
    /// Write here instead of stdout
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The formats that a profile can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The report's profile part, one file
    Html,
    /// Folded stacks
    Folded,
    /// speedscope's JSON
    Speedscope,
    /// pprof's gzipped protobuf
    Pprof,
    /// Callgrind, aggregated
    Callgrind,
    /// The `profile` object
    Json,
}

/// What is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum MetricName {
    /// Wall time
    Time,
    /// Allocation pressure
    Allocation,
}

/// True for the input that is judged as a CSV of floors rather than read as a profile.
fn is_floors_csv(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("csv")) && !path.is_dir()
}

/// Runs `profile-run analyze`.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.paths.iter().all(|path| is_floors_csv(path)) {
        return floors::run(&args.paths, args.format == Format::Json, &Bounds::default());
    }
    let metric = match args.metric {
        MetricName::Time => Metric::Time,
        MetricName::Allocation => Metric::Allocation,
    };
    let profile = read_paths(&args.paths, &Options::default())?;
    say_what_was_lost(&profile);
    match &args.output {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            let mut out = BufWriter::with_capacity(1 << 16, file);
            write(&profile, metric, args.format, &mut out)?;
            out.flush()?;
        }
        None => {
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            match write(&profile, metric, args.format, &mut out).and_then(|()| Ok(out.flush()?)) {
                // The reader of our output has seen enough.
                Err(error) if is_broken_pipe(&error) => {}
                outcome => outcome?,
            }
        }
    }
    Ok(Exit::Held)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn write(profile: &Profile, metric: Metric, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    match format {
        Format::Folded => folded::write(profile, &profile.tree, metric, out)?,
        Format::Json => {
            let object = serde_json::json!({ "profile": json::ProfileJson::from(profile) });
            serde_json::to_writer(&mut *out, &object)?;
            writeln!(out)?;
        }
        Format::Html | Format::Speedscope | Format::Pprof | Format::Callgrind => {
            anyhow::bail!("this format cannot be written by this build")
        }
    }
    Ok(())
}

/// One line on stderr for each file that is not whole, and one for each warning.
fn say_what_was_lost(profile: &Profile) {
    for file in &profile.files {
        let path = file.path.display();
        if !file.complete {
            let share = file.recovered_share * 100.0;
            let first = file.first_defect.as_ref().map(|defect| format!("; {defect}")).unwrap_or_default();
            eprintln!("profile-run: {path}: incomplete, {share:.2}% recovered{first}");
        }
        for warning in &file.warnings {
            eprintln!("profile-run: {path}: {warning}");
        }
    }
}
