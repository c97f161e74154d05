//! Everything that happens goes through here: into the journal, and to the cells that say what is wanted next.

use super::stop_reason::Halt;
use crate::journal::{Event, Live, NotMeasured, Writer};
use crate::matrix::Cells;

/// The journal and what it means so far.
#[derive(Debug)]
pub struct Recorder {
    journal: Writer,
    /// Metric by scenario.
    pub cells: Cells,
}

impl Recorder {
    /// A notebook over a new journal.
    pub fn new(journal: Writer, cells: Cells) -> Self {
        Self { journal, cells }
    }

    /// Writes one event down.
    ///
    /// # Errors
    /// The folder cannot be written any more.
    pub fn write(&mut self, event: Event) -> Result<(), Halt> {
        self.cells.take(&event, self.journal.clock().seconds());
        Ok(self.journal.write(event)?)
    }

    /// Says what could not be measured.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn not_measured(&mut self, text: impl Into<String>) -> Result<(), Halt> {
        self.write(Event::NotMeasured(NotMeasured { text: text.into() }))
    }

    /// Shows what moves.
    pub fn live(&mut self, live: &Live) {
        self.journal.live(live);
    }

    /// Seconds of the run's clock.
    pub fn seconds(&self) -> f64 {
        self.journal.clock().seconds()
    }

    /// The run's clock.
    pub fn clock(&self) -> crate::model::Clock {
        self.journal.clock()
    }
}
