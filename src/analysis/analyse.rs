//! A run's folder, understood.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use super::censuses::censuses;
use super::compare::{self, Comparison};
use super::conclusion::{Worse, conclude};
use super::difference::NotDrawn;
use super::earlier::Earlier;
use super::findings::findings;
use super::history::{LaunchAt, RunHistory};
use super::profile::Recording;
use super::result::{Failure, FloorRow, PassSettings, RunResult, SCHEMA, Source, TargetInfo};
use super::settings_read::SettingsError;
use super::slices::WaveAt;
use super::view::{RunView, Timeline};
use super::waiting::Waiting;
use super::{callers, drivers, instructions, load, profile, thresholds, timeline};
use crate::journal::{Event, Folder, Journal, JournalError, ProcessFloor, Profiled, Scene, Warning, read_samples};
use crate::matrix::judged;
use crate::model::{Editor, ExitCode, Metric, Pass, Side, Verdict, WarningKind};
use crate::phrase;
use crate::phrase::Redactor;
use crate::profile::Sought;

/// Why a folder cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its journal ends before the plan: nothing of the run is known.
    #[error("{path} ends before the run's plan: nothing of the run is known", path = .0.display())]
    NoPlan(PathBuf),
    /// It cannot be judged as its settings ask for.
    #[error("{path}: how the run is to be judged cannot be read: {source}; use the version that wrote it", path = path.display())]
    Settings {
        /// Its journal.
        path: PathBuf,
        /// The setting.
        source: SettingsError,
    },
}

/// Below a run's folder: another run of the scenarios in which a time broke its threshold.
pub const AGAIN: &str = "again";

/// The result of that run, where it was made.
fn run_again(folder: &Folder, show_all: bool) -> Option<RunResult> {
    let below = Folder::open(&folder.root().join(AGAIN)).ok()?;
    // One that was cut off has no figures of the whole scenario.
    let view = analyse(&below, None, show_all).ok()?;
    (!view.result.cut_off).then_some(view.result)
}

