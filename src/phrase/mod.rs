//! Values to English: amounts, states, growth, what a scenario asked for and why it ended. The one room that knows how a
//! value is said; nothing reads English back.

mod advice;
mod amount;
mod bisection;
mod drivers;
mod ending;
mod growth;
mod instructions;
mod judgement;
mod leak;
mod ledger;
mod lines;
mod load;
mod redact;
mod state;
mod threshold;
mod times;

pub use advice::{longer_queue, lost_connections};
pub use amount::{bytes, duration, few_messages, grouped, millis, plural, profiled_work, rate, significant, versions};
pub use bisection::{grows_otherwise, runs_to_come, sought, step_keeps, waves_show};
pub use drivers::drivers;
pub use ending::{
    ACCEPTED_NOTHING, NO_VERDICT_ASKED, ONLY_COUNTED, ended_early, happened_in, interrupted, last_output,
    not_carried_to_its_end,
};
pub use growth::{
    growth, growth_amount, growth_interval, growth_of, growth_per, limit_amount, limit_of, per_1000, per_one, work,
};
pub use instructions::{
    change_share, count_difference, counted, counted_in_short, counted_per, exactness, instructions_per, not_counted,
    other_load, spread, uncounted,
};
pub use judgement::{evidence, would_decide};
pub use leak::{
    Lacks, OUTSIDE_HEAP_EVIDENCE, also, capital, clean, finding_evidence, foremost, foremost_clean, garbage_before,
    leak, leak_amount, never_judged, short, undecided, where_to_look,
};
pub use ledger::ledger;
pub use lines::{filled_and_emptied, holder_lines, place};
pub use load::{DAMAGED_JOURNAL_ADVICE, REST, asked, damaged_journal, scenario_stop};
pub use redact::{Redactor, is_secret_name, printable};
pub use state::{change, metric, metric_noun, state, verdict};
pub use threshold::{broken_thresholds, threshold_figure};
pub use times::{slower, time_ratio};
