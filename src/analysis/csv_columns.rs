//! What the columns of a CSV of floors are called, and in which unit. Names that programs and people give them; no guess from
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
