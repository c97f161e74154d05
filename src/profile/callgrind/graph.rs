//! The graph of a profile: what each function cost by itself, and who called whom at which cost. All
//! events, exactly as the files have them.

use std::collections::{BTreeMap, HashMap};

use super::super::names::Functions;
use super::names::Names;
use super::reader::Found;
use super::rebind::rebind;
use super::sums::{Sums, add};

/// Calls from one function to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// Calls; 0 where the writer does not count them.
    pub calls: u64,
    /// Their inclusive costs by event; events at the end may be missing, they are 0.
    pub costs: Vec<i64>,
}

/// Self cost in one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Costs by event, as in [`Call::costs`].
    pub costs: Vec<i64>,
    /// Costs by event of each line; only of cachegrind's files.
    pub lines: BTreeMap<i64, Vec<i64>>,
}

/// What a function cost by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// Self costs by event, as in [`Call::costs`].
    pub own: Vec<i64>,
    /// The same by file: other files than the function's own are those of inlined code.
    pub parts: BTreeMap<String, Part>,
}

/// Functions and calls; functions are ids of the profile's [`Functions`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// Names of the events, in the first file's order.
    pub events: Vec<String>,
    /// Functions.
    pub functions: BTreeMap<u32, Detail>,
    /// Calls by caller and callee.
    pub calls: BTreeMap<(u32, u32), Call>,
}

impl Graph {
    /// The graph of one file; its functions get ids of the profile.
    pub(super) fn new(found: &Found, names: &Names, sums: Sums, functions: &mut Functions) -> Graph {
        let text = |id: u32| String::from_utf8_lossy(names.strings.get(id)).into_owned();
        let same = rebind(&sums);
        let mut ids: HashMap<u32, u32> = HashMap::new();
        let mut graph = Graph { events: found.events.clone(), ..Graph::default() };
        let mut id = |local: u32| {
            let local = same[local as usize];
            *ids.entry(local).or_insert_with(|| {
                let (object, file, name) = sums.functions[local as usize];
                functions.intern_in(&text(object), &text(file), &text(name))
            })
        };
        let all: Vec<usize> = (0..graph.events.len()).collect();
        let mut lines: Vec<BTreeMap<i64, Vec<i64>>> = vec![BTreeMap::new(); sums.shares.len()];
        for ((share, line), costs) in sums.lines.into_iter().flatten() {
            lines[share as usize].insert(line, costs);
        }
        for (share, lines) in sums.shares.iter().zip(lines) {
            let detail = graph.functions.entry(id(share.function)).or_default();
            add(&mut detail.own, &all, &share.costs);
            let part = detail.parts.entry(text(share.file)).or_default();
            add(&mut part.costs, &all, &share.costs);
            for (line, costs) in lines {
                add(part.lines.entry(line).or_default(), &all, &costs);
            }
        }
        for call in &sums.calls {
            let (caller, callee) = (id(call.caller), id(call.callee));
            graph.functions.entry(caller).or_default();
            graph.functions.entry(callee).or_default();
            let sum = graph.calls.entry((caller, callee)).or_default();
            sum.calls = sum.calls.saturating_add(call.calls);
            add(&mut sum.costs, &all, &call.costs);
        }
        graph
    }

    /// Adds another file's graph; events are told by their names.
    pub(crate) fn absorb(&mut self, other: &Graph) {
        let mut columns: Vec<usize> = Vec::new();
        for event in &other.events {
            let known = (0..self.events.len()).find(|at| self.events[*at] == *event && !columns.contains(at));
            columns.push(known.unwrap_or_else(|| {
                self.events.push(event.clone());
                self.events.len() - 1
            }));
        }
        for (id, detail) in &other.functions {
            let sum = self.functions.entry(*id).or_default();
            add(&mut sum.own, &columns, &detail.own);
            for (file, part) in &detail.parts {
                let sum = sum.parts.entry(file.clone()).or_default();
                add(&mut sum.costs, &columns, &part.costs);
                for (line, costs) in &part.lines {
                    add(sum.lines.entry(*line).or_default(), &columns, costs);
                }
            }
        }
        for (edge, call) in &other.calls {
            let sum = self.calls.entry(*edge).or_default();
            sum.calls = sum.calls.saturating_add(call.calls);
            add(&mut sum.costs, &columns, &call.costs);
        }
    }

    /// Where an event stands among the costs.
    pub fn event(&self, name: &str) -> Option<usize> {
        self.events.iter().position(|event| event == name)
    }
}
