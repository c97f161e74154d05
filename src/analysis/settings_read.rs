//! Settings as a journal keeps them, read again: every key is known or an error names it. Nothing falls back to a default
//! in silence, for a run that was judged by other bounds than its own would be judged wrongly.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Condition, Settings, ThresholdTable};
use crate::verdict::Bounds;

/// A setting of a journal that cannot be obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct SettingsError {
    /// Which, as `settings.bounds.heap.leak`.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl SettingsError {
    fn new(key: &str, why: impl ToString) -> Self {
        Self { key: key.to_owned(), why: why.to_string() }
    }
}

/// Keys of the first rule's bounds that have no counterpart today, with the defaults that it had.
const GONE: [(&str, &str, f64); 11] = [
    ("waves", "clean_half", 2500.0),
    ("waves", "window", 0.25),
    ("waves", "over_noise", 2.0),
    ("waves", "grew", 4.0),
    ("waves", "steady", 0.75),
    ("waves", "slowing", 0.7),
    ("waves", "slowing_waves", 4.0),
    ("waves", "slowing_smooth", 0.005),
    ("waves", "swings", 4.0),
    ("waves", "doubling_from", 0.4),
    ("waves", "doubling_factor", 1.5),
];

/// Keys that are still there and had another default then: who left them alone is judged by today's.
const MOVED: [(&str, &str, f64); 3] =
    [("heap", "hour", 16_384.0), ("rss", "hour", 1_048_576.0), ("waves", "least", 8.0)];

/// Reads the settings of a journal of `schema`; beside them, the keys that had been set and mean nothing any more.
///
/// # Errors
/// A key is not known, or its value is none that it may have.
pub fn read(recorded: &Value, schema: u32) -> Result<(Settings, Vec<String>), SettingsError> {
    let recorded = match recorded {
        // Written where nothing was to be judged.
        Value::Null => return Ok((Settings::default(), Vec::new())),
        Value::Object(recorded) => recorded,
        _ => return Err(SettingsError::new("settings", "is no object")),
    };
    let (mut settings, mut dropped) = (Settings::default(), Vec::new());
    for (key, value) in recorded {
        let named = format!("settings.{key}");
        match key.as_str() {
            "bounds" => {
                let mut bounds = value.clone();
                let of_first_rule = schema == 1 || GONE.iter().any(|(part, key, _)| !value[part][key].is_null());
                if of_first_rule {
                    dropped = carry_over(&mut bounds);
                }
                settings.bounds = read_bounds(&bounds, &named)?;
            }
            "accepted" => settings.accepted = list(value, &named)?,
            "thresholds" => {
                settings.thresholds = thresholds(value, &named)?;
            }
            "waiting" => settings.waiting = list(value, &named)?,
            _ => return Err(SettingsError::new(&named, "is no setting that this program knows")),
        }
    }
    Ok((settings, dropped))
}

/// Takes out what the first rule had by default or alone; gives back the keys of the latter that had been set.
fn carry_over(bounds: &mut Value) -> Vec<String> {
    let mut taken = |part: &str, key: &str, by_default: f64, gone: bool| -> Option<String> {
        let part_of = bounds.get_mut(part)?.as_object_mut()?;
        let value = part_of.get(key)?.as_f64()?;
        if value == by_default || gone {
            part_of.remove(key);
        }
        (gone && value != by_default).then(|| format!("{part}.{key} = {value}"))
    };
    MOVED.iter().for_each(|(part, key, by_default)| drop(taken(part, key, *by_default, false)));
    GONE.iter().filter_map(|(part, key, by_default)| taken(part, key, *by_default, true)).collect()
}

/// The verdict's bounds: each key known, each number finite and not below 0.
///
/// # Errors
/// The first key that is otherwise.
pub fn read_bounds(value: &Value, named: &str) -> Result<Bounds, SettingsError> {
    let known = serde_json::to_value(Bounds::default()).map_err(|error| SettingsError::new(named, error))?;
    each(value, &known, named)?;
    serde_json::from_value(value.clone()).map_err(|error| SettingsError::new(named, error))
}

/// Walks `value` beside one of the shape that it must have.
fn each(value: &Value, known: &Value, named: &str) -> Result<(), SettingsError> {
    match (value, known) {
        (Value::Object(value), Value::Object(known)) => {
            let unknown = value.keys().find(|key| !known.contains_key(*key));
            if let Some(key) = unknown {
                return Err(SettingsError::new(&format!("{named}.{key}"), "is no bound that this program knows"));
            }
            value.iter().try_for_each(|(key, value)| each(value, &known[key], &format!("{named}.{key}")))
        }
        (Value::Array(value), Value::Array(known)) if value.len() == known.len() => {
            let pairs = value.iter().zip(known).enumerate();
            pairs.into_iter().try_for_each(|(at, (value, known))| each(value, known, &format!("{named}[{at}]")))
        }
        (Value::Number(number), Value::Number(_)) if number.as_f64().is_some_and(|n| n >= 0.0) => Ok(()),
        // JSON has no infinity: what was one is `null` in a journal.
        _ => Err(SettingsError::new(named, format!("{value} is no bound: a finite number from 0 on is wanted"))),
    }
}

