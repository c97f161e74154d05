//! The census of a running PHP, read from outside.
//!
//! Nothing is loaded into PHP and nothing is written to it. [`Inspector::attach`] finds PHP in a
//! process and identifies its version; [`Inspector::snapshot`] copies what is needed, from a
//! process at rest or from one that is held for the milliseconds of the copy;
//! [`Snapshot::census`] counts at leisure, on another thread if need be.
//!
//! Nothing is told that did not pass the checks: a copy in which one pointer, one count or one
//! type does not fit is thrown away whole, and [`Error`] says why. Contents of strings are never
//! read; names of classes, properties, variables, functions and files are.

pub mod census;
mod code;
mod inspector;
pub mod layout;
mod memory;
mod read;
mod walk;
mod zmm;

pub use census::code::{Code, ContainerCode, Location, Role};
pub use census::error::Error;
pub use census::growth::{Growing, Growth, grows, growth};
pub use census::values::{
    Census, ClassCount, Cost, Figures, Frame, GcCounters, Holder, MOST_HOLDERS, ResourceCount, Sum,
};
pub use inspector::{Inspector, Snapshot};
pub use read::snapshot::CopyMode;
