//! A run from its plan to its report.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Zoned;

use super::against::{self, Other};
use super::config::Config;
use super::exit::Exit;
use super::export::{self, Wanted};
use super::hidden::hidden;
use super::outputs;
use super::stdout::{errln, outln};
use crate::analysis::view::RunView;
use crate::analysis::{self, Comparison, Earlier};
use crate::conductor::{self, Halt, Interrupt, Order};
use crate::console::{Closing, Console, Detail, JsonLines, Redacting, Style, closing};
use crate::journal::{Folder, Observer, Writer};
use crate::model::load_stats::LoadRow;
use crate::model::plan::{Pass, Plan};
use crate::model::{Against, Clock, Hidden, Side};
use crate::phrase::{self, Redactor};

/// Where runs lie whose folder was not given.
pub(super) const RUNS: &str = "profile-run-out";

/// Of the budget, what a run has that is made to confirm a broken threshold: it comes on top.
const AGAIN_PART: f64 = 0.25;

/// How a run is shown.
#[derive(Debug, Clone, Default)]
pub struct Show {
    /// The run's folder, where one was given.
    pub out: Option<PathBuf>,
    /// The verdict and the path alone.
    pub quiet: bool,
    /// Every event.
    pub verbose: bool,
    /// JSON lines.
    pub json: bool,
    /// Open the report.
    pub open: bool,
    /// Hide nothing.
    pub no_redact: bool,
    /// Formats of other programs to write, too.
    pub export: Vec<Wanted>,
    /// Nothing but the line that moves: whoever asked says what came of it.
    pub progress_alone: bool,
}

/// Carries the plan out, and writes and shows what came of it. `other`: the revision that is run beside it.
///
/// # Errors
/// It could not be run at all; what was gathered until then lies in its folder.
pub fn run(
    mut plan: Plan,
    config: &Config,
    show: &Show,
    other: Option<(Other, Option<String>)>,
) -> anyhow::Result<Exit> {
    let interrupt = Interrupt::listen().context("signals cannot be listened to")?;
    let Some((other, prepare)) = other else {
        return judged(plan, config, show, &interrupt).map(|(exit, _)| exit);
    };
    // What cannot be run at all is said before anything else is tried.
    let (_, cwd) = conductor::understand(&plan)?;
    plan.library = plan.library.within(conductor::project(&cwd));
    let given = given_baseline(&plan, show)?;
    let folder = new_folder(show)?;
    let compared = against::run(&other, &mut plan, prepare, config, show, (&folder, &interrupt))?;
    let Some(compared) = compared else { return Ok(Exit::Interrupted) };
    finished(&plan, config, show, &interrupt, folder, (given.or(Some(compared.base)), Some(compared.against)))
        .map(|(exit, _)| exit)
}

/// The same with signals that are heard already; gives what was judged, too, where anything was.
///
/// # Errors
/// As [`run`].
pub fn judged(
    mut plan: Plan,
    config: &Config,
    show: &Show,
    interrupt: &Interrupt,
) -> anyhow::Result<(Exit, Option<RunView>)> {
    let (_, cwd) = conductor::understand(&plan)?;
    plan.library = plan.library.within(conductor::project(&cwd));
    let given = given_baseline(&plan, show)?;
    let folder = new_folder(show)?;
    finished(&plan, config, show, interrupt, folder, (given, None))
}

/// The earlier run that was named.
fn given_baseline(plan: &Plan, show: &Show) -> anyhow::Result<Option<Earlier>> {
    let read = |path: &Path| outputs::read_run(path, Side::Base, show.no_redact);
    plan.baseline.as_deref().map(read).transpose().context("--baseline")
}

/// Carries a plan out and leaves its journal alone.
///
/// # Errors
/// As [`run`].
pub fn conducted(plan: &Plan, config: &Config, show: &Show, interrupt: &Interrupt) -> anyhow::Result<Folder> {
    let folder = new_folder(show)?;
    let hidden = hidden(show.no_redact);
    let redactor = Redactor::new(&hidden, Some(plan));
    conduct(plan, config, show, interrupt, (&folder, hidden, &redactor), None)??;
    Ok(folder)
}

/// The folder of a new run.
fn new_folder(show: &Show) -> anyhow::Result<Folder> {
    let Some(root) = &show.out else {
        let stamp = Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
        let folder = Folder::create_named(Path::new(RUNS), &stamp)?;
        point_latest(folder.root());
        return Ok(folder);
    };
    Ok(Folder::create(root)?)
}

