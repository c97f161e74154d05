//! Floors as points (work, value), and what is read off a stretch of them: span, growth, range, falls. No statistics.

use super::floor::Case;

/// Points in order of work.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Series {
    /// Work done since the first floor (or seconds, where growth with time is judged).
    pub x: Vec<f64>,
    /// The metric.
    pub y: Vec<f64>,
}

impl Series {
    /// All floors of a case, that before the load first. A counter that ran before the first floor is set back to it. A
    /// wave without work adds no point: the later floor of the same work stands.
    pub fn of(case: &Case) -> Self {
        let mut series = Series::default();
        let garbage = case.counts_garbage();
        for floor in case.floors {
            let (at, value) = (floor.work(case.per) as f64, floor.own(garbage));
            match series.x.last() {
                Some(&last) if at <= last => *series.y.last_mut().expect("as long as x") = value,
                _ => series.push(at, value),
            }
        }
        series.counted_from_start()
    }

    /// The same floors against the run's seconds; none where one of them is not known.
    pub fn over_time(case: &Case) -> Option<Self> {
        let mut series = Series::default();
        let garbage = case.counts_garbage();
        for floor in case.floors {
            let at = floor.seconds?;
            if series.x.last().is_none_or(|&last| at > last) {
                series.push(at, floor.own(garbage));
            }
        }
        let first = *series.x.first()?;
        series.x.iter_mut().for_each(|x| *x -= first);
        Some(series)
    }

    pub fn push(&mut self, x: f64, y: f64) {
        self.x.push(x);
        self.y.push(y);
    }

    /// Work is counted from the first floor, unless that one followed the first wave.
    fn counted_from_start(mut self) -> Self {
        let Some(&first) = self.x.first() else { return self };
        let wave = self.span() / (self.len().max(2) - 1) as f64;
        if first > 3.0 * wave {
            self.x.iter_mut().for_each(|x| *x -= first);
        }
        self
    }

    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Work at the last floor.
    pub fn end(&self) -> f64 {
        self.x.last().copied().unwrap_or(0.0)
    }

    /// The floors from that work on.
    pub fn from(&self, work: f64) -> Self {
        let at = self.x.partition_point(|&x| x < work);
        Series { x: self.x[at..].to_vec(), y: self.y[at..].to_vec() }
    }

    /// The floors before that work.
    pub fn before(&self, work: f64) -> Self {
        let at = self.x.partition_point(|&x| x < work);
        Series { x: self.x[..at].to_vec(), y: self.y[..at].to_vec() }
    }

    /// Work from the first to the last.
    pub fn span(&self) -> f64 {
        self.end() - self.x.first().copied().unwrap_or(0.0)
    }

    /// Value at the last less that at the first.
    pub fn growth(&self) -> f64 {
        self.y.last().copied().unwrap_or(0.0) - self.y.first().copied().unwrap_or(0.0)
    }

