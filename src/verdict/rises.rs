//! Whether floors rise as a leak does: steadily, without slowing, through falls and steps, to where they never stood.

use super::series::Series;
use super::slope::{ends, sen};
use super::thresholds::Shape;
use crate::model::{Why, median};

/// A steady rise, for a unit of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rise {
    /// Sen's slope.
    pub slope: f64,
    /// Where the interval ends below.
    pub low: f64,
    /// Where it ends above.
    pub high: f64,
}

/// What an interval of growth is made from.
struct Parts {
    slopes: [f64; 3],
    mean: f64,
    /// Largest fall and largest step beside the slope.
    noise: f64,
    first: f64,
    last: f64,
    bend: Bend,
    span: f64,
}

impl Parts {
    /// Of the window `thin`; `whole` is the same before it was thinned.
    fn of(thin: &Series, whole: &Series, grain: f64) -> Option<Self> {
        let span = thin.span();
        let fitted = ends(thin, grain).filter(|_| span > 0.0)?;
        let slope = sen(thin);
        let from = thin.x[0];
        let step = thin.steps().map(|(x, y)| (y - slope * x).abs()).fold(0.0, f64::max);
        Some(Parts {
            slopes: [slope, sen(&thin.from(from + span / 3.0)), sen(&thin.from(from + span * 0.55))],
            mean: thin.growth() / span,
            noise: thin.fall().max(whole.fall()) + step,
            first: fitted.first,
            last: fitted.last,
            bend: Bend::of(thin, grain)?,
            span,
        })
    }

