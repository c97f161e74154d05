//! Two call trees as one, and where its paths stand in a picture.

use std::collections::HashMap;

use super::call_paths::{CallPaths, common_names};
use super::difference::{Both, Compared, Judge, Ordered};
use super::flame::Cost;
use super::laid::{Costs, Laid};
use crate::profile::{CallTree, ROOT};

/// Most frames of a picture, and most levels.
const MOST: (usize, usize) = (2000, 250);

/// Units of a picture's width to a nanosecond, or a byte, for each message.
pub const SCALE: u64 = 1000;

/// Both trees as one, by their names.
pub(super) struct BothTrees {
    tree: CallTree,
    /// The names.
    pub names: Vec<String>,
    /// Whether each of them waits.
    pub waits: Vec<bool>,
    nodes: Vec<NodeOfBoth>,
    /// Which of them could not keep all paths.
    pub cut: [bool; 2],
}

#[derive(Clone, Copy, Default)]
struct NodeOfBoth {
    there: [bool; 2],
    calls: [u64; 2],
    time: [u64; 2],
    memory: [u64; 2],
}

impl BothTrees {
    /// Lays one over the other.
    pub fn of(sides: [&CallPaths; 2]) -> Self {
        let common = common_names(sides);
        let (mut names, mut waits, mut known) = (Vec::new(), Vec::new(), HashMap::new());
        let (mut tree, mut nodes) = (CallTree::new(), vec![NodeOfBoth::default()]);
        for (side, paths) in sides.into_iter().enumerate() {
            let mut name_of = Vec::with_capacity(paths.names.len());
            for (name, waiting) in common[side].iter().zip(&paths.waits) {
                let id = *known.entry(name).or_insert_with(|| {
                    names.push(name.clone());
                    waits.push(false);
                    names.len() - 1
                });
                waits[id] |= *waiting;
                name_of.push(id as u64);
            }
            let mut places = vec![ROOT; paths.tree.nodes().len()];
            for (id, node) in paths.tree.nodes().iter().enumerate().skip(1) {
                let place = tree.child(places[node.parent as usize], name_of[node.key as usize]);
                places[id] = place;
                nodes.resize(tree.nodes().len(), NodeOfBoth::default());
                let both = &mut nodes[place as usize];
                // A picture has no negative widths.
                let figure = |figure: i64| u64::try_from(figure).unwrap_or(0);
                both.there[side] = true;
                both.calls[side] = both.calls[side].saturating_add(node.calls);
                both.time[side] = both.time[side].saturating_add(figure(node.cost.time).saturating_mul(paths.tick));
                both.memory[side] = both.memory[side].saturating_add(figure(node.cost.memory));
            }
        }
        Self { tree, names, waits, nodes, cut: sides.map(CallPaths::is_cut) }
    }

    /// Cost of a node's own on a side.
    fn own(&self, node: usize, side: usize, cost: &Cost, busy: bool) -> u64 {
        let of = &self.nodes[node];
        match cost {
            Cost::Allocation => of.memory[side],
            _ if busy && node != ROOT as usize && self.waits[self.tree.nodes()[node].key as usize] => 0,
            _ => of.time[side],
        }
    }

    /// One cost of both; none where there is none.
    pub fn compared(&self, cost: Cost, busy: bool, work: [u64; 2]) -> Option<Compared> {
        let count = self.nodes.len();
        let of = |side: usize| (0..count).map(|node| self.own(node, side, &cost, busy)).collect::<Vec<u64>>();
        let own = [of(0), of(1)];
        let each = |node: usize, side: usize| {
            let scaled = u128::from(own[side][node]) * u128::from(SCALE) / u128::from(work[side]);
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        // What a side lacks is as wide as it is on the other.
        let width = |node: usize, side: usize| {
            if self.nodes[node].there[side] { each(node, side) } else { each(node, 1 - side) }
        };
        let widths = [0, 1].map(|side: usize| (0..count).map(|node| width(node, side)).collect::<Vec<u64>>());
        let widest: Vec<u64> = widths[0].iter().zip(&widths[1]).map(|(was, is)| *was.max(is)).collect();
        if widest.iter().all(|width| *width == 0) {
            return None;
        }
        let name_of: Vec<u32> = (0..self.names.len() as u32).collect();
        let costs = |own: Vec<u64>| Costs {
            tree: &self.tree,
            own,
            name_of: &name_of,
            names: &self.names,
            most: MOST.0,
            levels: MOST.1,
        };
        let all = costs(widest);
        let total = [0, 1].map(|side: usize| own[side].iter().fold(0, |sum: u64, own| sum.saturating_add(*own)));
        let judge = Judge { names: &self.names, waits: &self.waits, cut: self.cut, work, total };
        let placing = Placing { trees: self, own: &own, widths: &widths };
        Some(Compared {
            stacks: placing.stacks(all.stacks(), &judge),
            by_function: placing.by_function(all.by_function(), &judge),
            own: widths.clone().map(|widths| costs(widths).by_name()),
            cost,
            busy,
            total,
        })
    }
}

/// Where the nodes of both trees stand in a picture.
struct Placing<'a> {
    trees: &'a BothTrees,
    /// Cost of each node's own, then and now.
    own: &'a [Vec<u64>; 2],
    /// The same as widths.
    widths: &'a [Vec<u64>; 2],
}

