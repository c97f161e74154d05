//! Values as people type them: `3m`, `90s`, `1m30s`, `K=V`.

use crate::model::plan::scenario::{Payload, Scenario};
use std::time::Duration;

use crate::load::Address;
use crate::model::parse_duration;

/// A duration above 0.
///
/// # Errors
/// What is wrong, with an example.
pub fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err(format!("`{text}` leaves no time at all; write 90s, 3m, 1m30s or 500ms")),
        duration => Ok(duration),
    }
}

/// A size above 0: `512MB`, `2GB`, bytes without a unit. kB, MB and GB are powers of 1,024.
///
/// # Errors
/// What is wrong, with an example.
pub fn size(text: &str) -> Result<u64, String> {
    let slip = || format!("`{text}` is no size above 0; write 512MB, 2GB or 1.5GB");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(slip()),
    };
    let bytes = digits.trim_end().parse::<f64>().map_err(|_| slip())? * factor;
    if (1.0..=9e18).contains(&bytes) { Ok(bytes as u64) } else { Err(slip()) }
}

/// A duration that may be 0.
///
/// # Errors
/// What is wrong, with an example.
pub fn wait(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

/// `HOST:PORT` of a server: what cannot be an address is a slip that no run is started for.
///
/// # Errors
/// What is wrong with it.
pub fn target(text: &str) -> Result<String, String> {
    match Address::parse(text) {
        Ok(Address::Tcp { .. }) => Ok(text.to_owned()),
        Ok(Address::Unix(_)) => Err("the server is found by its TCP port; write HOST:PORT".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The largest factor: the recipe's counts times this are beyond any run.
const LARGEST_SCALE: f64 = 10_000.0;

/// A factor above 0, at most 10,000.
///
/// # Errors
/// It is none.
pub fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor <= LARGEST_SCALE => Ok(factor),
        Ok(factor) if factor > LARGEST_SCALE => Err(format!("`{text}` is too large; at most 10,000")),
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

/// The scenario with the length of the file that it sends: a report that is written later, elsewhere, must judge by it.
pub fn with_file_length(mut scenario: Scenario) -> Scenario {
    if let Payload::File(path) = &scenario.payload {
        // A file that is not there is said when the load reads it.
        scenario.file_length = std::fs::metadata(path).map_or(0, |meta| meta.len());
    }
    scenario
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told() {
        for text in ["0", "0s", "-1s", "1e19", ""] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["0", "-1", "nan", "inf", "1e9", "1e308", "x"] {
            assert!(scale(text).is_err(), "{text}");
        }
        for text in ["foo:99999", "localhost:0", ":25", "unix:/run/smtp"] {
            assert!(target(text).is_err(), "{text}");
        }
        assert_eq!(target("localhost:2525").as_deref(), Ok("localhost:2525"));
    }

    #[test]
    fn sizes() {
        assert_eq!(size("512MB"), Ok(512 << 20));
        assert_eq!((size("1.5 GB"), size("4096"), size("2g")), (Ok(3 << 29), Ok(4096), Ok(2 << 30)));
        for slip in ["", "MB", "0", "-1GB", "1 fortnight", "inf", "nan", "1e30"] {
            assert!(size(slip).is_err(), "{slip}");
        }
    }
}
