//! A profile as the report shows it: flamegraphs, functions in nanoseconds, what waits.

use std::path::{Path, PathBuf};

use super::result::{FunctionRow, ProfileSummary};
use super::view::{self, Flame, Slice};
use crate::cachegrind::export::folded;
use crate::cachegrind::{self, Dialect, Metric, Options, Profile};

/// Functions of PHP that wait for somebody else: time in them is nobody's work.
const WAITING: [&str; 22] = [
    "php::stream_select",
    "php::socket_select",
    "php::usleep",
    "php::sleep",
    "php::time_nanosleep",
    "php::time_sleep_until",
    "php::pcntl_wait",
    "php::pcntl_waitpid",
    "php::pcntl_sigwaitinfo",
    "php::pcntl_sigtimedwait",
    "php::curl_multi_select",
    "php::socket_accept",
    "php::stream_socket_accept",
    "php::Fiber->resume",
    "php::Fiber->start",
    "php::Fiber::suspend",
    "php::EvLoop->run",
    "php::Ev::run",
    "php::EventBase->loop",
    "php::EventBase->dispatch",
    "php::msg_receive",
    "php::sem_acquire",
];

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
    /// Names of the functions that wait.
    pub waiting: Vec<String>,
    /// What a reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// True for a function that waits. Xdebug 3 writes internal functions as `php::name`, older ones bare.
fn waits(name: &str, more: &[String]) -> bool {
    let bare = name.strip_prefix("php::").unwrap_or(name);
    WAITING.iter().any(|waiting| waiting.strip_prefix("php::") == Some(bare))
        || more.iter().any(|own| own == name || own == bare)
}

/// Reads profiles and makes them ready; `messages` is what was accepted meanwhile.
///
/// # Errors
/// None of the files can be read.
pub fn show(paths: &[PathBuf], messages: u64, more_waiting: &[String]) -> Result<Shown, cachegrind::Error> {
    Ok(ready(&cachegrind::read_paths(paths, &Options::default())?, messages, more_waiting))
}

/// Makes a profile ready to be shown.
pub fn ready(profile: &Profile, messages: u64, more_waiting: &[String]) -> Shown {
    let tick = profile.units.nanoseconds_per_tick.unwrap_or(1) as i64;
    let nanoseconds = |ticks: i64| u64::try_from(ticks.saturating_mul(tick)).unwrap_or(0);
    let mut functions: Vec<FunctionRow> = profile
        .functions
        .iter()
        .map(|function| FunctionRow {
            name: function.name.clone(),
            file: function.file.clone(),
            own: nanoseconds(function.own.time),
            inclusive: nanoseconds(function.inclusive.time),
            calls: function.calls,
            allocation: u64::try_from(function.own.memory).unwrap_or(0),
            calls_per_message: (messages > 0).then(|| function.calls as f64 / messages as f64),
            // Counts of instructions or misses are work, whatever the function.
            waiting: profile.dialect == Dialect::Xdebug && waits(&function.name, more_waiting),
            drift: None,
        })
        .collect();
    functions.sort_by(|a, b| b.own.cmp(&a.own).then_with(|| a.name.cmp(&b.name)));
    let total_ns = functions.iter().map(|f| f.own).sum();
    let waiting_ns = functions.iter().filter(|f| f.waiting).map(|f| f.own).sum();
    let recovered: f64 =
        profile.files.iter().map(|file| file.recovered_share).sum::<f64>() / profile.files.len().max(1) as f64;
    let summary = ProfileSummary {
        files: profile.files.iter().map(|file| name(&file.path)).collect(),
        records: profile.files.iter().map(|file| file.records).sum(),
        complete: profile.files.iter().all(|file| file.complete),
        recovered_share: recovered,
        top: functions.iter().filter(|f| !f.waiting).take(TOP).map(|f| f.name.clone()).collect(),
        messages,
        overhead: None,
        total_ns,
        waiting_ns,
        functions,
    };
    let waiting: Vec<String> = summary
        .functions
        .iter()
        .filter(|function| function.waiting)
        .map(|function| folded::frame(&function.name))
        .collect();
    Shown { flames: flames(profile, &waiting), notes: notes(profile), summary, waiting }
}

/// Wall time, busy time, allocation.
fn flames(profile: &Profile, waiting: &[String]) -> Vec<Flame> {
    let wall = lines(profile, Metric::Time);
    let busy: Vec<String> = wall.iter().filter(|line| !ends_waiting(line, waiting)).cloned().collect();
    let allocation = lines(profile, Metric::Allocation)
        .into_iter()
        .filter(|line| !line.rsplit(' ').next().is_some_and(|v| v.starts_with('-')));
    let flame = |cost, busy, folded| Flame { cost, busy, slice: Slice::All, estimated: profile.estimated, folded };
    let units = &profile.units;
    let mut flames = match (profile.dialect, units.nanoseconds_per_tick) {
        (Dialect::Xdebug, _) => vec![flame(view::Cost::Time, false, wall), flame(view::Cost::Time, true, busy)],
        (_, Some(_)) => vec![flame(view::Cost::Time, false, wall)],
        (_, None) => vec![flame(view::Cost::Events(units.time_event.clone()), false, wall)],
    };
    flames.push(flame(view::Cost::Allocation, false, allocation.collect()));
    flames.retain(|flame| !flame.folded.is_empty());
    flames
}

/// The time is spent in a function that waits.
fn ends_waiting(line: &str, waiting: &[String]) -> bool {
    let stack = line.rsplit_once(' ').map_or(line, |(stack, _)| stack);
    let leaf = stack.rsplit(';').next().unwrap_or(stack);
    waiting.iter().any(|name| name == leaf)
}

fn lines(profile: &Profile, metric: Metric) -> Vec<String> {
    let mut text = Vec::new();
    // A vector takes all that is written.
    if folded::write(profile, &profile.tree, metric, &mut text).is_err() {
        return Vec::new();
    }
    let tick = if metric == Metric::Time { profile.units.nanoseconds_per_tick.unwrap_or(1) as i64 } else { 1 };
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .map(|line| match line.rsplit_once(' ').and_then(|(stack, value)| Some((stack, value.parse::<i64>().ok()?))) {
            Some((stack, value)) => format!("{stack} {}", value.saturating_mul(tick)),
            None => line.to_owned(),
        })
        .collect()
}

/// What was lost, and what a reader should know, file by file.
fn notes(profile: &Profile) -> Vec<String> {
    let mut notes = Vec::new();
    if profile.estimated {
        notes.push(format!("{}{}.", ESTIMATED[..1].to_uppercase(), &ESTIMATED[1..]));
    }
    for file in &profile.files {
        let name = name(&file.path);
        if !file.complete {
            let first = file.first_defect.as_ref().map_or(String::new(), |defect| format!(" ({defect})"));
            let running = match profile.dialect {
                Dialect::Xdebug => " What was still running stands under one frame that says so.",
                Dialect::Callgrind | Dialect::Cachegrind => "",
            };
            let share = file.recovered_share * 100.0;
            notes.push(format!("The profile `{name}` is incomplete: {share:.1}% of it was recovered{first}.{running}"));
        }
        notes.extend(file.warnings.iter().map(|warning| format!("`{name}`: {warning}")));
    }
    notes
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
