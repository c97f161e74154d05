//! The `profile` object of `result.json` and of `analyze --format json`.

use serde::{Deserialize, Serialize};

use crate::profile::callgrind::Part;
use crate::profile::contents::{Dialect, FunctionCost, Profile};

/// Functions in `top`.
const TOP: usize = 20;

/// One function's costs, in the file's units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionJson {
    /// Name as the profile has it.
    pub name: String,
    /// File that defines it.
    pub file: String,
    /// Self time.
    #[serde(rename = "self")]
    pub own: i64,
    /// Inclusive time; recursion is counted once.
    pub inclusive: i64,
    /// Calls.
    pub calls: u64,
    /// Allocation of its own, bytes.
    pub allocation: i64,
    /// It waits rather than works, by the table of whoever asks.
    #[serde(default)]
    pub waiting: bool,
    /// Calls for each message, where it is known how many were served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_message: Option<f64>,
    /// The program or library that holds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// Its self costs of all events, in their order; only of files that hold edges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<i64>,
    /// The same by file, where code of other files was inlined, and by line, where lines are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartJson>,
}

/// Self costs of a function in one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartJson {
    /// The file that holds the code.
    pub file: String,
    /// Costs of all events.
    pub costs: Vec<i64>,
    /// Costs by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineJson>,
}

/// Costs of one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineJson {
    /// The line; 0 where it is not known.
    pub line: i64,
    /// Costs of all events.
    pub costs: Vec<i64>,
}

/// One file of the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileJson {
    /// Its path.
    pub path: String,
    /// Calls whose record was found.
    pub records: u64,
    /// It has its end and nothing was lost.
    pub complete: bool,
    /// Share of its cost that was recovered, 0 to 1.
    pub recovered_share: f64,
    /// Processes that wrote into it.
    pub writers: u64,
    /// Script or command.
    pub cmd: String,
    /// Program that wrote it.
    pub creator: String,
    /// The first place of damage.
    pub first_defect: Option<DefectJson>,
    /// Places of damage.
    pub defects: u64,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// A place of damage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DefectJson {
    /// Line, from 1.
    pub line: u64,
    /// Byte offset of the line.
    pub offset: u64,
    /// What is wrong.
    pub kind: String,
}

/// The `profile` object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileJson {
    /// `xdebug`, `callgrind` or `cachegrind`.
    pub dialect: String,
    /// Events as the file names them: time, then allocation; of files that hold edges, all of them.
    pub events: Vec<String>,
    /// The event that `self`, `inclusive` and `total` count.
    pub metric: String,
    /// Nanoseconds of one tick of time.
    pub nanoseconds_per_tick: Option<u64>,
    /// The tree behind it is an estimate.
    pub estimated: bool,
    /// The files.
    pub files: Vec<FileJson>,
    /// Calls whose record was found.
    pub records: u64,
    /// All files are complete.
    pub complete: bool,
    /// Share of the cost that was recovered, 0 to 1.
    pub recovered_share: f64,
    /// Sum of the self times: what shares are of.
    pub total: i64,
    /// Sum of the allocation, bytes.
    pub total_allocation: i64,
    /// All functions, greatest self time first.
    pub functions: Vec<FunctionJson>,
    /// The first of them.
    pub top: Vec<FunctionJson>,
}

impl From<&Profile> for ProfileJson {
    fn from(profile: &Profile) -> Self {
        let functions: Vec<FunctionJson> = profile
            .functions
            .iter()
            .map(|function| FunctionJson {
                object: profile.names.get(function.id).object.clone(),
                costs: costs(profile, function.id),
                parts: parts(profile, function),
                name: function.name.clone(),
                file: function.file.clone(),
                own: function.own.time,
                inclusive: function.inclusive.time,
                calls: function.calls,
                allocation: function.own.memory,
                waiting: false,
                calls_per_message: None,
            })
            .collect();
        let total = profile.tree.total();
        let units = &profile.units;
        ProfileJson {
            dialect: match profile.dialect {
                Dialect::Xdebug => "xdebug",
                Dialect::Callgrind => "callgrind",
                Dialect::Cachegrind => "cachegrind",
            }
            .to_owned(),
            events: profile.events(),
            metric: units.time_event.clone(),
            nanoseconds_per_tick: units.nanoseconds_per_tick,
            estimated: profile.estimated,
            files: profile
                .files
                .iter()
                .map(|file| FileJson {
                    path: file.path.display().to_string(),
                    records: file.records,
                    complete: file.complete,
                    recovered_share: file.recovered_share,
                    writers: file.writers,
                    cmd: file.header.cmd.clone(),
                    creator: file.header.creator.clone(),
                    first_defect: file.first_defect.as_ref().map(|defect| DefectJson {
                        line: defect.line,
                        offset: defect.offset,
                        kind: defect.kind.to_string(),
                    }),
                    defects: file.defects,
                    warnings: file.warnings.clone(),
                })
                .collect(),
            records: profile.records(),
            complete: profile.complete(),
            recovered_share: profile.recovered_share(),
            total: total.time,
            total_allocation: total.memory,
            top: functions.iter().take(TOP).cloned().collect(),
            functions,
        }
    }
}

/// All self costs of a function.
fn costs(profile: &Profile, id: u32) -> Vec<i64> {
    let Some(graph) = &profile.graph else { return Vec::new() };
    padded(graph.functions.get(&id).map_or(&[], |detail| &detail.own), graph.events.len())
}

/// A function's costs by file and line, where there is more to say than its own file and no line.
fn parts(profile: &Profile, function: &FunctionCost) -> Vec<PartJson> {
    let Some(graph) = &profile.graph else { return Vec::new() };
    let events = graph.events.len();
    let parts = graph.functions.get(&function.id).map(|detail| &detail.parts);
    let known = |file: &String, lines: usize| *file != function.file || lines > 0;
    if !parts.is_some_and(|parts| parts.iter().any(|(file, part)| known(file, part.lines.len()))) {
        return Vec::new();
    }
    let part = |(file, part): (&String, &Part)| PartJson {
        file: file.clone(),
        costs: padded(&part.costs, events),
        lines: part.lines.iter().map(|(line, costs)| LineJson { line: *line, costs: padded(costs, events) }).collect(),
    };
    parts.into_iter().flatten().map(part).collect()
}

fn padded(costs: &[i64], events: usize) -> Vec<i64> {
    costs.iter().copied().chain(std::iter::repeat(0)).take(events).collect()
}
