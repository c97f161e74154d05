//! Whether floors are at rest, and which growth they leave room for. Four ways to see it: what the floors themselves
//! range over, the same of the means of stretches, the lows between swings, and the line through scatter without memory.
//! Each gives an upper limit of growth for a unit of work, falls and rises alike.

use super::series::Series;
use super::slope::{ends, line, sen};
use super::thresholds::Rest;

/// None where the later floors fall steadily, or are too few. Else the limit from the range of the floors in several
/// later stretches, from the ends of the parabola where they say that
/// it still falls or begins to rise, and from steps that stay.
pub(super) fn by_range(series: &Series, grain: f64, rest: &Rest) -> Option<f64> {
    let work = series.end();
    let half = series.from(0.5 * work);
    if half.len() < rest.floors || half.span() <= 0.0 {
        return None;
    }
    let mut limit = steps(series, rest) + grain / half.span();
    for (from, margin) in rest.stretches {
        let stretch = series.from(from * work);
        if stretch.len() > 1 {
            limit = limit.max(margin * stretch.range() / (work * (1.0 - from)) + grain / half.span());
        }
    }
    for from in [0.4, 0.5] {
        let Some(ends) = ends(&series.from(from * work), grain) else { continue };
        let seen = 2.0 * ends.error;
        // Steadily falling is not at rest: it hides whatever rises more slowly than what is given back.
        if ends.first < -seen && ends.last < -seen && -half.growth() > 4.0 * grain {
            return None;
        }
        // A fall hides a leak as fast as itself; where the fall ends, the leak shows as a bend.
        if ends.first < -seen {
            limit = limit.max(-rest.fall * ends.first);
        }
        if ends.last.abs() > seen {
            limit = limit.max(rest.fall * ends.last.abs());
        }
        if ends.bend() > 2.0 * ends.bend_error {
            limit = limit.max(rest.bend * ends.bend());
            if ends.last > seen {
                limit = limit.max(2.0 * ends.last);
            }
        }
    }
    Some(limit)
}

/// A container that doubles is flat for at least as much work as it then holds elements: a step that stayed, over the
/// work since, is no less than what each element costs. Early steps count where they stand alone; a ramp is a warm-up.
pub(super) fn steps(series: &Series, rest: &Rest) -> f64 {
    let (n, work) = (series.len(), series.end());
    let mut lowest_later = vec![f64::INFINITY; n + 1];
    for i in (0..n).rev() {
        lowest_later[i] = lowest_later[i + 1].min(series.y[i]);
    }
    let step = |i: usize| if i >= 1 && i < n { (series.y[i] - series.y[i - 1]).abs() } else { 0.0 };
    let (mut highest, mut limit) = (f64::NEG_INFINITY, 0.0_f64);
    for (i, &later) in lowest_later.iter().enumerate().take(n).skip(1) {
        highest = highest.max(series.y[i - 1]);
        let rise = later - highest;
        let alone = || rise > 3.0 * step(i - 1).max(step(i + 1));
        let at = series.x[i];
        if rise > 0.0 && (at > rest.warm * work || (i > 1 && at > rest.first * work && alone())) {
            limit = limit.max(rise / (work - at).max(at - series.x[i - 1]));
        }
    }
    limit
}

/// The limit from the lows between swings. Where they are met somewhere within a wave of the fall, they scatter by as much
/// as a wave brings; the floor before the load is met where it is.
pub(super) fn by_lows(lows: &Series, series: &Series, grain: f64, rest: &Rest) -> Option<f64> {
    if lows.len() < rest.lows || lows.y.windows(2).all(|pair| pair[1] < pair[0]) {
        return None;
    }
    let mut rises: Vec<f64> = series.steps().map(|(_, y)| y).filter(|y| *y > 0.0).collect();
    rises.sort_unstable_by(f64::total_cmp);
    let slope = sen(lows);
    let beside = Series { x: lows.x.clone(), y: lows.x.iter().zip(&lows.y).map(|(x, y)| y - slope * x).collect() };
    let met = rises.get(rises.len() * 3 / 4).copied().unwrap_or(0.0).min(1.5 * beside.range());
    let mut limit = 0.0_f64;
    for from in [0.0, 0.25, 0.4, 0.5] {
        let later = lows.from(from * lows.end());
        if later.len() < rest.lows || later.span() <= 0.0 {
            break;
        }
        let from_the_start = from == 0.0 && lows.x[0] == series.x[0];
        let range = if from_the_start { rest.fall * later.range() } else { later.range() + met };
        limit = limit.max((range + 2.0 * grain) / later.span());
    }
    Some(limit)
}

