//! What grew from census to census, named by the topmost container that grows: a map that holds a
//! session that holds a buffer is one leak and not three. Knows counts only; whether growth is a
//! leak is the verdict's to say.

use serde::{Deserialize, Serialize};

use super::values::{Census, Holder};

/// Steps that may fall, as a share, in a series that still grows.
const MOST_FALLS: f64 = 0.2;

/// A container that grew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growing {
    /// `$server{Server}->leak[]`
    pub path: String,
    /// What it holds: `Session`, `string`.
    #[serde(rename = "type")]
    pub what: String,
    /// Elements in each census (of a string that grows by itself: its bytes).
    pub counts: Vec<u64>,
    /// `elements` or `bytes`, the unit of `counts`.
    pub unit: String,
    /// Growth of `counts` for 1,000 units of work.
    pub per_1000: f64,
    /// Growth in bytes, of all that hangs on it, for 1,000 units of work.
    pub bytes_per_1000: f64,
    /// Share of the heap's growth (0 to 1) that it explains; `None` where the heap did not grow.
    pub explains_share: Option<f64>,
    /// Classes that grew and are kept by it.
    pub keeps: Vec<String>,
    /// Other paths that lead to the same elements.
    pub also: Vec<String>,
    /// What it is known as, where it is not only a container: "suspended fibers".
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub known_as: Option<String>,
}

/// The heap's growth from the first census to the last, in bytes, and what it is made of. The four
/// shares add up to the whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Of the heap.
    pub heap: i64,
    /// Of what names lead to.
    pub reachable: i64,
    /// Of garbage that the collector has not yet taken: no leak.
    pub garbage: i64,
    /// Of what an extension or a temporary holds.
    pub held: i64,
    /// Of what is none of these (compiled code, the engine's tables).
    pub unexplained: i64,
    /// What grew, most bytes first.
    pub growing: Vec<Growing>,
    /// Classes that grew and that no container above keeps.
    pub classes: Vec<String>,
}

impl Growth {
    /// The heap's growth without the garbage that the collector will take.
    pub fn without_garbage(&self) -> i64 {
        self.heap - self.garbage
    }
}

/// Compares censuses in the order in which they were taken, each with the work done until then.
pub fn growth(censuses: &[(u64, Census)]) -> Growth {
    let (Some((first_work, first)), Some((last_work, last))) = (censuses.first(), censuses.last()) else {
        return Growth::default();
    };
    let difference = |of: fn(&Census) -> u64| of(last) as i64 - of(first) as i64;
    let heap = difference(heap_size);
    let work = last_work.saturating_sub(*first_work).max(1) as f64;
    let per_1000 = |series: &[u64]| (last_of(series) - first_of(series)) / work * 1000.0;

    let grown: Vec<(&Holder, Vec<u64>, &str)> =
        last.holders.iter().filter_map(|h| series_of(censuses, h).map(|(series, unit)| (h, series, unit))).collect();
    let is_top = |holder: &Holder| !grown.iter().any(|(other, ..)| is_within(&holder.path, &other.path));
    let grown_classes: Vec<&str> = last
        .classes
        .iter()
        .filter(|class| grows(&censuses.iter().map(|(_, c)| class_count(c, &class.name)).collect::<Vec<_>>()))
        .map(|class| class.name.as_str())
        .collect();

    let mut growing: Vec<Growing> = Vec::new();
    let mut aliases: Vec<&Holder> = Vec::new();
    for (holder, counts, unit) in grown.iter().filter(|(holder, ..)| is_top(holder)) {
        // Met elsewhere first: the same elements by another way.
        if holder.shared * 2 > holder.count && holder.element_type != "string" {
            aliases.push(holder);
            continue;
        }
        let bytes: Vec<u64> = censuses.iter().map(|(_, c)| bytes_of(c, &holder.path)).collect();
        let gained = last_of(&bytes) - first_of(&bytes);
        let keeps =
            grown_classes.iter().filter(|c| holder.classes.iter().any(|k| k == *c)).map(|c| (*c).to_owned()).collect();
        growing.push(Growing {
            path: holder.path.clone(),
            what: holder.element_type.clone(),
            per_1000: per_1000(counts),
            bytes_per_1000: per_1000(&bytes),
            explains_share: (heap > 0).then(|| (gained / heap as f64).clamp(0.0, 1.0)),
            counts: counts.clone(),
            unit: (*unit).to_owned(),
            keeps,
            also: Vec::new(),
            known_as: known_as(holder).map(str::to_owned),
        });
    }
    for alias in aliases {
        match growing.iter_mut().find(|g| g.what == alias.element_type || g.keeps.contains(&alias.element_type)) {
            Some(same) => same.also.push(alias.path.clone()),
            // Its elements are met by paths that do not grow; then it is the finding itself.
            None => {
                if let Some((_, counts, unit)) = grown.iter().find(|(h, ..)| h.path == alias.path) {
                    growing.push(Growing {
                        path: alias.path.clone(),
                        what: alias.element_type.clone(),
                        counts: counts.clone(),
                        unit: (*unit).to_owned(),
                        per_1000: per_1000(counts),
                        bytes_per_1000: 0.0,
                        explains_share: None,
                        keeps: Vec::new(),
                        also: Vec::new(),
                        known_as: known_as(alias).map(str::to_owned),
                    });
                }
            }
        }
    }
    // A weak map grows because something else holds its keys: that comes first, however little it weighs.
    let is_weak = |g: &Growing| last.holders.iter().any(|holder| holder.weak && holder.path == g.path);
    growing.sort_by(|a, b| {
        let heavier = b.bytes_per_1000.total_cmp(&a.bytes_per_1000);
        is_weak(a).cmp(&is_weak(b)).then(heavier).then_with(|| a.path.cmp(&b.path))
    });
    let kept: Vec<&String> = growing.iter().flat_map(|g| &g.keeps).collect();
    let classes = grown_classes.iter().filter(|c| !kept.iter().any(|k| k == *c)).map(|c| (*c).to_owned()).collect();
    Growth {
        heap,
        reachable: difference(|c| c.reachable.bytes),
        garbage: difference(|c| c.garbage.bytes),
        held: difference(|c| c.held.bytes),
        unexplained: difference(|c| c.unexplained),
        growing,
        classes,
    }
}

