//! Events of the work: scenarios, waves, and what was measured between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::load_stats::LoadStats;
use crate::model::plan::scenario::{Scenario, Unit};
use crate::model::{
    CountConditions, CountStatus, CountedPer, Growth, Ledger, Metric, Pass, Reason, ScenarioStop, State, TreeFloor,
    Uncounted,
};

/// Where in the run something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Pass.
    pub pass: Pass,
    /// Scenario.
    pub scenario: String,
    /// Wave, from 1; 0 is the warm-up and what stands before it.
    pub wave: u32,
}

/// What single conversations, played before the first wave, left in PHP's heap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerTaken {
    /// Pass.
    pub pass: Pass,
    /// What it came to.
    #[serde(flatten)]
    pub ledger: Box<Ledger>,
    /// All that was sent for it.
    pub tally: Box<LoadStats>,
}

/// What a scenario asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// How many messages, or sessions where `unit` says so.
    pub total: u64,
    /// Sessions in flight at once, at most.
    pub parallel: u64,
    /// What `total` counts.
    pub unit: Unit,
}

impl From<&Scenario> for Asked {
    fn from(scenario: &Scenario) -> Self {
        Asked { total: scenario.total, parallel: scenario.sessions, unit: scenario.unit() }
    }
}

/// A scenario begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioBegin {
    /// Pass.
    pub pass: Pass,
    /// Scenario.
    pub scenario: String,
    /// What it asks for.
    pub asked: Asked,
    /// Seconds that it may take.
    pub share: f64,
}

/// A wave begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveBegin {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Messages, or sessions where the scenario has none.
    pub count: u64,
    /// Sessions in flight at once, at most.
    pub parallel: u32,
}

/// A wave ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaveEnd {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Its counts and histograms.
    pub tally: Box<LoadStats>,
    /// CPU seconds of the server's tree meanwhile.
    pub server_cpu: f64,
    /// The server listens on another port since: what was refused at the old one is no refusal of the load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
}

/// What the floor of one process is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessFloor {
    /// Process.
    pub pid: i32,
    /// It holds the listening socket, so that it is the server.
    pub server: bool,
    /// Figures by metric: `heap`, `rss`, `rss_anon`, `fd`, `fd_socket`, `sockets`, `sockets_CLOSE_WAIT`, ...
    pub figures: BTreeMap<String, f64>,
}

/// How many a container holds at a floor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HolderCount {
    /// As PHP writes it, or a group of descriptors by name.
    pub path: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many.
    pub count: u64,
    /// Bytes, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A floor: the figures when the server had come to rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Messages accepted in the scenario so far.
    pub messages: u64,
    /// Sessions ended in the scenario so far.
    pub sessions: u64,
    /// Seconds that settling took.
    pub settle: f64,
    /// It did not come to rest before the deadline.
    pub deadline: bool,
    /// A rest was kept before it.
    pub rested: bool,
    /// The whole tree in sum; journals before schema 2 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeFloor>,
    /// One entry a process.
    pub processes: Vec<ProcessFloor>,
    /// Named groups of descriptors, and growing containers.
    pub holders: Vec<HolderCount>,
}

/// A census of PHP's heap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CensusTaken {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Process.
    pub pid: i32,
    /// Work done: messages, or sessions where the scenario has none.
    pub work: u64,
    /// The census as it was taken.
    pub census: Value,
}

/// What the compiled code of a process does to its containers: read once a scenario, at the floor after its first wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeRead {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Process.
    pub pid: i32,
    /// The lines, by container.
    pub code: Value,
}

/// What the verdict said after a wave, of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Metric.
    pub metric: Metric,
    /// What its floors show.
    pub state: State,
    /// Why nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The growth, where there is one.
    pub growth: Option<Growth>,
}

/// A pause without load: growth was seen, and what timers free must be gone before it is called a leak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// How long, in seconds.
    pub seconds: f64,
    /// The whole tree before it, in sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeFloor>,
    /// The figures before it; the floor that follows has those after it.
    pub before: Vec<ProcessFloor>,
}

/// A scenario ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioEnd {
    /// Pass.
    pub pass: Pass,
    /// Scenario.
    pub scenario: String,
    /// Why no further wave was run.
    pub why: ScenarioStop,
}

/// How far the profiles had come when a wave of the profile pass began and when it ended: what was written between is
/// the wave's, but for the writer's buffer (4 kB).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// Bytes of each file at the begin.
    pub begin: BTreeMap<String, u64>,
    /// At the end.
    pub end: BTreeMap<String, u64>,
}

/// What the count pass counts under, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Whether it counts.
    pub status: CountStatus,
    /// What the figures hold for; none where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<CountConditions>,
}

/// A try of the count pass: a load, and one three times as large, each on a server of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Scenario.
    pub scenario: String,
    /// From 1.
    pub number: u32,
    /// What the loads count.
    pub per: CountedPer,
    /// Bytes of the longest message.
    pub bytes: u64,
    /// Messages, or sessions, of the two loads.
    pub loads: [u64; 2],
    /// Instructions of all processes; none where they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<[u64; 2]>,
    /// Why they could not; the scenario has no further try then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Uncounted>,
    /// Processes that were counted.
    #[serde(default)]
    pub processes: [u32; 2],
    /// Files inside the run's `count/` that were kept of each load.
    #[serde(default)]
    pub files: [Vec<String>; 2],
}
