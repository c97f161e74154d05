//! One file of Xdebug's, from its bytes to its tree, with what is said of it.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::build::{LEFT_OUT, Room, STILL_RUNNING};
use super::fibers::Role;
use super::forks;
use super::kept;
use super::lexer::WRITE_BLOCK;
use super::mapped::{self, Mapped};
use super::processes::by_process;
use super::record::{Recorded, Recorder};
use super::spill::Spill;
use crate::profile::calls::Calls;
use crate::profile::contents::{Dialect, FileSummary, LEFT_OUT_NAME, STILL_RUNNING_NAME, Units};
use crate::profile::defect::{Defect, DefectKind};
use crate::profile::error::Error;
use crate::profile::files::Files;
use crate::profile::header::Header;
use crate::profile::map::Map;
use crate::profile::names::Functions;
use crate::profile::read::{FileProfile, Look, Options};
use crate::profile::sizes::Sizes;
use crate::profile::slices::{Place, Time};
use crate::profile::source::{self, Fork, Source};
use crate::profile::tree::{CallTree, Cost, Node};

/// Reads a file: the short way where it is whole and as Xdebug 3 writes it, else by the compact form. `files` opens it
/// anew, for a second look at it, and what it needs beside it.
pub(crate) fn read(
    path: &Path,
    source: Source,
    files: &Files<'_>,
    options: &Options,
    look: Look<'_>,
    names: &mut Functions,
) -> Result<FileProfile, Error> {
    let room = Room::of(options.max_tree);
    if let Source::Mapped(map) = &source
        && map.starts_with(kept::BEGIN)
    {
        return followed(path, source, room, look, names);
    }
    if let Source::Mapped(map) = &source
        && !source::has_header(map)
        && let Some(from) = source::forked_from(path)
    {
        return forked(path, map, from, files, room, look, names);
    }
    let (twice, compressed) = (!matches!(source, Source::Stream(_)), matches!(source, Source::Gzip(_)));
    if let Source::Mapped(map) = &source
        && !options.streamed
        && look.callers.is_none()
        && look.calls.is_none()
        && let Some(mapped) = mapped::read(map, options, look.marks)
    {
        refuse_others(path, &mapped.header)?;
        let length = map.len() as u64;
        drop(source);
        return Ok(mapped_profile(path, mapped, length, names));
    }
    let (recorded, cut_compression) = record(path, source, u64::MAX, look.marks)?;
    refuse_others(path, &recorded.found.header)?;
    // What a damaged archive unpacks to tells nothing of who wrote it.
    let damaged = cut_compression && files.broken().is_some_and(|(_, ends)| !ends);
    let writers = if damaged { 1 } else { writers(&recorded) };
    let mut not_plain = None;
    if writers > 1 || recorded.found.torn && !damaged {
        match files.open_plain(recorded.found.bytes) {
            Ok(map) => {
                // Marks are bytes as they lie on the disk.
                let marks = look.marks.map(|marks| if compressed { &[] } else { marks });
                if let Some(mut file) = by_process(path, &map, writers, room, Look { marks, ..look }, names)? {
                    if cut_compression {
                        let found = &recorded.found;
                        file.summary.damaged(DefectKind::CutCompression, found.bytes, || found.good_lines);
                    }
                    return Ok(file);
                }
            }
            Err(reason) => not_plain = Some(reason),
        }
    }
    if writers < 2 {
        return xdebug_profile(path, recorded, cut_compression, look, room, names);
    }
    // Behind the first place where the writers' blocks mix, an id may mean another process's name; behind the first
    // process's end, a record may be one that it has written already.
    let first = recorded.found.first_defect.clone();
    let body = recorded.found.body.unwrap_or(0);
    let block = |offset: u64| body + offset.saturating_sub(body) / WRITE_BLOCK * WRITE_BLOCK;
    let mixed = first.as_ref().map_or(u64::MAX, |defect| block(defect.offset));
    let certain = mixed.min(recorded.found.first_end.unwrap_or(u64::MAX)).min(recorded.found.bytes);
    let (all, defects) = (recorded.found.bytes, recorded.found.defects);
    let not_plain = not_plain.map_or_else(String::new, |reason| format!("; {reason}"));
    if !twice {
        let reason = format!("written by {writers} processes{not_plain}");
        return Err(Error::NoProfile { path: path.to_owned(), reason });
    }
    let (part, _) = record(path, files.open_again()?, certain, look.marks)?;
    if part.found.records == 0 {
        let reason = format!(
            "written by {writers} processes whose records mix from the start: profile with one worker{not_plain}"
        );
        return Err(Error::NoProfile { path: path.to_owned(), reason });
    }
    let mut file = xdebug_profile(path, part, false, look, room, names)?;
    file.summary.complete = false;
    file.summary.writers = writers;
    file.summary.recovered_share = certain as f64 / all as f64;
    (file.summary.first_defect, file.summary.defects) = (first, defects);
    file.summary.warnings.push(format!(
        "written by {writers} processes into one file: only its first {certain} of {all} bytes, before their records mix or one of them has ended, are credited to functions{not_plain}"
    ));
    Ok(file)
}

