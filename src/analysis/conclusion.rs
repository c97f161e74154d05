//! From the findings to the verdict, its sentence and the exit code.

use super::history::RunHistory;
use super::holders::garbage_holders;
use super::result::{Finding, Metric, State, Verdict};
use crate::journal::{End, Failure, Interrupted};
use crate::model::plan::FailOn;
use crate::model::{EarlyEnd, ExitCode, Pass};
use crate::phrase;

/// The verdict of a run and what is said of it.
#[derive(Debug, Clone)]
pub struct Conclusion {
    /// The verdict; none where the measure pass was not asked for, or the run could not be run.
    pub verdict: Option<Verdict>,
    /// In one sentence.
    pub sentence: String,
    /// Its evidence, where to look last.
    pub evidence: Vec<String>,
    /// The exit code.
    pub exit_code: ExitCode,
}

/// Comes to the verdict.
pub fn conclude(findings: &[Finding], history: &RunHistory, worse: &Worse) -> Conclusion {
    let measured = history.plan.as_ref().is_none_or(|plan| plan.passes.contains(&Pass::Measure));
    let (verdict, mut sentence, mut evidence) = match measured {
        true => {
            let (verdict, sentence, evidence) = verdict(findings, history);
            // What kept the run from being run is not the server's failure.
            let could_run = !history.early().is_some_and(EarlyEnd::could_not_run);
            (Some(verdict).filter(|verdict| could_run || *verdict == Verdict::Leak), sentence, evidence)
        }
        false => profiled_alone(history),
    };
    if let Some(Interrupted { signal }) = &history.interrupted {
        evidence.insert(0, phrase::interrupted(Some(signal)));
    } else if history.end.is_none() {
        evidence.insert(0, phrase::interrupted(None));
    }
    // Without a verdict what failed ends with the code of a failure all the same.
    let fell = verdict == Some(Verdict::Failed) || verdict.is_none() && failed(history, &[Pass::Profile]).is_some();
    let exit_code = exit_code(verdict, fell, history, worse);
    let mut broken = worse.threshold.iter().chain(&worse.regressions).cloned();
    // Where something else than the verdict fails the run, the headline says what.
    if exit_code == ExitCode::Failed
        && verdict != Some(Verdict::Leak)
        && let Some(first) = broken.next()
    {
        evidence.insert(0, std::mem::replace(&mut sentence, first));
    }
    evidence.extend(broken);
    Conclusion { verdict, sentence, evidence, exit_code }
}

/// What is said of a run that was not asked to measure anything.
fn profiled_alone(history: &RunHistory) -> (Option<Verdict>, String, Vec<String>) {
    if let Some((sentence, evidence)) = failed(history, &[Pass::Profile]) {
        return (None, sentence, evidence);
    }
    let passes = history.plan.as_ref().map(|plan| plan.passes.as_slice());
    let said = if passes == Some(&[Pass::Count]) { phrase::ONLY_COUNTED } else { phrase::NO_VERDICT_ASKED };
    (None, said.to_owned(), Vec::new())
}

/// What is worse than it may be.
#[derive(Debug, Clone, Default)]
pub struct Worse {
    /// Thresholds that are broken, in a sentence.
    pub threshold: Option<String>,
    /// What is worse than the baseline, in sentences.
    pub regressions: Vec<String>,
}

