//! Calls that belong to a message or to a session: in every wave of a scenario the same whole number for each.
//!
//! Told of scenarios whose sessions go one at a time. Where many are open at once, whatever visits all of them now and
//! then (a sweep for idle ones) is called once for each, if the server is slow enough, and belongs to none.

use std::collections::{BTreeMap, HashMap};

use super::slices::{WaveAt, segment};
use crate::profile::Profile;

/// Calls for each message or session by scenario; none where they are no whole number, or not the same in all waves.
pub type Each = BTreeMap<String, Option<u64>>;

/// What a function does for each message and for each session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExactCalls {
    /// For each message, in scenarios that bring messages.
    pub per_message: Each,
    /// For each session, in scenarios whose sessions are not their messages.
    pub per_session: Each,
}

/// Exact calls by function, of those that were called under the load at all.
pub fn exact_calls(profile: &Profile, waves: &[WaveAt]) -> HashMap<u32, ExactCalls> {
    let mut functions: HashMap<u32, ExactCalls> = HashMap::new();
    let mut scenarios: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, wave) in waves.iter().enumerate() {
        scenarios.entry(&wave.scenario).or_default().push(at);
    }
    for (scenario, of_scenario) in scenarios {
        if of_scenario.iter().any(|at| waves[*at].parallel > 1) {
            continue;
        }
        let calls: Vec<HashMap<u32, u64>> = of_scenario.iter().map(|at| calls(profile, *at)).collect();
        let waves = || of_scenario.iter().map(|at| &waves[*at]);
        let brings_messages = waves().any(|wave| wave.messages > 0);
        let alike = waves().all(|wave| wave.messages == wave.sessions);
        for id in calls.iter().flat_map(HashMap::keys) {
            let function = functions.entry(*id).or_default();
            let of = |work: fn(&WaveAt) -> u64| {
                let waves = calls.iter().zip(waves());
                same(waves.map(|(calls, wave)| (calls.get(id).copied().unwrap_or(0), work(wave))))
            };
            if brings_messages {
                function.per_message.entry(scenario.to_owned()).or_insert_with(|| of(|wave| wave.messages));
            }
            if !alike {
                function.per_session.entry(scenario.to_owned()).or_insert_with(|| of(|wave| wave.sessions));
            }
        }
    }
    functions
}

/// Calls of each function in a wave.
fn calls(profile: &Profile, wave: usize) -> HashMap<u32, u64> {
    let nodes = profile.tree.nodes();
    let mut calls = HashMap::new();
    for cell in profile.slices.segment(segment(wave)).iter().flat_map(|part| &part.cells) {
        if cell.calls > 0 {
            *calls.entry(nodes[cell.node as usize].key as u32).or_insert(0) += cell.calls;
        }
    }
    calls
}

/// The number of calls that each piece of work has, where it is one whole number throughout.
fn same(waves: impl Iterator<Item = (u64, u64)>) -> Option<u64> {
    let mut each = None;
    for (calls, work) in waves {
        if work == 0 || !calls.is_multiple_of(work) {
            return None;
        }
        if each.replace(calls / work).is_some_and(|before| before != calls / work) {
            return None;
        }
    }
    each
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_number_in_all_waves_is_exact() {
        assert_eq!(same([(40, 20), (334, 167)].into_iter()), Some(2));
        assert_eq!(same([(40, 20), (167, 167)].into_iter()), None, "two here, one there");
        assert_eq!(same([(40, 20), (335, 167)].into_iter()), None, "one too many");
        assert_eq!(same([(40, 20), (0, 0)].into_iter()), None, "calls without work");
        assert_eq!(same([].into_iter()), None);
    }
}
