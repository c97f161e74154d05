//! The census of a running PHP, read from outside.
//!
//! Nothing is loaded into PHP and nothing is written to it. [`Inspector::attach`] finds PHP in a
//! process and identifies its version; [`Inspector::snapshot`] copies what is needed, from a
//! process at rest or from one that is held for the milliseconds of the copy;
//! [`Snapshot::census`] counts at leisure, on another thread if need be.
//!
//! Nothing is told that did not pass the checks: a copy in which one pointer, one count or one
//! type does not fit is thrown away whole, and [`Status`] says why. Contents of strings are never
//! read; names of classes, properties, variables, functions and files are.

mod activity;
mod census;
mod checks;
mod classes;
mod collector;
mod engine;
mod frames;
mod garbage;
mod growth;
mod image;
mod inspector;
pub mod layout;
mod memory;
mod objects;
mod paths;
mod resources;
mod roots;
mod snapshot;
mod stack;
mod status;
mod stop;
mod storage;
mod walk;
mod zmm;

pub use census::{Census, ClassCount, Cost, Holder, MOST_HOLDERS};
pub use collector::GcCounters;
pub use garbage::Sum;
pub use growth::{Growing, Growth, grows, growth};
pub use inspector::{Inspector, Snapshot};
pub use resources::ResourceCount;
pub use snapshot::CopyMode;
pub use stack::Frame;
pub use status::Status;
pub use zmm::Figures;
