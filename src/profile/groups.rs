//! Files of one profile put together by the caller's choice, each group with the sums of its functions.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::contents::STILL_RUNNING_NAME;
use super::names::Functions;
use super::read::FileProfile;
use super::tree::{CallTree, Cost, ROOT, Totals, totals};

/// How a file is put together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// A number of the caller's: files of different numbers stay apart, and so do those of different scripts.
    pub number: u32,
    /// It is of a forked process, and stays apart from those that ran something else.
    pub by_entry: bool,
}

/// Where each file belongs; those that are missing belong nowhere.
pub type Places = HashMap<PathBuf, Place>;

/// Files that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The caller's number.
    pub number: u32,
    /// Their script; empty where that is not known.
    pub script: String,
    /// The function that each of them was given to run, by its id.
    pub entry: Option<u32>,
    /// Their places in [`Profile::files`](super::Profile::files).
    pub files: Vec<usize>,
    /// Costs of their functions by id, times in nanoseconds; inclusive costs are sums over the files.
    pub functions: HashMap<u64, Totals>,
}

impl Group {
    /// Sum of the self costs.
    pub fn own(&self) -> Cost {
        let mut own = Cost::default();
        self.functions.values().for_each(|totals| own.add(totals.own));
        own
    }

    fn add(&mut self, other: Group) {
        self.files.extend(other.files);
        for (id, totals) in other.functions {
            let sum = self.functions.entry(id).or_default();
            sum.own.add(totals.own);
            sum.inclusive.add(totals.inclusive);
            sum.calls += totals.calls;
        }
    }
}

/// Groups while files are read.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_key: BTreeMap<(u32, String, Option<u32>), Group>,
    /// Those that were cut off, so that the frame in which they were forked is not known to be theirs.
    cut: Vec<Group>,
}

impl Groups {
    /// Takes up a file that is the `at`th.
    pub fn take(&mut self, at: usize, file: &FileProfile, place: Place, names: &Functions) {
        let tick = file.units.nanoseconds_per_tick.unwrap_or(1) as i64;
        let mut functions = totals(&file.tree).0;
        for totals in functions.values_mut() {
            totals.own.time = totals.own.time.saturating_mul(tick);
            totals.inclusive.time = totals.inclusive.time.saturating_mul(tick);
        }
        let entry = if place.by_entry { entry(&file.tree, names) } else { None };
        let header = file.summary.header.cmd.as_str();
        let script = script(&file.tree, names, header);
        // A forked process that was cut off does not tell.
        let script = script.unwrap_or_else(|| if place.by_entry { String::new() } else { header.to_owned() });
        let key = (place.number, script.clone(), entry);
        let group = Group { number: place.number, script, entry, files: vec![at], functions };
        if place.by_entry && !file.summary.complete {
            self.cut.push(group);
            // There may be thousands.
            if self.cut.len() > MOST_CUT {
                self.settle();
            }
            return;
        }
        self.add(key, group);
    }

    fn add(&mut self, key: (u32, String, Option<u32>), group: Group) {
        match self.by_key.get_mut(&key) {
            Some(sum) => sum.add(group),
            None => drop(self.by_key.insert(key, group)),
        }
    }

    /// Puts what was cut off to those that called the same, where there are any: a process that ended in order shows the
    /// frame that all else stands in.
    fn settle(&mut self) {
        for group in std::mem::take(&mut self.cut) {
            let alike = self.by_key.iter().find(|((number, script, entry), whole)| {
                let same = *number == group.number && (*script == group.script || group.script.is_empty());
                same && entry.is_some()
                    && group.entry.is_none_or(|entry| whole.functions.contains_key(&u64::from(entry)))
            });
            let key = match alike {
                Some((key, _)) => key.clone(),
                None => (group.number, group.script.clone(), group.entry),
            };
            self.add(key, group);
        }
    }

    /// All groups, in the order of their numbers; the dearest first among those of one number.
    pub fn finish(mut self) -> Vec<Group> {
        self.settle();
        let mut groups: Vec<Group> = self.by_key.into_values().collect();
        groups.iter_mut().for_each(|group| group.files.sort_unstable());
        groups.sort_by_cached_key(|group| (group.number, std::cmp::Reverse(group.own().time)));
        groups
    }
}

/// Profiles that were cut off and wait for those of their kind that were not.
const MOST_CUT: usize = 64;

/// What a forked process ran: the dearest of the application's functions that it called itself, in the frames that it was
/// forked in. Those were called before, so that they have no calls here. What stands beside all frames is a shutdown
/// function, or ran in a frame that never ended.
fn entry(tree: &CallTree, names: &Functions) -> Option<u32> {
    let inclusive = tree.inclusive();
    let mut frames = vec![false; tree.len() + 1];
    frames[ROOT as usize] = true;
    let mut dearest = None;
    for (id, node) in tree.nodes().iter().enumerate().skip(1).filter(|(_, node)| node.key <= u64::from(u32::MAX)) {
        if !frames[node.parent as usize] {
            continue;
        }
        let name = names.get(node.key as u32).name.as_str();
        if node.calls == 0 || name == STILL_RUNNING_NAME {
            frames[id] = true;
        } else if !name.starts_with("php::") && name != MAIN {
            let rank = (node.parent != ROOT, inclusive[id].time, std::cmp::Reverse(id));
            dearest = dearest.max(Some((rank, node.key as u32)));
        }
    }
    dearest.map(|(_, key)| key)
}

/// The script of a file: the last thing that ran as one, as what is prepended to it comes first and is what the header
/// names.
fn script(tree: &CallTree, names: &Functions, header: &str) -> Option<String> {
    let mains =
        tree.nodes()[1..].iter().map(|node| names.get(node.key as u32)).filter(|function| function.name == MAIN);
    let others: Vec<&str> = mains.map(|function| function.file.as_str()).filter(|file| *file != header).collect();
    others.last().map(|file| (*file).to_owned())
}

/// The function that a script is.
const MAIN: &str = "{main}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_forked_process_ran_stands_below_the_frames_it_was_forked_in() {
        let mut names = Functions::default();
        let mut id = |name: &str| u64::from(names.intern("a.php", name));
        let (main, fork, serve, work) = (id("{main}"), id("php::pcntl_fork"), id("serve"), id("work"));
        let mut tree = CallTree::new();
        let at = tree.child(ROOT, main);
        let forked = tree.child(at, fork);
        tree.record(forked, 0, Cost { time: 300, memory: 0 });
        let closing = tree.child(ROOT, work);
        tree.record(closing, 1, Cost { time: 900, memory: 0 });
        let served = tree.child(at, serve);
        tree.record(served, 1, Cost { time: 9, memory: 0 });
        let worked = tree.child(served, work);
        tree.record(worked, 500, Cost { time: 90, memory: 0 });
        assert_eq!(entry(&tree, &names), Some(serve as u32));
        assert_eq!(script(&tree, &names, "prepend.php").as_deref(), Some("a.php"));
        assert_eq!(entry(&CallTree::new(), &names), None);
    }
}
