//! Call trees as flamegraphs show them: numbers and names, laid out once for each cost and each part of the recording.
//! Knows nothing of how they are drawn, and writes no text.

use std::collections::HashMap;
use std::sync::Arc;

use super::laid::{Costs, Laid};
use super::slices::{self, WaveAt};
use crate::profile::{CallTree, Cost as TreeCost, Dialect, Node, Profile, ROOT, Span, totals_of};

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

impl Slice {
    /// Most frames of a picture: there are many parts, and one whole.
    fn most_frames(&self) -> usize {
        if *self == Slice::All { 4000 } else { 700 }
    }

    /// Most levels of it: more than calls stand in each other without recursion.
    pub(super) fn most_levels(&self) -> usize {
        if *self == Slice::All { 250 } else { 120 }
    }
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
    /// Names of the functions.
    pub names: Arc<Vec<String>>,
    /// Who called whom.
    pub stacks: Laid,
    /// By function.
    pub by_function: Laid,
    /// Self cost of every function that has a share, by its name, the dearest first: also of those that have no frame.
    pub own: Vec<(u32, u64)>,
}

impl Flame {
    /// A flamegraph of time, of stacks that are known by their names, outermost first, with their self costs.
    pub fn of_stacks<'a>(slice: Slice, stacks: impl IntoIterator<Item = (Vec<&'a str>, u64)>) -> Flame {
        let (mut names, mut known) = (Vec::new(), HashMap::new());
        let (mut tree, mut own) = (CallTree::new(), vec![0]);
        for (stack, cost) in stacks {
            let node = stack.into_iter().fold(ROOT, |above, frame| {
                let name = *known.entry(frame).or_insert_with(|| {
                    names.push(frame.to_owned());
                    names.len() as u64 - 1
                });
                tree.child(above, name)
            });
            own.resize(tree.nodes().len(), 0);
            own[node as usize] += cost;
        }
        let name_of: Vec<u32> = (0..names.len() as u32).collect();
        let costs = Costs {
            tree: &tree,
            own,
            name_of: &name_of,
            names: &names,
            most: slice.most_frames(),
            levels: slice.most_levels(),
        };
        let (stacks, by_function, own) = (costs.stacks(), costs.by_function(), costs.by_name());
        Flame {
            cost: Cost::Time,
            busy: false,
            slice,
            estimated: false,
            names: Arc::new(names),
            stacks,
            by_function,
            own,
        }
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
    let time = |cost: TreeCost| u64::try_from(cost.time).unwrap_or(0).saturating_mul(tick);
    let busy = |node: &Node| match waits.get(node.key as usize) {
        Some(true) => TreeCost { time: 0, ..node.cost },
        _ => node.cost,
    };
    let (by_id, _) = totals_of(&profile.tree, busy);
    let of = |id: u32| by_id.get(&u64::from(id)).map_or(0, |totals| time(totals.inclusive));
    let mut total = TreeCost::default();
    profile.tree.nodes()[1..].iter().for_each(|node| total.add(busy(node)));
    Some(Busy { total: time(total), inclusive: profile.functions.iter().map(|f| of(f.id)).collect() })
}

/// Wall time, busy time, allocation; of all, of the first tenth, of the last, of each load.
pub fn flames(profile: &Profile, waits: &[bool], waves: &[WaveAt], tick: u64) -> Vec<Flame> {
    let units = &profile.units;
    let cost = match (profile.dialect, units.nanoseconds_per_tick) {
        (Dialect::Xdebug, _) | (_, Some(_)) => Cost::Time,
        (_, None) => Cost::Events(units.time_event.clone()),
    };
    let (names, name_of) = names(profile);
    let names = Arc::new(names);
    let nodes = profile.tree.nodes();
    // A picture has no negative widths: memory that a call gave back, in files that say so, is in the sums and in a
    // note, and in no picture.
    let width = |figure: i64| u64::try_from(figure).unwrap_or(0);
    let mut flames = Vec::new();
    let mut add = |slice: Slice, costs: &dyn Fn(usize) -> TreeCost| {
        let mut add = |cost: &Cost, busy: bool, own: &dyn Fn(usize) -> u64| {
            let own: Vec<u64> = (0..nodes.len()).map(|id| if id == ROOT as usize { 0 } else { own(id) }).collect();
            if own.iter().all(|own| *own == 0) {
                return;
            }
            let (most, levels) = (slice.most_frames(), slice.most_levels());
            let costs = Costs { tree: &profile.tree, own, name_of: &name_of, names: &names, most, levels };
            flames.push(Flame {
                cost: cost.clone(),
                busy,
                slice: slice.clone(),
                estimated: profile.estimated,
                names: names.clone(),
                stacks: costs.stacks(),
                by_function: costs.by_function(),
                own: costs.by_name(),
            });
        };
        let time = |id: usize| width(costs(id).time).saturating_mul(tick);
        add(&cost, false, &time);
        if profile.dialect == Dialect::Xdebug {
            add(&cost, true, &|id| if waits[nodes[id].key as usize] { 0 } else { time(id) });
        }
        add(&Cost::Allocation, false, &|id| width(costs(id).memory));
    };
    add(Slice::All, &|id| nodes[id].cost);
    let of_parts = |parts: &mut dyn Iterator<Item = &Span>| {
        let mut costs = vec![TreeCost::default(); nodes.len()];
        parts.flat_map(|part| &part.cells).for_each(|cell| costs[cell.node as usize].add(cell.cost));
        costs
    };
    if let [first, .., last] = slices::in_tenths(profile.slices.parts()).unwrap_or_default()[..] {
        for (slice, parts) in [(Slice::First, first), (Slice::Last, last)] {
            let costs = of_parts(&mut parts.iter());
            add(slice, &|id| costs[id]);
        }
    }
    for (load, parts) in slices::loads(profile, waves) {
        let costs = of_parts(&mut parts.into_iter());
        add(Slice::Load(load.to_owned()), &|id| costs[id]);
    }
    flames
}

/// The names of the profile, each once, and which of them each function has: functions of one name stand
/// together in a picture, whatever files they are in.
fn names(profile: &Profile) -> (Vec<String>, Vec<u32>) {
    let mut names: Vec<String> = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let of_function = profile
        .names
        .iter()
        .map(|function| {
            *known.entry(&function.name).or_insert_with(|| {
                names.push(function.name.clone());
                names.len() as u32 - 1
            })
        })
        .collect();
    (names, of_function)
}
