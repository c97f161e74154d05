//! What became of a wave, out of its parts. Pure.

use super::order::Order;
use crate::model::load_stats::{LoadStats, Stall, Step};
use crate::model::plan::scenario::Unit;

/// What a session is counted as whose worker was lost. As all that this program breaks off itself, it is no fault of the
/// server's.
const LOST: &str = "interrupted_worker";

/// One worker's part: what was asked of it, what it told last, and whether that was the last word.
#[derive(Debug)]
pub struct Part<'a> {
    /// What was asked.
    pub order: &'a Order,
    /// What it told.
    pub told: Option<LoadStats>,
    /// All of it is done.
    pub done: bool,
}

/// The sum of the parts, which went on beside each other.
pub fn merge(unit: Unit, parts: Vec<Part>) -> LoadStats {
    let mut sum = LoadStats::new(unit, 0);
    let parallel = parts.iter().map(|part| part.order.parallel).sum();
    for part in parts {
        let mut told = part.told.unwrap_or_else(|| LoadStats::new(unit, part.order.count));
        if !part.done {
            break_off(&mut told);
        }
        let (seconds, peak, mut per_second) = (sum.seconds, sum.peak_open, std::mem::take(&mut sum.per_second));
        sum.merge(&told);
        sum.seconds = seconds.max(told.seconds);
        // Their peaks need not fall together: it is the most that can have been.
        sum.peak_open = (peak + told.peak_open).min(parallel);
        per_second.resize(per_second.len().max(told.per_second.len()), 0);
        for (sum, of) in per_second.iter_mut().zip(&told.per_second) {
            *sum += of;
        }
        sum.per_second = per_second;
    }
    sum
}

/// What was under way when a worker was lost is not finished; what it had not begun by its last word is not begun.
fn break_off(stats: &mut LoadStats) {
    for count in [&mut stats.sessions, &mut stats.asked] {
        let known = count.finished + count.refused + count.failed + count.not_started;
        let open = count.asked.saturating_sub(known);
        count.failed += open;
        if open > 0 {
            stats.errors.insert(LOST.to_owned(), open);
        }
    }
}

/// What the workers' reports say of the server's silence.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    /// Seconds since the last sign of life.
    pub silent: f64,
    /// Seconds that the most patient session has waited.
    pub waited: f64,
    /// What most of its sessions wait for.
    pub stage: Option<Step>,
    /// Sessions in flight.
    pub open: u64,
}

/// Whether the server has answered nobody for so long: each worker must have waited, or have nothing to wait for.
pub fn stall(all: &[Silence], limit: f64) -> Option<Stall> {
    let silent = all.iter().map(|of| of.silent).fold(f64::INFINITY, f64::min);
    let waiting = all.iter().filter(|of| of.waited >= limit).max_by_key(|of| of.open)?;
    (silent >= limit).then(|| Stall {
        stage: waiting.stage.unwrap_or(Step::Connect),
        open_sessions: all.iter().map(|of| of.open).sum(),
        last_reply_seconds_ago: silent,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::order::orders;
    use super::*;
    use crate::load::{Address, Job, SessionOptions};
    use crate::model::plan::scenario::Scenario;

    fn parts(count: u64, workers: usize) -> Vec<Order> {
        let job = Job {
            scenario: Scenario::plain("test", 10, count),
            target: Address::parse("localhost:2525").expect("an address"),
            count,
            stall_timeout: Duration::from_secs(1),
            seed: 1,
            options: SessionOptions::default(),
        };
        orders(&job, (1, workers), ([127, 0, 0, 1], 2525).into(), 100).expect("it can")
    }

    fn told(count: u64, finished: u64, begun: u64) -> LoadStats {
        let mut stats = LoadStats::new(Unit::Messages, count);
        (stats.asked.finished, stats.messages_accepted, stats.as_meant) = (finished, finished, finished);
        stats.asked.not_started = count - begun;
        (stats.sessions.asked, stats.sessions.finished) = (begun, finished);
        (stats.seconds, stats.peak_open, stats.per_second) = (count as f64 / 10.0, 4, vec![finished]);
        (0..finished).for_each(|n| stats.whole.record(n * 1_000_000));
        stats
    }

    #[test]
    fn parts_that_went_beside_each_other() {
        let orders = parts(21, 2);
        let parts = orders.iter().zip([(11, 11, 11), (10, 10, 10)]);
        let parts = parts.map(|(order, (n, f, b))| Part { order, told: Some(told(n, f, b)), done: true });
        let sum = merge(Unit::Messages, parts.collect());
        assert!(sum.adds_up() && sum.is_whole());
        assert_eq!((sum.asked.asked, sum.messages_accepted, sum.whole.len()), (21, 21, 21));
        assert_eq!((sum.seconds, sum.peak_open, sum.per_second), (1.1, 8, vec![21]));
    }

    #[test]
    fn a_lost_worker_leaves_what_it_told() {
        let orders = parts(20, 2);
        let parts = [
            Part { order: &orders[0], told: Some(told(10, 10, 10)), done: true },
            Part { order: &orders[1], told: Some(told(10, 3, 5)), done: false },
        ];
        let sum = merge(Unit::Messages, parts.into());
        assert!(sum.adds_up() && !sum.is_whole());
        assert_eq!((sum.asked.finished, sum.asked.failed, sum.asked.not_started), (13, 2, 5));
        assert_eq!(sum.errors.get(LOST), Some(&2));
        assert_eq!(crate::model::load_stats::refused_or_failed(&sum.errors), 0, "it is not the server's");
        // One that never said a word.
        let silent = Part { order: &orders[0], told: None, done: false };
        let sum = merge(Unit::Messages, vec![silent]);
        assert_eq!((sum.asked.not_started, sum.adds_up()), (10, true));
    }

    #[test]
    fn a_stall_is_one_for_all_workers() {
        let of = |silent, waited, open| Silence { silent, waited, open, stage: Some(Step::Mail) };
        assert_eq!(stall(&[of(5.0, 5.0, 3), of(0.1, 5.0, 3)], 4.0), None, "one is answered");
        assert_eq!(stall(&[of(5.0, 1.0, 3)], 4.0), None, "nobody waits so long");
        let stall = stall(&[of(5.0, 5.0, 3), of(6.0, 0.0, 0)], 4.0).expect("a stall");
        assert_eq!((stall.stage, stall.open_sessions, stall.last_reply_seconds_ago), (Step::Mail, 3, 5.0));
        assert_eq!(super::stall(&[], 4.0), None);
    }
}
