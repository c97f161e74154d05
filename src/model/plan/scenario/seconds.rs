//! Durations as seconds in JSON, and as `250ms` or a number of seconds in TOML.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a duration as seconds.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Reads what [`serialize`] wrote.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

/// A duration as people write it in a configuration: `"250ms"`, `"2s"`, `"1m 30s"`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span(pub Duration);

/// Parses `250ms`, `2s`, `1m30s`, or a bare number of seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is not a duration"));
    }
    let signed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is not a duration: write it like 250ms, 2s or 1m30s"))?;
    Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Whole(i64),
            Number(f64),
            Text(String),
        }
        let duration = match Form::deserialize(deserializer)? {
            Form::Whole(n) => parse(&n.to_string()),
            Form::Number(n) => parse(&n.to_string()),
            Form::Text(text) => parse(&text),
        };
        duration.map(Span).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn what_people_write() {
        for (text, millis) in [("250ms", 250), ("2s", 2000), ("1m 30s", 90_000), ("0.5", 500), ("3", 3000)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "soon", "-1", "-2s", "NaN"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
