//! What an inquiry asks for, and what it is told: the server and whoever reads its heap stand behind it.

use crate::model::{Act, Conversation};

/// Why nothing more can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The time is used up.
    Time,
    /// The server answers nobody any more.
    Silent,
    /// The server ended, or its processes changed.
    Fell,
    /// The run was told to stop.
    Told,
}

/// The heap after a conversation, against the heap before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes more, without garbage.
    pub kept: i64,
    /// Bytes more of garbage.
    pub garbage: i64,
    /// More possible roots of garbage in the collector's buffer.
    pub roots: i64,
}

/// A conversation that went to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whole {
    /// What it left.
    pub reading: Reading,
    /// Refusals by step and code.
    pub refusals: Vec<String>,
    /// The last reply's code to each act; none to what was not sent, or needs none.
    pub answers: Vec<Option<u16>>,
}

/// What became of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Played {
    /// It went to its end.
    Whole(Whole),
    /// This step was never answered.
    Unanswered(Act),
    /// The connection broke at this step.
    Broken(Act),
}

/// A server, and somebody who reads its heap.
pub trait Bench {
    /// Plays a conversation once.
    ///
    /// # Errors
    /// Nothing more can be played.
    fn play(&mut self, conversation: &Conversation) -> Result<Played, Stop>;

    /// Plays it as often as it can within a short time, without reading in between: how often, and the bytes more. Not at
    /// all where the server has no room for it.
    ///
    /// # Errors
    /// Nothing more can be played.
    fn many(&mut self, conversation: &Conversation, bytes_each: i64) -> Result<(u64, i64), Stop>;

    /// Waits; seconds that passed, and the bytes more.
    ///
    /// # Errors
    /// Nothing more can be played.
    fn pause(&mut self) -> Result<(f64, i64), Stop>;

    /// Which part of the time is used, 0 to 1.
    fn used(&self) -> f64;

    /// Bytes of a message's headers, beside its length.
    fn headers(&self) -> u64;

    /// Conversations that are left until the collector runs, where each brings so many roots.
    fn until_collector(&self, roots_each: i64) -> Option<u64>;
}
