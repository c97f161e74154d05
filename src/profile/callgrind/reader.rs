//! The reader of the format: lines in, sums and what was damaged out. Bytes may come in any pieces.

use super::super::defect::{Defect, DefectKind};
use super::super::header::Header;
use super::super::number::{Number, decimal};
use super::declared::Declared;
use super::fields::{self, cost_line};
use super::lines::{Line, Lines};
use super::names::{Kind, Names};
use super::place::{Next, Place};
use super::sums::{Sums, add};

/// More events than any program counts; beyond this a file is not read.
const MOST_EVENTS: usize = 128;

/// Stands in for the function of lines that come before any `fn=`.
const NO_FUNCTION: &[u8] = b"[no function]";

/// What was found in a file, apart from sums.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Header of the first part.
    pub header: Header,
    /// A header line that cachegrind's files do not have was seen.
    pub callgrind: bool,
    /// Names of all events, in the order in which they came.
    pub events: Vec<String>,
    /// Cost lines that were read.
    pub records: u64,
    pub parts: u64,
    /// What `summary:` and `totals:` of the part in hand declare, by event.
    pub summary: Option<Vec<i64>>,
    pub totals: Option<Vec<i64>>,
    /// The sum of what all parts declare of the first event, where each declares it.
    pub declared: Declared,
    /// The last part has its `totals:`, or a `summary:` behind its lines.
    pub ended: bool,
    pub first_defect: Option<Defect>,
    pub defects: u64,
    pub lost_bytes: u64,
    /// Lines with costs that are relative to others, and the first of them.
    pub compressed: u64,
    pub first_compressed: Option<Defect>,
    /// Lines with costs below zero.
    pub negative: u64,
    /// The first id of an object that was never defined.
    pub unknown_object: Option<u64>,
    /// Lines that came before any function was named.
    pub nameless: bool,
    /// A reason not to read the file.
    pub refused: Option<String>,
}

/// Reads one file.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) lines: Lines,
    pub(super) body: Body,
}

/// The reader apart from the cutting of lines.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) found: Found,
    pub(super) names: Names,
    pub(super) sums: Sums,
    place: Place,
    pub(super) next: Next,
    /// Where a call stands that waits for its cost.
    open_call: (u64, u64),
    positions: Vec<i64>,
    /// Which position is the line.
    line_column: usize,
    /// Index among all events of each cost of a line.
    pub(super) columns: Vec<usize>,
    costs: Vec<i64>,
    in_lines: bool,
    nameless: u32,
    /// Sums of all self costs, and cost lines, where the part in hand begins.
    begun: (Vec<i64>, u64),
}

impl Reader {
    pub(super) fn new() -> Self {
        let mut names = Names::default();
        let empty = names.plain(b"");
        let nameless = names.plain(NO_FUNCTION);
        let body = Body {
            found: Found::default(),
            names,
            sums: Sums::with_lines(),
            place: Place::new(empty),
            next: Next::Own,
            open_call: (0, 0),
            positions: vec![0],
            line_column: 0,
            columns: Vec::new(),
            costs: Vec::new(),
            in_lines: false,
            nameless,
            begun: (Vec::new(), 0),
        };
        Reader { lines: Lines::default(), body }
    }

    /// Takes the next bytes of the file, cut anywhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let body = &mut self.body;
        self.lines.push(bytes, |line| body.take(line));
    }
}

impl Body {
    /// The positions of the last cost line.
    pub(super) fn positions(&self) -> &[i64] {
        &self.positions
    }

    /// Takes one line.
    pub(super) fn take(&mut self, line: Line) {
        let outcome = match line.text {
            Some(text) => self.read(text, line),
            None => Err(DefectKind::StrangeLine),
        };
        if let Err(kind) = outcome {
            self.damage(line, kind);
        }
    }

    pub(super) fn damage(&mut self, line: Line, kind: DefectKind) {
        self.found.lost_bytes += line.length + 1;
        let defect = Defect { line: line.number, offset: line.offset, kind };
        if defect.kind == DefectKind::CompressedCost {
            self.found.compressed += 1;
            self.found.first_compressed.get_or_insert_with(|| defect.clone());
        }
        self.defect(defect);
    }

    pub(super) fn defect(&mut self, defect: Defect) {
        self.found.defects += 1;
        if self.found.first_defect.as_ref().is_none_or(|first| defect.offset < first.offset) {
            self.found.first_defect = Some(defect);
        }
    }

