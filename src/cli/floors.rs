//! `profile-run analyze FILE.csv`: floors that were recorded elsewhere, judged column by column.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::exit::Exit;
use super::stdout::{errln, outln};
use crate::analysis::csv::{ColumnFinding, FloorTable};
use crate::phrase::significant;
use crate::verdict::Bounds;

#[derive(Debug, Serialize)]
struct Output {
    findings: Vec<Found>,
}

#[derive(Debug, Serialize)]
struct Found {
    file: PathBuf,
    #[serde(flatten)]
    finding: ColumnFinding,
}

/// Judges each file, prints what was found, and says on stderr which could not be read.
pub fn run(paths: &[PathBuf], json: bool, bounds: &Bounds) -> anyhow::Result<Exit> {
    let mut findings = Vec::new();
    let mut read = 0;
    for path in paths {
        match judge(path, bounds) {
            Ok(found) => {
                read += 1;
                findings.extend(found.into_iter().map(|finding| Found { file: path.clone(), finding }));
            }
            Err(error) => errln!("profile-run: {error:#}"),
        }
    }
    if read == 0 {
        return Ok(Exit::CouldNotRun);
    }
    if json {
        outln!("{}", serde_json::to_string_pretty(&Output { findings })?);
    } else {
        print(&findings, paths.len() > 1);
    }
    Ok(Exit::Held)
}

fn judge(path: &Path, bounds: &Bounds) -> anyhow::Result<Vec<ColumnFinding>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text =
        String::from_utf8(text).with_context(|| format!("{}: no text; a CSV of floors is expected", path.display()))?;
    Ok(FloorTable::parse(path, &text)?.judge(bounds))
}

fn print(findings: &[Found], with_file: bool) {
    let mut file = None;
    for Found { file: of, finding } in findings {
        if with_file && file != Some(of) {
            outln!("{}", of.display());
            file = Some(of);
        }
        outln!("{:<14} {:<12} {}", finding.metric, finding.state.word(), finding.evidence);
        if let Some(more) = &finding.would_decide {
            let work = significant(more.work as f64);
            outln!("{:<27} about {work} more would decide", "");
        }
    }
}
