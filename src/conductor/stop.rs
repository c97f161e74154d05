//! The end of a session: the server stopped, how it ended and what the sampling was written down.

use std::time::Duration;

use super::context::Context;
use super::hooks;
use super::session::Session;
use super::stop_reason::Halt;
use crate::journal::{Event, Sampled, TargetExit};
use crate::server::{log, stop};

/// The same where the run was interrupted: somebody waits for the prompt.
const STOP_INTERRUPTED: Duration = Duration::from_secs(3);

/// Lines of the target's output that the journal keeps.
pub const LAST_WORDS: usize = 12;

/// Stops a session, and writes down how it ended and what the sampling was.
pub(super) async fn stop_session(run: &mut Context<'_>, session: Session, deadline: Duration) -> Result<(), Halt> {
    let Session { target, pass, sampler, .. } = session;
    let deadline = if run.interrupt.came().is_some() { deadline.min(STOP_INTERRUPTED) } else { deadline };
    let asked = target.exited().is_none() || !target.alive().is_empty();
    let stopped = stop::stop(&target, deadline);
    let effort = sampler.stop();
    let last_words = log::tail(&target.log, LAST_WORDS);
    run.recorder.write(Event::TargetExit(TargetExit {
        pass,
        pid: target.pid(),
        how: stopped.how,
        asked,
        last_words,
    }))?;
    run.recorder.write(Event::Sampled(Sampled {
        pass,
        seconds: effort.seconds,
        rounds: effort.rounds,
        socket_rounds: effort.socket_rounds,
        cpu_seconds: effort.cpu_seconds,
        longest_gap: effort.longest_gap,
    }))?;
    run.sample_log.flush();
    drop(target);
    let hook = hooks::run_hook(run, "--after", run.plan.after.clone()).await;
    // What the hooks left running served this launch.
    run.watchdog.stop_all(deadline);
    hook
}
