//! What the console and `--json` are shown of each event: without secrets, and without what steers a terminal.

use crate::journal::{Line, Live, Observer};
use crate::phrase::Redactor;

/// Hides, and hands on to whoever shows.
pub struct Redacting {
    /// What is hidden.
    pub redactor: Redactor,
    /// Who shows.
    pub shown: Box<dyn Observer>,
}

impl Observer for Redacting {
    fn event(&mut self, line: &Line) {
        self.shown.event(&self.redactor.redacted(line));
    }

    fn live(&mut self, live: &Live) {
        self.shown.live(live);
    }
}
