//! The upper limit: growth that the floors cannot rule out. `clean` and `plateau` state it, so it must hold whatever
//! hides a leak: noise, teeth, memory that an allocator kept, a container that doubles and is flat meanwhile.

use super::floor::Case;
use super::series::Series;
use super::stats::{Z99, sen, slope, theil_sen};
use super::thresholds::{Bounds, Limits};

/// The growth that the later half of the work cannot rule out, per unit of work.
pub(super) fn later_half(case: &Case, bounds: &Bounds, series: &Series) -> f64 {
    let waves = &bounds.waves;
    let low = series.lower_of_next();
    let (half, window) = (low.from(0.5), low.from(waves.window));
    let high = |part: &Series| slope(&part.x, &part.y).map_or(f64::INFINITY, |slope| slope.high);
    let fall = window.noise().fall;
    let raw = series.from(waves.window);
    let swings = window.swings(fall).max(raw.swings(raw.noise().fall));
    let (scatters, swings) = (raw.scatters(), swings >= waves.swings);
    let mut limit = if fall > 0.0 && (scatters || swings) {
        // What goes up and down all the time comes back, while increments, taken for independent, would make a walk
        // of it. Floors that scatter about a line obey Sen's interval; of teeth the troughs show what stays. Means
        // over stretches see a container double behind both.
        let line = sen(&window.x, &window.y, Z99).filter(|_| scatters).map_or(f64::INFINITY, |slope| slope.high);
        let troughs = if swings { envelope(&window) } else { f64::INFINITY };
        let steady = high(&half).min(line).min(troughs);
        steady.max(waves.doubling_factor * low.rise_of_means(waves.doubling_from)).max(fall / 2.0 / series.work())
    } else {
        let (since, then) = low.at(waves.doubling_from);
        let since_then = (low.y[low.len() - 1] - then) / (low.work() - since);
        let swung = if fall > 0.0 { (half.growth().max(0.0) + fall) / series.work() } else { 0.0 };
        high(&half).max(half.growth() / half.span()).max(waves.doubling_factor * since_then).max(swung)
    };
    if case.metric.is_resident() {
        limit = limit.max((half.growth().max(0.0) + slack(case, bounds, series)) / series.work());
    }
    limit
}

/// The limit that a verdict states. Floors that swing by more than the resolution were found below the bound by a look
/// that chance may have favoured: there the bound itself is stated.
pub(super) fn stated(case: &Case, limits: &Limits, series: &Series, limit: f64) -> f64 {
    let (mut high, mut fall) = (f64::NEG_INFINITY, 0.0_f64);
    for floor in case.floors {
        high = high.max(floor.value);
        fall = fall.max(high - floor.value);
    }
    let least = resolution(case, limits, series);
    if fall / series.work() > least { limit.max(least).max(limits.clean) } else { limit.max(least) }
}

/// The limit of growth that slows faster than the logarithm, where it is below the bound: what leaks is in the rate
/// of the last third, however much of that rate is still warm-up.
pub(super) fn slowing(case: &Case, bounds: &Bounds, limits: &Limits, series: &Series) -> Option<f64> {
    let waves = &bounds.waves;
    let low = series.lower_of_next();
    let window = low.from(waves.window);
    let third = low.from(2.0 / 3.0);
    let [first, _, last] = window.parts();
    let noise = window.noise();
    let gradual = window.slows_gradually(noise.fall + limits.step / 8.0);
    let fit = low.log_fit(waves.window)?;
    let smooth = window.growth() > waves.over_noise * noise.total() && noise.grew >= waves.grew;
    let slows = last < waves.slowing * first && fit.linear + noise.fall * fit.weight < limits.clean / 4.0;
    if case.metric.is_count()
        || !smooth
        || !slows
        || !gradual
        || third.len() < 4
        || series.work() < limits.clean_work
        || third.span() < limits.clean_half
    {
        return None;
    }
    let mut limit = slope(&third.x, &third.y)?
        .high
        .max(third.growth() / third.span())
        .max(waves.doubling_factor * window.doubling_seen());
    if case.metric.is_resident() {
        limit = limit.max((third.growth().max(0.0) + slack(case, bounds, series)) / series.work());
    }
    (limit < limits.clean).then_some(limit)
}

/// The rise of the lowest floors of blocks, and twice what they scatter: troughs of teeth show what stays. The worst
/// of three ways to cut the blocks, for a few lowest floors of mere noise can lie in a line by chance.
fn envelope(window: &Series) -> f64 {
    let rise = |blocks: usize| {
        let Some(low) = window.lowest_of_blocks(blocks) else { return f64::INFINITY };
        let Some(line) = theil_sen(&low.x, &low.y) else { return f64::INFINITY };
        let residuals = low.x.iter().zip(&low.y).map(|(x, y)| y - line.value * x);
        let (least, most) =
            residuals.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), r| (least.min(r), most.max(r)));
        line.value.max(0.0) + 2.0 * (most - least) / low.span()
    };
    [3, 4, 5].map(rise).into_iter().fold(0.0, f64::max)
}

/// Memory that was freed and kept by the allocator, in which a leak may live unseen.
fn slack(case: &Case, bounds: &Bounds, series: &Series) -> f64 {
    let parallel = case.parallel.map(f64::from);
    let mail = 2.0 * case.large_mail.unwrap_or(0.0);
    // The first wave's rise can be freed buffers only as far as its sessions could have had buffers at once.
    let buffers = parallel.map_or(f64::INFINITY, |parallel| parallel * (bounds.rss.session + mail));
    let first = series.start.map_or(0.0, |(_, before)| series.y[0] - before).min(buffers);
    let in_flight = case.large_mail.filter(|&bytes| bytes >= bounds.heavy.from);
    let in_flight = in_flight.map_or(0.0, |_| parallel.unwrap_or(1.0) * mail);
    let peaks = case.floors.iter().filter_map(|floor| Some(floor.peak_in_wave? - floor.value));
    series.noise().fall.max(first).max(peaks.fold(in_flight, f64::max))
}

/// The least limit that can be stated: below it nothing is looked for; of what happens in no session of n, fewer
/// than 3 in n (rule of three).
fn resolution(case: &Case, limits: &Limits, series: &Series) -> f64 {
    if case.metric.is_count() { limits.resolution.max(3.0 / series.span()) } else { limits.resolution }
}
