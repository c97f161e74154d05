//! Profile files: their readers, the call tree, exports. Bytes in, trees out. Knows nothing of runs or servers.
//!
//! `xdebug/` reads files that hold each call, `callgrind/` those that hold sums and edges; both end in one
//! [`Profile`], and `export/` writes that in the formats of other tools.

mod callers;
mod callgrind;
mod calls;
mod contents;
mod defect;
mod error;
pub mod export;
mod files;
mod groups;
mod gzip;
mod header;
mod map;
mod names;
mod number;
mod read;
mod select;
mod sizes;
mod slices;
mod source;
mod tree;
mod xdebug;

pub use callers::{Caller, Sought};
pub use callgrind::{Call, Detail, Graph, Part, UNPLACED_NAME};
pub use calls::{Calls, OneCall, Step, Target};
pub use contents::{
    Dialect, EXACT, Edge, FileSummary, FunctionCost, LEFT_OUT_NAME, Profile, STILL_RUNNING_NAME, Units,
};
pub use defect::{Defect, DefectKind};
pub use error::Error;
pub use groups::{Group, Place as GroupPlace, Places as GroupPlaces};
pub use header::Header;
pub use names::{Function, Functions};
pub use read::{MAX_TREE, Marks, Options, Wanted, read_bytes, read_paths, read_sliced};
pub use select::{HIDDEN_NAME, Pattern};
pub use slices::{Cell, Slices, Span, split};
pub use source::{Fork, STANDARD_INPUT, forked_from, has_header, identity, standard_input};
pub(crate) use tree::totals_of;
pub use tree::{CallTree, Cost, Metric, Node, ROOT, Totals};
pub use xdebug::{Keeper, Recorded, Recorder, Vectors, moved_to_rest};
