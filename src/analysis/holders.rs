//! Who holds what grew: containers of PHP's heap from the censuses, descriptors by name from the floors.

use std::collections::BTreeMap;

use super::history::{CodeAt, RunHistory};
use super::result::{Holder, HolderKind};
use crate::heap::{Census, ContainerCode, Growth, growth};
use crate::verdict::{Metric, Per};

/// Censuses that growth is named from, at least.
const CENSUSES: usize = 3;

/// Holders that a finding names, at most: the greatest first.
const MOST: usize = 6;

/// The heap's growth in a scenario, taken apart, and the work at each census; none where there are too few. Of several
/// processes the one whose heap grew most: a worker that was replaced began anew, and a master does no work.
pub fn heap_growth(history: &RunHistory, scenario: &str) -> Option<(Growth, Vec<u64>)> {
    heap_growths(history, scenario).into_iter().max_by_key(|(growth, work)| (growth.without_garbage(), work.len()))
}

/// The same of each process.
pub fn heap_growths(history: &RunHistory, scenario: &str) -> Vec<(Growth, Vec<u64>)> {
    let mut by_process: BTreeMap<i32, Vec<(u64, Census)>> = BTreeMap::new();
    for at in history.censuses.iter().filter(|at| at.scene.scenario == scenario) {
        by_process.entry(at.pid).or_default().push((at.work, at.census.clone()));
    }
    let enough = by_process.into_values().filter(|series| series.len() >= CENSUSES);
    enough.map(|series| (growth(&series), series.iter().map(|(work, _)| *work).collect())).collect()
}

/// Classes of the objects that grow and that nothing but garbage holds, with the bytes of all garbage at each census.
pub fn garbage_holders(history: &RunHistory, scenario: &str) -> Vec<Holder> {
    let Some((growth, work)) = heap_growth(history, scenario) else { return Vec::new() };
    let done = work.last().zip(work.first()).map_or(0, |(last, first)| last.saturating_sub(*first)).max(1) as f64;
    let explains = (growth.heap > 0).then(|| (growth.garbage as f64 / growth.heap as f64).clamp(0.0, 1.0));
    let holder = |class: String| Holder {
        path: class,
        kind: "garbage".to_owned(),
        what: HolderKind::Garbage,
        per_1000: growth.garbage as f64 / done * 1000.0,
        explains,
        ..Holder::default()
    };
    growth.classes.into_iter().take(1).map(holder).collect()
}

/// Who holds the growth of a metric in a scenario.
pub fn holders(history: &RunHistory, scenario: &str, metric: Metric, per: Per) -> Vec<Holder> {
    match metric {
        Metric::Heap | Metric::Rss => containers(history, scenario),
        Metric::Fd => descriptors(history, scenario, per, |_| true),
        Metric::Sockets => descriptors(history, scenario, per, |kind| kind == "socket"),
        _ => Vec::new(),
    }
}

fn containers(history: &RunHistory, scenario: &str) -> Vec<Holder> {
    let Some((growth, work)) = heap_growth(history, scenario) else { return Vec::new() };
    let holder = |growing: crate::heap::Growing| {
        let path = growing.path;
        let code = code_of(history, scenario, &path);
        let locations = code.map(|code| code.lines_of(&growing.keeps, &growing.what)).unwrap_or_default();
        let mut kept = growing.keeps;
        kept.extend(growing.known_as.map(|name| format!("known as {name}")));
        let what = if growing.unit == "bytes" { HolderKind::String } else { HolderKind::Container };
        Holder {
            kind: growing.what,
            what,
            counts: growing.counts,
            work: work.clone(),
            per_1000: growing.per_1000,
            explains: growing.explains_share,
            kept,
            locations,
            by_reference: code.map_or_else(|| is_unnamed(history, &path), |code| code.by_reference),
            path,
        }
    };
    growth.growing.into_iter().take(MOST).map(holder).collect()
}

/// What code does to a container: read in this scenario, or else in another one of the run.
fn code_of<'a>(history: &'a RunHistory, scenario: &str, path: &str) -> Option<&'a ContainerCode> {
    let here = history.codes.iter().filter(|at| at.scene.scenario == scenario);
    here.chain(&history.codes).find_map(|at| at.code.container(path))
}

/// Whether a container of the script was there when the code was read, and no line of it names it.
fn is_unnamed(history: &RunHistory, path: &str) -> bool {
    let was_there = |at: &CodeAt| {
        let then = history.censuses.iter().filter(|census| census.scene == at.scene && census.pid == at.pid);
        then.flat_map(|census| &census.census.holders).any(|holder| holder.path == path)
    };
    // What the engine or an extension keeps no line can name.
    !path.starts_with('(') && history.codes.iter().any(|at| at.code.refused.is_none() && was_there(at))
}

/// The kind of a group of descriptors, by the name that the sampler gives it.
fn kind_of(kind: &str) -> HolderKind {
    match kind {
        "socket" => HolderKind::Sockets,
        "file" => HolderKind::Files,
        _ => HolderKind::Descriptors,
    }
}

/// Groups of descriptors that grew, the one that grew most first.
fn descriptors(history: &RunHistory, scenario: &str, per: Per, wanted: impl Fn(&str) -> bool) -> Vec<Holder> {
    let floors: Vec<_> = history.floors.iter().filter(|floor| floor.scene.scenario == scenario).collect();
    let work: Vec<u64> = floors
        .iter()
        .map(|floor| match per {
            Per::Messages => floor.messages,
            Per::Sessions => floor.sessions,
        })
        .collect();
    let (Some(first), Some(last)) = (work.first(), work.last()) else { return Vec::new() };
    let done = last.saturating_sub(*first).max(1) as f64;
    let mut groups: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    for (at, floor) in floors.iter().enumerate() {
        for holder in floor.holders.iter().filter(|holder| wanted(&holder.kind)) {
            let counts = groups.entry((&holder.path, &holder.kind)).or_insert_with(|| vec![0; floors.len()]);
            counts[at] += holder.count;
        }
    }
    let grew = |counts: &[u64]| counts.last().unwrap_or(&0).saturating_sub(*counts.first().unwrap_or(&0));
    let all: u64 = groups.values().map(|counts| grew(counts)).sum();
    let mut holders: Vec<Holder> = groups
        .into_iter()
        .filter(|(_, counts)| grew(counts) > 1)
        .map(|((path, kind), counts)| Holder {
            path: path.to_owned(),
            kind: kind.to_owned(),
            what: kind_of(kind),
            per_1000: grew(&counts) as f64 / done * 1000.0,
            explains: (all > 0).then(|| grew(&counts) as f64 / all as f64),
            work: work.clone(),
            counts,
            kept: Vec::new(),
            locations: Vec::new(),
            by_reference: false,
        })
        .collect();
    holders.sort_by(|a, b| b.per_1000.total_cmp(&a.per_1000));
    holders.truncate(MOST);
    holders
}
