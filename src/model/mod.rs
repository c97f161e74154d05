//! Plain values that cross rooms: the plan, what a load comes down to, metrics and states, reasons, exit codes, the
//! run's one clock. Imports nothing of the other rooms.

mod clock;
mod exit_code;
mod judgement;
mod kinds;
pub mod load_stats;
mod metric;
mod pass;
pub mod plan;
mod stop_reason;
mod tree_floor;
mod verdict;

pub use clock::Clock;
pub use exit_code::ExitCode;
pub use judgement::{Decides, Judgement, Missed, Why};
pub use kinds::{FailureKind, WarningKind};
pub use metric::Metric;
pub use pass::Pass;
pub use stop_reason::{EarlyEnd, ScenarioStop};
pub use tree_floor::TreeFloor;
pub use verdict::{Growth, GrowthPer, Reason, State, Unit, Verdict};
