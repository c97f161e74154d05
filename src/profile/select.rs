//! Parts of a profile: frames hidden, stacks focused on. Shares are then of what is left.

use super::contents::Profile;
use super::slices::{Place, Slices, Time};
use super::tree::{CallTree, Cost, ROOT};

/// Takes the cost of hidden frames that no shown frame called.
pub const HIDDEN_NAME: &str = "[hidden]";

/// A pattern of names: text that stands anywhere in the name, `*` for any text in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern from its text.
    pub fn new(text: &str) -> Self {
        Pattern(text.to_owned())
    }

    /// True when a name has the pattern's parts, in their order.
    pub fn matches(&self, name: &str) -> bool {
        let mut rest = name;
        self.0.split('*').all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }

    /// True when the pattern is all of a name, and not a part that stands anywhere in it.
    pub fn is_whole(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(name) = name.strip_prefix(head) else { return false };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        name.strip_suffix(tail).is_some_and(|between| Pattern::new(middle).matches(between))
    }
}

impl Profile {
    /// The profile with the frames that match left out: their cost goes to the nearest caller that is
    /// shown, or to one frame `[hidden]`. The total stays.
    pub fn hide(mut self, pattern: &Pattern) -> Profile {
        let hidden: Vec<bool> = self.names.iter().map(|function| pattern.matches(&function.name)).collect();
        let mut bare: Option<u64> = None;
        let mut bare_frame = ROOT;
        let mut tree = CallTree::new();
        let mut target = vec![ROOT; self.tree.nodes().len()];
        for (id, node) in self.tree.nodes().iter().enumerate().skip(1) {
            let caller = target[node.parent as usize];
            if !hidden[node.key as usize] {
                target[id] = tree.child(caller, node.key);
                tree.record(target[id], node.calls, node.cost);
                continue;
            }
            target[id] = caller;
            if caller != ROOT {
                tree.record(caller, 0, node.cost);
            } else {
                let key = *bare.get_or_insert_with(|| u64::from(self.names.intern("", HIDDEN_NAME)));
                bare_frame = tree.child(ROOT, key);
                tree.record(bare_frame, 0, node.cost);
            }
        }
        let slices = self.slices.moved(|node| {
            let id = node as usize;
            let hidden = hidden[self.tree.nodes()[id].key as usize];
            let node = if hidden && target[id] == ROOT { bare_frame } else { target[id] };
            Some(Place { calls: !hidden, ..Place::all(node) })
        });
        self.with_tree(tree, slices)
    }

    /// The profile with only the stacks that hold a frame which matches; callers keep their place and
    /// lose the cost of their own.
    pub fn focus(self, pattern: &Pattern) -> Profile {
        let wanted: Vec<bool> = self.names.iter().map(|function| pattern.matches(&function.name)).collect();
        let nodes = self.tree.nodes();
        let mut within = vec![false; nodes.len()];
        for (id, node) in nodes.iter().enumerate().skip(1) {
            within[id] = within[node.parent as usize] || wanted[node.key as usize];
        }
        let mut kept = within.clone();
        for (id, node) in nodes.iter().enumerate().skip(1).rev() {
            if kept[id] {
                kept[node.parent as usize] = true;
            }
        }
        let mut tree = CallTree::new();
        let mut target = vec![ROOT; nodes.len()];
        for (id, node) in nodes.iter().enumerate().skip(1) {
            if kept[id] {
                target[id] = tree.child(target[node.parent as usize], node.key);
                tree.record(target[id], node.calls, if within[id] { node.cost } else { Cost::default() });
            }
        }
        let slices = self.slices.moved(|node| {
            let id = node as usize;
            kept[id].then(|| Place {
                node: target[id],
                calls: true,
                time: Time::Times(i64::from(within[id])),
                memory: within[id],
            })
        });
        self.with_tree(tree, slices)
    }

    /// The profile in busy time, as [`CallTree::busy`] has it.
    pub fn busy(self, waits: &[bool]) -> Profile {
        let tree = self.tree.busy(waits);
        let nodes = self.tree.nodes();
        let slices = self.slices.moved(|node| {
            let waits = waits[nodes[node as usize].key as usize];
            Some(Place { time: Time::Times(i64::from(!waits)), ..Place::all(node) })
        });
        self.with_tree(tree, slices)
    }

    /// The profile with its allocation where its time was: functions stand by it, and no time is known any more.
    pub fn by_allocation(self) -> Profile {
        let tree = self.tree.map(|_, node| Some((node.key, Cost { time: node.cost.memory, ..node.cost })));
        let slices = self.slices.moved(|node| Some(Place { time: Time::Allocation, ..Place::all(node) }));
        let mut profile = self.with_tree(tree, slices);
        profile.units.nanoseconds_per_tick = None;
        profile.units.time_event = profile.units.memory_event.clone().unwrap_or_default();
        profile
    }

    /// The profile of a part of the recording, from one share of the records to another, 0 to 1, as near as the parts
    /// of its slices allow: and the shares that it really begins and ends at.
    pub fn part(self, from: f64, to: f64) -> (Profile, (f64, f64)) {
        let (range, shown) = self.slices.nearest(from, to);
        let parts = self.slices.parts()[range].to_vec();
        let whole = Slices::tree(&self.tree, &parts);
        let mut kept: Vec<bool> =
            whole.nodes().iter().map(|node| node.calls > 0 || node.cost != Cost::default()).collect();
        for (id, node) in whole.nodes().iter().enumerate().skip(1).rev() {
            kept[node.parent as usize] |= kept[id];
        }
        let mut tree = CallTree::new();
        let mut target = vec![ROOT; kept.len()];
        for (id, node) in whole.nodes().iter().enumerate().skip(1).filter(|(id, _)| kept[*id]) {
            target[id] = tree.child(target[node.parent as usize], node.key);
            tree.record(target[id], node.calls, node.cost);
        }
        let place = |node: u32| Some(Place::all(target[node as usize]));
        let slices = Slices::from(parts).moved(place);
        (self.with_tree(tree, slices), shown)
    }

    fn with_tree(self, tree: CallTree, slices: Slices) -> Profile {
        let estimated = self.estimated;
        let mut profile = Profile::from_tree(self.dialect, self.units, self.files, self.names, tree);
        (profile.estimated, profile.slices) = (estimated, slices);
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_parts_in_order() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern).matches(name);
        assert!(matches("select", "php::stream_select"));
        assert!(matches("php::*select", "php::stream_select"));
        assert!(!matches("select*stream", "php::stream_select"));
        assert!(!matches("Select", "php::stream_select"));
    }

    #[test]
    fn a_whole_name_has_nothing_before_or_behind_the_pattern() {
        let is_whole = |pattern: &str, name: &str| Pattern::new(pattern).is_whole(name);
        for name in ["App::pause", "App::pauseFor", "A\\B::pause"] {
            assert!(is_whole("A*::pause*", name), "{name}");
        }
        assert!(is_whole("sleep", "sleep") && is_whole("*", "") && is_whole("a*b*c", "a1b2c"));
        assert!(!is_whole("sleep", "usleep") && !is_whole("a*a", "a") && !is_whole("a*b*c", "a1c"));
    }
}
