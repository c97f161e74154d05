//! The processes of the server: what descends from the watchdog, and what was seen to do so once.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::container::is_marked;
use super::group;
use super::launch::MARK;
use super::watchdog::{self, Watchdog};
use crate::proc::{Entry, Process, Tree};

/// Between two looks at a tree that seems to be empty.
const AGAIN: Duration = Duration::from_millis(10);

/// So many looks are taken before it is called empty: the list of processes is not read in one moment.
const LOOKS: u32 = 5;

/// No process has this pid.
const NOBODY: i32 = -1;

/// Makes this process the parent of whatever its descendants leave orphaned.
///
/// # Errors
/// The kernel has no subreapers (before 3.4).
pub fn become_subreaper() -> nix::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)
}

/// The tree of one launch. Clones share what was seen.
#[derive(Debug, Clone)]
pub struct Family {
    watchdog: i32,
    root: i32,
    group: Option<PathBuf>,
    /// What was there before the launch, by pid and start time: a hook's, stopped but not judged.
    beside: Arc<BTreeMap<i32, u64>>,
    /// What was seen of it, by pid and start time.
    seen: Arc<Mutex<BTreeMap<i32, u64>>>,
    /// A container's, which descends from its engine.
    container: Option<Arc<Container>>,
}

/// By what the processes of a container are found.
#[derive(Debug)]
struct Container {
    /// In the environment of the first one.
    mark: String,
    /// Start time of the client: none of them is older.
    since: u64,
    /// The first one was seen.
    found: AtomicBool,
}

impl Family {
    /// Everything below a watchdog.
    pub fn of_all(watchdog: &Watchdog) -> Self {
        Self {
            watchdog: watchdog.pid(),
            root: 0,
            group: watchdog.group().map(Into::into),
            beside: Arc::default(),
            seen: Arc::default(),
            container: None,
        }
    }

    /// The tree of `root`, which is launched next: all below the watchdog but what is there already.
    pub fn before_launch(watchdog: &Watchdog) -> Self {
        let all = Self::of_all(watchdog);
        all.members();
        let beside = std::mem::take(&mut *all.seen.lock().unwrap_or_else(PoisonError::into_inner));
        Self { beside: Arc::new(beside), ..all }
    }

    /// A process that runs already, and all below it. It has no watchdog.
    pub fn of_running(pid: i32) -> Self {
        let family = Self::of_nobody(None);
        family.adopt(pid);
        family
    }

    /// What will run in the container of the launch marked so, which its `client` starts. The client is no part of it.
    pub fn of_container(mark: &str, client: i32) -> Self {
        let since = Process::open(client).and_then(|process| process.stat()).map_or(0, |stat| stat.start);
        let container = Container { mark: mark.to_owned(), since, found: AtomicBool::new(false) };
        Self::of_nobody(Some(Arc::new(container)))
    }

    fn of_nobody(container: Option<Arc<Container>>) -> Self {
        let (beside, seen) = (Arc::default(), Arc::default());
        Self { watchdog: NOBODY, root: NOBODY, group: None, beside, seen, container }
    }

    /// Takes up a process that is known to be its first one.
    pub fn adopt(&self, pid: i32) {
        let start = Tree::scan().ok().and_then(|tree| tree.get(pid).map(|entry| entry.start));
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(start.map(|start| (pid, start)));
        if let Some(container) = self.container.as_ref().filter(|_| start.is_some()) {
            container.found.store(true, Ordering::Relaxed);
        }
    }

    /// A process that was seen to be of it.
    pub fn has(&self, pid: i32) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&pid)
    }

    /// It is a container's, and nothing of it was seen yet.
    pub fn is_awaited(&self) -> bool {
        self.container.as_ref().is_some_and(|container| !container.found.load(Ordering::Relaxed))
    }

    /// The same, now that its root is known.
    pub fn with_root(self, root: i32) -> Self {
        Self { root, ..self }
    }

    /// Living processes of the tree, the root first, then parents before children.
    pub fn members(&self) -> Vec<i32> {
        Tree::scan().map_or_else(|_| Vec::new(), |tree| self.members_of(&tree))
    }

    /// The same out of all processes of the machine.
    pub fn members_of(&self, tree: &Tree) -> Vec<i32> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|pid, start| tree.get(*pid).is_some_and(|e| e.start == *start));
        if let Some(first) = self.container.as_ref().and_then(|container| container.first(tree)) {
            seen.insert(first.pid, first.start);
        }
        let is_beside = |pid: i32| tree.get(pid).is_some_and(|e| self.beside.get(&pid) == Some(&e.start));
        let mut seeds: Vec<i32> = tree.get(self.root).map(|e| e.pid).into_iter().collect();
        seeds.extend(tree.entries().iter().filter(|e| e.ppid == self.watchdog).map(|e| e.pid));
        seeds.extend(seen.keys());
        if let Some(group) = &self.group {
            // Whoever was born since the list was read is found by the next look.
            seeds.extend(group::members(group).into_iter().filter(|pid| tree.get(*pid).is_some()));
        }
        let mut known = BTreeSet::new();
        seeds.retain(|pid| *pid != self.watchdog && known.insert(*pid));
        let except: Vec<i32> = self.beside.keys().copied().filter(|pid| is_beside(*pid)).collect();
        seeds.retain(|pid| !is_beside(*pid) && !is_below(tree, *pid, &except));
        let family = tree.below(seeds, &except);
        let alive = |pid: &i32| tree.get(*pid).is_some_and(|e| e.state != 'Z');
        let family: Vec<i32> = family.into_iter().filter(alive).collect();
        seen.extend(family.iter().filter_map(|pid| tree.get(*pid)).map(|e| (e.pid, e.start)));
        family
    }

    /// The same, and where there seems to be none, looked at again: a server that forks while the list
    /// is read may be missed by every line of it.
    pub fn members_for_sure(&self, watchdog: &Watchdog) -> Vec<i32> {
        for look in 0..LOOKS {
            let members = self.members();
            if !members.is_empty() || self.is_awaited() || watchdog.is_any_left() == Some(false) {
                return members;
            }
            if look + 1 < LOOKS {
                std::thread::sleep(AGAIN);
            }
        }
        Vec::new()
    }
}

