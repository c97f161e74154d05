//! `result.json`: the one object that a run comes down to. `docs/result.md` describes it for readers
//! outside; a test holds both together. New keys may be added within a schema; none changes its meaning.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::verdict::Bounds;

pub use super::drift::{DriftRow, Grows};
pub use super::processes::{ProcessId, ProcessRole, ProcessRow};
pub use super::profile_figures::{FunctionRow, ProfileFigures};
pub use super::slices::PartRow;
pub use crate::journal::Warning;
pub use crate::model::load_stats::{LoadRow, PREFLIGHT, Quantiles, RowPass};
pub use crate::model::{
    Drivers, Excerpt, ExitCode, FailureKind, Finding, Growth, GrowthPer as Per, GrowthSource, Holder, HolderKind,
    Instructions, LEDGER, Ledger, Location, Metric, Pass, Reason, Role, State, ThresholdRow, Unit, Verdict,
};

/// The version of this shape.
pub const SCHEMA: u32 = 2;

/// One floor: the figure after a wave, when the server had come to rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FloorRow {
    /// Scenario.
    pub scenario: String,
    /// Wave; 0 stands before the load.
    pub wave: u32,
    /// Messages accepted in this scenario up to here.
    pub messages: u64,
    /// Sessions ended in this scenario up to here.
    pub sessions: u64,
    /// Metric; more of them than are judged (`rss_file`, `vsz`, `fd_socket`, ...).
    pub metric: String,
    /// Bytes or a count.
    pub value: f64,
}

/// One wave of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaveRow {
    /// `measure` or `profile`.
    pub pass: Pass,
    /// Scenario.
    pub scenario: String,
    /// Number within scenario and pass, from 1; 0 is the warm-up.
    pub wave: u32,
    /// Second of the run's clock at which it began.
    pub begin: f64,
    /// Second at which its last session ended.
    pub end: f64,
    /// Seconds until the server had come to rest after it.
    pub settle: f64,
    /// The rest was not reached; the floor was taken at the deadline.
    pub settle_deadline: bool,
    /// Messages accepted.
    pub messages: u64,
    /// Sessions ended as the scenario means them to.
    pub sessions: u64,
    /// Sessions in flight at once, at most.
    pub parallel: u32,
}

/// The profile pass in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileSummary {
    /// The files read.
    pub files: Vec<String>,
    /// The names of the largest by self time, without waiting.
    pub top: Vec<String>,
    /// How many times the CPU time per message of the measure pass the server needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead: Option<f64>,
    /// Sum of all self times, nanoseconds.
    #[serde(default)]
    pub total_ns: u64,
    /// The part of it spent waiting.
    #[serde(default)]
    pub waiting_ns: u64,
    /// The waves of the load, times in nanoseconds.
    #[serde(default)]
    pub waves: Vec<PartRow>,
    /// The process that served is among those that were profiled; null where that is not known.
    #[serde(default)]
    pub served: Option<bool>,
    /// The processes by role, those that ran the same summed. `functions` is the sum over all of them.
    #[serde(default)]
    pub processes: Vec<ProcessRow>,
    /// Everything else, in nanoseconds.
    #[serde(flatten)]
    pub figures: ProfileFigures,
}

/// A command and how it ran in one pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetInfo {
    /// As it was typed.
    pub command: Vec<String>,
    /// Per pass: the exact command, and the environment that was set for it.
    pub settings: BTreeMap<String, PassSettings>,
    /// `php`, `xdebug`, ... as far as they are known.
    pub versions: BTreeMap<String, String>,
    /// How it ended in each pass, in words.
    pub exit: BTreeMap<String, String>,
}

/// What one pass ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassSettings {
    /// Exact argument vector.
    pub command: Vec<String>,
    /// Variables that were set or changed.
    pub environment: BTreeMap<String, String>,
    /// `HOST:PORT` that was loaded.
    pub address: Option<String>,
}

/// The project under test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Its git commit.
    pub commit: Option<String>,
    /// It had uncommitted changes.
    pub dirty: Option<bool>,
    /// Its branch, where one was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// A target that stopped, stalled or crashed, diagnosed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What it was: `select_set`, `crash`, `memory_limit`, `spinning`, ...
    pub kind: FailureKind,
    /// In which scenario; empty outside one.
    pub scenario: String,
    /// `measure` or `profile`.
    pub pass: Pass,
    /// In one sentence.
    pub sentence: String,
}

