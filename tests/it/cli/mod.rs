//! The commands as they are typed.

mod kinds;
mod main_job;
mod old_runs;
