//! What follows: commands written, messages begun and counted, sessions ended.

use std::time::Duration;

use crate::model::plan::scenario::{Depth, Expect, Unit};

use super::super::dialogue::{Leave, Next, Point};
use super::super::link::{COPY_LIMIT, Flushed};
use super::super::payload::TAIL;
use super::super::script::Command;
use super::count::Cause;
use super::session::{Session, State, Then, Timer, Trouble, Wake};
use super::{Engine, nanos};
use crate::model::load_stats::Step;
use crate::model::visible;

impl Engine<'_> {
    pub fn session(&self, place: u32) -> Option<&Session> {
        self.slab.get(place as usize).and_then(Option::as_ref)
    }

    pub fn with<T>(&mut self, place: u32, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.slab.get_mut(place as usize).and_then(Option::as_mut).map(change)
    }

    /// Whether the place still has the session of that generation.
    pub fn is(&self, place: u32, generation: u32) -> bool {
        self.generations[place as usize] == generation && self.slab[place as usize].is_some()
    }

    pub fn wake(&mut self, place: u32, at: u64, wake: Wake) {
        let generation = self.generations[place as usize];
        self.timers.push(Timer { at, place, generation, wake });
    }

    /// Does what the dialogue says.
    pub fn act(&mut self, place: u32, next: Next, now: u64) {
        match next {
            Next::Send(command) => self.send(place, command, now),
            Next::SendLater(command) => {
                let delay = self.delay(self.job.scenario.recipient_delay);
                if delay == 0 {
                    self.send(place, command, now);
                } else {
                    self.pause(place, now + delay, Then::Recipient);
                }
            }
            Next::Body => self.send_message(place, true, now),
            Next::HalfBody => self.send_message(place, false, now),
            Next::Await => {
                self.with(place, |session| session.since = now);
            }
            Next::Secure => self.secure(place, now),
            Next::Accepted => {
                self.message_done(place, now);
                self.next_message(place, now);
            }
            Next::Refused => {
                self.unit_refused(place);
                self.next_message(place, now);
            }
            Next::Stay => self.pause(place, now + nanos(self.job.scenario.stay), Then::End),
            Next::Leave { reset } => self.leave(place, reset, now),
            Next::Hangup => self.hang_up(place, now),
            Next::Unexpected => self.fail(place, Cause::Protocol, now),
            Next::NotOffered(what) => {
                let step = self.session(place).map_or(Step::Helo, |s| s.dialogue.step);
                self.counters.error(Cause::NotOffered(what), step);
                self.with(place, |session| session.trouble = Trouble::Refused);
                self.quit(place, now);
            }
        }
    }

    fn send(&mut self, place: u32, command: Command, now: u64) {
        let begins_body =
            command == Command::Data || (command == Command::Envelope && self.script.until == Depth::Data);
        if begins_body && !self.take_body(place, command) {
            return;
        }
        self.scratch.clear();
        self.script.command(command, &mut self.numbers, &mut self.scratch);
        let chunk = self.job.scenario.slow.map(|slow| slow.chunk as usize);
        if self.transcribes(place) {
            let words = String::from_utf8_lossy(&self.scratch).into_owned();
            self.transcribe(place, "C", words.lines().map(|line| command.hide_secret(line).to_owned()));
        }
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        session.state = State::Talking;
        session.since = now;
        if command == Command::Quit
            && let Some(Leave { at: Point::Before(Step::Quit), reset }) = session.dialogue.leave
        {
            session.leave_when_written = Some(reset);
        }
        let flushed = session.link.send(&self.scratch, chunk);
        self.flushed(place, flushed, now);
    }

    /// A place for a body, or the queue for one.
    fn take_body(&mut self, place: u32, command: Command) -> bool {
        let Some(most) = self.job.scenario.bodies_at_once else { return true };
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return false };
        if session.holds_body {
            return true;
        }
        if self.bodies_under_way < most {
            self.bodies_under_way += 1;
            session.holds_body = true;
            return true;
        }
        session.state = State::Gated;
        self.gated.push_back((place, self.generations[place as usize], command));
        false
    }

    /// Gives a body's place back, and hands it on.
    fn give_body(&mut self, place: u32, now: u64) {
        if self.with(place, |session| std::mem::take(&mut session.holds_body)) != Some(true) {
            return;
        }
        self.bodies_under_way -= 1;
        self.admit(now);
    }

    fn admit(&mut self, now: u64) {
        while let Some((place, generation, command)) = self.gated.pop_front() {
            if self.is(place, generation) && self.session(place).is_some_and(|s| s.state == State::Gated) {
                self.send(place, command, now);
                return;
            }
        }
    }

    fn send_message(&mut self, place: u32, whole: bool, now: u64) {
        let number = self.numbers.message;
        let mut body = self.bodies.pick(number, &mut self.rng);
        if !whole {
            body.len /= 2;
        }
        self.scratch.clear();
        if self.bodies.headers {
            self.script.headers(&mut self.numbers, &mut self.scratch);
        } else {
            self.numbers.message += 1;
        }
        let headers = self.scratch.len() as u64;
        let chunk = self.job.scenario.slow.map(|slow| slow.chunk as usize);
        let transcript = self.transcribes(place);
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        session.state = State::Talking;
        session.since = now;
        session.body = Some(body);
        if !whole {
            session.leave_when_written = Some(session.dialogue.leave.is_some_and(|leave| leave.reset));
        } else if let Some(Leave { at: Point::Before(Step::Message), reset }) = session.dialogue.leave {
            session.leave_when_written = Some(reset);
        }
        if transcript {
            let words = format!("(message, {} bytes)", headers + body.len as u64);
            self.transcribe(place, "C", std::iter::once(words));
        }
        self.counters.stats.bytes += headers;
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let flushed = if body.len <= COPY_LIMIT || chunk.is_some() {
            self.scratch.extend_from_slice(self.bodies.bytes(body));
            if whole {
                self.scratch.extend_from_slice(TAIL);
            }
            session.link.body_bytes += body.len as u64;
            session.link.send(&self.scratch, chunk)
        } else {
            session.link.send_body(&self.scratch, body, whole, self.bodies.contents(), &self.files)
        };
        self.flushed(place, flushed, now);
    }

    /// What follows a write.
    pub fn flushed(&mut self, place: u32, flushed: std::io::Result<Flushed>, now: u64) {
        match flushed {
            Ok(Flushed::Done) => self.written(place, now),
            Ok(Flushed::Blocked) => {}
            Ok(Flushed::Paused) => {
                let pause = self.job.scenario.slow.map_or(Duration::ZERO, |slow| slow.pause);
                self.wake(place, now + nanos(pause), Wake::Write);
            }
            Err(_) => self.lost(place, now),
        }
    }

    fn written(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        if let Some(body) = session.body.take() {
            self.counters.stats.bytes += body.len as u64;
            if session.dialogue.step == Step::Message && !session.leaves_half() {
                self.counters.stats.messages_sent += 1;
            }
        }
        if let Some(reset) = session.leave_when_written.take() {
            self.leave(place, reset, now);
        }
    }

    /// The message was accepted.
    fn message_done(&mut self, place: u32, now: u64) {
        self.give_body(place, now);
        self.counters.stats.messages_accepted += 1;
        if self.counters.stats.unit == Unit::Messages {
            self.unit_finished(place, now);
        }
    }

    fn unit_finished(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        if std::mem::take(&mut session.has_unit) {
            let whole = now.saturating_sub(session.whole_since);
            self.counters.stats.asked.finished += 1;
            self.counters.stats.whole.record(whole);
            self.counters.stats.count_in_second(now);
        }
    }

    fn unit_refused(&mut self, place: u32) {
        if self.with(place, |session| std::mem::take(&mut session.has_unit)) == Some(true) {
            self.counters.stats.asked.refused += 1;
        }
    }

    /// After a message: the next on this connection, a wait for it, or the end.
    fn next_message(&mut self, place: u32, now: u64) {
        self.give_body(place, now);
        let Some(messages) = self.session(place).map(|s| s.dialogue.messages) else { return };
        let more = self.counters.stats.unit == Unit::Messages
            && messages < self.script.per_connection
            && !self.closed
            && self.taken < self.count;
        if !more {
            return self.end_of(place, now);
        }
        if self.schedule.is_some() {
            self.with(place, |session| session.state = State::Parked);
            self.parked.push((place, self.generations[place as usize]));
            self.free_since = now;
            return;
        }
        let delay = self.delay(self.job.scenario.message_delay);
        self.take(place, now + delay);
        if delay == 0 {
            self.go_on(place, now);
        } else {
            self.pause(place, now + delay, Then::Message);
        }
    }

    pub fn go_on(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let next = session.dialogue.go_on(&self.script);
        self.act(place, next, now);
    }

    /// Ends a session as the scenario says.
    pub fn end_of(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let next = session.dialogue.end(&self.script);
        self.act(place, next, now);
    }

    fn quit(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let next = session.dialogue.quit();
        self.act(place, next, now);
    }

    fn pause(&mut self, place: u32, until: u64, then: Then) {
        self.with(place, |session| session.state = State::Pausing);
        self.wake(place, until, Wake::GoOn(then));
    }

    fn secure(&mut self, place: u32, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let Some((config, name)) = &self.tls else { return };
        session.since = now;
        session.state = State::Talking;
        if session.link.secure(config, name).is_err() {
            return self.fail(place, Cause::Tls, now);
        }
        let flushed = session.link.flush(&[], None);
        self.flushed(place, flushed, now);
    }

    /// The client goes, as it is meant to, without a word.
    fn leave(&mut self, place: u32, reset: bool, now: u64) {
        self.with(place, |session| {
            session.left = true;
            if reset {
                session.link.reset_on_close();
            }
        });
        self.ended(place, now);
        self.free_place(place);
    }

    /// QUIT was answered (or 421 came): the place in flight is free, the connection waits for the server's close.
    fn hang_up(&mut self, place: u32, now: u64) {
        self.ended(place, now);
        let generation = self.generations[place as usize];
        self.with(place, |session| {
            session.state = State::Closing;
            session.since = now;
            session.dialogue.step = Step::Close;
        });
        while self.closing.front().is_some_and(|(place, generation)| !self.is(*place, *generation)) {
            self.closing.pop_front();
        }
        self.closing.push_back((place, generation));
    }

    /// Counts a session that has ended, whatever way; its place in flight is free.
    fn ended(&mut self, place: u32, now: u64) {
        self.give_body(place, now);
        let Some(session) = self.session(place) else { return };
        let (trouble, left, met_refusal) = (session.trouble, session.left, session.met_refusal);
        match trouble {
            Trouble::None => {
                if self.counters.stats.unit == Unit::Sessions {
                    self.unit_finished(place, now);
                }
                self.counters.stats.sessions.finished += 1;
                let meant = match self.script.expect {
                    Expect::Accepted => true,
                    Expect::Refused => met_refusal,
                    Expect::Gone => left,
                };
                self.counters.stats.as_meant += u64::from(meant);
            }
            Trouble::Refused => self.counters.stats.sessions.refused += 1,
            Trouble::Failed => self.counters.stats.sessions.failed += 1,
        }
        self.unit_refused(place);
        self.shook_hands(place, now);
        self.in_flight -= 1;
        self.free_since = now;
        let delay = self.delay(self.job.scenario.message_delay);
        if delay > 0 && !self.closed && self.taken < self.count {
            self.resting += 1;
            self.timers.push(Timer { at: now + delay, place, generation: 0, wake: Wake::Rested });
        }
    }

    /// The banner came, or will not: the next may connect.
    pub fn shook_hands(&mut self, place: u32, now: u64) {
        if self.with(place, |session| std::mem::take(&mut session.handshaking)) == Some(true) {
            if self.handshaking >= self.handshakes {
                // Who waited for this was kept waiting by the server's greetings, not by the client.
                self.free_since = now;
            }
            self.handshaking -= 1;
        }
    }

    /// Closes the socket and frees the place in the slab.
    pub fn free_place(&mut self, place: u32) {
        if let Some(mut session) = self.slab[place as usize].take() {
            session.link.close_notify();
            self.open -= 1;
            self.generations[place as usize] = self.generations[place as usize].wrapping_add(1);
            self.free.push(place);
        }
    }

    /// The session breaks off.
    pub fn fail(&mut self, place: u32, cause: Cause, now: u64) {
        let Some(session) = self.slab.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let step = session.dialogue.step;
        let closing = session.state == State::Closing;
        if session.trouble == Trouble::None {
            session.trouble = Trouble::Failed;
        }
        let unit = std::mem::take(&mut session.has_unit);
        self.counters.stats.asked.failed += u64::from(unit);
        self.counters.error(cause, step);
        if !closing {
            self.ended(place, now);
        }
        self.free_place(place);
    }

    fn delay(&mut self, delay: crate::model::plan::scenario::Delay) -> u64 {
        if delay.is_none() {
            0
        } else if delay.random {
            self.rng.range(0, nanos(delay.time))
        } else {
            nanos(delay.time)
        }
    }

    /// Whether this session's words are kept.
    pub fn transcribes(&self, place: u32) -> bool {
        let kept = self.job.options.transcribed;
        kept > 0 && self.session(place).is_some_and(|session| session.number < kept)
    }

    /// Keeps lines of a session's words, escaped, with the session's number where several are kept.
    pub fn transcribe(&mut self, place: u32, who: &str, lines: impl Iterator<Item = String>) {
        let number = self.session(place).map_or(0, |session| session.number);
        let several = self.job.options.transcribed > 1;
        let prefix = if several { format!("{} {who}: ", number + 1) } else { format!("{who}: ") };
        self.counters.stats.transcript.extend(lines.map(|line| format!("{prefix}{}", visible(&line))));
    }
}

impl Session {
    fn leaves_half(&self) -> bool {
        matches!(self.dialogue.leave, Some(Leave { at: Point::HalfData, .. }))
    }
}
