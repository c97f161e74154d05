//! Values to English: amounts as they are printed.

mod amount;

pub use amount::{bytes, duration, grouped, millis, plural, rate, significant};
