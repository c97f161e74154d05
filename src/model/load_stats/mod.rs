//! What a load comes down to: counts whose sums equal what was asked, and latencies that merge exactly.
//!
//! The load fills it, the journal keeps it, the analysis reads it; it knows none of them.

mod count;
mod latency;
mod step;

pub use count::{Count, Stall, Tally};
pub use latency::Latency;
pub use step::Step;