fn list<T: DeserializeOwned>(value: &Value, named: &str) -> Result<Vec<T>, SettingsError> {
    let entries = value.as_array().ok_or_else(|| SettingsError::new(named, "is no list"))?;
    let one = |(at, entry): (usize, &Value)| {
        serde_json::from_value(entry.clone()).map_err(|error| {
            // `most` and `least` may be left out; all else that is nothing was no number.
            let nothing = |entry: &Map<String, Value>| {
                entry.iter().find(|(_, value)| value.is_null()).map(|(key, _)| format!(".{key}"))
            };
            let key = entry.as_object().and_then(nothing).unwrap_or_default();
            SettingsError::new(&format!("{named}[{at}]{key}"), error)
        })
    };
    entries.iter().enumerate().map(one).collect()
}

/// Conditions, and the tables that earlier versions kept.
fn thresholds(value: &Value, named: &str) -> Result<Vec<Condition>, SettingsError> {
    let entries = value.as_array().ok_or_else(|| SettingsError::new(named, "is no list"))?;
    let mut conditions = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let named = format!("{named}[{at}]");
        let read: Result<Vec<Condition>, String> = match entry {
            Value::String(text) => text.parse().map(|condition| vec![condition]),
            _ => serde_json::from_value::<ThresholdTable>(entry.clone())
                .map_err(|error| error.to_string())
                .and_then(|table| table.conditions()),
        };
        conditions.extend(read.map_err(|why| SettingsError::new(&named, why))?);
    }
    Ok(conditions)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let written = serde_json::to_value(Settings::default()).unwrap();
        assert_eq!(read(&written, 2), Ok((Settings::default(), Vec::new())));
    }

    #[test]
    fn thresholds_are_read_as_text_and_as_the_tables_of_earlier_versions() {
        let listed = json!({ "thresholds": ["rss_peak > 256MB", { "figure": "p99_ms", "scenario": "churn", "most": 5.5, "least": 1 }] });
        let (settings, _) = read(&listed, 2).unwrap();
        let written = serde_json::to_value(&settings.thresholds).unwrap();
        assert_eq!(written, json!(["rss_peak > 256MB", "p99 > 5.5ms in churn", "p99 < 1ms in churn"]));
        assert_eq!(read(&json!({ "thresholds": written }), 2).unwrap().0, settings);
    }

    #[test]
    fn what_cannot_be_obeyed_is_named() {
        for (settings, key) in [
            (json!({ "bounds": { "heap": { "leak": null } } }), "settings.bounds.heap.leak"),
            (json!({ "bounds": { "heap": { "leak": -1.0 } } }), "settings.bounds.heap.leak"),
            (json!({ "bounds": { "heap": { "leek": 1.0 } } }), "settings.bounds.heap.leek"),
            (json!({ "bounds": { "rest": { "stretches": [1, 2] } } }), "settings.bounds.rest.stretches"),
            (json!({ "accept": [] }), "settings.accept"),
            (
                json!({ "accepted": [{ "metric": "heap", "limit": null, "reason": "r", "expires": "2027-01-01" }] }),
                "settings.accepted[0].limit",
            ),
            (json!({ "thresholds": [{ "figure": "p99_ms", "most": null }] }), "settings.thresholds[0]"),
            (json!({ "thresholds": ["errors > 5", "p98 > 1ms"] }), "settings.thresholds[1]"),
        ] {
            assert_eq!(read(&settings, 1).unwrap_err().key, key);
            assert_eq!(read(&settings, 2).unwrap_err().key, key);
        }
    }

    #[test]
    fn bounds_of_the_first_rule_are_carried_over_or_said() {
        let first = json!({ "bounds": {
            "heap": { "leak": 700.0, "hour": 16384.0 },
            "waves": { "least": 8, "window": 0.25, "grew": 6, "clean_work": 9000.0 },
        } });
        let (settings, dropped) = read(&first, 1).unwrap();
        let mut bounds = Bounds::default();
        (bounds.heap.leak, bounds.waves.clean_work) = (700.0, 9000.0);
        assert_eq!(settings.bounds, bounds, "what was set is kept, what was left alone is today's");
        assert_eq!(dropped, ["waves.grew = 6"]);
    }
}
