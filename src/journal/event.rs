//! One line of the journal, and everything that a line can be.

use serde::{Deserialize, Serialize};

use super::launched::{Failure, Launch, Preflight, Ready, Sampled, TargetExit};
use super::run::{End, Header, Interrupted, NotMeasured, Planned, Profiled, Warning, Workers};
use super::worked::{
    CensusTaken, CodeRead, Counted, Counter, Floor, LedgerTaken, Look, Marked, Rest, ScenarioBegin, ScenarioEnd,
    WaveBegin, WaveEnd,
};

use crate::model::Against;

/// The version of this format. Readers refuse newer ones and read older ones.
pub const SCHEMA: u32 = 2;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// When, in seconds of the run's clock.
    pub t: f64,
}

/// Everything that a run writes down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line.
    Header(Header),
    /// What was asked.
    Plan(Planned),
    /// Workers of Locust that are waited for, or are there.
    Workers(Workers),
    /// Times of this build and another one that were launched in turn before.
    Against(Box<Against>),
    /// The target was started.
    Launch(Launch),
    /// It greeted.
    Ready(Ready),
    /// One whole conversation.
    Preflight(Preflight),
    /// What single conversations leave in the heap.
    Ledger(LedgerTaken),
    /// A scenario begins.
    Scenario(ScenarioBegin),
    /// A wave begins.
    WaveBegin(WaveBegin),
    /// A wave ended.
    WaveEnd(WaveEnd),
    /// The figures when the server had come to rest.
    Floor(Floor),
    /// A census of PHP's heap.
    Census(CensusTaken),
    /// What compiled code does to the containers of a census.
    Code(CodeRead),
    /// What the verdict said after a wave.
    Look(Look),
    /// A pause without load.
    Rest(Rest),
    /// A scenario ended.
    ScenarioEnd(ScenarioEnd),
    /// Something that falsifies the run.
    Warning(Warning),
    /// The target stalled, crashed or ended.
    Failure(Failure),
    /// Something that could not be measured.
    NotMeasured(NotMeasured),
    /// The target ended.
    TargetExit(TargetExit),
    /// What the sampling of a launch was.
    Sampled(Sampled),
    /// How far the profiles had come at the begin and at the end of a wave.
    Marked(Marked),
    /// The profiles that it left.
    Profiled(Profiled),
    /// What instructions are counted under, or why they are not.
    Counter(Counter),
    /// A try of the count pass.
    Counted(Counted),
    /// The run was interrupted.
    Interrupted(Interrupted),
    /// The last line: the run was carried to its end.
    End(End),
}
