//! A case's floors as points (work, value), and what is read off them: falls, steps, halves, thirds.

use super::floor::Case;
use super::stats::{LogFit, interpolate, median, theil_sen};

/// Points that are judged at most; of longer series, the ends of groups of waves. The estimators cost their square.
const MOST_POINTS: usize = 400;

/// Points in order of work, without wave 0.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Work done since the start.
    pub x: Vec<f64>,
    /// The metric.
    pub y: Vec<f64>,
    /// Work and value before any load.
    pub start: Option<(f64, f64)>,
}

/// The falls and steps of a stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// Largest fall from an earlier high.
    pub fall: f64,
    /// Largest step above the median step.
    pub step: f64,
    /// Waves that grew.
    pub grew: usize,
}

impl Noise {
    /// Both together.
    pub fn total(&self) -> f64 {
        self.fall + self.step
    }
}

impl Series {
    /// The series of a case. Garbage is taken out; of resident memory the lower of each floor and the next is
    /// taken, for memory that the next floor did without was not kept.
    pub fn of(case: &Case) -> Self {
        let point = |floor: &super::Floor| (floor.work(case.per) as f64, floor.own());
        let start = case.floors.first().filter(|floor| floor.wave == 0).map(point);
        let mut x: Vec<f64> = Vec::with_capacity(case.floors.len());
        let mut y: Vec<f64> = Vec::with_capacity(case.floors.len());
        for (at, value) in case.floors.iter().filter(|floor| floor.wave > 0).map(point) {
            match x.last() {
                // A wave without work adds no point: the later floor of the same work stands.
                Some(&last) if at <= last => *y.last_mut().expect("as long as x") = value,
                _ => {
                    x.push(at);
                    y.push(value);
                }
            }
        }
        let every = x.len().div_ceil(MOST_POINTS);
        if every > 1 {
            // The end of each group of waves, counted from the last.
            let keep = |i: usize, len: usize| (len - 1 - i).is_multiple_of(every);
            let len = x.len();
            (x, y) = x.into_iter().zip(y).enumerate().filter(|(i, _)| keep(*i, len)).map(|(_, point)| point).unzip();
        }
        let series = Series { x, y, start };
        if case.metric.is_resident() { series.lower_of_next() } else { series }
    }

    /// The lower of each floor and the next: a single high floor is no growth.
    pub fn lower_of_next(&self) -> Series {
        let mut out = self.clone();
        for (y, next) in out.y.iter_mut().zip(self.y.iter().skip(1)) {
            *y = y.min(*next);
        }
        out
    }

    /// Number of waves.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// All work.
    pub fn work(&self) -> f64 {
        self.x.last().copied().unwrap_or(0.0)
    }

    /// The value when `share` of the work was done.
    pub fn at(&self, share: f64) -> (f64, f64) {
        let at = share * self.work();
        (at, interpolate(&self.x, &self.y, at))
    }

    /// The fit with growth as the logarithm, through floors at `share` of the work (the first floor, if it is later), at
    /// the end, and at the geometric mean of both.
    pub fn log_fit(&self, share: f64) -> Option<LogFit> {
        let (end, first) = (self.work(), (share * self.work()).max(*self.x.first()?));
        let middle = (first * end).sqrt();
        LogFit::through([first, middle, end].map(|at| (at, interpolate(&self.x, &self.y, at))))
    }

    /// The last floors, as long as each wave grew by less than the one before.
    pub fn slowing_end(&self) -> Series {
        let rates: Vec<f64> = self.steps().map(|(dx, dy)| dy / dx).collect();
        let waves = 1 + rates.windows(2).rev().take_while(|pair| pair[0] > pair[1] && pair[1] > 0.0).count();
        let from = self.len().saturating_sub(waves + 1);
        Series { x: self.x[from..].to_vec(), y: self.y[from..].to_vec(), start: None }
    }

    /// Largest distance of a floor from a fit through the first one, as a share of the growth.
    pub fn distance(&self, fit: &LogFit) -> f64 {
        let (Some(x), Some(y)) = (self.x.first(), self.y.first()) else { return f64::INFINITY };
        let off = |(at, value): (&f64, &f64)| (value - y - fit.log * (at / x).ln() - fit.linear * (at - x)).abs();
        self.x.iter().zip(&self.y).map(off).fold(0.0, f64::max) / self.growth()
    }

    /// From `share` of the work on.
    pub fn from(&self, share: f64) -> Series {
        // A hair of tolerance, so that a wave that ends exactly there is in.
        let from = self.x.partition_point(|&x| x < share * self.work() * (1.0 - 1e-9));
        Series { x: self.x[from..].to_vec(), y: self.y[from..].to_vec(), start: None }
    }

    /// Growth from the first point to the last.
    pub fn growth(&self) -> f64 {
        match (self.y.first(), self.y.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        }
    }

    /// Work from the first point to the last.
    pub fn span(&self) -> f64 {
        match (self.x.first(), self.x.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        }
    }

    /// The rate of the last wave.
    pub fn last_rate(&self) -> f64 {
        self.steps().last().map_or(0.0, |(dx, dy)| dy / dx)
    }

    /// The median rate of the waves.
    fn usual_rate(&self) -> f64 {
        let mut rates: Vec<f64> = self.steps().map(|(dx, dy)| dy / dx).collect();
        median(&mut rates)
    }

    fn steps(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.x.windows(2).zip(self.y.windows(2)).map(|(x, y)| (x[1] - x[0], y[1] - y[0]))
    }

