//! Calls for each message or session of a scenario, then and now: what is exact in both runs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::compare_functions::{FUNCTIONS, are_alike};
use super::exact_calls::Each;
use super::places::{Moved, Place};
use super::profile_figures::FunctionRow;
use super::result::{ProfileSummary, RunResult};
use crate::model::{Change, CountedPer};
use crate::verdict::baseline::{LEAST_MESSAGES, exact_calls};

/// A function whose calls for each message or session of a scenario changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioCalls {
    /// Its name.
    pub name: String,
    /// Under which load.
    pub scenario: String,
    /// For each of what.
    pub per: CountedPer,
    /// Calls then and now.
    pub calls: [u64; 2],
    /// More calls are worse.
    pub change: Change,
}

/// What changed, and whether any call could be judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CallsByScenario {
    /// The calls that changed, what is worse first.
    pub changed: Vec<ScenarioCalls>,
    /// Calls of any function are exact in both runs.
    pub judged: bool,
}

/// A function's exact calls.
#[derive(Debug, Default)]
struct Calls<'a> {
    per_message: BTreeMap<&'a str, Option<u64>>,
    per_session: BTreeMap<&'a str, Option<u64>>,
}

/// Compares scenario by scenario. `told`: functions whose calls are told of for the whole recording.
pub(super) fn calls_by_scenario(earlier: &RunResult, now: &RunResult, told: &BTreeSet<String>) -> CallsByScenario {
    let mut found = CallsByScenario::default();
    let (Some(was), Some(is)) = (&earlier.profile, &now.profile) else { return found };
    if !are_alike([earlier, now], [was, is]) {
        return found;
    }
    let names = [was, is].map(|profile| profile.figures.functions.iter().map(|function| &*function.name));
    let [was_names, is_names] = names;
    let [was_place, is_place] = Place::of_both(was_names, is_names);
    let (before, after) = (by_name(was, &was_place), by_name(is, &is_place));
    let moved = Moved::between(before.keys().map(|name| &**name), after.keys().map(|name| &**name));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).map(|name| &**name).collect();
    for per in [CountedPer::Message, CountedPer::Session] {
        for scenario in scenarios(was, per).intersection(&scenarios(is, per)) {
            for name in &names {
                if !moved.is_certain(name) {
                    continue;
                }
                let both = [&before, &after].map(|run| run.get(*name));
                // What has no entry was not called under that load.
                let each = both.map(|calls| calls.map_or(Some(0), |calls| calls.of(per, scenario)));
                let change = exact_calls(each[1], each[0]);
                let ([Some(was), Some(is)], true) = (each, change != Change::Unknown) else { continue };
                found.judged |= was + is > 0;
                if change != Change::Same && !told.contains(*name) {
                    let (name, scenario) = ((*name).to_owned(), (*scenario).to_owned());
                    found.changed.push(ScenarioCalls { name, scenario, per, calls: [was, is], change });
                }
            }
        }
    }
    found.changed.sort_by_key(|row| row.change != Change::Worse);
    found.changed.truncate(FUNCTIONS);
    found
}

/// Scenarios with enough messages or sessions of which exact calls are told.
fn scenarios(profile: &ProfileSummary, per: CountedPer) -> BTreeSet<&str> {
    let told: BTreeSet<&String> =
        profile.figures.functions.iter().flat_map(|function| each(function, per).keys()).collect();
    let mut work: BTreeMap<&str, u64> = BTreeMap::new();
    for wave in &profile.waves {
        let done = if per == CountedPer::Message { wave.messages } else { wave.sessions };
        if let Some(scenario) = wave.scenario.as_ref().filter(|scenario| told.contains(scenario)) {
            *work.entry(scenario).or_default() += done.unwrap_or(0);
        }
    }
    work.into_iter().filter(|(_, work)| *work >= LEAST_MESSAGES).map(|(scenario, _)| scenario).collect()
}

impl Calls<'_> {
    fn of(&self, per: CountedPer, scenario: &str) -> Option<u64> {
        let each = if per == CountedPer::Message { &self.per_message } else { &self.per_session };
        each.get(scenario).copied().unwrap_or(Some(0))
    }
}

fn each(function: &FunctionRow, per: CountedPer) -> &Each {
    if per == CountedPer::Message { &function.each_message } else { &function.each_session }
}

/// Functions of one name together.
fn by_name<'a>(profile: &'a ProfileSummary, place: &Place) -> BTreeMap<Cow<'a, str>, Calls<'a>> {
    let mut all: BTreeMap<Cow<'a, str>, Calls<'a>> = BTreeMap::new();
    let add = |sums: &mut BTreeMap<&'a str, Option<u64>>, each: &'a Each| {
        for (scenario, calls) in each {
            let sum = sums.entry(scenario).or_insert(Some(0));
            *sum = sum.zip(*calls).map(|(sum, calls)| sum + calls);
        }
    };
    for function in &profile.figures.functions {
        let FunctionRow { name, each_message, each_session, .. } = function;
        let calls = all.entry(place.without(name)).or_default();
        add(&mut calls.per_message, each_message);
        add(&mut calls.per_session, each_session);
    }
    all
}
