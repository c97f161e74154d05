//! Call trees as flamegraphs show them: numbers and names, one tree for each cost and each part of the recording.
//! Knows nothing of how they are drawn, and writes no text.

use std::collections::HashMap;
use std::sync::Arc;

use super::slices::{self, WaveAt};
use crate::profile::{CallTree, Cost as TreeCost, Dialect, Node, Profile, Slices, Span, split, totals};

/// Which cost a tree shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// Nanoseconds.
    Time,
    /// Bytes that PHP's heap grew by while the function ran.
    Allocation,
    /// An event of this name, counted: instructions, misses.
    Events(String),
}

/// Which part of the recording a tree shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    /// All of it.
    All,
    /// The first tenth of the records.
    First,
    /// The last tenth.
    Last,
    /// What was recorded under the load of a scenario.
    Load(String),
}

/// One flamegraph's data.
#[derive(Debug, Clone)]
pub struct Flame {
    /// Which cost.
    pub cost: Cost,
    /// Waiting was taken out.
    pub busy: bool,
    /// Which part.
    pub slice: Slice,
    /// Stacks are an estimate from edges.
    pub estimated: bool,
    /// Names of the functions, by the tree's keys; no two are equal.
    pub names: Arc<Vec<String>>,
    /// Who called whom and what it cost.
    pub tree: Arc<CallTree>,
    /// What one unit of the tree's time is in the unit of `cost`.
    pub tick: u64,
}

impl Flame {
    /// The self cost of a node in the unit of `cost`. A picture has no negative widths: memory that a call gave
    /// back, in files that say so, is in the sums and in a note, and in no picture.
    pub fn own(&self, node: &Node) -> u64 {
        match self.cost {
            Cost::Allocation => u64::try_from(node.cost.memory).unwrap_or(0),
            Cost::Time | Cost::Events(_) => u64::try_from(node.cost.time).unwrap_or(0).saturating_mul(self.tick),
        }
    }

    /// Nothing of it has a cost.
    fn is_empty(&self) -> bool {
        self.tree.nodes()[1..].iter().all(|node| self.own(node) == 0)
    }
}

/// Costs without what was waited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Busy {
    /// Nanoseconds of the whole recording.
    pub total: u64,
    /// Nanoseconds of each function with its callees, recursion counted once; in the order of the functions.
    pub inclusive: Vec<u64>,
}

/// Busy time of the profile's functions, in the order in which it has them; none where its files hold no time.
pub fn busy(profile: &Profile, waits: &[bool], tick: u64) -> Option<Busy> {
    if profile.dialect != Dialect::Xdebug {
        return None;
    }
    let tree = profile.tree.busy(waits);
    let time = |cost: TreeCost| u64::try_from(cost.time).unwrap_or(0).saturating_mul(tick);
    let (by_id, _) = totals(&tree);
    let of = |id: u32| by_id.get(&u64::from(id)).map_or(0, |totals| time(totals.inclusive));
    Some(Busy { total: time(tree.total()), inclusive: profile.functions.iter().map(|f| of(f.id)).collect() })
}

/// Wall time, busy time, allocation; of all, of the first tenth, of the last, of each load.
pub fn flames(profile: &Profile, waits: &[bool], waves: &[WaveAt], tick: u64) -> Vec<Flame> {
    let units = &profile.units;
    let cost = match (profile.dialect, units.nanoseconds_per_tick) {
        (Dialect::Xdebug, _) | (_, Some(_)) => Cost::Time,
        (_, None) => Cost::Events(units.time_event.clone()),
    };
    let (names, of_function) = names(profile);
    let names = Arc::new(names);
    let by_name = |tree: &CallTree| Arc::new(tree.map(|_, node| Some((of_function[node.key as usize], node.cost))));
    let mut flames = Vec::new();
    let mut add = |slice: Slice, tree: &CallTree| {
        let mut add = |cost: &Cost, busy: bool, tree: &Arc<CallTree>| {
            flames.push(Flame {
                cost: cost.clone(),
                busy,
                slice: slice.clone(),
                estimated: profile.estimated,
                names: names.clone(),
                tree: tree.clone(),
                tick,
            });
        };
        let whole = by_name(tree);
        add(&cost, false, &whole);
        if profile.dialect == Dialect::Xdebug {
            add(&cost, true, &by_name(&tree.busy(waits)));
        }
        add(&Cost::Allocation, false, &whole);
    };
    add(Slice::All, &profile.tree);
    let tenths: Vec<&[Span]> = split(profile.slices.parts(), super::drift::TENTHS);
    if let [first, .., last] = tenths[..]
        && !first.is_empty()
        && !last.is_empty()
    {
        add(Slice::First, &Slices::tree(&profile.tree, first));
        add(Slice::Last, &Slices::tree(&profile.tree, last));
    }
    for (load, parts) in slices::loads(profile, waves) {
        add(Slice::Load(load.to_owned()), &Slices::tree(&profile.tree, parts));
    }
    flames.retain(|flame| !flame.is_empty());
    flames
}

/// The names of the profile, each once, and which of them each function has: functions of one name stand
/// together in a picture, whatever files they are in.
fn names(profile: &Profile) -> (Vec<String>, Vec<u64>) {
    let mut names: Vec<String> = Vec::new();
    let mut known: HashMap<&str, u64> = HashMap::new();
    let of_function = profile
        .names
        .iter()
        .map(|function| {
            *known.entry(&function.name).or_insert_with(|| {
                names.push(function.name.clone());
                names.len() as u64 - 1
            })
        })
        .collect();
    (names, of_function)
}
