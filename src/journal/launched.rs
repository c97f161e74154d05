//! Events of a launch: how the target was started, what it answered, how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::worked::Scene;
use crate::model::{FailureKind, Pass, Runtime};

/// The target was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Pass.
    pub pass: Pass,
    /// Root of its tree.
    pub pid: i32,
    /// Exact argument vector.
    pub command: Vec<String>,
    /// Variables set or changed.
    pub environment: BTreeMap<String, String>,
    /// `php`, `xdebug` as php says.
    pub versions: BTreeMap<String, String>,
    /// What the reader should know of how it was started.
    pub notes: Vec<String>,
    /// It ran already, and goes on afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attached: bool,
}

/// It greeted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Pass.
    pub pass: Pass,
    /// `HOST:PORT`.
    pub address: String,
    /// The process that listens.
    pub pid: i32,
    /// Seconds since the launch.
    pub seconds: f64,
    /// Its greeting; empty for servers that do not speak SMTP.
    pub banner: String,
    /// Other ports of the tree that listen too.
    pub others: Vec<String>,
    /// Its limit of descriptors.
    pub descriptor_limit: Option<u64>,
    /// The runtime that it runs in, where it is one that frees memory by collections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// `xdebug.file_link_format` of the process that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<String>,
    /// `php`, `xdebug`, `memory_limit` of the process that serves; they stand in place of the launch's. Empty for a
    /// server that is no PHP; none in journals that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<BTreeMap<String, String>>,
    /// What its control group (a container) may use of memory, bytes, where that is less than the machine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// How many connections may wait until it accepts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u32>,
}

/// A step of the preflight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightStep {
    /// `banner`, `EHLO`, `MAIL`, ...
    pub step: String,
    /// The server's reply, whole.
    pub reply: String,
}

/// One whole conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// Pass.
    pub pass: Pass,
    /// Every step that was answered.
    pub steps: Vec<PreflightStep>,
    /// The step that was refused, and how to mend it.
    pub refused: Option<String>,
    /// Sessions that it took, the probes of the banner included.
    pub sessions: u64,
    /// Messages that were accepted.
    pub messages: u64,
}

/// The target stalled, crashed or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Where.
    #[serde(flatten)]
    pub scene: Scene,
    /// What it was.
    pub kind: FailureKind,
    /// One sentence.
    pub sentence: String,
    /// What to do, where there is something to do.
    pub advice: String,
    /// What else was seen.
    pub details: Vec<String>,
}

/// The target ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetExit {
    /// Pass.
    pub pass: Pass,
    /// Root of its tree.
    pub pid: i32,
    /// In words: `exit code 0 after SIGTERM`.
    pub how: String,
    /// It was stopped by the run.
    pub asked: bool,
    /// The last lines of its output.
    pub last_words: Vec<String>,
}

/// What the sampling of a launch was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// Pass.
    pub pass: Pass,
    /// Seconds that it went on.
    pub seconds: f64,
    /// Readings of the figures.
    pub rounds: u64,
    /// Counts of sockets by state.
    pub socket_rounds: u64,
    /// CPU of the sampler, seconds.
    pub cpu_seconds: f64,
    /// The longest time between two readings, seconds.
    pub longest_gap: f64,
}
