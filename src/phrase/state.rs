//! The words for verdicts and states. Each state has one word, wherever it is shown.

use crate::model::{Change, Metric, Reason, State, Verdict};

/// The verdict of a run in a word.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Leak => "leak",
        Verdict::Failed => "failed",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Clean => "clean",
    }
}

/// What became of a figure between two runs, in a word.
pub fn change(change: Change) -> &'static str {
    match change {
        Change::Worse => "worse",
        Change::Same => "same",
        Change::Better => "better",
        Change::Unknown => "not judged",
    }
}

/// The state of a cell in a word; for what was not judged, why.
pub fn state(state: State, reason: Option<Reason>) -> &'static str {
    match (state, reason) {
        (State::Leak, _) => "leak",
        (State::Clean, _) => "clean",
        (State::Plateau, _) => "plateau",
        (State::Inconclusive, _) => "inconclusive",
        (State::NotJudged, Some(Reason::TooShort)) => "too short",
        (State::NotJudged, Some(Reason::Refused)) => "refused",
        (State::NotJudged, Some(Reason::NotReadable)) => "not readable",
        (State::NotJudged, Some(Reason::NotRunning)) => "did not run",
        (State::NotJudged, None) => "not judged",
    }
}

/// The words of a metric: as the head of a row, inside a sentence, and one of what it counts.
fn words(metric: Metric) -> [&'static str; 3] {
    match metric {
        Metric::Heap => ["PHP heap", "PHP's heap", "byte"],
        Metric::Rss => ["Memory (RSS)", "memory", "byte"],
        Metric::Fd => ["Descriptors", "descriptors", "descriptor"],
        Metric::Sockets => ["Sockets", "sockets", "socket"],
        Metric::Threads => ["Threads", "threads", "thread"],
        Metric::Processes => ["Processes", "processes", "process"],
    }
}

/// A metric as the head of a row.
pub fn metric(metric: Metric) -> &'static str {
    words(metric)[0]
}

/// A metric inside a sentence: `PHP's heap`, `memory`, `descriptors`.
pub fn metric_noun(metric: Metric) -> &'static str {
    words(metric)[1]
}

/// One of what a metric counts: `byte`, `descriptor`.
pub(super) fn metric_one(metric: Metric) -> &'static str {
    words(metric)[2]
}
