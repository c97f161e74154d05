//! One file of the format, from its bytes to its graph, with what is said of it.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use super::super::calls::Calls;
use super::super::contents::{Dialect, FileSummary};
use super::super::defect::{Defect, DefectKind};
use super::super::error::Error;
use super::super::names::Functions;
use super::super::read::FileProfile;
use super::super::sizes::Sizes;
use super::super::source::Source;
use super::super::tree::{CallTree, Cost};
use super::ending::finish;
use super::graph::Graph;
use super::inclusive::circles;
use super::reader::{Found, Reader};
use super::shown::units;
use crate::profile::slices::Slices;

/// A file whose costs are relative to others in more than one of so many lines is written that way, not
/// damaged.
const DAMAGE: u64 = 100;

/// Reads a file; its functions get ids of the profile.
///
/// # Errors
/// [`Error::Io`], or [`Error::NoProfile`] where there is no cost in the file or none that can be read right.
pub(in super::super) fn read(path: &Path, source: Source, names: &mut Functions) -> Result<FileProfile, Error> {
    let mut reader = Reader::new();
    let cut_compression = match source {
        Source::Mapped(map) => {
            map.chunks(1 << 20).for_each(|part| reader.push(part));
            false
        }
        Source::Stream(stream) => {
            read_all(stream, &mut reader).map_err(|error| Error::io(path, error))?;
            false
        }
        Source::Gzip(stream) => read_all(stream, &mut reader).is_err(),
    };
    finish(&mut reader);
    if cut_compression {
        let (line, offset) = (reader.lines.count(), reader.lines.bytes());
        reader.body.defect(Defect { line, offset, kind: DefectKind::CutCompression });
    }
    let bytes = reader.lines.bytes();
    let (found, sums) = (reader.body.found, reader.body.sums);
    if let Some(reason) = refusal(&found, bytes) {
        return Err(Error::NoProfile { path: path.to_owned(), reason });
    }
    let cachegrind = !found.callgrind && !found.header.cmd.is_empty() && sums.lines.is_some();
    let dialect = if cachegrind { Dialect::Cachegrind } else { Dialect::Callgrind };
    let (total, totals) = (sums.first(), sums.total.clone());
    let mut sizes = Sizes::default();
    found.events.iter().zip(&sums.sizes).for_each(|(event, size)| sizes.add(event, *size));
    let graph = Graph::new(&found, &reader.body.names, sums, names);
    let mut warnings = warnings(&found, dialect);
    if found.negative == 0 {
        warnings.extend(overcharged(&graph, &totals, names));
    }
    let declared = found.declared.first();
    let summary = FileSummary {
        path: path.to_owned(),
        records: found.records,
        complete: found.defects == 0,
        recovered_share: 1.0 - found.lost_bytes.min(bytes) as f64 / bytes.max(1) as f64,
        own: Cost { time: total, memory: 0 },
        runs: found.parts.max(1),
        writers: 1,
        declared: declared.map(|time| Cost { time, memory: 0 }),
        held_by_fibers: Cost::default(),
        first_defect: found.first_defect.clone(),
        defects: found.defects,
        warnings,
        header: found.header,
    };
    Ok(FileProfile {
        units: units(&graph.events, 0),
        summary,
        dialect,
        tree: CallTree::new(),
        sizes,
        slices: Slices::default(),
        callers: Vec::new(),
        calls: Calls::default(),
        graph: Some(graph),
    })
}

/// What to say of calls that were charged more than all that the file counts. In a circle of calls one cost stands in
/// several of them, and a difference of two files has costs below zero: there that is no mistake.
fn overcharged(graph: &Graph, totals: &[i64], names: &Functions) -> Option<String> {
    let places: HashMap<u32, u32> = graph.functions.keys().copied().zip(0..).collect();
    let mut callees = vec![Vec::new(); places.len()];
    for ((caller, callee), call) in &graph.calls {
        if let (Some(caller), Some(callee)) = (places.get(caller), places.get(callee)) {
            callees[*caller as usize].push((*callee, call.calls, 0));
        }
    }
    let circles = circles(&callees);
    let circle = |function: &u32| places.get(function).map(|at| circles[*at as usize]);
    let apart = graph.calls.iter().filter(|((caller, callee), _)| caller != callee && circle(caller) != circle(callee));
    let above = apart.filter_map(|(edge, call)| {
        // Of the first event, which is shown unless another is asked for: some that count beside it are no costs.
        let (cost, total) = (*call.costs.first()?, *totals.first()?);
        (cost > total).then_some((edge, cost, total))
    });
    let above: Vec<_> = above.collect();
    let ((caller, callee), cost, total) = above.iter().max_by_key(|(.., cost, total)| cost.abs_diff(*total))?;
    let others = match above.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Some(format!(
        "the calls of `{}` by `{}` are charged {cost} {}{others}, more than the {total} of all cost lines: either lines are \
         missing or the calls are charged too much, and inclusive costs are not certain",
        names.get(*callee).name,
        names.get(*caller).name,
        graph.events[0],
    ))
}

fn read_all(mut stream: Box<dyn Read>, reader: &mut Reader) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => reader.push(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Why nothing can be said of a file.
fn refusal(found: &Found, bytes: u64) -> Option<String> {
    if let Some(reason) = &found.refused {
        return Some(reason.clone());
    }
    if (found.compressed * DAMAGE > found.records || found.compressed > 0 && found.negative > 0)
        && let Some(first) = &found.first_compressed
    {
        return Some(format!("{first}; the format does not say relative to what, so the file is not read"));
    }
    if found.records > 0 {
        return None;
    }
    let events = match found.events.as_slice() {
        [] => "no `events:`".to_owned(),
        events => format!("events {}", events.join(" ")),
    };
    let writer = match found.header.creator.as_str() {
        "" => String::new(),
        creator => format!(", written by {creator}"),
    };
    Some(match &found.first_defect {
        _ if bytes == 0 => "the file is empty".to_owned(),
        Some(defect) => format!("no cost could be read ({events}{writer}): {defect}"),
        None => format!("a header without any cost line ({events}{writer}): nothing was counted in this part"),
    })
}

fn warnings(found: &Found, dialect: Dialect) -> Vec<String> {
    let mut warnings = found.declared.warnings(&found.events);
    if let Some(id) = found.unknown_object {
        warnings.push(format!("object ({id}) was never defined: functions in it have no object's name"));
    }
    if found.nameless {
        warnings.push("cost lines before any function was named stand under [no function]".to_owned());
    }
    if dialect == Dialect::Cachegrind {
        warnings.push("cachegrind's files hold no calls: every function stands alone".to_owned());
    }
    warnings
}
