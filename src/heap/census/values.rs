//! What a census says: plain values, written to the journal and compared by [`super::growth`]. They know no process
//! and no way to read one.

use serde::{Deserialize, Serialize};

/// Paths that are kept of a census, the heaviest first.
pub const MOST_HOLDERS: usize = 2_000;
/// Live objects of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Live objects.
    pub count: u64,
    /// Bytes of their own blocks, without what they refer to.
    pub bytes: u64,
}

/// A container, or a long string: what can grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `$server{Server}->leak[]`
    pub path: String,
    /// Elements; of a string 1.
    pub count: u64,
    /// Bytes of the container and of all that was first met through it.
    pub bytes: u64,
    /// What most of the elements are.
    #[serde(rename = "type")]
    pub element_type: String,
    /// Classes whose objects hang on it, at whatever depth, by name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<String>,
    /// The path of the container that this one lies in, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub within: Option<String>,
    /// Elements that another path leads to as well, met there first.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub shared: u64,
    /// A weak map: an entry lives as long as its key, which something else holds.
    #[serde(skip_serializing_if = "is_false", default)]
    pub weak: bool,
}

fn is_false(weak: &bool) -> bool {
    !weak
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What reading took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Milliseconds of the copy.
    pub copy_ms: f64,
    /// Milliseconds that the process was held; 0 where it was at rest.
    pub stopped_ms: f64,
    /// Milliseconds of the walk.
    pub walk_ms: f64,
    /// Bytes copied.
    pub bytes: u64,
}

/// A census.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Census {
    /// As PHP says itself: `8.2.36`.
    pub php_version: String,
    /// Heap figures; `None` where PHP does not use Zend's manager (`USE_ZEND_ALLOC=0`).
    pub figures: Option<Figures>,
    /// Live objects by class, most first.
    pub classes: Vec<ClassCount>,
    /// Resources by type, most first.
    pub resources: Vec<ResourceCount>,
    /// What can grow, heaviest first.
    pub holders: Vec<Holder>,
    /// What names lead to.
    pub reachable: Sum,
    /// What the cycle collector will take.
    pub garbage: Sum,
    /// What no name leads to and what is no garbage either: held by an extension or a temporary.
    pub held: Sum,
    /// Bytes of the heap that are none of the three: compiled code, the engine's own tables.
    pub unexplained: u64,
    /// The collector's counters, where they were found and fit.
    pub collector: Option<GcCounters>,
    /// The call stack, innermost first.
    pub stack: Vec<Frame>,
    /// What it took.
    pub cost: Cost,
    /// What to know of this census.
    pub warnings: Vec<String>,
}

/// Heap figures, as PHP itself tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// `memory_get_usage()`, bytes.
    pub size: u64,
    /// `memory_get_peak_usage()`, bytes.
    pub peak: u64,
    /// `memory_get_usage(true)`, bytes.
    pub real_size: u64,
    /// `memory_get_peak_usage(true)`, bytes.
    pub real_peak: u64,
    /// `memory_limit`, bytes; `None` where there is none.
    pub limit: Option<u64>,
}

/// Objects and their bytes, with all that only they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Objects.
    pub objects: u64,
    /// Bytes of their blocks and of what hangs on them.
    pub bytes: u64,
}

/// The cycle collector's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcCounters {
    /// It is on; journals that do not say so are of a time when it was taken for granted.
    #[serde(default = "on")]
    pub enabled: bool,
    /// Times that it ran.
    pub runs: u32,
    /// Values that it took.
    pub collected: u32,
    /// Possible roots of garbage that wait in its buffer.
    pub roots: u32,
    /// It runs at so many.
    pub threshold: u32,
}

fn on() -> bool {
    true
}

/// Resources of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceCount {
    /// `stream:tcp_socket`, `stream-context`, `closed`: the type, of a stream its kind too.
    #[serde(rename = "type")]
    pub of: String,
    /// How many.
    pub count: u64,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// `Server->tick`, `stream_select`, `{main}`.
    pub function: String,
    /// The script's file name (no folder), `None` for a function of an extension.
    pub file: Option<String>,
    /// The line being executed.
    pub line: Option<u32>,
}
