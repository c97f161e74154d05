//! The short way for a whole file in memory: it is lexed in chunks from its end, on all threads, and
//! each chunk's records go straight into the tree, the last chunk first. It holds a chunk for each
//! thread and the tree, whatever the size of the file.
//!
//! It takes only what needs no judgement: one run of Xdebug 3 without fibers, of one writer, in
//! which every claim names the subtree that post-order gives it. At the first sign of anything else
//! it gives up, and the [`Recorder`](super::record::Recorder) reads the file instead.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::build::STILL_RUNNING;
use super::fibers::Role;
use super::header::Header;
use super::slices::{Slicer, Slices};
use super::strict::{Batch, Definition, PADDING, RawKey};
use super::tree::{CallTree, Cost, ROOT};

/// Raw bytes that a thread lexes at one go.
const CHUNK: usize = 512 << 10;
/// A header is never longer than this, a summary neither.
const MARGIN: usize = 64 << 10;

/// What the short way found.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub header: Header,
    /// Keys are pairs of ids as in the file, or [`STILL_RUNNING`].
    pub tree: CallTree,
    pub slices: Slices,
    pub files: HashMap<u32, Vec<u8>>,
    pub functions: HashMap<u32, Vec<u8>>,
    pub records: u64,
    pub own: Cost,
    /// Time and memory that `summary:` declares; without it the run is not complete.
    pub summary: Option<Cost>,
    /// Line and byte offset at which the last whole record ends.
    pub end: (u64, u64),
}

/// Reads a file the short way, or `None` where it is not made for that. With `marks`
/// slices are made: bytes of the file, ascending, and the slices know which records stand behind which of them.
pub(crate) fn read(text: &[u8], threads: usize, marks: Option<&[u64]>) -> Option<Mapped> {
    let sliced = marks.is_some();
    let marks = marks.unwrap_or(&[]);
    let (header, begin) = header(text)?;
    let (end, summary) = body_end(text, begin)?;
    let cut = if summary.is_some() { Vec::new() } else { cut_record(text, end)? };
    // The last record is copied, so that there is room to look ahead behind it, however long it is.
    let last = last_record(text, begin, end);
    let mut tail = text[last - super::strict::LEAD..end].to_vec();
    tail.resize(tail.len() + PADDING, 0);
    let work = Work {
        text,
        tail: &tail,
        begin,
        last,
        borders: borders(begin, last, marks),
        last_segment: marks.iter().filter(|mark| **mark <= last as u64).count() as u32,
        next: AtomicUsize::new(0),
        turn: Mutex::new(Turn::new(if summary.is_some() { ROOT } else { STILL_RUNNING_NODE }, sliced)),
        passed: Condvar::new(),
    };
    work.turn.lock().unwrap_or_else(PoisonError::into_inner).enter(work.segment(0));
    match threads.min(work.borders.len() + 1) {
        0 | 1 => work.run(),
        threads => std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(|| work.run())));
            work.run();
        }),
    }
    let mut turn = work.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
    turn.gave_up |= !cut.iter().all(|definition| turn.define(text, definition));
    if turn.gave_up || !turn.expected.is_empty() || turn.records == 0 || !turn.all_defined() {
        return None;
    }
    let lines = text[..begin].iter().filter(|byte| **byte == b'\n').count() as u64;
    let end = (lines + 4 * turn.records + 4 * turn.claims + 1, end as u64);
    let Turn { tree, slicer, files, functions, records, own, .. } = turn;
    let slices = slicer.finish(&tree);
    let summary = summary.filter(|_| end.1 > 0);
    Some(Mapped { header, tree, slices, files, functions, records, own, summary, end })
}

/// The frame above the roots of an incomplete run is the first node that is made.
const STILL_RUNNING_NODE: u32 = 1;

/// The header of an Xdebug 3 file with its two usual events, and where the first record begins.
fn header(text: &[u8]) -> Option<(Header, usize)> {
    let head = &text[..text.len().min(MARGIN)];
    let begin = memchr::memmem::find(head, b"\n\nfl=(")? + 2;
    let mut header = Header::default();
    for line in text[..begin].split(|byte| *byte == b'\n') {
        if !line.is_empty() && !header.take(line) {
            return None;
        }
    }
    let usual = header.creator.starts_with("xdebug 3") && header.events.len() == 2 && header.columns() == (0, 1);
    usual.then_some((header, begin))
}

