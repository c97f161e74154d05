//! Against an earlier run: growth and throughput are judged only where the two runs can be compared.

use serde::{Deserialize, Serialize};

use super::slope::median;
use crate::model::{Judgement, Random};

/// What must be the same in two runs before one is judged by the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The host: kernel, processor, memory.
    pub host: String,
    /// The runtime and its version.
    pub runtime: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scale, and what else sets the work of a wave.
    pub scale: String,
}

impl Conditions {
    /// What differs, as `host: A, now B`. Empty: the runs can be compared.
    pub fn differences(&self, earlier: &Conditions) -> Vec<String> {
        [
            ("host", &earlier.host, &self.host),
            ("runtime", &earlier.runtime, &self.runtime),
            ("scenario", &earlier.scenario, &self.scenario),
            ("scale", &earlier.scale, &self.scale),
        ]
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(what, was, is)| format!("{what}: {was}, now {is}"))
        .collect()
    }
}

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Worse, beyond the intervals of both.
    Worse,
    /// No difference that the intervals leave.
    Same,
    /// Better, beyond the intervals of both.
    Better,
    /// The figures of one run are missing.
    Unknown,
}

/// Growth against earlier growth: `Worse` where the intervals do not touch and the difference exceeds `bound` (in the
/// growth's unit).
pub fn growth(now: &Judgement, earlier: &Judgement, bound: f64) -> Change {
    let (Some(is), Some(was)) = (now.growth, earlier.growth) else { return Change::Unknown };
    let (Some([low, high]), Some([was_low, was_high])) = (now.ci95, earlier.ci95) else { return Change::Unknown };
    if is.per != was.per || is.unit != was.unit {
        Change::Unknown
    } else if low > was_high && is.value - was.value > bound {
        Change::Worse
    } else if high < was_low && was.value - is.value > bound {
        Change::Better
    } else {
        Change::Same
    }
}

/// Throughput, wave by wave, against earlier throughput: `Worse` where the 95% interval of the ratio of medians lies
/// below `1 - tolerance`. Fewer than four waves of either tell nothing.
pub fn throughput(now: &[f64], earlier: &[f64], tolerance: f64) -> (Change, Option<[f64; 3]>) {
    if now.len() < 4 || earlier.len() < 4 {
        return (Change::Unknown, None);
    }
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut draw = |of: &[f64]| {
        let mut drawn: Vec<f64> = (0..of.len()).map(|_| of[random.below(of.len())]).collect();
        median(&mut drawn)
    };
    let mut ratios: Vec<f64> = (0..1000).map(|_| draw(now) / draw(earlier)).filter(|ratio| ratio.is_finite()).collect();
    if ratios.is_empty() {
        return (Change::Unknown, None);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| ratios[((ratios.len() - 1) as f64 * q).round() as usize];
    let (low, high) = (at(0.025), at(0.975));
    let ratio = median(&mut now.to_vec()) / median(&mut earlier.to_vec());
    let change = match () {
        () if high < 1.0 - tolerance => Change::Worse,
        () if low > 1.0 + tolerance => Change::Better,
        () => Change::Same,
    };
    (change, Some([low, ratio, high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_server_is_worse_only_beyond_its_noise() {
        let base: Vec<f64> = (0..10).map(|i| 1000.0 + 10.0 * f64::from(i % 3)).collect();
        let slower: Vec<f64> = base.iter().map(|rate| rate * 0.7).collect();
        assert_eq!(throughput(&slower, &base, 0.1).0, Change::Worse);
        assert_eq!(throughput(&base, &slower, 0.1).0, Change::Better);
        assert_eq!(throughput(&base, &base, 0.1).0, Change::Same);
        assert_eq!(throughput(&base[..3], &base, 0.1).0, Change::Unknown);
    }

    #[test]
    fn another_runtime_is_named() {
        let base =
            Conditions { host: "a".into(), runtime: "PHP 8.2".into(), scenario: "churn".into(), scale: "1".into() };
        let now = Conditions { runtime: "PHP 8.3".into(), ..base.clone() };
        assert_eq!(now.differences(&base), ["runtime: PHP 8.2, now PHP 8.3"]);
        assert!(base.differences(&base).is_empty());
    }
}