fn heap_size(census: &Census) -> u64 {
    census.reachable.bytes + census.garbage.bytes + census.held.bytes + census.unexplained
}

fn class_count(census: &Census, name: &str) -> u64 {
    census.classes.iter().find(|c| c.name == name).map_or(0, |c| c.count)
}

fn bytes_of(census: &Census, path: &str) -> u64 {
    census.holders.iter().find(|h| h.path == path).map_or(0, |h| h.bytes)
}

fn count_of(census: &Census, path: &str) -> u64 {
    census.holders.iter().find(|h| h.path == path).map_or(0, |h| h.count)
}

fn first_of(series: &[u64]) -> f64 {
    series.first().copied().unwrap_or_default() as f64
}

fn last_of(series: &[u64]) -> f64 {
    series.last().copied().unwrap_or_default() as f64
}

/// The series by which a holder grows, if it does: of its elements, or of its bytes where its
/// elements are strings (which hold nothing else that could be the cause).
fn series_of(censuses: &[(u64, Census)], holder: &Holder) -> Option<(Vec<u64>, &'static str)> {
    let counts: Vec<u64> = censuses.iter().map(|(_, c)| count_of(c, &holder.path)).collect();
    if grows(&counts) {
        return Some((counts, "elements"));
    }
    let bytes: Vec<u64> = censuses.iter().map(|(_, c)| bytes_of(c, &holder.path)).collect();
    (holder.element_type == "string" && grows(&bytes)).then_some((bytes, "bytes"))
}

/// Whether a series grows to its end: its last third lies above its first, it goes on rising there
/// (a cache that filled up does not), and few of its steps fall.
pub fn grows(series: &[u64]) -> bool {
    let count = series.len();
    if count < 3 {
        return false;
    }
    let third = count.div_ceil(3);
    let falls = series.windows(2).filter(|w| w[1] < w[0]).count();
    let highest_before = series[..third].iter().max();
    let lowest_after = series[count - third..].iter().min();
    lowest_after > highest_before
        && series[count - 1] > series[count - 1 - third]
        && falls as f64 <= MOST_FALLS * (count - 1) as f64
}

/// Whether `path` goes on from `from`.
fn is_within(path: &str, from: &str) -> bool {
    path.len() > from.len() && path.starts_with(from)
}

