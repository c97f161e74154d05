//! Waiting until the server is at rest, and keeping a rest without load.

use std::time::{Duration, Instant};

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use crate::journal::Live;
use crate::proc::{Host, Load};
use crate::sampler::{Quiet, QuietRule, Rest, Unrest};

/// Between two looks at the figures; the sampler reads them at about this pace.
const LOOK: Duration = Duration::from_millis(25);

/// Sockets are counted this often while it settles, and this often otherwise.
const SOCKETS_SETTLING: Duration = Duration::from_millis(200);
const SOCKETS_OTHERWISE: Duration = Duration::from_secs(1);

/// A server that was seen to keep connections is not waited for as long again.
const LEFTOVERS_KNOWN: Duration = Duration::from_millis(800);

/// One whose figures were never still in so many waits running (something grows by the clock, say) is not waited for as
/// long again: it would spend on waiting the waves that tell how it grows.
const RESTLESS: u32 = 2;
const RESTLESS_KNOWN: Duration = Duration::from_secs(2);

/// How the server came to rest before a floor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settled {
    /// Seconds that it took.
    pub seconds: f64,
    /// It had not by the deadline.
    pub deadline: bool,
    /// A rest was kept.
    pub rested: bool,
}

/// Waits until the server is at rest, or the deadline.
pub(super) fn settle(run: &mut Context<'_>, session: &mut Session) -> Result<Settled, Halt> {
    let runnable = Load::read().map_or(1.0, |load| f64::from(load.runnable));
    let cpus = Host::read().map_or(1, |host| host.cpus);
    let mut rule = QuietRule::default().on_a_loaded_machine(runnable, cpus);
    if session.keeps_connections {
        rule.still_with_leftovers = LEFTOVERS_KNOWN;
    }
    if let Some(deadline) = run.deadline(session.pass) {
        rule = rule.where_time_is_short(deadline - run.elapsed());
    }
    if session.restless >= RESTLESS {
        rule.deadline = rule.deadline.min(RESTLESS_KNOWN);
    }
    let before = session.idle.connections;
    session.sampler.count_sockets_every(SOCKETS_SETTLING);
    let began = run.recorder.seconds();
    let mut quiet = Quiet::new(rule, session.idle, began);
    let bound = Instant::now() + rule.deadline + Duration::from_secs(2);
    let settled = loop {
        run.interrupt.check()?;
        session.tend_log();
        match quiet.push(session.moment()) {
            Rest::Quiet(seconds) => {
                session.restless = 0;
                break Settled { seconds, ..Settled::default() };
            }
            Rest::Deadline(seconds, why) => {
                session.restless += u32::from(why == Unrest::Figures);
                break Settled { seconds, deadline: true, rested: false };
            }
            // A server that is gone is read no more; then nothing would ever be still.
            Rest::Waiting(_) if Instant::now() > bound || session.is_gone() => {
                break Settled { seconds: run.recorder.seconds() - began, deadline: true, rested: false };
            }
            Rest::Waiting(_) => std::thread::sleep(LOOK),
        }
    };
    session.sampler.count_sockets_every(SOCKETS_OTHERWISE);
    session.keeps_connections |= session.moment().connections > before;
    Ok(settled)
}

/// Keeps a rest without load.
pub(super) fn rest(
    run: &mut Context<'_>,
    session: &mut Session,
    label: &str,
    seconds: f64,
    deadline: Option<f64>,
) -> Result<(), Halt> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        run.interrupt.check()?;
        session.tend_log();
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        run.recorder.live(&Live {
            step: label.to_owned(),
            done: Some(1.0 - left / seconds.max(1e-9)),
            rss: session.rss(),
            left: deadline.map(|deadline| (deadline - run.elapsed()).max(0.0)),
            ..Live::default()
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
