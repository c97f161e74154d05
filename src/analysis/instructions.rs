//! Instructions per message: tries to figures, callgrind's files to native functions.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::history::RunHistory;
use super::result::RunResult;
use crate::journal::{Counted, Folder};
use crate::model::plan::{Pass, Plan};
use crate::model::{
    CountDiffers, CountStatus, CountedPer, InstructionRow, Instructions, NativeFunction, TRIES, Uncounted, per_message,
    spread,
};
use crate::profile::{Options, read_paths};
use crate::verdict::instructions::{differences as conditions, limit};

/// Native functions that are told of each scenario.
const MOST: usize = 40;

/// The event of callgrind's files.
const EVENT: &str = "Ir";

/// A native function: its object and its name.
type Named = (String, String);

/// What the count pass came to; none where it was not asked for. What of it cannot be read any more goes to `not_measured`.
pub(super) fn instructions(
    history: &RunHistory,
    plan: &Plan,
    folder: &Folder,
    not_measured: &mut Vec<String>,
) -> Option<Instructions> {
    if !plan.passes.contains(&Pass::Count) {
        return None;
    }
    let mut scenarios: Vec<InstructionRow> = Vec::new();
    for counted in &history.counted {
        if !scenarios.iter().any(|row| row.scenario == counted.scenario) {
            let tries: Vec<&Counted> =
                history.counted.iter().filter(|other| other.scenario == counted.scenario).collect();
            scenarios.push(row(&tries, folder, not_measured));
        }
    }
    let status = history.counter.as_ref().map(|counter| counter.status.clone());
    let reached = || if scenarios.is_empty() { CountStatus::NotReached } else { CountStatus::Counted };
    Some(Instructions {
        status: status.unwrap_or_else(reached),
        scenarios,
        conditions: history.counter.as_ref().and_then(|counter| counter.conditions.clone()),
        seconds: history.count_time.map_or(0.0, |(from, until)| until - from),
    })
}

fn row(tries: &[&Counted], folder: &Folder, not_measured: &mut Vec<String>) -> InstructionRow {
    let first = tries[0];
    let each = |counted: &&Counted| per_message(counted.instructions?, counted.loads);
    let figures: Vec<f64> = tries.iter().filter_map(each).collect();
    let known = spread(&figures);
    let why = tries.iter().find_map(|counted| counted.why.clone());
    // The run was cut off where there is neither a reason nor enough of them.
    let short = || (figures.len() < TRIES).then_some(Uncounted::TimeUsed);
    let limit = limit(&figures);
    let unsteady = || limit.is_none().then_some(Uncounted::Unsteady);
    let unjudged = why.or_else(short).or_else(unsteady);
    let functions = functions(first, folder).unwrap_or_else(|why| {
        not_measured.push(format!("Instructions by native function of `{}`: {why}.", first.scenario));
        Vec::new()
    });
    InstructionRow {
        scenario: first.scenario.clone(),
        per: first.per,
        value: known.map(|(value, _)| value),
        spread: known.map(|(_, spread)| spread),
        limit: limit.filter(|_| unjudged.is_none()),
        unjudged,
        tries: figures,
        loads: first.loads,
        bytes: first.bytes,
        processes: first.processes[1],
        functions,
        files: first.files[1].iter().map(|file| format!("count/{file}")).collect(),
    }
}

/// The functions of a try's files, the dearest first; none where no files were kept.
fn functions(counted: &Counted, folder: &Folder) -> Result<Vec<NativeFunction>, String> {
    let work = counted.loads[1].saturating_sub(counted.loads[0]) as f64;
    if counted.files.iter().any(Vec::is_empty) || work == 0.0 {
        return Ok(Vec::new());
    }
    let mut costs: BTreeMap<Named, i64> = BTreeMap::new();
    for (files, sign) in counted.files.iter().zip([-1, 1]) {
        for (named, own) in own(files, folder)? {
            let sum = costs.entry(named).or_default();
            *sum = sum.saturating_add(own.saturating_mul(sign));
        }
    }
    let mut functions: Vec<NativeFunction> = costs
        .into_iter()
        .filter(|(_, own)| *own > 0)
        .map(|((object, name), own)| NativeFunction { name, object, instructions: own as f64 / work })
        .collect();
    functions.sort_by(|a, b| b.instructions.total_cmp(&a.instructions).then_with(|| a.name.cmp(&b.name)));
    functions.truncate(MOST);
    Ok(functions)
}

/// What each function of some files cost by itself.
fn own(files: &[String], folder: &Folder) -> Result<Vec<(Named, i64)>, String> {
    // Only what a run could have put there: a journal that was tampered with names other files, pipes, devices.
    for file in files {
        folder.read_count(OsStr::new(file)).map_err(|error| format!("count/{file}: {error}"))?;
    }
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.count().join(file)).collect();
    let profile = read_paths(&paths, &Options::default()).map_err(|error| error.to_string())?;
    let graph = profile.graph.as_ref().ok_or("its files are none of callgrind's")?;
    let at = graph.event(EVENT).ok_or("its files count no instructions")?;
    let named = |id: &u32| {
        let function = profile.names.get(*id);
        let object = Path::new(&function.object).file_name().unwrap_or_default();
        (object.to_string_lossy().into_owned(), function.name.clone())
    };
    Ok(graph.functions.iter().map(|(id, detail)| (named(id), detail.own.get(at).copied().unwrap_or(0))).collect())
}

impl Instructions {
    /// The row of a scenario.
    pub fn row(&self, scenario: &str) -> Option<&InstructionRow> {
        self.scenarios.iter().find(|row| row.scenario == scenario)
    }
}

/// The figure of a row that can be judged, and its limit.
pub(super) fn judged(row: &InstructionRow) -> Option<(f64, f64)> {
    Some((row.value?, row.limit?))
}

/// Rows that are counted for each message.
pub(super) fn is_per_message(row: &InstructionRow) -> bool {
    row.per == CountedPer::Message
}

/// In which conditions two runs' counts differ; none where one of them does not know its own.
pub(super) fn differences(was: &RunResult, is: &RunResult) -> Option<Vec<CountDiffers>> {
    let of = |result: &RunResult| result.instructions.as_ref().and_then(|counted| counted.conditions.clone());
    Some(conditions(&of(was)?, &of(is)?))
}

/// Both rows are of loads that ask the same of the server.
pub(super) fn is_same_load(was: &InstructionRow, is: &InstructionRow) -> bool {
    (was.loads, was.bytes, was.per) == (is.loads, is.bytes, is.per)
}
