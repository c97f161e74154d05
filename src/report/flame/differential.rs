//! The differential flamegraph: two profiles as one graph, coloured by what became of each frame's own cost.

use std::collections::{HashMap, HashSet};

use super::data::{self, BY_FUNCTION, Data, Figures, Graph, Names, STACKS, cost_word};
use super::draw::Unit;
use super::kind::Kind;
use super::part::{Flames, MOST_SMALL};
use crate::analysis::SCALE;
use crate::analysis::compare::LEAST_MESSAGES;
use crate::analysis::difference::{Compared, Difference, FrameChange, NotDrawn, Ordered};
use crate::analysis::flame::Cost;
use crate::analysis::laid::Laid;
use crate::model::Change;
use crate::phrase::{self, counted_per};
use crate::report::{Error, embed, words};

/// The graph as the page carries it, or why there is none.
#[derive(Debug, Default)]
pub(in crate::report) struct Differential {
    /// The graph.
    pub flames: Option<Flames>,
    /// Why there is none, and what would give it; empty where there is one.
    pub not_drawn: String,
    /// `message`, `session`.
    pub per: &'static str,
    /// How many of them both profiles hold, and what they lack.
    pub notes: Vec<String>,
}

impl Differential {
    /// What can become of a frame: its kind and its words.
    pub fn legend(&self) -> [(&'static str, &'static str); 6] {
        let more = FrameChange::More;
        let less = FrameChange::Less;
        [
            (more(2), "▲ slower"),
            (less(2), "▼ faster"),
            (FrameChange::Same, "same"),
            (FrameChange::New, "new"),
            (FrameChange::Gone, "gone"),
            (FrameChange::Waits, "waits"),
        ]
        .map(|(change, word)| (Kind::Changed(change).code(), word))
    }
}

/// Makes the graph.
pub(in crate::report) fn differential(difference: &Result<Difference, NotDrawn>) -> Result<Differential, Error> {
    let difference = match difference {
        Ok(difference) => difference,
        Err(why) => return Ok(Differential { not_drawn: words::visible(&why.to_string()), ..Differential::default() }),
    };
    let per = counted_per(difference.per);
    let [was, is] = difference.work.map(|work| phrase::plural(work, per));
    let mut notes = vec![format!("The base profile holds {was}, the new one {is}; start and stop are in both.")];
    if difference.work.iter().any(|work| *work < LEAST_MESSAGES) {
        notes.push(format!("Below {LEAST_MESSAGES} {per}s a single one can make a difference."));
    }
    if !difference.complete {
        notes.push("A profile ends in the middle: its calls are not all there.".to_owned());
    }
    if difference.cut {
        notes.push("A profile had too many paths to keep each (--max-tree): what one alone has is not called new or gone there.".to_owned());
    }
    let flames = graphs(difference, per)?;
    let not_drawn = if flames.is_none() { "neither profile holds any cost".to_owned() } else { String::new() };
    Ok(Differential { flames, not_drawn, per, notes })
}

fn graphs(difference: &Difference, per: &'static str) -> Result<Option<Flames>, Error> {
    let Some(first) = difference.costs.first() else { return Ok(None) };
    let nothing = HashSet::new();
    let mut names = Names::new(&nothing);
    let mut part = Flames { difference: true, ..Flames::default() };
    let (mut graphs, mut figures, mut least) = (Vec::new(), Vec::new(), 0.0f64);
    for compared in &difference.costs {
        for (order, frames) in [(STACKS, &compared.stacks), (BY_FUNCTION, &compared.by_function)] {
            for (side, word) in [(1, "after"), (0, "before")] {
                let laid = &frames.laid[side];
                least = least.max(laid.least);
                part.take_limits(laid);
                let graph = Graph::of(laid, &difference.names, (&compared.own[side], MOST_SMALL.1), &mut names);
                let (cost, figures) = (cost_word(&compared.cost), Some(figures.len()));
                graphs.push(Graph {
                    cost,
                    busy: compared.busy,
                    slice: "all".into(),
                    order,
                    side: Some(word),
                    figures,
                    ..graph
                });
            }
            figures.push(figures_of(compared, frames));
        }
    }
    part.busy = difference.costs.iter().any(|compared| compared.busy);
    part.allocation = difference.costs.iter().any(|compared| compared.cost == Cost::Allocation)
        && difference.costs.iter().any(|compared| compared.cost == Cost::Time);
    part.left_out = words::percent(least);
    let (labels, kinds, laid) = labelled(&first.stacks, &difference.names);
    let unit = format!("{} per {per}", if first.cost == Cost::Allocation { "bytes" } else { "ns" });
    part.take_pictures(&laid, (&labels, &kinds), Unit { name: &unit, factor: 1.0 / SCALE as f64, in_time: false })?;
    let (names, kinds) = names.taken();
    let compared = data::Compared { per, work: difference.work, scale: SCALE, figures };
    let (first, difference) = (cost_word(&first.cost), Some(compared));
    let data = Data { names, kinds, events: None, first, slice: None, whole: None, graphs, difference };
    part.data = embed::script_json(&data)?;
    Ok(Some(part))
}

fn figures_of(compared: &Compared, frames: &Ordered) -> Figures {
    let calls = |change: &Change| match change {
        Change::Worse => '+',
        Change::Better => '-',
        Change::Same => '=',
        Change::Unknown => '?',
    };
    Figures {
        total: compared.total,
        both: frames.both.iter().flat_map(|both| [both.calls, both.own, both.inclusive]).flatten().collect(),
        changes: frames.changes.iter().map(|change| Kind::Changed(*change).code()).collect(),
        calls: frames.calls.iter().map(calls).collect(),
    }
}

/// The frames for a picture without script: a name is told apart by what became of it, as it may have become one thing
/// here and another there.
fn labelled(frames: &Ordered, names: &[String]) -> (Vec<String>, Vec<Kind>, Laid) {
    let mut laid = frames.laid[1].clone();
    let (mut labels, mut kinds, mut known) = (Vec::new(), Vec::new(), HashMap::new());
    for (frame, change) in laid.frames.iter_mut().zip(&frames.changes) {
        frame.name = *known.entry((frame.name, *change)).or_insert_with(|| {
            labels.push(format!("{}{}", mark(*change), names[frame.name as usize]));
            kinds.push(Kind::Changed(*change));
            labels.len() as u32 - 1
        });
    }
    (labels, kinds, laid)
}

/// What stands before a name.
fn mark(change: FrameChange) -> &'static str {
    match change {
        FrameChange::New => "new: ",
        FrameChange::Gone => "gone: ",
        FrameChange::More(_) => "▲ ",
        FrameChange::Less(_) => "▼ ",
        FrameChange::Unknown | FrameChange::Waits | FrameChange::Same | FrameChange::Note => "",
    }
}
