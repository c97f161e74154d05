//! Whether floors are at rest, and which growth they leave room for. Four ways to see it: what the floors themselves
//! range over, the same of the means of stretches, the lows between swings, and the line through scatter without memory.
//! Each gives an upper limit of growth for a unit of work, falls and rises alike.

use super::series::Series;
use super::slope::{ends, line, sen};
use super::thresholds::Rest;
use crate::model::median;

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
            limit = limit.max(margin * stretch.range() / stretch.span() + grain / half.span());
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
            // Of floors that never fell nothing was given back.
            if series.fall() > 4.0 * grain {
                limit = limit.max(rest.decay * levels_at(&series.from(from * work)));
            }
            if ends.last > seen {
                limit = limit.max(2.0 * ends.last);
            }
        }
    }
    Some(limit)
}

/// The rate that a fall which ends leaves behind: what is given back decays by the same share in like stretches, and so do
/// the changes of the rate; what is left of the rate is what the fall hid.
fn levels_at(stretch: &Series) -> f64 {
    let means = stretch.means(4);
    let middle = |x: &[f64], i: usize| 0.5 * (x[i] + x[i + 1]);
    let change =
        |x: &[f64], y: &[f64]| -> Vec<f64> { (1..x.len()).map(|i| (y[i] - y[i - 1]) / (x[i] - x[i - 1])).collect() };
    if means.len() < 4 {
        return 0.0;
    }
    let rates = change(&means.x, &means.y);
    let at: Vec<f64> = (0..3).map(|i| middle(&means.x, i)).collect();
    let bends = change(&at, &rates);
    let (early, late) = (bends[0], bends[1]);
    if early <= 0.0 || late <= 0.0 {
        return 0.0;
    }
    let apart = middle(&at, 1) - middle(&at, 0);
    let longest = LONGEST_DECAY * apart;
    let decay = if late < early { (apart / (early / late).ln()).min(longest) } else { longest };
    rates[2] + late * decay * (-0.5 * (at[2] - at[1]) / decay).exp()
}

/// So many stretches long is a decay at most: what ends more slowly is not seen to end.
const LONGEST_DECAY: f64 = 32.0;

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
        let whole = later - highest;
        let ramp = ramp(series, i);
        let rise = if ramp > 0.0 { (whole - ramp).max(0.5 * whole) } else { rest.step * whole };
        let alone = || rise > 3.0 * step(i - 1).max(step(i + 1));
        let at = series.x[i];
        if rise > 0.0 && (at > rest.warm * work || (i > 1 && at > rest.first * work && alone())) {
            limit = limit.max(rise / (work - at).max(at - series.x[i - 1]));
        }
    }
    limit
}

/// The growth of a wave that the three waves before had as well, while it had not begun to end: a ramp that ends is no step.
fn ramp(series: &Series, i: usize) -> f64 {
    if i < 4 {
        return 0.0;
    }
    let rate = |i: usize| (series.y[i] - series.y[i - 1]) / (series.x[i] - series.x[i - 1]);
    let [last, before, first] = [i - 1, i - 2, i - 3].map(rate);
    let least = before.min(first);
    if last >= 0.9 * least { last.min(least).max(0.0) * (series.x[i] - series.x[i - 1]) } else { 0.0 }
}

