//! `profile-run analyze FILE.csv`: floors that were recorded elsewhere, judged column by column.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::super::exit::Exit;
use super::super::stdout::{errln, outln};
use crate::analysis::csv::{ByteUnit, ColumnFinding, FloorTable};
use crate::model::{Metric, Reason, State, Why};
use crate::phrase;
use crate::profile::{STANDARD_INPUT, identity, standard_input};
use crate::report;
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

/// Judges each file, prints what was found, and says on stderr what could not be read or judged. The exit code follows the
/// verdict.
pub fn run(
    paths: &[PathBuf],
    json: bool,
    output: Option<&Path>,
    unit: Option<ByteUnit>,
    bounds: &Bounds,
) -> anyhow::Result<Exit> {
    let mut findings = Vec::new();
    let (mut exits, mut unreadable) = (Vec::new(), 0);
    let mut known = HashMap::new();
    for path in paths {
        if let Some(first) = identity(path).and_then(|identity| known.insert(identity, path)) {
            errln!("profile-run: {}: {} is the same file: it is judged once", first.display(), path.display());
            continue;
        }
        match judge(path, unit, bounds) {
            Ok(found) => {
                found.iter().for_each(|finding| say_what_is_not_judged(path, finding));
                exits.push(exit(&found));
                findings.extend(found.into_iter().map(|finding| Found { file: path.clone(), finding }));
            }
            Err(error) => {
                unreadable += 1;
                errln!("profile-run: {error:#}");
            }
        }
    }
    if unreadable == paths.len() {
        return Ok(Exit::CouldNotRun);
    }
    if json {
        let text = serde_json::to_string_pretty(&Output { findings })?;
        match output {
            Some(path) => report::write_whole(path, format!("{text}\n").as_bytes())?,
            None => outln!("{text}"),
        }
    } else {
        print(&findings, paths.len() > 1);
    }
    let has = |exit| exits.contains(&exit);
    Ok(match () {
        () if has(Exit::Failed) => Exit::Failed,
        () if has(Exit::Inconclusive) => Exit::Inconclusive,
        () => Exit::Held,
    })
}

fn judge(path: &Path, unit: Option<ByteUnit>, bounds: &Bounds) -> anyhow::Result<Vec<ColumnFinding>> {
    let text = match path == Path::new(STANDARD_INPUT) {
        true => standard_input().and_then(|mut input| {
            let mut text = Vec::new();
            input.read_to_end(&mut text)?;
            Ok(text)
        }),
        false => std::fs::read(path),
    };
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let text =
        String::from_utf8(text).with_context(|| format!("{}: no text; a CSV of floors is expected", path.display()))?;
    Ok(FloorTable::parse(path, &text)?.judge(unit, bounds))
}

/// A leak is one; else memory and each count must have been judged without one. Where one column of memory is clean, another
/// that is not decided changes nothing.
fn exit(findings: &[ColumnFinding]) -> Exit {
    if findings.iter().any(|finding| finding.state == State::Leak) {
        return Exit::Failed;
    }
    let known = |memory: bool| {
        findings.iter().filter(move |f| f.kind.is_some_and(|kind| kind.is_memory() == memory)).map(|f| f.state.holds())
    };
    let memory = known(true).count() == 0 || known(true).any(|holds| holds);
    let judged = known(true).chain(known(false)).count() > 0;
    if judged && memory && known(false).all(|holds| holds) { Exit::Held } else { Exit::Inconclusive }
}

fn say_what_is_not_judged(path: &Path, finding: &ColumnFinding) {
    let (path, name) = (path.display(), &finding.metric);
    match finding.why.first() {
        Some(Why::UnknownFigure { .. }) => errln!(
            "profile-run: {path}: column `{name}` is not judged, its name is not known; call it one of {}",
            Metric::ALL.map(Metric::name).join(", ")
        ),
        Some(Why::WrongUnit { odd }) => errln!(
            "profile-run: {path}: column `{name}` is not judged: {odd} of its figures can be no count of bytes \
             (resident memory comes in pages of 4,096); say their unit (--unit B, kB or MB)"
        ),
        _ if finding.reason == Some(Reason::NotReadable) => {
            errln!(
                "profile-run: {path}: column `{name}` is not judged: nothing was measured (all of it is empty or 0)"
            );
        }
        _ => {}
    }
}

fn print(findings: &[Found], with_file: bool) {
    let mut file = None;
    for Found { file: of, finding } in findings {
        if with_file && file != Some(of) {
            outln!("{}", of.display());
            file = Some(of);
        }
        let state = phrase::state(finding.state, finding.reason);
        outln!("{:<14} {:<12} {}", finding.metric, state, finding.evidence);
        if let Some(more) = &finding.would_decide {
            outln!("{:<27} would decide: {more}", "");
        }
    }
}
