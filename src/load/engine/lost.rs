//! Connections that the kernel lost: the client holds one as established, and the server never heard of it.
//!
//! It happens at a full accept queue. The kernel answers the SYN with a cookie, drops the client's last ACK, and keeps
//! nothing; as the client waits for a greeting, nothing is ever sent that would tell it. Such a session has no
//! greeting and no socket on the other side. It is connected again and counted under its own name.

use std::time::Duration;

use mio::Token;

use super::super::address::Endpoint;
use super::super::dialogue::Dialogue;
use super::super::job::HANDSHAKES;
use super::super::link::Link;
use super::super::wire::probe_banner;
use super::connect::connect_cause;
use super::count::Cause;
use super::session::{Session, State};
use super::{Engine, LOOK_EVERY, nanos};
use crate::model::OtherSide;
use crate::model::load_stats::Step;
use crate::model::plan::scenario::TlsMode;

/// A greeting that is later than this, in ns, makes it worth asking whether the server knows of the connection.
const PATIENCE: u64 = 1_000_000_000;
/// How long the one probe after a stall may wait for its greeting, at most.
const PROBE: Duration = Duration::from_secs(10);
/// How often a session is connected anew where the kernel's view of the server's side is not to be had.
const BLIND_RETRIES: u8 = 3;

/// How many sessions may be between connect and banner, where the user does not say: three quarters of what the
/// server's shortest accept queue holds.
pub fn handshakes(side: Option<&OtherSide>) -> u64 {
    let most = u64::from(HANDSHAKES);
    match side.map_or(0, |side| side.backlog) {
        0 => most,
        backlog => (u64::from(backlog) * 3 / 4).clamp(1, most),
    }
}

impl Engine<'_> {
    /// What the kernel knows of the server's side now.
    pub fn other_side(&self) -> Option<OtherSide> {
        let Endpoint::Tcp(address) = &self.endpoint else { return None };
        self.job.options.other_side.as_ref()?.ask(*address)
    }

    /// Finds out whether the kernel's view shows the other side of our connections at all: behind a port that is
    /// forwarded into a container it does not, and a socket that is missing there says nothing.
    pub fn check_view(&mut self, place: u32) {
        if self.job.options.other_side.is_none() || std::mem::replace(&mut self.view_checked, true) {
            return;
        }
        let local = self.session(place).and_then(|session| session.link.local());
        self.view_shows_peers = local.zip(self.other_side()).is_some_and(|(local, side)| side.clients.contains(&local));
    }

    /// Connects again every session whose connection the kernel lost. To be called once a second.
    pub fn recover(&mut self, now: u64) {
        if !self.view_shows_peers {
            return;
        }
        let waiting = self.places(|session| awaits_greeting(session) && now.saturating_sub(session.since) >= PATIENCE);
        if waiting.is_empty() {
            return;
        }
        // While the queue is full a new connection would be lost as well.
        let Some(side) = self.other_side().filter(|side| !side.is_full()) else { return };
        let is_lost = |place: &u32| {
            let local = self.session(*place).and_then(|session| session.link.local());
            local.is_some_and(|local| !side.clients.contains(&local))
        };
        let lost: Vec<u32> = waiting.into_iter().filter(is_lost).collect();
        // No more at once than the queue has room for.
        let room = handshakes(Some(&side)).saturating_sub(u64::from(side.waiting)).max(1) as usize;
        if lost.len() > room {
            self.next_sweep = now + LOOK_EVERY;
        }
        for place in lost.into_iter().take(room) {
            self.reopen(place, now);
        }
    }

    /// Nobody gets a reply: whether a fresh connection is greeted all the same, so that those that wait for a
    /// greeting are lost, and not the server. They are connected again.
    pub fn probe(&mut self, now: u64) -> bool {
        let limit = nanos(self.job.stall_timeout);
        let waits = |session: &Session| {
            session.state.waits_for_server() && now.saturating_sub(session.since.max(session.progress)) >= limit
        };
        let fresh = |session: &Session| matches!(session.dialogue.step, Step::Connect | Step::Banner);
        // Who has been greeted and waits for another reply is not answered, whatever a fresh connection meets.
        let greeted = self.places(|session| waits(session) && !fresh(session));
        let Endpoint::Tcp(address) = self.endpoint else { return false };
        if !greeted.is_empty() || self.script.tls == TlsMode::Implicit {
            return false;
        }
        let timeout = (self.job.stall_timeout / 4).clamp(Duration::from_secs(1), PROBE);
        if probe_banner(address, timeout).is_err() {
            return false;
        }
        let now = self.now();
        self.last_reply = now;
        for place in self.places(waits) {
            if self.session(place).is_some_and(|session| session.reopened < BLIND_RETRIES) {
                self.reopen(place, now);
            } else {
                self.fail(place, Cause::Timeout, now);
            }
        }
        true
    }

    /// Connects session `place` again: it has not begun, as far as the server is concerned.
    fn reopen(&mut self, place: u32, now: u64) {
        self.counters.stats.lost += 1;
        let link = match Link::connect(&self.endpoint, self.making(self.opened)) {
            Ok(link) => link,
            Err(error) => return self.fail(place, connect_cause(&error), now),
        };
        let closed_loop = self.schedule.is_none();
        self.with(place, |session| {
            session.link = link;
            session.dialogue = Dialogue::new(session.dialogue.leave);
            session.state = State::Connecting;
            session.since = now;
            session.progress = 0;
            session.reopened = session.reopened.saturating_add(1);
            if closed_loop {
                // The wait for a connection that never was is not the server's latency; it is counted as lost.
                session.whole_since = now;
            }
        });
        self.register(place, now);
    }

    fn places(&self, wanted: impl Fn(&Session) -> bool) -> Vec<u32> {
        let of =
            |(place, session): (usize, &Option<Session>)| session.as_ref().is_some_and(&wanted).then_some(place as u32);
        self.slab.iter().enumerate().filter_map(of).collect()
    }

    pub fn register(&mut self, place: u32, now: u64) {
        let Some(session) = &mut self.slab[place as usize] else { return };
        if session.link.register(self.poll.registry(), Token(place as usize)).is_err() {
            self.fail(place, Cause::Io, now);
        }
    }
}

fn awaits_greeting(session: &Session) -> bool {
    session.state == State::Talking && session.dialogue.step == Step::Banner && session.partial.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_at_once_than_the_queue_holds() {
        let with = |backlog| handshakes(Some(&OtherSide { backlog, ..OtherSide::default() }));
        assert_eq!((with(32), with(1), with(2), with(128), with(4096)), (24, 1, 1, 96, 100));
        assert_eq!((with(0), handshakes(None)), (100, 100));
    }
}
