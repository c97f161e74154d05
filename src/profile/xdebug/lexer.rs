//! The tolerant lexer of Xdebug's files: any version, any state, bytes as they come. It gives
//! records and the ends of runs to a sink, and remembers what was damaged. Knows nothing of trees.

mod costs;
mod many;

use std::io;

use serde::{Deserialize, Serialize};

use super::fibers::Role;
use crate::profile::defect::{Defect, DefectKind};
use crate::profile::header::Header;
use crate::profile::names::{IdTable, Interner, NameField, Pairs};
use crate::profile::number::{Number, decimal};
use crate::profile::tree::Cost;

/// Xdebug writes its buffer in blocks of this size.
pub(crate) const WRITE_BLOCK: u64 = 4096;

/// A line longer than this belongs to no profile (names of 100 kB do).
const LONGEST_LINE: usize = 4 << 20;

/// In a claim's pair: Xdebug before 2.2 names the function that was called, and not its file.
pub(crate) const ANY_FILE: u32 = u32::MAX;

/// A call that a record says it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// File and function, or [`ANY_FILE`] where the file of the callee is not said.
    pub pair: u32,
    /// The function's name.
    pub name: u32,
    /// Line of the call in the caller's file.
    pub line: u32,
    /// Inclusive time, where the file gives it for this call alone.
    pub time: Option<i64>,
    /// Calls; more than one only in files that were edited or aggregated.
    pub count: u64,
}

/// A call that ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    /// Where it begins: line, from 1, and byte offset.
    pub place: (u64, u64),
    pub pair: u32,
    pub name: u32,
    pub role: Role,
    /// Its writer lets times wrap at 2^32 where the clock steps back.
    pub wraps: bool,
    pub cost: Cost,
    pub claims: Vec<Claim>,
}

/// What takes the lexer's records.
pub(crate) trait Sink {
    /// A record; `fibers` says that fibers were seen in this run.
    fn record(&mut self, record: &Record, fibers: bool) -> io::Result<()>;
    /// The end of a run; `ended` says that its writer has put its summary behind it.
    fn end_of_run(&mut self, ended: bool) -> io::Result<()>;
}

/// What a lexer has found, apart from records.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    pub header: Header,
    pub strings: Interner,
    pub pairs: Pairs,
    pub records: u64,
    /// Runs seen (a header or a record each).
    pub runs: u64,
    /// Runs that were complete.
    pub complete_runs: u64,
    /// Sum of the times and the greatest memory that `summary:` lines declare.
    pub summary: Option<Cost>,
    pub first_defect: Option<Defect>,
    pub defects: u64,
    /// Bytes that led to no record.
    pub lost_bytes: u64,
    pub bytes: u64,
    /// Lines that read as profile.
    pub good_lines: u64,
    /// Ids that mean several names in one run: several processes wrote the file.
    pub redefined: u64,
    pub second_summaries: u64,
    /// Where the first record begins.
    #[serde(default)]
    pub body: Option<u64>,
    /// Where the first summary of Xdebug 3 ends: what a process of the file has written stands before.
    #[serde(default)]
    pub first_end: Option<u64>,
    /// Records behind the summary that ends a file of Xdebug 3: another process goes on in it.
    pub behind_summary: u64,
    /// A line was met that belongs to no profile, or an id without a name: bytes are missing, or another's are between.
    pub torn: bool,
}

impl Found {
    pub(crate) fn defect(&mut self, line: u64, offset: u64, kind: DefectKind) {
        self.defects += 1;
        if self.first_defect.as_ref().is_none_or(|first| offset < first.offset) {
            self.first_defect = Some(Defect { line, offset, kind });
        }
    }
}

#[derive(Debug, Default, Clone)]
struct OpenRecord {
    file: Option<u32>,
    function: Option<u32>,
    has_cost: bool,
    record: Record,
}

