//! Events: the connection stands, bytes came, there is room to write, the server has gone.

use std::io::ErrorKind;
use std::time::Duration;

use mio::event::Event;

use crate::model::plan::scenario::Expect;

use super::super::dialogue::{Next, Refusal};
use super::super::reply::{self, Parsed};
use super::connect::connect_cause;
use super::count::Cause;
use super::session::{State, Then, Trouble, Wake};
use super::{Engine, LOOK_EVERY, nanos};
use crate::model::load_stats::Step;

/// A connect that took longer was repeated by the kernel (its first repetition comes after a second).
const REPEATED_CONNECT: u64 = 900_000_000;

impl Engine<'_> {
    /// Takes one event of the poll.
    pub fn on_event(&mut self, event: &Event, now: u64) {
        let place = event.token().0 as u32;
        let Some(state) = self.session(place).map(|session| session.state) else { return };
        if state == State::Connecting {
            self.connected(place, event, now);
        } else if event.is_writable() && self.session(place).is_some_and(|s| s.link.is_writing()) {
            self.flush(place, now);
        }
        let hint = event.is_readable() || event.is_read_closed() || event.is_error();
        if hint && self.session(place).is_some_and(|s| s.state != State::Connecting) {
            match self.job.scenario.slow {
                Some(slow) if state != State::Closing => {
                    if self.with(place, |s| !std::mem::replace(&mut s.read_timer, true)) == Some(true) {
                        self.wake(place, now + nanos(slow.pause), Wake::Read);
                    }
                }
                _ => self.read(place, event.is_read_closed() || event.is_error(), now),
            }
        }
    }

    /// Runs the timers that are due.
    pub fn run_timers(&mut self, now: u64) {
        while let Some(timer) = self.timers.peek().copied()
            && timer.at <= now
        {
            self.timers.pop();
            if timer.wake == Wake::Rested {
                self.resting -= 1;
                continue;
            }
            if !self.is(timer.place, timer.generation) {
                continue;
            }
            let place = timer.place;
            match timer.wake {
                Wake::GoOn(then) => {
                    if self.session(place).is_some_and(|s| s.state == State::Pausing) {
                        match then {
                            Then::Message => self.go_on(place, now),
                            Then::Recipient => self.recipient(place, now),
                            Then::End => self.end_of(place, now),
                        }
                    }
                }
                Wake::Read => {
                    self.with(place, |session| session.read_timer = false);
                    // The events that came meanwhile are gone: read until nothing is left.
                    self.read(place, true, now);
                }
                Wake::Write => self.flush(place, now),
                Wake::Rested => {}
            }
        }
    }

    fn connected(&mut self, place: u32, event: &Event, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        if (event.is_error() || event.is_write_closed())
            && let Some(error) = session.link.take_error()
        {
            session.tries -= 1;
            if session.tries > 0 && matches!(connect_cause(&error), Cause::ConnectRefused | Cause::Reset) {
                return self.reconnect(place, now);
            }
            let cause = connect_cause(&error);
            if cause == Cause::Reset {
                // It did stand, or it would have been refused: it is the banner that did not come.
                session.dialogue.step = Step::Banner;
            }
            return self.fail(place, cause, now);
        }
        if !event.is_writable() && !event.is_readable() {
            return;
        }
        let took = now.saturating_sub(session.since);
        if took >= REPEATED_CONNECT {
            self.counters.stats.syn_retransmits += session.link.retransmits();
        }
        self.counters.step(Step::Connect, took);
        session.state = State::Talking;
        session.since = now;
        let next = session.dialogue.connected(&self.script);
        self.act(place, next, now);
    }

    fn flush(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let before = session.link.body_bytes;
        let flushed = session.link.flush(self.bodies.contents(), Some(&self.files));
        if session.link.body_bytes > before {
            // The server takes bytes: that is a sign of life, though no reply.
            session.progress = now;
            self.last_reply = now;
        }
        self.flushed(place, flushed, now);
    }

    /// Reads what is there. `to_the_end`: no later event may tell of what is left.
    fn read(&mut self, place: u32, to_the_end: bool, now: u64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(session) = self.slab[place as usize].as_mut() {
            let read = session.link.read(&mut buffer);
            // A short read has emptied the socket; what comes later is an event of its own.
            let emptied = read.as_ref().is_ok_and(|n| *n < buffer.len()) && !to_the_end && self.tls.is_none();
            if !self.was_read(place, read, &buffer, now) || emptied {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Waits for the only session there is in its own read: one system call where the poll and a read are two.
    pub fn read_alone(&mut self, place: u32) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(session) = self.slab[place as usize].as_mut() {
            let read = session.link.read_waiting(&mut buffer, Duration::from_nanos(LOOK_EVERY));
            let now = self.now();
            self.was_read(place, read, &buffer, now);
        }
        self.buffer = buffer;
    }

    /// Takes what a read gave; whether there may be more.
    fn was_read(&mut self, place: u32, read: std::io::Result<usize>, buffer: &[u8], now: u64) -> bool {
        match read {
            Ok(0) => self.gone(place, now),
            Ok(n) => {
                self.feed(place, &buffer[..n], now);
                return true;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.shake(place, now);
                return true;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            Err(error) => {
                let cause = match error.kind() {
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Cause::Reset,
                    ErrorKind::TimedOut => Cause::Timeout,
                    ErrorKind::InvalidData => Cause::Tls,
                    // TLS cut off without its goodbye is an end like any other in SMTP.
                    ErrorKind::UnexpectedEof => {
                        self.gone(place, now);
                        return false;
                    }
                    _ => Cause::Io,
                };
                self.fail(place, cause, now);
            }
        }
        false
    }

    /// TLS took bytes: answer, and see whether the handshake is done.
    fn shake(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let flushed = session.link.flush(self.bodies.contents(), Some(&self.files));
        let done = session.dialogue.step == Step::Tls && !session.link.is_handshaking();
        if flushed.is_err() {
            return self.lost(place, now);
        }
        if done {
            let since = session.since;
            let next = session.dialogue.secured(&self.script);
            self.counters.step(Step::Tls, now.saturating_sub(since));
            self.act(place, next, now);
        }
    }

    /// Takes bytes of the server.
    fn feed(&mut self, place: u32, bytes: &[u8], now: u64) {
        // TLS 1.3 may bring its last handshake message and the banner in one read.
        if self.session(place).is_some_and(|s| s.dialogue.step == Step::Tls) {
            self.shake(place, now);
        }
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        if session.state == State::Closing {
            return self.fail(place, Cause::AfterClose, now);
        }
        if session.partial.is_empty() {
            let used = self.replies(place, bytes, now);
            if used < bytes.len()
                && let Some(session) = self.slab[place as usize].as_mut()
            {
                session.partial.extend_from_slice(&bytes[used..]);
            }
        } else {
            session.partial.extend_from_slice(bytes);
            let mut partial = std::mem::take(&mut session.partial);
            let used = self.replies(place, &partial, now);
            partial.drain(..used);
            self.with(place, |session| session.partial = partial);
        }
    }

    /// Takes all whole replies of `bytes`; returns how many bytes they were. The session may be gone afterwards.
    fn replies(&mut self, place: u32, bytes: &[u8], now: u64) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let Some(session) = self.slab[place as usize].as_ref() else { return bytes.len() };
            let (code, len) = match reply::parse(&bytes[at..]) {
                Parsed::Incomplete => break,
                Parsed::Malformed => {
                    self.fail(place, Cause::Protocol, now);
                    return bytes.len();
                }
                Parsed::Overlong => {
                    self.fail(place, Cause::OverlongReply, now);
                    return bytes.len();
                }
                Parsed::Reply { code, len } => (code, len),
            };
            let asked = session.state == State::Talking && session.dialogue.step != Step::Tls;
            // A refusal may come before its time: a server that has had enough says so while we still write.
            if code < 400 && (!asked || session.link.is_writing()) {
                self.fail(place, Cause::EarlyReply, now);
                return bytes.len();
            }
            let text = &bytes[at..at + len];
            at += len;
            self.reply(place, code, text, now);
            let Some(session) = self.slab[place as usize].as_ref() else { return bytes.len() };
            if at < bytes.len() {
                let cause = match session.state {
                    State::Closing => Cause::AfterClose,
                    State::Talking if session.awaits_more => continue,
                    _ => Cause::EarlyReply,
                };
                self.fail(place, cause, now);
                return bytes.len();
            }
        }
        at
    }

    fn reply(&mut self, place: u32, code: u16, text: &[u8], now: u64) {
        if self.transcribes(place) {
            let words = String::from_utf8_lossy(text).into_owned();
            self.transcribe(place, "S", words.lines().map(str::to_owned));
        }
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let step = session.dialogue.step;
        let took = now.saturating_sub(session.since);
        let unasked = session.state != State::Talking;
        let cut_short = session.link.is_writing();
        self.last_reply = now;
        session.since = now;
        session.progress = now;
        self.counters.step(step, took);
        let (mut next, refusal) = session.dialogue.reply(&self.script, code, text);
        session.awaits_more = next == Next::Await;
        if let Some(refusal) = refusal {
            self.refused(place, refusal);
        }
        if step == Step::Banner {
            self.shook_hands(place, now);
            self.check_view(place);
            if self.holding && refusal.is_none() {
                let generation = self.generations[place as usize];
                self.held.push((place, generation));
                self.with(place, |session| {
                    session.state = State::Held;
                    session.held_next = Some(next);
                });
                return;
            }
        }
        if (unasked || cut_short) && refusal.is_some() {
            // There is no conversation to go on with: the rest of what we write would be taken for commands.
            next = Next::Hangup;
        }
        if step == Step::Message && matches!(next, Next::Leave { .. }) {
            self.counters.stats.messages_accepted += 1;
        }
        self.act(place, next, now);
    }

    /// A held session goes on from its banner.
    pub fn release(&mut self, place: u32, now: u64) {
        let next = self.with(place, |session| {
            session.state = State::Talking;
            session.since = now;
            session.held_next.take()
        });
        if let Some(Some(next)) = next {
            self.act(place, next, now);
        }
    }

    fn refused(&mut self, place: u32, refusal: Refusal) {
        self.counters.error(Cause::Code(refusal.code), refusal.step);
        let rcpt = refusal.step == Step::Rcpt;
        self.counters.stats.recipients_refused += u64::from(rcpt);
        let meant = rcpt && refusal.code != 421 && self.script.expect == Expect::Refused;
        self.with(place, |session| {
            if meant {
                session.met_refusal = true;
            } else if session.trouble == Trouble::None {
                session.trouble = Trouble::Refused;
            }
        });
    }

    /// The server's end came.
    fn gone(&mut self, place: u32, now: u64) {
        let Some(session) = self.session(place) else { return };
        if session.state == State::Closing {
            let took = now.saturating_sub(session.since);
            self.counters.step(Step::Close, took);
            return self.free_place(place);
        }
        self.fail(place, Cause::Closed, now);
    }

    /// Writing failed: what the server said before it went is read first.
    pub fn lost(&mut self, place: u32, now: u64) {
        // Within a read already: that one goes on.
        if self.buffer.is_empty() {
            return self.fail(place, Cause::Reset, now);
        }
        self.read(place, true, now);
        if self.session(place).is_some_and(|s| s.state != State::Closing) {
            self.fail(place, Cause::Reset, now);
        }
    }

    fn recipient(&mut self, place: u32, now: u64) {
        self.act(place, Next::Send(super::super::script::Command::Rcpt), now);
    }
}
