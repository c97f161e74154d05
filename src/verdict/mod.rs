//! Floors in, a state or "more waves" out. Pure: no files, no clock, no processes.
//!
//! A *floor* is what a metric fell back to when the server was at rest after a wave of load.
//! [`judge`] says what all floors of one metric show; [`Looks`] feeds it wave by wave and says what to do next. What it
//! says are values; the words are `phrase`'s. The thresholds stand in [`Bounds`], each with its reason, and
//! `docs/verdict.md` tells where they come from.

pub mod accepted;
pub mod baseline;
pub mod by_time;
mod contents;
mod counts;
mod floor;
mod garbage;
pub mod instructions;
pub mod ledger;
mod looks;
mod over_time;
pub mod paired;
mod restarts;
mod rests;
mod rises;
mod rule;
mod series;
mod slope;
mod sparse;
pub mod student;
mod thresholds;
mod time_to_limit;

pub use crate::model::{Growth, GrowthPer, Judgement, Reason, State};
pub use floor::{Case, Collected, Collector, Floor, Metric, Per};
pub use garbage::{GarbageRisk, garbage_risk};
pub use looks::{Budget, Looks, Next};
pub use restarts::judge_lives;
pub use rule::judge;
pub use sparse::{is_sparse, judge_sparse};
pub use thresholds::{Bounds, CountLimits, HeapLimits, Heavy, Limits, Rest, RssLimits, Shape, Waves};
pub use time_to_limit::{Until, until};
