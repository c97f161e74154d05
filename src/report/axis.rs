//! Round figures for axes.

use crate::phrase::grouped;

/// The round steps of an axis and how its figures are written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Lowest and highest value that the axis shows.
    pub range: (f64, f64),
    /// Values of the ticks, ascending, inside `range`.
    pub ticks: Vec<f64>,
    /// One unit of the axis in units of the values (1,048,576 for MiB).
    pub divisor: f64,
    /// The unit's name; empty for counts.
    pub unit: &'static str,
    decimals: usize,
}

impl Axis {
    /// An axis over `low..=high` in about `wanted` steps, each one of `steps` times a power of ten and at
    /// least `least`, in units of `divisor`.
    fn new((low, high): (f64, f64), wanted: usize, steps: &[f64], least: f64, unit: (f64, &'static str)) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        let (divisor, unit) = unit;
        let step = round_step((high - low) / divisor / wanted.max(1) as f64, steps).max(least);
        let first = (low / divisor / step).floor();
        let last = (high / divisor / step).ceil();
        let ticks = (0..=(last - first) as usize).map(|i| (first + i as f64) * step * divisor).collect::<Vec<_>>();
        let decimals = (0..6).find(|&d| is_whole(step * 10f64.powi(d))).unwrap_or(6) as usize;
        Self { range: (first * step * divisor, last * step * divisor), ticks, divisor, unit, decimals }
    }

    /// An axis of memory: the unit follows the largest value.
    pub fn memory(low: f64, high: f64, wanted: usize) -> Self {
        let unit = memory_unit(high.abs().max(low.abs()));
        Self::new((low, high), wanted, &[1.0, 2.0, 2.5, 5.0, 10.0], 0.0, unit)
    }

    /// An axis of counts, in whole steps.
    pub fn count(low: f64, high: f64, wanted: usize) -> Self {
        Self::new((low, high), wanted, &[1.0, 2.0, 5.0, 10.0], 1.0, (1.0, ""))
    }

    /// An axis of seconds.
    pub fn seconds(low: f64, high: f64, wanted: usize) -> Self {
        Self::new((low, high), wanted, &[1.0, 2.0, 5.0, 10.0], 0.0, (1.0, "s"))
    }

    /// How `value` is written on this axis, without its unit.
    pub fn label(&self, value: f64) -> String {
        let scaled = value / self.divisor;
        if self.decimals == 0 {
            let sign = if scaled.round() < 0.0 { "-" } else { "" };
            return format!("{sign}{}", grouped(scaled.abs().round() as u64));
        }
        format!("{scaled:.*}", self.decimals)
    }
}

/// The binary unit in which `value` bytes are best read, and its size.
pub(super) fn memory_unit(value: f64) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 4] = [(1.0, "B"), (1024.0, "KiB"), (1048576.0, "MiB"), (1073741824.0, "GiB")];
    UNITS.into_iter().rev().find(|(size, _)| value >= *size).unwrap_or(UNITS[0])
}

fn round_step(rough: f64, steps: &[f64]) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    steps.iter().map(|m| m * power).find(|step| *step >= rough * 0.999).unwrap_or(rough)
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| axis.label(tick)).collect()
    }

    #[test]
    fn round_figures() {
        let mib = 1048576.0;
        assert_eq!(labels(&Axis::memory(2.2 * mib, 7.1 * mib, 4)), ["2", "4", "6", "8"]);
        assert_eq!(labels(&Axis::memory(25.31 * mib, 25.52 * mib, 3)), ["25.3", "25.4", "25.5", "25.6"]);
        assert_eq!(labels(&Axis::count(0.0, 17.0, 3)), ["0", "10", "20"]);
        assert_eq!(labels(&Axis::count(0.0, 1.0, 4)), ["0", "1"]);
        assert_eq!(labels(&Axis::seconds(0.0, 17.0, 7)), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(&Axis::count(0.0, 3000.0, 3)), ["0", "1,000", "2,000", "3,000"]);
    }

    #[test]
    fn a_single_value_still_has_an_axis() {
        let axis = Axis::count(4.0, 4.0, 3);
        assert!(axis.range.0 < 4.0 && axis.range.1 > 4.0);
    }
}
