//! Durations as seconds in JSON, and as `250ms` or a number of seconds in TOML.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

use crate::model::parse_duration;

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
            Form::Whole(n) => parse_duration(&n.to_string()),
            Form::Number(n) => parse_duration(&n.to_string()),
            Form::Text(text) => parse_duration(&text),
        };
        duration.map(Span).map_err(serde::de::Error::custom)
    }
}
