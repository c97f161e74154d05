//! Latencies: HDR histograms in microseconds, three digits, merged without loss.

use std::borrow::Cow;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest latency that is told apart, in µs: an hour. Longer ones count as this.
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// A histogram of latencies. Merging two is exact: all have the same buckets.
#[derive(Debug, Clone)]
pub struct Latency {
    held: Held,
}

/// An open histogram has room for every bucket, some 100 kB; a run's journal holds thousands that are only read.
#[derive(Debug, Clone)]
enum Held {
    Open(Histogram<u64>),
    /// Buckets by their value in µs, with their counts; empty ones left out.
    Kept(Box<[(u32, u32)]>),
}

impl Default for Latency {
    fn default() -> Self {
        Self { held: Held::Open(empty()) }
    }
}

fn empty() -> Histogram<u64> {
    // Resizes as it needs to: a step that never took longer than a millisecond costs a few kB.
    let mut micros = Histogram::new_with_max(1024, DIGITS).expect("bounds and digits are constants in range");
    micros.auto(true);
    micros
}

fn add(micros: &mut Histogram<u64>, buckets: &[(u32, u32)]) {
    for (value, count) in buckets {
        micros.record_n(u64::from(*value), u64::from(*count)).expect("it resizes");
    }
}

impl Latency {
    /// Counts one latency, in nanoseconds.
    pub fn record(&mut self, nanos: u64) {
        // It resizes up to LONGEST, so that nothing is out of range.
        self.open().record((nanos / 1000).min(LONGEST)).expect("within the bounds that it resizes to");
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        match &other.held {
            Held::Open(micros) => self.open().add(micros).expect("it resizes"),
            Held::Kept(buckets) => add(self.open(), buckets),
        }
    }

    fn open(&mut self) -> &mut Histogram<u64> {
        if let Held::Kept(buckets) = &self.held {
            let mut micros = empty();
            add(&mut micros, buckets);
            self.held = Held::Open(micros);
        }
        match &mut self.held {
            Held::Open(micros) => micros,
            Held::Kept(_) => unreachable!("it was just opened"),
        }
    }

    fn micros(&self) -> Cow<'_, Histogram<u64>> {
        match &self.held {
            Held::Open(micros) => Cow::Borrowed(micros),
            Held::Kept(buckets) => {
                let mut micros = empty();
                add(&mut micros, buckets);
                Cow::Owned(micros)
            }
        }
    }

    /// The same, open: for whoever asks it more than once.
    pub fn opened(&self) -> Self {
        Self { held: Held::Open(self.micros().into_owned()) }
    }

    /// How many were counted.
    pub fn len(&self) -> u64 {
        match &self.held {
            Held::Open(micros) => micros.len(),
            Held::Kept(buckets) => buckets.iter().map(|(_, count)| u64::from(*count)).sum(),
        }
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latency that `share` (0 to 1) of all do not exceed, in milliseconds; none where nothing was counted.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        (!self.is_empty()).then(|| self.micros().value_at_quantile(share) as f64 / 1000.0)
    }

    /// The longest, in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.micros().max() as f64 / 1000.0)
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_secs_f64(self.micros().mean() / 1e6))
    }
}

impl PartialEq for Latency {
    fn eq(&self, other: &Self) -> bool {
        self.micros() == other.micros()
    }
}

/// As pairs of a bucket's value in µs and its count, empty buckets left out.
impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = self.micros();
        serializer.collect_seq(micros.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut kept = Vec::new();
        for (value, mut count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            while count > 0 {
                let part = u32::try_from(count).unwrap_or(u32::MAX);
                kept.push((value, part));
                count -= u64::from(part);
            }
        }
        Ok(Self { held: Held::Kept(kept.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::default();
        micros.into_iter().for_each(|m| latency.record(m * 1000));
        latency
    }

    #[test]
    fn merging_is_as_if_counted_together() {
        let mut merged = of(0..1000);
        merged.merge(&of((1000..90_000).step_by(7)));
        merged.merge(&Latency::default());
        assert_eq!(merged, of((0..1000).chain((1000..90_000).step_by(7))));
    }

    #[test]
    fn json_keeps_every_count() {
        let latency = of((0..5_000_000).step_by(997));
        let text = serde_json::to_string(&latency).expect("writes");
        let back: Latency = serde_json::from_str(&text).expect("reads");
        assert_eq!(back.len(), latency.len());
        for share in [0.0, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(back.quantile_ms(share), latency.quantile_ms(share), "{share}");
        }
        // Once more changes nothing.
        assert_eq!(serde_json::to_string(&back).expect("writes"), text);
    }

    #[test]
    fn an_hour_is_the_longest_and_nothing_has_no_quantile() {
        assert_eq!(of([u64::MAX / 1000]).quantile_ms(0.5).map(|ms| ms >= 3_599_000.0), Some(true));
        assert_eq!(Latency::default().quantile_ms(0.5), None);
    }
}
