//! What the columns of a CSV of floors are called, in which unit, and what may stand in them. Names that programs and people give them; no guess from
//! the figures.

use crate::model::Metric;

/// A unit of memory. Kilobytes are those of `/proc` and `ps`: 1,024 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteUnit {
    /// Bytes.
    Bytes,
    /// 1,024 bytes.
    Kilobytes,
    /// 1,048,576 bytes.
    Megabytes,
}

impl ByteUnit {
    /// How many bytes one is.
    pub fn bytes(self) -> f64 {
        match self {
            ByteUnit::Bytes => 1.0,
            ByteUnit::Kilobytes => 1024.0,
            ByteUnit::Megabytes => 1_048_576.0,
        }
    }
}

impl std::str::FromStr for ByteUnit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "b" | "bytes" => Ok(ByteUnit::Bytes),
            "kb" | "kib" | "k" => Ok(ByteUnit::Kilobytes),
            "mb" | "mib" | "m" => Ok(ByteUnit::Megabytes),
            _ => Err("give B, kB (1,024 bytes) or MB (1,048,576 bytes)".to_owned()),
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// What it is judged as.
    pub metric: Metric,
    /// The unit that its name says.
    pub unit: Option<ByteUnit>,
}

impl Figure {
    /// What the name of a column says, in capitals or not.
    pub fn named(column: &str) -> Option<Self> {
        let name = column.to_ascii_lowercase().replace([' ', '-', '.'], "_");
        let (stem, unit) = match name.rsplit_once(['_', '(']) {
            Some((stem, "bytes" | "b" | "bytes)" | "b)")) => (stem.trim_end_matches('_'), Some(ByteUnit::Bytes)),
            Some((stem, "kb" | "kib" | "kb)" | "kib)")) => (stem.trim_end_matches('_'), Some(ByteUnit::Kilobytes)),
            Some((stem, "mb" | "mib" | "mb)" | "mib)")) => (stem.trim_end_matches('_'), Some(ByteUnit::Megabytes)),
            _ => (name.as_str(), None),
        };
        let metric = Metric::of_column(stem)?;
        (unit.is_none() || metric.is_memory()).then_some(Figure { metric, unit })
    }
}

/// A column of figures.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    at: usize,
    /// Its name in the header.
    pub name: String,
    /// Counted one by one: no part of one.
    counted: bool,
}

impl Measured {
    /// The column at this place.
    pub fn new(at: usize, name: &str) -> Self {
        let counted = Figure::named(name).is_some_and(|figure| figure.metric.is_count());
        Self { at, name: name.to_owned(), counted }
    }

    /// Its value in a row; none where the field is empty.
    pub fn value(&self, fields: &[&str]) -> Result<Option<f64>, String> {
        let (field, name) = (fields[self.at], &self.name);
        if is_nothing(field) {
            return Ok(None);
        }
        match field.parse::<f64>() {
            Ok(value) if self.counted && value.is_finite() && value.fract() != 0.0 => {
                Err(format!("`{field}` in column {name} is no whole number, and {name} are counted one by one"))
            }
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(Some(value)),
            _ => Err(format!("`{field}` in column {name} is no figure (0 or more, or nothing)")),
        }
    }
}

/// An empty cell, as programs write it.
fn is_nothing(field: &str) -> bool {
    ["", "na", "n/a", "nan", "null", "none", "-"].iter().any(|nothing| field.eq_ignore_ascii_case(nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_people_give() {
        let rss = |unit| Some(Figure { metric: Metric::Rss, unit });
        assert_eq!(Figure::named("VmRSS"), rss(None));
        assert_eq!(Figure::named("rss_kb"), rss(Some(ByteUnit::Kilobytes)));
        assert_eq!(Figure::named("RSS (MiB)"), rss(Some(ByteUnit::Megabytes)));
        assert_eq!(Figure::named("memory"), rss(None));
        assert_eq!(Figure::named("heap_bytes").unwrap(), Figure { metric: Metric::Heap, unit: Some(ByteUnit::Bytes) });
        assert_eq!(Figure::named("Heap").unwrap().metric, Metric::Heap);
        assert_eq!(Figure::named("temperature"), None);
        assert_eq!(Figure::named("fds_kb"), None);
    }
}
