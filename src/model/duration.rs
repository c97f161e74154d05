//! Durations as people write them, on the command line and in the configuration alike.

use std::time::Duration;

/// Longer waits are slips of the keyboard, and the clock's sums stay far from overflow.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Parses `250ms`, `90s`, `3m`, `1m30s`, `1.5h`, or a bare number of seconds; at most 30 days.
///
/// # Errors
/// What is wrong with it, with examples.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let trimmed = text.trim();
    let wrong = || format!("`{text}` is not a duration; write 90s, 3m, 1m30s or 500ms");
    let duration = match trimmed.parse::<f64>() {
        Ok(seconds) if seconds.is_sign_negative() => return Err(format!("`{text}` is negative")),
        Ok(seconds) if seconds > LONGEST.as_secs_f64() => LONGEST + Duration::from_secs(1),
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => {
            let signed: jiff::SignedDuration = trimmed.parse().map_err(|_| wrong())?;
            Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))?
        }
    };
    if duration > LONGEST { Err(format!("`{text}` is too long; at most 30 days")) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, millis) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("3m", 180_000),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("1.5h", 5_400_000),
            ("2min", 120_000),
            ("0.5", 500),
            ("7", 7000),
            (" 0 ", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_said() {
        for text in ["", "x", "soon", "3x", "m", "-1", "-1s", "NaN", "inf", "1e19", "31d", "1000h", "9999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