/// Where the last whole record ends, and the summary where the file has its end.
fn body_end(text: &[u8], begin: usize) -> Option<(usize, Option<Cost>)> {
    let from = begin.max(text.len().saturating_sub(MARGIN));
    if let Some(at) = memchr::memmem::rfind(&text[from..], b"\n\nsummary: ") {
        let end = from + at + 2;
        let line = text[end + 9..].strip_suffix(b"\n").map(|line| line.strip_suffix(b"\n").unwrap_or(line))?;
        let (time, memory) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        return Some((end, Some(Cost { time: time.parse().ok()?, memory: memory.parse().ok()? })));
    }
    let end = begin + memchr::memmem::rfind(&text[begin..], b"\n\n")? + 2;
    Some((end, None))
}

/// The names that are defined in what stands behind the last whole record, or `None` where that is anything but the
/// beginning of one more.
fn cut_record(text: &[u8], end: usize) -> Option<Vec<Definition>> {
    const HEAD: [&[u8]; 3] = [b"fl=(", b"fn=(", b""];
    const CALL: [&[u8]; 4] = [b"cfl=(", b"cfn=(", b"calls=1 0 0", b""];
    let mut definitions = Vec::new();
    let mut expected = HEAD.iter().chain(CALL.iter().cycle());
    let mut at = end;
    while let Some(length) = memchr::memchr(b'\n', &text[at..]) {
        let line = &text[at..at + length];
        let rest = line.strip_prefix(*expected.next()?)?;
        if line.starts_with(b"calls") {
            rest.is_empty().then_some(())?;
        } else if rest.len() == line.len() {
            let figure = |figure: &[u8]| !figure.is_empty() && figure.iter().all(u8::is_ascii_digit);
            line.split(|byte| *byte == b' ').all(figure).then_some(())?;
        } else {
            let close = memchr::memchr(b')', rest)?;
            let id = std::str::from_utf8(&rest[..close]).ok()?.parse().ok()?;
            if close + 1 < rest.len() {
                let (begin, end) = (at + length - rest.len() + close + 2, at + length);
                (rest[close + 1] == b' ' && begin < end && line.last() != Some(&b'\r')).then_some(())?;
                definitions.push(Definition { is_file: line[..3].contains(&b'l'), id, begin, end });
            }
        }
        at += length + 1;
    }
    Some(definitions)
}

/// Where the first record at or after `from` begins.
fn record_after(text: &[u8], from: usize, begin: usize, end: usize) -> usize {
    if from <= begin {
        return begin;
    }
    memchr::memmem::find(&text[from - 2..end], b"\n\nfl=(").map_or(end, |at| from + at)
}

/// Where the last record begins that leaves room to look ahead behind all others.
fn last_record(text: &[u8], begin: usize, end: usize) -> usize {
    let room = end.min((text.len() - PADDING.min(text.len())).max(begin));
    memchr::memmem::rfind(&text[begin - 2..room], b"\n\nfl=(").map_or(begin, |at| begin + at)
}

/// Where chunks are to begin, from the end of the file, each with the number of marks before it.
fn borders(begin: usize, last: usize, marks: &[u64]) -> Vec<(usize, u32)> {
    let marks = marks.iter().map(|mark| usize::try_from(*mark).unwrap_or(usize::MAX));
    let mut places: Vec<usize> = (begin..last).step_by(CHUNK).collect();
    let marks: Vec<usize> = marks.filter(|mark| *mark <= last).map(|mark| mark.max(begin)).collect();
    places.extend(marks.iter().filter(|mark| **mark < last));
    places.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
    places.dedup();
    let before = |place: usize| marks.partition_point(|mark| *mark <= place) as u32;
    places.into_iter().map(|place| (place, before(place))).collect()
}

/// What the threads share.
struct Work<'a> {
    text: &'a [u8],
    /// A copy of the last chunk, with padding.
    tail: &'a [u8],
    begin: usize,
    last: usize,
    /// Where chunks begin before the next record is looked for, from the end of the file; the marks before each.
    borders: Vec<(usize, u32)>,
    /// Marks before the last record.
    last_segment: u32,
    /// Chunks handed out, from the end of the file.
    next: AtomicUsize,
    turn: Mutex<Turn>,
    passed: Condvar,
}

