//! Instructions per message: the figures by scenario, and the native functions that they are spent in.

use super::words;
use crate::model::{InstructionRow, Instructions};
use crate::phrase::{self, grouped};

/// Functions in the page; the result has more.
const MOST: usize = 12;

/// The section.
#[derive(Debug, PartialEq)]
pub(super) struct Counted {
    /// Why nothing was counted; empty where it was.
    pub not_counted: String,
    /// Scenario by scenario.
    pub rows: Vec<Row>,
    /// What the figures hold for.
    pub conditions: String,
    /// The scenario whose functions are shown.
    pub of: String,
    /// What its figures are counted for.
    pub per: &'static str,
    /// Its functions.
    pub functions: Vec<Function>,
    /// The files that a flamegraph can be made of, as a command's arguments.
    pub files: Vec<String>,
}

/// A scenario.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// Its name.
    pub scenario: String,
    /// Instructions, grouped; `–` where there are none.
    pub value: String,
    /// What they are counted for.
    pub per: &'static str,
    /// How exact that is, or why it is not judged.
    pub exactness: String,
    /// Messages of the two loads.
    pub loads: String,
}

/// A native function.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub object: String,
    /// Instructions of its own.
    pub own: String,
    /// Their part of all.
    pub share: String,
}

impl Function {
    /// The name as HTML that breaks where a name may.
    pub fn name_html(&self) -> String {
        words::breakable(&self.name)
    }
}

/// The section of a run.
pub(super) fn counted(instructions: &Instructions) -> Counted {
    let first = instructions.scenarios.iter().find(|row| !row.functions.is_empty());
    let conditions = instructions.conditions.as_ref().map_or(String::new(), |conditions| {
        let php = conditions.php.as_ref().map_or(String::new(), |php| format!("PHP {php}, "));
        let files = phrase::plural(conditions.builds.len() as u64, "program and library build");
        words::visible(&format!("{php}{files}, valgrind {}, {}", conditions.valgrind, conditions.features.join(" ")))
    });
    Counted {
        not_counted: phrase::not_counted(&instructions.status).map_or(String::new(), |why| words::visible(&why)),
        rows: instructions.scenarios.iter().map(row).collect(),
        conditions,
        of: first.map_or(String::new(), |row| words::visible(&row.scenario)),
        per: first.map_or("", |row| phrase::counted_per(row.per)),
        functions: first.map(functions).unwrap_or_default(),
        files: instructions.scenarios.iter().filter_map(pattern).collect(),
    }
}

/// What a shell takes for all files of a scenario: their names differ in the process alone.
fn pattern(row: &InstructionRow) -> Option<String> {
    match &row.files[..] {
        [] => None,
        [one] => Some(words::visible(one)),
        [one, ..] => Some(words::visible(&format!("{}.*", one.rsplit_once('.')?.0))),
    }
}

fn row(row: &InstructionRow) -> Row {
    Row {
        scenario: words::visible(&row.scenario),
        value: row.value.map_or("–".to_owned(), |value| grouped(value.round() as u64)),
        per: phrase::counted_per(row.per),
        exactness: phrase::exactness(row),
        loads: row.loads.map(grouped).join(" and "),
    }
}

fn functions(row: &InstructionRow) -> Vec<Function> {
    let all = row.value.unwrap_or(0.0);
    let function = |function: &crate::model::NativeFunction| Function {
        name: words::visible(&function.name),
        object: words::visible(&function.object),
        own: grouped(function.instructions.round() as u64),
        share: if all > 0.0 { words::percent(function.instructions / all) } else { String::new() },
    };
    row.functions.iter().take(MOST).map(function).collect()
}