    fn read(&mut self, text: &[u8], line: Line) -> Result<(), DefectKind> {
        let text = match line.offset {
            0 => text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
            _ => text,
        };
        let text = text.trim_ascii();
        match text {
            [] | [b'#', ..] => return Ok(()),
            [b'0'..=b'9' | b'+' | b'-' | b'*', ..] => return self.costs(text),
            _ => {}
        }
        if !matches!(self.next, Next::Own | Next::Jump) {
            let (line, offset) = self.open_call;
            self.call(&[]);
            self.defect(Defect { line, offset, kind: DefectKind::OpenCall });
        }
        self.next = Next::Own;
        let Some(at) = text.iter().take(16).position(|byte| matches!(byte, b'=' | b':')) else {
            return Err(DefectKind::StrangeLine);
        };
        let (key, value) = (&text[..at], text[at + 1..].trim_ascii());
        match text[at] {
            b'=' => {
                self.in_lines = true;
                self.specification(key, value, line)
            }
            _ => self.header(key, value),
        }
    }

    /// `key=value`.
    fn specification(&mut self, key: &[u8], value: &[u8], line: Line) -> Result<(), DefectKind> {
        match key {
            b"fn" => {
                let name = self.name(Kind::Function, value, line);
                self.place.name(name);
            }
            b"fl" => {
                let name = self.name(Kind::File, value, line);
                self.place.home(name);
            }
            b"fi" | b"fe" => {
                let name = self.name(Kind::File, value, line);
                self.place.inline(name);
            }
            b"ob" => {
                let name = self.name(Kind::Object, value, line);
                self.place.object(name);
            }
            b"cfn" => {
                let name = self.name(Kind::Function, value, line);
                self.place.callee_name(name);
            }
            b"cfl" | b"cfi" => {
                let name = self.name(Kind::File, value, line);
                self.place.callee_file(name);
            }
            b"cob" => {
                let name = self.name(Kind::Object, value, line);
                self.place.callee_object(name);
            }
            b"calls" => return self.calls(value, line),
            b"jump" | b"jcnd" => self.next = Next::Jump,
            // They define ids as the others do.
            b"jfi" | b"jfl" => drop(self.name(Kind::File, value, line)),
            b"jfn" | b"frfn" => drop(self.name(Kind::Function, value, line)),
            b"job" => drop(self.name(Kind::Object, value, line)),
            b"rec" => {}
            _ => return Err(DefectKind::StrangeLine),
        }
        Ok(())
    }

    fn name(&mut self, kind: Kind, field: &[u8], line: Line) -> u32 {
        match self.names.read(kind, field) {
            Ok(name) => name,
            // Nothing but the name of an object is lost, and no cost depends on it.
            Err(id) if kind == Kind::Object => {
                self.found.unknown_object.get_or_insert(id);
                self.names.plain(format!("[undefined ({id})]").as_bytes())
            }
            Err(id) => {
                let kind = DefectKind::UndefinedId(id);
                self.defect(Defect { line: line.number, offset: line.offset, kind });
                self.names.plain(format!("[undefined ({id})]").as_bytes())
            }
        }
    }

    /// `calls=COUNT TARGET`: the next cost line is what they cost.
    fn calls(&mut self, value: &[u8], line: Line) -> Result<(), DefectKind> {
        let calls = fields::words(value).next().and_then(fields::count);
        self.open_call = (line.number, line.offset);
        // Whatever is wrong with this line, the next cost is nobody's own.
        self.next = Next::Nobody;
        let callee = self.place.callee(&mut self.sums).ok_or(DefectKind::NoCallee)?;
        self.next = Next::Call(callee, calls.ok_or(DefectKind::BadCost)?);
        Ok(())
    }

    /// A line of positions and costs.
    fn costs(&mut self, text: &[u8]) -> Result<(), DefectKind> {
        self.in_lines = true;
        let next = std::mem::take(&mut self.next);
        if self.columns.is_empty() {
            return Err(DefectKind::NoEvents);
        }
        let mut costs = std::mem::take(&mut self.costs);
        let outcome = cost_line(text, self.columns.len(), &mut self.positions, &mut costs);
        if outcome.is_ok() {
            self.found.negative += u64::from(costs.iter().any(|cost| *cost < 0));
            match next {
                Next::Own => {
                    self.found.nameless |= !self.place.is_named();
                    let share = self.place.current_share(&mut self.sums, self.nameless);
                    let line = self.positions.get(self.line_column).copied().unwrap_or(0);
                    self.sums.own(share, line, &self.columns, &costs);
                    self.found.records += 1;
                }
                Next::Call(..) => {
                    self.next = next;
                    self.call(&costs);
                    self.next = Next::Own;
                    self.found.records += 1;
                }
                Next::Nobody | Next::Jump => {}
            }
        }
        self.costs = costs;
        outcome
    }

    /// Counts the call that was announced, with its cost.
    pub(super) fn call(&mut self, costs: &[i64]) {
        if let Next::Call(callee, calls) = self.next {
            let caller = self.place.current(&mut self.sums, self.nameless);
            self.sums.call(caller, callee, calls, &self.columns, costs);
        }
    }