impl Work<'_> {
    fn run(&self) {
        let mut batch = Batch::default();
        loop {
            let mine = self.next.fetch_add(1, Ordering::Relaxed);
            if mine > self.borders.len() {
                return;
            }
            let (text, begin, end) = self.chunk(mine);
            let whole = begin >= end || batch.lex(text, begin, end) == end;
            let mut turn = self.wait_for(mine);
            if begin < end && !turn.gave_up {
                turn.gave_up = !whole || !turn.take(text, &batch);
            }
            turn.chunk += 1;
            turn.enter(self.segment(mine + 1));
            let gave_up = turn.gave_up;
            drop(turn);
            self.passed.notify_all();
            if gave_up {
                return;
            }
        }
    }

    /// Text and range of a chunk, counted from the end of the file.
    fn chunk(&self, number: usize) -> (&[u8], usize, usize) {
        if number == 0 {
            return (self.tail, super::strict::LEAD, self.tail.len() - PADDING);
        }
        let at = |number: usize| record_after(self.text, self.borders[number - 1].0, self.begin, self.last);
        (self.text, at(number), if number == 1 { self.last } else { at(number - 1) })
    }

    /// Marks before a chunk; before the last one as many as its record stands behind.
    fn segment(&self, number: usize) -> u32 {
        match number {
            0 => self.last_segment,
            _ => self.borders.get(number - 1).map_or(0, |border| border.1),
        }
    }

    fn wait_for(&self, mine: usize) -> MutexGuard<'_, Turn> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while turn.chunk != mine && !turn.gave_up {
            turn = self.passed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        turn
    }
}

/// A call that a record further on in the file has claimed.
#[derive(Debug, Clone, Copy)]
struct Expected {
    key: RawKey,
    caller: u32,
}

/// The tree so far; whoever's turn it is has it.
struct Turn {
    /// Chunk whose turn it is.
    chunk: usize,
    gave_up: bool,
    tree: CallTree,
    slicer: Slicer,
    /// Node above calls that nobody claims.
    roots: u32,
    expected: Vec<Expected>,
    records: u64,
    claims: u64,
    own: Cost,
    files: HashMap<u32, Vec<u8>>,
    functions: HashMap<u32, Vec<u8>>,
}

impl Turn {
    fn new(roots: u32, sliced: bool) -> Self {
        let mut tree = CallTree::new();
        if roots == STILL_RUNNING_NODE {
            tree.child(ROOT, STILL_RUNNING);
        }
        Turn {
            chunk: 0,
            gave_up: false,
            tree,
            slicer: if sliced { Slicer::default() } else { Slicer::off() },
            roots,
            expected: Vec::new(),
            records: 0,
            claims: 0,
            own: Cost::default(),
            files: HashMap::new(),
            functions: HashMap::new(),
        }
    }

    /// The records to come stand behind so many marks.
    fn enter(&mut self, segment: u32) {
        self.slicer.enter(segment, &self.tree);
    }

    /// Adds a chunk's records, last first. False where a claim does not name the call before it.
    fn take(&mut self, text: &[u8], batch: &Batch) -> bool {
        if !batch.definitions.iter().all(|definition| self.define(text, definition)) {
            return false;
        }
        let mut claims = &batch.claims[..];
        for record in batch.records.iter().rev() {
            let caller = match self.expected.pop() {
                None => self.roots,
                Some(expected) if expected.key == record.key => expected.caller,
                Some(_) => return false,
            };
            let cost = Cost { time: record.time as i64, memory: record.memory as i64 };
            let node = self.tree.child(caller, record.key);
            self.tree.record(node, 1, cost);
            self.slicer.count(&self.tree);
            self.own.add(cost);
            let (others, own) = claims.split_at(claims.len() - record.claims as usize);
            claims = others;
            self.expected.extend(own.iter().map(|claim| Expected { key: claim.key, caller: node }));
        }
        self.records += batch.records.len() as u64;
        self.claims += batch.claims.len() as u64;
        true
    }

    /// Notes a name. False where the id has another one already, or where fibers come into play.
    fn define(&mut self, text: &[u8], definition: &Definition) -> bool {
        let name = &text[definition.begin..definition.end];
        let table = if definition.is_file { &mut self.files } else { &mut self.functions };
        let known = table.entry(definition.id).or_insert_with(|| name.to_vec());
        known == name && (definition.is_file || !Role::of(name).is_switch())
    }

    fn all_defined(&self) -> bool {
        self.tree.nodes()[1..].iter().all(|node| {
            let (file, function) = ids(node.key);
            node.key == STILL_RUNNING || self.files.contains_key(&file) && self.functions.contains_key(&function)
        })
    }
}

/// Ids of file and function behind a key.
pub(crate) fn ids(key: RawKey) -> (u32, u32) {
    ((key >> 32) as u32, key as u32)
}
