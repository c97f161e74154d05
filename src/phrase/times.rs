//! Times of two builds in words.

/// `+2.1% (1.6% to 2.6%)`
pub fn time_ratio(ratio: f64, ci95: [f64; 2]) -> String {
    let percent = |ratio: f64| format!("{:.1}%", (ratio - 1.0) * 100.0);
    let sign = if ratio >= 1.0 { "+" } else { "" };
    format!("{sign}{} ({} to {})", percent(ratio), percent(ci95[0]), percent(ci95[1]))
}

/// A time that is worse than the base's.
pub fn slower(subject: &str, ratio: f64, ci95: [f64; 2]) -> String {
    format!("Slower than the base: {subject} takes {} per message.", time_ratio(ratio, ci95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_their_sign_and_interval() {
        assert_eq!(time_ratio(1.021, [1.016, 1.026]), "+2.1% (1.6% to 2.6%)");
        assert_eq!(time_ratio(0.95, [0.94, 0.96]), "-5.0% (-6.0% to -4.0%)");
    }
}
