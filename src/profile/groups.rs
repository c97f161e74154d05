//! Files of one profile put together by the caller's choice, each group with the sums of its functions.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::contents::STILL_RUNNING_NAME;
use super::names::Functions;
use super::read::FileProfile;
use super::tree::{CallTree, Cost, Node, ROOT, Totals, totals};

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
    /// What their headers name as the script.
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
        let script = file.summary.header.cmd.clone();
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
                let same = *number == group.number && *script == group.script && entry.is_some();
                same && group.entry.is_none_or(|entry| whole.functions.contains_key(&u64::from(entry)))
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

/// What a forked process ran: the dearest of the application's functions that it called itself, below the frames that it
/// was forked in. Those were called before, so that they have no calls here.
fn entry(tree: &CallTree, names: &Functions) -> Option<u32> {
    let inclusive = tree.inclusive();
    let (children, begins) = tree.children();
    let below = |node: u32| &children[begins[node as usize] as usize..begins[node as usize + 1] as usize];
    let name = |node: &Node| names.get(node.key as u32).name.as_str();
    let mut at = ROOT;
    loop {
        let dearest = |test: &dyn Fn(&Node) -> bool| {
            let nodes = below(at).iter().filter(|child| test(&tree.nodes()[**child as usize]));
            nodes.copied().max_by_key(|child| (inclusive[*child as usize].time, std::cmp::Reverse(*child)))
        };
        let own = dearest(&|node| node.calls > 0 && !name(node).starts_with("php::") && name(node) != STILL_RUNNING_NAME);
        let frame = dearest(&|node| node.calls == 0 || name(node) == STILL_RUNNING_NAME);
        match (own, frame) {
            (Some(own), None) => return Some(tree.nodes()[own as usize].key as u32),
            (Some(own), Some(frame)) if inclusive[own as usize].time >= inclusive[frame as usize].time => {
                return Some(tree.nodes()[own as usize].key as u32);
            }
            (_, Some(frame)) => at = frame,
            (None, None) => return None,
        }
    }
}

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
        tree.record(forked, 0, Cost { time: 3, memory: 0 });
        let served = tree.child(at, serve);
        tree.record(served, 1, Cost { time: 9, memory: 0 });
        let worked = tree.child(served, work);
        tree.record(worked, 500, Cost { time: 90, memory: 0 });
        assert_eq!(entry(&tree, &names), Some(serve as u32));
        assert_eq!(entry(&CallTree::new(), &names), None);
    }
}
