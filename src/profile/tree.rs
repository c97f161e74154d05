//! The merged call tree: one node for each distinct path of functions. Knows no file format.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// What is summed: wall time or allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Metric {
    /// Time, in the file's unit.
    #[default]
    Time,
    /// Allocation pressure in bytes: growth of PHP's heap while a call ran, never memory that is held.
    Allocation,
}

/// The two costs that Xdebug writes for each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Cost {
    /// Time in the file's unit.
    pub time: i64,
    /// Allocation in bytes.
    pub memory: i64,
}

impl Cost {
    /// The part that a metric names.
    pub fn of(self, metric: Metric) -> i64 {
        match metric {
            Metric::Time => self.time,
            Metric::Allocation => self.memory,
        }
    }

    /// Adds, and stays at the limit of 64 bits instead of wrapping.
    pub fn add(&mut self, other: Cost) {
        self.time = self.time.saturating_add(other.time);
        self.memory = self.memory.saturating_add(other.memory);
    }
}

/// Index of the root that every tree has; it stands for no function.
pub const ROOT: u32 = 0;

/// One path of the tree.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// The node of the caller; the root is its own parent.
    pub parent: u32,
    /// Number of the record that was counted last, where the reader numbers them (see [`CallTree::record_numbered`]).
    pub(crate) last: u32,
    /// The function: an id of the profile's [`Functions`](super::Functions) (while a file is being
    /// read, the ids that the file uses).
    pub key: u64,
    /// Calls by this path.
    pub calls: u64,
    /// Self cost by this path.
    pub cost: Cost,
}

/// What a path is: which of its records its reader counted last is no part of it.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        (self.parent, self.key, self.calls, self.cost) == (other.parent, other.key, other.calls, other.cost)
    }
}

impl Eq for Node {}

/// What a node takes in memory with its place in the index, bytes.
const NODE_BYTES: u64 = 52;

/// Nodes up to which the index has room to spare: it fits into the processor's caches.
const SMALL: usize = 1 << 14;

/// A call tree merged by path. Parents always stand before their children.
#[derive(Debug, Clone)]
pub struct CallTree {
    nodes: Vec<Node>,
    slots: Vec<u32>,
}

impl Default for CallTree {
    fn default() -> Self {
        CallTree::new()
    }
}

impl CallTree {
    /// A tree of the root alone.
    pub fn new() -> Self {
        let root = Node { parent: ROOT, last: 0, key: 0, calls: 0, cost: Cost::default() };
        CallTree { nodes: vec![root], slots: vec![0; 64] }
    }

    #[inline]
    fn slot(parent: u32, key: u64, mask: usize) -> usize {
        let mixed = (key ^ (u64::from(parent) << 40) ^ u64::from(parent)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 32) as usize & mask
    }