/// The frames of a picture by the frame that they stand below, from 1, and their name.
fn frames_by_path(laid: &Laid) -> HashMap<(usize, u32), usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut found = HashMap::with_capacity(laid.frames.len());
    for (at, frame) in laid.frames.iter().enumerate() {
        open.truncate(frame.depth);
        found.insert((open.last().map_or(0, |above| above + 1), frame.name), at);
        open.push(at);
    }
    found
}

impl Placing<'_> {
    fn name(&self, node: usize) -> u32 {
        self.trees.tree.nodes()[node].key as u32
    }

    fn parent(&self, node: usize) -> usize {
        self.trees.tree.nodes()[node].parent as usize
    }

    fn add(&self, both: &mut Both, node: usize) {
        let of = &self.trees.nodes[node];
        for side in [0, 1] {
            both.there[side] |= of.there[side];
            both.calls[side] = both.calls[side].saturating_add(of.calls[side]);
            both.own[side] = both.own[side].saturating_add(self.own[side][node]);
        }
    }

    fn stacks(&self, laid: Laid, judge: &Judge<'_>) -> Ordered {
        let inclusive = self.own.each_ref().map(|own| self.with_callees(own));
        let widths = self.widths.each_ref().map(|widths| self.with_callees(widths));
        let frames = frames_by_path(&laid);
        let mut both = vec![Both::default(); laid.frames.len()];
        let mut width = [0, 1].map(|_| vec![(0, 0); laid.frames.len()]);
        // Of each node, the frame, from 1.
        let mut places = vec![0; self.trees.nodes.len()];
        for node in 1..places.len() {
            let parent = self.parent(node);
            if parent != ROOT as usize && places[parent] == 0 {
                continue;
            }
            let Some(at) = frames.get(&(places[parent], self.name(node))) else { continue };
            places[node] = at + 1;
            self.add(&mut both[*at], node);
            for side in [0, 1] {
                both[*at].inclusive[side] = inclusive[side][node];
                width[side][*at] = (widths[side][node], self.widths[side][node]);
            }
        }
        judge.ordered(laid, both, width, widths.map(|widths| widths[ROOT as usize]))
    }

    fn by_function(&self, laid: Laid, judge: &Judge<'_>) -> Ordered {
        let frames = frames_by_path(&laid);
        let mut both = vec![Both::default(); laid.frames.len()];
        let mut width = [0, 1].map(|_| vec![(0u64, 0u64); laid.frames.len()]);
        for node in 1..self.trees.nodes.len() {
            let (mut above, mut step) = (0, node);
            while let Some(at) = frames.get(&(above, self.name(step))) {
                self.add(&mut both[*at], node);
                let ends = self.parent(step) == ROOT as usize;
                for (width, own) in width.iter_mut().zip(self.widths) {
                    let (all, last) = &mut width[*at];
                    *all = all.saturating_add(own[node]);
                    *last = last.saturating_add(if ends { own[node] } else { 0 });
                }
                if ends {
                    break;
                }
                (above, step) = (at + 1, self.parent(step));
            }
        }
        both.iter_mut().for_each(|both| both.inclusive = both.own);
        let totals =
            self.widths.each_ref().map(|widths| widths.iter().fold(0, |sum: u64, own| sum.saturating_add(*own)));
        judge.ordered(laid, both, width, totals)
    }

    /// Each node with all below it.
    fn with_callees(&self, own: &[u64]) -> Vec<u64> {
        let mut values = own.to_vec();
        for node in (1..values.len()).rev() {
            let parent = self.parent(node);
            values[parent] = values[parent].saturating_add(values[node]);
        }
        values
    }
}
