//! A graph seen by one of its events: functions, calls, and the tree that they suggest.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::calls::Calls;
use super::super::contents::{Dialect, Edge, FileSummary, FunctionCost, Profile, Units};
use super::super::error::Error;
use super::super::names::Functions;
use super::super::tree::{CallTree, Cost};
use super::estimate::{Amounts, UNPLACED_NAME, estimate};
use super::graph::Graph;
use super::inclusive::{Flat, inclusive};
use crate::profile::slices::Slices;

/// The cost of an event in a list that may end early.
fn at(costs: &[i64], event: usize) -> i64 {
    costs.get(event).copied().unwrap_or(0)
}

impl Profile {
    /// The profile of a graph, seen by one of its events.
    pub(in super::super) fn from_graph(
        dialect: Dialect,
        event: usize,
        files: Vec<FileSummary>,
        mut names: Functions,
        graph: Graph,
    ) -> Profile {
        let memory = memory_event(&graph.events);
        let cost = |costs: &[i64]| Cost { time: at(costs, event), memory: memory.map_or(0, |m| at(costs, m)) };
        let ids: Vec<u32> = graph.functions.keys().copied().collect();
        let dense: HashMap<u32, usize> = ids.iter().enumerate().map(|(dense, id)| (*id, dense)).collect();
        let mut flat = Flat { own: vec![0; ids.len()], callees: vec![Vec::new(); ids.len()] };
        let mut by_memory = Flat { own: vec![0; ids.len()], callees: vec![Vec::new(); ids.len()] };
        for (f, detail) in graph.functions.values().enumerate() {
            let own = cost(&detail.own);
            (flat.own[f], by_memory.own[f]) = (own.time, own.memory);
        }
        let mut calls = vec![0u64; ids.len()];
        let mut edges = Vec::with_capacity(graph.calls.len());
        for ((caller, callee), call) in &graph.calls {
            let (from, to) = (dense[caller], dense[callee]);
            let inclusive = cost(&call.costs);
            calls[to] = calls[to].saturating_add(call.calls);
            if from != to {
                flat.callees[from].push((to as u32, call.calls, inclusive.time));
                by_memory.callees[from].push((to as u32, call.calls, inclusive.memory));
            }
            edges.push(Edge { caller: Some(*caller), callee: *callee, calls: call.calls, inclusive });
        }
        edges.sort_by_key(|edge| (Reverse(edge.inclusive.time), edge.caller, edge.callee));
        let whole = inclusive(&flat);
        let memory_whole = memory.map_or_else(Vec::new, |_| inclusive(&by_memory).costs);
        let mut functions: Vec<FunctionCost> = ids
            .iter()
            .enumerate()
            .map(|(f, id)| FunctionCost {
                id: *id,
                file: names.get(*id).file.clone(),
                name: names.get(*id).name.clone(),
                own: Cost { time: flat.own[f], memory: by_memory.own[f] },
                inclusive: Cost { time: whole.costs[f], memory: at(&memory_whole, f) },
                calls: calls[f],
            })
            .collect();
        functions.sort_by(|a, b| (b.own.time, &a.name, &a.file, a.id).cmp(&(a.own.time, &b.name, &b.file, b.id)));
        let keys: Vec<u64> = ids.iter().map(|id| u64::from(*id)).collect();
        let amounts = Amounts { time: &flat.own, memory: &by_memory.own, calls: &calls };
        let tree = match dialect {
            Dialect::Callgrind => {
                let mut unplaced = || u64::from(names.intern("", UNPLACED_NAME));
                estimate(&flat, &whole, &amounts, &keys, &mut unplaced)
            }
            _ => side_by_side(&amounts, &keys),
        };
        let units = units(&graph.events, event);
        let estimated = dialect == Dialect::Callgrind;
        Profile {
            dialect,
            units,
            files,
            names,
            functions,
            edges,
            tree,
            estimated,
            slices: Slices::default(),
            callers: Vec::new(),
            calls: Calls::default(),
            graph: Some(graph),
            groups: Vec::new(),
        }
    }

    /// The profile seen by another of its events.
    ///
    /// # Errors
    /// [`Error::NoEvent`] where it has none of this name, with the names that it has.
    pub fn by_event(self, name: &str) -> Result<Profile, Error> {
        if name == self.units.time_event {
            return Ok(self);
        }
        let holds = self.events().join(", ");
        let Some(graph) = self.graph else { return Err(Error::NoEvent { asked: name.to_owned(), holds }) };
        let Some(event) = graph.event(name) else { return Err(Error::NoEvent { asked: name.to_owned(), holds }) };
        Ok(Profile::from_graph(self.dialect, event, self.files, self.names, graph))
    }

    /// Names of the events that the files hold.
    pub fn events(&self) -> Vec<String> {
        match &self.graph {
            Some(graph) => graph.events.clone(),
            None => std::iter::once(self.units.time_event.clone()).chain(self.units.memory_event.clone()).collect(),
        }
    }
}

/// Functions without calls stand beside each other.
fn side_by_side(amounts: &Amounts, keys: &[u64]) -> CallTree {
    let mut tree = CallTree::new();
    for (f, key) in keys.iter().enumerate() {
        let node = tree.child(super::super::tree::ROOT, *key);
        tree.record(node, amounts.calls[f], Cost { time: amounts.time[f], memory: amounts.memory[f] });
    }
    tree
}

/// The event that counts bytes, as Xdebug names it.
fn memory_event(events: &[String]) -> Option<usize> {
    events.iter().position(|event| event.starts_with("Memory"))
}

/// What the figures of an event count.
pub(super) fn units(events: &[String], event: usize) -> Units {
    let name = events.get(event).cloned().unwrap_or_default();
    let memory_event = memory_event(events).map(|at| events[at].clone());
    Units { nanoseconds_per_tick: nanoseconds(&name), time_event: name, memory_event }
}

/// Nanoseconds of one unit of an event, where its name is a unit or has one in brackets: `ns`,
/// `Time_(10ns)`, `cpu(ms)`.
fn nanoseconds(event: &str) -> Option<u64> {
    let unit = match event.strip_suffix(')') {
        Some(event) => event.rsplit_once('(')?.1,
        None => event,
    };
    let digits = unit.len() - unit.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = unit.split_at(digits);
    let count = if count.is_empty() { 1 } else { count.parse::<u32>().ok().filter(|count| *count > 0)? };
    let unit: u64 = match unit {
        "ns" | "nanoseconds" => 1,
        "us" | "µs" | "μs" | "microseconds" => 1_000,
        "ms" | "milliseconds" => 1_000_000,
        "s" | "seconds" if unit != event => 1_000_000_000,
        _ => return None,
    };
    unit.checked_mul(u64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_from_names_alone() {
        for (event, expected) in [
            ("Time_(10ns)", Some(10)),
            ("Time_(µs)", Some(1000)),
            ("cpu(ms)", Some(1_000_000)),
            ("Ir", None),
            ("ns", Some(1)),
            ("s", None),
            ("wall_time", None),
            ("samples(count)", None),
            ("x(0ns)", None),
        ] {
            assert_eq!(nanoseconds(event), expected, "{event}");
        }
    }
}