    /// Falls and steps.
    pub fn noise(&self) -> Noise {
        let usual = self.usual_rate();
        let (mut high, mut fall) = (f64::NEG_INFINITY, 0.0_f64);
        for &y in &self.y {
            high = high.max(y);
            fall = fall.max(high - y);
        }
        Noise {
            fall,
            step: self.steps().map(|(dx, dy)| dy - usual * dx).fold(0.0, f64::max),
            grew: self.steps().filter(|&(_, dy)| dy > 0.0).count(),
        }
    }

    /// How often it fell by half of `fall` and rose by as much again, or fell at last.
    pub fn swings(&self, fall: f64) -> usize {
        let (mut high, mut low, mut falling, mut count) = (f64::NEG_INFINITY, f64::INFINITY, false, 0);
        for &y in &self.y {
            if falling {
                low = low.min(y);
                if y - low >= fall / 2.0 {
                    (falling, high) = (false, y);
                }
            } else {
                high = high.max(y);
                if high - y >= fall / 2.0 {
                    (falling, low) = (true, y);
                    count += 1;
                }
            }
        }
        count
    }

    /// Whether it crosses its own line so often that its floors look independent: of n such floors half the steps cross
    /// (runs test; Wald and Wolfowitz 1940), of teeth and slow swings few do.
    pub fn scatters(&self) -> bool {
        let Some(line) = theil_sen(&self.x, &self.y) else { return false };
        let mut offsets: Vec<f64> = self.x.iter().zip(&self.y).map(|(x, y)| y - line.value * x).collect();
        let middle = median(&mut offsets.clone());
        offsets.retain(|offset| *offset != middle);
        let crossings = offsets.windows(2).filter(|pair| (pair[0] > middle) != (pair[1] > middle)).count();
        offsets.len() >= 2 * self.len() / 3 && 3 * crossings >= offsets.len()
    }

    /// The rate between the mean of the floors just after `share` of the work and that of the last ones, each over a
    /// quarter of the work between.
    pub fn rise_of_means(&self, share: f64) -> f64 {
        let (from, to) = (share * self.work(), self.work());
        let quarter = (to - from) / 4.0;
        let mean = |from: f64, to: f64| {
            let (mut x, mut y, mut n) = (0.0, 0.0, 0.0);
            for (&at, &value) in self.x.iter().zip(&self.y).filter(|&(&at, _)| from <= at && at <= to) {
                (x, y, n) = (x + at, y + value, n + 1.0);
            }
            (n > 0.0).then(|| (x / n, y / n))
        };
        match (mean(from, from + quarter), mean(to - quarter, to)) {
            (Some((x, y)), Some((later, high))) if later > x => (high - y) / (later - x),
            _ => f64::INFINITY,
        }
    }

    /// The rate of a container that doubled in one of the steps: what the step took beyond its neighbours, by the
    /// work at which it did.
    pub fn doubling_seen(&self) -> f64 {
        let rates: Vec<f64> = self.steps().map(|(dx, dy)| dy / dx).collect();
        let beyond = |i: usize| {
            let beside =
                rates.get(i + 1).copied().unwrap_or(f64::NEG_INFINITY).max(if i > 0 { rates[i - 1] } else { rates[i] });
            (rates[i] - beside) * (self.x[i + 1] - self.x[i]) / self.x[i + 1]
        };
        (0..rates.len()).map(beyond).fold(0.0, f64::max)
    }

    /// The same without the largest step of its window: what an allocator took at once is no growth with the work.
    pub fn without_largest_step_from(&self, share: f64) -> Series {
        let window = self.from(share);
        let skipped = self.len() - window.len();
        let usual = window.usual_rate();
        let excess: Vec<f64> = window.steps().map(|(dx, dy)| dy - usual * dx).collect();
        let mut out = self.clone();
        if let Some(i) = (0..excess.len()).max_by(|&a, &b| excess[a].total_cmp(&excess[b])) {
            let step = excess[i].max(0.0);
            out.y[skipped + i + 1..].iter_mut().for_each(|y| *y -= step);
        }
        out
    }

    /// Growth of each of `N` equal parts of the span.
    pub fn parts<const N: usize>(&self) -> [f64; N] {
        let (Some(&first), span) = (self.x.first(), self.span()) else { return [0.0; N] };
        let at = |k: usize| interpolate(&self.x, &self.y, first + span * k as f64 / N as f64);
        std::array::from_fn(|k| at(k + 1) - at(k))
    }

    /// Whether each sixth grew by less than the one before it (within `noise`) and none stopped at once, as growth does
    /// that goes over to a plateau by itself. What stops at once may go on: a collector's next tooth, the next doubling.
    pub fn slows_gradually(&self, noise: f64) -> bool {
        self.parts::<6>().windows(2).all(|grew| grew[1] <= 1.1 * grew[0] + noise && grew[1] >= 0.35 * grew[0] - noise)
    }

    /// The lowest points of `blocks` blocks of equally many floors.
    pub fn lowest_of_blocks(&self, blocks: usize) -> Option<Series> {
        if self.len() < 2 * blocks {
            return None;
        }
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for block in 0..blocks {
            let range = block * self.len() / blocks..(block + 1) * self.len() / blocks;
            let lowest = range.min_by(|&a, &b| self.y[a].total_cmp(&self.y[b]))?;
            x.push(self.x[lowest]);
            y.push(self.y[lowest]);
        }
        Some(Series { x, y, start: None })
    }
}
