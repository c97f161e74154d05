//! The heap, census by census: what each scenario's growth is made of, and the difference between two censuses. The
//! page shows one pair; its script shows any.

use serde::Serialize;

use super::holders::{Bar, bars};
use super::{Error, embed, words};
use crate::analysis::result::State;
use crate::analysis::view::{self, Counted, CountedRow, HeapGrowth, RunView, Taken};
use crate::phrase::{bytes, grouped, plural};

/// Rows of a kind that are shown before all are asked for.
const SHOWN: usize = 8;

/// The part of the page.
#[derive(Debug)]
pub(super) struct Censuses {
    /// What the heap grew by, scenario by scenario.
    pub growth: Vec<Growth>,
    /// What to call each census.
    pub labels: Vec<Label>,
    /// The pair that stands on the page, by name.
    pub pair: [String; 2],
    /// Its difference, by kind.
    pub groups: Vec<Group>,
    /// Rows of a kind that are shown before all are asked for.
    pub shown: usize,
    /// All of it for the script.
    pub data: String,
    /// Rows that are not in the page.
    pub left_out: usize,
    /// The heap leaks: it stands open.
    pub open: bool,
}

/// A census in the lists to choose from.
#[derive(Debug)]
pub(super) struct Label {
    /// Its name.
    pub text: String,
    /// It is the first of the pair that stands on the page.
    pub from: bool,
    /// It is the second.
    pub to: bool,
}

/// What the heap grew by in a scenario; texts, in the order of the columns.
#[derive(Debug)]
pub(super) struct Growth {
    /// Scenario.
    pub scenario: String,
    /// The heap, then its parts.
    pub parts: [String; 6],
}

/// Rows of a kind.
#[derive(Debug)]
pub(super) struct Group {
    /// Its heading.
    pub title: &'static str,
    /// The rows, what grew most first.
    pub rows: Vec<Row>,
}

/// One difference.
#[derive(Debug)]
pub(super) struct Row {
    /// As PHP writes it.
    pub name: String,
    /// It is a name of the program, not a description.
    pub code: bool,
    /// What a container's elements are.
    pub of: String,
    /// Heights of the bars.
    pub bars: Vec<Bar>,
    /// How many before.
    pub from: String,
    /// How many after.
    pub to: String,
    /// More of them.
    pub more: String,
    /// More bytes.
    pub bytes: String,
}

impl Row {
    /// The name as HTML that breaks where a name may.
    pub fn name_html(&self) -> String {
        words::breakable(&self.name)
    }
}

#[derive(Serialize)]
struct Data {
    pids: Vec<i32>,
    shown: usize,
    groups: Vec<DataGroup>,
}

#[derive(Serialize)]
struct DataGroup {
    code: bool,
    rows: Vec<DataRow>,
}

#[derive(Serialize)]
struct DataRow {
    name: String,
    of: String,
    counts: Vec<Option<u64>>,
    bytes: Vec<Option<u64>>,
}

/// Lays out the censuses; nothing where there are not two.
pub(super) fn censuses(view: &RunView) -> Result<Option<Censuses>, Error> {
    let all = &view.censuses;
    let Some(pair) = pair(view) else { return Ok(None) };
    let kinds = [
        (Counted::Part, "The heap and its parts"),
        (Counted::Class, "Objects by class"),
        (Counted::Container, "Containers by path"),
        (Counted::Resource, "Resources by type"),
    ];
    let of = |kind: Counted| all.rows.iter().filter(move |row| row.kind == kind);
    let present = || kinds.iter().filter(|(kind, _)| of(*kind).next().is_some());
    let data = Data {
        pids: all.taken.iter().map(|taken| taken.pid).collect(),
        shown: SHOWN,
        groups: present()
            .map(|(kind, _)| DataGroup { code: *kind != Counted::Part, rows: of(*kind).map(data_row).collect() })
            .collect(),
    };
    Ok(Some(Censuses {
        growth: all.growth.iter().map(growth).collect(),
        labels: labels(&all.taken, pair),
        pair: pair.map(|at| label(&all.taken, at)),
        groups: present()
            .map(|(kind, title)| Group { title, rows: differences(of(*kind), &all.taken, pair) })
            .collect(),
        shown: SHOWN,
        data: embed::script_json(&data)?,
        left_out: all.left_out,
        open: leaking(view).is_some(),
    }))
}

/// A scenario in which the heap leaks.
fn leaking(view: &RunView) -> Option<&str> {
    let leaks =
        |f: &&crate::analysis::result::Finding| f.metric == crate::model::Metric::Heap && f.state == State::Leak;
    view.result.findings.iter().find(leaks).map(|finding| finding.scenario.as_str())
}

