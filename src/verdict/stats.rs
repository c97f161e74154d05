//! The estimators: Theil-Sen with Sen's interval, a block bootstrap of increments, and the slope that is
//! left when growth as the logarithm is taken away.
//!
//! Sources: Theil, Proc. Kon. Ned. Akad. Wetensch. 53 (1950); Sen, JASA 63 (1968) 1379; Künsch, Ann. Statist. 17
//! (1989) 1217. All work on points in order of work and know nothing of what was measured.

/// A 95% interval's quantile of the normal distribution.
const Z95: f64 = 1.959_963_985;
/// A 99% interval's.
pub const Z99: f64 = 2.575_829_304;
/// Resamples of the bootstrap: the 2.5% quantile then rests on ten of them.
const RESAMPLES: usize = 400;

/// A slope and its 95% interval, in units of y per unit of x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The estimate.
    pub value: f64,
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

/// The middle value; the mean of the two middle ones of an even number; 0 of none.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Theil-Sen's slope with Sen's 95% interval.
pub fn theil_sen(x: &[f64], y: &[f64]) -> Option<Slope> {
    sen(x, y, Z95)
}

/// Theil-Sen's slope with Sen's interval at the given quantile (variance corrected for ties in y).
pub fn sen(x: &[f64], y: &[f64], quantile: f64) -> Option<Slope> {
    let n = x.len();
    let mut slopes = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    for i in 0..n {
        for j in i + 1..n {
            if x[j] > x[i] {
                slopes.push((y[j] - y[i]) / (x[j] - x[i]));
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    let value = median(&mut slopes);
    let mut sorted = y.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ties: f64 =
        sorted.chunk_by(|a, b| a == b).map(|run| run.len() as f64).map(|t| t * (t - 1.0) * (2.0 * t + 5.0)).sum();
    let count = n as f64;
    let variance = ((count * (count - 1.0) * (2.0 * count + 5.0) - ties) / 18.0).max(0.0);
    let reach = quantile * variance.sqrt();
    let pairs = slopes.len() as f64;
    let low = ((pairs - reach) / 2.0).floor().max(1.0) as usize - 1;
    let high = (((pairs + reach) / 2.0).ceil() as usize).min(slopes.len() - 1);
    Some(Slope { value, low: slopes[low], high: slopes[high] })
}

/// The mean rate with the percentile interval of a moving-block bootstrap of the increments.
pub fn block_bootstrap(x: &[f64], y: &[f64]) -> Option<Slope> {
    let n = x.len().checked_sub(1).filter(|&n| n >= 2)?;
    let block = (n as f64).cbrt().ceil() as usize;
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut rates: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (mut dx, mut dy, mut taken) = (0.0, 0.0, 0);
            while taken < n {
                let from = random.below(n - block + 1);
                let take = block.min(n - taken);
                // The increments of a block add up to the difference of its ends.
                dx += x[from + take] - x[from];
                dy += y[from + take] - y[from];
                taken += take;
            }
            dy / dx
        })
        .filter(|rate| rate.is_finite())
        .collect();
    if rates.is_empty() {
        return None;
    }
    rates.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| rates[((rates.len() - 1) as f64 * q).round() as usize];
    Some(Slope { value: (y[n] - y[0]) / (x[n] - x[0]), low: at(0.025), high: at(0.975) })
}

/// Both intervals' hull around Theil-Sen's slope.
pub fn slope(x: &[f64], y: &[f64]) -> Option<Slope> {
    let sen = theil_sen(x, y)?;
    Some(match block_bootstrap(x, y) {
        Some(boot) => Slope { value: sen.value, low: sen.low.min(boot.low), high: sen.high.max(boot.high) },
        None => sen,
    })
}

/// What is left of a linear slope when growth as the logarithm is taken away: `y = a + b·ln(x) + L·x` through
/// floors at three points of the work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogFit {
    /// L, in units of y per unit of x.
    pub linear: f64,
    /// How far L moves (root of the squared weights) when each floor is off by one.
    pub weight: f64,
    /// b, in units of y per unit of ln(x).
    pub log: f64,
}

impl LogFit {
    /// Through three points with 0 < x1 < x2 < x3.
    pub fn through(points: [(f64, f64); 3]) -> Option<Self> {
        let [(x1, y1), (x2, y2), (x3, y3)] = points;
        if !(x1 > 0.0 && x1 < x2 && x2 < x3) {
            return None;
        }
        let (log_early, log_late) = ((x2 / x1).ln(), (x3 / x2).ln());
        let (early, late) = (x2 - x1, x3 - x2);
        let determinant = late * log_early - early * log_late;
        let linear = ((y3 - y2) * log_early - (y2 - y1) * log_late) / determinant;
        let weights = [log_late, log_early + log_late, log_early];
        let weight = weights.iter().map(|w| (w / determinant).powi(2)).sum::<f64>().sqrt();
        Some(LogFit { linear, weight, log: ((y2 - y1) - linear * early) / log_early })
    }
}

/// The value at `at` on the polyline through the points; the end's value outside.
pub fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    match x.iter().position(|&x| x >= at) {
        Some(0) => y[0],
        Some(i) => y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]),
        None => *y.last().unwrap_or(&0.0),
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere, so that a verdict can be had again.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number below `n` (n > 0).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_no_width() {
        let x: Vec<f64> = (1..=10).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| 3.0 * x + 1.0).collect();
        assert_eq!(slope(&x, &y), Some(Slope { value: 3.0, low: 3.0, high: 3.0 }));
    }

    #[test]
    fn one_outlier_moves_neither_estimate_nor_far() {
        let x: Vec<f64> = (1..=20).map(f64::from).collect();
        let mut y = x.clone();
        y[7] = 500.0;
        let sen = theil_sen(&x, &y).unwrap();
        assert!((sen.value - 1.0).abs() < 0.01 && sen.low > 0.9, "{sen:?}");
    }

    #[test]
    fn a_logarithm_has_no_linear_part_and_a_leak_beside_it_is_found() {
        let at = |x: f64| 7.0 + 100.0 * x.ln() + 0.5 * x;
        let fit = LogFit::through([250.0, 500.0, 1000.0].map(|x| (x, at(x)))).unwrap();
        assert!((fit.linear - 0.5).abs() < 1e-9 && (fit.log - 100.0).abs() < 1e-6, "{fit:?}");
    }
}
