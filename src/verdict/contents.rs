//! What a census tells of PHP's heap where its totals do not. A container that doubles grows in leaps, and so do the
//! engine's tables beside what is kept; the elements that are counted, and the garbage that is summed, grow in a line.

use super::floor::{Case, Floor};
use super::garbage::garbage_risk;
use super::rises::{Rise, growth, rises};
use super::series::Series;
use super::thresholds::{Bounds, Limits};
use crate::model::{Judgement, Metric, State, Why};

/// Share of the work from which on they are judged.
const FROM: f64 = 0.25;

/// Tables of PHP that double, as bytes of a slot and of a head: a list, a map with its hashes, the store of objects.
const TABLES: [(f64, f64); 3] = [(16.0, 8.0), (36.0, 0.0), (8.0, 0.0)];

/// The fewest slots of such a table.
const FEWEST_SLOTS: f64 = 8.0;

/// PHP's allocator hands out blocks of up to so many bytes in four sizes for each power of two, and pages above.
const LARGEST_SMALL: f64 = 3072.0;
const PAGE: f64 = 4096.0;

/// Bytes of the block that PHP hands out for a table of so many elements.
fn table(elements: f64, (slot, head): (f64, f64)) -> f64 {
    let bytes = slot * 2_f64.powf(elements.max(FEWEST_SLOTS).log2().ceil()) + head;
    let step = if bytes > LARGEST_SMALL { PAGE } else { (2_f64.powf((bytes - 1.0).log2().floor()) / 4.0).max(8.0) };
    (bytes / step).ceil() * step
}

/// A leak of the heap that shows in its contents, and why.
pub(super) fn leak(case: &Case, bounds: &Bounds, limits: &Limits, series: &Series) -> Option<(Rise, Why)> {
    if case.metric != Metric::Heap || series.end() < bounds.heap.leak_work {
        return None;
    }
    garbage(case, bounds, limits, series).or_else(|| elements(case, bounds, limits, series))
}

/// A leak that is garbage says so.
pub(super) fn explained(case: &Case, bounds: &Bounds, series: &Series, mut judgement: Judgement) -> Judgement {
    let late = |series: &Series| series.from(bounds.shape.windows[0] * series.end()).growth();
    let told = judgement.why.iter().any(|why| matches!(why, Why::CollectorOff | Why::CollectorLate { .. }));
    if case.metric == Metric::Heap
        && judgement.state == State::Leak
        && !told
        && let (Some(stays), Some(garbage)) = (garbage_stays(case), of(case, |floor| floor.garbage))
        && late(&garbage) > 0.5 * late(series)
    {
        judgement.why.insert(0, stays);
    }
    judgement
}

/// A series of something else that was counted at each floor; none where it was not at one of them.
fn of(case: &Case, value: impl Fn(&Floor) -> Option<f64>) -> Option<Series> {
    let floor = |floor: &Floor| Some(Floor { value: value(floor)?, garbage: None, elements: None, ..*floor });
    let floors: Option<Vec<Floor>> = case.floors.iter().map(floor).collect();
    Some(Series::of(&Case { floors: &floors?, ..*case }))
}

/// Why garbage counts as memory, where no collector will free it.
fn garbage_stays(case: &Case) -> Option<Why> {
    let (risk, collector) = (garbage_risk(case)?, case.floors.last()?.collector?);
    Some(match collector.on {
        false => Why::CollectorOff,
        true => Why::CollectorLate { at_run: risk.at_run, limit: risk.limit, more: risk.work as u64 },
    })
}

/// Garbage that nothing frees, by itself.
fn garbage(case: &Case, bounds: &Bounds, limits: &Limits, series: &Series) -> Option<(Rise, Why)> {
    let why = garbage_stays(case).filter(|_| series.end() >= limits.leak_work)?;
    let garbage = of(case, |floor| floor.garbage)?;
    let grain = case.metric.grain();
    let rise = rises(&garbage, FROM, bounds.shape.thin[0], limits.leak, grain, &bounds.shape).ok()?;
    // Beside it grow the tables in which its objects stand.
    let whole = growth(series, FROM, grain, &bounds.shape)?;
    Some((Rise { high: rise.high.max(whole.high), ..rise }, why))
}

