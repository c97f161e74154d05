//! What the report draws beside the result: series of samples, trees, censuses.

use super::call_paths::CallPaths;
use super::difference::{Difference, NotDrawn};
use super::flame::{Busy, Flame};
use super::messages::{Messages, NoMessages};
use super::result::RunResult;
use crate::model::{Editor, Library};

/// One line of a timeline chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// `rss`, `heap`, `fd`, `ESTABLISHED`, `CLOSE_WAIT`, `messages/s`.
    pub name: String,
    /// `bytes`, `count`, `per second`.
    pub unit: String,
    /// Seconds of the run's clock, ascending, and the value there.
    pub points: Vec<(f64, f64)>,
}

/// Everything that happened over time, thinned to what a chart can show (peaks kept).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// The tracks.
    pub tracks: Vec<Track>,
}

/// When a census of PHP's heap was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Scenario.
    pub scenario: String,
    /// Wave; 0 stands before the load.
    pub wave: u32,
    /// Work done in the scenario until then.
    pub work: u64,
    /// What is counted as work: `message`, `session`.
    pub noun: &'static str,
    /// The process.
    pub pid: i32,
}

/// What a row of the censuses counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A part of the heap, in objects.
    Part,
    /// Live objects of a class.
    Class,
    /// Elements of a container, and the bytes of all that hangs on it.
    Container,
    /// Resources of a type.
    Resource,
}

/// One thing in every census.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedRow {
    /// What it is.
    pub kind: Counted,
    /// As PHP writes it.
    pub name: String,
    /// What a container's elements are.
    pub of: String,
    /// How many, census by census; none where it was not counted.
    pub counts: Vec<Option<u64>>,
    /// Bytes, likewise.
    pub bytes: Vec<Option<u64>>,
}

/// What the heap grew by in a scenario, in bytes; the parts add up to the heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeapGrowth {
    /// Scenario.
    pub scenario: String,
    /// The heap.
    pub heap: i64,
    /// In containers that grow from census to census, with all that hangs on them.
    pub named: i64,
    /// In reach otherwise.
    pub other: i64,
    /// Garbage that the collector will take.
    pub garbage: i64,
    /// Held by an extension or a temporary.
    pub held: i64,
    /// Compiled code and the engine's own tables.
    pub engine: i64,
}

/// The censuses side by side, in the order in which they were taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Censuses {
    /// When.
    pub taken: Vec<Taken>,
    /// What changed, by kind, most bytes first; parts are there also where they stood still.
    pub rows: Vec<CountedRow>,
    /// Rows that changed too, and less than those.
    pub left_out: usize,
    /// Scenario by scenario.
    pub growth: Vec<HeapGrowth>,
}

/// One row of the what-was-asked table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// Scenario.
    pub scenario: String,
    /// What the scenario asks for, in words: `10,000`, `5,000 at once`.
    pub asked: String,
    /// What was run, in words: `12 x 1,000`, `6 x 833, 480 at once`.
    pub run: String,
}

/// A run, ready to be shown.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The result, which the report carries whole.
    pub result: RunResult,
    /// Series of the measure pass.
    pub timeline: Timeline,
    /// Flamegraphs of the profile pass.
    pub flames: Vec<Flame>,
    /// Busy time by function, in the order of the profile's functions.
    pub busy: Option<Busy>,
    /// Single messages of the profile, or why there are none; none where that is no question.
    pub messages: Option<Result<Messages, NoMessages>>,
    /// The profile's calls by their paths.
    pub paths: Option<CallPaths>,
    /// What differs between the profile of the run that this one was judged against and its own, or why nothing is drawn;
    /// none where there is no such run.
    pub difference: Option<Result<Difference, NotDrawn>>,
    /// Functions that wait rather than work, as the profile names them.
    pub waiting: Vec<String>,
    /// Censuses of the measure pass.
    pub censuses: Censuses,
    /// Asked and run, side by side.
    pub asked: Vec<Asked>,
    /// What went otherwise than asked, in sentences.
    pub load_notes: Vec<String>,
    /// The root of the project under test.
    pub root: Option<String>,
    /// Which scripts belong to libraries.
    pub library: Library,
    /// How its lines open in an editor.
    pub editor: Option<Editor>,
    /// The command that makes the run again.
    pub reproduce: String,
    /// The server's last output lines, by pass.
    pub last_words: Vec<(String, Vec<String>)>,
    /// Paths that the chosen scenarios never exercised.
    pub not_exercised: Vec<String>,
}
