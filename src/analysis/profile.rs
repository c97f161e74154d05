//! A profile as the report shows it: flamegraphs, functions in nanoseconds, what waits.

use std::path::{Path, PathBuf};

use super::call_paths::CallPaths;
use super::flame::{self, Busy, Cost, Flame};
use super::messages::{self, Messages, NoMessages};
use super::processes;
use super::profile_figures::ProfileFigures;
use super::result::ProfileSummary;
use super::slices::{self, WaveAt};
use super::waiting::Waiting;
use crate::journal::ProfileWriter;
use crate::phrase::grouped;
use crate::profile::{self, Caller, Dialect, EXACT, Marks, Metric, Options, Profile, Sought, Wanted};

/// What is said wherever stacks of a file are shown that holds none.
pub const ESTIMATED: &str = "the stacks are an estimate: the files hold only who called whom, so each function's cost \
                             is split over its callers by what they were charged for it; self costs are exact";

/// Functions of a summary's `top`.
const TOP: usize = 10;

/// A profile, ready to be shown.
#[derive(Debug)]
pub struct Shown {
    /// Its figures.
    pub summary: ProfileSummary,
    /// Its flamegraphs.
    pub flames: Vec<Flame>,
    /// The cost that is shown first, where there is a choice.
    pub first: Cost,
    /// Busy time by function, in the order of the summary's functions.
    pub busy: Option<Busy>,
    /// Names of the functions that wait.
    pub waiting: Vec<String>,
    /// What a reader should know, one sentence each.
    pub notes: Vec<String>,
    /// Who called the functions whose callers were looked for.
    pub callers: Vec<Caller>,
    /// Single messages, or why there are none; none where that is no question.
    pub messages: Option<Result<Messages, NoMessages>>,
    /// Its calls by their paths, where they were kept to be compared with those of another.
    pub paths: Option<CallPaths>,
}

/// What is known of a recording beside its files.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// Messages accepted meanwhile; 0 where that is not known.
    pub messages: u64,
    /// The waves of the load, in order.
    pub waves: Vec<WaveAt>,
    /// Bytes that each file had at the begin and at the end of each wave, in order.
    pub marks: Marks,
    /// Who wrote the files.
    pub writers: Vec<ProfileWriter>,
    /// The process that served is among them; none where that is not known.
    pub served: Option<bool>,
}

/// Reads profiles and makes them ready. `callers`: functions whose callers are looked for.
///
/// # Errors
/// None of the files can be read.
pub fn show(
    paths: &[PathBuf],
    recording: &Recording,
    waiting: &Waiting,
    max_tree: u64,
    callers: Option<&dyn Sought>,
) -> Result<Shown, profile::Error> {
    let options = Options { max_tree, ..Options::default() };
    let places = processes::places(paths, &recording.writers);
    let at_rest = |(path, marks): (&PathBuf, &Vec<u64>)| (path.clone(), profile::moved_to_rest(path, marks));
    let marks: Marks = recording.marks.iter().map(at_rest).collect();
    let wanted = Wanted { marks: marks.clone(), places, callers, calls: None };
    let mut profile = profile::read_sliced(paths, &options, &wanted)?;
    let callers = std::mem::take(&mut profile.callers);
    let shown = ready(&profile, recording, waiting);
    let waits = waiting.of(&profile);
    let messages = messages::messages(paths, &profile, &waits, &Recording { marks, ..recording.clone() }, &options);
    Ok(Shown { callers, messages, paths: CallPaths::of(profile, waits, recording), ..shown })
}

