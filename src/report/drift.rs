//! What grows dearer: functions whose cost of a call, or whose calls a message, grew from the first tenth of a load
//! to its last.

use super::functions::nanoseconds;
use super::holders::{Bar, bars};
use super::words;
use crate::analysis::result::{DriftRow, Grows};
use crate::phrase::significant;

/// Rows in the page; the result has them all.
const MOST: usize = 10;

/// One function.
#[derive(Debug)]
pub(super) struct Row {
    name: String,
    /// Its file.
    pub file: String,
    caller: Option<String>,
    /// In the first tenth.
    pub first: String,
    /// In the last.
    pub last: String,
    /// What is counted.
    pub of: &'static str,
    /// Heights by tenth.
    pub bars: Vec<Bar>,
    /// The figures of all tenths, for whoever cannot see the bars.
    pub tenths: String,
    /// Under which load; empty where that is not known.
    pub scenario: String,
    /// What the growth costs at the end.
    pub share: String,
}

impl Row {
    /// The name as HTML that breaks where a name may.
    pub fn name_html(&self) -> String {
        words::breakable(&self.name)
    }

    /// Who calls it, likewise; nothing for a function of the user's own, whose name says enough.
    pub fn caller_html(&self) -> Option<String> {
        self.caller.as_deref().map(words::breakable)
    }
}

/// The part.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// The functions, the dearest first.
    pub rows: Vec<Row>,
    /// The loads are known apart.
    pub scenarios: bool,
    /// What was compared.
    pub note: &'static str,
    /// Nothing was found, and it was looked for.
    pub none: bool,
}

/// Lays out what drifts. `loads`: the loads are known apart.
pub(super) fn drift(rows: &[DriftRow], loads: bool, looked_for: bool) -> Drift {
    Drift {
        rows: rows.iter().take(MOST).map(row).collect(),
        scenarios: loads,
        note: if loads {
            "From the first tenth of the calls under one load to the last. A machine that slowed down made all functions dearer alike; that names none."
        } else {
            "From the first tenth of the recording's calls to the last. Where the load changed on the way, that shows here too."
        },
        none: rows.is_empty() && looked_for,
    }
}

/// Lays out one function.
pub(super) fn row(drift: &DriftRow) -> Row {
    let text = |value: f64| match drift.grows {
        Grows::CostPerCall => nanoseconds(value),
        Grows::CallsPerMessage => significant(value),
    };
    let heights: Vec<u64> = drift.tenths.iter().map(|value| (value.max(0.0) * 1000.0) as u64).collect();
    Row {
        name: words::visible(&drift.name),
        file: words::visible(&drift.file),
        caller: drift.caller.as_deref().filter(|_| drift.name.starts_with("php::")).map(words::visible),
        first: text(drift.first),
        last: text(drift.last),
        of: match drift.grows {
            Grows::CostPerCall => "self a call",
            Grows::CallsPerMessage => "calls a message",
        },
        bars: bars(&heights),
        tenths: drift.tenths.iter().map(|value| text(*value)).collect::<Vec<_>>().join(", "),
        scenario: drift.scenario.as_deref().map(words::visible).unwrap_or_default(),
        share: words::percent(drift.share),
    }
}
