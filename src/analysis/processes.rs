//! The processes that were profiled, by what they were to the server: from who wrote which file to a row each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::profile_figures::FunctionRow;
use crate::journal::ProfileWriter;
use crate::profile::{Group, GroupPlace, GroupPlaces, Profile};

/// Processes named one by one, at most: a server that forks for each connection has thousands.
const NAMED: usize = 100;

/// What a process was to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessRole {
    /// It held the listening socket, or forked those that did.
    Master,
    /// It was forked by the master, or by another worker.
    Worker,
    /// It forked the master and ended before the load: a daemon's beginning.
    Launcher,
    /// Another php program, beside or below the server, with what it forked.
    Helper,
}

impl ProcessRole {
    const ALL: [ProcessRole; 4] = [Self::Master, Self::Worker, Self::Launcher, Self::Helper];
}

/// Processes of one role that ran the same, summed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessRow {
    /// What they were.
    pub role: ProcessRole,
    /// How many.
    pub count: u64,
    /// The script of their php.
    pub script: String,
    /// The function that forked ones were given to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// One of them is the process that greeted.
    pub served: bool,
    /// The processes, a hundred at most.
    pub processes: Vec<ProcessId>,
    /// Calls whose record was found.
    pub records: u64,
    /// Every file was closed properly.
    pub complete: bool,
    /// Sum of their self times, nanoseconds.
    pub total_ns: u64,
    /// What of it was spent waiting.
    pub waiting_ns: u64,
    /// Sum of the allocation of their calls.
    pub total_allocation: i64,
    /// Their functions, by self time.
    pub functions: Vec<FunctionRow>,
}

/// A process: a number alone may have been given to another one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it was started, in the kernel's ticks since boot; null where it had ended before it was seen.
    pub started: Option<u64>,
    /// Its profile.
    pub profile: String,
}

/// How the files of a run are to be read: apart by role, those of forked processes also by what they ran.
pub(super) fn places(paths: &[PathBuf], writers: &[ProfileWriter]) -> GroupPlaces {
    let roles = roles(writers);
    let place = |path: &PathBuf| {
        let role = *roles.get(name(path)?)?;
        let forked = writers.iter().any(|writer| Some(writer.file.as_str()) == name(path) && writer.parent.is_some());
        let by_entry = forked && matches!(role, ProcessRole::Worker | ProcessRole::Helper);
        Some((path.clone(), GroupPlace { number: role as u32, by_entry }))
    };
    paths.iter().filter_map(place).collect()
}

/// The role of each file's process.
fn roles<'a>(writers: &'a [ProfileWriter]) -> BTreeMap<&'a str, ProcessRole> {
    let parents: BTreeMap<&'a str, &'a str> =
        writers.iter().filter_map(|writer| Some((writer.file.as_str(), writer.parent.as_deref()?))).collect();
    let early: BTreeSet<&str> =
        writers.iter().filter(|writer| writer.early).map(|writer| writer.file.as_str()).collect();
    let above = |file: &'a str| -> Option<&'a str> { parents.get(file).copied() };
    let served = writers.iter().find(|writer| writer.served).map(|writer| writer.file.as_str());
    let master = served.map(|served| match above(served) {
        // Each of several workers has a socket of its own where the master holds none.
        Some(parent) if !parents.values().any(|other| *other == served) && !early.contains(parent) => parent,
        _ => served,
    });
    let mut launchers = BTreeSet::new();
    let mut next = master.and_then(above);
    while let Some(file) = next.filter(|file| launchers.insert(*file)) {
        next = above(file);
    }
    let descends = |mut file: &'a str| {
        // As often as there are files: a tampered journal may hold a circle.
        for _ in 0..=writers.len() {
            match above(file) {
                Some(parent) if Some(parent) == master => return true,
                Some(parent) => file = parent,
                None => return false,
            }
        }
        false
    };
    let role = |file: &'a str| match file {
        file if Some(file) == master => ProcessRole::Master,
        file if launchers.contains(file) => ProcessRole::Launcher,
        file if descends(file) => ProcessRole::Worker,
        _ => ProcessRole::Helper,
    };
    writers.iter().map(|writer| (writer.file.as_str(), role(writer.file.as_str()))).collect()
}

