//! The commands as they are typed.

mod compare;
mod console;
mod gate;
mod kinds;
mod main_job;
mod old_runs;
mod recorded;
