//! Once a second: who waits too long, and does anybody get a reply at all.

use super::count::Cause;
use super::session::State;
use super::{CLOSE_TIMEOUT, Engine, nanos};
use crate::model::load_stats::Stall;
use crate::model::load_stats::Step;

impl Engine<'_> {
    /// Looks at all deadlines.
    pub fn sweep(&mut self, now: u64) {
        self.close_late(now);
        self.recover(now);
        if self.is_stalled(now) {
            if !self.probe(now) {
                self.stall(now);
            }
            return;
        }
        for place in 0..self.slab.len() as u32 {
            let late = self.session(place).is_some_and(|session| {
                session.state.waits_for_server()
                    && now.saturating_sub(session.since.max(session.progress)) >= self.step_timeout
            });
            if late {
                self.fail(place, Cause::Timeout, now);
            }
        }
    }

    /// Closes what the server left open after its reply to QUIT.
    fn close_late(&mut self, now: u64) {
        while let Some((place, generation)) = self.closing.front().copied() {
            if self.is(place, generation) {
                let since = self.session(place).map_or(0, |session| session.since);
                if now.saturating_sub(since) < CLOSE_TIMEOUT {
                    return;
                }
                self.counters.stats.left_open += 1;
                self.free_place(place);
            }
            self.closing.pop_front();
        }
    }

    /// No reply for the stall time-out, though somebody has waited for one that long.
    fn is_stalled(&self, now: u64) -> bool {
        let limit = nanos(self.job.stall_timeout);
        now.saturating_sub(self.last_reply) >= limit
            && self.slab.iter().flatten().any(|session| {
                session.state.waits_for_server() && now.saturating_sub(session.since.max(session.progress)) >= limit
            })
    }

    fn stall(&mut self, now: u64) {
        let mut waiting = [0u64; Step::ALL.len()];
        for session in self.slab.iter().flatten().filter(|session| session.state.waits_for_server()) {
            waiting[session.dialogue.step as usize] += 1;
        }
        let stage = Step::ALL.into_iter().max_by_key(|step| waiting[*step as usize]).unwrap_or(Step::Connect);
        self.counters.stats.stalled = Some(Stall {
            stage,
            open_sessions: self.in_flight,
            last_reply_seconds_ago: now.saturating_sub(self.last_reply) as f64 / 1e9,
        });
        self.end_all(Cause::Timeout, Cause::Unfinished, now);
    }

    /// Told to stop.
    pub fn interrupt(&mut self, now: u64) {
        self.counters.stats.interrupted = true;
        self.end_all(Cause::Interrupted, Cause::Interrupted, now);
    }

    /// Ends every session: those that wait for the server by one cause, the others by another.
    fn end_all(&mut self, waiting: Cause, idle: Cause, now: u64) {
        self.closed = true;
        self.gated.clear();
        for place in 0..self.slab.len() as u32 {
            let Some(state) = self.session(place).map(|session| session.state) else { continue };
            match state {
                State::Closing => self.free_place(place),
                state => self.fail(place, if state.waits_for_server() { waiting } else { idle }, now),
            }
        }
        self.timers.clear();
        self.resting = 0;
    }
}
