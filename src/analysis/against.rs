//! Times of two builds that were launched in turn, tested pair by pair.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{Against, Change, ProfiledLoad, Side, TimedLoad, TimedPart};
use crate::verdict::paired::{Paired, holm, paired};

/// Of the self time of all functions, the part from which on one is tested: each further test takes from all others.
const SHARE: f64 = 0.02;

/// A change of a time that is worth a word, where it is beyond doubt: below it is the layout of code in memory.
const TIME: f64 = 0.005;
const FUNCTION: f64 = 0.03;

/// What was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timed {
    /// CPU time of the server.
    Cpu,
    /// Time from the first to the last message.
    Wall,
    /// Self time of a function, under the profiler.
    Function,
}

/// A time of both builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeChange {
    /// What.
    pub what: Timed,
    /// The function's name; of the others the scenario's.
    pub name: String,
    /// For each message, nanoseconds: base and new.
    pub ns_per_message: [f64; 2],
    /// New by base.
    pub ratio: f64,
    /// 95% interval of `ratio`.
    pub ci95: [f64; 2],
    /// Pairs of launches.
    pub pairs: u64,
    /// What it comes to, with the error of the whole comparison bounded.
    pub change: Change,
}

impl TimeChange {
    /// What takes the time: `` the server's CPU time in sequential ``.
    pub fn subject(&self) -> String {
        match self.what {
            Timed::Cpu => format!("the server's CPU time in {}", self.name),
            Timed::Wall => format!("the time from first to last message in {}", self.name),
            Timed::Function => format!("`{}` itself", self.name),
        }
    }

    /// Base and new in microseconds.
    pub fn micros(&self) -> [String; 2] {
        self.ns_per_message.map(|ns| crate::phrase::significant(ns / 1000.0))
    }
}

/// All times that could be tested; those that changed first.
pub fn times(against: &Against) -> Vec<TimeChange> {
    let mut found: Vec<(TimeChange, Paired)> = Vec::new();
    let loads = |of: fn(&TimedPart) -> f64| in_pairs(&against.loads, |load| (load.side, undisturbed(load, of)));
    for (what, pairs) in [(Timed::Cpu, loads(|part| part.server_cpu)), (Timed::Wall, loads(|part| part.seconds))] {
        found.extend(tested(what, &against.scenario, &pairs));
    }
    for name in dear(&against.profiles) {
        let value = |load: &ProfiledLoad| {
            (load.side, load.functions.get(name).copied().unwrap_or(0) as f64 / load.messages as f64)
        };
        found.extend(tested(Timed::Function, name, &in_pairs(&against.profiles, value)));
    }
    let p: Vec<f64> = found.iter().map(|(_, paired)| paired.p).collect();
    let mut times: Vec<TimeChange> = found
        .into_iter()
        .zip(holm(&p))
        .map(|((mut time, paired), holds)| {
            let least = if time.what == Timed::Function { FUNCTION } else { TIME };
            time.change = match paired.ratio {
                _ if !holds => Change::Same,
                ratio if ratio >= 1.0 + least => Change::Worse,
                ratio if ratio <= 1.0 - least => Change::Better,
                _ => Change::Same,
            };
            time
        })
        .collect();
    times.sort_by_key(|time| (time.change == Change::Same, time.what == Timed::Function));
    times
}

/// Nanoseconds per message of a launch: the lower quartile of its parts, as other programs only ever add to them.
fn undisturbed(load: &TimedLoad, of: fn(&TimedPart) -> f64) -> f64 {
    let mut parts: Vec<f64> = load.parts.iter().map(|part| of(part) / part.messages as f64 * 1e9).collect();
    parts.sort_by(f64::total_cmp);
    parts.get(parts.len() / 4).copied().unwrap_or(f64::NAN)
}

