//! Whether a time differs between two builds that were run in turn, pair by pair: Student's t test of the logarithms of
//! the ratios, and Holm's correction, so that the error is that of the whole comparison.
//!
//! Student, "The probable error of a mean", Biometrika 6 (1908); S. Holm, "A simple sequentially rejective multiple test
//! procedure", Scandinavian Journal of Statistics 6 (1979).

use super::student::{quantile_975, two_sided};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Random;

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
