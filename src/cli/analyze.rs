//! `profile-run analyze`: its arguments and what it does with them.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::exit::Exit;
use super::floors;
use crate::analysis::profile::{ESTIMATED, ready};
use crate::cachegrind::export::{callgrind, folded, json, pprof, speedscope};
use crate::cachegrind::{self, Dialect, Metric, Options, Pattern, Profile, read_paths};
use crate::report::{profile_html, write_whole};
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
    /// What to sum: time (of callgrind's files the first event), allocation, or an event's name as a
    /// callgrind file has it
    #[arg(long, value_name = "time|allocation|EVENT", default_value = "time")]
    metric: String,
    /// Leave out frames whose name holds this (`*`: any text); their cost goes to their caller
    #[arg(long, value_name = "PATTERN")]
    hide: Vec<String>,
    /// Only the stacks with a frame whose name holds this (`*`: any text)
    #[arg(long, value_name = "PATTERN")]
    focus: Option<String>,
    /// Write here instead of stdout; the file is replaced whole
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

/// True for the input that is judged as a CSV of floors rather than read as a profile.
fn is_floors_csv(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("csv")) && !path.is_dir()
}

/// Runs `profile-run analyze`.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.paths.iter().all(|path| is_floors_csv(path)) {
        return floors::run(&args.paths, args.format == Format::Json, &Bounds::default());
    }
    let profile = read_paths(&args.paths, &Options::default())?;
    say_what_was_lost(&profile);
    let (mut profile, metric) = choose(profile, &args.metric)?;
    if profile.estimated && !matches!(args.format, Format::Json | Format::Callgrind) {
        eprintln!("profile-run: {ESTIMATED}");
    }
    if let Some(pattern) = &args.focus {
        profile = profile.focus(&Pattern::new(pattern));
        if profile.tree.is_empty() {
            anyhow::bail!(
                "no frame's name holds {pattern:?}: nothing is left to show; leave out --focus to see all names"
            );
        }
    }
    for pattern in &args.hide {
        profile = profile.hide(&Pattern::new(pattern));
    }
    let mut bytes = Vec::new();
    write(&profile, metric, args.format, &mut bytes)?;
    match &args.output {
        // A device or a pipe has nothing that could be replaced.
        Some(path) if path.exists() && !path.is_file() => {
            std::fs::write(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Some(path) => write_whole(path, &bytes).context("cannot write the output")?,
        None => match io::stdout().lock().write_all(&bytes) {
            // The reader of our output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            outcome => outcome?,
        },
    }
    Ok(Exit::Held)
}

/// The profile seen by the metric that was asked for.
fn choose(profile: Profile, metric: &str) -> Result<(Profile, Metric), cachegrind::Error> {
    match metric {
        "time" => Ok((profile, Metric::Time)),
        "allocation" if profile.dialect == Dialect::Xdebug || profile.units.memory_event.is_some() => {
            Ok((profile, Metric::Allocation))
        }
        event => Ok((profile.by_event(event)?, Metric::Time)),
    }
}

fn write(profile: &Profile, metric: Metric, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    match format {
        Format::Folded => folded::write(profile, &profile.tree, metric, out)?,
        Format::Json => {
            let object = serde_json::json!({ "profile": json::ProfileJson::from(profile) });
            serde_json::to_writer(&mut *out, &object)?;
            writeln!(out)?;
        }
        Format::Speedscope => speedscope::write(profile, metric, out)?,
        Format::Pprof => pprof::write(profile, metric, out)?,
        Format::Callgrind => callgrind::write(profile, out)?,
        Format::Html => {
            let shown = ready(profile, 0, &[]);
            let title = profile.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ");
            out.write_all(profile_html(&title, &shown.flames, &shown.summary.functions, &shown.notes)?.as_bytes())?;
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
