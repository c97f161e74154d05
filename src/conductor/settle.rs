//! Waiting until the server is at rest, and keeping a rest without load.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::context::Context;
use super::others::Look;
use super::session::Session;
use super::stop_reason::Halt;
use crate::journal::Live;
use crate::proc::{Host, Load};
use crate::sampler::{Moment, Quiet, QuietRule, Rest, Unrest};

/// Sockets are counted this often while it settles, and this often otherwise.
const SOCKETS_SETTLING: Duration = Duration::from_millis(200);
const SOCKETS_OTHERWISE: Duration = Duration::from_secs(1);

/// A server that was seen to keep connections is not waited for as long again.
const LEFTOVERS_KNOWN: Duration = Duration::from_millis(800);

/// One whose figures were never still in so many waits running (something grows by the clock, say) is not waited for as
/// long again: it would spend on waiting the waves that tell how it grows.
const RESTLESS: u32 = 2;
const RESTLESS_KNOWN: Duration = Duration::from_secs(2);

/// Beyond the rule's own deadline, which counts readings: where none come any more, the waiting ends all the same.
const WITHOUT_READINGS: Duration = Duration::from_secs(2);

/// Between two lines that say how much of a rest is left.
const SHOWN: Duration = Duration::from_millis(100);

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
pub(super) async fn settle(run: &mut Context<'_>, session: &mut Session) -> Result<Settled, Halt> {
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
    let others = Look::begin(session);
    session.sampler.count_sockets_every(SOCKETS_SETTLING);
    let began = run.recorder.seconds();
    let mut quiet = Quiet::new(rule, session.idle, began);
    let mut rounds = session.sampler.rounds();
    let waited = until_quiet(&mut quiet, rule.deadline + WITHOUT_READINGS, async || {
        rounds.changed().await.ok()?;
        session.tend_log();
        // A server that is gone is read no more; then nothing would ever be still.
        (!session.is_gone()).then(|| session.moment())
    });
    let settled = match run.interrupt.unless(waited).await? {
        Some(Rest::Quiet(seconds)) => {
            session.restless = 0;
            Settled { seconds, ..Settled::default() }
        }
        Some(Rest::Deadline(seconds, why)) => {
            session.restless += u32::from(why == Unrest::Figures);
            Settled { seconds, deadline: true, rested: false }
        }
        Some(Rest::Waiting(_)) | None => {
            Settled { seconds: run.recorder.seconds() - began, deadline: true, rested: false }
        }
    };
    run.others.take(others, session);
    session.sampler.count_sockets_every(SOCKETS_OTHERWISE);
    session.keeps_connections |= session.moment().connections > before;
    Ok(settled)
}

/// Feeds the rule one moment after the other until it has an answer; none where no moment comes any more, or none of
/// them brings an answer within `at_most`.
async fn until_quiet(
    quiet: &mut Quiet,
    at_most: Duration,
    mut next: impl AsyncFnMut() -> Option<Moment>,
) -> Option<Rest> {
    let answer = async {
        loop {
            match quiet.push(next().await?) {
                Rest::Waiting(_) => {}
                answer => return Some(answer),
            }
        }
    };
    timeout(at_most, answer).await.ok().flatten()
}

/// Keeps a rest without load.
pub(super) async fn rest(
    run: &mut Context<'_>,
    session: &mut Session,
    label: &str,
    seconds: f64,
    deadline: Option<f64>,
) -> Result<(), Halt> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut shown = interval(SHOWN);
    shown.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            signal = run.interrupt.signal() => return Err(Halt::Interrupted(signal)),
            () = sleep_until(end) => return Ok(()),
            _ = shown.tick() => {}
        }
        session.tend_log();
        let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
        let live = Live {
            step: label.to_owned(),
            done: Some(1.0 - left / seconds.max(1e-9)),
            rss: session.rss(),
            left: deadline.map(|deadline| (deadline - run.elapsed()).max(0.0)),
            ..Live::default()
        };
        run.recorder.live(&live);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::Idle;

    /// A server read each 50 ms of a clock that stands still but for the waiting.
    fn settled(at: impl Fn(f64) -> Option<Moment>) -> (Option<Rest>, f64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let began = Instant::now();
            let rule = QuietRule::default();
            let mut quiet = Quiet::new(rule, Idle::default(), 0.0);
            let answer = until_quiet(&mut quiet, rule.deadline + WITHOUT_READINGS, async || {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let seconds = began.elapsed().as_secs_f64();
                at(seconds).map(|moment| Moment { seconds, ..moment })
            })
            .await;
            (answer, began.elapsed().as_secs_f64())
        })
    }

    #[test]
    fn at_rest_as_soon_as_the_figures_are_still() {
        let (answer, waited) =
            settled(|t| Some(Moment { fds: if t < 3.0 { (t * 20.0) as u64 } else { 60 }, ..Moment::default() }));
        assert!(matches!(answer, Some(Rest::Quiet(_))), "{answer:?}");
        assert!((3.3..3.6).contains(&waited), "{waited}");
    }

    #[test]
    fn never_still_ends_at_the_deadline_and_none_to_read_ends_too() {
        let (answer, waited) = settled(|t| Some(Moment { fds: (t * 20.0) as u64, ..Moment::default() }));
        assert!(matches!(answer, Some(Rest::Deadline(_, Unrest::Figures))), "{answer:?}");
        assert!((9.9..10.2).contains(&waited), "{waited}");
        let (answer, waited) = settled(|t| (t < 2.0).then(Moment::default).filter(|_| t < 0.2));
        assert_eq!(answer, None, "the server is gone");
        assert!(waited < 0.3, "{waited}");
    }
}
