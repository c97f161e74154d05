//! The commands as they are typed.

mod action;
mod compare;
mod console;
mod exports;
mod gate;
mod kinds;
mod main_job;
mod old_runs;
mod recorded;
