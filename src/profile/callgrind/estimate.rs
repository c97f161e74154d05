//! The tree that edges suggest: each function's cost is split over its callers by what they were charged
//! for it, and these parts over their callers in turn. Stacks that really were are not in the file; a
//! function that is dear for one caller and cheap for another cannot be told from one that is even.

use std::collections::BinaryHeap;

use super::super::tree::{CallTree, Cost, ROOT};
use super::inclusive::{Flat, Inclusive};

/// Root of what could not be placed.
pub const UNPLACED_NAME: &str = "[stack not estimated]";

/// Nodes at most: paths through a graph can be endless.
const MOST_NODES: usize = 1 << 16;
/// Places that wait to be split, at most.
const MOST_OPEN: usize = 1 << 18;
/// Deepest stack.
const DEEPEST: u32 = 400;
/// A share of a function's cost below this that no caller was charged for is rounding, no root.
const ROUNDING: f64 = 0.01;

/// A part of a function's cost below some callers.
#[derive(Debug, PartialEq)]
struct Open {
    /// Estimated inclusive cost.
    weight: f64,
    /// Order of making, so that equal weights come out alike each time.
    order: u32,
    node: u32,
    function: u32,
    /// Share of the function's cost.
    share: f64,
    depth: u32,
}

impl Eq for Open {}
impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Open {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.weight.total_cmp(&other.weight).then(other.order.cmp(&self.order))
    }
}

/// What is split: self costs and calls of each function.
pub(super) struct Amounts<'a> {
    pub time: &'a [i64],
    pub memory: &'a [i64],
    pub calls: &'a [u64],
}

/// Builds the tree; keys are those of `keys`, `unplaced` is the key of [`UNPLACED_NAME`]. Self costs and
/// calls of every function are kept to the unit.
pub(super) fn estimate(
    graph: &Flat,
    inclusive: &Inclusive,
    amounts: &Amounts,
    keys: &[u64],
    unplaced: &mut impl FnMut() -> u64,
) -> CallTree {
    let forward = forward(graph, inclusive);
    let roots = root_shares(graph, inclusive, &forward);
    let charged = charged(&forward, &roots, inclusive);
    let mut tree = CallTree::new();
    let mut placed: Vec<Placed> = vec![Placed::default(); keys.len()];
    let mut open = BinaryHeap::new();
    let mut order = 0;
    for (function, share) in roots.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let weight = share * inclusive.costs[function] as f64;
        let (function, node) = (function as u32, ROOT);
        open.push(Open { weight, order, node, function, share: *share, depth: 1 });
        order += 1;
    }
    while let Some(next) = open.pop() {
        let f = next.function as usize;
        if tree.len() >= MOST_NODES || (next.weight < 1.0 && placed[f].node != ROOT) {
            continue;
        }
        let node = tree.child(next.node, keys[f]);
        placed[f].place(&mut tree, node, next.share, amounts, f);
        if next.depth == DEEPEST {
            continue;
        }
        for &(callee, calls, cost) in &forward[f] {
            let share = match charged[callee as usize] {
                all if all > 0.0 => next.share * amount(calls, cost, inclusive, callee) / all,
                _ => 0.0,
            };
            let weight = share * inclusive.costs[callee as usize] as f64;
            if share > 0.0 && open.len() < MOST_OPEN && (weight >= 1.0 || placed[callee as usize].node == ROOT) {
                open.push(Open { weight, order, node, function: callee, share, depth: next.depth + 1 });
                order += 1;
            }
        }
    }
    for (f, placed) in placed.iter().enumerate() {
        placed.settle(&mut tree, amounts, f, keys[f], unplaced);
    }
    tree
}

/// What of a function is in the tree, and its greatest place.
#[derive(Debug, Clone, Default)]
struct Placed {
    node: u32,
    share: f64,
    cost: Cost,
    calls: u64,
}

impl Placed {
    fn place(&mut self, tree: &mut CallTree, node: u32, share: f64, amounts: &Amounts, f: usize) {
        let part = |amount: i64| (amount as f64 * share) as i64;
        let cost = Cost { time: part(amounts.time[f]), memory: part(amounts.memory[f]) };
        let calls = (amounts.calls[f] as f64 * share) as u64;
        // Rounding may not place more than there is.
        let calls = calls.min(amounts.calls[f] - self.calls);
        tree.record(node, calls, cost);
        self.cost.add(cost);
        self.calls += calls;
        if self.node == ROOT || share > self.share {
            (self.node, self.share) = (node, share);
        }
    }

