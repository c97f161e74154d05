//! Xdebug's files, of any version and in any state: the exact call tree out of the order of their records.
//!
//! Xdebug writes one record for each call, when the call ends, so the exact call tree is in the
//! file, in post-order. The [`Recorder`] takes the bytes as they come and keeps four to five bytes a
//! record; read from its end that is pre-order, and the tree is built with each parent known.

mod blocks;
mod build;
mod callers;
mod claims;
mod compact;
mod digits;
mod fibers;
mod file;
mod forks;
mod inherited;
mod kept;
mod lexer;
mod mapped;
mod order;
mod processes;
mod record;
mod rest;
mod single;
mod spill;
mod stream;
mod strict;
mod window;

pub use digits::Vectors;
pub(super) use file::read;
pub use kept::Keeper;
pub use record::{Recorded, Recorder};
pub use rest::moved_to_rest;
