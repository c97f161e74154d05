//! Beginning: which unit is next, may it begin now, and the connect.

use std::io::ErrorKind;

use crate::model::plan::scenario::{Ending, Unit};

use super::super::dialogue::{Dialogue, Leave, Point};
use super::super::link::{Link, Making};
use super::count::Cause;
use super::session::{Session, State, Trouble};
use super::{CLOSING_BESIDE, Engine, SPARE_DESCRIPTORS, nanos};
use crate::model::load_stats::Step;

/// How long the client waits before it tries again to get a descriptor or a port of its own, in ns.
const STARVED_PAUSE: u64 = 20_000_000;

impl Engine<'_> {
    /// Begins all that may begin now.
    pub fn start(&mut self, now: u64) {
        if self.job.options.duration.is_some_and(|duration| now >= nanos(duration)) {
            self.close();
        }
        let mut due = now;
        self.next_due = u64::MAX;
        while !self.closed && self.taken < self.count {
            if let Some(schedule) = &self.schedule {
                due = schedule.due(self.taken);
                if due > now {
                    self.next_due = due;
                    break;
                }
            }
            if let Some(parked) = self.unpark() {
                self.late(now, due);
                self.take(parked, due);
                self.go_on(parked, now);
                continue;
            }
            if !self.may_connect(now) {
                self.name_limit(now);
                break;
            }
            self.late(now, due);
            if !self.open(now, due) {
                break;
            }
        }
        if self.closed || self.taken >= self.count {
            self.end_parked(now);
        }
        self.release_held(now);
    }

    /// No unit is begun any more, and what was not begun was not asked for.
    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            let stats = &mut self.counters.stats;
            stats.asked.asked -= stats.asked.not_started;
            stats.asked.not_started = 0;
            stats.sessions.asked -= stats.sessions.not_started;
            stats.sessions.not_started = 0;
        }
    }

    fn may_connect(&self, now: u64) -> bool {
        let parallel = self.job.scenario.sessions;
        self.in_flight + self.resting < parallel
            && self.handshaking < self.handshakes
            && self.open < parallel + CLOSING_BESIDE
            // One can always be tried, however low the limit is.
            && (self.open == 0 || self.open + SPARE_DESCRIPTORS <= self.descriptors.limit)
            && now >= self.connect_after
    }

    /// Says once, for as long as it lasts, that `ulimit -n` is what keeps another session from being opened.
    fn name_limit(&mut self, now: u64) {
        let full = self.open > 0 && self.open + SPARE_DESCRIPTORS > self.descriptors.limit;
        if full && self.in_flight + self.resting < self.job.scenario.sessions && self.starved_since.is_none() {
            self.starved_since = Some(now);
            self.counters.client_limit("descriptors");
        }
    }

    /// How late the client itself is: from when the unit was due and a place was free for it.
    fn late(&mut self, now: u64, due: u64) {
        if self.schedule.is_some() {
            self.counters.stats.lateness.record(now.saturating_sub(due.max(self.free_since)));
        }
    }

    /// Session `place` begins a unit that was due (or wished for) at `due`.
    pub fn take(&mut self, place: u32, due: u64) {
        self.taken += 1;
        let stats = &mut self.counters.stats;
        stats.asked.not_started -= 1;
        if stats.unit == Unit::Sessions {
            stats.sessions.not_started -= 1;
        }
        self.with(place, |session| {
            session.has_unit = true;
            session.whole_since = due;
        });
    }

    /// Connects a new session. False where the client itself cannot: no descriptor, no port.
    fn open(&mut self, now: u64, due: u64) -> bool {
        let link = match Link::connect(&self.endpoint, self.making(self.opened)) {
            Ok(link) => Ok(link),
            Err(error) => match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE) => return self.starve(now, "descriptors"),
                Some(libc::EADDRNOTAVAIL) => return self.starve(now, "ephemeral_ports"),
                Some(libc::ENOBUFS | libc::ENOMEM) => return self.starve(now, "memory"),
                // A UNIX socket's full queue: nobody is to blame, try again.
                _ if error.kind() == ErrorKind::WouldBlock => {
                    self.connect_after = now + 1_000_000;
                    return false;
                }
                _ => Err(error),
            },
        };
        self.starved_since = None;
        let number = self.opened;
        self.opened += 1;
        if self.counters.stats.unit == Unit::Messages {
            self.counters.stats.sessions.asked += 1;
        }
        match link {
            Ok(link) => self.seat(self.session_of(link, number, now, due), now, due),
            Err(error) => self.refused_at_once(&error),
        }
        true
    }

    /// How the socket of session `number` is made.
    pub fn making(&self, number: u64) -> Making {
        let options = &self.job.options;
        Making { window: options.window, source: options.sources.map(|sources| sources.of(number)) }
    }

    /// Refused before there was a session to speak of: it is counted as one all the same.
    fn refused_at_once(&mut self, error: &std::io::Error) {
        self.taken += 1;
        let stats = &mut self.counters.stats;
        stats.asked.not_started -= 1;
        stats.asked.failed += 1;
        if stats.unit == Unit::Sessions {
            stats.sessions.not_started -= 1;
        }
        stats.sessions.failed += 1;
        self.counters.error(connect_cause(error), Step::Connect);
    }

    /// A session as it begins.
    fn session_of(&self, link: Link, number: u64, now: u64, due: u64) -> Session {
        let leave = match self.script.ending {
            Ending::Vanish => Some(Leave::in_turn(number)),
            Ending::HalfData => Some(Leave { at: Point::HalfData, reset: false }),
            _ => None,
        };
        Session {
            link,
            dialogue: Dialogue::new(leave),
            state: State::Connecting,
            number,
            tries: self.job.options.connect_tries.max(1),
            reopened: 0,
            whole_since: due,
            since: now,
            handshaking: true,
            has_unit: false,
            trouble: Trouble::None,
            met_refusal: false,
            left: false,
            body: None,
            leave_when_written: None,
            holds_body: false,
            partial: Vec::new(),
            progress: 0,
            awaits_more: false,
            held_next: None,
            read_timer: false,
        }
    }

    /// Gives a session its place, and waits for its connection.
    fn seat(&mut self, session: Session, now: u64, due: u64) {
        let place = match self.free.pop() {
            Some(place) => {
                self.slab[place as usize] = Some(session);
                place
            }
            None => {
                self.slab.push(Some(session));
                self.generations.push(0);
                (self.slab.len() - 1) as u32
            }
        };
        self.open += 1;
        self.in_flight += 1;
        self.handshaking += 1;
        self.counters.stats.peak_open = self.counters.stats.peak_open.max(self.in_flight);
        self.take(place, due);
        self.register(place, now);
    }

    /// Connects session `place` anew, after a refusal that may pass (`-C`).
    pub fn reconnect(&mut self, place: u32, now: u64) {
        match Link::connect(&self.endpoint, self.making(self.opened)) {
            Ok(link) => {
                self.with(place, |session| session.link = link);
                self.register(place, now);
            }
            Err(error) => self.fail(place, connect_cause(&error), now),
        }
    }

    /// The client is out of something: wait until a session gives it back. It is never the server's fault.
    fn starve(&mut self, now: u64, what: &str) -> bool {
        self.counters.client_limit(what);
        self.connect_after = now + STARVED_PAUSE;
        let since = *self.starved_since.get_or_insert(now);
        if now - since >= nanos(self.job.stall_timeout) && self.open == 0 {
            // Nothing of ours holds it: what is left cannot be begun.
            self.closed = true;
        }
        false
    }

    fn unpark(&mut self) -> Option<u32> {
        while let Some((place, generation)) = self.parked.pop() {
            if self.is(place, generation) && self.session(place).is_some_and(|s| s.state == State::Parked) {
                return Some(place);
            }
        }
        None
    }

    /// Nothing more will be due: who waits for it says goodbye.
    fn end_parked(&mut self, now: u64) {
        while let Some(place) = self.unpark() {
            self.end_of(place, now);
        }
    }

    /// Lets all speak once every session has its banner, or has failed to get it.
    fn release_held(&mut self, now: u64) {
        if !self.holding || self.in_flight > self.held.len() as u64 {
            return;
        }
        let all = self.job.scenario.sessions.min(self.count);
        if self.opened < all && !self.closed {
            return;
        }
        self.holding = false;
        for (place, generation) in std::mem::take(&mut self.held) {
            if self.is(place, generation) {
                self.release(place, now);
            }
        }
    }
}

/// What a failed connect is counted as.
pub fn connect_cause(error: &std::io::Error) -> Cause {
    match error.kind() {
        ErrorKind::ConnectionRefused => Cause::ConnectRefused,
        ErrorKind::ConnectionReset => Cause::Reset,
        ErrorKind::TimedOut => Cause::Timeout,
        _ => Cause::ConnectFailed,
    }
}