    /// Puts what is left where most of the function is.
    fn settle(&self, tree: &mut CallTree, amounts: &Amounts, f: usize, key: u64, unplaced: &mut impl FnMut() -> u64) {
        let time = amounts.time[f].saturating_sub(self.cost.time);
        let memory = amounts.memory[f].saturating_sub(self.cost.memory);
        let calls = amounts.calls[f] - self.calls;
        if (time, memory, calls) == (0, 0, 0) {
            return;
        }
        let node = match self.node {
            ROOT => {
                let frame = tree.child(ROOT, unplaced());
                tree.child(frame, key)
            }
            node => node,
        };
        tree.record(node, calls, Cost { time, memory });
    }
}

/// What an edge counts for: its cost, or its calls where its callee costs nothing.
fn amount(calls: u64, cost: i64, inclusive: &Inclusive, callee: u32) -> f64 {
    if inclusive.costs[callee as usize] > 0 { cost.max(0) as f64 } else { calls.max(1) as f64 }
}

/// The edges without those that close a circle: met on the way down from the roots, dearest first.
fn forward(graph: &Flat, inclusive: &Inclusive) -> Vec<Vec<(u32, u64, i64)>> {
    let count = graph.own.len();
    let mut called = vec![false; count];
    graph.callees.iter().flatten().for_each(|(callee, ..)| called[*callee as usize] = true);
    let mut starts: Vec<u32> = (0..count as u32).collect();
    starts.sort_by_key(|&f| (called[f as usize], std::cmp::Reverse(inclusive.costs[f as usize]), f));
    let mut sorted = graph.callees.clone();
    sorted
        .iter_mut()
        .for_each(|callees| callees.sort_by_key(|(f, calls, cost)| (-cost.max(&0), -(*calls as i128), *f)));
    let (mut seen, mut active) = (vec![false; count], vec![false; count]);
    let mut kept = vec![Vec::new(); count];
    let mut open: Vec<(u32, usize)> = Vec::new();
    for start in starts {
        if !seen[start as usize] {
            (seen[start as usize], active[start as usize]) = (true, true);
            open.push((start, 0));
        }
        while let Some((function, at)) = open.last_mut() {
            let f = *function as usize;
            let Some(&edge) = sorted[f].get(*at) else {
                active[f] = false;
                open.pop();
                continue;
            };
            *at += 1;
            let callee = edge.0 as usize;
            if active[callee] {
                continue;
            }
            kept[f].push(edge);
            if !seen[callee] {
                (seen[callee], active[callee]) = (true, true);
                open.push((edge.0, 0));
            }
        }
    }
    kept
}

/// The share of each function's cost that stands below no caller.
fn root_shares(graph: &Flat, inclusive: &Inclusive, forward: &[Vec<(u32, u64, i64)>]) -> Vec<f64> {
    let mut charged = vec![0f64; graph.own.len()];
    let (mut called, mut circle) = (vec![false; graph.own.len()], vec![false; graph.own.len()]);
    for (caller, callees) in forward.iter().enumerate() {
        for &(callee, _, cost) in callees {
            charged[callee as usize] += cost.max(0) as f64;
            called[callee as usize] = true;
            // Costs inside a circle hold one another: what is missing cannot be told.
            circle[callee as usize] |= inclusive.circles[caller] == inclusive.circles[callee as usize];
        }
    }
    (0..graph.own.len())
        .map(|f| {
            let all = inclusive.costs[f] as f64;
            match (called[f], circle[f]) {
                (false, _) => 1.0,
                _ if all <= 0.0 => 0.0,
                (true, true) => f64::from(u8::from(charged[f] <= 0.0)),
                _ => Some((all - charged[f]) / all).filter(|share| *share >= ROUNDING).unwrap_or(0.0),
            }
        })
        .collect()
}

/// The sum over which each function's cost below callers is split.
fn charged(forward: &[Vec<(u32, u64, i64)>], roots: &[f64], inclusive: &Inclusive) -> Vec<f64> {
    let mut charged = vec![0f64; roots.len()];
    for &(callee, calls, cost) in forward.iter().flatten() {
        charged[callee as usize] += amount(calls, cost, inclusive, callee);
    }
    for (sum, share) in charged.iter_mut().zip(roots) {
        // Where all of a function is a root, its callers have no share in it.
        *sum = if *share < 1.0 { *sum / (1.0 - share) } else { 0.0 };
    }
    charged
}
