//! What growth means: how much work, or time, is left until a limit is reached.

use serde::{Deserialize, Serialize};

use crate::model::{GrowthPer, Judgement, State};
use crate::phrase::significant;

/// What is left until a limit, at the growth found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// Messages, sessions or hours.
    pub value: f64,
    /// At the upper limit of growth.
    pub least: f64,
    /// At the lower limit of growth; none where it may not grow at all.
    pub most: Option<f64>,
    /// Which of the three.
    pub per: GrowthPer,
}

/// The work or time until `limit` is reached from `now` (both in the metric's unit); none where nothing leaks.
/// Nought where the limit is reached already.
pub fn until(judgement: &Judgement, now: f64, limit: f64) -> Option<Until> {
    let (growth, [low, high]) = (judgement.growth?, judgement.ci95?);
    if judgement.state != State::Leak || growth.value <= 0.0 {
        return None;
    }
    let scale = if growth.per == GrowthPer::Hour { 1.0 } else { 1000.0 };
    let left = (limit - now).max(0.0) * scale;
    Some(Until {
        value: left / growth.value,
        least: left / high.max(growth.value),
        most: (low > 0.0).then(|| left / low),
        per: growth.per,
    })
}

impl Until {
    /// A sentence's end: `about 412,000 messages (390,000 to 440,000)`.
    pub fn phrase(&self) -> String {
        let noun = match self.per {
            GrowthPer::Messages => "messages",
            GrowthPer::Sessions => "sessions",
            GrowthPer::Hour => "hours",
        };
        let value = significant(self.value);
        match self.most {
            Some(most) => format!("about {value} {noun} ({} to {})", significant(self.least), significant(most)),
            None => format!("about {value} {noun} (at least {})", significant(self.least)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Bounds, Case, Floor, Metric, judge};

    #[test]
    fn a_memory_limit_is_so_many_messages_away() {
        let floor = |wave: u32| Floor::new(wave, u64::from(wave) * 1000, 0, 1e6 + 1000.0 * f64::from(wave * 1000));
        let floors: Vec<Floor> = (0..=20).map(floor).collect();
        let judgement = judge(&Case::new(Metric::Heap, &floors), &Bounds::default());
        let until = until(&judgement, 21e6, 128e6).unwrap();
        assert!((until.value - 107_000.0).abs() < 1.0, "{until:?}");
        assert!(until.least <= until.value && until.value <= until.most.unwrap());
    }
}