/// Has the plan carried out; the inner error is one of the run, the outer one of what stands around it.
fn conduct(
    plan: &Plan,
    config: &Config,
    show: &Show,
    interrupt: &Interrupt,
    (folder, hidden, redactor): (&Folder, Hidden, &Redactor),
    against: Option<Against>,
) -> anyhow::Result<Result<(), Halt>> {
    let (invocation, cwd) = conductor::understand(plan)?;
    let detail = match (show.quiet, show.verbose) {
        _ if show.progress_alone => Detail::Progress,
        (true, _) => Detail::Quiet,
        (_, true) => Detail::Events,
        _ => Detail::Steps,
    };
    let console = Console::new(Style::of(show.json), detail, show.json);
    let observer: Box<dyn Observer> =
        if show.json && !show.progress_alone { Box::new(JsonLines { beside: console }) } else { Box::new(console) };
    let observer = Box::new(Redacting { redactor: redactor.clone(), shown: observer });
    let file = folder.new_journal().with_context(|| format!("{} cannot be written", folder.journal().display()))?;
    interrupt.in_order();
    let done = conductor::run(Order {
        plan,
        bounds: &config.settings.bounds,
        settings: serde_json::to_value(&config.settings)?,
        hidden,
        folder,
        journal: Writer::new(file, Clock::start(), observer),
        started: Zoned::now().timestamp().to_string(),
        invocation,
        cwd,
        interrupt: interrupt.clone(),
        against,
    });
    // The server is gone and the journal sealed: what follows can be made anew by `report`.
    interrupt.at_once();
    Ok(done)
}

/// Carries a plan out in its folder, judges it, and shows what came of it.
fn finished(
    plan: &Plan,
    config: &Config,
    show: &Show,
    interrupt: &Interrupt,
    folder: Folder,
    (baseline, against): (Option<Earlier>, Option<Against>),
) -> anyhow::Result<(Exit, Option<RunView>)> {
    let hidden = hidden(show.no_redact);
    let redactor = Redactor::new(&hidden, Some(plan));
    let cut = conduct(plan, config, show, interrupt, (&folder, hidden, &redactor), against)?;
    if let Err(error) = &cut {
        // What was measured until then is worth its verdict.
        errln!("profile-run: {}", redactor.text(&error.to_string()));
    }
    let style = Style::of(show.json);
    let mut view = match analysis::analyse(&folder, baseline.as_ref(), show.no_redact) {
        // It was said why: nothing had begun that could be told of.
        Err(_) if cut.is_err() => return Ok((Exit::CouldNotRun, None)),
        view => view?,
    };
    if cut.is_ok() && interrupt.came().is_none() && ran_again(plan, config, show, interrupt, &folder, &view)? {
        view = analysis::analyse(&folder, baseline.as_ref(), show.no_redact)?;
    }
    let written = outputs::write(&folder, &folder, &view);
    for missing in written.missing.iter().chain(&export::write(&view, &show.export, folder.root())) {
        errln!("profile-run: {missing}");
    }
    // A run that ended before its end was written down has no verdict that a script may rely on.
    let exit = if cut.is_err() { Exit::CouldNotRun } else { view.result.exit_code };
    if show.progress_alone {
        return Ok((exit, Some(view)));
    }
    if show.json {
        outln!("{}", serde_json::json!({ "event": "result", "result": view.result }));
    }
    let text = closing(&summary(&view, written.report.as_deref()), style, show.quiet);
    if show.json {
        errln!("{text}");
    } else {
        outln!("{text}");
    }
    if let Some(report) = written.report.as_deref().filter(|_| show.open) {
        open(report);
    }
    Ok((exit, Some(view)))
}

/// Runs the scenarios again in which a time broke its threshold; whether it did.
fn ran_again(
    plan: &Plan,
    config: &Config,
    show: &Show,
    interrupt: &Interrupt,
    folder: &Folder,
    view: &RunView,
) -> anyhow::Result<bool> {
    let names = analysis::to_confirm(&config.settings.thresholds, &view.result.thresholds);
    let scenarios: Vec<_> = plan.scenarios.iter().filter(|scenario| names.contains(&scenario.name)).cloned().collect();
    // Whoever has several runs made says himself what he makes of them.
    // Nor are workers of other machines called a second time.
    let alone = plan.remote_workers == 0;
    if scenarios.is_empty() || show.progress_alone || !view.result.failures.is_empty() || !alone {
        return Ok(false);
    }
    if !show.quiet {
        errln!("  {:<9} {}: a time broke its threshold, so it is run once more", "again", names.join(", "));
    }
    let plan = Plan {
        scenarios,
        passes: vec![Pass::Measure],
        ledger: false,
        budget: plan.budget.map(|budget| budget.mul_f64(AGAIN_PART)),
        baseline: None,
        ..plan.clone()
    };
    let show = Show {
        out: Some(folder.root().join(analysis::AGAIN)),
        progress_alone: true,
        json: show.json,
        no_redact: show.no_redact,
        ..Show::default()
    };
    conducted(&plan, config, &show, interrupt)?;
    Ok(interrupt.came().is_none())
}