/// Reads what was kept of a profile that was followed while it was written.
fn followed(
    path: &Path,
    source: Source,
    room: Room,
    look: Look<'_>,
    names: &mut Functions,
) -> Result<FileProfile, Error> {
    let Source::Mapped(map) = source else { unreachable!("looked at by the caller") };
    // Its blocks are no temporary file of ours: damage there is the file's.
    let damaged = |error| match error {
        Error::Compact { offset, reason } => {
            Error::NoProfile { path: path.to_owned(), reason: format!("damaged at byte {offset}: {reason}") }
        }
        other => other,
    };
    let mut recorded = kept::open(path, map).map_err(damaged)?;
    refuse_others(path, &recorded.found.header)?;
    // Which process wrote what would be told by the file itself, which is gone.
    if writers(&recorded) > 1 {
        let reason = "written by several processes, and no longer there as it was written: run again with --keep-raw, \
                      or with one worker";
        return Err(Error::NoProfile { path: path.to_owned(), reason: reason.to_owned() });
    }
    recorded.mark(look.marks.unwrap_or(&[]));
    xdebug_profile(path, recorded, false, look, room, names).map_err(damaged)
}

/// Forks within forks that are followed.
const DEEPEST: usize = 64;

/// Reads the profile of a forked process that has a file of its own: what its parent had written before tells what its
/// names mean, and is the parent's.
fn forked(
    path: &Path,
    text: &[u8],
    from: Fork,
    files: &Files<'_>,
    room: Room,
    look: Look<'_>,
    names: &mut Functions,
) -> Result<FileProfile, Error> {
    let mut before: Vec<(Map, usize)> = Vec::new();
    let until_fork = from.until;
    let mut next = Some(from);
    while let Some(Fork { written, parent, .. }) = next {
        let missing = |reason: &str| Error::NoProfile {
            path: path.to_owned(),
            reason: format!("its names stand in its parent's profile, {}: {reason}", parent.display()),
        };
        let Source::Mapped(map) = files.open_other(&parent)? else {
            return Err(missing("that is no plain file"));
        };
        if map.starts_with(kept::BEGIN) {
            return Err(missing("it was released while it was read; run again with --keep-raw"));
        }
        let whole = source::has_header(&map);
        let written = usize::try_from(written).ok().filter(|written| *written <= map.len());
        before.push((map, written.ok_or_else(|| missing("its beginning is missing"))?));
        if before.len() > DEEPEST {
            return Err(missing("more forks within forks than are followed"));
        }
        next = if whole { None } else { source::forked_from(&parent) };
    }
    // What both had in hand at the fork stands in both files, and is the parent's.
    let in_hand = before.first().map_or(0, |(map, written)| forks::in_common(&map[*written..], text));
    let mut pieces: Vec<&[u8]> = before.iter().rev().map(|(map, written)| &map[..*written]).collect();
    pieces.push(&text[..in_hand]);
    let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    let offset = length - in_hand as u64;
    let marks_within: Vec<u64> = look.marks.unwrap_or(&[]).iter().map(|mark| mark.saturating_add(offset)).collect();
    let recorder = Recorder::forked(Spill::new(), pieces, marks_within, until_fork).map_err(sink_error)?;
    let mut recorded = push_all(recorder, &text[in_hand..])?;
    // It counts from the parent's start.
    recorded.found.summary = None;
    refuse_others(path, &recorded.found.header)?;
    let mut file = xdebug_profile(path, recorded, false, look, room, names)?;
    if let Some(defect) = &mut file.summary.first_defect {
        defect.offset = defect.offset.saturating_sub(offset);
        defect.line = 1 + memchr::memchr_iter(b'\n', &text[..text.len().min(defect.offset as usize)]).count() as u64;
    }
    Ok(file)
}

