//! The processes that were profiled, a row for those that ran the same.

use super::functions::nanoseconds;
use super::words;
use crate::analysis::result::{ProcessRole, ProcessRow, ProfileSummary};
use crate::phrase::grouped;

/// Numbers of processes in a row.
const NAMED: usize = 6;

/// Functions in a row.
const DEAREST: usize = 3;

/// What is said where the server's own profile is missing.
pub(super) const NOT_SERVED: &str = "The process that served left no profile: all that is shown here was run by other \
                                     processes.";

/// One kind of process.
#[derive(Debug)]
pub(super) struct Row {
    /// What they were.
    pub role: &'static str,
    /// Their script, without its folder.
    pub script: String,
    /// The script's whole path.
    pub path: String,
    entry: Option<String>,
    /// How many.
    pub count: String,
    /// Their numbers.
    pub pids: String,
    /// Calls.
    pub calls: String,
    /// Self time of all of them.
    pub time: String,
    /// How much of it was waiting.
    pub waiting: String,
    dearest: Vec<String>,
}

impl Row {
    /// What forked ones were given to run, as HTML that breaks where a name may.
    pub fn entry_html(&self) -> Option<String> {
        self.entry.as_deref().map(words::breakable)
    }

    /// The functions that cost most, likewise.
    pub fn dearest_html(&self) -> Vec<String> {
        self.dearest.iter().map(|name| words::breakable(name)).collect()
    }

    /// What they ran, in words.
    pub fn ran(&self) -> &str {
        self.entry.as_deref().unwrap_or(&self.script)
    }
}

/// The rows; none where one process is all there was, and it served.
pub(super) fn processes(summary: &ProfileSummary) -> Vec<Row> {
    let all: u64 = summary.processes.iter().map(|row| row.count).sum();
    if all < 2 && summary.served != Some(false) {
        return Vec::new();
    }
    summary.processes.iter().map(row).collect()
}

fn row(row: &ProcessRow) -> Row {
    let mut pids: Vec<String> = row.processes.iter().take(NAMED).map(|process| process.pid.to_string()).collect();
    let others = row.count.saturating_sub(pids.len() as u64);
    if others > 0 {
        pids.push(format!("{} more", grouped(others)));
    }
    let share = row.waiting_ns as f64 / row.total_ns.max(1) as f64;
    let dearest = row.functions.iter().filter(|function| !function.waiting && function.own > 0);
    Row {
        role: role(row.role),
        script: words::visible(row.script.rsplit('/').next().unwrap_or_default()),
        path: words::visible(&row.script),
        entry: row.entry.clone(),
        count: grouped(row.count),
        pids: pids.join(", "),
        calls: grouped(row.functions.iter().map(|function| function.calls).sum()),
        time: nanoseconds(row.total_ns as f64),
        waiting: words::percent(share),
        dearest: dearest.take(DEAREST).map(|function| words::visible(&function.name)).collect(),
    }
}

fn role(role: ProcessRole) -> &'static str {
    match role {
        ProcessRole::Master => "master",
        ProcessRole::Worker => "worker",
        ProcessRole::Launcher => "launcher, ended before the load",
        ProcessRole::Helper => "helper",
    }
}

/// How many processes there were, where there was more than one.
pub(super) fn counted(summary: &ProfileSummary) -> Option<String> {
    let all: u64 = summary.processes.iter().map(|row| row.count).sum();
    (all > 1).then(|| format!("They are the sum over {} processes.", grouped(all)))
}