/// A container whose elements rise as a leak does. They are no garbage, so a collector need not be waited for. What the
/// doubling of its table hides is known by their number; where that leaves a line, its slope is the growth.
fn elements(case: &Case, bounds: &Bounds, limits: &Limits, series: &Series) -> Option<(Rise, Why)> {
    let counted = of(case, |floor| floor.elements.map(|elements| elements as f64))?;
    let look = |series: &Series, leak: f64, grain: f64| {
        rises(series, FROM, bounds.shape.thin[0], leak, grain, &bounds.shape).ok()
    };
    let elements = look(&counted, bounds.heap.elements / 1000.0, 1.0)?;
    let held = counted.y.last().copied()?;
    let why = Why::Elements { per_1000: 1000.0 * elements.slope, held: held as u64 };
    let without_doubling = |kind: (f64, f64)| {
        let unused = |elements: f64| table(elements, kind) - kind.0 * elements;
        let y = series.y.iter().zip(&counted.y).map(|(y, elements)| y - unused(*elements)).collect();
        look(&Series { x: series.x.clone(), y }, limits.leak, case.metric.grain())
    };
    let width = |rise: &Rise| rise.high - rise.low;
    let line = TABLES.into_iter().filter_map(without_doubling).min_by(|a, b| width(a).total_cmp(&width(b)));
    if let Some(line) = line {
        return Some((line, why));
    }
    // Between two doublings the totals lie between what the elements need and twice that.
    let rate = series.growth() / series.span();
    (rate > limits.leak).then_some((Rise { slope: rate, low: rate / 2.0, high: rate * 2.0 }, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Collector, judge};

    fn judged(floors: impl Fn(u32) -> Floor) -> Judgement {
        let floors: Vec<Floor> = (0..=24).map(floors).collect();
        judge(&Case { garbage_known: true, ..Case::new(Metric::Heap, &floors) }, &Bounds::default())
    }

    /// A heap after `wave` waves of some 600 messages.
    fn floor(wave: u32, value: impl Fn(u64) -> f64) -> Floor {
        let messages = u64::from(wave) * 600 + u64::from(wave * 37 % 11) * 12;
        Floor::new(wave, messages, messages / 25, 458_000.0 + value(messages))
    }

    #[test]
    fn blocks_are_those_of_php() {
        assert_eq!(
            [8.0, 128.0, 256.0, 512.0].map(|elements| table(elements, TABLES[0])),
            [160.0, 2560.0, 8192.0, 12288.0]
        );
    }

    #[test]
    fn what_comes_with_each_fiftieth_message_is_a_leak_though_its_list_doubles() {
        let judgement = judged(|wave| {
            let kept = |messages: u64| (messages / 50) as f64;
            let floor = floor(wave, |messages| 128.0 * kept(messages) + table(kept(messages), TABLES[0]));
            Floor { elements: Some(floor.messages / 50), garbage: Some(0.0), ..floor }
        });
        assert_eq!(judgement.state, State::Leak, "{:?}", judgement.why);
        let [low, high] = judgement.ci95.unwrap();
        assert!(low < 2_880.0 && 2_880.0 < high && high - low < 1_000.0, "{low} {high}");
    }

    #[test]
    fn floors_of_a_running_php_with_such_a_list() {
        // 128 bytes for each 50th message, PHP 8.2: messages, heap, elements.
        let recorded = [
            (0, 413_272, 3),
            (766, 416_528, 15),
            (1_578, 418_896, 31),
            (2_702, 422_480, 54),
            (3_888, 426_704, 77),
            (4_680, 428_752, 93),
            (5_780, 431_568, 115),
            (6_630, 439_376, 132),
            (7_714, 442_192, 154),
            (8_400, 443_984, 168),
            (9_485, 446_672, 189),
            (10_285, 448_720, 205),
        ];
        let floors: Vec<Floor> = (0..)
            .zip(recorded)
            .map(|(wave, (messages, heap, elements))| Floor {
                elements: Some(elements),
                garbage: Some(0.0),
                ..Floor::new(wave, messages, messages, f64::from(heap))
            })
            .collect();
        let judgement = judge(&Case { garbage_known: true, ..Case::new(Metric::Heap, &floors) }, &Bounds::default());
        assert_eq!(judgement.state, State::Leak, "{:?}", judgement.why);
        let [low, high] = judgement.ci95.unwrap();
        assert!(low < 2_880.0 && 2_880.0 < high && high - low < 1_000.0, "{low} {high}");
    }

    #[test]
    fn the_interval_of_a_list_that_doubles_is_that_of_its_elements() {
        let judgement = judged(|wave| {
            let floor = floor(wave, |messages| 48.0 * messages as f64 + table(messages as f64, TABLES[0]));
            Floor { elements: Some(floor.messages), garbage: Some(0.0), ..floor }
        });
        assert_eq!(judgement.state, State::Leak, "{:?}", judgement.why);
        let [low, high] = judgement.ci95.unwrap();
        assert!(low < 64_000.0 && 64_000.0 < high && high - low < 10_000.0, "{low} {high}");
    }

    /// Garbage of 11.2 bytes a message; the store of its objects doubles.
    fn cycles(on: bool, bytes: f64, limit: f64) -> Judgement {
        judged(move |wave| {
            let floor = floor(wave, |messages| bytes * messages as f64 + table(messages as f64 / 5.0, TABLES[2]));
            let collector = Collector { on, roots: floor.messages / 10, threshold: 10_001, runs: 0 };
            let garbage = Some(bytes * floor.messages as f64);
            Floor { garbage, collector: Some(collector), limit: Some(limit), ..floor }
        })
    }

    #[test]
    fn garbage_is_a_leak_where_no_collector_comes_in_time() {
        let off = cycles(false, 11.2, 64e9);
        assert_eq!(off.state, State::Leak, "{:?}", off.why);
        assert!(off.why.contains(&Why::CollectorOff));
        let [low, high] = off.ci95.unwrap();
        assert!(low < 11_200.0 && 12_800.0 < high, "{low} {high}");
        let late = cycles(true, 11_000.0, 512e6);
        assert_eq!(late.state, State::Leak, "{:?}", late.why);
        assert!(matches!(late.why[0], Why::CollectorLate { .. }), "{:?}", late.why);
        let comes = cycles(true, 11.2, 512e6);
        assert_ne!(comes.state, State::Leak, "{:?}", comes.why);
    }
}
