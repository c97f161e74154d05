//! profile-run launches a server under test, loads it, watches it, profiles it, and writes one
//! report: does it leak, what leaks, where does the time go.
//!
//! Data flows one way: `cli` lowers what was typed to a `plan`; the `conductor` carries it out
//! with `target`, `load`, `sample`, `heap` and `capture`, and writes down what happened in the
//! `journal`; `analysis` reads the journal, asks `verdict` and `cachegrind`; `report` shows it.

pub mod analysis;
pub mod cachegrind;
pub mod capture;
pub mod cells;
pub mod cli;
pub mod conductor;
pub mod console;
pub mod heap;
pub mod journal;
pub mod load;
pub mod plan;
pub mod proc;
pub mod report;
pub mod sample;
pub mod tally;
pub mod target;
pub mod units;
pub mod verdict;
