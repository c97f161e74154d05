//! Single messages: what one called, from left to right as time went.

use std::collections::HashSet;

use super::data::{Data, Graph, Names, STACKS};
use super::draw::{Unit, picture};
use super::kind::Kind;
use super::part::{Flames, Picture};
use crate::analysis::messages::{Message, Messages, NoMessages, Pick};
use crate::phrase::{capital, grouped, plural};
use crate::report::{Error, embed, words};

/// Share of the message below which frames of a picture are not drawn one by one: of a wide one, of a narrow one.
const SHARES: [f64; 2] = [0.002, 0.006];

/// The messages as the page carries them, or why there are none.
#[derive(Debug, Default)]
pub(in crate::report) struct Singles {
    /// The graphs.
    pub flames: Option<Flames>,
    /// What a graph shows.
    pub lead: Vec<words::Piece>,
    /// Why there is none; empty where there is one.
    pub not_shown: String,
}

/// Makes the graphs. `waiting` names the functions that wait.
pub(in crate::report) fn singles(
    found: &Result<Messages, NoMessages>,
    waiting: &HashSet<&str>,
) -> Result<Singles, Error> {
    let messages = match found {
        Ok(messages) => messages,
        Err(why) => return Ok(Singles { not_shown: capital(&why.to_string()), ..Singles::default() }),
    };
    let drawn: Vec<&Message> = messages.messages.iter().filter(|message| message.laid.total > 0).collect();
    let Some(first) = drawn.first() else {
        return Ok(Singles { not_shown: "Its messages took no time".to_owned(), ..Singles::default() });
    };
    let mut names = Names::new(waiting);
    let mut part = Flames { single: true, ..Flames::default() };
    let kinds: Vec<Kind> = messages.names.iter().map(|name| Kind::of(name, waiting)).collect();
    let mut graphs = Vec::new();
    for message in &drawn {
        let key = pick(message.pick);
        part.take_limits(&message.laid);
        part.loads.push((key.to_owned(), capital(key)));
        let note = said(message, messages.count);
        let draw = |width, share| {
            let unit = Unit { name: "ns", factor: 1.0, in_time: true };
            picture(&message.laid, (&messages.names, &kinds), width, share, unit)
        };
        let (wide, narrow) = (draw(1000, SHARES[0])?, draw(340, SHARES[1])?);
        let title = format!("The {key}: {note}");
        match message.pick == first.pick {
            true => (part.title, part.wide, part.narrow) = (title, wide, narrow),
            false => part.others.push(Picture { title, wide, narrow }),
        }
        let graph = Graph::of(&message.laid, &messages.names, (&[], 0), &mut names);
        graphs.push(Graph { cost: "time", slice: key.into(), order: STACKS, note: Some(note), ..graph });
    }
    let (names, kinds) = names.taken();
    let (slice, whole) = (Some(pick(first.pick)), Some("the message"));
    part.data = embed::script_json(&Data {
        names,
        kinds,
        events: None,
        first: "time",
        slice,
        whole,
        graphs,
        difference: None,
    })?;
    let lead = format!(
        "What one message called, from left to right as time went: one call of `{}`, which was called once for each of {}. \
         The profile holds the order and the length of the calls, not their begin: what a function did itself is the \
         free room behind what it called.",
        messages.function,
        plural(messages.count, "message"),
    );
    Ok(Singles { flames: Some(part), lead: words::pieces(&lead), not_shown: String::new() })
}

fn pick(pick: Pick) -> &'static str {
    match pick {
        Pick::Slowest => "slowest",
        Pick::Median => "median",
        Pick::First => "first",
        Pick::Last => "last",
    }
}

fn said(message: &Message, count: u64) -> String {
    let scenario = message.scenario.as_deref().map_or(String::new(), |name| format!(", in {}", words::visible(name)));
    format!("message {} of {}{scenario}, {}", grouped(message.number), grouped(count), plural(message.calls, "call"))
}