/// The closing table: what a reader of the terminal wants to know.
fn summary(view: &RunView, report: Option<&Path>) -> Closing {
    let result = &view.result;
    let plain = |text: &String| text.replace('`', "");
    let mut lines: Vec<(String, String)> = Vec::new();
    // The evidence is a sentence or two, where to look stands last.
    lines.extend(result.evidence.iter().take(3).map(|text| (String::new(), plain(text))));
    let accepted: u64 = result.measured_load().map(|row| row.messages_accepted).sum();
    let sessions: u64 = result.measured_load().map(|row| row.sessions).sum();
    let errors: u64 = result.measured_load().map(LoadRow::refused_or_failed).sum();
    if sessions > 0 {
        lines.push((
            "load".to_owned(),
            format!(
                "{} accepted, {}, {} refused or failed",
                phrase::plural(accepted, "message"),
                phrase::plural(sessions, "session"),
                phrase::grouped(errors)
            ),
        ));
    }
    let peak = |key: &str| result.samples_summary.get(key).copied();
    if let (Some(rss), Some(fds)) = (peak("rss_peak"), peak("fd_peak")) {
        lines.push((
            "peak".to_owned(),
            format!("RSS {}, {}", phrase::bytes(rss), phrase::plural(fds as u64, "descriptor")),
        ));
    }
    if let Some(profile) = &result.profile {
        let work = profile.overhead.map_or(String::new(), |times| format!(", {}", phrase::profiled_work(times)));
        lines.push(("profile".to_owned(), format!("{}{work}", phrase::plural(profile.figures.records, "call"))));
    }
    let comparison = result.baseline.clone().and_then(|value| serde_json::from_value::<Comparison>(value).ok());
    if let Some(line) = comparison.and_then(|comparison| comparison.times_in_a_line()) {
        lines.push(("against".to_owned(), plain(&line)));
    }
    lines.extend(result.instructions.as_ref().map(|counted| ("count".to_owned(), phrase::counted_in_short(counted))));
    let report = report.map_or("not written".to_owned(), |report| report.display().to_string());
    let thresholds = result.thresholds.iter().map(|row| {
        let place = row.scenario.as_ref().map_or(String::new(), |scenario| format!(" in {scenario}"));
        (row.held, row.text.clone(), format!("{}{place}", phrase::threshold_figure(row)))
    });
    Closing {
        verdict: result.verdict,
        sentence: plain(&result.sentence),
        lines,
        thresholds: thresholds.collect(),
        report,
    }
}

/// Opens the report with what the desktop has for it.
fn open(report: &Path) {
    let opened = std::process::Command::new("xdg-open")
        .arg(report)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if opened.is_err() {
        errln!("profile-run: --open: xdg-open is not there; open {} by hand", report.display());
    }
}

/// Lets `profile-run-out/latest` point to the newest run. Only a help for people: no reason to fail.
fn point_latest(root: &Path) {
    let Some(name) = root.file_name() else { return };
    let link = root.with_file_name("latest");
    let part = root.with_file_name(format!(".latest.{}", std::process::id()));
    if std::os::unix::fs::symlink(name, &part).is_ok() && std::fs::rename(&part, &link).is_err() {
        let _ = std::fs::remove_file(&part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_table_of_recorded_runs() {
        let plain = Style { color: false, motion: false };
        let colored = Style { color: true, motion: false };
        for name in ["leak", "clean", "failed", "interrupted"] {
            let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runs").join(name);
            let view = analysis::analyse(&Folder::open(&run).unwrap(), None, false).unwrap();
            let table = summary(&view, Some(Path::new("/srv/run/report.html")));
            let text = closing(&table, plain, false) + "\n";
            let path = run.join("closing.txt");
            if std::env::var_os("PROFILE_RUN_BLESS").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(
                text,
                std::fs::read_to_string(&path).unwrap_or_default(),
                "{name}: PROFILE_RUN_BLESS=1 writes it anew"
            );
            // Colour changes no word of it.
            let painted = closing(&table, colored, false);
            assert!(painted.contains("\u{1b}["), "{painted:?}");
            assert_eq!(console::strip_ansi_codes(&painted) + "\n", text);
            // What was asked to be quiet says the verdict and where the report is.
            let quiet = closing(&table, plain, true);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(quiet.lines().collect::<Vec<_>>(), [lines[1], lines[lines.len() - 1]]);
        }
    }
}
