//! One run of smtp-source: its counter watched, its end counted.

use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
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

/// Runs smtp-source to the job's end.
pub fn run(job: &Job, control: &Control) -> Result<LoadStats, LoadError> {
    let arguments = smtp_source::arguments(job)?;
    let began = Instant::now();
    let (ended, news) = channel();
    let start = |program: &str| {
        let mut command = Command::new(program);
        // Its words are read, so they are to be English.
        command.args(&arguments).env("LC_ALL", "C");
        Process::start(command, 0, ended.clone())
    };
    // One after the other: whichever is there is started once.
    let mut process = start(PLACES[0])
        .or_else(|_| start(PLACES[1]))
        .map_err(LoadError::system("smtp-source (Debian: apt-get install postfix)"))?;
    let mut stats = LoadStats::new(Unit::Messages, job.count);
    stats.peak_open = job.scenario.sessions.min(job.count);
    let (mut done, mut moved) = (0, Instant::now());
    let mut ended_as = None;
    let mut over_time = false;
    loop {
        let event = news.recv_timeout(LOOK);
        let counted = smtp_source::counted(&process.output()).unwrap_or(0).min(job.count);
        if counted > done {
            let now = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            (done..counted).for_each(|_| stats.count_in_second(now));
            (done, moved) = (counted, Instant::now());
        }
        control.publish(Live { sessions: done, open: stats.peak_open, sent: done, accepted: done, ..Live::default() });
        if event != Err(RecvTimeoutError::Timeout) {
            break;
        }
        if ended_as.is_none() {
            if moved.elapsed() >= job.stall_timeout {
                stats.stalled = Some(Stall {
                    stage: Step::Run,
                    open_sessions: stats.peak_open,
                    last_reply_seconds_ago: moved.elapsed().as_secs_f64(),
                });
                ended_as = Some("timeout_run");
            } else if control.is_stopped() {
                stats.interrupted = true;
                ended_as = Some("interrupted_run");
            } else if job.options.duration.is_some_and(|duration| began.elapsed() >= duration) {
                over_time = true;
                ended_as = Some("");
            }
            if ended_as.is_some() {
                process.end();
            }
        }
    }
    stats.seconds = began.elapsed().as_secs_f64();
    let said = process.errors();
    let (status, cpu) = process.reap().map_err(LoadError::system("smtp-source's exit"))?;
    stats.client_cpu_seconds = cpu;
    if status.success() {
        // Without an error it has sent and had accepted whatever was asked.
        done = job.count;
    }
    stats.messages_sent = done;
    let why = match (ended_as, smtp_source::ended(&said)) {
        (None, why) => why,
        (Some(kind), _) => Ended::Failed(kind.to_owned()),
    };
    // The counter goes up as a message's final dot is written. Of those that an early end may have left without
    // their reply it is not told what became, so they do not count as accepted.
    let unsure = match &why {
        _ if done == job.count && status.success() => 0,
        Ended::Refused(kind) | Ended::Failed(kind) if stats.peak_open == 1 && ended_as.is_none() => {
            u64::from(kind.contains("message"))
        }
        _ => stats.peak_open,
    };
    let accepted = done.saturating_sub(unsure);
    stats.messages_accepted = accepted;
    stats.asked.finished = accepted;
    let kept = job.scenario.per_connection == PerConnection::Unlimited;
    let sessions = if kept { accepted.min(stats.peak_open) } else { accepted };
    stats.sessions.asked = sessions;
    stats.sessions.finished = sessions;
    stats.as_meant = sessions;
    if over_time {
        // What was not done by then was not asked for.
        stats.asked.asked = accepted;
        stats.asked.not_started = 0;
        return Ok(stats);
    }
    let left = job.count - accepted;
    stats.asked.not_started = left;
    if left > 0 {
        // One met the error. It may be one of those whose final dot was written.
        stats.asked.not_started = (left - 1).min(job.count - done);
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
        if !said.is_empty() {
            stats.transcript.push(said);
        }
    }
    Ok(stats)
}
