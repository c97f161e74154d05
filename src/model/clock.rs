//! The run's one clock: seconds since the run began, monotonic.

use std::time::{Duration, Instant};

/// A monotonic clock that every part of a run shares, so that its series can be laid side by side.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts the clock; this moment is second 0.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Seconds since the clock was started.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    /// Time since the clock was started.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The clock's second for an instant (0 for instants before the start).
    pub fn at(&self, instant: Instant) -> f64 {
        instant.saturating_duration_since(self.origin).as_secs_f64()
    }
}