/// Containers that have a name of their own.
fn known_as(holder: &Holder) -> Option<&'static str> {
    let is_loop =
        ["EventLoop", "Revolt\\", "React\\EventLoop", "Driver", "Loop"].iter().any(|n| holder.path.contains(n));
    let is_log = holder.path.contains("FingersCrossed") || holder.path.contains("BufferHandler");
    match holder.element_type.as_str() {
        _ if holder.weak => Some("a weak map, whose entries live as long as their keys"),
        "Fiber" => Some("suspended fibers"),
        _ if is_log => Some("a logger's buffer"),
        "string" | "int" | "float" => None,
        _ if is_loop => Some("an event loop's callbacks"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::{ClassCount, Cost, Sum};
    use super::*;

    fn census(holders: &[(&str, u64, u64, &str)], classes: &[(&str, u64)], garbage: u64) -> Census {
        let holders = holders.iter().map(|&(path, count, bytes, of)| Holder {
            path: path.into(),
            count,
            bytes,
            element_type: of.into(),
            classes: if of == "string" { vec![] } else { vec![of.into()] },
            within: None,
            shared: 0,
            weak: false,
        });
        let classes = classes.iter().map(|&(name, count)| ClassCount { name: name.into(), count, bytes: 0 });
        let reachable = Sum { objects: 0, bytes: 1000 };
        Census {
            php_version: "8.2.0".into(),
            figures: None,
            classes: classes.collect(),
            resources: vec![],
            reachable: Sum { bytes: reachable.bytes + holders.clone().map(|h| h.bytes).sum::<u64>(), ..reachable },
            holders: holders.collect(),
            garbage: Sum { objects: garbage, bytes: garbage * 100 },
            held: Sum::default(),
            unexplained: 0,
            collector: None,
            stack: vec![],
            cost: Cost::default(),
            warnings: vec![],
        }
    }

    #[test]
    fn the_topmost_growing_container_is_the_one_finding() {
        let censuses: Vec<_> = (1..=4_u64)
            .map(|i| {
                let holders = [
                    ("$s{Server}->byId[]", i * 500, i * 90_000, "Session"),
                    ("$s{Server}->byId[]{Session}->lines[]", i * 1000, i * 40_000, "string"),
                    ("$s{Server}->pools[]", 3, 100 + i * 90_000, "Pool"),
                ];
                (i * 500, census(&holders, &[("Session", i * 500), ("Pool", 3)], 0))
            })
            .collect();
        let growth = growth(&censuses);
        assert_eq!(growth.growing.len(), 1, "{growth:?}");
        let found = &growth.growing[0];
        assert_eq!((found.path.as_str(), found.what.as_str()), ("$s{Server}->byId[]", "Session"));
        assert_eq!(found.counts, [500, 1000, 1500, 2000]);
        assert_eq!(found.per_1000, 1000.0);
        assert_eq!(found.keeps, ["Session"]);
        assert!(growth.classes.is_empty());
    }

    #[test]
    fn a_cache_that_filled_up_does_not_grow() {
        assert!(!grows(&[0, 60, 100, 100, 100, 100]));
        assert!(!grows(&[5, 5, 5, 5]));
        assert!(!grows(&[0, 900, 10, 800, 20, 700]));
        assert!(!grows(&[1, 2]));
        assert!(grows(&[0, 0, 1, 1, 2, 2, 3]));
        assert!(grows(&[10, 20, 30]));
    }

    #[test]
    fn a_string_grows_by_its_bytes() {
        let censuses: Vec<_> =
            (1..=3_u64).map(|i| (i * 100, census(&[("$s{Server}->buffer", 1, i * 6400, "string")], &[], 0))).collect();
        let growth = growth(&censuses);
        assert_eq!(growth.growing[0].unit, "bytes");
        assert_eq!(growth.growing[0].per_1000, 64_000.0);
    }

    #[test]
    fn garbage_is_taken_out_of_the_growth() {
        let censuses: Vec<_> = (1..=3_u64).map(|i| (i * 100, census(&[], &[("Session", i * 100)], i * 100))).collect();
        let growth = growth(&censuses);
        assert_eq!((growth.heap, growth.garbage, growth.without_garbage()), (20_000, 20_000, 0));
        assert_eq!(growth.heap, growth.reachable + growth.garbage + growth.held + growth.unexplained);
        assert!(growth.growing.is_empty());
        assert_eq!(growth.classes, ["Session"]);
    }
}