/// Takes the rest of a file, whole in memory.
fn push_all(mut recorder: Recorder<Spill>, text: &[u8]) -> Result<Recorded<Spill>, Error> {
    text.chunks(1 << 20).try_for_each(|part| recorder.push(part)).map_err(sink_error)?;
    recorder.finish().map_err(sink_error)
}

pub(super) fn sink_error(error: std::io::Error) -> Error {
    Error::Compact { offset: 0, reason: error.to_string() }
}

/// Processes that wrote into the file, as far as can be told.
fn writers(recorded: &Recorded<Spill>) -> u64 {
    let found = &recorded.found;
    1 + found.second_summaries.max(u64::from(found.redefined > 0 || found.behind_summary > 0))
}

/// Files of other programs have the same grammar but another meaning: their edges are no calls in order.
fn refuse_others(path: &Path, header: &Header) -> Result<(), Error> {
    let creator = header.creator.as_str();
    let counts = header.events.first().map_or("", String::as_str);
    let other = match (creator, counts) {
        ("", "") => return Ok(()),
        ("", events) if !events.starts_with("Time") => format!("events {events}"),
        (creator, _) if !creator.is_empty() && !creator.starts_with("xdebug") => creator.to_owned(),
        _ => return Ok(()),
    };
    let reason = format!("no profile of Xdebug's ({other}): files of other programs are not read");
    Err(Error::NoProfile { path: path.to_owned(), reason })
}

/// The first `limit` bytes of a file in compact form, and whether its compression was cut.
fn record(path: &Path, source: Source, limit: u64, marks: Option<&[u64]>) -> Result<(Recorded<Spill>, bool), Error> {
    // Marks are bytes as they lie on the disk.
    let marks = if matches!(source, Source::Gzip(_)) { Vec::new() } else { marks.unwrap_or(&[]).to_vec() };
    let mut recorder = Recorder::marked(Spill::new(), marks);
    let mut cut_compression = false;
    match source {
        Source::Mapped(map) => {
            for part in map[..map.len().min(usize::try_from(limit).unwrap_or(usize::MAX))].chunks(1 << 20) {
                recorder.push(part).map_err(sink_error)?;
            }
        }
        Source::Stream(stream) => read_all(path, &mut stream.take(limit), &mut recorder)?,
        Source::Gzip(stream) => match read_all(path, &mut stream.take(limit), &mut recorder) {
            Ok(()) => {}
            Err(Error::Io { .. }) => cut_compression = true,
            Err(error) => return Err(error),
        },
    }
    Ok((recorder.finish().map_err(sink_error)?, cut_compression))
}

fn read_all(path: &Path, stream: &mut dyn Read, recorder: &mut Recorder<Spill>) -> Result<(), Error> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        let length = match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io(path, error)),
        };
        let outcome = recorder.push(&buffer[..length]);
        outcome.map_err(|error| Error::Compact { offset: 0, reason: error.to_string() })?;
    }
}

