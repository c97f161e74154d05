//! Instructions per message of two runs: judged exactly, where both were counted under the same conditions.

use serde::{Deserialize, Serialize};

use super::instructions::{differences, is_same_load, judged};
use super::result::RunResult;
use crate::model::{Change, CountedPer, InstructionRow, NativeFunction};
use crate::phrase;
use crate::verdict::instructions::{GATE, change};

/// Native functions that are named of each scenario.
const MOST: usize = 5;

/// Of a scenario's instructions, what a function must have changed by to be named.
const NAMED: f64 = 0.001;

/// The instructions of one scenario in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstructionChange {
    /// Scenario.
    pub scenario: String,
    /// What they are counted for.
    pub per: CountedPer,
    /// Instructions then and now.
    pub values: [Option<f64>; 2],
    /// A change is one beyond this part of them; none where it is not judged.
    pub limit: Option<f64>,
    /// What became of them.
    pub change: Change,
    /// Native functions whose own instructions changed most: object, name, then, now.
    pub functions: Vec<NativeChange>,
}

/// A native function in both runs; 0 where a run does not name it among its dearest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NativeChange {
    /// Its name.
    pub name: String,
    /// The program or library that it is in.
    pub object: String,
    /// Instructions of its own for each message or session then and now.
    pub values: [f64; 2],
}

/// What became of the instructions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct InstructionChanges {
    /// By scenario.
    pub scenarios: Vec<InstructionChange>,
    /// In which conditions the counts differ, in words; where in any, nothing is judged.
    pub differences: Vec<String>,
}

/// Compares the counts of two runs; nothing where the later one has none.
pub(super) fn instructions(earlier: &RunResult, now: &RunResult) -> InstructionChanges {
    let (Some(was), Some(is)) = (&earlier.instructions, &now.instructions) else {
        return InstructionChanges::default();
    };
    let differ = differences(earlier, now);
    let same = differ.as_ref().is_some_and(Vec::is_empty);
    let of = |row: &InstructionRow| {
        let before = was.row(&row.scenario)?;
        let comparable = same && is_same_load(before, row);
        let both = (judged(before).filter(|_| comparable), judged(row).filter(|_| comparable));
        let limit = both.0.zip(both.1).map(|((_, was), (_, is))| was.max(is));
        let change = change(both.0, both.1);
        Some(InstructionChange {
            scenario: row.scenario.clone(),
            per: row.per,
            values: [before.value, row.value],
            limit,
            change,
            functions: match change {
                Change::Worse | Change::Better => natives(before, row),
                Change::Same | Change::Unknown => Vec::new(),
            },
        })
    };
    let scenarios: Vec<InstructionChange> = is.scenarios.iter().filter_map(of).collect();
    let mut said: Vec<String> = differ.iter().flatten().map(phrase::count_difference).collect();
    let other = |row: &&InstructionRow| was.row(&row.scenario).is_some_and(|before| !is_same_load(before, row));
    said.extend(is.scenarios.iter().filter(other).map(|row| phrase::other_load(&row.scenario)));
    InstructionChanges { scenarios, differences: said }
}

/// The functions whose own instructions changed most, with the sign of the whole change first.
fn natives(was: &InstructionRow, is: &InstructionRow) -> Vec<NativeChange> {
    let of = |row: &InstructionRow, function: &NativeFunction| {
        let same = |other: &&NativeFunction| other.name == function.name && other.object == function.object;
        row.functions.iter().find(same).map_or(0.0, |found| found.instructions)
    };
    let whole = was.value.unwrap_or(0.0).max(is.value.unwrap_or(0.0));
    let gone = was.functions.iter().filter(|function| of(is, function) == 0.0);
    let mut changes: Vec<NativeChange> = is
        .functions
        .iter()
        .chain(gone)
        .map(|function| NativeChange {
            name: function.name.clone(),
            object: function.object.clone(),
            values: [of(was, function), of(is, function)],
        })
        .filter(|change| (change.values[1] - change.values[0]).abs() > whole * NAMED)
        .collect();
    let by = |change: &NativeChange| (change.values[1] - change.values[0]).abs();
    changes.sort_by(|a, b| by(b).total_cmp(&by(a)).then_with(|| a.name.cmp(&b.name)));
    changes.truncate(MOST);
    changes
}

impl InstructionChange {
    /// The change as a part of what was; none where one run has no figure.
    pub fn part(&self) -> Option<f64> {
        let [was, is] = self.values;
        was.zip(is).filter(|(was, _)| *was > 0.0).map(|(was, is)| is / was - 1.0)
    }

    /// What is worse, in a sentence.
    pub(super) fn regression(&self) -> Option<String> {
        let part = self.part().filter(|_| self.change == Change::Worse)?;
        let [was, is] = self.values.map(|value| phrase::grouped(value.unwrap_or(0.0).round() as u64));
        let first = self.functions.iter().find(|function| function.values[1] > function.values[0]);
        let most = first.map_or(String::new(), |function| {
            let more = phrase::grouped((function.values[1] - function.values[0]).round() as u64);
            format!("; most of it in `{}` ({}), {more} more", function.name, function.object)
        });
        Some(format!(
            "Worse than the baseline: instructions per {} of `{}` went from {was} to {is} ({}; {} is a change){most}.",
            phrase::counted_per(self.per),
            self.scenario,
            phrase::change_share(part),
            phrase::change_share(self.limit.unwrap_or(GATE)),
        ))
    }

    /// The line for a terminal.
    pub(super) fn line(&self) -> String {
        let [was, is] = self.values.map(|value| value.map_or("-".to_owned(), |n| phrase::grouped(n.round() as u64)));
        let part = self.part().map_or(String::new(), |part| format!(" ({})", phrase::change_share(part)));
        format!(
            "instructions {:<12} {was} -> {is} per {}{part}  {}",
            self.scenario,
            phrase::counted_per(self.per),
            phrase::change(self.change)
        )
    }
}
