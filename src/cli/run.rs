//! A run from its plan to its report.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Zoned;

use super::config::Config;
use super::exit::Exit;
use super::main_job::default_folder;
use crate::conductor::{self, Interrupt, Order};
use crate::console::{Console, Detail, JsonLines, Style};
use crate::journal::{Folder, Observer, Writer};
use crate::plan::Plan;
use crate::units::Clock;

/// Where runs lie whose folder was not given.
const RUNS: &str = "profile-run-out";

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
}

/// Carries the plan out, and writes and shows what came of it.
///
/// # Errors
/// It could not be run at all; what was gathered until then lies in its folder.
pub fn run(plan: Plan, config: &Config, show: &Show) -> anyhow::Result<Exit> {
    let (invocation, cwd) = conductor::understand(&plan)?;
    let interrupt = Interrupt::listen().context("signals cannot be listened to")?;
    let now = Zoned::now();
    let stamp = now.strftime("%Y-%m-%d-%H%M%S").to_string();
    let root = show.out.clone().unwrap_or_else(|| default_folder(Path::new(RUNS), &stamp));
    let folder = Folder::create(&root)?;
    if show.out.is_none() {
        point_latest(&root);
    }
    let style = Style::of(show.json);
    let detail = match (show.quiet, show.verbose) {
        (true, _) => Detail::Quiet,
        (_, true) => Detail::Events,
        _ => Detail::Steps,
    };
    let console = Console::new(style, detail, show.json);
    let observer: Box<dyn Observer> =
        if show.json { Box::new(JsonLines { beside: console }) } else { Box::new(console) };
    let journal = Writer::create(&folder.journal(), Clock::start(), observer)
        .with_context(|| format!("{} cannot be written", folder.journal().display()))?;
    let order = Order {
        plan: &plan,
        bounds: &config.settings.bounds,
        settings: serde_json::to_value(&config.settings)?,
        folder: &folder,
        journal,
        started: now.timestamp().to_string(),
        invocation,
        cwd,
        interrupt,
    };
    conductor::run(order)?;
    println!("{}", folder.root().display());
    Ok(Exit::Held)
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
