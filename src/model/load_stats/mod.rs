//! What a load comes down to: counts whose sums equal what was asked, and latencies that merge exactly.
//!
//! The load fills it, the journal keeps it, the analysis reads it; it knows none of them.

mod latency;
mod row;
mod stats;
mod step;

pub use latency::Latency;
pub use row::{LoadRow, Loop, PREFLIGHT, Quantiles, RowPass, refused_or_failed};
pub use stats::{Count, LoadStats, Stall};
pub use step::Step;
