//! What the page's script reads: names, and the frames of each graph as figures.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::kind::Kind;
use crate::analysis::flame::Cost;
use crate::analysis::laid::Laid;
use crate::report::words;

/// Who called whom.
pub(super) const STACKS: &str = "stacks";
/// Each function's own cost, who called it below.
pub(super) const BY_FUNCTION: &str = "function";

/// All graphs.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    /// The names, as they are shown.
    pub names: Vec<String>,
    /// The kind of each.
    pub kinds: String,
    /// What is counted in the place of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<String>,
    /// The cost that is shown first.
    pub first: &'a str,
    /// The part of the recording that is shown first, where that is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<&'a str>,
    /// What shares are of, where that is not the whole recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<&'a str>,
    /// The graphs.
    pub graphs: Vec<Graph<'a>>,
    /// Of two profiles as one: what its frames were and are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Compared>,
}

/// One graph.
#[derive(Default, Serialize)]
pub(super) struct Graph<'a> {
    /// Its cost.
    pub cost: &'a str,
    /// Waiting was taken out.
    pub busy: bool,
    /// The part of the recording.
    pub slice: Cow<'a, str>,
    /// How its frames stand above each other.
    pub order: &'a str,
    /// Cost of the whole.
    pub total: u64,
    /// Depth, name, value of each frame, and what of its value lies in frames that are left out, one after another.
    pub frames: Vec<u64>,
    /// Frames below which there are levels that are not drawn, by number, and how many levels, one after another.
    pub deeper: Vec<u64>,
    /// Functions that have no frame in the graph, and their self cost: a search finds them all the same.
    pub small: Vec<u64>,
    /// Such functions that are not even named: a search says that it does not know them.
    pub unknown: u64,
    /// What is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Of two profiles: whose widths its frames have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<&'a str>,
    /// Of two profiles: its figures, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<usize>,
}

/// What frames were and are.
#[derive(Serialize)]
pub(super) struct Compared {
    /// What costs are counted for: `message`, `session`.
    pub per: &'static str,
    /// How many of them there were then and now.
    pub work: [u64; 2],
    /// Units of a width to a nanosecond or byte for each of them.
    pub scale: u64,
    /// Figures of graphs.
    pub figures: Vec<Figures>,
}

/// The figures of a graph's frames.
#[derive(Serialize)]
pub(super) struct Figures {
    /// Cost of the whole recording then and now.
    pub total: [u64; 2],
    /// Of each frame calls, own cost, cost with all that it called, each then and now, one after another.
    pub both: Vec<u64>,
    /// What became of each, as a kind.
    pub changes: String,
    /// What became of its calls: more, fewer, the same, unknown.
    pub calls: String,
}

impl<'a> Graph<'a> {
    /// The frames of `laid`, whose names are `own_names`. At most so many functions without a frame are named.
    pub fn of(
        laid: &Laid,
        own_names: &'a [String],
        (own, most): (&[(u32, u64)], usize),
        names: &mut Names<'a>,
    ) -> Self {
        let mut of = |name: u32| names.id(&own_names[name as usize]);
        let mut frames = Vec::with_capacity(laid.frames.len() * 4);
        let mut deeper = Vec::new();
        for (at, (frame, rest)) in laid.frames.iter().zip(laid.rests()).enumerate() {
            frames.extend([frame.depth as u64, of(frame.name), frame.value, rest]);
            if frame.deeper > 0 {
                deeper.extend([at as u64, frame.deeper as u64]);
            }
        }
        let drawn: HashSet<u32> = laid.frames.iter().map(|frame| frame.name).collect();
        let small = || own.iter().filter(|(name, _)| !drawn.contains(name));
        let unknown = small().skip(most).count() as u64;
        let small = small().take(most).flat_map(|(name, own)| [of(*name), *own]).collect();
        Graph { total: laid.total, frames, deeper, small, unknown, ..Graph::default() }
    }
}

/// The script's word for a cost.
pub(super) fn cost_word(cost: &Cost) -> &'static str {
    if *cost == Cost::Allocation { "allocation" } else { "time" }
}

/// The names of all graphs, each once.
pub(super) struct Names<'a> {
    waiting: &'a HashSet<&'a str>,
    known: HashMap<&'a str, u64>,
    names: Vec<String>,
    kinds: String,
}

impl<'a> Names<'a> {
    /// None yet.
    pub fn new(waiting: &'a HashSet<&'a str>) -> Self {
        Names { waiting, known: HashMap::new(), names: Vec::new(), kinds: String::new() }
    }

    fn id(&mut self, name: &'a str) -> u64 {
        let (names, kinds, waiting) = (&mut self.names, &mut self.kinds, self.waiting);
        *self.known.entry(name).or_insert_with(|| {
            names.push(words::visible(name));
            kinds.push_str(Kind::of(name, waiting).code());
            names.len() as u64 - 1
        })
    }

    /// All of them, and the kind of each.
    pub fn taken(self) -> (Vec<String>, String) {
        (self.names, self.kinds)
    }
}
