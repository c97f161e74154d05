//! Growth with time apart from growth with work. Waves at two paces and an idle control tell them apart: a timer that
//! keeps something grows while nobody asks anything of the server.

use serde::{Deserialize, Serialize};

use super::floor::Case;
use super::thresholds::Bounds;

/// An estimate with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

/// What growth goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// With the work alone.
    Work,
    /// With time alone.
    Time,
    /// With each.
    Both,
    /// With neither, above the bounds.
    Neither,
}

/// Growth taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Per 1,000 messages or sessions.
    pub per_work: Estimate,
    /// Per hour.
    pub per_hour: Estimate,
    /// Which of them lies above its bound.
    pub cause: Cause,
}

/// Of the growth with time, the part that must also show without the longest stretch.
const OTHERS: f64 = 0.5;

/// Takes the growth of floors that carry their seconds apart: least squares of each wave's growth on its work and its
/// time. `None` where the pace hardly changed, so that the two cannot be told apart, or where seconds are missing.
pub fn split(case: &Case, bounds: &Bounds) -> Option<Split> {
    let work = |floor: &super::Floor| match case.per {
        super::Per::Messages => floor.messages as f64,
        super::Per::Sessions => floor.sessions as f64,
    };
    let garbage = case.counts_garbage();
    let own = |floor: &super::Floor| floor.own(garbage);
    // The warm-up grows with neither: begin where the rule's window does.
    let from = bounds.shape.windows[0] * case.floors.last().map_or(0.0, &work);
    let floors: Vec<&super::Floor> = case.floors.iter().filter(|floor| floor.wave > 0 && work(floor) >= from).collect();
    let mut steps = Vec::with_capacity(floors.len());
    for pair in floors.windows(2) {
        let seconds = pair[1].seconds? - pair[0].seconds?;
        steps.push([work(pair[1]) - work(pair[0]), seconds / 3600.0, own(pair[1]) - own(pair[0])]);
    }
    let (per_work, per_hour) = fit(&steps, case.metric.grain())?;
    // One long stretch alone has its own growth for its rate, whatever fell into it by chance: without it time must show too.
    let longest = (0..steps.len()).max_by(|&a, &b| steps[a][1].total_cmp(&steps[b][1]))?;
    let others: Vec<[f64; 3]> = (0..steps.len()).filter(|&i| i != longest).map(|i| steps[i]).collect();
    let hour = bounds.hour(case.metric);
    let with_work = per_work.low > bounds.for_case(case).leak * 1000.0;
    let alike = |others: Estimate| others.high > hour && others.value > OTHERS * per_hour.value;
    let others = fit(&others, case.metric.grain());
    // Where the others are of one pace they say nothing: time alone may be the cause then, and not time beside the work.
    let with_time = per_hour.low > hour && others.map_or(!with_work, |(_, others)| alike(others));
    let cause = match (with_work, with_time) {
        (true, true) => Cause::Both,
        (true, false) => Cause::Work,
        (false, true) => Cause::Time,
        (false, false) => Cause::Neither,
    };
    Some(Split { per_work, per_hour, cause })
}

/// Least squares of steps of work, hours and growth: growth per 1,000 units of work, and per hour. None where they are too
/// few or of one pace.
fn fit(steps: &[[f64; 3]], grain: f64) -> Option<(Estimate, Estimate)> {
    let n = steps.len();
    if n < 5 {
        return None;
    }
    let sum = |a: usize, b: usize| steps.iter().map(|step| step[a] * step[b]).sum::<f64>();
    let (ww, tt, wt) = (sum(0, 0), sum(1, 1), sum(0, 1));
    // The share of the time's spread that the work does not explain.
    let apart = 1.0 - wt * wt / (ww * tt);
    if ww <= 0.0 || tt <= 0.0 || apart < 0.05 {
        return None;
    }
    let determinant = ww * tt - wt * wt;
    let per_work = (sum(0, 2) * tt - sum(1, 2) * wt) / determinant;
    let per_hour = (sum(1, 2) * ww - sum(0, 2) * wt) / determinant;
    let residual: f64 = steps.iter().map(|[w, t, y]| (y - per_work * w - per_hour * t).powi(2)).sum();
    // A grain of the metric at each end is the least that a step is off by.
    let variance = (residual / (n - 2) as f64).max(grain.powi(2) / 6.0);
    let reach = |weight: f64| 2.1 * (variance * weight / determinant).sqrt();
    let estimate = |value: f64, reach: f64, scale: f64| Estimate {
        value: value * scale,
        low: (value - reach) * scale,
        high: (value + reach) * scale,
    };
    Some((estimate(per_work, reach(tt), 1000.0), estimate(per_hour, reach(ww), 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Floor, Metric};

    /// Twelve fast waves, twelve slow ones, and two idle ones.
    fn floors(per_message: f64, per_hour: f64) -> Vec<Floor> {
        let (mut seconds, mut messages) = (0.0, 0);
        let floor = |wave: u32| {
            let (work, time) = match wave {
                0 => (0, 0.0),
                1..=12 => (500, 1.0),
                13..=24 => (500, 4.0),
                _ => (0, 30.0),
            };
            messages += work;
            seconds += time;
            let value = 458_264.0 + per_message * messages as f64 + per_hour * seconds / 3600.0;
            Floor { seconds: Some(seconds), ..Floor::new(wave, messages, messages / 25, value.round()) }
        };
        (0..=26).map(floor).collect()
    }

    #[test]
    fn a_timer_that_keeps_something_is_told_from_messages_that_leak() {
        for (per_message, per_hour, cause) in [
            (0.0, 3_600_000.0, Cause::Time),
            (16.0, 0.0, Cause::Work),
            (16.0, 3_600_000.0, Cause::Both),
            (0.0, 0.0, Cause::Neither),
        ] {
            let floors = floors(per_message, per_hour);
            let split = split(&Case::new(Metric::Heap, &floors), &Bounds::default()).unwrap();
            assert_eq!(split.cause, cause, "{split:?}");
            assert!(split.per_work.low <= 1000.0 * per_message && 1000.0 * per_message <= split.per_work.high);
            assert!(split.per_hour.low <= per_hour && per_hour <= split.per_hour.high);
        }
    }

    #[test]
    fn what_falls_into_the_one_rest_by_chance_is_no_growth_with_time() {
        let mut floors = floors(16.0, 0.0);
        floors.truncate(13);
        for floor in floors.iter_mut().skip(7) {
            // A rest of 15 seconds before the seventh, in which a list doubled.
            floor.seconds = floor.seconds.map(|seconds| seconds + 15.0);
            floor.value += 6_000.0;
        }
        let split = split(&Case::new(Metric::Heap, &floors), &Bounds::default()).unwrap();
        assert_eq!(split.cause, Cause::Work, "{split:?}");
    }

    #[test]
    fn one_pace_tells_nothing() {
        let floors: Vec<Floor> = floors(16.0, 0.0).into_iter().take(13).collect();
        assert_eq!(split(&Case::new(Metric::Heap, &floors), &Bounds::default()), None);
    }
}