/// Neighbours in the order of launches, one of each build.
fn in_pairs<T>(launches: &[T], value: impl Fn(&T) -> (Side, f64)) -> Vec<(f64, f64)> {
    let pair = |two: &[T]| match [value(&two[0]), value(&two[1])] {
        [(Side::Base, was), (Side::New, is)] | [(Side::New, is), (Side::Base, was)] => Some((was, is)),
        _ => None,
    };
    launches.chunks_exact(2).filter_map(pair).collect()
}

fn tested(what: Timed, name: &str, pairs: &[(f64, f64)]) -> Option<(TimeChange, Paired)> {
    let paired = paired(pairs)?;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let time = TimeChange {
        what,
        name: name.to_owned(),
        ns_per_message: [mean(|pair| pair.0), mean(|pair| pair.1)],
        ratio: paired.ratio,
        ci95: paired.ci95,
        pairs: pairs.len() as u64,
        change: Change::Same,
    };
    Some((time, paired))
}

/// Functions that take their share in either build.
fn dear(profiles: &[ProfiledLoad]) -> BTreeSet<&str> {
    let share_of = |load: &'_ ProfiledLoad, ns: u64| ns as f64 / load.functions.values().sum::<u64>().max(1) as f64;
    let all = profiles.iter().flat_map(|load| {
        let dear = load.functions.iter().filter(move |(_, ns)| share_of(load, **ns) >= SHARE);
        dear.map(|(name, _)| name.as_str())
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(slower: f64) -> Against {
        let loads = (0..20).map(|turn| {
            let side = Side::of_turn(turn);
            // The machine gets slower by and by, and both see it.
            let drift = 1.0 + turn as f64 * 0.01;
            let cost = if side == Side::New { slower } else { 1.0 };
            let noise = 1.0 + ((turn * 7919) % 13) as f64 * 0.0005;
            let cpu = 2.0 * drift * cost * noise;
            let part = |times: f64| TimedPart { messages: 10_000, seconds: cpu * 1.4 * times, server_cpu: cpu * times };
            // Most parts are disturbed, and differently.
            let parts =
                (0..10).map(|at| part(if at < 4 { 1.0 } else { 1.3 + (turn * 31 % 7 * at) as f64 * 0.1 })).collect();
            TimedLoad { side, parts }
        });
        let profiles = (0..12).map(|turn| {
            let side = Side::of_turn(turn);
            let cost = if side == Side::New { 1.0 + (slower - 1.0) * 5.0 } else { 1.0 };
            let noise = 1.0 + ((turn * 104_729) % 17) as f64 * 0.001;
            let function = |ns: f64| (ns * noise * 500.0) as u64;
            let functions = [("parse", function(20_000.0 * cost)), ("other", function(80_000.0)), ("rare", 500)];
            let functions = functions.map(|(name, ns)| (name.to_owned(), ns)).into();
            ProfiledLoad { side, messages: 500, functions }
        });
        Against {
            revision: "v1".to_owned(),
            commit: "abc".to_owned(),
            scenario: "sequential".to_owned(),
            loads: loads.collect(),
            profiles: profiles.collect(),
        }
    }

    #[test]
    fn a_function_that_is_slower_is_named_and_equal_builds_are_equal() {
        let times = times(&against(1.02));
        let worse: Vec<(Timed, &str)> =
            times.iter().filter(|time| time.change == Change::Worse).map(|time| (time.what, &*time.name)).collect();
        assert_eq!(worse, [(Timed::Cpu, "sequential"), (Timed::Wall, "sequential"), (Timed::Function, "parse")]);
        assert!((times[0].ratio - 1.02).abs() < 0.003, "{}", times[0].ratio);
        assert!(times.iter().all(|time| time.name != "rare"));
        assert!(super::times(&against(1.0)).iter().all(|time| time.change == Change::Same));
    }

    #[test]
    fn launches_of_one_build_are_no_pairs() {
        let mut alone = against(1.0);
        alone.loads.iter_mut().for_each(|load| load.side = Side::New);
        alone.profiles.clear();
        assert!(times(&alone).is_empty());
    }
}
