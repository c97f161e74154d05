//! One run of smtp-source: its counter watched, its end counted.

use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::process::Process;
use super::smtp_source::{self, Ended};
use crate::load::error::LoadError;
use crate::load::job::{Control, Job, Live};
use crate::model::load_stats::{LoadStats, Stall, Step};
use crate::model::plan::scenario::{PerConnection, Unit};

/// How often the counter is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Where Debian puts it, which is in no user's PATH.
const PLACES: [&str; 2] = ["smtp-source", "/usr/sbin/smtp-source"];

/// Why we ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Early {
    /// Its counter stood still for too long.
    Stalled,
    /// We were told to stop.
    Interrupted,
    /// The time that was asked for is over.
    OverTime,
}

/// What was seen of it while it ran.
struct Watched {
    /// Its counter: messages whose final dot was written.
    counted: u64,
    early: Option<Early>,
}

/// Runs smtp-source to the job's end.
pub fn run(job: &Job, control: &Control) -> Result<LoadStats, LoadError> {
    let began = Instant::now();
    let (mut process, news) = start(job)?;
    let mut stats = LoadStats::new(Unit::Messages, job.count);
    stats.peak_open = job.scenario.sessions.min(job.count);
    let watched = watch(job, control, &mut process, &news, &mut stats);
    stats.seconds = began.elapsed().as_secs_f64();
    let said = process.errors();
    let (status, cpu) = process.reap().map_err(LoadError::system("smtp-source's exit"))?;
    stats.client_cpu_seconds = cpu;
    // Without an error it has sent and had accepted whatever was asked.
    let done = if status.success() { job.count } else { watched.counted };
    stats.messages_sent = done;
    let why = match watched.early {
        Some(Early::Stalled) => Ended::Failed("timeout_run".to_owned()),
        Some(Early::Interrupted) => Ended::Failed("interrupted_run".to_owned()),
        Some(Early::OverTime) | None => smtp_source::ended(&said),
    };
    // The counter goes up as a message's final dot is written. Of those that an early end may have left without
    // their reply it is not told what became, so they do not count as accepted.
    let unsure = match &why {
        _ if done == job.count && status.success() => 0,
        Ended::Refused(kind) | Ended::Failed(kind) if stats.peak_open == 1 && watched.early.is_none() => {
            u64::from(kind.contains("message"))
        }
        _ => stats.peak_open,
    };
    let accepted = done.saturating_sub(unsure);
    count_accepted(job, accepted, &mut stats);
    if watched.early == Some(Early::OverTime) {
        // What was not done by then was not asked for.
        stats.asked.asked = accepted;
        stats.asked.not_started = 0;
        return Ok(stats);
    }
    count_left(job.count - accepted, job.count - done, why, &mut stats);
    if accepted < job.count && !said.is_empty() {
        stats.transcript.push(said);
    }
    Ok(stats)
}

/// Starts it where it is found.
fn start(job: &Job) -> Result<(Process, Receiver<u64>), LoadError> {
    let arguments = smtp_source::arguments(job)?;
    let (ended, news) = channel();
    let start = |program: &str| {
        let mut command = Command::new(program);
        // Its words are read, so they are to be English.
        command.args(&arguments).env("LC_ALL", "C");
        let tell = ended.clone();
        // Nobody listens only where we have given up.
        Process::start(command, move || tell.send(0).unwrap_or_default())
    };
    // One after the other: whichever is there is started once.
    let process = start(PLACES[0])
        .or_else(|_| start(PLACES[1]))
        .map_err(LoadError::system("smtp-source (Debian: apt-get install postfix)"))?;
    Ok((process, news))
}

/// Follows its counter until it has ended; ends it where it stands still, or where it was told to or has time no longer.
fn watch(job: &Job, control: &Control, process: &mut Process, news: &Receiver<u64>, stats: &mut LoadStats) -> Watched {
    let (began, mut moved) = (Instant::now(), Instant::now());
    let mut watched = Watched { counted: 0, early: None };
    loop {
        let event = news.recv_timeout(LOOK);
        let counted = smtp_source::counted(&process.output()).unwrap_or(0).min(job.count);
        if counted > watched.counted {
            let now = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            (watched.counted..counted).for_each(|_| stats.count_in_second(now));
            (watched.counted, moved) = (counted, Instant::now());
        }
        let done = watched.counted;
        control.publish(Live { sessions: done, open: stats.peak_open, sent: done, accepted: done, ..Live::default() });
        if event != Err(RecvTimeoutError::Timeout) {
            return watched;
        }
        if watched.early.is_some() {
            continue;
        }
        if moved.elapsed() >= job.stall_timeout {
            stats.stalled = Some(Stall {
                stage: Step::Run,
                open_sessions: stats.peak_open,
                last_reply_seconds_ago: moved.elapsed().as_secs_f64(),
            });
            watched.early = Some(Early::Stalled);
        } else if control.is_stopped() {
            stats.interrupted = true;
            watched.early = Some(Early::Interrupted);
        } else if job.options.duration.is_some_and(|duration| began.elapsed() >= duration) {
            watched.early = Some(Early::OverTime);
        }
        if watched.early.is_some() {
            process.end();
        }
    }
}

fn count_accepted(job: &Job, accepted: u64, stats: &mut LoadStats) {
    stats.messages_accepted = accepted;
    stats.asked.finished = accepted;
    let kept = job.scenario.per_connection == PerConnection::Unlimited;
    let sessions = if kept { accepted.min(stats.peak_open) } else { accepted };
    stats.sessions.asked = sessions;
    stats.sessions.finished = sessions;
    stats.as_meant = sessions;
}

/// Counts the `left` that were not accepted, of which `unsent` have no final dot.
fn count_left(left: u64, unsent: u64, why: Ended, stats: &mut LoadStats) {
    stats.asked.not_started = left;
    if left == 0 {
        return;
    }
    // One met the error. It may be one of those whose final dot was written.
    stats.asked.not_started = (left - 1).min(unsent);
    let lost = left - 1 - stats.asked.not_started;
    stats.sessions.asked += 1;
    let kind = match why {
        Ended::Refused(kind) => {
            stats.asked.refused = 1;
            stats.sessions.refused = 1;
            kind
        }
        Ended::Failed(kind) => {
            stats.asked.failed = 1;
            stats.sessions.failed = 1;
            kind
        }
    };
    stats.errors.insert(kind, 1);
    if lost > 0 {
        stats.asked.failed += lost;
        stats.errors.insert("not_told".to_owned(), lost);
    }
}
