//! Floors in, a state or "more waves" out. Pure: no files, no clock, no processes.
//!
//! A *floor* is what a metric fell back to when the server was at rest after a wave of load.
//! [`judge`] looks at the floors of one metric once and says what they show; [`Looks`] feeds it wave by
//! wave and says what to do next. The thresholds stand in [`Bounds`], each with its reason, and
//! `docs/verdict.md` tells where they come from.

pub mod accepted;
pub mod baseline;
mod bounds;
mod ceiling;
mod floor;
mod high_water;
mod judgement;
mod limit;
mod lives;
mod looks;
pub mod pace;
mod rule;
mod series;
mod sparse;
mod stats;

pub use bounds::{Bounds, CountLimits, HeapLimits, Heavy, Limits, RssLimits, Waves};
pub use ceiling::{Until, until};
pub use floor::{Case, Floor, Metric, Per};
pub use high_water::set_by_concurrency;
pub use judgement::{Growth, GrowthPer, Judgement, MoreWork, Reason, State};
pub use lives::judge_lives;
pub use looks::{Budget, Looks, Next};
pub use rule::judge;
pub use sparse::{is_sparse, judge_sparse};
