//! Values as people type them: `3m`, `90s`, `1m30s`, `K=V`.

use std::time::Duration;

/// `90s`, `3m`, `1h`, `1m30s`, `500ms`; a bare number is seconds.
///
/// # Errors
/// What is wrong, with an example.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write 90s, 3m, 1m30s or 500ms");
    let text_ = text.trim();
    if let Ok(seconds) = text_.parse::<f64>() {
        return bounded(seconds).ok_or_else(wrong);
    }
    let mut rest = text_;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let value: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += value
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = &rest[letters..];
    }
    if text_.is_empty() { Err(wrong()) } else { bounded(total).ok_or_else(wrong) }
}

/// A time that clocks can count on: at most a year.
fn bounded(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= Duration::from_secs(366 * 24 * 3600))
}

/// A factor above 0.
///
/// # Errors
/// It is none.
pub fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor.is_finite() => Ok(factor),
        _ => Err(format!("`{text}` is no factor above 0")),
    }
}

/// `K=V`.
///
/// # Errors
/// There is no `=`, or nothing before it.
pub fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no variable; write NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in
            [("90s", 90.0), ("3m", 180.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0), ("7", 7.0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "x", "3x", "m", "-1s", "1e19", "nan", "inf", "9000h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
