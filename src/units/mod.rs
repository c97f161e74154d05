//! Quantities and how they are printed: bytes, durations, rates, counts; and the run's one clock.
//! Imports nothing of the other rooms.

mod clock;
mod print;

pub use clock::Clock;
pub use print::{bytes, duration, grouped, millis, plural, rate, significant};
