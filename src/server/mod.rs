//! The server under test: the watchdog that starts it, its process tree, readiness, Xdebug's settings, the stop ladder.

pub mod attach;
pub mod command;
pub mod container;
mod error;
pub mod group;
mod launch;
pub mod listeners;
pub mod log;
pub mod php;
mod prepend;
pub mod private;
pub mod ready;
pub mod settings;
pub mod stop;
pub mod tree;
pub mod valgrind;
pub mod watchdog;

pub use error::TargetError;
pub use launch::{Launch, Target, container_mark, describe, mark};
pub use watchdog::{Start, Watchdog};
