//! A run's folder, understood.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::censuses::censuses;
use super::compare;
use super::conclusion::{Worse, conclude};
use super::findings::findings;
use super::history::Material;
use super::profile::Recording;
use super::result::{Failure, Finding, FloorRow, PassSettings, RunResult, SCHEMA, Source, TargetInfo, Warning};
use super::slices::WaveAt;
use super::view::{RunView, Timeline};
use super::waiting::Waiting;
use super::{load, profile, thresholds, timeline};
use crate::journal::{Folder, Journal, JournalError, ProcessFloor, Scene, read_samples};
use crate::model::plan::Pass;

/// Why a folder cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its journal ends before the plan: nothing of the run is known.
    #[error("{path} ends before the run's plan: nothing of the run is known", path = .0.display())]
    NoPlan(PathBuf),
}

/// Reads a run's folder, whole or cut off, and comes to its result. `baseline` is the run to judge against.
///
/// # Errors
/// There is no journal, or it ends before the plan.
pub fn analyse(folder: &Folder, baseline: Option<&RunResult>) -> Result<RunView, AnalysisError> {
    let journal = Journal::read(&folder.journal())?;
    let material = Material::of(&journal);
    let Some(plan) = material.plan.clone() else { return Err(AnalysisError::NoPlan(folder.journal())) };
    let today = jiff::Zoned::now().date().to_string();
    let findings = findings(&journal, &plan, &material, &today);
    // A run without samples (cut off at once) still has its journal.
    let samples = read_samples(&folder.samples()).unwrap_or_default();
    let rows = load::rows(&material);
    let summary = timeline::summary(&samples, &material);
    let mut not_measured = material.not_measured.clone();
    let mut shown = material.profiled.as_ref().and_then(|(files, messages)| {
        let paths: Vec<PathBuf> = files.iter().map(|file| folder.profile().join(file)).collect();
        let recording = recording(&material, &paths, *messages);
        profile::show(&paths, &recording, &Waiting::with(&material.settings.waiting))
            .map_err(|error| not_measured.push(format!("The profile: {error}.")))
            .ok()
    });
    if let Some(shown) = &mut shown {
        shown.summary.overhead = overhead(&material);
        not_measured.append(&mut shown.notes);
    }
    let mut result = RunResult {
        schema: SCHEMA,
        verdict: super::result::Verdict::Inconclusive,
        sentence: String::new(),
        evidence: Vec::new(),
        exit_code: 0,
        started: material.started.clone(),
        seconds: material.seconds,
        scale: plan.scale,
        cut_off: material.end.is_none() || material.interrupted.is_some(),
        floors: floors(&material),
        waves: load::waves(&material),
        load: rows,
        profile: shown.as_ref().map(|shown| shown.summary.clone()),
        target: target(&material, &plan.command),
        samples_summary: summary,
        host: material.host.clone(),
        source: Source { commit: material.commit.clone(), dirty: material.dirty },
        warnings: warnings(&material),
        not_measured,
        failures: failures(&material),
        baseline: None,
        findings,
    };
    let mut worse = Worse {
        thresholds: thresholds::crossed(&material.settings.thresholds, &result.load, &result.samples_summary),
        regressions: Vec::new(),
    };
    if let Some(baseline) = baseline {
        let comparison = compare::compare(baseline, &result, &material.settings.bounds);
        worse.regressions = comparison.regressions();
        result.baseline = serde_json::to_value(&comparison).ok();
    }
    let conclusion = conclude(&result.findings, &material, &worse);
    (result.verdict, result.sentence) = (conclusion.verdict, conclusion.sentence);
    (result.evidence, result.exit_code) = (conclusion.evidence, conclusion.exit_code);
    let errors = all_errors(&material);
    Ok(RunView {
        timeline: if samples.is_empty() { Timeline::default() } else { timeline::timeline(&samples, &material) },
        flames: shown.as_mut().map(|shown| std::mem::take(&mut shown.flames)).unwrap_or_default(),
        busy: shown.as_mut().and_then(|shown| shown.busy.take()),
        waiting: shown.map(|shown| shown.waiting).unwrap_or_default(),
        censuses: censuses(&material),
        asked: load::asked(&material),
        load_notes: load::notes(&material),
        reproduce: reproduce(&plan.typed),
        last_words: last_words(&material),
        not_exercised: load::not_exercised(&plan.scenarios, &errors),
        result,
    })
}

