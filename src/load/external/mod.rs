//! Load made by other programs: postfix's smtp-source, or any command at all, run as often as was asked for, or Locust,
//! which stays for a whole run and may be on other machines.
//!
//! They tell less than the built-in engine does. What they do not tell is left out, never guessed: no latency of
//! a step, no reply's code unless the program says it. Pure parts: [`smtp_source`] (its arguments, its output)
//! and [`template`] (a command with its places filled in). A run is a process group of its own, with a file in
//! memory for what it says, so that nothing has to be drained while it runs.

pub mod locust;
mod process;
mod runs;
pub mod smtp_source;
mod source_run;
pub mod template;
mod tool;

pub use tool::{Tool, run_external};