/// Reads a run's folder, whole or cut off, and comes to its result. `earlier` is the run to judge against.
///
/// # Errors
/// There is no journal, or it ends before the plan.
pub fn analyse(folder: &Folder, earlier: Option<&Earlier>, show_all: bool) -> Result<RunView, AnalysisError> {
    let baseline = earlier.map(|earlier| &earlier.result);
    let mut journal = Journal::of(folder)?;
    let redactor = redactor(&journal, show_all);
    for line in journal.lines.iter_mut().filter(|line| has_text(&line.event)) {
        *line = redactor.redacted(line);
    }
    let history =
        RunHistory::of(&journal).map_err(|source| AnalysisError::Settings { path: folder.journal(), source })?;
    let Some(plan) = history.plan.clone() else { return Err(AnalysisError::NoPlan(folder.journal())) };
    let mut findings = findings(&journal, &plan, &history, &day(&history.header.started));
    let samples = read_samples(folder)?;
    let rows = load::rows(&history);
    let summary = timeline::summary(&samples, &history);
    let mut not_measured = history.not_measured.clone();
    let mut shown = history.profiled.as_ref().and_then(|profiled| {
        // Only what a run could have put there: a journal that was tampered with names other files, pipes, devices.
        let (ours, strange): (Vec<&String>, Vec<&String>) =
            profiled.files.iter().partition(|file| folder.read_profile(OsStr::new(file.as_str())).is_ok());
        not_measured.extend(
            strange
                .iter()
                .map(|file| format!("The profile {file}: it is no plain file of profile/, and was not read.")),
        );
        let paths: Vec<PathBuf> = ours.iter().map(|file| folder.profile().join(file)).collect();
        let recording = recording(&history, &paths, profiled);
        let asked = callers::Asked::of(&findings, &plan.library, &redactor);
        let sought = asked.as_ref().map(|asked| asked as &dyn Sought);
        let shown = profile::show(&paths, &recording, &Waiting::with(&history.settings.waiting), plan.max_tree, sought)
            .map_err(|error| not_measured.push(format!("The profile: {error}.")))
            .ok()?;
        if let Some(asked) = &asked {
            callers::name(&mut findings, asked, &shown.callers, &recording.waves);
        }
        Some(shown)
    });
    if let Some(shown) = &mut shown {
        hide(shown, &redactor);
        shown.summary.overhead = overhead(&history);
        not_measured.append(&mut shown.notes);
    }
    let instructions = instructions::instructions(&history, &plan, folder, &mut not_measured);
    let mut result = RunResult {
        schema: SCHEMA,
        verdict: Some(Verdict::Inconclusive),
        sentence: String::new(),
        evidence: Vec::new(),
        exit_code: ExitCode::Held,
        started: history.header.started.clone(),
        seconds: history.seconds,
        scale: plan.scale,
        cut_off: history.end.is_none() || history.interrupted.is_some(),
        floors: floors(&history),
        waves: load::waves(&history),
        load: rows,
        profile: shown.as_ref().map(|shown| shown.summary.clone()),
        drivers: None,
        ledger: history.ledger.as_ref().map(|taken| (*taken.ledger).clone()),
        instructions,
        target: target(&history, &plan.command),
        samples_summary: summary,
        host: history.header.host.clone(),
        source: Source {
            commit: history.header.commit.clone(),
            dirty: history.header.dirty,
            branch: history.header.branch.clone(),
        },
        warnings: warnings(&history),
        not_measured,
        failures: failures(&history),
        baseline: None,
        bounds: history.settings.bounds.clone(),
        findings,
        thresholds: Vec::new(),
    };
    result.drivers = drivers::drivers(&result, &plan);
    let again = run_again(folder, show_all);
    let runs = thresholds::Runs { now: &result, baseline, again: again.as_ref() };
    result.thresholds = thresholds::judge(&history.settings.thresholds, runs);
    let mut comparison = baseline.map(|baseline| compare::compare(baseline, &result));
    if let (Some(comparison), Some(against)) = (&mut comparison, &history.against) {
        comparison.take_times(against);
    }
    let worse = Worse {
        threshold: phrase::broken_thresholds(&result.thresholds),
        regressions: comparison.as_ref().map(Comparison::regressions).unwrap_or_default(),
    };
    let conclusion = conclude(&result.findings, &history, &worse);
    (result.verdict, result.sentence) = (conclusion.verdict, conclusion.sentence);
    (result.evidence, result.exit_code) = (conclusion.evidence, conclusion.exit_code);
    // The verdict follows from the comparison too, so that it stands in it last.
    if let Some(comparison) = &mut comparison {
        comparison.verdict[1] = result.verdict;
    }
    result.baseline = comparison.and_then(|comparison| serde_json::to_value(comparison).ok());
    let errors = all_errors(&history);
    let paths = shown.as_mut().and_then(|shown| shown.paths.take());
    Ok(RunView {
        difference: earlier.map(|earlier| {
            let unreadable = || NotDrawn::Unreadable(Side::New, "none of its files".to_owned());
            let none = || if history.profiled.is_some() { unreadable() } else { NotDrawn::NoProfile(Side::New) };
            earlier.difference(paths.as_ref().ok_or_else(none))
        }),
        paths,
        timeline: if samples.is_empty() { Timeline::default() } else { timeline::timeline(&samples, &history) },
        flames: shown.as_mut().map(|shown| std::mem::take(&mut shown.flames)).unwrap_or_default(),
        busy: shown.as_mut().and_then(|shown| shown.busy.take()),
        messages: shown.as_mut().and_then(|shown| shown.messages.take()),
        waiting: shown.map(|shown| shown.waiting).unwrap_or_default(),
        censuses: censuses(&history),
        asked: load::asked(&history),
        load_notes: load::notes(&history),
        root: history.header.root.clone(),
        library: plan.library.clone(),
        editor: editor(&history),
        reproduce: reproduce(&plan.typed, history.header.cwd.as_deref()),
        last_words: last_words(&history),
        not_exercised: load::not_exercised(&plan.scenarios, &errors),
        result,
    })
}

/// What is hidden in a run's results, as the run was asked.
fn redactor(journal: &Journal, show_all: bool) -> Redactor {
    let planned = journal.events().find_map(|event| match event {
        Event::Plan(planned) => Some(planned),
        _ => None,
    });
    let mut hidden = planned.map(|planned| planned.hidden.clone()).unwrap_or_default();
    hidden.nothing |= show_all;
    Redactor::new(&hidden, planned.map(|planned| &*planned.plan))
}

/// Events in which text of the user's or of the server's may stand; the others are most of a journal, and figures.
fn has_text(event: &Event) -> bool {
    !matches!(event, Event::WaveBegin(_) | Event::Marked(_) | Event::Sampled(_))
}

/// Names of functions hold paths.
fn hide(shown: &mut profile::Shown, redactor: &Redactor) {
    shown.summary = redactor.redacted(&shown.summary);
    for name in &mut shown.waiting {
        *name = redactor.text(name);
    }
    for flame in &mut shown.flames {
        flame.names = Arc::new(flame.names.iter().map(|name| redactor.text(name)).collect());
    }
    if let Some(Ok(messages)) = &mut shown.messages {
        messages.function = redactor.text(&messages.function);
        messages.names.iter_mut().for_each(|name| *name = redactor.text(name));
    }
    for name in shown.paths.iter_mut().flat_map(|paths| &mut paths.names) {
        *name = redactor.text(name);
    }
}