/// The lexer. Feed it with [`push`](Lexer::push), then [`finish`](Lexer::finish).
#[derive(Debug, Default, Clone)]
pub(crate) struct Lexer {
    pub found: Found,
    partial: Vec<u8>,
    skipping: bool,
    line: u64,
    offset: u64,
    files: IdTable,
    functions: IdTable,
    columns: (usize, usize),
    /// Costs of a line.
    events: usize,
    modern: bool,
    /// The run is that of a forked process.
    forked: bool,
    /// Self times of the run's records.
    run_time: i64,
    fibers: bool,
    in_header: bool,
    in_run: bool,
    run_records: u64,
    run_summaries: u64,
    run_damaged: bool,
    file: Option<u32>,
    /// Where the line stands that names the file of a record to come.
    begun: Option<(u64, u64)>,
    open: Option<OpenRecord>,
    callee_file: Option<u32>,
    callee: Option<u32>,
    call_count: Option<u64>,
    /// Where the lines of the call begin whose cost is to come.
    call_begun: Option<(u64, u64)>,
    many: many::Many,
}

impl Lexer {
    pub(crate) fn new() -> Self {
        Lexer { columns: (0, 1), ..Lexer::default() }
    }

    /// What comes was written by a process that was forked here: it has the names so far, and what was found so far
    /// is another's.
    pub(crate) fn fork(&mut self) {
        let found = std::mem::take(&mut self.found);
        self.found =
            Found { header: found.header, strings: found.strings, pairs: found.pairs, runs: 1, ..Found::default() };
        (self.run_records, self.run_summaries, self.run_time, self.run_damaged) = (0, 0, 0, false);
        (self.in_run, self.forked) = (true, true);
    }