    /// The child of `parent` that stands for `key`, made if there is none.
    #[inline]
    pub fn child(&mut self, parent: u32, key: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = Self::slot(parent, key, mask);
        loop {
            let node = self.slots[at];
            if node == 0 {
                return self.insert(parent, key, at);
            }
            let found = &self.nodes[node as usize];
            if found.key == key && found.parent == parent {
                return node;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn insert(&mut self, parent: u32, key: u64, at: usize) -> u32 {
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { parent, last: 0, key, calls: 0, cost: Cost::default() });
        self.slots[at] = node;
        // Where few stand for one another's place, a small tree is found at the first look nearly always.
        let sparse = if self.nodes.len() < SMALL { 8 } else { 2 };
        if self.nodes.len() * sparse > self.slots.len() {
            self.slots = vec![0; self.slots.len() * 2];
            self.index();
        }
        node
    }

    /// Counts calls and self cost at a node.
    #[inline]
    pub fn record(&mut self, node: u32, calls: u64, cost: Cost) {
        let node = &mut self.nodes[node as usize];
        node.calls += calls;
        node.cost.add(cost);
    }

    /// Counts one call and its self cost at a node, and notes the number of its record.
    #[inline]
    pub(crate) fn record_numbered(&mut self, node: u32, number: u32, cost: Cost) {
        let node = &mut self.nodes[node as usize];
        node.calls += 1;
        node.last = number;
        node.cost.add(cost);
    }

    /// What the tree takes in memory, bytes.
    pub fn bytes(&self) -> u64 {
        self.nodes.len() as u64 * NODE_BYTES
    }

    fn index(&mut self) {
        self.slots.fill(0);
        let mask = self.slots.len() - 1;
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            let mut at = Self::slot(node.parent, node.key, mask);
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = id as u32;
        }
    }

    /// Replaces every key where no two of the new ones are equal; else nothing is done and false is given back.
    pub(crate) fn rekey(&mut self, keys: &HashMap<u64, u64>) -> bool {
        let distinct: HashSet<u64> = keys.values().copied().collect();
        if distinct.len() < keys.len() {
            return false;
        }
        self.nodes[1..].iter_mut().for_each(|node| node.key = keys[&node.key]);
        self.index();
        true
    }

    /// Keeps the dearest quarter of the paths: what the others cost stands in one node of the key `left_out` below the
    /// caller that stays, so that the tree is half as large at most. Nodes that are `open`, and all above them, stay. Gives back where the cost of each node went.
    pub(crate) fn prune(&mut self, open: impl Iterator<Item = u32>, left_out: u64) -> Vec<u32> {
        let count = self.nodes.len();
        let total = self.total();
        let share = |part: i64, all: i64| if part > 0 && all > 0 { part as f32 / all as f32 } else { 0.0 };
        let rank = |node: &Node| share(node.cost.time, total.time) + share(node.cost.memory, total.memory);
        let mut ranks: Vec<f32> = self.nodes.iter().map(rank).collect();
        for id in (1..count).rev() {
            let below = ranks[id];
            ranks[self.nodes[id].parent as usize] += below;
        }
        let mut order = ranks.clone();
        let (_, cut, _) = order.select_nth_unstable_by(count - count / 4 - 1, f32::total_cmp);
        let cut = *cut;
        drop(order);
        let mut kept: Vec<bool> = ranks.iter().map(|rank| *rank > cut).collect();
        open.for_each(|node| kept[node as usize] = true);
        for id in (1..count).rev().filter(|id| self.nodes[*id].key == left_out) {
            kept[id] = false;
        }
        for id in (1..count).rev() {
            if kept[id] {
                kept[self.nodes[id].parent as usize] = true;
            }
        }
        let mut places = vec![ROOT; count];
        let mut bars: HashMap<u32, u32> = HashMap::new();
        let mut next = 1;
        for id in 1..count {
            let node = self.nodes[id];
            let parent = places[node.parent as usize];
            if kept[id] {
                self.nodes[next] = Node { parent, ..node };
                places[id] = next as u32;
                next += 1;
                continue;
            }
            let within = parent != ROOT && self.nodes[parent as usize].key == left_out;
            let bar = match within {
                true => parent,
                false => *bars.entry(parent).or_insert_with(|| {
                    self.nodes[next] = Node { parent, last: 0, key: left_out, calls: 0, cost: Cost::default() };
                    next += 1;
                    next as u32 - 1
                }),
            };
            self.record(bar, node.calls, node.cost);
            places[id] = bar;
        }
        self.nodes.truncate(next);
        self.index();
        places
    }

    /// All nodes, the root first and parents before children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Nodes without the root.
    pub fn len(&self) -> usize {
        self.nodes.len() - 1
    }

    /// True when no call is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Levels of the deepest path.
    pub fn deepest(&self) -> usize {
        let mut depths = vec![0u32; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            depths[id] = depths[node.parent as usize] + 1;
        }
        depths.into_iter().max().unwrap_or(0) as usize
    }

    /// Sum of the self costs.
    pub fn total(&self) -> Cost {
        let mut total = Cost::default();
        self.nodes.iter().for_each(|node| total.add(node.cost));
        total
    }

    /// Inclusive cost of each node.
    pub fn inclusive(&self) -> Vec<Cost> {
        self.inclusive_of(|node| node.cost)
    }

    fn inclusive_of(&self, own: impl Fn(&Node) -> Cost) -> Vec<Cost> {
        let mut costs: Vec<Cost> = self.nodes.iter().map(own).collect();
        for id in (1..self.nodes.len()).rev() {
            let cost = costs[id];
            costs[self.nodes[id].parent as usize].add(cost);
        }
        costs
    }

    /// Children of all nodes, one behind the other in the order in which they were made, and where those of each node
    /// begin. Eight bytes a node: trees have millions.
    pub(crate) fn children(&self) -> (Vec<u32>, Vec<u32>) {
        let mut begins = vec![0u32; self.nodes.len() + 1];
        for node in &self.nodes[1..] {
            begins[node.parent as usize + 1] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut next = begins.clone();
        let mut children = vec![0u32; self.len()];
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            let place = &mut next[node.parent as usize];
            children[*place as usize] = id as u32;
            *place += 1;
        }
        (children, begins)
    }

    /// Visits every node depth first: `visit(node, true)` on the way down, `visit(node, false)` on the
    /// way up. Siblings come in the order of `rank`. No recursion: trees can be very deep.
    pub fn walk<K: Ord>(&self, rank: impl Fn(u32) -> K, mut visit: impl FnMut(u32, bool)) {
        let (mut children, begins) = self.children();
        let range = |node: u32| begins[node as usize] as usize..begins[node as usize + 1] as usize;
        let mut open = vec![(ROOT, 0)];
        while let Some((top, next)) = open.last_mut() {
            let (top, at) = (*top, *next);
            let siblings = &mut children[range(top)];
            if at == 0 && siblings.len() > 1 {
                // Those that are equal come last made first.
                siblings.reverse();
                siblings.sort_by_cached_key(|&child| rank(child));
            }
            match siblings.get(at) {
                Some(&child) => {
                    *next += 1;
                    visit(child, true);
                    open.push((child, 0));
                }
                None => {
                    open.pop();
                    if top != ROOT {
                        visit(top, false);
                    }
                }
            }
        }
    }

    /// The tree with every key replaced; nodes that become equal are merged. `map` gives the new key
    /// and the part of the self cost that counts, or `None` for a node whose cost goes to its parent.
    pub fn map(&self, mut map: impl FnMut(u32, &Node) -> Option<(u64, Cost)>) -> CallTree {
        let mut tree = CallTree::new();
        tree.absorb(self, &mut map);
        tree
    }

    /// The tree in busy time: without the self time of the functions that wait, by id. What they call keeps its time:
    /// a callback under an event loop is work.
    pub fn busy(&self, waits: &[bool]) -> CallTree {
        self.map(|_, node| {
            let time = if waits[node.key as usize] { 0 } else { node.cost.time };
            Some((node.key, Cost { time, ..node.cost }))
        })
    }

    /// The same nodes without calls and costs.
    pub fn emptied(&self) -> CallTree {
        let mut tree = self.clone();
        tree.nodes.iter_mut().for_each(|node| (node.calls, node.cost) = (0, Cost::default()));
        tree
    }

    /// Adds another tree, its keys replaced as in [`map`](CallTree::map). Gives back which node took each of
    /// the other's.
    pub fn absorb(&mut self, other: &CallTree, map: &mut impl FnMut(u32, &Node) -> Option<(u64, Cost)>) -> Vec<u32> {
        let mut place = vec![ROOT; other.nodes.len()];
        self.record(ROOT, other.nodes[0].calls, other.nodes[0].cost);
        for (id, node) in other.nodes.iter().enumerate().skip(1) {
            let parent = place[node.parent as usize];
            place[id] = match map(id as u32, node) {
                Some((key, cost)) => {
                    let child = self.child(parent, key);
                    self.record(child, node.calls, cost);
                    child
                }
                None => {
                    self.record(parent, 0, node.cost);
                    parent
                }
            };
        }
        place
    }
}

/// Cost of one function over all paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Self cost.
    pub own: Cost,
    /// Inclusive cost; recursion is counted once.
    pub inclusive: Cost,
    /// Calls.
    pub calls: u64,
}