fn verdict(findings: &[Finding], history: &RunHistory) -> (Verdict, String, Vec<String>) {
    if let Some(finding) = phrase::foremost(findings, State::Leak) {
        let mut evidence = vec![phrase::finding_evidence(finding)];
        evidence.extend(phrase::also(findings, finding));
        let measured = |failure: &&Failure| failure.scene.pass == Pass::Measure;
        evidence.extend(history.failures.iter().find(measured).map(|failure| failure.sentence.clone()));
        evidence.push(phrase::where_to_look(finding));
        return (Verdict::Leak, phrase::leak(finding), evidence);
    }
    if let Some((sentence, evidence)) = failed(history, &[Pass::Measure]) {
        return (Verdict::Failed, sentence, evidence);
    }
    let undecided = |f: &&Finding| f.state == State::Inconclusive && f.accepted.is_none() && !is_covered(f, findings);
    if let Some(finding) =
        phrase::foremost(&findings.iter().filter(undecided).cloned().collect::<Vec<_>>(), State::Inconclusive)
    {
        let evidence = vec![phrase::finding_evidence(finding)];
        return (Verdict::Inconclusive, phrase::undecided(finding), evidence);
    }
    let missing = never_judged(findings);
    if history.end.is_none() || history.interrupted.is_some() {
        return (Verdict::Inconclusive, phrase::not_carried_to_its_end(missing.is_empty()).to_owned(), Vec::new());
    }
    if !missing.is_empty() {
        let first = first_not_judged(findings, &missing);
        let evidence = first.map(phrase::finding_evidence).into_iter().collect();
        return (Verdict::Inconclusive, phrase::never_judged(&missing, first, lacks(history)), evidence);
    }
    let foremost = phrase::foremost_clean(findings);
    let mut evidence: Vec<String> = foremost.map(phrase::finding_evidence).into_iter().collect();
    evidence.extend(foremost.filter(|finding| !finding.holders.is_empty()).map(phrase::where_to_look));
    (Verdict::Clean, phrase::clean(findings, &|scenario| work(history, scenario)), evidence)
}

/// An undecided resident memory whose scenario's heap is clean changes no verdict, unless it grows as a leak does and the
/// heap does not: then it is one outside PHP's heap, of which the heap knows nothing, and the run was too short to say so.
fn is_covered(finding: &Finding, findings: &[Finding]) -> bool {
    let heap_holds = |f: &Finding| {
        f.metric == Metric::Heap && f.scenario == finding.scenario && is_clean(f) && (f.steady || !finding.steady)
    };
    let garbage =
        |f: &Finding| f.metric == Metric::Heap && f.scenario == finding.scenario && is_clean(f) && finding.is_garbage();
    finding.metric == Metric::Rss && findings.iter().any(|f| heap_holds(f) || garbage(f))
}

fn is_clean(finding: &Finding) -> bool {
    matches!(finding.state, State::Clean | State::Plateau)
}

/// Messages and sessions of a scenario at its last floor.
fn work(history: &RunHistory, scenario: &str) -> (u64, u64) {
    let last = history.floors.iter().rev().find(|floor| floor.scene.scenario == scenario);
    last.map_or((0, 0), |floor| (floor.messages, floor.sessions))
}

/// What a clean run must have judged, in one scenario at least.
const JUDGED: [(&str, &[Metric]); 3] =
    [("memory", &[Metric::Heap, Metric::Rss]), ("descriptors", &[Metric::Fd]), ("sockets", &[Metric::Sockets])];

/// What was judged clean in no scenario at all.
fn never_judged(findings: &[Finding]) -> Vec<&'static str> {
    let holds = |metrics: &[Metric]| findings.iter().any(|f| metrics.contains(&f.metric) && is_clean(f));
    JUDGED.into_iter().filter(|(_, metrics)| !holds(metrics)).map(|(name, _)| name).collect()
}

/// What would have to be added to a run in which something was never judged.
fn lacks(history: &RunHistory) -> phrase::Lacks {
    let Some(plan) = &history.plan else { return phrase::Lacks::Messages };
    match plan.scenarios.iter().any(|scenario| !scenario.is_small()) {
        false => phrase::Lacks::Messages,
        true if plan.budget.is_some() => phrase::Lacks::Time,
        true => phrase::Lacks::Counts,
    }
}

/// What was not judged in the first scenario that was tried, of what is missing first; what could be read, and knows what
/// would decide, speaks before all.
fn first_not_judged<'a>(findings: &'a [Finding], missing: &[&str]) -> Option<&'a Finding> {
    let of = |finding: &&Finding| {
        JUDGED.iter().any(|(name, metrics)| missing.contains(name) && metrics.contains(&finding.metric))
    };
    let missing = || findings.iter().filter(|f| f.state == State::NotJudged && f.scenario != "smoke").filter(of);
    missing().find(|f| f.would_decide.is_some()).or_else(|| missing().next())
}

