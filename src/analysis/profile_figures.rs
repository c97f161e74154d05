//! A profile in figures, its times in one unit: what the `profile` of result.json (nanoseconds) and that of
//! `analyze --format json` (ticks of the file) have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drift::DriftRow;
use super::exact_calls::{Each, ExactCalls, exact_calls};
use super::slices::{self, PartRow, WaveAt};
use crate::profile::{FunctionCost, Part, Profile};

/// One function. Times in the unit of the object, memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionRow {
    /// As the profile names it.
    pub name: String,
    /// File that defines it.
    pub file: String,
    /// Self time.
    #[serde(rename = "self")]
    pub own: i64,
    /// With callees, recursion counted once.
    pub inclusive: i64,
    /// Calls.
    pub calls: u64,
    /// Growth of PHP's heap while it ran, itself: pressure, never retained memory. Below 0 in files of old
    /// versions, for calls that gave memory back.
    pub allocation: i64,
    /// Calls for each accepted message, where it is known how many there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_message: Option<f64>,
    /// The same by scenario, where messages are sent in it: what is one whole number in every wave; null where it is not.
    #[serde(default, skip_serializing_if = "Each::is_empty")]
    pub each_message: Each,
    /// Calls for each session by scenario, where sessions are not messages in it, likewise.
    #[serde(default, skip_serializing_if = "Each::is_empty")]
    pub each_session: Each,
    /// It waits rather than works.
    #[serde(default)]
    pub waiting: bool,
    /// Change of the self time of a call from the first tenth to the last of the wave with most of its
    /// calls, as a share (0.38: +38%), as measured: whether it is more than noise, `drift` of the profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// The program or library that holds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// Its self costs of all events, in their order; only of files that hold edges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<i64>,
    /// The same by file, where code of other files was inlined, and by line, where lines are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SourcePart>,
}

/// Self costs of a function in one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourcePart {
    /// The file that holds the code.
    pub file: String,
    /// Costs of all events.
    pub costs: Vec<i64>,
    /// Costs by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineCosts>,
}

/// Costs of one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LineCosts {
    /// The line; 0 where it is not known.
    pub line: i64,
    /// Costs of all events.
    pub costs: Vec<i64>,
}

/// The figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileFigures {
    /// Records: one for each finished call.
    pub records: u64,
    /// Every file was closed properly.
    pub complete: bool,
    /// Share of the cost that was recovered, 0 to 1.
    pub recovered_share: f64,
    /// All functions, greatest self time first.
    pub functions: Vec<FunctionRow>,
    /// Messages accepted while it was recorded; 0 where that is not known.
    #[serde(default)]
    pub messages: u64,
    /// Sum of the allocation of all calls, signed, bytes.
    #[serde(default)]
    pub total_allocation: i64,
    /// The recording in tenths of equally many records; empty where it is too short.
    #[serde(default)]
    pub tenths: Vec<PartRow>,
    /// Functions whose cost grows with the messages served, the dearest first.
    #[serde(default)]
    pub drift: Vec<DriftRow>,
    /// Some stretch of the recording was long enough for drift to be looked for.
    #[serde(default)]
    pub drift_looked_for: bool,
}

impl ProfileFigures {
    /// The figures of a profile. `waits` tells by function which of them wait; times are multiplied by `unit`.
    pub fn of(profile: &Profile, waits: &[bool], messages: u64, waves: &[WaveAt], unit: i64) -> Self {
        let drift = slices::drift(profile, waits, waves, messages, unit);
        let mut exact = exact_calls(profile, waves);
        let row = |function: &FunctionCost, calls: ExactCalls| FunctionRow {
            name: function.name.clone(),
            file: function.file.clone(),
            own: function.own.time.saturating_mul(unit),
            inclusive: function.inclusive.time.saturating_mul(unit),
            calls: function.calls,
            allocation: function.own.memory,
            calls_per_message: (messages > 0).then(|| function.calls as f64 / messages as f64),
            each_message: calls.per_message,
            each_session: calls.per_session,
            waiting: waits[function.id as usize],
            drift: drift.change.get(&function.id).copied(),
            object: profile.names.get(function.id).object.clone(),
            costs: costs(profile, function.id),
            parts: parts(profile, function),
        };
        Self {
            records: profile.records(),
            complete: profile.complete(),
            recovered_share: profile.recovered_share(),
            functions: (profile.functions.iter())
                .map(|function| row(function, exact.remove(&function.id).unwrap_or_default()))
                .collect(),
            messages,
            total_allocation: profile.tree.total().memory,
            tenths: slices::tenths(profile, waits, unit),
            drift: drift.rows,
            drift_looked_for: drift.looked,
        }
    }

    /// Self time of the functions that wait: the total without it is busy time.
    pub fn waiting(&self) -> i64 {
        self.functions.iter().filter(|function| function.waiting).fold(0, |sum, row| sum.saturating_add(row.own))
    }
}

/// All self costs of a function.
fn costs(profile: &Profile, id: u32) -> Vec<i64> {
    let Some(graph) = &profile.graph else { return Vec::new() };
    padded(graph.functions.get(&id).map_or(&[], |detail| &detail.own), graph.events.len())
}

/// A function's costs by file and line, where there is more to say than its own file and no line.
fn parts(profile: &Profile, function: &FunctionCost) -> Vec<SourcePart> {
    let Some(graph) = &profile.graph else { return Vec::new() };
    let events = graph.events.len();
    let parts = graph.functions.get(&function.id).map(|detail| &detail.parts);
    let known = |file: &String, lines: usize| *file != function.file || lines > 0;
    if !parts.is_some_and(|parts| parts.iter().any(|(file, part)| known(file, part.lines.len()))) {
        return Vec::new();
    }
    let part = |(file, part): (&String, &Part)| SourcePart {
        file: file.clone(),
        costs: padded(&part.costs, events),
        lines: part.lines.iter().map(|(line, costs)| LineCosts { line: *line, costs: padded(costs, events) }).collect(),
    };
    parts.into_iter().flatten().map(part).collect()
}

fn padded(costs: &[i64], events: usize) -> Vec<i64> {
    costs.iter().copied().chain(std::iter::repeat(0)).take(events).collect()
}
