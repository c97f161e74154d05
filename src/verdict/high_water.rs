//! High-water marks: what a higher number of sessions at once sets is no growth.

/// The number of sessions at once that set the mark, where every rise of the floors beyond `grain` came in a wave with
/// more sessions at once than any before it. None where something rose besides, or nothing rose.
///
/// `waves` are (sessions at once, floor), in order; the first is the floor before the load (0 at once).
pub fn set_by_concurrency(waves: &[(u32, f64)], grain: f64) -> Option<u32> {
    let (mut most, mut high) = *waves.first()?;
    let mut set_by = None;
    for &(parallel, floor) in &waves[1..] {
        if floor > high + grain {
            if parallel <= most {
                return None;
            }
            (high, set_by) = (floor, Some(parallel));
        }
        most = most.max(parallel);
    }
    set_by
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_set_by_ten_at_once() {
        let waves = [(0, 1e6), (1, 1.1e6), (1, 1.1e6), (10, 1.5e6), (10, 1.5e6), (1, 1.5e6)];
        assert_eq!(set_by_concurrency(&waves, 4096.0), Some(10));
    }

    #[test]
    fn growth_at_the_same_concurrency_is_growth() {
        assert_eq!(set_by_concurrency(&[(0, 1e6), (10, 1.5e6), (10, 1.6e6)], 4096.0), None);
    }
}
