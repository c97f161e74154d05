//! Latencies: HDR histograms in microseconds, three digits, merged without loss.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest latency that is told apart, in µs: an hour. Longer ones count as this.
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// A histogram of latencies. Merging two is exact: all have the same buckets.
#[derive(Debug, Clone)]
pub struct Latency {
    micros: Histogram<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        // Resizes as it needs to: a step that never took longer than a millisecond costs a few kB.
        let mut micros = Histogram::new_with_max(1024, DIGITS).expect("bounds and digits are constants in range");
        micros.auto(true);
        Self { micros }
    }
}

impl Latency {
    /// Counts one latency, in nanoseconds.
    pub fn record(&mut self, nanos: u64) {
        // It resizes up to LONGEST, so that nothing is out of range.
        self.micros.record((nanos / 1000).min(LONGEST)).expect("within the bounds that it resizes to");
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.micros.add(&other.micros).expect("it resizes");
    }

    /// How many were counted.
    pub fn len(&self) -> u64 {
        self.micros.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.micros.is_empty()
    }

    /// The latency that `share` (0 to 1) of all do not exceed, in milliseconds; none where nothing was counted.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        (!self.is_empty()).then(|| self.micros.value_at_quantile(share) as f64 / 1000.0)
    }

    /// The longest, in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.micros.max() as f64 / 1000.0)
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_secs_f64(self.micros.mean() / 1e6))
    }
}

impl PartialEq for Latency {
    fn eq(&self, other: &Self) -> bool {
        self.micros == other.micros
    }
}

/// As pairs of a bucket's value in µs and its count, empty buckets left out.
impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.micros.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latency = Self::default();
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            latency.micros.record_n(value.min(LONGEST * 2), count).map_err(serde::de::Error::custom)?;
        }
        Ok(latency)
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