/// What the journal knows of the profile pass: which wave wrote which part of the files.
fn recording(history: &RunHistory, paths: &[PathBuf], profiled: &Profiled) -> Recording {
    let wave = |scene: &Scene| {
        let done = history.done(Pass::Profile).find(|(wave, _)| wave.scene() == scene);
        let parallel = done.as_ref().map_or(0, |(wave, _)| wave.asked.parallel);
        let (messages, sessions, rounds) = done.map_or((0, 0, 0), |(wave, tally)| {
            let ended = tally.messages_accepted.max(tally.sessions.finished);
            (tally.messages_accepted, tally.sessions.finished, ended / u64::from(wave.asked.parallel.max(1)))
        });
        WaveAt { scenario: scene.scenario.clone(), wave: scene.wave, messages, sessions, rounds, parallel }
    };
    let marks = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut so_far = 0;
        let both = history.marked.iter().flat_map(|marked| [marked.begin.get(&name), marked.end.get(&name)]);
        let ascending = both.map(|length| {
            so_far = length.copied().unwrap_or(0).max(so_far);
            so_far
        });
        (path.clone(), ascending.collect())
    };
    Recording {
        messages: profiled.messages,
        writers: profiled.writers.clone(),
        served: profiled.served,
        waves: history.marked.iter().map(|marked| wave(&marked.scene)).collect(),
        marks: paths.iter().map(marks).collect(),
    }
}

/// The day on which the run began: what is accepted until a day is judged by that, whenever the report is written.
fn day(started: &str) -> String {
    started.get(..10).unwrap_or_default().to_owned()
}

