//! The plan of a run: every option, lowered to its meaning.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;
use crate::model::{Library, Pass, Sought};

/// Who makes the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The built-in engine.
    #[default]
    Builtin,
    /// Postfix's smtp-source.
    SmtpSource,
    /// The load command, counted in runs.
    Command,
    /// Locust's workers, here or on other machines.
    Locust,
}

/// The mail options of every session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Envelope sender; empty is the null sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// Name given in EHLO or HELO.
    pub helo: Option<String>,
    /// `USER:PASS` for AUTH. What was typed stands in `typed`, in files that their owner alone reads.
    #[serde(skip)]
    pub auth: Option<String>,
    /// STARTTLS before MAIL.
    pub starttls: bool,
    /// TLS from the first byte.
    pub tls: bool,
}

/// What makes the exit code non-zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailOn {
    /// A leak verdict.
    Leak,
    /// The target failed.
    Failed,
    /// Growth that was not decided, or something never judged.
    Inconclusive,
    /// Any error in the load.
    Errors,
    /// A threshold of the configuration was crossed.
    Threshold,
    /// Worse than the baseline.
    Regression,
}

fn max_disk() -> u64 {
    2 << 30
}

fn max_tree() -> u64 {
    512 << 20
}

/// The whole plan of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The server's command.
    pub command: Vec<String>,
    /// A server that runs already, in the command's place: a pid, a name, a container's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<String>,
    /// Its working directory; the current one if none is given.
    pub cwd: Option<PathBuf>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// `HOST:PORT` to load; found from the tree's sockets if none is given.
    pub target: Option<String>,
    /// Passes, in order.
    pub passes: Vec<Pass>,
    /// Scenarios, in order, with `scale` applied.
    pub scenarios: Vec<Scenario>,
    /// The factor that was applied to sessions and messages.
    pub scale: f64,
    /// Wall time from launch to the last stop; none with `--full`.
    pub budget: Option<Duration>,
    /// Waves a scenario, where the user set it.
    pub waves: Option<u32>,
    /// Mail options.
    pub mail: Mail,
    /// How long the target may take to greet.
    pub ready_timeout: Duration,
    /// No reply in the whole scenario for this long ends it.
    pub stall_timeout: Duration,
    /// Rest before a leak is said; longer than the server's timers.
    pub rest: Duration,
    /// Which step keeps bytes is looked for before the first wave.
    #[serde(default)]
    pub ledger: bool,
    /// Lines of the server's scripts are read and shown.
    #[serde(default)]
    pub source: bool,
    /// Which of its scripts belong to libraries.
    #[serde(default)]
    pub library: Library,
    /// Runs before each floor; `{pid}` stands for the process that greeted. It may force a collection, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<String>,
    /// Runs once, before anything is launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// Runs before each launch.
    pub before: Option<String>,
    /// Runs after each stop.
    pub after: Option<String>,
    /// Who makes the load.
    pub engine: Engine,
    /// The command of the command engine.
    pub load_command: Option<String>,
    /// Locust's workers on this machine.
    #[serde(default)]
    pub locust_workers: u32,
    /// Locust's workers on other machines.
    #[serde(default)]
    pub remote_workers: u32,
    /// The load may leave this machine.
    pub allow_remote: bool,
    /// The target may forward mail for real.
    pub allow_forward: bool,
    /// Bytes that all files of the run may take.
    #[serde(default = "max_disk")]
    pub max_disk: u64,
    /// Profiles are kept as PHP writes them.
    #[serde(default)]
    pub keep_raw: bool,
    /// Bytes that a profile's call tree may take in memory.
    #[serde(default = "max_tree")]
    pub max_tree: u64,
    /// Nothing but one load of so many messages, for its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timed: Option<u64>,
    /// The leak that is looked for: where the ledger shows it, or that it is not there, there are no waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sought: Option<Sought>,
    /// An earlier run to compare with.
    pub baseline: Option<PathBuf>,
    /// What makes the exit code non-zero.
    pub fail_on: Vec<FailOn>,
    /// Seed of every random choice.
    pub seed: u64,
    /// As typed, for the report.
    pub typed: Vec<String>,
}
