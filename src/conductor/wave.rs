//! One load against the target, attended: signals, the target's end, mail that leaves the machine, progress.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::context::Context;
use super::disk;
use super::preflight::address;
use super::session::Session;
use super::stop_reason::Halt;
use super::supervise::{self, News};
use crate::diagnose::{Observations, Witness};
use crate::journal::{Event, Live, Scene, Warning, WaveBegin, WaveEnd};
use crate::load::{self, Control, Job, SessionOptions};
use crate::model::load_stats::LoadStats;
use crate::model::plan::scenario::Scenario;
use crate::model::{EarlyEnd, Pass, WarningKind};
use crate::server::listeners::outside_mail_connections;

/// Between two looks at the load.
const LOOK: Duration = Duration::from_millis(50);

/// Between two looks at what is dearer: processes, connections of theirs.
const DEAR_LOOK: Duration = Duration::from_millis(250);

/// How long the end of a process that fell is waited for, and how often it is looked for.
const REAPED: Duration = Duration::from_millis(200);
const REAPED_LOOK: Duration = Duration::from_millis(10);

/// What came of a load.
#[derive(Debug)]
pub struct WaveOutcome {
    /// Counts.
    pub tally: LoadStats,
    /// CPU seconds of the server's tree meanwhile.
    pub server_cpu: f64,
    /// What was seen of the server while it was silent, or after it fell.
    pub trouble: Option<Observations>,
}

/// What is asked of one load.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Messages or sessions.
    pub count: u64,
    /// Sessions at once.
    pub parallel: u64,
    /// Sessions of the scenario that ended before.
    pub sessions_before: u64,
    /// Part of the scenario that was done before, for the bar.
    pub done: f64,
    /// What to call it.
    pub label: &'a str,
    /// Second of the run at which the pass should end.
    pub deadline: Option<f64>,
    /// It ends after so long, whatever is left.
    pub at_most: Option<Duration>,
}

/// Runs one load to its end, and writes its begin and end down.
pub(super) async fn run_load(
    run: &mut Context<'_>,
    session: &mut Session,
    scene: &Scene,
    asked: Asked<'_>,
) -> Result<WaveOutcome, Halt> {
    run.interrupt.check()?;
    follow(run, session)?;
    let (count, parallel) = (asked.count, asked.parallel as u32);
    // Of the count pass what was counted is written down, not the load.
    let told = scene.pass != Pass::Count;
    if told {
        run.recorder.write(Event::WaveBegin(WaveBegin { scene: scene.clone(), count, parallel }))?;
    }
    run.sample_log.load.forget_peaks();
    let messages_before = run.sample_log.load.messages.load(Ordering::Relaxed);
    let cpu_before = session.cpu_now();
    let control = Arc::new(Control::new());
    let job = job(run, session, &asked);
    let tool = run.tool.clone();
    if let Some(follower) = &session.follower {
        let bound = Arc::clone(&control);
        follower.at_bound(move || bound.stop());
    }
    let ours = Arc::clone(&control);
    let loaded = supervise::on_thread("load", move || load::run_with(&job, tool.as_ref(), &ours))?;
    let mut watch = Watch::new(session, run.plan.stall_timeout);
    let mut halt = None;
    let interrupt = run.interrupt.clone();
    let outcome = supervise::until_done(loaded, supervise::end_of(session.server), LOOK, &interrupt, |news| {
        let live = control.live();
        run.sample_log.load.messages.store(messages_before + live.accepted, Ordering::Relaxed);
        run.sample_log.load.open.store(live.open, Ordering::Relaxed);
        session.tend_log();
        match news {
            News::Signal(signal) => halt = halt.take().or(Some(Halt::Interrupted(signal))),
            // Another may have taken its place: the whole tree is looked at.
            News::Ended => watch.dear = None,
            News::Tick => {}
        }
        if halt.is_none() {
            halt = look(run, session, &mut watch, live).err();
        }
        if halt.is_some() || watch.fallen || session.disk_bound().is_some() {
            control.stop();
        }
        let part = live.accepted.max(live.sessions) as f64 / count.max(1) as f64;
        run.recorder.live(&Live {
            step: asked.label.to_owned(),
            done: Some((asked.done + part * (1.0 - asked.done)).min(1.0)),
            rss: session.rss(),
            open: live.open,
            errors: live.errors,
            left: asked.deadline.map(|deadline| (deadline - run.elapsed()).max(0.0)),
        });
        // What was done until then is counted in any case.
        true
    });
    let outcome =
        outcome.await.flatten().ok_or_else(|| Halt::early(EarlyEnd::Environment, "the load's thread panicked"))?;
    let tally = outcome.map_err(|error| Halt::early(EarlyEnd::Environment, format!("the load cannot run: {error}")))?;
    run.sample_log.load.messages.store(messages_before + tally.messages_accepted, Ordering::Relaxed);
    run.sample_log.load.open.store(0, Ordering::Relaxed);
    let server_cpu = (session.cpu_now() - cpu_before).max(0.0);
    let moved = halt.is_none() && follow(run, session)?;
    if told {
        let ended = WaveEnd { scene: scene.clone(), tally: Box::new(tally.clone()), server_cpu, moved };
        run.recorder.write(Event::WaveEnd(ended))?;
    }
    super::fleet::say(run)?;
    if let Some(halt) = halt {
        return Err(halt);
    }
    if let Some(sources) = &mut session.sources {
        sources.before += tally.sessions.asked + tally.lost;
    }
    let fallen =
        (watch.fallen && !moved) || session.target.alive().is_empty() || session.servers(&session.pids()).is_empty();
    let trouble = match fallen || tally.stalled.is_some() {
        true => Some(watch.observations(session, &tally, asked.sessions_before).await),
        false => None,
    };
    Ok(WaveOutcome { tally, server_cpu, trouble })
}