/// What a run comes down to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "profile-run: result.json")]
pub struct RunResult {
    /// The version of this shape.
    pub schema: u32,
    /// The verdict; none of a run that was not asked for one, as it measured nothing.
    pub verdict: Option<Verdict>,
    /// The verdict in one sentence.
    pub sentence: String,
    /// The evidence in one or two sentences, then where to look.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Exit code that the program gave or would give.
    #[serde(default)]
    pub exit_code: ExitCode,
    /// When it began, RFC 3339.
    #[serde(default)]
    pub started: String,
    /// Seconds from launch to the last stop.
    #[serde(default)]
    pub seconds: f64,
    /// The factor that was applied to sessions and messages.
    #[serde(default)]
    pub scale: f64,
    /// The run was interrupted, or its journal has no end.
    #[serde(default)]
    pub cut_off: bool,
    /// The thresholds of the verdict by which it was judged.
    #[serde(default)]
    pub bounds: Bounds,
    /// Metric by scenario.
    pub findings: Vec<Finding>,
    /// The evidence itself.
    pub floors: Vec<FloorRow>,
    /// The waves.
    pub waves: Vec<WaveRow>,
    /// The load, by scenario and wave.
    pub load: Vec<LoadRow>,
    /// The profile, where there is one.
    pub profile: Option<ProfileSummary>,
    /// Which step of a conversation keeps bytes; none in runs without the first pass, and of before there was a ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// What memory grows with, over all waves; none where there are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drivers: Option<Drivers>,
    /// Instructions per message; none of a run that was not asked to count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Instructions>,
    /// The target.
    pub target: TargetInfo,
    /// Peaks and counts of the samples, by metric: `rss_peak`, `fd_peak`, `samples`, ...
    pub samples_summary: BTreeMap<String, f64>,
    /// Machine: kernel, cpus, memory, load, versions.
    pub host: BTreeMap<String, Value>,
    /// The project under test.
    pub source: Source,
    /// What falsifies it.
    pub warnings: Vec<Warning>,
    /// What could not be measured, and why.
    pub not_measured: Vec<String>,
    /// What stopped, stalled or crashed.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// The configuration's thresholds, held or broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<ThresholdRow>,
    /// Against the baseline, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Value>,
}

/// The JSON Schema (draft 2020-12) of [`RunResult`], as it is written down; `docs/result.schema.json` is it.
pub fn json_schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<RunResult>()
}

impl RunResult {
    /// The finding of a metric in a scenario.
    pub fn finding(&self, metric: Metric, scenario: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.metric == metric && finding.scenario == scenario)
    }

    /// Leaves out the lines of the server's scripts, also those that the comparison with the baseline has.
    pub fn leave_out_source(&mut self) {
        for finding in &mut self.findings {
            let held = finding.holders.iter_mut().flat_map(|holder| &mut holder.locations);
            finding.locations.iter_mut().chain(held).for_each(|at| at.excerpt = None);
        }
        self.baseline.iter_mut().for_each(without_excerpts);
    }

    /// The load of each scenario of the first pass, its waves summed.
    pub fn measured_load(&self) -> impl Iterator<Item = &LoadRow> {
        self.load.iter().filter(|row| row.is_measured_total())
    }

    /// The floors that a finding was judged by; before schema 2 the memory of `rss` was the anonymous part of the servers.
    pub fn floors_of<'a>(&'a self, finding: &'a Finding) -> impl Iterator<Item = &'a FloorRow> {
        let of = |metric: &str| self.floors.iter().any(|row| row.metric == metric && row.scenario == finding.scenario);
        let metric = match finding.metric {
            Metric::Rss if of("rss_anon") => "rss_anon",
            metric => metric.name(),
        };
        self.floors.iter().filter(move |row| row.metric == metric && row.scenario == finding.scenario)
    }
}

fn without_excerpts(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("excerpt");
            fields.values_mut().for_each(without_excerpts);
        }
        Value::Array(items) => items.iter_mut().for_each(without_excerpts),
        _ => {}
    }
}