/// What the journal knows of the profile pass: which wave wrote which part of the files.
fn recording(material: &Material, paths: &[PathBuf], messages: u64) -> Recording {
    let wave = |scene: &Scene| {
        let done = material.done(Pass::Profile).find(|(wave, _)| wave.scene == *scene);
        let (messages, rounds) = done.map_or((0, 0), |(wave, tally)| {
            let ended = tally.messages_accepted.max(tally.sessions.finished);
            (tally.messages_accepted, ended / u64::from(wave.parallel.max(1)))
        });
        WaveAt { scenario: scene.scenario.clone(), wave: scene.wave, messages, rounds }
    };
    let marks = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut so_far = 0;
        let both = material.marked.iter().flat_map(|marked| [marked.begin.get(&name), marked.end.get(&name)]);
        let ascending = both.map(|length| {
            so_far = length.copied().unwrap_or(0).max(so_far);
            so_far
        });
        (path.clone(), ascending.collect())
    };
    Recording {
        messages,
        waves: material.marked.iter().map(|marked| wave(&marked.scene)).collect(),
        marks: paths.iter().map(marks).collect(),
    }
}

/// Every figure of every floor, summed over the processes that are the server.
fn floors(material: &Material) -> Vec<FloorRow> {
    let mut rows = Vec::new();
    for floor in &material.floors {
        for (metric, value) in sums(&floor.processes) {
            rows.push(FloorRow {
                scenario: floor.scene.scenario.clone(),
                wave: floor.scene.wave,
                messages: floor.messages,
                sessions: floor.sessions,
                metric,
                value,
            });
        }
    }
    rows
}

fn sums(processes: &[ProcessFloor]) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for process in processes.iter().filter(|process| process.server) {
        for (metric, value) in process.figures.iter().filter(|(metric, _)| !metric.ends_with("_elements")) {
            *sums.entry(metric.clone()).or_default() += value;
        }
    }
    sums
}

fn target(material: &Material, command: &[String]) -> TargetInfo {
    let mut target =
        TargetInfo { command: command.to_vec(), versions: material.versions.clone(), ..TargetInfo::default() };
    for (pass, launch) in &material.launches {
        target.settings.insert(
            pass.name().to_owned(),
            PassSettings {
                command: launch.command.clone(),
                environment: launch.environment.clone(),
                address: launch.address.clone(),
            },
        );
        if let Some(exit) = &launch.exit {
            target.exit.insert(pass.name().to_owned(), exit.clone());
        }
    }
    target
}

fn warnings(material: &Material) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = material
        .warnings
        .iter()
        .map(|[kind, text, advice]| Warning { kind: kind.clone(), text: text.clone(), advice: advice.clone() })
        .collect();
    for launch in material.launches.values() {
        for note in &launch.notes {
            warnings.push(Warning { kind: "settings".to_owned(), text: note.clone(), advice: String::new() });
        }
    }
    warnings
}

fn failures(material: &Material) -> Vec<Failure> {
    let failure = |failure: &super::history::FailureAt| Failure {
        kind: failure.kind.clone(),
        scenario: failure.scene.scenario.clone(),
        pass: failure.scene.pass.name().to_owned(),
        sentence: match failure.advice.as_str() {
            "" => failure.sentence.clone(),
            advice => format!("{} {advice}", failure.sentence),
        },
    };
    material.failures.iter().map(failure).collect()
}

/// Messages or sessions of each pass from which a speed is told: fewer are over before they have one.
const ENOUGH: u64 = 100;

/// How many times slower the server was under the profiler, where both passes ran the same scenario.
fn overhead(material: &Material) -> Option<f64> {
    let clean = load::totals(material, Pass::Clean);
    let profiled = load::totals(material, Pass::Profile);
    let both = profiled.iter().filter_map(|(name, slow, _)| {
        let (_, fast, _) = clean.iter().find(|(own, ..)| own == name)?;
        (slow.asked.finished >= ENOUGH && fast.asked.finished >= ENOUGH)
            .then(|| (slow.asked.finished, fast.rate() / slow.rate()))
    });
    both.filter(|(_, ratio)| ratio.is_finite()).max_by_key(|(done, _)| *done).map(|(_, ratio)| ratio)
}

fn all_errors(material: &Material) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (_, tally) in material.done(Pass::Clean) {
        for (kind, count) in &tally.errors {
            *errors.entry(kind.clone()).or_default() += count;
        }
    }
    errors
}

fn reproduce(typed: &[String]) -> String {
    let quote = |word: &String| match !word.is_empty()
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c))
    {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    std::iter::once("profile-run".to_owned()).chain(typed.iter().map(quote)).collect::<Vec<_>>().join(" ")
}

fn last_words(material: &Material) -> Vec<(String, Vec<String>)> {
    material.launches.iter().map(|(pass, launch)| (pass.name().to_owned(), launch.last_words.clone())).collect()
}

/// Findings by metric and scenario.
pub(super) fn find<'a>(result: &'a RunResult, metric: &str, scenario: &str) -> Option<&'a Finding> {
    result.findings.iter().find(|finding| finding.metric == metric && finding.scenario == scenario)
}
