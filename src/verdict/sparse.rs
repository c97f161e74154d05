//! Floors far apart, as people publish them (after 1, 10, 100 ... requests): too few for the rule, and judged by
//! what is left of the slope when growth as the logarithm is taken away.

use super::floor::Case;
use super::series::Series;
use super::student::quantile_975;
use super::thresholds::Bounds;
use crate::model::{Decides, Growth, Judgement, Reason, State, Why};

/// Floors with work that are needed: three parameters are fitted, and an interval wants a few degrees of freedom.
const LEAST: usize = 6;

/// Whether the work at least doubles from each to the next.
pub fn is_sparse(case: &Case) -> bool {
    let series = Series::of(case);
    let worked = series.from(f64::MIN_POSITIVE);
    worked.len() >= LEAST && worked.x.windows(2).all(|x| x[1] >= 2.0 * x[0])
}

/// What the least-squares fit of `a + b·ln(1 + x) + L·x` finds of sparse floors. It is never a verdict: nearly all of the
/// work lies between two of them, and a cache that filled there looks like a leak.
pub fn judge_sparse(case: &Case, bounds: &Bounds) -> Judgement {
    let series = Series::of(case);
    let limits = bounds.for_case(case);
    let Some((linear, error)) = linear_part(&series.x, &series.y) else {
        return Judgement::not_judged(Reason::TooShort, Why::FarApart);
    };
    let reach = error * quantile_975((series.len() - 3) as f64);
    let (low, high) = (linear - reach, linear + reach);
    let grew = linear > 0.0 && high > limits.leak;
    Judgement {
        state: if grew { State::Inconclusive } else { State::NotJudged },
        reason: (!grew).then_some(Reason::TooShort),
        growth: Some(Growth { value: linear * 1000.0, unit: case.metric.unit(), per: case.per.into() }),
        ci95: grew.then_some([low * 1000.0, high * 1000.0]),
        could_have_missed: Some(high.max(limits.leak) * 1000.0),
        would_decide: Some(Decides::Work { more: series.end() as u64 }),
        work: series.end() as u64,
        waves: series.len(),
        ..Judgement::not_judged(Reason::TooShort, Why::FarApart)
    }
}

/// L of `a + b·ln(1 + x) + L·x` by least squares, and its standard error.
fn linear_part(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let n = x.len();
    if n < 4 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
    let centred = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|v| v - mean).collect::<Vec<f64>>()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let logs: Vec<f64> = x.iter().map(|x| x.ln_1p()).collect();
    let (u, v, w) = (centred(&logs), centred(x), centred(y));
    // What of x and y the logarithm does not explain (Frisch-Waugh-Lovell).
    let without = |z: &[f64]| {
        let b = dot(&u, z) / dot(&u, &u);
        z.iter().zip(&u).map(|(z, u)| z - b * u).collect::<Vec<f64>>()
    };
    let (v, w) = (without(&v), without(&w));
    let spread = dot(&v, &v);
    if spread <= 0.0 {
        return None;
    }
    let linear = dot(&v, &w) / spread;
    let residual: f64 = v.iter().zip(&w).map(|(v, w)| (w - linear * v).powi(2)).sum();
    Some((linear, (residual / (n - 3) as f64 / spread).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resident memory in MB after 0 to 100,000 requests, as published for a long-running PHP service.
    const REQUESTS: [f64; 7] = [0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5];
    const PUBLISHED: [f64; 7] = [69.0, 95.0, 166.0, 209.0, 359.0, 375.0, 428.0];

    fn judge(megabytes: impl Fn(usize) -> f64) -> Judgement {
        let floor = |i: usize| crate::verdict::Floor::new(i as u32, REQUESTS[i] as u64, 0, 1e6 * megabytes(i));
        let floors: Vec<_> = (0..7).map(floor).collect();
        let case = Case::new(crate::verdict::Metric::Rss, &floors);
        assert!(is_sparse(&case));
        judge_sparse(&case, &Bounds::default())
    }

    #[test]
    fn published_floors_have_no_linear_part() {
        let judgement = judge(|i| PUBLISHED[i]);
        assert_eq!(judgement.state, State::NotJudged);
        let high = judgement.could_have_missed.unwrap() / 1e5;
        assert!((5.7..5.9).contains(&high), "{high} MB per 10,000");
    }

    #[test]
    fn a_leak_upon_them_is_seen_and_a_cache_that_filled_between_two_would_look_the_same() {
        let judgement = judge(|i| PUBLISHED[i] + 60.0 * REQUESTS[i] / 1e4);
        assert_eq!(judgement.state, State::Inconclusive);
        let [low, high] = judgement.ci95.unwrap().map(|rate| rate / 1e5);
        assert!(low < 60.0 && 60.0 < high, "{low} to {high} MB per 10,000");
    }
}
