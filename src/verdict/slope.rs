//! Slopes: Sen's, the line and the parabola of least squares with errors that know of neighbours that are alike.
//!
//! Sen, JASA 63 (1968); the factor for neighbours is that of a first-order process (Newey and West, 1987, at one lag).

use super::series::Series;
use crate::model::median;

/// Floors that Sen's slope looks at most; it costs their square.
const MOST: usize = 120;

/// Correlation of neighbours beyond which the factor is no longer believed.
const MOST_ALIKE: f64 = 0.8;

/// Sen's slope over pairs that lie at least a quarter of the floors apart.
pub(super) fn sen(series: &Series) -> f64 {
    let thin = series.thin(MOST);
    let n = thin.len();
    let apart = (n / 4).max(1);
    let mut slopes = Vec::with_capacity(n * n / 2);
    for i in 0..n {
        for j in i + apart..n {
            slopes.push((thin.y[j] - thin.y[i]) / (thin.x[j] - thin.x[i]));
        }
    }
    median(&mut slopes)
}

/// How far neighbours of the residuals are alike, at most [`MOST_ALIKE`] and no less than nothing.
fn alike(residuals: &[f64], squares: f64) -> f64 {
    let products: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    (products / squares.max(f64::MIN_POSITIVE)).clamp(0.0, MOST_ALIKE)
}

/// The line of least squares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub slope: f64,
    /// Standard error of the slope.
    pub error: f64,
    /// Correlation of neighbouring residuals.
    pub alike: f64,
}

/// The line of least squares through at least three floors.
pub(super) fn line(series: &Series) -> Option<Line> {
    let n = series.len();
    if n < 3 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
    let (x0, y0) = (mean(&series.x), mean(&series.y));
    let spread: f64 = series.x.iter().map(|x| (x - x0).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = series.x.iter().zip(&series.y).map(|(x, y)| (x - x0) * (y - y0)).sum::<f64>() / spread;
    let residuals: Vec<f64> = series.x.iter().zip(&series.y).map(|(x, y)| y - y0 - slope * (x - x0)).collect();
    let squares: f64 = residuals.iter().map(|e| e * e).sum();
    let alike = alike(&residuals, squares);
    let error = (squares / (n - 2) as f64 * (1.0 + alike) / (1.0 - alike) / spread).sqrt();
    Some(Line { slope, error, alike })
}

/// The slopes at both ends of the parabola of least squares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// Slope at the first floor.
    pub first: f64,
    /// Slope at the last floor.
    pub last: f64,
    /// Standard error of either.
    pub error: f64,
    /// Standard error of their difference.
    pub bend_error: f64,
}

impl Ends {
    /// By how much the slope rose.
    pub fn bend(&self) -> f64 {
        self.last - self.first
    }
}

/// The parabola of least squares through at least five floors; `grain` is the least that a floor is off by.
pub(super) fn ends(series: &Series, grain: f64) -> Option<Ends> {
    let n = series.len();
    if n < 5 {
        return None;
    }
    let (middle, reach) = ((series.x[0] + series.end()) / 2.0, series.span() / 2.0);
    if reach <= 0.0 {
        return None;
    }
    let base = series.y[0];
    // Sums for [1, u, u²] with u from -1 to 1.
    let mut powers = [0.0; 5];
    let mut right = [0.0; 3];
    for (&x, &y) in series.x.iter().zip(&series.y) {
        let u = (x - middle) / reach;
        let mut power = 1.0;
        for (k, sum) in powers.iter_mut().enumerate() {
            *sum += power;
            if k < 3 {
                right[k] += power * (y - base);
            }
            power *= u;
        }
    }
    let inverse = invert([0, 1, 2].map(|i| [0, 1, 2].map(|j| powers[i + j])))?;
    let p = inverse.map(|row| row.iter().zip(&right).map(|(a, b)| a * b).sum::<f64>());
    let residuals: Vec<f64> = series
        .x
        .iter()
        .zip(&series.y)
        .map(|(x, y)| {
            let u = (x - middle) / reach;
            y - base - p[0] - p[1] * u - p[2] * u * u
        })
        .collect();
    let squares: f64 = residuals.iter().map(|e| e * e).sum();
    let alike = alike(&residuals, squares);
    let variance = (squares / (n - 3) as f64).max(grain * grain / 12.0) * (1.0 + alike) / (1.0 - alike);
    Some(Ends {
        first: (p[1] - 2.0 * p[2]) / reach,
        last: (p[1] + 2.0 * p[2]) / reach,
        error: (variance * (inverse[1][1] + 4.0 * inverse[2][2] + 4.0 * inverse[1][2].abs())).sqrt() / reach,
        bend_error: (variance * 16.0 * inverse[2][2]).sqrt() / reach,
    })
}

/// The inverse of a symmetric matrix.
fn invert(m: [[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let cofactor = |i: usize, j: usize| {
        let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * cofactor(0, j)).sum();
    (determinant.abs() > 1e-12).then(|| [0, 1, 2].map(|i| [0, 1, 2].map(|j| cofactor(j, i) / determinant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(y: impl Fn(f64) -> f64) -> Series {
        let x: Vec<f64> = (0..20).map(|i| 1000.0 + 50.0 * f64::from(i)).collect();
        Series { y: x.iter().map(|&x| y(x)).collect(), x }
    }

    #[test]
    fn a_line_has_one_slope_and_a_parabola_two() {
        let straight = series(|x| 7.0 + 3.0 * x);
        assert!((sen(&straight) - 3.0).abs() < 1e-9);
        let fitted = line(&straight).unwrap();
        assert!((fitted.slope - 3.0).abs() < 1e-9 && fitted.error < 1e-6);
        let bent = ends(&series(|x| (x - 1000.0).powi(2)), 1.0).unwrap();
        assert!(bent.first.abs() < 1e-6 && (bent.last - 1900.0).abs() < 1e-6, "{bent:?}");
        assert!((bent.bend() - 1900.0).abs() < 1e-6 && bent.bend_error < 0.1, "{bent:?}");
    }

    #[test]
    fn nothing_comes_of_too_little() {
        assert_eq!(sen(&Series::default()), 0.0);
        assert!(line(&Series { x: vec![1.0; 4], y: vec![1.0; 4] }).is_none());
        assert!(ends(&Series { x: vec![0.0; 6], y: vec![0.0; 6] }, 1.0).is_none());
    }
}
