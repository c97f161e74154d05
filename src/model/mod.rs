//! Plain values that cross rooms: the plan, what a load comes down to, metrics and states, reasons, exit codes, the
//! run's one clock. Imports nothing of the other rooms.

mod against;
mod change;
mod clock;
mod drivers;
mod duration;
mod editor;
mod exit_code;
mod finding;
mod hidden;
mod instructions;
mod judgement;
mod kinds;
mod ledger;
mod library;
pub mod load_stats;
mod median;
mod metric;
mod other_side;
mod pass;
pub mod plan;
mod random;
mod runtime;
mod sample;
pub mod shell;
mod sought;
mod stop_reason;
mod threshold;
mod tree_floor;
mod verdict;
mod visible;

pub use against::{Against, ProfiledLoad, Side, TimedLoad, TimedPart};
pub use change::Change;
pub use clock::Clock;
pub use drivers::{Driven, Driver, Drivers, NotParted};
pub use duration::parse_duration;
pub use editor::Editor;
pub use exit_code::ExitCode;
pub use finding::{Excerpt, Finding, GrowthSource, Holder, HolderKind, Location, Role};
pub use hidden::Hidden;
pub use instructions::{
    Build, CountCondition, CountConditions, CountDiffers, CountStatus, CountedPer, InstructionRow, Instructions,
    NativeFunction, TRIES, Uncounted, per_message, spread,
};
pub use judgement::{Decides, Judgement, Missed, Why};
pub use kinds::{FailureKind, WarningKind};
pub use ledger::{
    Act, Beside, Conversation, Kept, KeptAt, LEDGER, Ledger, LedgerGarbage, LedgerStatus, LedgerStep, LeftOut, Neither,
    REPRODUCE, Regularity,
};
pub use library::Library;
pub use median::median;
pub use metric::{Metric, MetricKind, Unit};
pub use other_side::OtherSide;
pub use pass::Pass;
pub use random::Random;
pub use runtime::Runtime;
pub use sample::{Sample, SocketCounts};
pub use sought::{Sought, SoughtStep};
pub use stop_reason::{EarlyEnd, ScenarioStop};
pub use threshold::{Breaks, ThresholdRow, ThresholdUnit, Unmeasured};
pub use tree_floor::TreeFloor;
pub use verdict::{Growth, GrowthPer, Reason, State, Verdict};
pub use visible::{visible, visible_lines};
