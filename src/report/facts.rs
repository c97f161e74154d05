//! What the verdict rests on, in the head of the page: was enough tested, which code was it, was the machine quiet, is
//! any of it new.

use super::words;
use crate::analysis::Comparison;
use crate::analysis::result::{Reason, RunResult, State};
use crate::phrase::{plural, significant};

/// One fact.
#[derive(Debug, PartialEq)]
pub(super) struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What is known.
    pub text: String,
    /// It weakens the verdict.
    pub weak: bool,
}

/// The facts of a run.
pub(super) fn facts(result: &RunResult) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(tested(result));
    facts.extend(code(result));
    facts.extend(machine(result));
    facts.push(news(result));
    facts
}

fn tested(result: &RunResult) -> Option<Fact> {
    let all = result.findings.len();
    let judged = result.findings.iter().filter(|finding| finding.state != State::NotJudged).count();
    let short = result.findings.iter().filter(|finding| finding.reason == Some(Reason::TooShort)).count();
    let text = match short {
        0 => format!("{judged} of {all} cells judged"),
        short => format!("{judged} of {all} cells judged, {short} too short"),
    };
    (all > 0).then(|| Fact { name: "Tested", text, weak: judged * 2 < all })
}

fn code(result: &RunResult) -> Option<Fact> {
    let commit = result.source.commit.as_deref()?;
    let short: String = commit.chars().take(12).collect();
    let dirty = result.source.dirty == Some(true);
    let changed = if dirty { ", with uncommitted changes" } else { "" };
    let branch = result.source.branch.as_deref().map_or(String::new(), |name| format!(" on {}", words::visible(name)));
    Some(Fact { name: "Commit", text: format!("{}{branch}{changed}", words::visible(&short)), weak: dirty })
}

/// Busy: before the run began, more than half of the processors had other work.
fn machine(result: &RunResult) -> Option<Fact> {
    let cpus = result.host.get("cpus")?.as_f64().filter(|cpus| *cpus > 0.0)?;
    let load = result.host.get("load_average")?.get(0)?.as_f64()?;
    let busy = load > cpus / 2.0;
    let state = if busy { "busy: times are uncertain, leaks are not" } else { "quiet" };
    let text = format!("{state} (load {} on {} at the start)", significant(load), plural(cpus as u64, "CPU"));
    Some(Fact { name: "Machine", text, weak: busy })
}

/// Whether anything is new, which only a baseline can tell.
fn news(result: &RunResult) -> Fact {
    let comparison = result.baseline.clone().and_then(|value| serde_json::from_value::<Comparison>(value).ok());
    let (text, weak) = match comparison {
        None => ("none, so whether any of this is new is not known (--baseline RUN)".to_owned(), false),
        Some(comparison) => {
            let (said, weak) = match () {
                () if comparison.worse => ("something is worse than in the baseline", true),
                () if !comparison.judged => ("nothing could be judged against the baseline", true),
                () => ("nothing is worse than in the baseline", false),
            };
            let [was, is] = comparison.verdict.map(|verdict| verdict.map_or("none", crate::phrase::verdict));
            let differs = match comparison.differences.is_empty() {
                true => String::new(),
                false => format!("; it differs in {}", words::visible(&comparison.differences.join("; "))),
            };
            (format!("{said}; its verdict was {was}, now {is}{differs}"), weak)
        }
    };
    Fact { name: "Baseline", text, weak }
}
