//! Appends events, each flushed, and hands them to whoever shows progress.

use std::fs::File;
use std::io::{self, Write};

use super::event::{Event, Line};
use crate::model::Clock;

/// What moves while a wave runs; shown, never written down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// What goes on: `measure   large       wave 2 of 10`.
    pub step: String,
    /// Part done, 0 to 1, where it is known.
    pub done: Option<f64>,
    /// Anonymous and other resident memory of the server, bytes.
    pub rss: u64,
    /// Sessions open now.
    pub open: u64,
    /// Errors so far in this wave.
    pub errors: u64,
    /// Seconds of the budget that are left.
    pub left: Option<f64>,
}

/// Whoever shows progress.
pub trait Observer {
    /// A line was written.
    fn event(&mut self, line: &Line);
    /// Something moved.
    fn live(&mut self, _live: &Live) {}
}

/// The journal's writer. The only one a run has.
pub struct Writer {
    file: File,
    clock: Clock,
    observer: Box<dyn Observer>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Writer {
    /// Writes a new journal into `file`; `observer` is handed each line after it was written.
    pub fn new(file: File, clock: Clock, observer: Box<dyn Observer>) -> Self {
        Self { file, clock, observer }
    }

    /// Writes one event down.
    ///
    /// # Errors
    /// The line could not be written: a full disk, most likely.
    pub fn write(&mut self, event: Event) -> io::Result<()> {
        let line = Line { event, t: (self.clock.seconds() * 1e6).round() / 1e6 };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        // One write a line, so that a line is torn only where the machine stopped.
        self.file.write_all(&text)?;
        self.observer.event(&line);
        Ok(())
    }

    /// Shows what moves, without writing it down.
    pub fn live(&mut self, live: &Live) {
        self.observer.live(live);
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }
}
