//! profile-run launches a server under test, loads it, watches it, profiles it, and writes one
//! report: does it leak, what leaks, where does the time go.
//!
//! Data flows one way: `cli` lowers what was typed to a plan; the `conductor` carries it out
//! with `server`, `load`, `sampler`, `heap` and `capture`, and writes down what happened in the
//! `journal`; `analysis` reads the journal, asks `verdict` and `profile`; `report` shows it.

#![warn(clippy::undocumented_unsafe_blocks, clippy::todo, clippy::unimplemented, clippy::dbg_macro)]
// What is printed and how the program ends is the console's and the commands' alone.
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

pub mod analysis;
pub mod capture;
#[allow(clippy::print_stdout, clippy::print_stderr, clippy::exit)]
pub mod cli;
pub mod conductor;
#[allow(clippy::print_stdout, clippy::print_stderr)]
pub mod console;
pub mod diagnose;
pub mod heap;
pub mod journal;
pub mod load;
pub mod matrix;
pub mod model;
pub mod phrase;
pub mod proc;
pub mod profile;
pub mod report;
pub mod sampler;
pub mod server;
pub mod verdict;
