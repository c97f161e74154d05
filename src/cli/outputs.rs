//! What a run leaves beside its journal: the result, the reports, and the plan and load as files of their own.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::analysis::Earlier;
use crate::analysis::difference::NotDrawn;
use crate::analysis::result::{RunResult, SCHEMA};
use crate::analysis::view::RunView;
use crate::journal::{Event, Folder, Journal, Readers};
use crate::model::Side;
use crate::report;

/// What was written of a run's results, and what could not be.
#[derive(Debug, Default)]
pub struct Written {
    /// Where the report is, if it could be written anywhere.
    pub report: Option<PathBuf>,
    /// What is missing and why, a sentence each.
    pub missing: Vec<String>,
}

/// Writes everything that is derived from a run's journal into `place`, each file whole. One that cannot be written
/// keeps no other from being written; a report that finds no room there is written among the temporary files.
pub fn write(folder: &Folder, place: &Folder, view: &RunView) -> Written {
    let mut written = Written::default();
    let mut put = |name: &str, content: anyhow::Result<Vec<u8>>, readers| {
        let done = content.and_then(|bytes| Ok(place.write_whole(name, &bytes, readers)?));
        done.map_err(|error| written.missing.push(format!("{name} could not be written: {error:#}"))).ok()
    };
    let html = report::html(view).map(String::into_bytes).map_err(anyhow::Error::from);
    let page = html.as_ref().ok().cloned();
    // What is asked for first is written first.
    let report = put("report.html", html, Readers::Umask);
    put("result.json", serde_json::to_vec_pretty(&view.result).map_err(Into::into), Readers::Umask);
    put("summary.md", Ok(report::markdown(view).into_bytes()), Readers::Umask);
    put("load.json", serde_json::to_vec_pretty(&view.result.load).map_err(Into::into), Readers::Umask);
    let plan = Journal::of(folder).ok().and_then(|journal| {
        journal.events().find_map(|event| match event {
            Event::Plan(planned) => Some(planned.plan.clone()),
            _ => None,
        })
    });
    if let Some(plan) = plan {
        put("plan.json", serde_json::to_vec_pretty(&plan).map_err(Into::into), Readers::Owner);
    }
    written.report = report.or_else(|| elsewhere(&page?));
    if !place.is_in_its_place() {
        let moved = format!(
            "{} was replaced while the run went on: its files are in the folder that stood there",
            place.root().display()
        );
        written.missing.push(moved);
    }
    written
}

/// A report where there is room: in a new folder among the temporary files.
fn elsewhere(page: &[u8]) -> Option<PathBuf> {
    ["/tmp", "/var/tmp", "/dev/shm"].iter().map(Path::new).chain([std::env::temp_dir().as_path()]).find_map(|base| {
        let folder = base.join(format!("profile-run-report-{}", std::process::id()));
        // Ours alone, and new: others may write where it is made.
        std::fs::DirBuilder::new().mode(0o700).create(&folder).ok()?;
        Folder::for_reports(&folder).ok()?.write_whole("report.html", page, Readers::Umask).ok()
    })
}

/// Reads a run with its profile, as a `side` of a comparison: from its folder, or from the result alone.
///
/// # Errors
/// It is none.
pub fn read_run(path: &Path, side: Side, show_all: bool) -> anyhow::Result<Earlier> {
    let result = read_result(path)?;
    // The folder that a result lies in is its run's, unless that was moved there.
    let view = Folder::open(path).ok().map(|folder| crate::analysis::analyse(&folder, None, show_all));
    Ok(match view {
        Some(Ok(view)) if view.result.started == result.started => match Earlier::of(view, side).paths {
            Err(NotDrawn::NoProfile(_)) if result.profile.is_some() => {
                Earlier { result, paths: Err(NotDrawn::Unreadable(side, "its files are not there".to_owned())) }
            }
            paths => Earlier { result, paths },
        },
        Some(Err(_)) => {
            Earlier { result, paths: Err(NotDrawn::Unreadable(side, "its journal cannot be understood".to_owned())) }
        }
        _ => Earlier::alone(result, side),
    })
}

/// Reads the result of a run: of its folder, its `result.json` or its `report.html`.
///
/// # Errors
/// It is none of them.
pub fn read_result(path: &Path) -> anyhow::Result<RunResult> {
    if path.is_dir() {
        let result = path.join("result.json");
        if result.is_file() {
            return read_result(&result);
        }
        // A run that was cut off has its journal alone.
        let folder = Folder::open(path)?;
        return Ok(crate::analysis::analyse(&folder, None, false)?.result);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let json = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => report::read_result(&text).ok_or_else(|| "it carries no result".to_owned()),
    };
    let schema = json.as_ref().ok().and_then(|json: &serde_json::Value| json["schema"].as_u64()).unwrap_or(0);
    if schema > u64::from(SCHEMA) {
        bail!(
            "{} has schema {schema}, this program reads up to {SCHEMA}: use the version that wrote it",
            path.display()
        );
    }
    match json.and_then(|json| serde_json::from_value(json).map_err(|error| error.to_string())) {
        Ok(result) => Ok(result),
        Err(why) => {
            bail!("{} is no run: give a run's folder, its result.json or its report.html ({why})", path.display())
        }
    }
}
