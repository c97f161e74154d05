//! Garbage that waits for a collector which comes too late: memory_limit is reached before enough roots are.

use serde::{Deserialize, Serialize};

use super::floor::{Case, Floor};

/// Garbage that reaches a limit of memory before the collector runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GarbageRisk {
    /// Bytes of garbage at the collector's next run, at the growth seen.
    pub at_run: f64,
    /// The limit.
    pub limit: f64,
    /// Work from the last floor until the limit is reached.
    pub work: f64,
}

/// Whether garbage would reach the limit of memory before the collector's next run, at the growth of the later half of the
/// floors. None where garbage, collector or limit are not known, it ran meanwhile, or it comes in time.
pub fn garbage_risk(case: &Case) -> Option<GarbageRisk> {
    let last = case.floors.last()?;
    let limit = last.limit?;
    let work = |floor: &Floor| floor.work(case.per) as f64;
    let half = work(last) / 2.0;
    let first = case.floors.iter().find(|floor| floor.garbage.is_some() && work(floor) >= half)?;
    let (collector, garbage) = (last.collector?, last.garbage?);
    let span = work(last) - work(first);
    if collector.runs > first.collector?.runs {
        return None;
    }
    let garbage_each = (garbage - first.garbage?) / span;
    let roots_each = (collector.roots as f64 - first.collector?.roots as f64) / span;
    if span <= 0.0 || garbage_each <= 0.0 {
        return None;
    }
    let until_limit = (limit - last.value).max(0.0) / garbage_each;
    // Off, or without roots of its own: it never comes.
    let until_run = match collector.on && roots_each > 0.0 {
        true => collector.threshold.saturating_sub(collector.roots) as f64 / roots_each,
        false => f64::INFINITY,
    };
    let at_run = if until_run.is_finite() { garbage + garbage_each * until_run } else { limit };
    (until_limit < until_run).then_some(GarbageRisk { at_run, limit, work: until_limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Collector, Metric};

    /// 5 MB of garbage in ten roots a message.
    fn floors(on: bool, bytes: f64, limit: f64) -> Vec<Floor> {
        let floor = |wave: u32| {
            let messages = u64::from(wave) * 5;
            let collector = Collector { on, roots: 10 * messages, threshold: 10_001, runs: 0 };
            let garbage = bytes * messages as f64;
            let value = 2e6 + garbage;
            let known = Floor { garbage: Some(garbage), limit: Some(limit), ..Floor::new(wave, messages, 0, value) };
            Floor { collector: Some(collector), ..known }
        };
        (0..=10).map(floor).collect()
    }

    #[test]
    fn a_collector_that_waits_for_roots_comes_too_late_for_large_mails() {
        let risk = |floors: &[Floor]| garbage_risk(&Case::new(Metric::Heap, floors));
        let late = risk(&floors(true, 5e6, 512e6)).unwrap();
        assert!((late.work - 52.0).abs() < 1.0 && late.at_run > 4.9e9, "{late:?}");
        assert_eq!(risk(&floors(true, 320.0, 512e6)), None);
        assert_eq!(risk(&floors(true, 5e6, 64e9)), None, "there is room for all of it");
        assert!(risk(&floors(false, 320.0, 512e6)).is_some());
        let mut ran = floors(true, 5e6, 512e6);
        ran[9].collector = ran[9].collector.map(|collector| Collector { runs: 1, ..collector });
        ran[10].collector = ran[9].collector;
        assert_eq!(risk(&ran), None, "it comes");
    }
}