/// What the short way found of a file.
fn mapped_profile(path: &Path, mapped: Mapped, bytes: u64, names: &mut Functions) -> FileProfile {
    let (line, offset) = mapped.end;
    let complete = mapped.summary.is_some();
    let lost = if complete { 0 } else { bytes - offset };
    let mut ids: HashMap<u64, u64> = HashMap::new();
    for node in &mapped.tree.nodes()[1..] {
        ids.entry(node.key).or_insert_with(|| {
            u64::from(match node.key {
                STILL_RUNNING => names.intern("", STILL_RUNNING_NAME),
                LEFT_OUT => names.intern("", LEFT_OUT_NAME),
                key => {
                    let (file, function) = mapped::ids(key);
                    names.intern(&text(&mapped.files[&file]), &text(&mapped.functions[&function]))
                }
            })
        });
    }
    let mut slices = mapped.slicer.finish(&mapped.tree);
    let mut tree = mapped.tree;
    if !tree.rekey(&ids) {
        let mut merged = CallTree::new();
        let places = merged.absorb(&tree, &mut |_, node| Some((ids[&node.key], node.cost)));
        slices = slices.moved(|node| Some(Place::all(places[node as usize])));
        tree = merged;
    }
    let kind = if lost > 0 { DefectKind::CutRecord } else { DefectKind::NoSummary };
    let mut summary = FileSummary {
        path: path.to_owned(),
        records: mapped.records,
        complete,
        recovered_share: 1.0 - lost as f64 / bytes as f64,
        own: mapped.own,
        runs: 1,
        writers: 1,
        declared: mapped.summary,
        held_by_fibers: Cost::default(),
        first_defect: (!complete).then_some(Defect { line, offset, kind }),
        defects: if complete { 0 } else { 1 + u64::from(lost > 0) },
        warnings: Vec::new(),
        header: mapped.header,
    };
    summary.warnings.extend(misfit(summary.declared, tree.total().time));
    let (units, callers, calls) = (xdebug_units(&summary.header), Vec::new(), Calls::default());
    // Sums that were cut off are at the limit themselves: no cost here is below zero.
    let size = tree.nodes().iter().fold((0u64, 0u64), |sum, node| {
        let sizes = (node.cost.time.unsigned_abs(), node.cost.memory.unsigned_abs());
        (sum.0.saturating_add(sizes.0), sum.1.saturating_add(sizes.1))
    });
    let sizes = sizes(&units, size);
    FileProfile { units, summary, dialect: Dialect::Xdebug, tree, sizes, slices, callers, calls, graph: None }
}

