//! Growth with time, judged over time: what a timer keeps while nobody asks anything of the server. The program's own
//! rests are stretches of time, and never steps of the work.

use super::by_time::{Cause, split};
use super::floor::Case;
use super::rises::{Rise, rises};
use super::series::Series;
use super::thresholds::Bounds;

/// Share of the usual pace below which a stretch counts as one without load.
const IDLE: f64 = 0.02;

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
    if !matches!(split.cause, Cause::Time | Cause::Both) {
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
    if split.cause == Cause::Both {
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

/// Seconds between floors in which hardly anything was asked.
fn idle(case: &Case) -> f64 {
    let stretches: Vec<(f64, f64)> = case
        .floors
        .windows(2)
        .filter_map(|pair| {
            let work = pair[1].work(case.per).saturating_sub(pair[0].work(case.per)) as f64;
            Some((work, pair[1].seconds? - pair[0].seconds?))
        })
        .collect();
    let pace = stretches.iter().filter(|(_, s)| *s > 0.0).map(|(work, seconds)| work / seconds).fold(0.0, f64::max);
    // A rest ends with the small wave that follows it, or with none.
    stretches.iter().filter(|(work, seconds)| *work < IDLE * pace * seconds).map(|(_, seconds)| seconds).sum()
}
