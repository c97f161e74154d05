//! The processes of the target: the root, everything below it, and what was orphaned to us.
//!
//! profile-run is a subreaper, so a server that daemonises, or a shell that dies before its php,
//! leaves its processes to us; they belong to the tree as before.

use std::collections::BTreeSet;

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::launch::MARK;
use crate::proc::{Process, Tree};

/// Makes this process the parent of whatever its descendants leave orphaned.
///
/// # Errors
/// The kernel has no subreapers (before 3.4).
pub fn become_subreaper() -> nix::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)
}

/// Living processes of the tree under `root`, parents before children.
pub fn members(root: i32) -> Vec<i32> {
    Tree::scan().map_or_else(|_| Vec::new(), |tree| members_of(&tree, root))
}

/// The same out of all processes of the machine.
pub fn members_of(tree: &Tree, root: i32) -> Vec<i32> {
    let me = std::process::id() as i32;
    // What else is a child of ours (the watchdog, a load command) does not carry the mark.
    let others: Vec<i32> =
        tree.entries().iter().filter(|e| e.ppid == me && e.pid != root && !is_marked(e.pid)).map(|e| e.pid).collect();
    let family = tree.family(root, me, &others);
    family.into_iter().filter(|pid| tree.get(*pid).is_some_and(|e| e.state != 'Z')).collect()
}

/// A process carries the mark of a run in its environment.
pub fn is_marked(pid: i32) -> bool {
    carries(pid, |variable| variable.starts_with(MARK.as_bytes()) && variable.get(MARK.len()) == Some(&b'='))
}

/// Some variable of a process's environment satisfies `wanted`; false where it cannot be read.
pub fn carries(pid: i32, wanted: impl Fn(&[u8]) -> bool) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let environment = Process::open(pid).and_then(|process| process.environ()).unwrap_or_default();
    environment.iter().any(|variable| wanted(variable.as_bytes()))
}

/// Reaps those of `known` that became ours and ended.
pub fn reap(known: &BTreeSet<i32>) {
    for pid in known {
        // Not ours, or not ended: the kernel says so, and nothing happens.
        let _ = waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG));
    }
}