/// First and last census of the process whose heap grew most, in the scenario that has most to show: the one that leaks,
/// else the one whose heap moved most.
fn pair(view: &RunView) -> Option<[usize; 2]> {
    let view::Censuses { taken, rows, growth, .. } = &view.censuses;
    let moved = growth.iter().max_by_key(|growth| growth.heap.unsigned_abs());
    let scenario = leaking(view).or(moved.map(|growth| growth.scenario.as_str()));
    let heap = |at: usize| rows.first().and_then(|heap| heap.bytes[at]).unwrap_or(0);
    let of = |scenario: &str| {
        let first = (0..taken.len()).filter(|&at| taken[at].scenario == scenario);
        let pairs = first.filter_map(|first| {
            let last = taken.iter().rposition(|own| own.scenario == scenario && own.pid == taken[first].pid)?;
            (last > first).then_some([first, last])
        });
        // Of the same growth the longest stretch, which comes first.
        pairs.min_by_key(|[first, last]| std::cmp::Reverse(heap(*last).saturating_sub(heap(*first))))
    };
    scenario.and_then(of).or((taken.len() > 1).then(|| [0, taken.len() - 1]))
}

fn labels(taken: &[Taken], [from, to]: [usize; 2]) -> Vec<Label> {
    (0..taken.len()).map(|at| Label { text: label(taken, at), from: at == from, to: at == to }).collect()
}

fn label(all: &[Taken], at: usize) -> String {
    let taken = &all[at];
    let scenario = words::visible(&taken.scenario);
    let several = all.iter().any(|other| other.pid != taken.pid);
    let process = if several { format!(", pid {}", taken.pid) } else { String::new() };
    match taken.wave {
        0 => format!("{scenario}, before the load{process}"),
        wave => format!("{scenario}, wave {wave}, after {}{process}", plural(taken.work, taken.noun)),
    }
}

fn growth(growth: &HeapGrowth) -> Growth {
    let share = |part: i64| {
        let amount = signed_bytes(part);
        match part as f64 / growth.heap as f64 {
            share if growth.heap > 0 && part != 0 => format!("{amount} ({:.0}%)", share * 100.0),
            _ => amount,
        }
    };
    Growth {
        scenario: words::visible(&growth.scenario),
        parts: [
            signed_bytes(growth.heap),
            share(growth.named),
            share(growth.other),
            share(growth.garbage),
            share(growth.held),
            share(growth.engine),
        ],
    }
}

fn data_row(row: &CountedRow) -> DataRow {
    DataRow {
        name: words::visible(&row.name),
        of: words::visible(&row.of),
        counts: row.counts.clone(),
        bytes: row.bytes.clone(),
    }
}

/// The rows that differ between two censuses; parts of the heap always.
fn differences<'a>(rows: impl Iterator<Item = &'a CountedRow>, taken: &[Taken], [from, to]: [usize; 2]) -> Vec<Row> {
    // Other processes' censuses lie between.
    let own = |at: &usize| taken[*at].pid == taken[from].pid || taken[*at].pid == taken[to].pid;
    let between = |values: &[Option<u64>]| Some(values[to]? as i64 - values[from]? as i64);
    let mut differing: Vec<_> = rows
        .map(|row| (row, between(&row.counts), between(&row.bytes)))
        .filter(|(row, count, bytes)| row.kind == Counted::Part || count.unwrap_or(0) != 0 || bytes.unwrap_or(0) != 0)
        .collect();
    // Parts keep their order: they add up to the first.
    differing.sort_by_key(|(row, count, bytes)| match row.kind {
        Counted::Part => None,
        _ => Some(std::cmp::Reverse((bytes.unwrap_or(0), count.unwrap_or(0)))),
    });
    let row = |(row, count, difference): (&CountedRow, Option<i64>, Option<i64>)| {
        let of = |values: &[Option<u64>]| (from..=to).filter(own).map(|at| values[at]).collect::<Vec<_>>();
        let line: Vec<u64> = line(row.kind, of(&row.counts), of(&row.bytes));
        Row {
            name: words::visible(&row.name),
            code: row.kind != Counted::Part,
            of: words::visible(&row.of),
            bars: bars(&line),
            from: row.counts[from].map_or(String::new(), grouped),
            to: row.counts[to].map_or(String::new(), grouped),
            more: count.map_or(String::new(), signed),
            bytes: difference.map_or(String::new(), signed_bytes),
        }
    };
    differing.into_iter().map(row).collect()
}

/// What the bars of a row show: its count, or its bytes where only those move or not all counts are known.
fn line(kind: Counted, counts: Vec<Option<u64>>, bytes: Vec<Option<u64>>) -> Vec<u64> {
    let known = counts.iter().all(Option::is_some);
    let moves = counts.iter().any(|count| *count != counts[0]);
    let shown = if kind != Counted::Part && known && moves { counts } else { bytes };
    shown.into_iter().map(|value| value.unwrap_or(0)).collect()
}

fn signed(value: i64) -> String {
    let sign = if value > 0 {
        "+"
    } else if value < 0 {
        "-"
    } else {
        ""
    };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

fn signed_bytes(value: i64) -> String {
    format!("{}{}", if value > 0 { "+" } else { "" }, bytes(value as f64))
}
