//! One metric in one scenario, judged, and who holds what grew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::verdict::{Growth, Reason, State};

/// Where memory grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrowthSource {
    /// PHP's heap grows alike.
    Heap,
    /// PHP's heap does not: an extension, the C library.
    OutsideHeap,
    /// Garbage in cycles that PHP's collector has not freed.
    Garbage,
}

/// What kind of thing holds on to what grew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// An array or object of PHP, counted by its elements.
    #[default]
    Container,
    /// A string of PHP, counted by its bytes.
    String,
    /// Objects of a class of PHP that nothing but themselves holds, counted by their bytes.
    Garbage,
    /// Sockets of one kind.
    Sockets,
    /// Files whose paths are alike.
    Files,
    /// Other descriptors.
    Descriptors,
}

/// What a line does to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Puts an element in, or makes a string longer.
    PutsIn,
    /// Takes elements out, or sets a new value in the container's place.
    TakesOut,
    /// Makes the object that is kept.
    Creates,
    /// Calls, from outside a library, the library's function that puts it in.
    Calls,
}

/// A place in a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// What it does.
    pub role: Role,
    /// The script, as PHP was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// `Server->close`; `{main}` for a script's own code.
    pub function: String,
    /// Of a line that puts in: the class of what it puts in, where the code makes it nearby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// How often a line that calls was seen to lead to what puts in, for 1,000 messages or sessions of the profile pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_1000: Option<f64>,
    /// The line and its neighbours, where the script could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
}

/// Some lines of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Excerpt {
    /// The number of the first of them.
    pub first: u32,
    /// The lines, without their ends.
    pub lines: Vec<String>,
}

/// How far the rate of a call may be from that of the growth which it alone explains.
const ALIKE: f64 = 0.2;

impl Holder {
    /// The one call into a library that comes as often as what is kept.
    pub fn culprit(&self) -> Option<&Location> {
        let is_alike = |at: &&Location| {
            at.per_1000.is_some_and(|rate| (rate - self.per_1000).abs() <= ALIKE * self.per_1000.abs())
        };
        let mut alike = self.locations.iter().filter(|at| at.role == Role::Calls).filter(is_alike);
        alike.next().filter(|_| alike.next().is_none())
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What holds on to the memory or descriptors that grew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// As PHP writes it: `App\Server->sessions[]`, or `sockets in CLOSE_WAIT`.
    pub path: String,
    /// What it holds: a class, a type, a kind of descriptor.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of holder it is.
    #[serde(default)]
    pub what: HolderKind,
    /// How many at each census or floor, in order; bytes of a string.
    pub counts: Vec<u64>,
    /// The work done at each of `counts`.
    pub work: Vec<u64>,
    /// More entries for 1,000 units of work.
    pub per_1000: f64,
    /// Share of the growth of the metric that it explains, 0 to 1.
    pub explains: Option<f64>,
    /// What hangs below it: classes and counts, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// The lines that fill it, empty it, and make what it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
    /// It is handed on by reference: lines that call it by another name may empty it too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_reference: bool,
}

/// One metric in one scenario, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `heap`, `rss`, `fd`, `sockets`, `threads`.
    pub metric: Metric,
    /// The scenario whose floors were judged; `idle` for growth with time.
    pub scenario: String,
    /// The state.
    pub state: State,
    /// Why it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Growth in the window that was judged.
    pub growth: Option<Growth>,
    /// 95% interval of the growth, same unit; null where not judged.
    pub ci95: Option<[f64; 2]>,
    /// A leak below this, in the metric's unit for 1,000 messages or sessions, could have been missed.
    pub could_have_missed: Option<f64>,
    /// It grows as a leak does, also where the run was too short to say so. A plateau that does is bounded by
    /// restarts.
    #[serde(default)]
    pub steady: bool,
    /// It was judged over the lives of a process that is replaced: no line goes through its floors.
    #[serde(default)]
    pub lives: bool,
    /// Where memory grows, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<GrowthSource>,
    /// The evidence in words.
    pub evidence: String,
    /// What would decide it, where it is undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_decide: Option<String>,
    /// Who holds what grew.
    pub holders: Vec<Holder>,
    /// The lines that fill the first of `holders` that code names, that empty it, and that make what it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
    /// An entry of the accepted leaks covers it, for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Finding {
    /// It grows inside the lives of a worker, and each is replaced before that shows.
    pub fn is_bounded_by_restarts(&self) -> bool {
        self.state == State::Plateau && self.steady
    }

    /// It grows by garbage that PHP's collector has not freed.
    pub fn is_garbage(&self) -> bool {
        self.source == Some(GrowthSource::Garbage)
    }
}
