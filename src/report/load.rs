//! The load: what was asked and what was run, side by side.

use super::figures::totals;
use super::words;
use crate::analysis::result::LoadRow;
use crate::analysis::view::RunView;
use crate::phrase::{grouped, significant};

/// One scenario.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Its name.
    pub scenario: String,
    /// What was asked for.
    pub asked: String,
    /// What was run.
    pub run: String,
    /// Messages that the server accepted.
    pub accepted: String,
    /// Refusals.
    pub refused: String,
    /// Failures.
    pub failed: String,
    /// Messages, or sessions, a second.
    pub speed: String,
    /// Milliseconds.
    pub p50: String,
    /// Milliseconds.
    pub p90: String,
    /// Milliseconds.
    pub p99: String,
    /// Milliseconds.
    pub max: String,
    /// Errors by kind.
    pub errors: Vec<(String, String)>,
    /// Something was refused or failed.
    pub trouble: bool,
}

/// The measure pass by scenario; a scenario that was asked for and never ran has a row, too.
pub(super) fn load(view: &RunView) -> Vec<Row> {
    let mut names: Vec<&str> = Vec::new();
    let ran = totals(&view.result).map(|row| row.scenario.as_str());
    for name in view.asked.iter().map(|asked| asked.scenario.as_str()).chain(ran) {
        if !names.contains(&name) && name != "preflight" {
            names.push(name);
        }
    }
    names.iter().map(|name| row(view, name)).collect()
}

fn row(view: &RunView, name: &str) -> Row {
    let asked = view.asked.iter().find(|asked| asked.scenario == name);
    let mut out = Row {
        scenario: words::visible(name),
        asked: asked.map_or_else(|| "-".to_owned(), |asked| words::visible(&asked.asked)),
        run: asked.map_or_else(|| "-".to_owned(), |asked| words::visible(&asked.run)),
        ..Row::default()
    };
    let Some(row) = totals(&view.result).find(|row| row.scenario == name) else {
        out.run = if out.run.is_empty() || out.run == "-" { "not run".to_owned() } else { out.run };
        return out;
    };
    if asked.is_none() && row.count.asked > 0 {
        out.asked = grouped(row.count.asked);
    }
    let (refused, failed) = split(row);
    out.accepted = if row.messages_sent == 0 && row.messages_accepted == 0 {
        "none sent".to_owned()
    } else {
        grouped(row.messages_accepted)
    };
    out.refused = grouped(refused);
    out.failed = grouped(failed);
    out.speed = row.rate().map_or("-".to_owned(), significant);
    let ms = |value: f64| if row.work() > 0 { significant(value) } else { "-".to_owned() };
    out.p50 = ms(row.latency_ms.p50);
    out.p90 = ms(row.latency_ms.p90);
    out.p99 = ms(row.latency_ms.p99);
    out.max = ms(row.latency_ms.max);
    out.errors = row.errors.iter().map(|(kind, count)| (words::visible(kind), grouped(*count))).collect();
    out.trouble = refused + failed > 0;
    out
}

/// Refusals (by step and reply code) and failures (by kind).
pub(super) fn split(row: &LoadRow) -> (u64, u64) {
    let refusal = |kind: &str| {
        kind.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit()))
    };
    row.errors.iter().fold(
        (0, 0),
        |(refused, failed), (kind, count)| {
            if refusal(kind) { (refused + count, failed) } else { (refused, failed + count) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::load_stats::{LoadStats, RowPass};
    use crate::model::plan::scenario::Unit;
    use std::collections::BTreeMap;

    #[test]
    fn refusals_have_a_code() {
        let errors = BTreeMap::from([
            ("rcpt_550".to_owned(), 3),
            ("RCPT 451".to_owned(), 2),
            ("timeout_rcpt".to_owned(), 5),
            ("reset".to_owned(), 1),
        ]);
        let stats = LoadStats::new(Unit::Messages, 0);
        let row = LoadRow { errors, ..LoadRow::new("churn", None, RowPass::Measure, &stats, None) };
        assert_eq!(split(&row), (5, 6));
    }
}