/// The server ended, stalled, or did nothing of what was asked, in one of these passes. What fails under the profiler
/// alone, beside a pass that measured, says nothing of the server as it is.
fn failed(history: &RunHistory, passes: &[Pass]) -> Option<(String, Vec<String>)> {
    if let Some(End { early: Some(early), sentence }) = &history.end
        && *early != EarlyEnd::Interrupted
    {
        return Some(phrase::ended_early(sentence.as_deref()));
    }
    if let Some(failure) = history.failures.iter().find(|failure| passes.contains(&failure.scene.pass)) {
        let mut evidence: Vec<String> =
            Some(failure.advice.clone()).filter(|advice| !advice.is_empty()).into_iter().collect();
        evidence.extend(garbage_before(history, &failure.scene.scenario));
        if !failure.scene.scenario.is_empty() {
            let scene = &failure.scene;
            evidence.insert(0, phrase::happened_in(&scene.scenario, scene.wave, scene.pass));
        }
        return Some((failure.sentence.clone(), evidence));
    }
    let (asked, meant) = passes
        .iter()
        .flat_map(|pass| history.done(*pass))
        .fold((0, 0), |(asked, meant), (_, tally)| (asked + tally.asked.asked, meant + tally.as_meant));
    (asked > 0 && meant == 0).then(|| (phrase::ACCEPTED_NOTHING.to_owned(), Vec::new()))
}

/// Where most of PHP's heap was garbage at the last census before it failed.
fn garbage_before(history: &RunHistory, scenario: &str) -> Option<String> {
    let census = &history.censuses.iter().rev().find(|at| at.scene.scenario == scenario)?.census;
    let (size, collector) = (census.figures?.size, census.collector?);
    let class = garbage_holders(history, scenario).into_iter().next().map(|holder| holder.path);
    (census.garbage.bytes > size / 2).then(|| {
        phrase::garbage_before(census.garbage.bytes, size, (collector.roots, collector.threshold), class.as_deref())
    })
}

/// The code that follows from the verdict and from what was asked to fail.
fn exit_code(verdict: Option<Verdict>, fell: bool, history: &RunHistory, worse: &Worse) -> ExitCode {
    if history.interrupted.is_some() {
        return ExitCode::Interrupted;
    }
    if history.early().is_some_and(EarlyEnd::could_not_run) {
        return ExitCode::CouldNotRun;
    }
    let fails_on = |what: FailOn| history.plan.as_ref().is_some_and(|plan| plan.fail_on.contains(&what));
    let errors = history.done(Pass::Measure).any(|(_, tally)| !tally.errors.is_empty());
    match verdict {
        Some(Verdict::Leak) if fails_on(FailOn::Leak) => ExitCode::Failed,
        _ if fell && fails_on(FailOn::Failed) => ExitCode::TargetFailed,
        _ if fails_on(FailOn::Threshold) && worse.threshold.is_some() => ExitCode::Failed,
        _ if fails_on(FailOn::Regression) && !worse.regressions.is_empty() => ExitCode::Failed,
        _ if fails_on(FailOn::Errors) && errors => ExitCode::Failed,
        Some(Verdict::Inconclusive) if fails_on(FailOn::Inconclusive) => ExitCode::Inconclusive,
        _ => ExitCode::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(metric: Metric, state: State, steady: bool) -> Finding {
        Finding {
            metric,
            scenario: "sequential".to_owned(),
            state,
            reason: None,
            growth: None,
            ci95: None,
            could_have_missed: None,
            steady,
            lives: false,
            source: None,
            evidence: String::new(),
            would_decide: None,
            holders: Vec::new(),
            locations: Vec::new(),
            accepted: None,
        }
    }

    #[test]
    fn a_heap_that_is_still_covers_no_memory_that_grows_as_a_leak_does() {
        let heap = finding(Metric::Heap, State::Clean, false);
        let covered = |rss: Finding| is_covered(&rss.clone(), &[heap.clone(), rss]);
        assert!(covered(finding(Metric::Rss, State::Inconclusive, false)));
        assert!(!covered(finding(Metric::Rss, State::Inconclusive, true)));
        let bounded = finding(Metric::Heap, State::Plateau, true);
        assert!(
            is_covered(&finding(Metric::Rss, State::Inconclusive, true), &[bounded]),
            "the heap grows inside its lives"
        );
        assert!(!is_covered(
            &finding(Metric::Rss, State::Inconclusive, false),
            &[finding(Metric::Heap, State::NotJudged, false)]
        ));
    }
}
