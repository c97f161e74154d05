//! The functions of two profiles side by side: calls, which are exact, and times, which are shown.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::places::{Moved, Place};
use super::result::{ProfileSummary, RunResult};
use crate::model::Change;
use crate::verdict::baseline;

/// Functions that a comparison names in each list, at most.
pub(super) const FUNCTIONS: usize = 20;

/// Of the time of all functions per message, the share by which one changes that is shown as dearer or cheaper ...
const SHOWN_SHARE: f64 = 0.05;

/// ... and the factor.
const SHOWN_TIMES: f64 = 1.5;

/// One function in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionChange {
    /// Its name.
    pub name: String,
    /// Calls for each message then and now.
    pub calls_per_message: [f64; 2],
    /// Own time for each message then and now, nanoseconds; shown, not judged.
    pub self_ns_per_message: [f64; 2],
    /// Time with all that it called, likewise.
    #[serde(default)]
    pub inclusive_ns_per_message: [f64; 2],
    /// It waits rather than works.
    #[serde(default)]
    pub waiting: bool,
    /// More calls are worse; times alone are not judged.
    pub change: Change,
}

/// The functions of two runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Functions {
    /// Calls per message changed, and are whole numbers in both runs: nothing else belongs to the message.
    pub changed: Vec<FunctionChange>,
    /// In the later run alone.
    pub new: Vec<FunctionChange>,
    /// In the earlier run alone.
    pub gone: Vec<FunctionChange>,
    /// In both, and their time with all that they call changed most.
    pub times: Vec<FunctionChange>,
    /// Any function could be judged.
    pub judged: bool,
    /// Those whose calls changed, also where the lists are full.
    pub told: BTreeSet<String>,
    /// Messages of both profiles, where they are too few for anything to be said.
    pub few_messages: Option<[u64; 2]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    calls: u64,
    own: i64,
    inclusive: i64,
    waiting: bool,
}

/// What changed. Another PHP compiles other calls, and other scenarios make other ones: then nothing is compared.
pub(super) fn functions(earlier: &RunResult, now: &RunResult) -> Functions {
    let (Some(was), Some(is)) = (&earlier.profile, &now.profile) else { return Functions::default() };
    let messages = [was.figures.messages, is.figures.messages];
    if !are_alike([earlier, now], [was, is]) || scenarios(was) != scenarios(is) || messages.contains(&0) {
        return Functions::default();
    }
    // One message that was refused, or came while the collector ran, calls functions that no other does.
    if messages.iter().any(|messages| *messages < baseline::LEAST_MESSAGES) {
        return Functions { few_messages: Some(messages), ..Functions::default() };
    }
    let [was_names, is_names] =
        [was, is].map(|profile| profile.figures.functions.iter().map(|function| &*function.name));
    let [was_place, is_place] = Place::of_both(was_names, is_names);
    let (before, after) = (by_name(was, &was_place), by_name(is, &is_place));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).map(|name| &**name).collect();
    let moved = Moved::between(before.keys().map(|name| &**name), after.keys().map(|name| &**name));
    let mut found = Functions::default();
    for name in names {
        let [old, new] = [&before, &after].map(|of| of.get(name).copied());
        if !moved.is_certain(name) {
            continue;
        }
        let [was_cost, is_cost] = [old, new].map(Option::unwrap_or_default);
        let change = baseline::calls((is_cost.calls, messages[1]), (was_cost.calls, messages[0]));
        found.judged |= change != Change::Unknown;
        let row = side_by_side(name, [was_cost, is_cost], messages, change);
        match (old, new) {
            (None, Some(_)) => found.new.push(row.clone()),
            (Some(_), None) => found.gone.push(row.clone()),
            _ if is_shown(&row, was, is) => {
                found.times.push(FunctionChange { change: Change::Unknown, ..row.clone() });
            }
            _ => {}
        }
        if matches!(change, Change::Worse | Change::Better) {
            found.told.insert((*name).to_owned());
            found.changed.push(row);
        }
    }
    let own = |row: &FunctionChange| difference(row.self_ns_per_message).abs();
    found
        .changed
        .sort_by(|a, b| (b.change == Change::Worse).cmp(&(a.change == Change::Worse)).then(own(b).total_cmp(&own(a))));
    let inclusive = |row: &FunctionChange| difference(row.inclusive_ns_per_message).abs();
    for list in [&mut found.new, &mut found.gone, &mut found.times] {
        list.sort_by(|a, b| inclusive(b).total_cmp(&inclusive(a)));
    }
    for list in [&mut found.changed, &mut found.new, &mut found.gone, &mut found.times] {
        list.truncate(FUNCTIONS);
    }
    found
}

/// Calls can be compared at all: one PHP compiled them, and both recordings are whole.
pub(super) fn are_alike(runs: [&RunResult; 2], profiles: [&ProfileSummary; 2]) -> bool {
    let [was, is] = runs.map(|run| run.target.versions.get("php"));
    was == is && profiles.iter().all(|profile| profile.figures.complete)
}

fn scenarios(profile: &ProfileSummary) -> BTreeSet<&str> {
    profile.waves.iter().filter_map(|row| row.scenario.as_deref()).collect()
}

fn by_name<'a>(profile: &'a ProfileSummary, place: &Place) -> BTreeMap<Cow<'a, str>, Cost> {
    let mut all: BTreeMap<Cow<'a, str>, Cost> = BTreeMap::new();
    for function in &profile.figures.functions {
        let cost = all.entry(place.without(&function.name)).or_default();
        cost.calls += function.calls;
        cost.own += function.own;
        cost.inclusive += function.inclusive;
        cost.waiting |= function.waiting;
    }
    all
}

fn side_by_side(name: &str, costs: [Cost; 2], messages: [u64; 2], change: Change) -> FunctionChange {
    let per = |of: fn(&Cost) -> f64| [0, 1].map(|side: usize| of(&costs[side]) / messages[side] as f64);
    FunctionChange {
        name: name.to_owned(),
        calls_per_message: per(|cost| cost.calls as f64),
        self_ns_per_message: per(|cost| cost.own as f64),
        inclusive_ns_per_message: per(|cost| cost.inclusive as f64),
        waiting: costs[0].waiting || costs[1].waiting,
        change,
    }
}

fn difference([was, is]: [f64; 2]) -> f64 {
    is - was
}

/// Its time changed by so much that a reader asks what it was.
fn is_shown(row: &FunctionChange, was: &ProfileSummary, is: &ProfileSummary) -> bool {
    let all = |profile: &ProfileSummary| profile.total_ns as f64 / profile.figures.messages as f64;
    let [before, after] = row.inclusive_ns_per_message;
    let (less, more) = (before.min(after), before.max(after));
    more - less >= SHOWN_SHARE * all(was).max(all(is)) && more > 0.0 && more >= SHOWN_TIMES * less
}
