//! A profile's calls by their paths, as two profiles are compared by them. Xdebug counts each call: a path that is not
//! there was not taken.

use std::collections::{BTreeMap, BTreeSet};

use super::places::{Place, parts};
use super::profile::Recording;
use crate::profile::{CallTree, Dialect, LEFT_OUT_NAME, Profile};

/// Who called whom, how often, and what it cost.
#[derive(Debug, Clone)]
pub struct CallPaths {
    /// One node for each path of functions.
    pub(super) tree: CallTree,
    /// The name of each of the tree's keys.
    pub(super) names: Vec<String>,
    /// Whether each waits.
    pub(super) waits: Vec<bool>,
    /// Nanoseconds of the tree's time.
    pub(super) tick: u64,
    /// Messages that were accepted meanwhile; 0 where that is not known.
    pub(super) messages: u64,
    /// Sessions, likewise.
    pub(super) sessions: u64,
    /// Every file was closed properly.
    pub(super) complete: bool,
}

impl CallPaths {
    /// Those of a profile, which is taken; none where it holds no calls.
    pub(super) fn of(profile: Profile, waits: Vec<bool>, recording: &Recording) -> Option<Self> {
        if profile.dialect != Dialect::Xdebug || profile.estimated {
            return None;
        }
        // What others did has nothing to do with the load.
        let served = u64::from(recording.served != Some(false));
        let sessions: u64 = recording.waves.iter().map(|wave| wave.sessions).sum();
        Some(Self {
            names: profile.names.iter().map(|function| function.name.clone()).collect(),
            waits,
            tick: profile.units.nanoseconds_per_tick.unwrap_or(1),
            messages: recording.messages * served,
            sessions: sessions * served,
            complete: profile.complete(),
            tree: profile.tree,
        })
    }

    /// A tree that is known by its stacks, outermost first: how often the last of each was called by it, and the
    /// nanoseconds of its own.
    pub fn of_stacks(stacks: &[(&[&str], u64, i64)], messages: u64) -> Self {
        let mut made = Self {
            tree: CallTree::new(),
            names: Vec::new(),
            waits: Vec::new(),
            tick: 1,
            messages,
            sessions: messages,
            complete: true,
        };
        for (stack, calls, time) in stacks {
            let node = stack.iter().fold(crate::profile::ROOT, |above, frame| {
                let known = made.names.iter().position(|name| name == frame).unwrap_or_else(|| {
                    made.names.push((*frame).to_owned());
                    made.names.len() - 1
                });
                made.tree.child(above, known as u64)
            });
            made.tree.record(node, *calls, crate::profile::Cost { time: *time, memory: 0 });
        }
        made.waits = made.names.iter().map(|name| name == "php::usleep").collect();
        made
    }

    /// Some paths were too many to be kept: one that is not there may have been taken.
    pub(super) fn is_cut(&self) -> bool {
        self.names.iter().any(|name| name == LEFT_OUT_NAME)
    }
}

/// The names of two profiles as both have them: without the place of the project, and where a file is not the same in
/// both, without the lines that a closure or a class of it is called after, as one that moved is not new.
pub(super) fn common_names(sides: [&CallPaths; 2]) -> [Vec<String>; 2] {
    let [was, is] = sides.map(|side| side.names.iter().map(String::as_str));
    let places = Place::of_both(was, is);
    let names = [0, 1].map(|side: usize| {
        let bare = |name: &String| places[side].without(name).into_owned();
        sides[side].names.iter().map(bare).collect::<Vec<_>>()
    });
    let [was, is] = [&names[0], &names[1]].map(|names| by_file(names));
    names.map(|names| {
        let bare = |name: &String| match parts(name).filter(|parts| !parts.lines.is_empty()) {
            Some(parts) if was.get(parts.path) != is.get(parts.path) => {
                format!("{}{}{}", parts.before, parts.path, parts.after)
            }
            _ => name.clone(),
        };
        names.iter().map(bare).collect()
    })
}

/// The names that are called after lines, by the file that these are of.
fn by_file(names: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names {
        if let Some(parts) = parts(name).filter(|parts| !parts.lines.is_empty()) {
            files.entry(parts.path.to_owned()).or_default().insert(name.clone());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> CallPaths {
        let stacks: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
        let stacks: Vec<(&[&str], u64, i64)> = stacks.iter().map(|stack| (&stack[..], 1, 1)).collect();
        CallPaths::of_stacks(&stacks, 1)
    }

    #[test]
    fn a_closure_that_moved_is_the_same_one() {
        let was = names(&["{closure:/a/x.php:3-3}", "{closure:/a/y.php:5-5}", "require::/a/x.php"]);
        let is = names(&["{closure:/b/x.php:4-4}", "{closure:/b/y.php:5-5}", "require::/b/x.php"]);
        let common = common_names([&was, &is]);
        assert_eq!(common[0], ["{closure:x.php}", "{closure:y.php:5-5}", "require::x.php"]);
        assert_eq!(common[0], common[1]);
    }
}
