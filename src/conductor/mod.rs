//! The order of a run: launch, ready, preflight, waves, settle, stop. What happens goes into the journal.

mod context;
mod diagnosis;
mod disk;
mod environment;
mod floors;
mod hooks;
mod interrupt;
mod launch;
mod ledger;
mod ledger_bench;
mod measure_pass;
mod preflight;
mod profile_files;
mod profile_pass;
mod ready;
mod recorder;
mod restarted;
mod run;
mod running_php;
mod runtime;
mod sample_log;
mod scenario;
mod scenario_run;
mod session;
mod settle;
mod source;
mod stop;
mod stop_reason;
mod supervise;
mod time_share;
mod wave;
mod wave_size;

pub use environment::warnings;
pub use interrupt::Interrupt;
pub use run::{Order, run, understand};
pub use stop_reason::Halt;
