//! The run folder's one format, its writer and its reader.
//!
//! `journal.jsonl` is the only truth of a run: a header line with the schema, then one line an event,
//! appended and flushed. A torn last line is legal; a journal is sealed when it has an `end`.
//! `samples.jsonl` holds the samples: a header that names fields and units, then one array a line.

mod event;
mod folder;
mod reader;
mod samples;
mod writer;

pub use crate::model::plan::Pass;
pub use event::{Event, HolderCount, Line, PreflightStep, ProcessFloor, Profiled, SCHEMA, Scene};
pub use folder::{Folder, FolderError};
pub use reader::{Journal, JournalError};
pub use samples::{FIELDS, Row, SampleWriter, read_samples};
pub use writer::{Live, Observer, Silent, Writer};
