//! `profile-run analyze`: its arguments and what it does with them.

mod csv;
mod said;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::config::Config;
use super::exit::Exit;
use super::parse;
use super::profile_summary;
use super::stdout::{errln, is_stdout};
use crate::analysis::analyze_json::Analyzed;
use crate::analysis::csv::ByteUnit;
use crate::analysis::flame::Cost;
use crate::analysis::messages::messages;
use crate::analysis::profile::{ESTIMATED, Recording, Shown, ready};
use crate::analysis::waiting::Waiting;
use crate::profile::export::{callgrind, folded, pprof, speedscope};
use crate::profile::{
    self, Dialect, Metric, Options, Pattern, Profile, STANDARD_INPUT, Wanted, read_paths, read_sliced, standard_input,
};
use crate::report::{profile_html, stream_whole};

const AFTER_HELP: &str = "\
A CSV of floors (FILE.csv) has a header, then one row a wave:
  wave,messages,heap,rss_kb,fds
  0,0,421120,18432,11
  1,500,427520,18940,11
`messages` (or `sessions`) are counted from the start; `pid` and `seconds` may be there. Every other column is
judged by its name: heap, rss, fd, sockets, threads, processes and their like. Memory is in bytes, or as a name
ends: _kb, _mb. Commas, semicolons or tabs; an empty field was not measured. docs/floors.md has the rest.

Exit codes: 0 profiles were read, or all was judged clean; 1 leak; 2 nothing was readable; 4 not decided";

/// Arguments of `profile-run analyze`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Profile files (Xdebug's, callgrind's; gzip or not), folders of them, or CSVs of floors; `-` is
    /// standard input
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
    /// Busy time: without the self time of the functions that wait (what they call keeps its own)
    #[arg(long)]
    busy: bool,
    /// A function that waits, beside PHP's own and those of the configuration (`*`: any text)
    #[arg(long, value_name = "NAME")]
    waiting: Vec<String>,
    /// Only the calls that ended in this part of the recording, in percent of them: 0-10 is the first tenth.
    /// As near as the recording is kept: to a call of few hundred, to half a percent of more; of several files, to 2.5
    #[arg(long, value_name = "FROM-TO", value_parser = part)]
    part: Option<(f64, f64)>,
    /// Messages served meanwhile: gives calls per message, their drift, and on the page single messages in the
    /// order of time (not with --part)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    messages: u64,
    /// What the call tree may take of memory; beyond it the cheapest paths stand as one frame
    #[arg(long, value_name = "SIZE", default_value = "512MB", value_parser = parse::size)]
    max_tree: u64,
    /// What folded stacks or a pprof file may take, unpacked; a profile that would take more is refused
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = parse::size)]
    max_output: u64,
    /// Of a CSV of floors, the unit of memory whose column does not name one (kB: 1,024 bytes)
    #[arg(long, value_name = "B|kB|MB")]
    unit: Option<ByteUnit>,
    /// Configuration (`profile-run.toml` if that is there)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write here instead of stdout (`-`: stdout); the file is replaced whole
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The formats that a profile can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The report's profile part, one file; on a terminal a summary in its place
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
    if path == Path::new(STANDARD_INPUT) {
        return begins_as_csv();
    }
    path.extension() == Some(OsStr::new("csv")) && !path.is_dir()
}

/// Standard input begins with a line of names between commas, semicolons or tabs, as no profile does.
fn begins_as_csv() -> bool {
    let mut begin = Vec::new();
    let read = standard_input().and_then(|input| input.take(4096).read_to_end(&mut begin));
    let first = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    let names: Vec<&str> = first.trim_start_matches('\u{feff}').trim_end().split([',', ';', '\t']).collect();
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || " _\"'()-/%".contains(c));
    read.is_ok() && names.len() > 1 && names.iter().all(is_name)
}

/// `FROM-TO` in percent, as shares.
fn part(text: &str) -> Result<(f64, f64), String> {
    let percent = |text: &str| text.trim().trim_end_matches('%').parse::<f64>().ok();
    let ends = text.split_once('-').and_then(|(from, to)| Some((percent(from)?, percent(to)?)));
    match ends {
        Some((from, to)) if 0.0 <= from && from < to && to <= 100.0 => Ok((from / 100.0, to / 100.0)),
        _ => Err("give two numbers from 0 to 100, the smaller first: 0-10 is the first tenth".to_owned()),
    }
}

