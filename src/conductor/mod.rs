//! The order of a run: launch, ready, preflight, waves, settle, stop. What happens goes into the journal.

mod attend;
mod clean;
mod course;
mod failures;
mod floors;
mod halt;
mod interrupt;
mod launching;
mod notebook;
mod preflight;
mod profiles;
mod run;
mod session;
mod settle;
mod sizing;
mod surroundings;
mod trace;

pub use halt::Halt;
pub use interrupt::Interrupt;
pub use run::{Order, run, understand};
pub use surroundings::warnings;
