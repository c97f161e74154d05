//! What the report draws beside the result: series of samples and trees as folded stacks.

use super::result::RunResult;

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

/// Which cost a tree shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// Nanoseconds.
    Time,
    /// Bytes that PHP's heap grew by while the function ran.
    Allocation,
    /// An event of this name, counted: instructions, misses.
    Events(String),
}

/// Which part of the recording a tree shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    /// All of it.
    All,
    /// The first tenth of the records.
    First,
    /// The last tenth.
    Last,
    /// What was recorded under the load of a scenario.
    Load(String),
}

/// One flamegraph's data.
#[derive(Debug, Clone, PartialEq)]
pub struct Flame {
    /// Which cost.
    pub cost: Cost,
    /// Waiting was taken out.
    pub busy: bool,
    /// Which part.
    pub slice: Slice,
    /// Stacks are an estimate from edges.
    pub estimated: bool,
    /// `frame;frame;frame VALUE` lines.
    pub folded: Vec<String>,
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
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// The result, which the report carries whole.
    pub result: RunResult,
    /// Series of the clean pass.
    pub timeline: Timeline,
    /// Flamegraphs of the profile pass.
    pub flames: Vec<Flame>,
    /// Functions that wait rather than work, as the profile names them.
    pub waiting: Vec<String>,
    /// Asked and run, side by side.
    pub asked: Vec<Asked>,
    /// What went otherwise than asked, in sentences.
    pub load_notes: Vec<String>,
    /// The command that makes the run again.
    pub reproduce: String,
    /// The server's last output lines, by pass.
    pub last_words: Vec<(String, Vec<String>)>,
    /// Paths that the chosen scenarios never exercised.
    pub not_exercised: Vec<String>,
}
