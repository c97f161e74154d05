//! The censuses of PHP's heap side by side: a row for each thing whose count or size ever changed, so that any two
//! of them can be held against each other.

use std::collections::BTreeMap;

use super::history::RunHistory;
use super::holders::heap_growth;
use super::view::{Censuses, Counted, CountedRow, HeapGrowth, Taken};
use crate::heap::{Census, MOST_HOLDERS};
use crate::model::Pass;
use crate::model::plan::scenario::Unit;

/// Rows of a kind, at most: those that changed most.
const MOST: usize = 100;

/// Lays the censuses of a run side by side.
pub fn censuses(history: &RunHistory) -> Censuses {
    let taken = history.censuses.iter().map(|at| Taken {
        scenario: at.scene.scenario.clone(),
        wave: at.scene.wave,
        work: at.work,
        noun: noun(history, &at.scene.scenario),
        pid: at.pid,
    });
    let all: Vec<&Census> = history.censuses.iter().map(|at| &at.census).collect();
    let mut rows = parts(&all);
    let mut left_out = 0;
    for mut kind in [classes(&all), containers(&all), resources(&all)] {
        kind.retain(|row| spread(&row.counts) > 0 || spread(&row.bytes) > 0);
        kind.sort_by_key(|row| std::cmp::Reverse((spread(&row.bytes), spread(&row.counts))));
        left_out += kind.len().saturating_sub(MOST);
        kind.truncate(MOST);
        rows.append(&mut kind);
    }
    Censuses { taken: taken.collect(), rows, left_out, growth: growth(history) }
}

fn noun(history: &RunHistory, scenario: &str) -> &'static str {
    let known = history.plan.iter().flat_map(|plan| &plan.scenarios).find(|known| known.name == scenario);
    known.map_or(Unit::Sessions, |known| known.unit()).noun()
}

fn growth(history: &RunHistory) -> Vec<HeapGrowth> {
    let of = |scenario: &str| {
        let (growth, work) = heap_growth(history, scenario)?;
        let done = work.last()?.saturating_sub(*work.first()?).max(1) as f64;
        let named = growth.growing.iter().map(|growing| growing.bytes_per_1000 * done / 1000.0).sum::<f64>() as i64;
        Some(HeapGrowth {
            scenario: scenario.to_owned(),
            heap: growth.heap,
            named,
            other: growth.reachable - named,
            garbage: growth.garbage,
            held: growth.held,
            engine: growth.unexplained,
        })
    };
    history
        .scenarios
        .iter()
        .filter(|scenario| scenario.begin.pass == Pass::Measure)
        .filter_map(|scenario| of(&scenario.begin.scenario))
        .collect()
}

fn row(kind: Counted, name: &str, of: &str) -> CountedRow {
    CountedRow { kind, name: name.to_owned(), of: of.to_owned(), counts: Vec::new(), bytes: Vec::new() }
}

/// The heap and what it is made of; the parts add up to it.
fn parts(all: &[&Census]) -> Vec<CountedRow> {
    let part = |name: &str, of: fn(&Census) -> (Option<u64>, u64)| CountedRow {
        counts: all.iter().map(|census| of(census).0).collect(),
        bytes: all.iter().map(|census| Some(of(census).1)).collect(),
        ..row(Counted::Part, name, "")
    };
    vec![
        part("PHP heap", |c| (None, c.reachable.bytes + c.garbage.bytes + c.held.bytes + c.unexplained)),
        part("Objects in reach, and what they hold", |c| (Some(c.reachable.objects), c.reachable.bytes)),
        part("Garbage that the collector will take", |c| (Some(c.garbage.objects), c.garbage.bytes)),
        part("Held by an extension or a temporary", |c| (Some(c.held.objects), c.held.bytes)),
        part("Compiled code, the engine's own tables", |c| (None, c.unexplained)),
    ]
}

/// What a census counted of a kind: name, what it is made of, count, bytes.
type Items = Vec<(String, String, u64, Option<u64>)>;

/// A row a name, each filled for all censuses: where one does not have it, it counts none.
fn named(all: &[&Census], kind: Counted, items: impl Fn(&Census) -> Items) -> Vec<CountedRow> {
    let mut rows: BTreeMap<String, CountedRow> = BTreeMap::new();
    for (at, census) in all.iter().enumerate() {
        for (name, of, count, bytes) in items(census) {
            let row = rows.entry(name).or_insert_with_key(|name| CountedRow {
                counts: vec![Some(0); all.len()],
                bytes: vec![bytes.map(|_| 0); all.len()],
                ..row(kind, name, "")
            });
            row.of = of;
            (row.counts[at], row.bytes[at]) = (Some(count), bytes);
        }
    }
    rows.into_values().collect()
}