    fn least(&self) -> f64 {
        self.slopes.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.slopes.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The slopes of the window, its later two thirds and its later half, from end to end and at the end of the parabola:
    /// all of them, wider by what falls, steps and the grain can shift, by a twentieth for what allocators add, and by the
    /// bend of the window once more, for what slows may slow on and what quickens may quicken on.
    fn interval(&self, grain: f64, allocator: f64) -> Rise {
        let margin = (self.noise + grain) / self.span + allocator * self.mean.abs();
        let bend = self.last - self.first;
        Rise {
            slope: self.slopes[0],
            low: self.least().min(self.mean).min(self.last) - margin - (-bend).max(0.0),
            high: self.most().max(self.mean).max(self.last) + margin + bend.max(0.0),
        }
    }
}

/// The rates at both ends of a window, and how well their difference is known.
struct Bend {
    first: f64,
    last: f64,
    error: f64,
}

impl Bend {
    /// A container that doubles once tells nothing of a bend, so a step that stands alone is taken out. What is left was
    /// chosen by looking: its error counts twice.
    fn of(window: &Series, grain: f64) -> Option<Self> {
        let (fitted, times) = match without_a_lone_step(window) {
            Some(rest) => (ends(&rest, grain)?, 2.0),
            None => (ends(window, grain)?, 1.0),
        };
        Some(Bend { first: fitted.first, last: fitted.last, error: times * fitted.bend_error })
    }
}

/// The floors without their largest step, if it is more than twice as far from the middling rate as any other.
fn without_a_lone_step(series: &Series) -> Option<Series> {
    let rates: Vec<f64> = series.steps().map(|(work, growth)| growth / work).collect();
    let middling = median(&mut rates.clone());
    let mut apart: Vec<f64> = rates.iter().map(|rate| (rate - middling).abs()).collect();
    let at = (0..rates.len()).max_by(|&a, &b| rates[a].total_cmp(&rates[b]))?;
    let excess = apart.swap_remove(at);
    if apart.iter().any(|other| 2.0 * other >= excess) {
        return None;
    }
    let more = excess * (series.x[at + 1] - series.x[at]);
    let lowered = series.y.iter().enumerate().map(|(i, y)| if i > at { y - more } else { *y });
    Some(Series { x: series.x.clone(), y: lowered.collect() })
}

/// The growth through the window from `from` (a share of the work) on, with its interval and without any claim.
pub(super) fn growth(series: &Series, from: f64, grain: f64, shape: &Shape) -> Option<Rise> {
    let whole = series.from(from * series.end());
    Some(Parts::of(&whole.thin(shape.thin[0]), &whole, grain)?.interval(grain, shape.allocator))
}

/// Whether the floors from `from` on rise by more than `leak` for a unit of work, looked at as at most `thin` floors.
pub(super) fn rises(
    series: &Series,
    from: f64,
    thin: usize,
    leak: f64,
    grain: f64,
    shape: &Shape,
) -> Result<Rise, Why> {
    let begin = from * series.end();
    let whole = series.from(begin);
    if whole.len() < shape.floors {
        return Err(Why::FewFloors { have: whole.len(), need: shape.floors });
    }
    let window = whole.thin(thin);
    let Some(parts) = Parts::of(&window, &whole, grain).filter(|parts| parts.mean > 0.0) else {
        return Err(Why::WithinBound);
    };
    if parts.slopes[0] <= leak {
        return Err(Why::WithinBound);
    }
    let growth = window.growth();
    if growth <= shape.over_noise * parts.noise {
        return Err(Why::Swings { by: parts.noise });
    }
    if (window.steps().filter(|(_, y)| *y > 0.0).count() as f64) < shape.rises * (window.len() - 1) as f64 {
        return Err(Why::FewRises);
    }
    let quarter = |k: f64| window.at(window.x[0] + parts.span * k / 4.0);
    let rates = [0.0, 1.0, 2.0, 3.0].map(|k| (quarter(k + 1.0) - quarter(k)) / (parts.span / 4.0));
    let slows = |from: f64, to: f64| Why::Slows { from: from * 1000.0, to: to * 1000.0 };
    if rates.iter().any(|&rate| rate < shape.quarter * parts.mean) {
        return Err(if rates[3] < rates[0] { slows(rates[0], rates[3]) } else { Why::Uneven });
    }
    if rates[3] < shape.last_quarter * rates[0] {
        return Err(slows(rates[0], rates[3]));
    }
    if stands_still(&whole) {
        return Err(slows(parts.first, 0.0));
    }
    // A power of the work keeps this share of its rate through the window. What bends too little for its errors is no
    // leak either until it is told from one that slows.
    let kept = from.max(0.25).powf(1.0 - shape.power);
    let Bend { first, last, error } = parts.bend;
    if last < kept * first {
        return Err(slows(first, last));
    }
    if last - error < kept * first {
        return Err(Why::MaySlow);
    }
    if parts.least() < shape.even * parts.most() {
        return Err(Why::Uneven);
    }
    let before = series.before(begin);
    if series.y[series.len() - 1] - before.highest() < shape.record * growth {
        return Err(Why::StoodHigher);
    }
    let rise = parts.interval(grain, shape.allocator);
    if rise.low <= leak { Err(Why::WithinBound) } else { Ok(rise) }
}

/// So seldom stands what goes on rising still at the end by chance.
const STILL_BY_CHANCE: f64 = 0.001;

/// Whether the last floors are the same to the byte although nearly every wave before them brought something: a cache
/// that has just filled rises in a straight line until then.
pub(super) fn stands_still(series: &Series) -> bool {
    let moved: Vec<bool> = series.steps().map(|(_, y)| y != 0.0).collect();
    let tail = moved.iter().rev().take_while(|moved| !**moved).count();
    let before = &moved[..moved.len() - tail];
    let still = before.iter().filter(|moved| !**moved).count();
    let share = (still as f64 + 1.0) / (before.len() as f64 + 2.0);
    tail > 0 && share.powi(i32::try_from(tail).unwrap_or(i32::MAX)) < STILL_BY_CHANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_has_come_to_stand_still_is_no_leak() {
        let late = |x: f64| 600.0 * x.min(19_000.0);
        assert!(matches!(found(late), Err(Why::Slows { .. } | Why::Uneven)));
        let full = series(200, |x| 600.0 * x.min(96_000.0));
        assert!(rises(&full, 0.25, 60, 0.5, 16.0, &Shape::default()).is_err());
        // Pages that come every other wave stand still now and then.
        let pages = series(200, |x| 4096.0 * (x / 1_000.0).floor());
        assert!(rises(&pages, 0.25, 60, 0.5, 4096.0, &Shape::default()).is_ok());
    }

    fn series(waves: u32, y: impl Fn(f64) -> f64) -> Series {
        let x: Vec<f64> = (0..=waves).map(|wave| 500.0 * f64::from(wave)).collect();
        Series { y: x.iter().map(|&x| y(x)).collect(), x }
    }

    fn found(y: impl Fn(f64) -> f64) -> Result<Rise, Why> {
        rises(&series(40, y), 0.25, 60, 0.5, 16.0, &Shape::default())
    }

    #[test]
    fn a_line_rises_and_holds_its_rate() {
        let rise = found(|x| 16.0 * x).unwrap();
        assert!(rise.low < 16.0 && 16.0 < rise.high && (rise.slope - 16.0).abs() < 1e-9, "{rise:?}");
    }

    #[test]
    fn what_slows_is_no_leak_whatever_its_law() {
        assert!(matches!(found(|x| 20_000.0 * x.sqrt()), Err(Why::Slows { .. })));
        assert!(matches!(found(|x| 1_000.0 * x.powf(0.8)), Err(Why::Slows { .. })));
        assert!(matches!(found(|x| 1e6 * (x + 100.0).ln()), Err(Why::Slows { .. })));
        assert!(matches!(found(|x| 1e6 * (1.0 - (-x / 8_000.0).exp())), Err(Why::Slows { .. })));
    }

    #[test]
    fn one_step_is_no_bend_and_does_not_hide_one() {
        // A leak beside a warm-up that ends at a third, and a container that doubles once.
        let doubled = |x: f64| if x >= 14_200.0 { 120_000.0 } else { 0.0 };
        let warmed = |x: f64| 110.0 * x + 300.0 * x.min(7_000.0);
        let rise = rises(&series(40, |x| warmed(x) + doubled(x)), 0.5, 60, 64.0, 4096.0, &Shape::default()).unwrap();
        assert!(rise.low < 110.0 && 110.0 < rise.high, "{rise:?}");
        assert!(matches!(found(|x| 20_000.0 * x.sqrt() + doubled(x)), Err(Why::Slows { .. } | Why::Uneven)));
    }

    #[test]
    fn what_scatters_is_not_said_to_slow() {
        let scattered = series(40, |x| 16.0 * x + 30_000.0 * (x / 1_700.0).sin());
        let why = rises(&scattered, 0.25, 60, 0.5, 16.0, &Shape::default()).unwrap_err();
        assert!(!matches!(why, Why::Slows { from, to } if to >= from), "{why:?}");
    }

    #[test]
    fn what_stood_higher_before_is_no_leak() {
        let swing = series(40, |x| 1e6 * ((x - 10_000.0) / 10_000.0).abs());
        assert!(rises(&swing, 0.5, 60, 0.5, 16.0, &Shape::default()).is_err());
    }
}