/// The rows of a profile that was read by [`places`].
pub(super) fn rows(profile: &Profile, writers: &[ProfileWriter], waits: &[bool]) -> Vec<ProcessRow> {
    profile.groups.iter().filter_map(|group| row(profile, group, writers, waits)).collect()
}

fn row(profile: &Profile, group: &Group, writers: &[ProfileWriter], waits: &[bool]) -> Option<ProcessRow> {
    let role = *ProcessRole::ALL.get(group.number as usize)?;
    let by_file: BTreeMap<&str, &ProfileWriter> = writers.iter().map(|writer| (writer.file.as_str(), writer)).collect();
    let files = || group.files.iter().filter_map(|at| profile.files.get(*at));
    let wrote = || files().filter_map(|file| by_file.get(name(&file.path)?).copied());
    let mut functions: Vec<FunctionRow> = group
        .functions
        .iter()
        .map(|(id, totals)| {
            let function = profile.names.get(*id as u32);
            FunctionRow {
                name: function.name.clone(),
                file: function.file.clone(),
                own: totals.own.time,
                inclusive: totals.inclusive.time,
                calls: totals.calls,
                allocation: totals.own.memory,
                waiting: waits[*id as usize],
                ..FunctionRow::default()
            }
        })
        .collect();
    functions.sort_by(|a, b| (b.own, &a.name, &a.file).cmp(&(a.own, &b.name, &b.file)));
    let waited = functions.iter().filter(|function| function.waiting).fold(0i64, |sum, f| sum.saturating_add(f.own));
    let process =
        |writer: &ProfileWriter| ProcessId { pid: writer.pid, started: writer.started, profile: writer.file.clone() };
    let nanoseconds = |time: i64| u64::try_from(time).unwrap_or(0);
    Some(ProcessRow {
        role,
        count: group.files.len() as u64,
        script: group.script.clone(),
        entry: group.entry.map(|id| profile.names.get(id).name.clone()),
        served: wrote().any(|writer| writer.served),
        processes: wrote().take(NAMED).map(process).collect(),
        records: files().map(|file| file.records).sum(),
        complete: files().all(|file| file.complete),
        total_ns: nanoseconds(group.own().time),
        waiting_ns: nanoseconds(waited),
        total_allocation: group.own().memory,
        functions,
    })
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(file: &str, parent: &str, of: &str) -> ProfileWriter {
        let parent = Some(parent.to_owned()).filter(|parent| !parent.is_empty());
        ProfileWriter {
            file: file.to_owned(),
            parent,
            early: of == "early",
            served: of == "served",
            ..ProfileWriter::default()
        }
    }

    fn said(writers: &[ProfileWriter]) -> Vec<ProcessRole> {
        let roles = roles(writers);
        writers.iter().map(|writer| roles[writer.file.as_str()]).collect()
    }

    #[test]
    fn roles_follow_from_who_forked_whom() {
        use ProcessRole::{Helper, Launcher, Master, Worker};
        let prefork = [writer("1", "", "served"), writer("2", "1", ""), writer("3", "2", ""), writer("9", "", "")];
        assert_eq!(said(&prefork), [Master, Worker, Worker, Helper]);
        let daemon = [writer("1", "", "early"), writer("2", "1", "early"), writer("3", "2", "served")];
        assert_eq!(said(&daemon), [Launcher, Launcher, Master]);
        let own_sockets = [writer("1", "", ""), writer("2", "1", "served"), writer("3", "1", "")];
        assert_eq!(said(&own_sockets), [Master, Worker, Worker]);
        let without_xdebug = [writer("1", "", ""), writer("2", "1", "")];
        assert_eq!(said(&without_xdebug), [Helper, Helper], "another's profile is never the server's");
        let circle = [writer("1", "2", ""), writer("2", "1", ""), writer("3", "", "served")];
        assert_eq!(said(&circle), [Helper, Helper, Master]);
    }
}