/// The limit from the lows between swings. Where they are met somewhere within a wave of the fall, they scatter by as much
/// as a wave brings; the floor before the load is met where it is.
pub(super) fn by_lows(lows: &Series, series: &Series, grain: f64, rest: &Rest) -> Option<f64> {
    if lows.len() < rest.lows || lows.y.windows(2).all(|pair| pair[1] < pair[0]) {
        return None;
    }
    // The floor before the load may stand anywhere in its tooth: the others are looked at by themselves.
    // Where it is the lowest, it stands on the ground: growth since shows in full.
    let before_load = lows.x[0] == series.x[0];
    let ground = before_load && lows.lowest() >= lows.y[0];
    let others = if before_load { lows.from(lows.x[1]) } else { lows.clone() };
    let (wave, scatter) = (wave_after(&others, series), 1.5 * beside_slope(lows).range());
    let equal = series.equal_waves() && scatter > 0.0 && !ground;
    let met = if equal { 0.0 } else { wave.min(scatter) };
    let mut limit = if ground { 0.0 } else { rest.fall * (others.range() + met + 2.0 * grain) / others.span() };
    for from in [0.0, 0.25, 0.4, 0.5] {
        let later = lows.from(from * lows.end());
        if later.len() < rest.lows || later.span() <= 0.0 {
            break;
        }
        let range = if from == 0.0 && before_load { rest.fall * later.range() } else { later.range() + met };
        limit = limit.max((range + 2.0 * grain) / later.span());
    }
    if !ground {
        limit = limit.max(line(&others).map_or(0.0, |line| line.slope.abs() + CHANCE * line.error));
    }
    // In equal waves all of them may be met ever earlier after the fall, and hide a leak as fast as that.
    Some(limit + if equal { wave / others.span() } else { 0.0 })
}

/// What is left of lows without their slope.
fn beside_slope(lows: &Series) -> Series {
    let slope = sen(lows);
    Series { x: lows.x.clone(), y: lows.x.iter().zip(&lows.y).map(|(x, y)| y - slope * x).collect() }
}

/// What a wave brings after a low: lows at one level are met within so much of each other.
fn wave_after(lows: &Series, series: &Series) -> f64 {
    median(&mut lows.x.iter().map(|&low| rise_after(low, series)).collect::<Vec<f64>>())
}

/// The growth from a low to the next floor.
fn rise_after(low: f64, series: &Series) -> f64 {
    let at = series.x.partition_point(|&x| x < low);
    series.y.get(at + 1).map_or(0.0, |next| next - series.y[at])
}

/// Whether the last stretch tops all earlier peaks by a part of the swing: the lows then tell half of it.
pub(super) fn peaks_rise(series: &Series, rest: &Rest) -> bool {
    let warm = series.from(0.2 * series.end());
    let late = warm.x.first().copied().unwrap_or(0.0) + 0.67 * warm.span();
    warm.from(late).highest() - warm.before(late).highest() > rest.peaks * warm.range()
}

/// The limit from floors that never fall and grow by ever less from stretch to stretch: what leaks shows in the last of them
/// whatever else slowed before it.
pub(super) fn by_slowing(series: &Series, grain: f64, rest: &Rest) -> Option<f64> {
    let begin = 0.25 * series.end();
    let window = series.from(begin);
    if window.len() < 2 * SLOWING || window.fall() > grain {
        return None;
    }
    let stretch = (series.end() - begin) / SLOWING as f64;
    let at = |k: usize| series.at(begin + stretch * k as f64);
    let growth: Vec<f64> = (0..SLOWING).map(|k| at(k + 1) - at(k)).collect();
    let slows = growth.windows(2).all(|pair| pair[1] <= 0.95 * pair[0] + grain);
    let last = growth[SLOWING - 1].max(grain);
    (slows && last < 0.5 * growth[0]).then(|| (rest.fall * last / stretch + grain / stretch).max(steps(series, rest)))
}

/// Stretches that are looked at for growth that slows.
const SLOWING: usize = 6;

/// What the line of least squares leaves room for: of scatter, a range alone may be small by chance, where what walks down
/// hides what rises.
pub(super) fn chance(series: &Series) -> f64 {
    let room =
        |from: f64| line(&series.from(from * series.end())).map_or(0.0, |line| line.slope.abs() + CHANCE * line.error);
    room(0.25).max(room(0.5))
}

/// Standard errors of the slope that chance may make up for.
const CHANCE: f64 = 3.2;

/// The limit from the line of least squares, where the floors scatter without memory: they swing often, neighbours are not
/// alike, and nothing bends.
pub(super) fn by_line(series: &Series, grain: f64, rest: &Rest) -> Option<f64> {
    let mut limit = steps(series, rest);
    for (from, errors) in [(rest.first, 3.2), (0.5, 2.2)] {
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
