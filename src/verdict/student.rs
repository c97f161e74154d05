//! Student's t: how far a mean may be off that was taken of few values.
//!
//! The incomplete beta function by its continued fraction: Abramowitz and Stegun 26.5.8, evaluated by Lentz's method.

/// The chance of a t that is as far from 0.
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The t that 2.5% lie above, by halving: what half of a 95% interval is in standard errors.
pub fn quantile_975(freedom: f64) -> f64 {
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
}
