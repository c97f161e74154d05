//! What a run leaves beside its journal: the result, the reports, and the plan and load as files of their own.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::analysis::result::RunResult;
use crate::analysis::view::RunView;
use crate::journal::{Event, Folder, Journal, Readers};
use crate::report;

/// Writes everything that is derived from a run's journal, each file whole; gives back where the report is.
///
/// # Errors
/// The report cannot be drawn, or a file cannot be written.
pub fn write(folder: &Folder, view: &RunView) -> anyhow::Result<PathBuf> {
    let put = |name: &str, content: &[u8], readers| -> anyhow::Result<PathBuf> {
        folder.write_whole(name, content, readers).context("cannot be written")
    };
    if let Some(plan) = Journal::of(folder)?.events().find_map(|event| match event {
        Event::Plan(planned) => Some(planned.plan.clone()),
        _ => None,
    }) {
        put("plan.json", &serde_json::to_vec_pretty(&plan)?, Readers::Owner)?;
    }
    put("load.json", &serde_json::to_vec_pretty(&view.result.load)?, Readers::Umask)?;
    put("result.json", &serde_json::to_vec_pretty(&view.result)?, Readers::Umask)?;
    put("summary.md", report::markdown(view).as_bytes(), Readers::Umask)?;
    put("report.html", report::html(view)?.as_bytes(), Readers::Umask)
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
        return Ok(crate::analysis::analyse(&folder, None)?.result);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let json = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => report::read_result(&text)
            .ok_or_else(|| "it carries no result".to_owned())
            .and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string())),
    };
    match json {
        Ok(result) => Ok(result),
        Err(why) => {
            bail!("{} is no run: give a run's folder, its result.json or its report.html ({why})", path.display())
        }
    }
}
