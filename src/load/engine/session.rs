//! A session's place in the slab, and the timers that wake it.

use std::cmp::Ordering;

use super::super::dialogue::{Dialogue, Next};
use super::super::link::Link;
use super::super::payload::Body;

/// What a session does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for the connection.
    Connecting,
    /// Waits for the server (a reply, the TLS handshake, or room to write).
    Talking,
    /// Waits for its turn to send a body.
    Gated,
    /// Waits for a timer of its own.
    Pausing,
    /// Has its banner, waits for all others to have theirs.
    Held,
    /// Has its connection, and nothing is due.
    Parked,
    /// Waits for the server's close alone; no longer in flight.
    Closing,
}

impl State {
    /// Whether the server's turn is next.
    pub fn waits_for_server(self) -> bool {
        matches!(self, State::Connecting | State::Talking)
    }
}

/// The worst that a session met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// None.
    None,
    /// A refusal that the scenario does not mean.
    Refused,
    /// Broken off.
    Failed,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    pub link: Link,
    pub dialogue: Dialogue,
    pub state: State,
    /// Its number in the load, from 0.
    pub number: u64,
    /// Connects left to try.
    pub tries: u32,
    /// How often it was connected again because the kernel lost its connection.
    pub reopened: u8,
    /// When its message (or itself) was wished for or due, ns.
    pub whole_since: u64,
    /// It has no banner yet.
    pub handshaking: bool,
    /// Since when it waits for its step, ns.
    pub since: u64,
    /// It has begun a unit that is not counted yet.
    pub has_unit: bool,
    pub trouble: Trouble,
    /// The recipient was refused, as the scenario means it.
    pub met_refusal: bool,
    /// It left where the scenario means it to.
    pub left: bool,
    /// The message under way, until its last byte is with the kernel.
    pub body: Option<Body>,
    /// It leaves once all is written.
    pub leave_when_written: Option<bool>,
    /// It holds one of the places for bodies.
    pub holds_body: bool,
    /// A part of a reply that came without its rest.
    pub partial: Vec<u8>,
    /// The last sign of life of the server's side, ns: a reply, or bytes of a body taken.
    pub progress: u64,
    /// The next reply is to something already written.
    pub awaits_more: bool,
    /// What follows the banner, while all are held.
    pub held_next: Option<Next>,
    /// A slow reader's next read has a timer already.
    pub read_timer: bool,
}

/// What a timer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The pause before the next message, recipient, or the session's end is over.
    GoOn(Then),
    /// A slow reader reads.
    Read,
    /// A slow writer writes.
    Write,
    /// A place in flight has rested.
    Rested,
}

/// What follows a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next message.
    Message,
    /// The next recipient.
    Recipient,
    /// The end.
    End,
}

/// A timer of one session, or of a place at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    pub at: u64,
    pub place: u32,
    pub generation: u32,
    pub wake: Wake,
}

/// The earliest is the greatest, as a heap wants it.
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at).then(other.place.cmp(&self.place)).then(other.generation.cmp(&self.generation))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
