//! Figures that must hold, as the configuration has them: conditions for people (`p99 > 50ms`), the older tables, and
//! what they come to in a run.

mod condition;
mod judge;
mod read;
mod table;

pub use condition::Condition;
pub use judge::{Runs, judge, to_confirm};
pub use table::ThresholdTable;