    /// Takes the next bytes of the file, cut anywhere.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) -> io::Result<()> {
        self.found.bytes += bytes.len() as u64;
        let mut at = 0;
        loop {
            if self.is_plain() {
                at = self.many(bytes, at, sink)?;
            }
            let Some(length) = memchr::memchr(b'\n', &bytes[at..]) else { break };
            let line = &bytes[at..at + length];
            at += length + 1;
            if self.partial.is_empty() && !self.skipping {
                self.line(line, sink)?;
            } else if self.skipping {
                self.skipping = false;
                self.offset += line.len() as u64;
                self.found.lost_bytes += line.len() as u64;
                self.line += 1;
                self.offset += 1;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, sink)?;
                whole.clear();
                self.partial = whole;
            }
        }
        let bytes = &bytes[at..];
        if self.skipping {
            self.offset += bytes.len() as u64;
            self.found.lost_bytes += bytes.len() as u64;
        } else if self.partial.len() + bytes.len() > LONGEST_LINE {
            self.damage(DefectKind::StrangeLine);
            let length = (self.partial.len() + bytes.len()) as u64;
            self.found.lost_bytes += length;
            self.offset += length;
            self.partial.clear();
            self.skipping = true;
        } else {
            self.partial.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The file has no more bytes.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        // What a file was given room for and never written: no line of anybody's.
        let written = self.partial.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.partial.truncate(written);
        if self.is_whole() {
            let line = std::mem::take(&mut self.partial);
            let place = (self.line + 1, self.offset);
            self.line(&line, sink)?;
            self.offset -= 1;
            let declared = self.found.summary.filter(|_| self.run_summaries > 0).map_or(i64::MIN, |cost| cost.time);
            let open = self.open.as_ref().map_or(0, |open| open.record.cost.time);
            if self.open.is_some() && declared != self.run_time.saturating_add(open) {
                self.run_damaged = true;
                self.found.defect(place.0, place.1, DefectKind::OpenLine);
            }
        }
        let cut_line = self.partial.len() as u64;
        // The line that is cut, or would come next.
        self.line += 1;
        let mut unfinished = None;
        if self.open.as_ref().is_some_and(|open| open.has_cost) {
            // Nothing but the blank line behind it is missing, or some of its calls.
            unfinished = self.call_begun;
            (self.callee, self.callee_file, self.call_count) = (None, None, None);
            if self.forked {
                // These would tell whether its parent has counted it already.
                unfinished = self.open.take().map(|open| open.record.place);
            }
            self.close_record(sink)?;
        }
        unfinished = unfinished.or(self.open.take().map(|open| open.record.place)).or(self.begun.take());
        if unfinished.is_some() || cut_line > 0 {
            let (line, begin) = unfinished.unwrap_or((self.line, self.offset));
            self.found.lost_bytes += self.offset + cut_line - begin;
            self.run_damaged = true;
            self.found.defect(line, begin, DefectKind::CutRecord);
        }
        self.end_run(sink)
    }

    /// The last line lacks nothing but its end.
    fn is_whole(&self) -> bool {
        let numbers = |fields: &[u8]| {
            let fields = fields.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
            fields.map(|field| matches!(decimal(field), Number::Is(_))).collect::<Vec<_>>()
        };
        let has = |found: Vec<bool>, count: usize| found.len() == count && !found.contains(&false);
        if let Some(costs) = self.partial.strip_prefix(b"summary:") {
            return has(numbers(costs), self.events.max(1));
        }
        // Xdebug 3 ends every file that it closes with its summary: a line that is open there is cut.
        self.open.is_some() && !self.modern && has(numbers(&self.partial), self.events + 1)
    }

    fn damage(&mut self, kind: DefectKind) {
        self.run_damaged = true;
        self.found.torn |= !matches!(kind, DefectKind::NoSummary);
        self.found.defect(self.line.max(1), self.offset, kind);
    }

    fn line(&mut self, raw: &[u8], sink: &mut impl Sink) -> io::Result<()> {
        self.line += 1;
        let length = raw.len() as u64 + 1;
        let line = match self.offset {
            // The mark that some editors put before the text.
            0 => raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw),
            _ => raw,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.read(line, sink)? {
            true => self.found.good_lines += u64::from(!line.is_empty()),
            false => {
                self.damage(DefectKind::StrangeLine);
                self.found.lost_bytes += length;
            }
        }
        self.offset += length;
        Ok(())
    }

    /// Reads one line. False when it belongs to no profile.
    fn read(&mut self, line: &[u8], sink: &mut impl Sink) -> io::Result<bool> {
        match line {
            [] => self.blank(sink)?,
            [b'0'..=b'9' | b'-' | b'+', ..] => return Ok(self.costs(line)),
            [b'f', b'l', b'=', name @ ..] => {
                self.close_record(sink)?;
                self.found.behind_summary += u64::from(self.modern && self.run_summaries > 0);
                self.found.body.get_or_insert(self.offset);
                self.begun = Some((self.line, self.offset));
                self.file = Some(self.name(name, true));
            }
            [b'f', b'n', b'=', name @ ..] => {
                self.close_record(sink)?;
                let function = self.name(name, false);
                self.begin_run();
                self.in_header = false;
                let place = self.begun.take().unwrap_or((self.line, self.offset));
                let record = Record { place, ..Record::default() };
                self.open = Some(OpenRecord { file: self.file, function: Some(function), has_cost: false, record });
            }
            [b'c', b'f', b'l' | b'i', b'=', name @ ..] => {
                self.end_call();
                self.call_begun.get_or_insert((self.line, self.offset));
                self.callee_file = Some(self.name(name, true));
            }
            [b'c', b'f', b'n', b'=', name @ ..] => {
                if self.call_count.is_some() || self.callee.is_some() {
                    self.end_call();
                }
                self.call_begun.get_or_insert((self.line, self.offset));
                self.callee = Some(self.name(name, false));
            }
            [b'c', b'a', b'l', b'l', b's', b'=', count @ ..] => {
                let count = count.split(|b| *b == b' ').next().unwrap_or_default();
                match decimal(count) {
                    Number::Is(count) if count >= 0 && self.open.is_some() => self.call_count = Some(count as u64),
                    _ => return Ok(false),
                }
            }
            [b's', b'u', b'm', b'm', b'a', b'r', b'y', b':', costs @ ..] => self.summary(costs, sink)?,
            [b't', b'o', b't', b'a', b'l', b's', b':', ..] => {}
            [b'#', ..] => {}
            line if line.starts_with(b"==== NEW PROFILING FILE") => self.end_run(sink)?,
            line => return self.header_line(line, sink),
        }
        Ok(true)
    }

    fn header_line(&mut self, line: &[u8], sink: &mut impl Sink) -> io::Result<bool> {
        let mut probe = Header::default();
        if !probe.take(line) {
            return Ok(false);
        }
        let first = self.found.header == Header::default();
        if !self.in_header {
            if self.run_records > 0 || self.open.is_some() {
                self.end_run(sink)?;
            }
            self.begin_run();
            self.in_header = true;
        }
        if first || self.found.runs <= 1 {
            self.found.header.take(line);
        }
        if !probe.events.is_empty() {
            self.columns = probe.columns();
            self.events = probe.events.len();
        }
        if !probe.creator.is_empty() {
            self.modern = probe.creator.starts_with("xdebug 3");
        }
        Ok(true)
    }

    fn begin_run(&mut self) {
        if !self.in_run {
            self.in_run = true;
            self.found.runs += 1;
        }
    }

    fn end_run(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        self.close_record(sink)?;
        if let Some(open) = self.open.take() {
            let (line, begin) = open.record.place;
            self.found.lost_bytes += self.offset - begin;
            self.run_damaged = true;
            self.found.defect(line, begin, DefectKind::CutRecord);
        }
        self.begun = None;
        if self.in_run {
            if self.run_summaries == 0 {
                self.damage(DefectKind::NoSummary);
            }
            let ended = self.run_summaries > 0;
            self.found.complete_runs += u64::from(ended && !self.run_damaged);
            sink.end_of_run(ended)?;
        }
        self.files.clear();
        self.functions.clear();
        self.many.forget();
        (self.fibers, self.in_header, self.in_run, self.run_damaged) = (false, false, false, false);
        (self.run_records, self.run_summaries, self.run_time, self.file) = (0, 0, 0, None);
        (self.callee, self.callee_file, self.call_count) = (None, None, None);
        Ok(())
    }

    fn name(&mut self, field: &[u8], is_file: bool) -> u32 {
        let (id, text) = match NameField::parse(field) {
            NameField::Bare(text) => return self.found.strings.intern(text),
            NameField::Defined(id, text) => (id, Some(text)),
            NameField::Used(id) => (id, None),
        };
        let table = if is_file { &mut self.files } else { &mut self.functions };
        let Some(text) = text else {
            return table.get(id).unwrap_or_else(|| {
                self.damage(DefectKind::UndefinedId(id));
                let kind = if is_file { "file" } else { "function" };
                self.found.strings.intern(format!("[undefined {kind} {id}]").as_bytes())
            });
        };
        let name = self.found.strings.intern(text);
        if table.define(id, name).is_err() {
            self.many.forget();
            self.found.redefined += 1;
            self.damage(DefectKind::RedefinedId(id));
        }
        if !is_file && Role::of(text).is_switch() {
            self.fibers = true;
        }
        name
    }

    fn blank(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        match self.open.as_ref().is_some_and(|open| open.has_cost) {
            true => self.close_record(sink),
            false => Ok(()),
        }
    }

    fn close_record(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        self.end_call();
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let Some(function) = open.function.filter(|_| open.has_cost) else {
            self.found.lost_bytes += self.offset - open.record.place.1;
            self.damage(DefectKind::EmptyRecord);
            return Ok(());
        };
        let file = open.file.unwrap_or_else(|| self.found.strings.intern(b""));
        open.record.pair = self.found.pairs.intern(file, function);
        open.record.name = function;
        open.record.wraps = !self.modern;
        open.record.role = Role::of(self.found.strings.get(function));
        self.found.records += 1;
        self.run_records += 1;
        self.run_time = self.run_time.saturating_add(open.record.cost.time);
        sink.record(&open.record, self.fibers)
    }

    fn summary(&mut self, costs: &[u8], sink: &mut impl Sink) -> io::Result<()> {
        self.blank(sink)?;
        self.begin_run();
        self.run_summaries += 1;
        if self.modern {
            self.found.first_end.get_or_insert(self.offset + (b"summary:".len() + costs.len()) as u64 + 1);
        }
        if self.run_summaries > 1 && self.modern {
            self.found.second_summaries += 1;
            self.damage(DefectKind::SecondSummary);
        }
        let mut costs =
            costs.split(|b| *b == b' ').filter(|field| !field.is_empty()).map(|field| match decimal(field) {
                Number::Is(value) => value,
                _ => 0,
            });
        let declared = Cost { time: costs.next().unwrap_or(0), memory: costs.next().unwrap_or(0) };
        let sum = self.found.summary.get_or_insert_default();
        sum.time = sum.time.saturating_add(declared.time);
        sum.memory = sum.memory.max(declared.memory);
        Ok(())
    }
}