    /// `key: value`.
    fn header(&mut self, key: &[u8], value: &[u8]) -> Result<(), DefectKind> {
        match key {
            b"summary" | b"totals" => return self.declared(key == b"totals", value),
            b"version" | b"creator" | b"pid" | b"cmd" | b"part" | b"thread" | b"desc" | b"events" | b"positions" => {
                self.begin_part();
            }
            b"event" => return Ok(()),
            // An unknown word of a header.
            _ if !self.in_lines && key.iter().all(u8::is_ascii_alphanumeric) => return Ok(()),
            _ => return Err(DefectKind::StrangeLine),
        }
        let text = || String::from_utf8_lossy(value).into_owned();
        let header = &mut self.found.header;
        let set = |field: &mut String| {
            if field.is_empty() {
                *field = text();
            }
        };
        self.found.callgrind |= !matches!(key, b"cmd" | b"desc" | b"events");
        match key {
            b"version" => {
                set(&mut header.version);
                let major = value.split(|byte| *byte == b'.').next().unwrap_or_default();
                if let Number::Is(2..) = decimal(major) {
                    let reason = format!("version {} of the format is not known; version 1 is", text());
                    self.found.refused.get_or_insert(reason);
                }
            }
            b"creator" => set(&mut header.creator),
            b"cmd" => set(&mut header.cmd),
            b"pid" => {
                if let (None, Number::Is(pid)) = (header.pid, decimal(value)) {
                    header.pid = u64::try_from(pid).ok();
                }
            }
            b"events" => self.events(value),
            b"positions" => {
                let words: Vec<String> = text().split_whitespace().map(str::to_owned).collect();
                self.line_column = words.iter().position(|word| word == "line").unwrap_or(usize::MAX);
                self.positions = vec![0; words.len().max(1)];
                if words.is_empty() {
                    self.line_column = 0;
                }
                self.found.header.positions = words;
            }
            _ => {}
        }
        Ok(())
    }

    /// A header behind lines begins another part: names are kept, the place is not.
    fn begin_part(&mut self) {
        if self.found.parts == 0 || self.in_lines {
            if self.found.parts > 0 {
                self.end_part();
            }
            self.found.parts += 1;
            self.found.ended = false;
            self.in_lines = false;
            self.place = Place::new(self.names.plain(b""));
            self.positions.fill(0);
        }
    }

    /// The part in hand has ended: what it declares is held against its own lines.
    pub(super) fn end_part(&mut self) {
        let (summary, totals) = (self.found.summary.take(), self.found.totals.take());
        let sizes = self.sums.sizes.iter().map(|size| *size <= i64::MAX as u64);
        let sums: Vec<_> = self.part_sums().into_iter().zip(sizes).map(|(sum, exact)| exact.then_some(sum)).collect();
        let has_lines = self.found.records > self.begun.1;
        self.found.declared.part(self.found.parts.max(1), has_lines, [summary, totals], &sums);
        self.begun = (self.sums.total.clone(), self.found.records);
    }

    /// Self costs of the part in hand.
    pub(super) fn part_sums(&self) -> Vec<i64> {
        let before = self.begun.0.iter().copied().chain(std::iter::repeat(0));
        self.sums.total.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect()
    }

    /// Finds or makes the place of each event among all events of the file.
    fn events(&mut self, value: &[u8]) {
        self.columns.clear();
        for word in fields::words(value) {
            let word = String::from_utf8_lossy(word);
            let known = (0..self.found.events.len())
                .find(|at| self.found.events[*at] == word && !self.columns.contains(at))
                .unwrap_or(self.found.events.len());
            if known == self.found.events.len() {
                if known == MOST_EVENTS {
                    let reason = format!("more than {MOST_EVENTS} events: no profile has so many");
                    self.found.refused.get_or_insert(reason);
                    return;
                }
                self.found.events.push(word.into_owned());
            }
            self.columns.push(known);
        }
        self.found.header.events.clone_from(&self.found.events);
    }

    /// `summary:` (before the lines or behind them) and `totals:` (behind them).
    fn declared(&mut self, totals: bool, value: &[u8]) -> Result<(), DefectKind> {
        let mut costs = Vec::new();
        for word in fields::words(value) {
            costs.push(fields::declared(word).ok_or(DefectKind::BadCost)?);
        }
        let sum = if totals { &mut self.found.totals } else { &mut self.found.summary };
        let sum = sum.get_or_insert_default();
        if self.columns.is_empty() {
            // It stands before `events:`.
            add(sum, &(0..costs.len().min(MOST_EVENTS)).collect::<Vec<_>>(), &costs);
        } else {
            add(sum, &self.columns, &costs);
        }
        self.found.ended |= totals || self.in_lines;
        Ok(())
    }
}
