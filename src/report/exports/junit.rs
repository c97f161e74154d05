//! JUnit's XML, as GitLab, Jenkins and GitHub's actions read it: what leaks fails, what is not decided is an error, what was
//! not judged is skipped.

use std::fmt::Write as _;

use super::export::xml;
use super::findings::{plain, regressions};
use crate::analysis::result::{Finding, RunResult, State};
use crate::model::{ExitCode, ThresholdRow};
use crate::phrase;

/// What came of a test case.
enum Outcome {
    Passed,
    Failed { kind: &'static str, message: String, text: String },
    Error { kind: &'static str, message: String },
    Skipped { message: String },
}

struct Case {
    class: String,
    name: String,
    outcome: Outcome,
}

/// The whole file.
pub(super) fn junit(result: &RunResult) -> String {
    let suites = [
        ("server", vec![server(result)]),
        ("leaks", result.findings.iter().map(|finding| leak(finding, result)).collect()),
        ("thresholds", result.thresholds.iter().map(threshold).collect()),
        ("baseline", baseline(result)),
    ];
    let mut body = String::new();
    let mut all = [0; 4];
    for (name, cases) in suites.iter().filter(|(_, cases)| !cases.is_empty()) {
        let counts = counts(cases);
        for (sum, count) in all.iter_mut().zip(counts) {
            *sum += count;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(body, "  <testsuite name=\"{name}\"{} time=\"0\">", attributes(counts));
        cases.iter().for_each(|case| write(&mut body, case));
        let _ = writeln!(body, "  </testsuite>");
    }
    let time = format!("{:.3}", result.seconds.max(0.0));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"profile-run\"{} time=\"{time}\">\n{body}</testsuites>\n",
        attributes(all)
    )
}

/// Tests, failures, errors, skipped.
fn counts(cases: &[Case]) -> [usize; 4] {
    let of = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    [
        cases.len(),
        of(|outcome| matches!(outcome, Outcome::Failed { .. })),
        of(|outcome| matches!(outcome, Outcome::Error { .. })),
        of(|outcome| matches!(outcome, Outcome::Skipped { .. })),
    ]
}

fn attributes([tests, failures, errors, skipped]: [usize; 4]) -> String {
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn write(out: &mut String, case: &Case) {
    let open = format!("    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", xml(&case.class), xml(&case.name));
    let _ = match &case.outcome {
        Outcome::Passed => writeln!(out, "{open}/>"),
        Outcome::Failed { kind, message, text } => {
            let (message, text) = (xml(message), xml(text));
            writeln!(out, "{open}><failure type=\"{kind}\" message=\"{message}\">{text}</failure></testcase>")
        }
        Outcome::Error { kind, message } => {
            writeln!(out, "{open}><error type=\"{kind}\" message=\"{}\"/></testcase>", xml(message))
        }
        Outcome::Skipped { message } => {
            writeln!(out, "{open}><skipped message=\"{}\"/></testcase>", xml(message))
        }
    };
}

/// The server itself: it stayed up, and did what it was asked.
fn server(result: &RunResult) -> Case {
    let outcome = match result.exit_code {
        // Nobody knows whether it would have.
        ExitCode::CouldNotRun => Outcome::Error { kind: "not_run", message: plain(&result.sentence) },
        ExitCode::TargetFailed | ExitCode::Interrupted => Outcome::Failed {
            kind: "failed",
            message: plain(&result.sentence),
            text: result.evidence.iter().map(|text| plain(text)).collect::<Vec<_>>().join(" "),
        },
        _ if result.failures.is_empty() => Outcome::Passed,
        _ => Outcome::Failed {
            kind: "failed",
            message: plain(&result.failures[0].sentence),
            text: result.failures.iter().map(|failure| plain(&failure.sentence)).collect::<Vec<_>>().join(" "),
        },
    };
    Case { class: "profile-run.server".to_owned(), name: "stays up".to_owned(), outcome }
}

fn leak(finding: &Finding, result: &RunResult) -> Case {
    let evidence = || plain(&phrase::finding_evidence(finding));
    let outcome = match finding.state {
        State::Leak if finding.accepted.is_none() => {
            Outcome::Failed { kind: "leak", message: plain(&phrase::leak(finding)), text: evidence() }
        }
        // An undecided cell that another one covers changes no verdict, and no test.
        State::Inconclusive if result.exit_code == ExitCode::Inconclusive => {
            Outcome::Error { kind: "inconclusive", message: plain(&phrase::undecided(finding)) }
        }
        State::Inconclusive | State::NotJudged => {
            Outcome::Skipped { message: phrase::state(finding.state, finding.reason).to_owned() }
        }
        State::Leak | State::Clean | State::Plateau => Outcome::Passed,
    };
    Case { class: format!("profile-run.leaks.{}", finding.scenario), name: finding.metric.name().to_owned(), outcome }
}

fn threshold(row: &ThresholdRow) -> Case {
    let place = row.scenario.as_ref().map_or(String::new(), |scenario| format!(".{scenario}"));
    let outcome = match row.held {
        true => Outcome::Passed,
        false => Outcome::Failed {
            kind: "threshold",
            message: plain(&phrase::broken_thresholds(std::slice::from_ref(row)).unwrap_or_default()),
            text: String::new(),
        },
    };
    Case { class: format!("profile-run.thresholds{place}"), name: row.text.clone(), outcome }
}

/// Against the baseline: one case that holds, or one for each thing that is worse.
fn baseline(result: &RunResult) -> Vec<Case> {
    if result.baseline.is_none() {
        return Vec::new();
    }
    let case = |name: String, outcome| Case { class: "profile-run.baseline".to_owned(), name, outcome };
    let worse = regressions(result);
    if worse.is_empty() {
        return vec![case("nothing is worse".to_owned(), Outcome::Passed)];
    }
    let failed = |text: &String| Outcome::Failed { kind: "regression", message: plain(text), text: String::new() };
    worse.iter().map(|text| case(plain(text), failed(text))).collect()
}
