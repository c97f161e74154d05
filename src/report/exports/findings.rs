//! What of a run is a failure, with its place in the code: what SARIF and annotations are made of.

use crate::analysis::Comparison;
use crate::analysis::result::{Finding, Location, Role, RunResult, State, Verdict};
use crate::analysis::view::RunView;
use crate::model::ExitCode;
use crate::phrase;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// It fails the run.
    Error,
    /// It is not decided.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    /// Its kind, a stable word: `leak/heap`, `threshold`, `regression`, `failed`, `not_run`, `inconclusive/rss`.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// In a sentence or two, code without backticks.
    pub message: String,
    /// The line to show it on, then the others that have to do with it.
    pub places: Vec<Place>,
}

/// A line of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to the project's root where it lies in it, else as it is.
    pub file: String,
    /// It lies in the project.
    pub inside: bool,
    /// From 1.
    pub line: u32,
    /// What it does.
    pub role: Role,
}

/// Everything that is wrong with a run, the worst first.
pub(super) fn problems(view: &RunView) -> Vec<Problem> {
    let result = &view.result;
    let mut problems: Vec<Problem> = Vec::new();
    let of = |state: State| {
        result.findings.iter().filter(move |finding| finding.state == state && finding.accepted.is_none())
    };
    for finding in of(State::Leak) {
        let message =
            format!("{} Scenario {}. {}", phrase::leak(finding), finding.scenario, phrase::finding_evidence(finding));
        problems.push(Problem {
            rule: format!("leak/{}", finding.metric.name()),
            level: Level::Error,
            message: plain(&message),
            places: places(finding, view),
        });
    }
    let other = |rule: &str, level, text: &str| Problem {
        rule: rule.to_owned(),
        level,
        message: plain(text),
        places: Vec::new(),
    };
    problems.extend(result.failures.iter().map(|failure| other("failed", Level::Error, &failure.sentence)));
    if result.verdict == Some(Verdict::Failed) && result.failures.is_empty() {
        problems.push(other("failed", Level::Error, &result.sentence));
    }
    if result.exit_code == ExitCode::CouldNotRun && result.verdict.is_none() {
        problems.push(other("not_run", Level::Error, &result.sentence));
    }
    for row in result.thresholds.iter().filter(|row| !row.held) {
        problems.extend(
            phrase::broken_thresholds(std::slice::from_ref(row)).map(|text| other("threshold", Level::Error, &text)),
        );
    }
    problems.extend(regressions(result).iter().map(|text| other("regression", Level::Error, text)));
    // Undecided growth is a failure of the run's length only where the whole verdict is undecided.
    if result.verdict == Some(Verdict::Inconclusive) {
        problems.push(other("inconclusive", Level::Warning, &result.sentence));
    }
    problems
}

/// What is worse than the baseline, in sentences.
pub(super) fn regressions(result: &RunResult) -> Vec<String> {
    let comparison = result.baseline.clone().and_then(|value| serde_json::from_value::<Comparison>(value).ok());
    comparison.map(|comparison| comparison.regressions()).unwrap_or_default()
}

/// The lines that fill what leaks come first; where a library fills it, the project's line that calls into it.
fn places(finding: &Finding, view: &RunView) -> Vec<Place> {
    let rank = |place: &Place| match place.role {
        _ if !place.inside => 4,
        Role::Calls => 0,
        Role::PutsIn => 1,
        Role::Creates => 2,
        Role::TakesOut => 3,
    };
    let mut places: Vec<Place> = finding.locations.iter().map(|location| place(location, view)).collect();
    places.sort_by_key(rank);
    places
}

fn place(location: &Location, view: &RunView) -> Place {
    let root = view.root.as_deref();
    let inside = root.and_then(|root| location.file.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'));
    let library = view.library.holds(&location.file);
    Place {
        file: inside.unwrap_or(&location.file).to_owned(),
        inside: inside.is_some() && !library,
        line: location.line,
        role: location.role,
    }
}

/// A sentence without the marks that set code apart.
pub(super) fn plain(text: &str) -> String {
    crate::model::visible(&text.replace('`', ""))
}