/// Whether the last stretch tops all earlier peaks by a part of the swing: the lows then tell half of it.
pub(super) fn peaks_rise(series: &Series, rest: &Rest) -> bool {
    let warm = series.from(0.2 * series.end());
    let late = warm.x.first().copied().unwrap_or(0.0) + 0.67 * warm.span();
    warm.from(late).highest() - warm.before(late).highest() > rest.peaks * warm.range()
}

/// The limit from the line of least squares, where the floors scatter without memory: they swing often, neighbours are not
/// alike, and nothing bends.
pub(super) fn by_line(series: &Series, grain: f64, rest: &Rest) -> Option<f64> {
    let mut limit = steps(series, rest);
    for (from, errors) in [(0.25, 3.2), (0.5, 2.0)] {
        let stretch = series.from(from * series.end());
        if stretch.len() < 12 || stretch.lows(stretch.fall() / 2.0).len() < 3 {
            return None;
        }
        let line = line(&stretch).filter(|line| line.alike <= 0.4)?;
        if line.slope < -2.0 * line.error && line.alike > 0.0 {
            return None;
        }
        let bends = ends(&stretch, grain).is_none_or(|ends| ends.bend().abs() > 2.5 * ends.bend_error);
        if bends {
            return None;
        }
        // Few floors: Student's tails.
        let errors = if from < 0.3 && stretch.len() < 20 { errors + 0.4 } else { errors };
        limit = limit.max(line.slope.abs() + errors * line.error);
    }
    Some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(waves: u32, y: impl Fn(f64) -> f64) -> Series {
        let x: Vec<f64> = (0..=waves).map(|wave| 500.0 * f64::from(wave)).collect();
        Series { y: x.iter().map(|&x| y(x)).collect(), x }
    }

    #[test]
    fn the_limit_is_never_below_what_a_container_that_doubles_costs() {
        for held in [0.0, 2100.0, 3000.0] {
            for waves in 12..60 {
                let doubling = series(waves, |x| 32.0 * (x + held).max(8.0).log2().ceil().exp2());
                let limit = by_range(&doubling, 16.0, &Rest::default()).unwrap();
                assert!(limit >= 32.0, "{held} held, {waves} waves: {limit}");
            }
        }
    }

    #[test]
    fn a_fall_hides_a_leak_as_fast_as_itself() {
        let falling = series(20, |x| 310.0 * (100_000.0 - x) + 300.0 * x);
        assert_eq!(by_range(&falling, 16.0, &Rest::default()), None);
        // Start-up memory decays beside a leak: flat where they balance, and bent.
        for tau in [0.3, 0.5] {
            for ballast in [1.5, 2.0, 3.0] {
                let both = series(40, |x| 30.0 * (x + ballast * 20_000.0 * (-x / (tau * 20_000.0)).exp()));
                let limit = by_range(&both, 16.0, &Rest::default()).unwrap();
                assert!(limit >= 30.0, "{tau} {ballast}: {limit}");
            }
        }
    }

    #[test]
    fn lows_that_come_back_to_one_level_leave_little_room() {
        let tooth = series(60, |x| 150.0 * (x % 4_300.0));
        let lows = tooth.lows(tooth.fall() / 2.0);
        assert!(by_lows(&lows, &tooth, 16.0, &Rest::default()).unwrap() < 16.0);
        let leaking = series(60, |x| 150.0 * (x % 4_300.0) + 40.0 * x);
        let lows = leaking.lows(leaking.fall() / 2.0);
        assert!(by_lows(&lows, &leaking, 16.0, &Rest::default()).unwrap() >= 40.0);
    }
}
