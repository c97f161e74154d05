//! Events of the run as a whole: how it began, what was asked, what spoils it, how it ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::plan::Plan;
use crate::model::{EarlyEnd, Hidden, WarningKind};

/// The first line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`](super::SCHEMA).
    pub schema: u32,
    /// The program's version.
    pub version: String,
    /// RFC 3339.
    pub started: String,
    /// Machine.
    pub host: BTreeMap<String, Value>,
    /// Commit of the project under test.
    pub commit: Option<String>,
    /// It had uncommitted changes.
    pub dirty: Option<bool>,
    /// Its branch, where one is checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The folder in which the run was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The root of the work tree of the project under test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The plan.
    pub plan: Box<Plan>,
    /// How it is to be judged, as the analysis wrote it.
    pub settings: Value,
    /// What is hidden in all that is handed on.
    #[serde(default)]
    pub hidden: Hidden,
}

/// Something that falsifies the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// What was found.
    pub text: String,
    /// What to do.
    pub advice: String,
}

/// Workers of Locust that are waited for, or are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// Locust's version.
    pub version: String,
    /// How many there should be.
    pub wanted: u32,
    /// Who is there.
    pub here: Vec<Worker>,
    /// What starts one on another machine, while such are waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A worker of Locust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its machine's name.
    pub host: String,
    /// Its process there.
    pub pid: i32,
}

/// Something that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMeasured {
    /// What, and why.
    pub text: String,
}

/// The profiles that the profile pass left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiled {
    /// Files inside the run's `profile/`.
    pub files: Vec<String>,
    /// Bytes in all.
    pub bytes: u64,
    /// Messages accepted meanwhile.
    pub messages: u64,
    /// Who wrote them; files whose names bear no process are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writers: Vec<ProfileWriter>,
    /// A file is of the process that served; none where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<bool>,
}

/// The process that wrote a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileWriter {
    /// The file.
    pub file: String,
    /// The process.
    pub pid: i32,
    /// When it was started, in the kernel's ticks since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// The file of the process that forked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// It had ended before the server greeted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub early: bool,
    /// It is the one that greeted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub served: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The run was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// By which signal.
    pub signal: String,
}

/// The last line: the run was carried to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Why the run ended early, if it did.
    pub early: Option<EarlyEnd>,
    /// What happened and what to do, in the words of whoever ended it.
    pub sentence: Option<String>,
}
