//! Single messages of a profile: the calls of the function that was called exactly once for each, the slowest, the
//! median, the first and the last, in the order of time.

use std::path::PathBuf;

use super::laid::{Frame, Laid};
use super::profile::Recording;
use super::slices::{self, WaveAt};
use crate::profile::{self, Calls, Dialect, OneCall, Options, Profile, STANDARD_INPUT, Target, Wanted};

/// Calls of a recording that is read once more for them.
pub const MOST_CALLS: u64 = 20_000_000;
/// Fewer messages are told apart by chance.
const LEAST_MESSAGES: u64 = 2;
/// Levels that are shown.
const LEVELS: usize = 120;

/// Why no single message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMessages {
    /// Nobody counted them.
    #[error("how many messages were served meanwhile is not known (--messages)")]
    NotCounted,
    /// What is called for each message is called at other times, too.
    #[error("no function was called exactly once for each of the {0} messages")]
    NoFunction(u64),
    /// It would take too long.
    #[error("the recording holds more than {MOST_CALLS} calls")]
    TooMany,
    /// A pipe is read once.
    #[error("they are found by reading the profile twice, and a pipe can be read once: save it as a file first")]
    Pipe,
    /// It was there a moment ago.
    #[error("the profile could not be read a second time")]
    Unreadable,
}

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The one that took longest.
    Slowest,
    /// The one in the middle.
    Median,
    /// The first that ended.
    First,
    /// The last.
    Last,
}

/// A message: one call of the function.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Which.
    pub pick: Pick,
    /// Its number among the calls of the function, from 1.
    pub number: u64,
    /// The scenario under whose load it was handled.
    pub scenario: Option<String>,
    /// Calls in it, itself among them.
    pub calls: u64,
    /// What it called, in the order of time, by the names.
    pub laid: Laid,
}

/// Single messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// The function that was called once for each.
    pub function: String,
    /// Its calls.
    pub count: u64,
    /// Names of the functions.
    pub names: Vec<String>,
    /// Those that are shown.
    pub messages: Vec<Message>,
}

/// Finds single messages: reads the files once more. None where files hold no calls in order.
pub fn messages(
    paths: &[PathBuf],
    profile: &Profile,
    waits: &[bool],
    recording: &Recording,
    options: &Options,
) -> Option<Result<Messages, NoMessages>> {
    (profile.dialect == Dialect::Xdebug && recording.served != Some(false))
        .then(|| found(paths, profile, waits, recording, options))
}

fn found(
    paths: &[PathBuf],
    profile: &Profile,
    waits: &[bool],
    recording: &Recording,
    options: &Options,
) -> Result<Messages, NoMessages> {
    if recording.messages < LEAST_MESSAGES {
        return Err(NoMessages::NotCounted);
    }
    let function = once(profile, waits, recording.messages).ok_or(NoMessages::NoFunction(recording.messages))?;
    let is_pipe = |path: &PathBuf| path.as_os_str() == STANDARD_INPUT || !(path.is_file() || path.is_dir());
    if paths.iter().any(is_pipe) {
        return Err(NoMessages::Pipe);
    }
    if profile.records() > MOST_CALLS {
        return Err(NoMessages::TooMany);
    }
    let wanted = Wanted { marks: recording.marks.clone(), calls: Some(&function), ..Wanted::default() };
    let again = profile::read_sliced(paths, options, &wanted).map_err(|_| NoMessages::Unreadable)?;
    if again.calls.count() == 0 {
        return Err(NoMessages::Unreadable);
    }
    Ok(picked(&again.calls, function.name, &recording.waves, again.names.iter().map(|name| name.name.clone())))
}

/// The function that was called exactly once for each message: of several the one that took most time with all that it
/// called.
fn once(profile: &Profile, waits: &[bool], messages: u64) -> Option<Target> {
    let of_all = profile.functions.iter().filter(|function| function.calls == messages && !waits[function.id as usize]);
    // Functions stand in an order of their own where they are equal.
    let dearest = of_all.rev().max_by_key(|function| function.inclusive.time)?;
    Some(Target { file: dearest.file.clone(), name: dearest.name.clone() })
}

fn picked(calls: &Calls, function: String, waves: &[WaveAt], names: impl Iterator<Item = String>) -> Messages {
    let picks = [
        (Pick::Slowest, calls.slowest()),
        (Pick::Median, calls.median()),
        (Pick::First, calls.first()),
        (Pick::Last, calls.last()),
    ];
    let message = |(pick, call): (Pick, Option<(u64, &OneCall)>)| {
        let (number, call) = call?;
        let wave = (0..).zip(waves).find(|(at, _)| slices::segment(*at) == call.segment);
        let scenario = wave.map(|(_, wave)| wave.scenario.clone());
        Some(Message { pick, number, scenario, calls: call.calls, laid: laid(call) })
    };
    let messages = picks.into_iter().filter_map(message).collect();
    Messages { function, count: calls.count(), names: names.collect(), messages }
}

/// The frames of a call, siblings in the order of time.
fn laid(call: &OneCall) -> Laid {
    let frame = |step: &profile::Step| Frame {
        depth: step.depth as usize,
        name: step.function,
        value: step.time,
        own: step.own,
        deeper: 0,
    };
    let whole = Laid { frames: call.steps.iter().map(frame).collect(), total: call.time, ..Laid::default() };
    whole.pruned(0.0, LEVELS)
}
