//! Profile files: lexer, names, the compact record form, the call tree. Bytes in, trees out.
//!
//! Xdebug writes one record for each call, when the call ends, so the exact call tree is in the
//! file, in post-order. The [`Recorder`] takes the bytes as they come and keeps four to five bytes a
//! record; read from its end that is pre-order, and the tree is built with each parent known.

mod build;
mod callgrind;
mod claims;
mod compact;
mod contents;
mod defect;
mod digits;
mod error;
pub mod export;
mod fibers;
mod header;
mod lexer;
mod mapped;
mod names;
mod number;
mod read;
mod record;
mod select;
mod slices;
mod source;
mod spill;
mod strict;
mod tree;
mod xdebug;

pub use callgrind::{Call, Detail, Graph, Part, UNPLACED_NAME};
pub use contents::{Dialect, Edge, FileSummary, FunctionCost, Profile, STILL_RUNNING_NAME, Units};
pub use defect::{Defect, DefectKind};
pub use error::Error;
pub use header::Header;
pub use names::{Function, Functions};
pub use read::{Marks, Options, read_bytes, read_paths, read_sliced};
pub use record::{Recorded, Recorder};
pub use select::{HIDDEN_NAME, Pattern};
pub use slices::{Cell, Slices, Span, split};
pub use tree::{CallTree, Cost, Metric, Node, ROOT, Totals};