/// Makes a profile ready to be shown.
pub fn ready(profile: &Profile, recording: &Recording, waiting: &Waiting) -> Shown {
    let tick = tick(profile);
    let nanoseconds = |time: i64| u64::try_from(time).unwrap_or(0);
    let waits = waiting.of(profile);
    // What others did has nothing to do with the messages.
    let messages = if recording.served == Some(false) { 0 } else { recording.messages };
    let figures = ProfileFigures::of(profile, &waits, messages, &recording.waves, tick);
    let functions = &figures.functions;
    let summary = ProfileSummary {
        files: profile.files.iter().map(|file| name(&file.path)).collect(),
        top: functions.iter().filter(|f| !f.waiting).take(TOP).map(|f| f.name.clone()).collect(),
        overhead: None,
        total_ns: nanoseconds(profile.tree.total().time.saturating_mul(tick)),
        waiting_ns: nanoseconds(figures.waiting()),
        served: recording.served,
        processes: processes::rows(profile, &recording.writers, &waits),
        waves: slices::waves(profile, &waits, &recording.waves, tick),
        figures,
    };
    let waiting = summary
        .figures
        .functions
        .iter()
        .filter(|function| function.waiting)
        .map(|function| function.name.clone())
        .collect();
    Shown {
        first: Cost::Time,
        flames: flame::flames(profile, &waits, &recording.waves, tick.unsigned_abs()),
        busy: flame::busy(profile, &waits, tick.unsigned_abs()),
        notes: notes(profile),
        callers: Vec::new(),
        messages: None,
        paths: None,
        summary,
        waiting,
    }
}

fn tick(profile: &Profile) -> i64 {
    profile.units.nanoseconds_per_tick.unwrap_or(1) as i64
}

/// What of the costs no picture can show.
fn below_zero(profile: &Profile, metric: Metric, below: i64) -> String {
    let (total, below) = (signed(profile.total(metric)), grouped(below.unsigned_abs()));
    match metric {
        Metric::Allocation => format!(
            "The allocation of all calls sums up to {total} bytes; in it are {below} bytes that calls gave back, which no flamegraph can show."
        ),
        Metric::Time => format!(
            "`{}` of all functions sums up to {total}; in it are {below} below zero, which no flamegraph can show.",
            profile.units.time_event
        ),
    }
}

/// What was lost, and what a reader should know, file by file.
fn notes(profile: &Profile) -> Vec<String> {
    let mut notes = Vec::new();
    if profile.estimated {
        notes.push(format!("{}{}.", ESTIMATED[..1].to_uppercase(), &ESTIMATED[1..]));
    }
    let (incomplete, remarks) = of_files(profile);
    notes.extend(few(incomplete, "are incomplete, too"));
    notes.extend(few(remarks, "have more to be said of them"));
    for metric in [Metric::Allocation, Metric::Time] {
        let below = profile.tree.nodes().iter().map(|node| node.cost.of(metric).min(0)).fold(0, i64::saturating_add);
        if below < 0 {
            notes.push(below_zero(profile, metric, below));
        }
    }
    if Dialect::Xdebug != profile.dialect && profile.has_rounded(Metric::Time) {
        notes.push(format!(
            "Some costs are {} or more: the flamegraph and its figures show such numbers to 15 digits.",
            grouped(EXACT)
        ));
    }
    notes
}

/// What is to be said of each file: those that were cut off, and what readers should know of others.
fn of_files(profile: &Profile) -> (Vec<String>, Vec<String>) {
    let (mut incomplete, mut remarks) = (Vec::new(), Vec::new());
    for file in &profile.files {
        let name = name(&file.path);
        if !file.complete {
            let first = file.first_defect.as_ref().map_or(String::new(), |defect| format!(" ({defect})"));
            let running = match profile.dialect {
                Dialect::Xdebug => " What was still running stands under one frame that says so.",
                Dialect::Callgrind | Dialect::Cachegrind => "",
            };
            let share = file.recovered_share * 100.0;
            incomplete
                .push(format!("The profile `{name}` is incomplete: {share:.1}% of it was recovered{first}.{running}"));
        }
        remarks.extend(file.warnings.iter().map(|warning| format!("`{name}`: {warning}")));
    }
    (incomplete, remarks)
}

/// Sentences of one kind: there may be one for each of a thousand processes.
const FEW: usize = 3;

fn few(mut sentences: Vec<String>, what: &str) -> Vec<String> {
    let others = sentences.len().saturating_sub(FEW);
    sentences.truncate(FEW);
    if others > 0 {
        sentences.push(format!("{} more profiles {what}.", grouped(others as u64)));
    }
    sentences
}

fn signed(value: i64) -> String {
    format!("{}{}", if value < 0 { "-" } else { "" }, grouped(value.unsigned_abs()))
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
