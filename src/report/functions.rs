//! The table of functions beside the flamegraph.

use super::words;
use crate::analysis::flame::Busy;
use crate::analysis::result::{DriftRow, FunctionRow, Grows, ProfileFigures, ProfileSummary};
use crate::phrase::{bytes, duration, grouped, significant};
use std::time::Duration;

/// Rows in the page; the result has them all.
const MOST: usize = 200;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Functions {
    /// The rows, by self time.
    pub rows: Vec<Row>,
    /// How many functions the profile has.
    pub all: String,
    /// Not all of them are in the page.
    pub cut: bool,
    /// Any row has calls for each message.
    pub per_message: bool,
    /// Any row has a drift.
    pub drift: bool,
}

/// One function.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// It waits.
    pub waiting: bool,
    /// Style class of its bar.
    pub class: &'static str,
    /// Self share of wall time, and of busy time.
    pub own: Share,
    /// With callees.
    pub inclusive: Share,
    /// Calls.
    pub calls: Cell,
    /// Calls for each message.
    pub per_message: Cell,
    /// Self time of a call.
    pub each: Cell,
    /// What it allocated, itself.
    pub allocation: Cell,
    /// How the cost of a call changed.
    pub drift: Cell,
    /// The change is worth a look.
    pub drifts: bool,
}

impl Row {
    /// The name as HTML that breaks where a name may.
    pub fn name_html(&self) -> String {
        words::breakable(&self.name)
    }
}

/// A figure as it is written and as it is sorted.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// For readers.
    pub text: String,
    /// For sorting.
    pub key: f64,
}

/// A share of wall time and of busy time.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Of wall time.
    pub wall: Cell,
    /// Of busy time; empty where the function waits or it is not known.
    pub busy: Cell,
    /// Width of the bar for wall time, in percent of the widest.
    pub bar_wall: String,
    /// The same for busy time.
    pub bar_busy: String,
}

/// Lays out the functions of a profile, which stand by self time. `busy` has their busy time in the same order;
/// `counts`: the costs are events and no time.
pub(super) fn functions(summary: &ProfileSummary, busy: Option<&Busy>, counts: bool) -> Functions {
    let ProfileFigures { functions: rows, drift: drifting, messages, .. } = &summary.figures;
    // Of the difference of two profiles; no share has a meaning below nothing.
    let own = |row: &FunctionRow| row.own.max(0).unsigned_abs();
    let total = summary.total_ns;
    let total = if total > 0 { total } else { rows.iter().map(own).sum() };
    let waits: u64 = rows.iter().filter(|row| row.waiting).map(own).sum();
    let busy_total = total.saturating_sub(waits);
    let widest = |test: &dyn Fn(&FunctionRow) -> bool| {
        rows.iter().filter(|row| test(row)).map(own).max().unwrap_or(0).max(1) as f64
    };
    let (widest_wall, widest_busy) = (widest(&|_| true), widest(&|row| !row.waiting));
    let share = |value: u64, of: u64| if of == 0 { 0.0 } else { value as f64 / of as f64 };
    let cell = |share: f64| Cell { text: words::percent(share), key: share };
    let shown = rows.iter().take(MOST).enumerate().map(|(at, row)| {
        let own_busy =
            if row.waiting { Cell { text: String::new(), key: -1.0 } } else { cell(share(own(row), busy_total)) };
        let with_busy = match busy {
            Some(busy) if !row.waiting => {
                busy.inclusive.get(at).map_or_else(Cell::default, |cost| cell(share(*cost, busy.total)))
            }
            _ => Cell { text: String::new(), key: -1.0 },
        };
        let class = if row.waiting {
            "w"
        } else if row.name.starts_with("php::") {
            "p"
        } else {
            "a"
        };
        let named = drifting.iter().find(|drift| drift.name == row.name && drift.file == row.file);
        Row {
            name: words::visible(&row.name),
            file: words::visible(&row.file),
            waiting: row.waiting,
            class,
            own: Share {
                wall: cell(share(own(row), total)),
                busy: own_busy,
                bar_wall: format!("{:.1}", own(row) as f64 / widest_wall * 100.0),
                bar_busy: format!("{:.1}", if row.waiting { 0.0 } else { own(row) as f64 / widest_busy * 100.0 }),
            },
            inclusive: Share {
                wall: cell(share(row.inclusive.max(0).unsigned_abs(), total)),
                busy: with_busy,
                ..Share::default()
            },
            calls: Cell { text: grouped(row.calls), key: row.calls as f64 },
            per_message: row
                .calls_per_message
                .map_or_else(Cell::default, |calls| Cell { text: significant(calls), key: calls }),
            each: each(row, counts),
            allocation: allocation(row, *messages),
            drift: drift(row, named),
            drifts: named.is_some(),
        }
    });
    Functions {
        rows: shown.collect(),
        all: grouped(rows.len() as u64),
        cut: rows.len() > MOST,
        per_message: rows.iter().any(|row| row.calls_per_message.is_some()),
        drift: !drifting.is_empty(),
    }
}

/// How many times dearer it became; what moved without being named moved by noise, so no figure is shown of it.
fn drift(row: &FunctionRow, named: Option<&DriftRow>) -> Cell {
    match (named, row.drift) {
        (Some(drift), _) => {
            let times = drift.last / drift.first;
            let of = if drift.grows == Grows::CostPerCall { "a call" } else { "calls" };
            Cell { text: format!("× {} {of}", significant(times)), key: times }
        }
        (None, Some(_)) => Cell { text: "none".to_owned(), key: 0.0 },
        (None, None) => Cell { text: String::new(), key: -1.0 },
    }
}

/// Self cost of a call: nanoseconds, or a count of events.
fn each(row: &FunctionRow, counts: bool) -> Cell {
    if row.calls == 0 {
        return Cell::default();
    }
    let each = row.own.max(0) as f64 / row.calls as f64;
    Cell { text: if counts { significant(each) } else { nanoseconds(each) }, key: each }
}

/// A time from its nanoseconds, small ones in microseconds.
pub(super) fn nanoseconds(value: f64) -> String {
    if value < 99_950.0 {
        return format!("{} µs", significant(value / 1000.0));
    }
    Duration::try_from_secs_f64(value / 1e9).map_or_else(|_| significant(value), duration)
}

fn allocation(row: &FunctionRow, messages: u64) -> Cell {
    let value = if messages > 0 { row.allocation as f64 / messages as f64 } else { row.allocation as f64 };
    Cell { text: if row.allocation == 0 { "0".to_owned() } else { bytes(value) }, key: value }
}
