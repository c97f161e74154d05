//! When messages are due in an open loop: pure arithmetic on nanoseconds since the start.

use super::job::Rate;

/// A rate with a ramp: it grows evenly from 0 over the ramp's time, then stays.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    per_second: f64,
    ramp: f64,
}

impl Schedule {
    /// For a rate above 0.
    pub fn new(rate: Rate) -> Self {
        Self { per_second: rate.per_second, ramp: rate.ramp.as_secs_f64() }
    }

    /// When message `number` (from 0) is due, in ns. On the ramp n(t) = rate·t²/2·ramp.
    pub fn due(&self, number: u64) -> u64 {
        let on_ramp = self.per_second * self.ramp / 2.0;
        let number = number as f64;
        let seconds = if number < on_ramp {
            (2.0 * self.ramp * number / self.per_second).sqrt()
        } else {
            self.ramp + (number - on_ramp) / self.per_second
        };
        (seconds * 1e9) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn evenly_without_a_ramp() {
        let schedule = Schedule::new(Rate { per_second: 1000.0, ramp: Duration::ZERO });
        for n in [0, 1, 2, 500, 10_000] {
            assert_eq!(schedule.due(n), n * 1_000_000);
        }
    }

    #[test]
    fn a_ramp_sends_half_as_many_in_its_time_and_never_goes_back() {
        let schedule = Schedule::new(Rate { per_second: 100.0, ramp: Duration::from_secs(4) });
        assert_eq!(schedule.due(200), 4_000_000_000);
        assert_eq!(schedule.due(300), 5_000_000_000);
        assert!((0..400).all(|n| schedule.due(n) <= schedule.due(n + 1)));
        assert_eq!(schedule.due(50), 2_000_000_000);
    }
}
