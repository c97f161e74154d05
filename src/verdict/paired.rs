//! Whether a time differs between two builds that were run in turn, pair by pair: Student's t test of the logarithms of
//! the ratios, and Holm's correction, so that the error is that of the whole comparison.
//!
//! Student, "The probable error of a mean", Biometrika 6 (1908); S. Holm, "A simple sequentially rejective multiple test
//! procedure", Scandinavian Journal of Statistics 6 (1979). The incomplete beta function by its continued fraction: Abramowitz
//! and Stegun 26.5.8, evaluated by Lentz's method.

/// How often a comparison of two equal builds may claim any difference at all.
pub const ERROR: f64 = 0.001;

/// Pairs below which nothing is said.
const LEAST: usize = 5;

/// What the pairs show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The later by the earlier, the geometric mean: 1.02 is 2% more.
    pub ratio: f64,
    /// 95% interval of it.
    pub ci95: [f64; 2],
    /// How often equal builds would differ by as much.
    pub p: f64,
}

/// Tests pairs of (earlier, later); none where they are too few or hold what is no time.
pub fn paired(pairs: &[(f64, f64)]) -> Option<Paired> {
    let sound = pairs.iter().all(|(was, is)| *was > 0.0 && *is > 0.0 && was.is_finite() && is.is_finite());
    if pairs.len() < LEAST || !sound {
        return None;
    }
    let logs: Vec<f64> = pairs.iter().map(|(was, is)| (is / was).ln()).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    let freedom = n - 1.0;
    let p = if error > 0.0 { two_sided(mean / error, freedom) } else { f64::from(mean == 0.0) };
    let half = quantile_975(freedom) * error;
    Some(Paired { ratio: mean.exp(), ci95: [(mean - half).exp(), (mean + half).exp()], p })
}

/// Which of several tests hold, so that the chance of any false one stays below [`ERROR`].
pub fn holm(p: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut holds = vec![false; p.len()];
    for (rank, at) in order.iter().enumerate() {
        if p[*at] > ERROR / (p.len() - rank) as f64 {
            break;
        }
        holds[*at] = true;
    }
    holds
}

/// The chance of a t that is as far from 0.
fn two_sided(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The t that 2.5% lie above, by halving.
fn quantile_975(freedom: f64) -> f64 {
    let (mut low, mut high) = (1.9, 13.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if two_sided(middle, freedom) > 0.05 { low = middle } else { high = middle }
    }
    low
}

/// The regularised incomplete beta function.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast on one side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let tiny = 1e-300;
    let (mut c, mut d, mut value) = (1.0, 0.0, 1.0);
    for term in 0..400 {
        let m = f64::from(term / 2);
        let numerator = match term {
            0 => 1.0,
            term if term % 2 == 0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        };
        let not_zero = |value: f64| if value.abs() < tiny { tiny } else { value };
        d = 1.0 / not_zero(1.0 + numerator * d);
        c = not_zero(1.0 + numerator / c);
        value *= c * d;
        if (1.0 - c * d).abs() < 1e-14 {
            break;
        }
    }
    front * (value - 1.0)
}

/// The logarithm of the gamma function by Stirling's series, moved to where it is exact.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 15.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Random;

    #[test]
    fn students_distribution_is_that_of_its_tables() {
        // Quantiles of published tables.
        for (freedom, t) in [(4.0, 2.776), (9.0, 2.262), (14.0, 2.145), (30.0, 2.042), (120.0, 1.980)] {
            assert!((quantile_975(freedom) - t).abs() < 0.001, "{freedom}: {}", quantile_975(freedom));
            assert!((two_sided(t, freedom) - 0.05).abs() < 1e-4);
        }
        for (freedom, t) in [(4.0, 8.610), (9.0, 4.781), (14.0, 4.140)] {
            assert!((two_sided(t, freedom) - 0.001).abs() < 2e-6, "{freedom}: {}", two_sided(t, freedom));
        }
        assert!((two_sided(0.0, 5.0) - 1.0).abs() < 1e-12);
    }

    /// Normal noise of a random sequence.
    fn noise(random: &mut Random, deviation: f64) -> f64 {
        let (a, b) = (random.unit().max(1e-12), random.unit());
        deviation * (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
    }

    #[test]
    fn equal_builds_differ_as_seldom_as_is_said_and_two_percent_are_seen() {
        let mut random = Random::new(7);
        let (mut claims, mut seen) = (0, 0);
        for _ in 0..4_000 {
            let mut pairs = |change: f64| -> Vec<(f64, f64)> {
                let mut one = || (1.0 + noise(&mut random, 0.01)) * 0.1;
                (0..15).map(|_| (one(), one() * change)).collect()
            };
            let p: Vec<f64> = (0..10).map(|_| paired(&pairs(1.0)).unwrap().p).collect();
            claims += u32::from(holm(&p).contains(&true));
            let slower = paired(&pairs(1.02)).unwrap();
            seen += u32::from(holm(&[&p[1..], &[slower.p]].concat())[9]);
        }
        assert!(claims <= 14, "{claims} of 4,000 where 4 are to be expected");
        assert!(seen > 1_800, "{seen} of 4,000");
    }

    #[test]
    fn what_is_too_few_or_no_time_is_not_tested() {
        assert_eq!(paired(&[(1.0, 2.0); 4]), None);
        assert_eq!(paired(&[(1.0, 0.0); 9]), None);
        assert_eq!(paired(&[(f64::NAN, 1.0); 9]), None);
        let same = paired(&[(1.0, 1.0); 9]).unwrap();
        assert_eq!((same.ratio, same.p), (1.0, 1.0));
    }
}
