//! The commands as they are typed.

mod main_job;
mod old_runs;
