//! Growth with time, judged over time: what a timer keeps while nobody asks anything of the server. The program's own
//! rests are stretches of time, and never steps of the work.

use super::by_time::{Cause, split};
use super::floor::Case;
use super::rises::{Rise, rises};
use super::series::Series;
use super::thresholds::Bounds;

/// So many times as long as its work takes at the usual pace is a stretch of which the rest counts as time without load.
const LONGER: f64 = 10.0;

/// Steady growth with time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timed {
    /// Per hour.
    pub rise: Rise,
    /// Seconds that were watched without load.
    pub idle: f64,
}

/// The floors without what grows with time, and that growth, where it goes with time and steadily so.
pub(super) fn without_time(case: &Case, bounds: &Bounds, series: Series) -> (Series, Option<Timed>) {
    let unchanged = |series| (series, None);
    let Some(split) = split(case, bounds) else { return unchanged(series) };
    // What is seen to come with time, and to be less than what is called a leak, is nothing that the work did.
    let hour = split.per_hour;
    let small = split.cause == Cause::Neither && hour.low > 0.0 && hour.high < bounds.hour(case.metric);
    if !matches!(split.cause, Cause::Time | Cause::Both) && !small {
        return unchanged(series);
    }
    let Some(over_time) = Series::over_time(case) else { return unchanged(series) };
    let garbage = case.counts_garbage();
    let per_second = split.per_hour.value / 3600.0;
    let floors: Vec<super::Floor> = case
        .floors
        .iter()
        .map(|floor| super::Floor {
            value: floor.own(garbage) - per_second * floor.seconds.unwrap_or(0.0),
            garbage: None,
            ..*floor
        })
        .collect();
    let worked = Series::of(&Case { floors: &floors, ..*case });
    if small || split.cause == Cause::Both {
        return (worked, None);
    }
    let leak = bounds.hour(case.metric) / 3600.0;
    let grain = case.metric.grain();
    match rises(&over_time, 0.25, 60, leak, grain, &bounds.shape) {
        Ok(rise) => {
            let hourly = Rise { slope: rise.slope * 3600.0, low: rise.low * 3600.0, high: rise.high * 3600.0 };
            (worked, Some(Timed { rise: hourly, idle: idle(case) }))
        }
        Err(_) => unchanged(series),
    }
}

/// Seconds between floors beyond those that their work takes at the usual pace: after a rest, or where they are by far the
/// most.
fn idle(case: &Case) -> f64 {
    let stretches: Vec<(f64, f64, bool)> = case
        .floors
        .windows(2)
        .filter_map(|pair| {
            let work = pair[1].work(case.per).saturating_sub(pair[0].work(case.per)) as f64;
            Some((work, pair[1].seconds? - pair[0].seconds?, pair[1].rested))
        })
        .filter(|(_, seconds, _)| *seconds > 0.0)
        .collect();
    let mut paces: Vec<f64> =
        stretches.iter().filter(|(work, ..)| *work > 0.0).map(|(work, seconds, _)| work / seconds).collect();
    paces.sort_unstable_by(f64::total_cmp);
    let usual = paces.get(paces.len() / 2).copied().unwrap_or(f64::INFINITY);
    let beside = |(work, seconds, rested): &(f64, f64, bool)| {
        let busy = work / usual;
        (*rested || *seconds > LONGER * busy).then_some((seconds - busy).max(0.0))
    };
    stretches.iter().filter_map(beside).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;
    use crate::verdict::{Floor, Metric, judge};

    #[test]
    fn what_comes_with_time_below_its_bound_is_not_charged_to_the_work() {
        // 20 waves of a second, and a rest of 100 s after every second of them: 28 B per message, 5 MB per hour.
        let judged = |hourly: f64| {
            let (mut seconds, mut messages) = (0.0, 0);
            let floor = |wave: u32| {
                let rests = wave > 0 && wave.is_multiple_of(3);
                messages += if wave == 0 || rests { 0 } else { 900 + u64::from(wave * 7919 % 300) };
                seconds += if rests { 100.0 } else { 1.0 };
                let value = 30e6 + 28.0 * messages as f64 + hourly * seconds / 3600.0;
                let value = 4096.0 * (value / 4096.0_f64).floor();
                Floor { seconds: Some(seconds), ..Floor::new(wave, messages, messages, value) }
            };
            let floors: Vec<Floor> = (0..=30).map(floor).collect();
            judge(&Case::new(Metric::Rss, &floors), &Bounds::default())
        };
        assert!(judged(5e6).state.holds(), "{:?}", judged(5e6).why);
        assert_eq!(judged(50e6).state, State::Leak, "{:?}", judged(50e6).why);
    }
}