impl Container {
    /// Its first process, at the moment that it is seen for the first time: it bears the mark, and its parent does not.
    fn first(&self, tree: &Tree) -> Option<Entry> {
        if self.found.load(Ordering::Relaxed) {
            return None;
        }
        let young = tree.entries().iter().filter(|entry| entry.start >= self.since && entry.state != 'Z');
        let first = young.filter(|entry| is_marked(entry.pid, &self.mark).unwrap_or(false)).min_by_key(|e| e.start)?;
        self.found.store(true, Ordering::Relaxed);
        Some(*first)
    }
}

fn is_below(tree: &Tree, pid: i32, of: &[i32]) -> bool {
    let mut at = pid;
    // No process is its own ancestor; the bound is for a list that was read while it changed.
    for _ in 0..64 {
        let Some(entry) = tree.get(at) else { return false };
        if of.contains(&entry.ppid) {
            return true;
        }
        at = entry.ppid;
    }
    false
}

/// Processes of a run that was killed together with its watchdog: they bear the mark of a run, and are below neither it nor
/// a watchdog. By pid, with the mark.
pub fn strays() -> Vec<(i32, String)> {
    let Ok(tree) = Tree::scan() else { return Vec::new() };
    let words = |pid: i32| Process::open(pid).and_then(|process| process.cmdline()).unwrap_or_default();
    let watchdogs: Vec<i32> =
        tree.pids().filter(|pid| words(*pid).first().is_some_and(|name| name == watchdog::NAME)).collect();
    // A container descends from no watchdog; its mark begins with that of its run.
    let ids: Vec<_> = watchdogs.iter().filter_map(|pid| words(*pid).pop()).collect();
    let is_guarded = |pid: i32, id: &str| {
        if ids.iter().any(|own| id.split('.').next().is_some_and(|run| own == run)) {
            return true;
        }
        let run = id.split('-').next().and_then(|run| run.parse().ok());
        let above: Vec<i32> = watchdogs.iter().copied().chain(run).collect();
        above.contains(&pid) || is_below(&tree, pid, &above)
    };
    tree.pids().filter_map(|pid| Some((pid, mark(pid)?))).filter(|(pid, id)| !is_guarded(*pid, id)).collect()
}

/// The mark that a process was started with.
fn mark(pid: i32) -> Option<String> {
    let environment = Process::open(pid).and_then(|process| process.environ()).ok()?;
    let prefix = format!("{MARK}=");
    let found = environment.iter().find_map(|variable| variable.as_bytes().strip_prefix(prefix.as_bytes()))?;
    Some(String::from_utf8_lossy(found).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(i32, i32, u64)]) -> Tree {
        let entry = |&(pid, ppid, start)| Entry { pid, ppid, session: 1, start, state: 'S' };
        Tree::new(links.iter().map(entry).collect())
    }

    fn family(root: i32, beside: &[(i32, u64)]) -> Family {
        let beside = Arc::new(beside.iter().copied().collect());
        Family { watchdog: 10, root, group: None, beside, seen: Arc::default(), container: None }
    }

    #[test]
    fn orphans_are_the_watchdogs_and_hooks_are_not_the_servers() {
        // 10 is the watchdog; 11 the server; 12 its worker; 13 a worker whose parent died; 15 a hook's with a child.
        let tree = tree(&[(10, 1, 1), (11, 10, 2), (12, 11, 3), (13, 10, 4), (15, 10, 1), (16, 15, 5)]);
        assert_eq!(family(11, &[(15, 1)]).members_of(&tree), [11, 13, 12]);
        // Its pid was given to another.
        assert_eq!(family(11, &[(15, 99)]).members_of(&tree), [11, 13, 15, 12, 16]);
    }

    #[test]
    fn what_was_seen_once_stays_where_the_watchdog_is_gone() {
        let family = family(11, &[]);
        assert_eq!(family.members_of(&tree(&[(10, 1, 1), (11, 10, 2), (13, 10, 4)])), [11, 13]);
        // Killed: the run has adopted them. The root has ended; 14 is a child of the one that was seen.
        assert_eq!(family.members_of(&tree(&[(13, 1, 4), (14, 13, 9)])), [13, 14]);
        // 13 has ended, and a stranger bears its pid.
        assert_eq!(family.members_of(&tree(&[(13, 1, 20), (14, 1, 9)])), [14]);
    }
}
