//! Thresholds: which hold, which are broken, by which figure.

use super::words;
use crate::analysis::result::RunResult;
use crate::phrase::threshold_figure;

/// One threshold in one scenario, or in the run.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The condition, as it was written.
    pub text: String,
    /// Where it was looked at.
    pub scenario: String,
    /// The figure, or why there is none.
    pub figure: String,
    /// It is not broken.
    pub held: bool,
}

impl Row {
    /// The state in a word.
    pub fn state(&self) -> &'static str {
        if self.held { "held" } else { "broken" }
    }
}

/// The thresholds of a run: the broken ones first.
pub(super) fn thresholds(result: &RunResult) -> Vec<Row> {
    let mut rows: Vec<Row> = result
        .thresholds
        .iter()
        .map(|row| Row {
            text: words::visible(&row.text),
            scenario: row.scenario.as_deref().map_or_else(|| "whole run".to_owned(), words::visible),
            figure: threshold_figure(row),
            held: row.held,
        })
        .collect();
    rows.sort_by_key(|row| row.held);
    rows
}