/// Caller (none: a root) and callee.
pub(crate) type Edge = (Option<u64>, u64);

/// Totals of each key, and of each pair of caller and callee (inclusive, recursion counted once).
pub(crate) fn totals(tree: &CallTree) -> (HashMap<u64, Totals>, HashMap<Edge, Totals>) {
    totals_of(tree, |node| node.cost)
}

/// The same where nodes cost something else.
pub(crate) fn totals_of(tree: &CallTree, own: impl Fn(&Node) -> Cost) -> (HashMap<u64, Totals>, HashMap<Edge, Totals>) {
    let inclusive = tree.inclusive_of(&own);
    let mut functions: HashMap<u64, Totals> = HashMap::new();
    let mut edges: HashMap<Edge, Totals> = HashMap::new();
    let mut open: HashMap<u64, u32> = HashMap::new();
    let mut open_edges: HashMap<Edge, u32> = HashMap::new();
    tree.walk(
        |node| node,
        |id, down| {
            let node = &tree.nodes[id as usize];
            let caller = (node.parent != ROOT).then(|| tree.nodes[node.parent as usize].key);
            let edge = (caller, node.key);
            let active = open.entry(node.key).or_default();
            let active_edge = open_edges.entry(edge).or_default();
            if !down {
                *active -= 1;
                *active_edge -= 1;
                return;
            }
            let function = functions.entry(node.key).or_default();
            let call = edges.entry(edge).or_default();
            function.calls += node.calls;
            call.calls += node.calls;
            function.own.add(own(node));
            call.own.add(own(node));
            if *active == 0 {
                function.inclusive.add(inclusive[id as usize]);
            }
            if *active_edge == 0 {
                call.inclusive.add(inclusive[id as usize]);
            }
            *active += 1;
            *active_edge += 1;
        },
    );
    (functions, edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pruned_keeps_its_cost_below_its_caller() {
        let mut tree = CallTree::new();
        let cost = |time| Cost { time, memory: 0 };
        let main = tree.child(ROOT, 1);
        tree.record(main, 1, cost(10));
        let mut leaves = Vec::new();
        for key in 2..100u64 {
            let node = tree.child(main, key);
            tree.record(node, 1, cost(key as i64));
            let below = tree.child(node, 1000);
            tree.record(below, 2, cost(1));
            leaves.push(below);
        }
        let (total, bar) = (tree.total(), 7777);
        let places = tree.prune([leaves[0]].into_iter(), bar);
        assert_eq!(tree.total(), total);
        assert!(tree.len() < 2 * leaves.len() * 6 / 10, "{}", tree.len());
        // What is open stays with its callers; the dearest stay.
        let kept = tree.nodes()[places[leaves[0] as usize] as usize];
        assert_eq!((kept.key, kept.calls, tree.nodes()[kept.parent as usize].key), (1000, 2, 2));
        let keys: Vec<u64> = tree.nodes().iter().filter(|node| node.parent == 1).map(|node| node.key).collect();
        assert!(keys.contains(&99) && !keys.contains(&3) && keys.contains(&bar), "{keys:?}");
        // Paths that come again are found; again pruned, there is one bar a caller.
        assert_eq!(tree.child(main, 99), tree.child(1, 99));
        tree.prune(std::iter::empty(), bar);
        assert_eq!(tree.total(), total);
        assert_eq!(tree.nodes().iter().filter(|node| node.key == bar && node.parent == 1).count(), 1);
        for (id, node) in tree.nodes().iter().enumerate().skip(1) {
            assert!((node.parent as usize) < id);
        }
    }
}
