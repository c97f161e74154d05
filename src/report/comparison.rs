//! Two runs side by side, as tables that the page, the Markdown summary and the comparison's own page share.

use askama::Template;

use super::flame::{Differential, differential};
use super::page::{Assets, assets};
use super::{Error, embed, markdown, words};
use crate::analysis::Comparison;
use crate::analysis::compare::{
    FunctionChange, GrowthChange, InstructionChange, LEAST_MESSAGES, ScenarioCalls, SpeedChange, TimeChange, Timed,
};
use crate::analysis::difference::{Difference, NotDrawn};
use crate::analysis::result::RunResult;
use crate::model::Change;
use crate::phrase::{self, significant};

/// A table under its heading.
#[derive(Debug)]
pub(super) struct Table {
    /// What it shows.
    pub title: &'static str,
    /// What a reader should know of it; empty where that is nothing.
    pub lead: &'static str,
    /// Heads of the columns.
    pub heads: &'static [&'static str],
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Whether a column holds figures.
    pub fn is_figure(&self, column: &usize) -> bool {
        self.rows.iter().any(|row| row.get(*column).is_some_and(Cell::is_figure))
    }
}

/// A cell of a table.
#[derive(Debug)]
pub(super) struct Cell {
    /// What it says.
    pub text: String,
    /// How it is set.
    pub kind: Kind,
}

/// How a cell is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Words.
    Text,
    /// A name of code.
    Code,
    /// A figure.
    Figure,
    /// A state, with its style class.
    State(&'static str),
}

impl Cell {
    fn new(text: impl Into<String>, kind: Kind) -> Self {
        Self { text: words::visible(&text.into()), kind }
    }

    /// Its style class, where it is a state.
    pub fn state(&self) -> Option<&'static str> {
        match self.kind {
            Kind::State(class) => Some(class),
            _ => None,
        }
    }

    /// A name of code.
    pub fn is_code(&self) -> bool {
        self.kind == Kind::Code
    }

    /// Set to the right.
    pub fn is_figure(&self) -> bool {
        self.kind == Kind::Figure
    }

    /// A name as HTML that breaks where a name may.
    pub fn html(&self) -> String {
        words::breakable(&self.text)
    }
}