/// Every figure of every floor: what is judged of the whole tree, all else summed over the processes that are the server.
fn floors(history: &RunHistory) -> Vec<FloorRow> {
    let mut rows = Vec::new();
    for floor in &history.floors {
        let mut sums = sums(&floor.processes);
        if let Some(tree) = &floor.tree {
            // What one process has of them is in the journal; here stands what the verdict is about.
            sums.remove("rss_anon");
            for metric in Metric::ALL {
                if let Some(value) = judged(metric, Some(tree), &floor.processes) {
                    sums.insert(metric.name().to_owned(), value);
                }
            }
            let parts = [("rss_shared", tree.shared), ("rss_swapped", tree.swapped), ("rss_held", tree.held)];
            sums.extend(parts.map(|(name, value)| (name.to_owned(), value as f64)));
            sums.insert("zombies".to_owned(), tree.zombies as f64);
        }
        for (metric, value) in sums {
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

fn target(history: &RunHistory, command: &[String]) -> TargetInfo {
    let mut target =
        TargetInfo { command: command.to_vec(), versions: history.versions.clone(), ..TargetInfo::default() };
    for (pass, at) in &history.launches {
        let started = at.launch.as_ref();
        if let Some(attached) = started.filter(|launch| launch.attached) {
            target.command.clone_from(&attached.command);
        }
        target.settings.insert(
            pass.name().to_owned(),
            PassSettings {
                command: started.map(|launch| launch.command.clone()).unwrap_or_default(),
                environment: started.map(|launch| launch.environment.clone()).unwrap_or_default(),
                address: at.ready.as_ref().map(|ready| ready.address.clone()),
            },
        );
        if let Some(exit) = &at.exit {
            target.exit.insert(pass.name().to_owned(), exit.how.clone());
        }
    }
    target
}

/// The configuration's, or else what Xdebug is set to in the server's PHP.
fn editor(history: &RunHistory) -> Option<Editor> {
    let served = history.launches.values().rev().find_map(|at| at.ready.as_ref()?.editor.as_deref());
    history.settings.editor.as_deref().or(served).and_then(|form| Editor::of(form).ok())
}

fn warnings(history: &RunHistory) -> Vec<Warning> {
    let mut warnings = history.warnings.clone();
    let launches = history.launches.values().filter_map(|at| at.launch.as_ref());
    for note in launches.flat_map(|launch| &launch.notes) {
        warnings.push(Warning { kind: WarningKind::Settings, text: note.clone(), advice: String::new() });
    }
    if !history.dropped_settings.is_empty() {
        warnings.push(Warning {
            kind: WarningKind::Settings,
            text: format!(
                "The run was configured for an earlier rule; this no longer means anything: {}.",
                history.dropped_settings.join(", ")
            ),
            advice: "Its other settings are obeyed.".to_owned(),
        });
    }
    warnings.extend(history.damage.as_ref().map(|damage| Warning {
        kind: WarningKind::DamagedJournal,
        text: phrase::damaged_journal(damage.lines, damage.first_line, damage.first_byte),
        advice: phrase::DAMAGED_JOURNAL_ADVICE.to_owned(),
    }));
    warnings
}

fn failures(history: &RunHistory) -> Vec<Failure> {
    let failure = |failure: &crate::journal::Failure| Failure {
        kind: failure.kind,
        scenario: failure.scene.scenario.clone(),
        pass: failure.scene.pass,
        sentence: match failure.advice.as_str() {
            "" => failure.sentence.clone(),
            advice => format!("{} {advice}", failure.sentence),
        },
    };
    history.failures.iter().map(failure).collect()
}

/// Seconds of processor time from which two passes are compared: the kernel counts it in hundredths.
const ENOUGH: f64 = 0.2;

/// What a pass did of a scenario: sessions that ended, and the server's processor time in seconds.
type Work = (u64, f64);

/// How many times the processor time the server needed under the profiler.
fn overhead(history: &RunHistory) -> Option<f64> {
    let clean = load::totals(history, Pass::Measure);
    let profiled = load::totals(history, Pass::Profile);
    let both = profiled.iter().filter_map(|(name, slow, slow_cpu)| {
        let (_, fast, fast_cpu) = clean.iter().find(|(own, ..)| own == name)?;
        Some(((slow.asked.finished, *slow_cpu), (fast.asked.finished, *fast_cpu)))
    });
    times_the_work(both)
}

/// How many times the second of each pair the first cost, for the same work. Rates would not tell: they go by the size of a
/// wave, and by who else runs.
fn times_the_work(scenarios: impl Iterator<Item = (Work, Work)>) -> Option<f64> {
    let told = scenarios.filter(|(_, (done, cpu))| *done > 0 && *cpu >= ENOUGH);
    let (slow, fast) = told.fold((0.0, 0.0), |(slow, fast), ((slow_done, slow_cpu), (fast_done, fast_cpu))| {
        (slow + slow_cpu, fast + fast_cpu * slow_done as f64 / fast_done as f64)
    });
    (slow >= ENOUGH && fast > 0.0).then(|| slow / fast)
}

fn all_errors(history: &RunHistory) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (_, tally) in history.done(Pass::Measure) {
        for (kind, count) in &tally.errors {
            *errors.entry(kind.clone()).or_default() += count;
        }
    }
    errors
}

/// What to paste to have the run again: in its folder, and into a folder of its own.
fn reproduce(typed: &[String], cwd: Option<&str>) -> String {
    use crate::model::shell;
    let mut kept = vec!["profile-run"];
    let command = typed.iter().position(|word| word == "--").unwrap_or(typed.len());
    let mut words = typed[..command].iter();
    while let Some(word) = words.next() {
        // A folder that has a run in it is refused.
        match word.as_str() {
            "--out" => drop(words.next()),
            word if word.starts_with("--out=") => {}
            word => kept.push(word),
        }
    }
    kept.extend(typed[command..].iter().map(String::as_str));
    let run = shell::line(kept);
    cwd.map_or(run.clone(), |cwd| format!("{} && {run}", shell::line(["cd", cwd])))
}

fn last_words(history: &RunHistory) -> Vec<(String, Vec<String>)> {
    let of = |at: &LaunchAt| at.exit.as_ref().map(|exit| exit.last_words.clone()).unwrap_or_default();
    history.launches.iter().map(|(pass, at)| (pass.name().to_owned(), of(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_runs_where_the_run_did_and_into_a_new_folder() {
        let typed =
            ["--out", "old", "--load", "churn", "--out=o", "--", "php", "it's", "--out", "x"].map(str::to_owned);
        assert_eq!(
            reproduce(&typed, Some("/srv/a b")),
            "cd '/srv/a b' && profile-run --load churn -- php \"it's\" --out x"
        );
        assert_eq!(reproduce(&typed[6..7], None), "profile-run php");
    }

    #[test]
    fn a_run_is_judged_by_its_own_day() {
        assert_eq!(day("2026-11-25T14:02:33.5+01:00"), "2026-11-25");
        assert_eq!(day(""), "", "before every day on which something may expire");
    }

    #[test]
    fn the_profilers_work_is_told_by_processor_time_of_the_same_scenarios() {
        let of = |scenarios: &[(Work, Work)]| times_the_work(scenarios.iter().copied());
        // 1.25 ms a session becomes 3.75 ms; what had no time to be told by is left out.
        assert_eq!(of(&[((200, 0.75), (1000, 1.25)), ((5000, 9.0), (3, 0.01))]), Some(3.0));
        assert_eq!(of(&[((200, 0.01), (1000, 1.0))]), None, "too little under the profiler");
        assert_eq!(of(&[((200, 3.0), (0, 1.0))]), None, "nothing was done");
        assert_eq!(of(&[]), None);
    }
}
