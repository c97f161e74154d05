//! Floors in, a state or "more waves" out. Pure: no files, no clock, no processes.
//!
//! A *floor* is what a metric fell back to when the server was at rest after a wave of load.
//! [`judge`] looks at the floors of one metric once and says what they show; [`Looks`] feeds it wave by
//! wave and says what to do next. The thresholds stand in [`Bounds`], each with its reason, and
//! `docs/verdict.md` tells where they come from.

pub mod accepted;
pub mod baseline;
pub mod by_time;
mod detectable;
mod floor;
mod judgement;
mod looks;
mod restarts;
mod rule;
mod series;
mod sparse;
mod stats;
mod thresholds;
mod time_to_limit;

pub use floor::{Case, Floor, Metric, Per};
pub use judgement::{Growth, GrowthPer, Judgement, MoreWork, Reason, State};
pub use looks::{Budget, Looks, Next};
pub use restarts::judge_lives;
pub use rule::judge;
pub use sparse::{is_sparse, judge_sparse};
pub use thresholds::{Bounds, CountLimits, HeapLimits, Heavy, Limits, RssLimits, Waves};
pub use time_to_limit::{Until, until};
