//! What is counted one by one (descriptors, sockets, threads): events, of which none or a few were seen.

use super::rests;
use super::series::Series;
use super::thresholds::Rest;

/// The most events a unit of work that those seen leave room for, at 95% (3 of none: the rule of three, Hanley and
/// Lippman-Hand 1983; 9.2 of four): over the work since the first wave, and over its later stretches. What falls counts
/// as what rises.
pub(super) fn limit(series: &Series, rest: &Rest) -> Option<f64> {
    let first = *series.x.iter().find(|&&x| x > 0.0)?;
    let warm = series.from(first);
    if warm.len() < 2 * rest.floors || warm.span() <= 0.0 {
        return None;
    }
    let most = |seen: f64| seen + 3.0 + 1.15 * seen.sqrt();
    let mut limit = most(warm.range()) / warm.span();
    for (from, _) in rest.stretches {
        let stretch = series.from(from * series.end());
        if stretch.span() > 0.0 {
            limit = limit.max(stretch.range() / stretch.span());
        }
    }
    // A pool that doubles: steps of several, not of one.
    let pools = Series { x: series.x.clone(), y: series.y.iter().map(|y| (y / 3.0).floor() * 3.0).collect() };
    Some(limit.max(rests::steps(&pools, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(each: f64, counts: &[f64]) -> Series {
        Series { x: (0..counts.len()).map(|i| each * i as f64).collect(), y: counts.to_vec() }
    }

    #[test]
    fn nothing_seen_leaves_three_and_two_leave_more() {
        let still = sessions(20.0, &[7.0; 12]);
        assert!((limit(&still, &Rest::default()).unwrap() - 3.0 / 200.0).abs() < 1e-9);
        let twice = sessions(20.0, &[7.0, 7.0, 8.0, 8.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0]);
        assert!(limit(&twice, &Rest::default()).unwrap() > 0.03);
        assert_eq!(limit(&sessions(20.0, &[7.0; 5]), &Rest::default()), None);
    }
}
