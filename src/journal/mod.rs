//! The run folder's one format, its writer and its reader.
//!
//! `journal.jsonl` is the only truth of a run: a header line with the schema, then one line an event,
//! appended and flushed. A torn last line is legal; a journal is sealed when it has an `end`.
//! `samples.jsonl` holds the samples: a header that names fields and units, then one array a line.
//! Journals of schema 1 are read as if they had been written today.

mod event;
mod folder;
mod launched;
mod reader;
mod run;
mod samples;
mod schema_1;
mod worked;
mod writer;

pub use event::{Event, Line, SCHEMA};
pub use folder::{Folder, FolderError, Readers};
pub use launched::{Failure, Launch, Preflight, PreflightStep, Ready, Sampled, TargetExit};
pub use reader::{Damage, Journal, JournalError};
pub use run::{End, Header, Interrupted, NotMeasured, Planned, ProfileWriter, Profiled, Warning, Worker, Workers};
pub use samples::{SampleWriter, read_samples};
pub use worked::{
    Asked, CensusTaken, CodeRead, Counted, Counter, Floor, HolderCount, LedgerTaken, Look, Marked, ProcessFloor, Rest,
    ScenarioBegin, ScenarioEnd, Scene, WaveBegin, WaveEnd,
};
pub use writer::{Live, Observer, Writer};