/// Runs `profile-run analyze`.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let settings = Config::load(args.config.as_deref())?.settings;
    if args.paths.iter().all(|path| is_floors_csv(path)) {
        let output = args.output.as_deref().filter(|path| !is_stdout(path));
        if output.is_some() && args.format != Format::Json {
            anyhow::bail!("what is said of a CSV of floors goes into a file with --format json");
        }
        return csv::run(&args.paths, args.format == Format::Json, output, args.unit, &settings.bounds);
    }
    if let Some(floors) = args.paths.iter().find(|path| is_floors_csv(path)) {
        anyhow::bail!("{} is a CSV of floors: judge such files apart from profiles", floors.display());
    }
    let waiting = Waiting::with(&[settings.waiting, args.waiting.clone()].concat());
    let sliced = args.part.is_some() || matches!(args.format, Format::Html | Format::Json);
    let options = Options { max_tree: args.max_tree, ..Options::default() };
    let profile = match sliced {
        true => read_sliced(&args.paths, &options, &Wanted::default())?,
        false => read_paths(&args.paths, &options)?,
    };
    said::what_was_lost(&profile);
    let (mut profile, metric) = choose(profile, &args.metric)?;
    if profile.estimated && !matches!(args.format, Format::Json | Format::Callgrind) {
        errln!("profile-run: {ESTIMATED}");
    }
    if let Some((from, to)) = args.part {
        if profile.dialect != Dialect::Xdebug {
            anyhow::bail!("files that hold no calls in order have no parts: leave out --part");
        }
        let (part, shown) = profile.part(from, to);
        profile = part;
        said::what_part((from, to), shown);
    }
    // They were counted over the whole recording.
    let messages = if args.part.is_some() { 0 } else { args.messages };
    if messages < args.messages {
        errln!(
            "profile-run: --messages counts those of the whole recording, and how many fell into the part is not known: \
             calls per message are left out"
        );
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
    // The page has a switch for it; allocation has no waiting in it.
    let busy = args.busy && metric == Metric::Time && args.format != Format::Html;
    if busy && profile.dialect == Dialect::Xdebug {
        let waits = waiting.of(&profile);
        profile = profile.busy(&waits);
    }
    said::refuse_too_much(&profile, metric, args.format, args.max_output)?;
    said::what_readers_may_miss(&profile, metric, args.format);
    let is_whole = args.part.is_none() && args.focus.is_none() && args.hide.is_empty();
    let again = is_whole.then(|| Again { paths: args.paths.clone(), options });
    let asked = Asked { metric, messages, waiting, again };
    let put =
        |out: &mut dyn Write| write(&profile, &asked, args.format, &mut io::BufWriter::with_capacity(1 << 16, out));
    match args.output.as_deref().filter(|path| !is_stdout(path)) {
        // A device or a pipe has nothing that could be replaced.
        Some(path) if path.exists() && !path.is_file() => {
            let mut device = std::fs::File::options().write(true).open(path);
            let device =
                device.as_mut().map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
            put(device)?;
        }
        Some(path) => stream_whole(path, |out| put(out)).context("cannot write the output")?,
        None if args.output.is_none() && args.format == Format::Html && io::stdout().is_terminal() => {
            io::stdout().lock().write_all(profile_summary::text(&profile, metric).as_bytes())?;
        }
        None => {
            let said = put(&mut io::stdout().lock());
            let kind = said.as_ref().err().and_then(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
            // The reader of our output has seen enough.
            if kind != Some(io::ErrorKind::BrokenPipe) {
                said?;
            }
        }
    }
    Ok(Exit::Held)
}

/// The profile seen by the metric that was asked for.
fn choose(profile: Profile, metric: &str) -> Result<(Profile, Metric), profile::Error> {
    match metric {
        "time" => Ok((profile, Metric::Time)),
        "allocation" if profile.units.memory_event.is_some() => Ok((profile, Metric::Allocation)),
        event if profile.units.memory_event.as_deref() == Some(event) => Ok((profile, Metric::Allocation)),
        event => Ok((profile.by_event(event)?, Metric::Time)),
    }
}

/// What is asked of a profile, whatever the format.
struct Asked {
    metric: Metric,
    messages: u64,
    waiting: Waiting,
    /// Where single messages may be looked for: in all that was recorded.
    again: Option<Again>,
}

/// How the profile is read once more.
struct Again {
    paths: Vec<PathBuf>,
    options: Options,
}

fn write(profile: &Profile, asked: &Asked, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    let metric = asked.metric;
    match format {
        Format::Folded => folded::write(profile, &profile.tree, metric, out)?,
        Format::Json => {
            let analyzed = match metric {
                Metric::Time => Analyzed::of(profile, asked.messages, &asked.waiting),
                Metric::Allocation => Analyzed::by_allocation(profile, asked.messages, &asked.waiting),
            };
            let object = serde_json::json!({ "profile": analyzed });
            serde_json::to_writer(&mut *out, &object).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Speedscope => speedscope::write(profile, metric, out)?,
        Format::Pprof => pprof::write(profile, metric, out)?,
        Format::Callgrind => callgrind::write(profile, out)?,
        Format::Html => {
            let recording = Recording { messages: asked.messages, ..Recording::default() };
            let first = if metric == Metric::Allocation { Cost::Allocation } else { Cost::Time };
            let waits = asked.waiting.of(profile);
            let single = |again: &Again| messages(&again.paths, profile, &waits, &recording, &again.options);
            let messages = asked.again.as_ref().and_then(single);
            let shown = Shown { first, messages, ..ready(profile, &recording, &asked.waiting) };
            let title = profile.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ");
            out.write_all(profile_html(&title, &shown)?.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(())
}
