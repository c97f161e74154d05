//! `--json`: every event as a line on standard output, first key `event`.

use std::io::Write;

use crate::journal::{Line, Live, Observer};

/// Prints each event as JSON, and hands it on to the console on standard error.
#[derive(Debug)]
pub struct JsonLines<O: Observer> {
    /// Who is shown the events beside.
    pub beside: O,
}

impl<O: Observer> Observer for JsonLines<O> {
    fn event(&mut self, line: &Line) {
        if let Ok(text) = serde_json::to_string(line) {
            // Whoever reads may have gone; the run goes on.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
        self.beside.event(line);
    }

    fn live(&mut self, live: &Live) {
        self.beside.live(live);
    }
}
