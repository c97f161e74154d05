//! What stands in a configuration and means nothing: each slip is an error with its place and the nearest right name.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::analysis::{Condition, ThresholdTable};
use crate::model::Metric;
use crate::model::plan::scenario::{Catalog, nearest};
use crate::verdict::Bounds;
use crate::verdict::accepted::Accepted;

/// `[verdict]`: every bound is a number from 0 on, and a count of waves is at least 1.
///
/// # Errors
/// The first that is not.
pub fn bounds(bounds: &Bounds, path: &Path) -> Result<()> {
    let Value::Object(tables) = serde_json::to_value(bounds)? else { return Ok(()) };
    for (table, fields) in &tables {
        for (key, value) in fields.as_object().into_iter().flatten() {
            let place = format!("{}: [verdict.{table}] {key}", path.display());
            // What is made of several numbers holds for each.
            let parts = numbers(value);
            if parts.iter().any(|part| part.is_null()) {
                bail!("{place} is no finite number");
            }
            if let Some(number) = parts.iter().find(|part| part.as_f64().is_some_and(|number| number < 0.0)) {
                bail!("{place} = {number}: a bound is 0 or more");
            }
            match value {
                Value::Number(number) if number.as_u64() == Some(0) => {
                    bail!("{place} = 0: at least 1 is needed, or nothing would be judged")
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The numbers that a value is made of. JSON has neither infinities nor what is no number: they are null.
fn numbers(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other],
    }
}

/// `[[accept]]`.
///
/// # Errors
/// A metric that is none, a limit that is no number from 0 on, a day that is none.
pub fn accepted(list: &[Accepted], path: &Path) -> Result<()> {
    let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    for entry in list {
        let place = format!("{}: [[accept]]", path.display());
        if !names.contains(&entry.metric.as_str()) {
            let meant = nearest(&entry.metric, names.iter().copied());
            let meant = meant.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
            bail!("{place} metric = {:?}{meant}: the metrics are {}", entry.metric, names.join(", "));
        }
        if !(entry.limit.is_finite() && entry.limit >= 0.0) {
            bail!("{place} limit = {}: write a number from 0 on", entry.limit);
        }
        if entry.expires.parse::<jiff::civil::Date>().is_err() || entry.expires.len() != "2026-12-31".len() {
            bail!("{place} expires = {:?}: write a day as 2026-12-31", entry.expires);
        }
    }
    Ok(())
}

/// `editor`.
///
/// # Errors
/// A form that names no file, or opens no editor.
pub fn editor(form: Option<&str>, path: &Path) -> Result<()> {
    let Some(form) = form else { return Ok(()) };
    if let Err(why) = crate::model::Editor::of(form) {
        let example = "phpstorm://open?file=%f&line=%l";
        bail!("{}: editor = {form:?}: {why}; write a link as {example:?}", path.display());
    }
    Ok(())
}

/// `[profile] library`.
///
/// # Errors
/// A folder without a name.
pub fn library(folders: &[String], path: &Path) -> Result<()> {
    for folder in folders {
        if folder.split('/').all(|part| part.is_empty() || part == ".") {
            bail!("{}: [profile] library: {folder:?} names no folder, as \"vendor/\" does", path.display());
        }
    }
    Ok(())
}

/// `[[threshold]]` as conditions.
///
/// # Errors
/// Neither bound, a bound that is no number from 0 on, a scenario where the figure has none.
pub fn tables(list: &[ThresholdTable], path: &Path) -> Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for table in list {
        let place = format!("{}: [[threshold]] figure = {}", path.display(), serde_json::json!(table.figure));
        conditions.extend(table.conditions().map_err(|why| anyhow::anyhow!("{place}: {why}"))?);
    }
    Ok(conditions)
}

/// Every threshold's scenario is there.
///
/// # Errors
/// The first that is not.
pub fn thresholds(list: &[Condition], catalog: &Catalog, path: &Path) -> Result<()> {
    for condition in list {
        if let Some(scenario) = &condition.scenario
            && let Err(unknown) = catalog.get(scenario)
        {
            bail!("{}: threshold `{}`: {unknown}", path.display(), condition.text);
        }
    }
    Ok(())
}

/// A parser's error with the nearest key, where it names one that it does not know.
pub fn with_nearest(error: &toml::de::Error) -> String {
    let text = error.to_string();
    // What the parser met and what it knows stand in backticks, in this order.
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    match quoted.next().and_then(|typed| nearest(typed, quoted)) {
        Some(name) => format!("{text}did you mean `{name}`?"),
        None => text,
    }
}