/// What to say of calls that sum up to more time than the `summary:` of a file declares, by more than 1%: no script can.
/// One that declares more is right: PHP starts before the first call and ends behind the last, which takes the more the
/// busier the machine is. Where calls are missing, that is said by itself.
fn misfit(declared: Option<Cost>, total: i64) -> Option<String> {
    let declared = declared?.time;
    (declared > 0 && total > declared && declared.abs_diff(total) > total.unsigned_abs() / 100).then(|| {
        format!("its summary declares a time of {declared}, its calls sum up to {total}: shares are of the sum")
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn xdebug_units(header: &Header) -> Units {
    Units {
        nanoseconds_per_tick: Some(header.nanoseconds_per_tick()),
        time_event: header.events.first().cloned().unwrap_or_else(|| "Time".to_owned()),
        memory_event: header.events.iter().find(|event| event.starts_with("Memory")).cloned(),
    }
}

/// Sizes of time and memory by what the file calls them.
fn sizes(units: &Units, (time, memory): (u64, u64)) -> Sizes {
    let mut sizes = Sizes::default();
    sizes.add(&units.time_event, time);
    units.memory_event.iter().for_each(|event| sizes.add(event, memory));
    sizes
}

/// What an Xdebug file amounts to.
pub(super) fn xdebug_profile(
    path: &Path,
    mut recorded: Recorded<Spill>,
    cut_compression: bool,
    look: Look<'_>,
    room: Room,
    names: &mut Functions,
) -> Result<FileProfile, Error> {
    let (tree, slices) = recorded.tree(look.marks.is_some(), room)?;
    let callers = look.callers.map_or(Ok(Vec::new()), |sought| recorded.callers(sought))?;
    let calls = look.calls.map(|target| recorded.calls(target)).transpose()?.unwrap_or_default();
    if cut_compression {
        let (lines, bytes) = (recorded.found.good_lines, recorded.found.bytes);
        recorded.found.defect(lines, bytes, DefectKind::CutCompression);
        recorded.complete = false;
    }
    let found = &recorded.found;
    if found.runs == 0 {
        let reason = match (found.bytes, &found.first_defect) {
            (0, _) => "the file is empty: the server was stopped before Xdebug wrote, or profiling was off".to_owned(),
            (_, Some(defect)) => format!("no profile: {defect}"),
            _ => "no profile".to_owned(),
        };
        return Err(Error::NoProfile { path: path.to_owned(), reason });
    }
    if found.records == 0 {
        let reason = "a header without any record: no call had ended when the file was read".to_owned();
        return Err(Error::NoProfile { path: path.to_owned(), reason });
    }
    let role = |node: &Node| match node.key {
        STILL_RUNNING | LEFT_OUT => Role::Plain,
        key => Role::of(recorded.function(key).1),
    };
    let switches: Vec<bool> =
        tree.nodes().iter().enumerate().map(|(id, node)| id > 0 && role(node).is_switch()).collect();
    let (mut switched, mut held) = (0, Cost::default());
    for (node, _) in tree.nodes().iter().zip(&switches).filter(|(_, switch)| **switch) {
        switched += node.calls;
        held.add(node.cost);
    }
    // What they cost by themselves is known of all together: each call gets as much of it.
    let each = match switched {
        0 => 0,
        calls => (recorded.switching.min(held.time).max(0) as u64 + calls / 2) / calls,
    } as i64;
    held.time -= each * switched as i64;
    let mut ids = HashMap::new();
    let mut merged = CallTree::new();
    let places = merged.absorb(&tree, &mut |at, node| {
        let (file, name) = recorded.function(node.key);
        let id = *ids.entry(node.key).or_insert_with(|| names.intern(&text(file), &text(name)));
        let own = if switches[at as usize] { Cost { time: each * node.calls as i64, memory: 0 } } else { node.cost };
        Some((u64::from(id), own))
    });
    let calls = calls.settled(|key| {
        let (file, name) = recorded.function(u64::from(key));
        names.intern(&text(file), &text(name))
    });
    let slices = slices.moved(|node| {
        let place = Place::all(places[node as usize]);
        Some(if switches[node as usize] { Place { time: Time::ForACall(each), memory: false, ..place } } else { place })
    });
    let time_share = match recorded.own.time.max(0) as f64 {
        0.0 if recorded.lost > 0 => 0.0,
        0.0 => 1.0,
        own => own / (own + recorded.lost_time as f64),
    };
    let byte_share = 1.0 - found.lost_bytes.min(found.bytes) as f64 / found.bytes as f64;
    let units = xdebug_units(&found.header);
    let mut summary = FileSummary {
        path: path.to_owned(),
        header: found.header.clone(),
        records: found.records,
        complete: recorded.complete,
        recovered_share: time_share.min(byte_share),
        own: recorded.own,
        runs: found.runs,
        writers: if cut_compression { 1 } else { writers(&recorded) },
        declared: found.summary,
        held_by_fibers: held,
        first_defect: found.first_defect.clone(),
        defects: found.defects,
        warnings: Vec::new(),
    };
    if summary.header.lacks_its_unit() {
        let said = "its `events:` line is missing or damaged: time is taken for units of 10 ns, as Xdebug 3 writes it";
        summary.warnings.push(said.to_owned());
    }
    if let Some(first) = summary.first_defect.as_ref().filter(|_| summary.complete) {
        let said = match summary.defects {
            1 => format!("{first}"),
            count => format!("{count} places are damaged, and no call is lost by it; the first: {first}"),
        };
        summary.warnings.push(said);
    }
    // Of runs that were appended each must have said its time.
    let declared = summary.declared.filter(|_| found.complete_runs == found.runs);
    summary.warnings.extend(misfit(declared, merged.total().time));
    let sizes = sizes(&units, recorded.sizes);
    let dialect = Dialect::Xdebug;
    Ok(FileProfile { summary, dialect, units, tree: merged, sizes, slices, callers, calls, graph: None })
}