    pub fn highest(&self) -> f64 {
        self.y.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    pub fn lowest(&self) -> f64 {
        self.y.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The highest less the lowest.
    pub fn range(&self) -> f64 {
        if self.y.is_empty() { 0.0 } else { self.highest() - self.lowest() }
    }

    /// The largest fall from an earlier high.
    pub fn fall(&self) -> f64 {
        let mut high = f64::NEG_INFINITY;
        self.y.iter().fold(0.0, |fall, &y| {
            high = high.max(y);
            fall.max(high - y)
        })
    }

    /// Each step as (work, growth).
    pub fn steps(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.x.windows(2).zip(self.y.windows(2)).map(|(x, y)| (x[1] - x[0], y[1] - y[0]))
    }

    /// At most so many floors, evenly by work, the first and the last among them.
    pub fn thin(&self, most: usize) -> Self {
        if self.len() <= most {
            return self.clone();
        }
        let step = self.span() / (most - 1) as f64;
        let mut thin = Series::default();
        let mut next = self.x[0];
        for (i, (&x, &y)) in self.x.iter().zip(&self.y).enumerate() {
            if x >= next || i + 1 == self.len() {
                thin.push(x, y);
                // Straight to the first mark beyond this floor.
                next += step * (((x - next) / step).floor() + 1.0).max(1.0);
            }
        }
        thin
    }

    /// The value at some work, on the line between the floors beside it.
    pub fn at(&self, work: f64) -> f64 {
        let i = self.x.partition_point(|&x| x < work);
        match (i.checked_sub(1), self.x.get(i)) {
            (None, _) => self.y[0],
            (Some(before), None) => self.y[before],
            (Some(before), Some(&x1)) => {
                let x0 = self.x[before];
                self.y[before] + (self.y[i] - self.y[before]) * (work - x0) / (x1 - x0).max(f64::MIN_POSITIVE)
            }
        }
    }

    /// The means of so many stretches of equal work.
    pub fn means(&self, stretches: usize) -> Self {
        let (first, span) = (self.x.first().copied().unwrap_or(0.0), self.span());
        let mut means = Series::default();
        let mut i = 0;
        for stretch in 1..=stretches {
            let to = first + span * stretch as f64 / stretches as f64;
            let (mut x, mut y, mut count) = (0.0, 0.0, 0.0);
            while i < self.len() && (self.x[i] <= to || stretch == stretches) {
                x += self.x[i];
                y += self.y[i];
                count += 1.0;
                i += 1;
            }
            if count > 0.0 {
                means.push(x / count, y / count);
            }
        }
        means
    }

    /// The lows between swings of at least `least`: each is left by such a rise or reached by such a fall.
    pub fn lows(&self, least: f64) -> Self {
        let mut lows = Series::default();
        let (mut low, mut high) = (0, 0);
        let mut rising: Option<bool> = None;
        for i in 1..self.len() {
            let y = self.y[i];
            if rising != Some(true) && y < self.y[low] {
                low = i;
            }
            if rising != Some(false) && y > self.y[high] {
                high = i;
            }
            if rising != Some(true) && y - self.y[low] >= least {
                lows.push(self.x[low], self.y[low]);
                (rising, high) = (Some(true), i);
            } else if rising != Some(false) && self.y[high] - y >= least {
                (rising, low) = (Some(false), i);
            }
        }
        if rising == Some(false) {
            lows.push(self.x[low], self.y[low]);
        }
        lows
    }

    /// The longest stretch of work without a new high.
    pub fn longest_flat(&self) -> f64 {
        let (mut since, mut high, mut longest) = (self.x.first().copied().unwrap_or(0.0), f64::NEG_INFINITY, 0.0_f64);
        for (&x, &y) in self.x.iter().zip(&self.y) {
            longest = longest.max(x - since);
            if y > high {
                (high, since) = (y, x);
            }
        }
        longest
    }

    /// Whether all waves from the second on are of one size, within a fiftieth.
    pub fn equal_waves(&self) -> bool {
        let from = self.from(0.25 * self.end());
        let (least, most) = from.steps().fold((f64::INFINITY, 0.0_f64), |(a, b), (x, _)| (a.min(x), b.max(x)));
        most <= 1.02 * least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(y: &[f64]) -> Series {
        Series { x: (0..y.len()).map(|i| i as f64).collect(), y: y.to_vec() }
    }

    #[test]
    fn lows_are_where_swings_turn() {
        let teeth = series(&[0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0]);
        assert_eq!(teeth.lows(4.0), Series { x: vec![0.0, 3.0, 6.0], y: vec![0.0, 1.0, 2.0] });
        assert_eq!(series(&[0.0, 1.0, 2.0]).lows(4.0).len(), 0);
        // A fall that is not left again is a low as well: the value is an upper limit of it.
        assert_eq!(series(&[9.0, 0.0, 1.0]).lows(4.0).y, [0.0]);
    }

    #[test]
    fn thin_keeps_both_ends_and_means_keep_the_line() {
        let line = series(&(0..1000).map(f64::from).collect::<Vec<_>>());
        let thin = line.thin(60);
        assert!(thin.len() <= 61 && thin.x[0] == 0.0 && thin.end() == 999.0, "{}", thin.len());
        let means = line.means(12);
        assert_eq!(means.len(), 12);
        assert!(means.x.iter().zip(&means.y).all(|(x, y)| (x - y).abs() < 1e-9));
    }

    #[test]
    fn a_counter_that_ran_before_is_set_back() {
        let late = Series { x: vec![1e9, 1e9 + 500.0, 1e9 + 1000.0], y: vec![0.0; 3] }.counted_from_start();
        assert_eq!(late.x, [0.0, 500.0, 1000.0]);
        let first_wave = Series { x: vec![500.0, 1000.0], y: vec![0.0; 2] }.counted_from_start();
        assert_eq!(first_wave.x, [500.0, 1000.0]);
    }
}