fn classes(all: &[&Census]) -> Vec<CountedRow> {
    let items =
        |c: &Census| c.classes.iter().map(|k| (k.name.clone(), String::new(), k.count, Some(k.bytes))).collect();
    named(all, Counted::Class, items)
}

fn containers(all: &[&Census]) -> Vec<CountedRow> {
    let items = |c: &Census| {
        c.holders.iter().map(|h| (h.path.clone(), h.element_type.clone(), h.count, Some(h.bytes))).collect()
    };
    let mut rows = named(all, Counted::Container, items);
    // A string by itself is named only when it is long: below that its size counts as none, how many are not known.
    for row in rows.iter_mut().filter(|row| row.of == "string" && !row.name.ends_with("[]")) {
        row.counts.iter_mut().filter(|count| **count == Some(0)).for_each(|count| *count = None);
    }
    // A census that names as many as it may can have left out this one.
    for (at, _) in all.iter().enumerate().filter(|(_, census)| census.holders.len() >= MOST_HOLDERS) {
        for row in rows.iter_mut().filter(|row| row.bytes[at] == Some(0)) {
            (row.counts[at], row.bytes[at]) = (None, None);
        }
    }
    rows
}

fn resources(all: &[&Census]) -> Vec<CountedRow> {
    let items = |c: &Census| c.resources.iter().map(|r| (r.of.clone(), String::new(), r.count, None)).collect();
    named(all, Counted::Resource, items)
}

fn spread(values: &[Option<u64>]) -> u64 {
    let known = || values.iter().flatten();
    known().max().unwrap_or(&0) - known().min().unwrap_or(&0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::history::CensusAt;
    use super::*;

    fn census(sessions: u64, holders: serde_json::Value) -> Census {
        let sum = |objects: u64, bytes: u64| json!({"objects": objects, "bytes": bytes});
        let value = json!({
            "php_version": "8.2.0", "figures": null, "stack": [], "collector": null, "warnings": [], "unexplained": 500,
            "classes": [{"name": "Session", "count": sessions, "bytes": sessions * 80}, {"name": "Server", "count": 1, "bytes": 56}],
            "resources": [{"type": "stream", "count": 2}], "holders": holders,
            "reachable": sum(sessions + 1, sessions * 400), "garbage": sum(0, 0), "held": sum(1, 40),
            "cost": {"copy_ms": 1.0, "stopped_ms": 0.0, "walk_ms": 1.0, "bytes": 4096},
        });
        serde_json::from_value(value).expect("a census")
    }

    #[test]
    fn only_what_changed_has_a_row_and_parts_add_up() {
        let holder = |path: &str, of: &str, count: u64, bytes: u64| json!({"path": path, "type": of, "count": count, "bytes": bytes});
        let first = census(0, json!([holder("$s->pool[]", "int", 8, 320)]));
        let last = census(
            30,
            json!([
                holder("$s->pool[]", "int", 8, 320),
                holder("$s->open[]", "Session", 30, 12_000),
                holder("$s->log", "string", 1, 5_000),
            ]),
        );
        let at = |wave, work, census| CensusAt {
            scene: crate::journal::Scene { pass: Pass::Measure, scenario: "small".into(), wave },
            pid: 7,
            work,
            census,
        };
        let censuses =
            censuses(&RunHistory { censuses: vec![at(0, 0, first), at(1, 30, last)], ..RunHistory::default() });
        assert_eq!(censuses.taken[1].work, 30);
        let row = |name: &str| censuses.rows.iter().find(|row| row.name == name);
        let [heap, parts @ ..] = &censuses.rows[..5] else { panic!("{censuses:?}") };
        for at in [0, 1] {
            assert_eq!(parts.iter().map(|part| part.bytes[at].unwrap()).sum::<u64>(), heap.bytes[at].unwrap());
        }
        assert_eq!(row("Session").expect("it grew").counts, [Some(0), Some(30)]);
        assert_eq!(row("$s->open[]").expect("it grew").bytes, [Some(0), Some(12_000)]);
        let log = row("$s->log").expect("it grew");
        assert_eq!(
            (&log.counts[..], &log.bytes[..]),
            (&[None, Some(1)][..], &[Some(0), Some(5_000)][..]),
            "shorter before"
        );
        for still in ["Server", "stream", "$s->pool[]"] {
            assert!(row(still).is_none(), "{still} stood still");
        }
    }
}