#[derive(Template)]
#[template(path = "comparison_page.html")]
struct Page {
    assets: Assets,
    class: &'static str,
    sentence: Vec<words::Piece>,
    evidence: Vec<Vec<words::Piece>>,
    facts: Vec<(&'static str, String)>,
    differences: Vec<String>,
    tables: Vec<Table>,
    difference: Differential,
    version: &'static str,
}

/// The comparison as one file that asks nothing of the network, with both profiles as one graph.
///
/// # Errors
/// Only faults of this program: the template or the JSON could not be made.
pub fn comparison_html(comparison: &Comparison, profiles: &Result<Difference, NotDrawn>) -> Result<String, Error> {
    let (class, sentence, rest) = conclusion(comparison);
    let difference = differential(profiles)?;
    let graph = difference.flames.as_ref().map_or("", |graph| graph.data.as_str());
    let page = Page {
        assets: assets(&format!("{}{graph}", embed::script_json(comparison)?)),
        class,
        sentence: words::pieces(&sentence),
        evidence: rest.iter().map(|text| words::pieces(text)).collect(),
        facts: facts(comparison),
        differences: comparison.differences.iter().map(|text| words::visible(text)).collect(),
        tables: tables(comparison),
        difference,
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(page.render()?)
}

/// The comparison as Markdown, for a comment.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let (_, sentence, rest) = conclusion(comparison);
    let mut out = format!("**compare** · {}\n", markdown::sentence(&sentence));
    for text in &rest {
        out.push_str(&format!("\n{}\n", markdown::sentence(text)));
    }
    out.push('\n');
    for (name, text) in facts(comparison) {
        out.push_str(&format!("- {name}: {}\n", markdown::plain(&text)));
    }
    for difference in &comparison.differences {
        out.push_str(&format!("- Differs: {}\n", markdown::plain(difference)));
    }
    for table in tables(comparison) {
        markdown::folded(&mut out, table.title, false, |out| out.push_str(&markdown_table(&table)));
    }
    out
}

/// A table in Markdown.
pub(super) fn markdown_table(table: &Table) -> String {
    let mut out = String::new();
    if !table.lead.is_empty() {
        out.push_str(&format!("\n{}\n", markdown::plain(table.lead)));
    }
    let rule = |column: usize| if table.is_figure(&column) { " ---: |" } else { " --- |" };
    let rules: String = (0..table.heads.len()).map(rule).collect();
    out.push_str(&format!("\n| {} |\n|{rules}\n", table.heads.join(" | ")));
    for row in &table.rows {
        let cells = row.iter().map(|cell| match cell.kind {
            Kind::Code => markdown::code(&cell.text),
            Kind::State("leak") => format!("**{}**", markdown::plain(&cell.text)),
            _ => markdown::plain(&cell.text),
        });
        out.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
    }
    out
}

/// The style class, the sentence, and what else is worse.
fn conclusion(comparison: &Comparison) -> (&'static str, String, Vec<String>) {
    let mut worse = comparison.regressions();
    match () {
        () if !worse.is_empty() => {
            let first = worse.remove(0);
            ("leak", first, worse)
        }
        () if !comparison.judged => {
            ("inconclusive", "Nothing could be judged: no figure was decided in both runs.".to_owned(), worse)
        }
        () => ("clean", "Nothing is worse than in the base run.".to_owned(), worse),
    }
}

fn facts(comparison: &Comparison) -> Vec<(&'static str, String)> {
    let of = |side: usize| {
        let commit = comparison.commits[side].as_deref().map(|commit| commit.chars().take(12).collect::<String>());
        let commit =
            commit.map_or("commit not known".to_owned(), |commit| format!("commit {}", words::visible(&commit)));
        let verdict = comparison.verdict[side].map_or("none", phrase::verdict);
        format!("{commit}, verdict {verdict}")
    };
    let few = comparison.few_messages.map(|messages| ("Functions", phrase::few_messages(messages, LEAST_MESSAGES)));
    [("Base", of(0)), ("New", of(1))].into_iter().chain(few).collect()
}

/// The tables of a run against its baseline, where it has one.
pub(super) fn of_baseline(result: &RunResult) -> Vec<Table> {
    let comparison = result.baseline.clone().and_then(|value| serde_json::from_value::<Comparison>(value).ok());
    comparison.map(|comparison| tables(&comparison)).unwrap_or_default()
}

/// The tables that have rows: what is exact first, times last.
pub(super) fn tables(comparison: &Comparison) -> Vec<Table> {
    let mut grown: Vec<&GrowthChange> =
        comparison.growth.iter().filter(|row| row.was.is_some() || row.is.is_some()).collect();
    // What is worse stands first.
    grown.sort_by_key(|row| match row.change {
        Change::Worse => 0,
        Change::Better => 1,
        Change::Same => 2,
        Change::Unknown => 3,
    });
    let all = vec![
        Table {
            title: "Growth",
            lead: "Judged where both runs decided it.",
            heads: &["Metric", "Scenario", "Base", "New", "", "Held by"],
            rows: grown.iter().map(|row| growth(row)).collect(),
        },
        Table {
            title: "Times, tested",
            lead: "Per message. Both builds were launched in turn, pair by pair; the chance that any of these is claimed of equal builds is 1 in 1,000.",
            heads: &["Time", "Base", "New", "Change, 95%", "Pairs", ""],
            rows: comparison.times.iter().map(tested).collect(),
        },
        Table {
            title: "Calls per message",
            lead: "Only calls that are a whole number for each message in both runs: nothing else belongs to the message.",
            heads: &["Function", "Base", "New", ""],
            rows: comparison.changed_functions().map(calls).collect(),
        },
        Table {
            title: "Calls by scenario",
            lead: "Of scenarios with one session at a time: only calls that are one whole number for each message, or each session, in all waves in both runs.",
            heads: &["Function", "Scenario", "Per", "Base", "New", ""],
            rows: comparison.scenario_calls.iter().map(scenario_calls).collect(),
        },
        Table {
            title: "Instructions",
            lead: "Counted one session at a time. Judged where both runs were counted under the same conditions: PHP, its extensions and libraries by their builds, valgrind, the processor's features.",
            heads: &["Scenario", "Per", "Base", "New", "Change", "", "Most of it in"],
            rows: comparison.instructions.iter().map(instructions).collect(),
        },
        Table {
            title: "Conditions that differ between the counts",
            lead: "No instructions are judged across them.",
            heads: &["Condition"],
            rows: comparison.count_differences.iter().map(|text| vec![Cell::new(text, Kind::Text)]).collect(),
        },
        Table {
            title: "New functions",
            lead: "In the profile of the new run alone. Times are shown, not judged.",
            heads: &["Function", "Calls per message", "Self per message", "Inclusive per message", ""],
            rows: comparison.new_functions.iter().map(|function| one_side(function, 1)).collect(),
        },
        Table {
            title: "Functions that are gone",
            lead: "In the profile of the base run alone.",
            heads: &["Function", "Calls per message", "Self per message", "Inclusive per message", ""],
            rows: comparison.gone_functions.iter().map(|function| one_side(function, 0)).collect(),
        },
        Table {
            title: "Functions whose time changed most",
            lead: "Time with all that they call, under the profiler. Shown and not judged: there is one run on each side.",
            heads: &["Function", "Base", "New", ""],
            rows: comparison.function_times.iter().map(function_time).collect(),
        },
        Table {
            title: "Times",
            lead: "Base, then new. Shown and not judged: there is one run on each side.",
            heads: &["Scenario", "Per second", "CPU, ms", "p50, ms", "p99, ms"],
            rows: comparison.speed.iter().map(speed).collect(),
        },
    ];
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn change(change: Change) -> Cell {
    let class = match change {
        Change::Worse => "leak",
        Change::Better => "clean",
        Change::Same | Change::Unknown => "notjudged",
    };
    Cell::new(phrase::change(change), Kind::State(class))
}

fn growth(row: &GrowthChange) -> Vec<Cell> {
    vec![
        Cell::new(phrase::metric(row.metric), Kind::Text),
        Cell::new(&row.scenario, Kind::Text),
        Cell::new(row.amount(row.was), Kind::Figure),
        Cell::new(row.amount(row.is), Kind::Figure),
        change(row.change),
        row.holder.as_ref().map_or(Cell::new("", Kind::Text), |holder| Cell::new(holder, Kind::Code)),
    ]
}

fn tested(row: &TimeChange) -> Vec<Cell> {
    let [was, is] = row.micros().map(|micros| Cell::new(format!("{micros} µs"), Kind::Figure));
    let name = match row.what {
        Timed::Function => Cell::new(&row.name, Kind::Code),
        Timed::Cpu | Timed::Wall => Cell::new(phrase::capital(&row.subject()), Kind::Text),
    };
    let change_of = Cell::new(phrase::time_ratio(row.ratio, row.ci95), Kind::Figure);
    vec![name, was, is, change_of, Cell::new(row.pairs.to_string(), Kind::Figure), change(row.change)]
}

fn calls(row: &FunctionChange) -> Vec<Cell> {
    let [was, is] = row.calls_per_message.map(|calls| Cell::new(significant(calls), Kind::Figure));
    vec![Cell::new(&row.name, Kind::Code), was, is, change(row.change)]
}

fn scenario_calls(row: &ScenarioCalls) -> Vec<Cell> {
    let [was, is] = row.calls.map(|calls| Cell::new(calls.to_string(), Kind::Figure));
    let per = Cell::new(phrase::counted_per(row.per), Kind::Text);
    vec![Cell::new(&row.name, Kind::Code), Cell::new(&row.scenario, Kind::Text), per, was, is, change(row.change)]
}

fn instructions(row: &InstructionChange) -> Vec<Cell> {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| phrase::grouped(value.round() as u64));
    let first = row.functions.first().map_or(String::new(), |function| function.name.clone());
    vec![
        Cell::new(&row.scenario, Kind::Text),
        Cell::new(phrase::counted_per(row.per), Kind::Text),
        Cell::new(figure(row.values[0]), Kind::Figure),
        Cell::new(figure(row.values[1]), Kind::Figure),
        Cell::new(row.part().map_or("-".to_owned(), phrase::change_share), Kind::Figure),
        change(row.change),
        Cell::new(first.clone(), if first.is_empty() { Kind::Text } else { Kind::Code }),
    ]
}

/// Time for each message.
fn time(ns: f64) -> Cell {
    Cell::new(phrase::duration(std::time::Duration::from_nanos(ns as u64)), Kind::Figure)
}

fn one_side(row: &FunctionChange, side: usize) -> Vec<Cell> {
    vec![
        Cell::new(&row.name, Kind::Code),
        Cell::new(significant(row.calls_per_message[side]), Kind::Figure),
        time(row.self_ns_per_message[side]),
        time(row.inclusive_ns_per_message[side]),
        if row.waiting { Cell::new("waits", Kind::Text) } else { change(row.change) },
    ]
}

fn function_time(row: &FunctionChange) -> Vec<Cell> {
    let [was, is] = row.inclusive_ns_per_message;
    let state = if row.waiting { "waits" } else { "" };
    vec![Cell::new(&row.name, Kind::Code), time(was), time(is), Cell::new(state, Kind::Text)]
}

fn speed(row: &SpeedChange) -> Vec<Cell> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), significant);
    let pair = |[was, is]: [String; 2]| Cell::new(format!("{was} → {is}"), Kind::Figure);
    vec![
        Cell::new(&row.scenario, Kind::Text),
        pair([row.was, row.is].map(shown)),
        pair(row.cpu_ms.map(shown)),
        pair(row.p50_ms.map(significant)),
        pair(row.p99_ms.map(significant)),
    ]
}
