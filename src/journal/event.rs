//! The events of a run, one line each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::load_stats::LoadStats;
use crate::model::plan::{Pass, Plan};

/// The version of this format. Readers refuse newer ones and read older ones.
pub const SCHEMA: u32 = 1;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// When, in seconds of the run's clock.
    pub t: f64,
}

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

/// A step of the preflight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightStep {
    /// `banner`, `EHLO`, `MAIL`, ...
    pub step: String,
    /// The server's reply, whole.
    pub reply: String,
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

/// The profile files of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiled {
    /// Files inside the run's `profile/`.
    pub files: Vec<String>,
    /// Bytes in all.
    pub bytes: u64,
}

/// Everything that a run writes down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line.
    Header {
        /// [`SCHEMA`].
        schema: u32,
        /// The program's version.
        version: String,
        /// RFC 3339.
        started: String,
        /// Machine.
        host: BTreeMap<String, Value>,
        /// Commit and state of the project under test.
        commit: Option<String>,
        /// It had uncommitted changes.
        dirty: Option<bool>,
    },
    /// What was asked.
    Plan {
        /// The plan.
        plan: Box<Plan>,
        /// How it is to be judged, as the analysis wrote it.
        settings: Value,
    },
    /// The target was started.
    Launch {
        /// Pass.
        pass: Pass,
        /// Root of its tree.
        pid: i32,
        /// Exact argument vector.
        command: Vec<String>,
        /// Variables set or changed.
        environment: BTreeMap<String, String>,
        /// `php`, `xdebug` as php says.
        versions: BTreeMap<String, String>,
        /// What the reader should know of how it was started.
        notes: Vec<String>,
    },
    /// It greeted.
    Ready {
        /// Pass.
        pass: Pass,
        /// `HOST:PORT`.
        address: String,
        /// The process that listens.
        pid: i32,
        /// Seconds since the launch.
        seconds: f64,
        /// Its greeting; empty for servers that do not speak SMTP.
        banner: String,
        /// Other ports of the tree that listen too.
        others: Vec<String>,
        /// Its limit of descriptors.
        descriptor_limit: Option<u64>,
    },
    /// One whole conversation.
    Preflight {
        /// Pass.
        pass: Pass,
        /// Every step that was answered.
        steps: Vec<PreflightStep>,
        /// The step that was refused, and how to mend it.
        refused: Option<String>,
        /// Sessions that it took, the probes of the banner included.
        sessions: u64,
        /// Messages that were accepted.
        messages: u64,
    },
    /// A scenario begins.
    Scenario {
        /// Pass.
        pass: Pass,
        /// Scenario.
        scenario: String,
        /// What it asks for, in words.
        asked: String,
        /// Seconds that it may take.
        share: f64,
    },
    /// A wave begins.
    WaveBegin {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// Messages, or sessions where the scenario has none.
        count: u64,
        /// Sessions in flight at once, at most.
        parallel: u32,
    },
    /// A wave ended.
    WaveEnd {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// Its counts and histograms.
        tally: Box<LoadStats>,
        /// CPU seconds of the server's tree meanwhile.
        server_cpu: f64,
    },
    /// A floor: the figures when the server had come to rest.
    Floor {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// Messages accepted in the scenario so far.
        messages: u64,
        /// Sessions ended in the scenario so far.
        sessions: u64,
        /// Seconds that settling took.
        settle: f64,
        /// It did not come to rest before the deadline.
        deadline: bool,
        /// A rest was kept before it.
        rested: bool,
        /// One entry a process.
        processes: Vec<ProcessFloor>,
        /// Named groups of descriptors, and growing containers.
        holders: Vec<HolderCount>,
    },
    /// A census of PHP's heap.
    Census {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// Process.
        pid: i32,
        /// Work done: messages, or sessions where the scenario has none.
        work: u64,
        /// The census as it was taken.
        census: Value,
    },
    /// What the verdict said after a wave.
    Look {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// Metric.
        metric: String,
        /// State in words, for the console.
        state: String,
        /// The growth in words, where there is one: `+412 B a message`.
        growth: Option<String>,
    },
    /// A rest without load.
    Rest {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// How long, in seconds.
        seconds: f64,
        /// Why.
        why: String,
        /// The figures before it; the floor that follows has those after it.
        before: Vec<ProcessFloor>,
    },
    /// A scenario ended.
    ScenarioEnd {
        /// Pass.
        pass: Pass,
        /// Scenario.
        scenario: String,
        /// Why no further wave was run.
        why: String,
    },
    /// Something that falsifies the run.
    Warning {
        /// A stable word.
        kind: String,
        /// What was found.
        text: String,
        /// What to do.
        advice: String,
    },
    /// The target stalled, crashed or ended.
    Failure {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// A stable word.
        kind: String,
        /// One sentence.
        sentence: String,
        /// What to do, where there is something to do.
        advice: String,
        /// What else was seen.
        details: Vec<String>,
    },
    /// Something that could not be measured.
    NotMeasured {
        /// What, and why.
        text: String,
    },
    /// The target ended.
    TargetExit {
        /// Pass.
        pass: Pass,
        /// Root of its tree.
        pid: i32,
        /// In words: `exit code 0 after SIGTERM`.
        how: String,
        /// It was stopped by the run.
        asked: bool,
        /// The last lines of its output.
        last_words: Vec<String>,
    },
    /// What the sampling of a launch was.
    Sampled {
        /// Pass.
        pass: Pass,
        /// Seconds that it went on.
        seconds: f64,
        /// Readings of the figures.
        rounds: u64,
        /// Counts of sockets by state.
        socket_rounds: u64,
        /// CPU of the sampler, seconds.
        cpu_seconds: f64,
        /// The longest time between two readings, seconds.
        longest_gap: f64,
    },
    /// How far the profiles had come when a wave of the profile pass began and when it ended: what was written
    /// between is the wave's, but for the writer's buffer (4 kB).
    Marked {
        /// Where.
        #[serde(flatten)]
        scene: Scene,
        /// Bytes of each file at the begin.
        begin: BTreeMap<String, u64>,
        /// At the end.
        end: BTreeMap<String, u64>,
    },
    /// The profiles that it left.
    Profiled {
        /// What was found.
        #[serde(flatten)]
        profiled: Profiled,
        /// Messages accepted meanwhile.
        messages: u64,
    },
    /// The run was interrupted.
    Interrupted {
        /// By which signal.
        signal: String,
    },
    /// The last line: the run was carried to its end.
    End {
        /// Why the run ended early, if it did: `preflight`, `never_ready`, `exited`, `forward`, ...
        early: Option<String>,
        /// In a sentence.
        sentence: Option<String>,
    },
}
