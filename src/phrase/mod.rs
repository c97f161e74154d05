//! Values to English: amounts, states, growth, what a scenario asked for and why it ended. The one room that knows how a
//! value is said; nothing reads English back.

mod advice;
mod amount;
mod growth;
mod judgement;
mod lines;
mod load;
mod state;

pub use advice::lost_connections;
pub use amount::{bytes, duration, grouped, millis, plural, rate, significant};
pub use growth::{growth, growth_amount, growth_interval, growth_of, growth_per, per_1000, per_one, work};
pub use judgement::{evidence, would_decide};
pub use lines::{filled_and_emptied, place};
pub use load::{DAMAGED_JOURNAL_ADVICE, REST, asked, damaged_journal, scenario_stop};
pub use state::{metric, metric_noun, state, verdict};
