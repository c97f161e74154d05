//! The callgrind format in all its dialects: valgrind's own and that of the many programs that write it,
//! and the subset that cachegrind writes. Bytes in, a graph of functions and calls out.
//!
//! A file holds what each function cost by itself and, for each pair of caller and callee, the calls
//! and what they cost in all. It holds no stacks: the tree of such a profile is an estimate.

mod declared;
mod ending;
mod estimate;
mod fields;
mod file;
mod graph;
mod inclusive;
mod lines;
mod names;
mod place;
mod reader;
mod rebind;
mod shown;
mod sniff;
mod sums;

pub use estimate::UNPLACED_NAME;
pub(super) use file::read;
pub use graph::{Call, Detail, Graph, Part};
pub(super) use sniff::{Head, peek};
