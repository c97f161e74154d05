//! Floors far apart, as people publish them (after 1, 10, 100 ... requests): too few for the rule, and judged by
//! what is left of the slope when growth as the logarithm is taken away.

use super::bounds::Bounds;
use super::floor::{Case, Per};
use super::judgement::{Growth, GrowthPer, Judgement, MoreWork, Reason, State};
use super::series::Series;

/// Floors needed: three parameters are fitted, and three degrees of freedom are the least for an interval.
const LEAST: usize = 6;

/// The 97.5% quantiles of Student's t for 1 to 10 degrees of freedom; the normal's is near enough beyond.
const T975: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/// Whether the floors are few and the work at least doubles from each to the next.
pub fn is_sparse(case: &Case, bounds: &Bounds) -> bool {
    let series = Series::of(case);
    (LEAST..bounds.waves.least).contains(&series.len()) && series.x.windows(2).all(|x| x[1] >= 2.0 * x[0])
}

/// Judges sparse floors by the least-squares fit of `a + b·ln(x) + L·x`: `leak` where L's interval lies above the
/// bound. It never says `clean`: a handful of floors cannot.
pub fn judge_sparse(case: &Case, bounds: &Bounds) -> Judgement {
    let mut sorted = *case;
    sorted.garbage_known = true;
    let series = Series::of(&sorted);
    let limits = bounds.for_case(&sorted);
    let per = match case.per {
        Per::Messages => GrowthPer::Messages,
        Per::Sessions => GrowthPer::Sessions,
    };
    let Some((linear, error)) = linear_part(&series.x, &series.y) else {
        return Judgement::not_judged(Reason::TooShort, "too few floors for a fit");
    };
    let free = series.len() - 3;
    let reach = error * T975.get(free - 1).copied().unwrap_or(1.96);
    let (low, high) = (linear - reach, linear + reach);
    let metric = case.metric;
    let amount = |value: f64| metric.amount(value * 1000.0);
    let fitted = format!(
        "with growth as the logarithm taken away, {} [{}, {}] {} are left of {} floors at 1 to {} {}",
        amount(linear),
        amount(low),
        amount(high),
        per.phrase(),
        series.len(),
        crate::units::grouped(series.work() as u64),
        case.per.noun(),
    );
    let leak = low > limits.leak && series.work() >= limits.leak_work;
    let condition = "few floors far apart: they can show a leak, and nothing else".to_owned();
    Judgement {
        state: if leak { State::Leak } else { State::Inconclusive },
        reason: None,
        growth: Some(Growth { value: linear * 1000.0, unit: metric.unit(), per }),
        ci95: Some([low * 1000.0, high * 1000.0]),
        could_have_missed: Some(high.max(limits.leak) * 1000.0),
        evidence: fitted,
        failed_condition: (!leak).then(|| condition.clone()),
        would_decide: (!leak).then(|| MoreWork { work: series.work() as u64, reason: condition }),
        wants_rest: false,
    }
}

/// L of `a + b·ln(x) + L·x` by least squares, and its standard error.
fn linear_part(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let n = x.len();
    if n < 4 || x[0] <= 0.0 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
    let centred = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|v| v - mean).collect::<Vec<f64>>()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let logs: Vec<f64> = x.iter().map(|x| x.ln()).collect();
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

    /// Resident memory in MB after 1 to 100,000 requests, as published for one long-running PHP service.
    const PUBLISHED: [(f64, f64); 6] =
        [(1.0, 95.0), (10.0, 166.0), (100.0, 209.0), (1e3, 359.0), (1e4, 375.0), (1e5, 428.0)];

    #[test]
    fn published_floors_have_no_linear_part() {
        let (x, y): (Vec<f64>, Vec<f64>) = PUBLISHED.into_iter().unzip();
        let (linear, error) = linear_part(&x, &y).unwrap();
        let per = 1e4 * linear;
        let reach = 1e4 * error * T975[2];
        assert!((-17.6..-17.4).contains(&(per - reach)) && (5.7..5.9).contains(&(per + reach)), "{per} ± {reach}");
    }
}
