//! What leaks: who holds what grew, wave by wave.

use super::links::Links;
use super::words::{self, Piece};
use crate::analysis::result::{Finding, Holder, Location, Per, Role, RunResult, State};

use crate::phrase::{self, grouped, short, significant};

/// One holder.
#[derive(Debug)]
pub(super) struct Row {
    /// The container by the class that has it, as PHP writes it.
    pub path: String,
    /// The way to it from the script's variables; empty where that is the same.
    pub way: String,
    /// It is a name of the program, not a description.
    pub code: bool,
    /// What it holds.
    pub kind: String,
    /// The metric and scenario in which it was seen.
    pub seen: String,
    /// Style class of the finding's state.
    pub class: &'static str,
    /// Heights of the bars, in hundredths.
    pub bars: Vec<Bar>,
    /// The counts, for whoever cannot see the bars.
    pub counts: String,
    /// How many at the end.
    pub entries: String,
    /// More of them for 1,000 units of work.
    pub per_1000: String,
    /// Share of the growth.
    pub explains: String,
    /// Which lines fill and empty it.
    pub lines: Vec<Piece>,
    /// What hangs below it.
    pub kept: Vec<String>,
    /// The lines that fill it.
    pub source: Vec<Quote>,
}

/// Some lines of a script.
#[derive(Debug)]
pub(super) struct Quote {
    /// `Server.php:108`
    pub place: String,
    /// Where that leads.
    pub link: Option<String>,
    /// The lines.
    pub lines: Vec<QuotedLine>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct QuotedLine {
    /// Its number.
    pub number: u32,
    /// As it stands.
    pub text: String,
    /// It is the one that is meant.
    pub meant: bool,
}

/// Quotes of one holder.
const MOST_QUOTES: usize = 3;

impl Row {
    /// The path as HTML that breaks where a name may.
    pub fn path_html(&self) -> String {
        words::breakable(&self.path)
    }

    /// The way, likewise.
    pub fn way_html(&self) -> String {
        words::breakable(&self.way)
    }

    /// What it holds, likewise.
    pub fn kind_html(&self) -> String {
        words::breakable(&self.kind)
    }
}

/// One bar.
#[derive(Debug)]
pub(super) struct Bar {
    /// Its left edge.
    pub x: u32,
    /// Its upper edge of 18.
    pub y: String,
    /// Its height.
    pub height: String,
}

/// Holders of what leaks first, by the share that they explain; the same holder only once, from the
/// finding that decides most: what fills the heap fills the resident memory, too.
pub(super) fn holders(result: &RunResult, links: &Links) -> Vec<Row> {
    let mut all: Vec<_> = result
        .findings
        .iter()
        .flat_map(|finding| finding.holders.iter().map(move |holder| (finding, holder)))
        .collect();
    all.sort_by(|(f, a), (g, b)| {
        let grows = |state: State| u8::from(state != State::Leak);
        grows(f.state)
            .cmp(&grows(g.state))
            .then(f.metric.cmp(&g.metric))
            .then(b.explains.unwrap_or(0.0).total_cmp(&a.explains.unwrap_or(0.0)))
            .then(last(b).cmp(&last(a)))
    });
    let mut shown: Vec<(&str, &str)> = Vec::new();
    let mut rows = Vec::new();
    for (finding, holder) in all {
        let key = (holder.path.as_str(), holder.kind.as_str());
        if shown.contains(&key) {
            continue;
        }
        shown.push(key);
        let short = &short(&holder.path);
        rows.push(Row {
            path: words::visible(short),
            way: if *short == holder.path { String::new() } else { words::visible(&holder.path) },
            code: holder.path.contains("->") || holder.path.contains("::") || holder.path.contains('$'),
            kind: words::visible(&holder.kind),
            seen: format!("{}, {}", words::metric(finding.metric), words::visible(&finding.scenario)),
            class: if holder.per_1000 > 0.0 { words::state_class(finding.state) } else { "plateau" },
            bars: bars(&holder.counts),
            counts: holder.counts.iter().map(|n| grouped(*n)).collect::<Vec<_>>().join(", "),
            entries: grouped(last(holder)),
            per_1000: format!("{}{}", if holder.per_1000 > 0.0 { "+" } else { "" }, significant(holder.per_1000)),
            explains: holder.explains.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0)),
            lines: links.set(words::pieces(&lines(finding, holder))),
            kept: holder.kept.iter().map(|text| words::visible(text)).collect(),
            source: quotes(holder, links),
        });
    }
    rows
}

fn lines(finding: &Finding, holder: &Holder) -> String {
    phrase::holder_lines(holder, finding.growth.map_or(Per::Messages, |growth| growth.per))
}

/// Of a container that a library fills the lines that call into it come first.
fn quotes(holder: &Holder, links: &Links) -> Vec<Quote> {
    let of = |role: Role| holder.locations.iter().filter(move |location| location.role == role);
    let calls: Vec<&Location> = holder.culprit().map_or_else(|| of(Role::Calls).collect(), |sole| vec![sole]);
    calls.into_iter().chain(of(Role::PutsIn)).filter_map(|at| quote(at, links)).take(MOST_QUOTES).collect()
}

fn quote(location: &Location, links: &Links) -> Option<Quote> {
    let excerpt = location.excerpt.as_ref()?;
    let blanks = |text: &String| text.len() - text.trim_start_matches(' ').len();
    let indent = excerpt.lines.iter().filter(|text| !text.trim().is_empty()).map(blanks).min().unwrap_or(0);
    let line = |(text, number): (&String, u32)| QuotedLine {
        number,
        text: words::visible(text.get(indent..).unwrap_or_default()),
        meant: number == location.line,
    };
    let lines = excerpt.lines.iter().zip(excerpt.first..).map(line).collect();
    let place = phrase::place(&location.file, location.line);
    Some(Quote { link: links.to(&place), place: words::visible(&place), lines })
}

fn last(holder: &Holder) -> u64 {
    holder.counts.last().copied().unwrap_or(0)
}

/// At most 16 bars of 4 with a gap of 1; of more counts evenly chosen ones, the last among them.
pub(super) fn bars(counts: &[u64]) -> Vec<Bar> {
    const MOST: usize = 16;
    let n = counts.len().min(MOST);
    let chosen = (1..=n).map(|i| counts[i * counts.len() / n - 1]);
    let highest = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    chosen
        .enumerate()
        .map(|(i, count)| {
            let height = (count as f64 / highest * 18.0).max(1.0);
            Bar { x: i as u32 * 6, y: format!("{:.1}", 18.0 - height), height: format!("{height:.1}") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_has_the_last_bar() {
        let counts: Vec<u64> = (1..=60).collect();
        let bars = bars(&counts);
        assert_eq!(bars.len(), 16);
        assert_eq!(bars.last().unwrap().height, "18.0");
        assert!(super::bars(&[]).is_empty());
        assert_eq!(super::bars(&[0, 0])[1].height, "1.0");
    }
}
