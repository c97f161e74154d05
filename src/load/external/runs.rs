//! A command, run as often as was asked for and so many at once; each run is counted by how it exited.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::process::Process;
use super::template;
use crate::load::error::LoadError;
use crate::load::job::{Control, Job, Live};
use crate::load::schedule::Schedule;
use crate::model::load_stats::{LoadStats, Stall, Step};
use crate::model::plan::scenario::Unit;

/// The longest that a request to stop may wait.
const LOOK: Duration = Duration::from_millis(50);

struct Run {
    process: Process,
    /// When it was wished for or due, and when it began, ns since the load began.
    due: u64,
    since: u64,
    /// We ended it: the kind that it is counted as.
    ended_as: Option<&'static str>,
}

/// Runs `command` to the job's end.
pub fn run(job: &Job, command: &str, control: &Control) -> Result<LoadStats, LoadError> {
    template::fill(command, job, 1)?;
    let began = Instant::now();
    let nanos = || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let stall = u64::try_from(job.stall_timeout.as_nanos()).unwrap_or(u64::MAX);
    let schedule = job.options.rate.map(Schedule::new);
    let parallel = job.scenario.sessions.max(1) as usize;
    let mut stats = LoadStats::new(Unit::Sessions, job.count);
    stats.open_loop = schedule.is_some();
    let (ended, news) = channel();
    let mut running: BTreeMap<u64, Run> = BTreeMap::new();
    let (mut taken, mut closed, mut last_end) = (0, false, 0);
    loop {
        let now = nanos();
        if job.options.duration.is_some_and(|duration| began.elapsed() >= duration) && !closed {
            closed = true;
            // What was not begun by then was not asked for.
            for count in [&mut stats.asked, &mut stats.sessions] {
                count.asked -= std::mem::take(&mut count.not_started);
            }
        }
        let mut next_due = u64::MAX;
        while !closed && taken < job.count && running.len() < parallel {
            let due = schedule.as_ref().map_or(now, |schedule| schedule.due(taken));
            if due > now {
                next_due = due;
                break;
            }
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(template::fill(command, job, taken + 1)?);
            let (tell, token) = (ended.clone(), taken);
            // Nobody listens only where we have given up.
            let process = match Process::start(shell, move || tell.send(token).unwrap_or_default()) {
                Ok(process) => process,
                // Out of processes or descriptors: ours to say, and to try again once a run has ended.
                Err(_) if !running.is_empty() => {
                    *stats.client_limits.entry("processes".into()).or_default() += 1;
                    break;
                }
                Err(source) => return Err(LoadError::System { what: "the load command cannot be started", source }),
            };
            if schedule.is_some() {
                stats.lateness.record(now.saturating_sub(due.max(last_end)));
            }
            running.insert(taken, Run { process, due, since: now, ended_as: None });
            taken += 1;
            stats.asked.not_started -= 1;
            stats.sessions.not_started -= 1;
            stats.peak_open = stats.peak_open.max(running.len() as u64);
        }
        if running.is_empty() && (closed || taken >= job.count) {
            break;
        }
        let wait = LOOK.min(Duration::from_nanos(next_due.saturating_sub(nanos())));
        let mut event = news.recv_timeout(wait);
        while let Ok(token) = event {
            if let Some(run) = running.remove(&token) {
                let now = nanos();
                last_end = now;
                count(run, now, &mut stats)?;
            }
            event = news.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        let now = nanos();
        let oldest = running.values().map(|run| now - run.since).max().unwrap_or(0);
        if oldest >= stall && now - last_end >= stall {
            let open_sessions = running.len() as u64;
            let last_reply_seconds_ago = (now - last_end) as f64 / 1e9;
            stats.stalled.get_or_insert(Stall { stage: Step::Run, open_sessions, last_reply_seconds_ago });
            closed = true;
        }
        if control.is_stopped() {
            stats.interrupted = true;
            closed = true;
        }
        for run in running.values_mut().filter(|run| run.ended_as.is_none()) {
            run.process.release_output();
            if stats.stalled.is_some() || now - run.since >= stall {
                run.ended_as = Some("timeout_run");
            } else if stats.interrupted {
                run.ended_as = Some("interrupted_run");
            }
            if run.ended_as.is_some() {
                run.process.end();
            }
        }
        control.publish(live(&stats, running.len() as u64));
    }
    stats.seconds = began.elapsed().as_secs_f64();
    control.publish(live(&stats, 0));
    Ok(stats)
}

/// Counts a run that has exited.
fn count(mut run: Run, now: u64, stats: &mut LoadStats) -> Result<(), LoadError> {
    let (status, cpu) = run.process.reap().map_err(LoadError::system("the load command's exit"))?;
    stats.client_cpu_seconds += cpu;
    let took = now - run.since;
    let kind = match run.ended_as {
        Some(kind) => kind.to_owned(),
        None if status.success() => {
            stats.asked.finished += 1;
            stats.sessions.finished += 1;
            stats.as_meant += 1;
            stats.whole.record(now - run.due);
            stats.steps.entry(Step::Run).or_default().record(took);
            stats.count_in_second(now);
            return Ok(());
        }
        None => exit(status),
    };
    if stats.errors.is_empty() {
        let said = run.process.errors();
        let said =
            if said.is_empty() { String::from_utf8_lossy(&run.process.output()).trim_end().to_owned() } else { said };
        stats.transcript.push(format!("the first run that failed ({kind}) said: {said}"));
    }
    stats.asked.failed += 1;
    stats.sessions.failed += 1;
    *stats.errors.entry(kind).or_default() += 1;
    Ok(())
}

/// `run_exit_1`, `run_signal_11`.
fn exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("run_exit_{code}"),
        (None, signal) => format!("run_signal_{}", signal.unwrap_or_default()),
    }
}

fn live(stats: &LoadStats, open: u64) -> Live {
    let errors = stats.errors.values().sum();
    Live { sessions: stats.sessions.finished + stats.sessions.failed, open, errors, ..Live::default() }
}
