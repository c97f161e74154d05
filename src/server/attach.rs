//! A server that runs already: found by its pid, its name or its container, and left as it is.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::TargetError;
use super::command::base;
use crate::proc::{Process, Tree};

/// Programs that know containers by name.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// The process that `--attach` names: a pid, a program's or script's name, or a container's name.
///
/// # Errors
/// There is none, there are several, or it may not be looked at.
pub fn find(name: &str) -> Result<i32, TargetError> {
    let refused = |why: String| TargetError::Attach { name: name.to_owned(), why };
    let pid = match name.parse::<i32>() {
        Ok(pid) => pid,
        Err(_) => match named(name).as_slice() {
            [pid] => *pid,
            [] => in_container(name).ok_or_else(|| refused("no process and no container is called so".to_owned()))?,
            several => {
                let pids: Vec<String> = several.iter().map(ToString::to_string).collect();
                return Err(refused(format!(
                    "several processes are called so; give one of their pids: {}",
                    pids.join(", ")
                )));
            }
        },
    };
    if pid <= 1 || pid == std::process::id() as i32 {
        return Err(refused("that is no server".to_owned()));
    }
    let process = Process::open(pid).map_err(|_| {
        refused("there is no such process here. A container of another machine (Docker Desktop) cannot be seen: run profile-run inside it".to_owned())
    })?;
    process.exe().map_err(|error| {
        refused(format!("it may not be looked at: {error}; run profile-run as its user or as root"))
    })?;
    Ok(pid)
}

/// Processes that are called so, without those whose parent is one of them, and without our own ancestors.
fn named(name: &str) -> Vec<i32> {
    let Ok(tree) = Tree::scan() else { return Vec::new() };
    let mut ours = vec![std::process::id() as i32];
    while let Some(entry) = ours.last().and_then(|pid| tree.get(*pid)).filter(|entry| !ours.contains(&entry.ppid)) {
        ours.push(entry.ppid);
    }
    let all: Vec<i32> = tree.pids().filter(|pid| !ours.contains(pid) && is_called(*pid, name)).collect();
    let below = |pid: &i32| tree.get(*pid).is_some_and(|entry| all.contains(&entry.ppid));
    all.iter().copied().filter(|pid| !below(pid)).collect()
}

/// By its own title, its program, or the script that it runs.
fn is_called(pid: i32, name: &str) -> bool {
    let Ok(process) = Process::open(pid) else { return false };
    if process.comm().is_ok_and(|comm| comm == name) {
        return true;
    }
    let words: Vec<OsString> = process.cmdline().unwrap_or_default();
    let is_it = |word: &OsString| base(&word.to_string_lossy()) == name;
    let script = words.iter().skip(1).find(|word| !word.to_string_lossy().starts_with('-'));
    words.first().is_some_and(is_it) || script.is_some_and(is_it)
}

/// The first process of a container.
fn in_container(name: &str) -> Option<i32> {
    ENGINES.iter().find_map(|engine| {
        let mut inspect = Command::new(engine);
        inspect.args(["inspect", "--type", "container", "--format", "{{.State.Pid}}", "--", name]);
        let output = inspect.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok().filter(|pid| *pid > 0)
    })
}

/// What stands in the place of the output of a server that somebody else started.
pub(super) fn no_output() -> Result<File, TargetError> {
    let path = Path::new("/dev/null");
    File::open(path).map_err(|source| TargetError::File { path: path.to_owned(), source })
}