/// The load that is asked for.
fn job(run: &Context<'_>, session: &Session, asked: &Asked) -> Job {
    let mut scenario = asked.scenario.clone();
    scenario.sessions = asked.parallel;
    scenario.total = asked.count;
    Job {
        scenario,
        target: address(session),
        count: asked.count,
        stall_timeout: run.plan.stall_timeout,
        seed: run.plan.seed,
        options: SessionOptions {
            duration: asked.at_most,
            sources: session.sources,
            other_side: Some(session.kernel()),
            ..SessionOptions::of_mail(&run.plan.mail, session.may_be_loaded(run.plan))
        },
    }
}

/// Follows a server that listens on another port now; whether it does.
fn follow(run: &mut Context<'_>, session: &mut Session) -> Result<bool, Halt> {
    let Some(greeted) = super::ready::moved_to(run, session) else { return Ok(false) };
    run.recorder.write(Event::Warning(Warning {
        kind: WarningKind::PortMoved,
        text: format!("The server moved from {} to {}; the load follows it.", session.address, greeted.place.address),
        advice: "What was refused at the old port is counted and not held against it; keep one port for a whole run."
            .to_owned(),
    }))?;
    session.follow(&greeted);
    Ok(true)
}

fn look(run: &mut Context<'_>, session: &mut Session, watch: &mut Watch, live: load::Live) -> Result<(), Halt> {
    watch.progress(session, live);
    if watch.dear.is_some_and(|last| last.elapsed() < DEAR_LOOK) {
        return Ok(());
    }
    watch.dear = Some(Instant::now());
    disk::check(run, session.profiles.as_ref())?;
    let pids = session.target.alive();
    watch.fallen =
        pids.is_empty() || crate::proc::Process::open(session.server).is_err() && session.servers(&pids).is_empty();
    no_mail_leaves(run, &pids)
}

/// Mail of the load that goes to another machine ends the run.
pub(super) fn no_mail_leaves(run: &Context<'_>, pids: &[i32]) -> Result<(), Halt> {
    if !run.plan.allow_forward
        && let Some(outside) = outside_mail_connections(pids).unwrap_or_default().first()
    {
        return Err(Halt::early(
            EarlyEnd::Forward,
            format!(
                "the server (pid {}) connected to {}: it delivers this load's mail to another machine. The load was stopped. \
                 Switch delivery off for the run (in Symfony: MAILER_DSN=null://null), or allow it with --allow-forward",
                outside.pid, outside.remote
            ),
        ));
    }
    Ok(())
}

fn used(witness: &Witness) -> [Option<f64>; 2] {
    [witness.cpu_seconds(), witness.waited_seconds()]
}

/// Watches the load's progress, so that a silent server is looked at while it is silent.
struct Watch {
    /// When the tree was looked at; none: it is looked at next.
    dear: Option<Instant>,
    last: load::Live,
    moved: Instant,
    /// CPU time, and time ready without a processor.
    used: [Option<f64>; 2],
    silence: Duration,
    seen: Option<Observations>,
    fallen: bool,
}

impl Watch {
    fn new(session: &Session, stall_timeout: Duration) -> Self {
        Self {
            dear: None,
            last: load::Live::default(),
            moved: Instant::now(),
            used: session.witness.as_ref().map_or([None; 2], used),
            silence: stall_timeout.mul_f64(0.8),
            seen: None,
            fallen: false,
        }
    }

    fn progress(&mut self, session: &Session, live: load::Live) {
        let Some(witness) = &session.witness else { return };
        if live != self.last {
            self.last = live;
            self.moved = Instant::now();
            self.used = used(witness);
            self.seen = None;
            return;
        }
        if self.seen.is_none() && self.moved.elapsed() >= self.silence {
            let mut seen = witness.look();
            let silent = self.moved.elapsed().as_secs_f64();
            seen.silent_seconds = silent;
            let now = used(witness);
            let share = |at: usize| Some((now[at]? - self.used[at]?).max(0.0) / silent);
            (seen.cpu, seen.waited) = (share(0).unwrap_or(0.0), share(1).unwrap_or(0.0));
            seen.open_sessions = live.open;
            seen.sessions_done = live.sessions;
            seen.stack = super::floors::stack(session.server);
            self.seen = Some(seen);
        }
    }

    /// All that was seen, with what is known only afterwards.
    async fn observations(self, session: &mut Session, tally: &LoadStats, sessions_before: u64) -> Observations {
        let mut seen = self.seen.or_else(|| session.witness.as_ref().map(|witness| witness.look())).unwrap_or_default();
        seen.output = session.output();
        if seen.sessions_done == 0 {
            seen.sessions_done = tally.sessions.finished;
        }
        // What a reader counts is the scenario, not the wave.
        seen.sessions_done += sessions_before;
        if let Some(stall) = &tally.stalled {
            seen.open_sessions = seen.open_sessions.max(stall.open_sessions);
            seen.silent_seconds = seen.silent_seconds.max(stall.last_reply_seconds_ago);
            seen.stage = Some(super::diagnosis::waiting(stall.stage).to_owned());
        } else {
            seen.open_sessions = seen.open_sessions.max(self.last.open);
        }
        // A process that fell is reaped a moment after its sockets closed.
        if self.fallen {
            let reaped = async {
                while session.target.exited().is_none() {
                    sleep(REAPED_LOOK).await;
                }
            };
            let _ = timeout(REAPED, reaped).await;
        }
        seen.ended = session.target.exited().map(super::diagnosis::ended);
        seen
    }
}
