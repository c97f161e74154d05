//! The rooms seen from outside: each folder is named like the room of `src/` that it tests.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod heap;
mod load;
mod profile;
mod report;
mod smtp_server;
mod verdict;
