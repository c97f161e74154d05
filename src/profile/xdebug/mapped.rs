//! The short way for a whole file in memory: it is lexed in chunks from its end, on all threads, and
//! each chunk's records go straight into the tree, the last chunk first. It holds a few chunks for each
//! thread and the tree, whatever the size of the file.
//!
//! It takes only what needs no judgement: one run of Xdebug 3 without fibers, of one writer, in
//! which every claim names the subtree that post-order gives it. At the first sign of anything else
//! it gives up, and the [`Recorder`](super::record::Recorder) reads the file instead.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::build::{LEFT_OUT, Room, STILL_RUNNING};
use super::digits::Vectors;
use super::fibers::Role;
use super::order::Order;
use super::strict::{Batch, Definition, PADDING, RawKey, id_of};
use crate::profile::header::Header;
use crate::profile::read::Options;
use crate::profile::slices::Slicer;
use crate::profile::tree::{CallTree, Cost, Node, ROOT};

/// Raw bytes that a thread lexes at one go.
const CHUNK: usize = 128 << 10;
/// A header is never longer than this, a summary neither.
const MARGIN: usize = 64 << 10;

/// What the short way found.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub header: Header,
    /// Keys are pairs of ids (see [`ids`]), or [`STILL_RUNNING`].
    pub tree: CallTree,
    /// Makes the slices when the file is no longer in memory.
    pub slicer: Slicer,
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
pub(crate) fn read(text: &[u8], options: &Options, marks: Option<&[u64]>) -> Option<Mapped> {
    let (threads, room) = (options.threads, Room::of(options.max_tree));
    let sliced = marks.is_some();
    let marks = marks.unwrap_or(&[]);
    let (header, begin) = header(text)?;
    let (end, summary) = body_end(text, begin)?;
    let cut = match summary {
        Some(_) => Cut { definitions: Vec::new(), whole: None },
        None => cut_record(text, end)?,
    };
    // The last record is copied, so that there is room to look ahead behind it, however long it is.
    let last = last_record(text, begin, end);
    let mut tail = text[last - super::strict::LEAD..cut.whole.unwrap_or(end)].to_vec();
    if cut.whole.is_some() {
        tail.push(b'\n');
    }
    tail.resize(tail.len() + PADDING, 0);
    let work = Work {
        text,
        tail: &tail,
        begin,
        last,
        borders: borders(begin, last, marks),
        last_segment: marks.iter().filter(|mark| **mark <= last as u64).count() as u32,
        next: AtomicUsize::new(0),
        most: 2 * threads,
        vectors: options.vectors,
        queue: Mutex::new(Queue::default()),
        room: Condvar::new(),
        growth: Mutex::new(Growth::new(if summary.is_some() { ROOT } else { STILL_RUNNING_NODE }, room, sliced)),
    };
    match threads.min(work.borders.len() + 1) {
        0 | 1 => work.run(),
        threads => std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(|| work.run())));
            work.run();
        }),
    }
    let gave_up = work.queue.into_inner().unwrap_or_else(PoisonError::into_inner).gave_up;
    let mut growth = work.growth.into_inner().unwrap_or_else(PoisonError::into_inner);
    if gave_up || !cut.definitions.iter().all(|definition| growth.define(text, definition, 0)) {
        return None;
    }
    if !growth.expected.is_empty() || growth.records == 0 || !growth.is_in_order() {
        return None;
    }
    let lines = text[..begin].iter().filter(|byte| **byte == b'\n').count() as u64;
    let line = lines + 4 * growth.records + 4 * growth.claims + 1;
    let end = cut.whole.map_or((line, end as u64), |end| (line - 1, end as u64));
    let Growth { tree, slicer, files, functions, records, .. } = growth;
    let own = tree.total();
    let summary = summary.filter(|_| end.1 > 0);
    Some(Mapped { header, tree, slicer, files, functions, records, own, summary, end })
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
        let line = &text[end + 9..];
        let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\n").unwrap_or(line));
        let (time, memory) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        return Some((end, Some(Cost { time: time.parse().ok()?, memory: memory.parse().ok()? })));
    }
    let end = begin + memchr::memmem::rfind(&text[begin..], b"\n\n")? + 2;
    Some((end, None))
}

/// What stands behind the last record that a blank line ends.
struct Cut {
    definitions: Vec<Definition>,
    /// Where its own cost and its whole calls end: with a blank line there it is a record.
    whole: Option<usize>,
}

/// What is left of a record that is cut, or `None` where anything but the beginning of one more stands there.
fn cut_record(text: &[u8], end: usize) -> Option<Cut> {
    const HEAD: [&[u8]; 3] = [b"fl=(", b"fn=(", b""];
    const CALL: [&[u8]; 4] = [b"cfl=(", b"cfn=(", b"calls=1 0 0", b""];
    let mut cut = Cut { definitions: Vec::new(), whole: None };
    let mut expected = HEAD.iter().chain(CALL.iter().cycle());
    let mut at = end;
    while let Some(length) = memchr::memchr(b'\n', &text[at..]) {
        let line = &text[at..at + length];
        let prefix = *expected.next()?;
        let rest = line.strip_prefix(prefix)?;
        if line.starts_with(b"calls") {
            rest.is_empty().then_some(())?;
        } else if prefix.is_empty() {
            let figure = |figure: &[u8]| !figure.is_empty() && figure.iter().all(u8::is_ascii_digit);
            line.split(|byte| *byte == b' ').all(figure).then_some(())?;
            cut.whole = Some(at + length + 1);
        } else {
            let close = memchr::memchr(b')', rest)?;
            let id = std::str::from_utf8(&rest[..close]).ok()?.parse().ok()?;
            if close + 1 < rest.len() {
                let (begin, end) = (at + length - rest.len() + close + 2, at + length);
                (rest[close + 1] == b' ' && begin < end && line.last() != Some(&b'\r')).then_some(())?;
                cut.definitions.push(Definition { is_file: line[..3].contains(&b'l'), id, begin, end });
            }
        }
        at += length + 1;
    }
    Some(cut)
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
    /// Lexed chunks that may wait.
    most: usize,
    vectors: Vectors,
    queue: Mutex<Queue>,
    /// There is room for chunks again.
    room: Condvar,
    growth: Mutex<Growth>,
}

/// Lexed chunks on their way into the tree, which takes them in order. Whoever brings the one whose turn it is puts it
/// there, and those that wait behind it; nobody else waits for that.
#[derive(Default)]
struct Queue {
    /// The chunk whose turn it is.
    turn: usize,
    lexed: BTreeMap<usize, Batch<RawKey>>,
    /// A thread is at it.
    growing: bool,
    gave_up: bool,
    /// Batches to be used again.
    spare: Vec<Batch<RawKey>>,
}

/// Ends all threads' waiting where one of them panics.
struct Alarm<'a>(&'a Work<'a>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up(&mut self.0.queue());
        }
    }
}

impl Work<'_> {
    fn run(&self) {
        let _alarm = Alarm(self);
        let mut batch = Batch::default();
        loop {
            let mine = self.next.fetch_add(1, Ordering::Relaxed);
            if mine > self.borders.len() {
                return;
            }
            let (text, begin, end) = self.chunk(mine);
            let whole = batch.lex(text, begin.min(end), end, self.vectors) == end;
            match self.hand_over(mine, batch, whole) {
                Some(spare) => batch = spare,
                None => return,
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self, queue: &mut Queue) {
        queue.gave_up = true;
        self.room.notify_all();
    }

    /// Puts a lexed chunk in its place, and into the tree what has its turn. Gives back a batch for the next chunk, or
    /// `None` where the file is given up.
    fn hand_over(&self, mine: usize, batch: Batch<RawKey>, whole: bool) -> Option<Batch<RawKey>> {
        let mut queue = self.queue();
        if !whole {
            self.give_up(&mut queue);
        }
        queue.lexed.insert(mine, batch);
        while !queue.growing && !queue.gave_up {
            let turn = queue.turn;
            let Some(batch) = queue.lexed.remove(&turn) else { break };
            queue.growing = true;
            drop(queue);
            let taken = {
                let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
                growth.enter(self.segment(turn));
                let (text, begin, _) = self.chunk(turn);
                growth.take(text, begin, &batch)
            };
            queue = self.queue();
            queue.growing = false;
            queue.turn += 1;
            queue.spare.push(batch);
            if !taken {
                self.give_up(&mut queue);
            }
            self.room.notify_all();
        }
        while queue.lexed.len() > self.most && !queue.gave_up {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.gave_up { None } else { Some(queue.spare.pop().unwrap_or_default()) }
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
}

/// A call that a record further on in the file has claimed.
#[derive(Debug, Clone, Copy)]
struct Expected {
    key: RawKey,
    caller: u32,
}

/// The tree so far.
struct Growth {
    tree: CallTree,
    slicer: Slicer,
    room: Room,
    /// Node above calls that nobody claims.
    roots: u32,
    expected: Vec<Expected>,
    records: u64,
    claims: u64,
    files: HashMap<u32, Vec<u8>>,
    functions: HashMap<u32, Vec<u8>>,
    order: Order,
}

impl Growth {
    fn new(roots: u32, room: Room, sliced: bool) -> Self {
        let mut tree = CallTree::new();
        if roots == STILL_RUNNING_NODE {
            tree.child(ROOT, STILL_RUNNING);
        }
        Growth {
            tree,
            slicer: if sliced { Slicer::default() } else { Slicer::off() },
            room,
            roots,
            expected: Vec::new(),
            records: 0,
            claims: 0,
            files: HashMap::new(),
            functions: HashMap::new(),
            order: Order::default(),
        }
    }

    /// The records to come stand behind so many marks.
    fn enter(&mut self, segment: u32) {
        self.slicer.enter(segment, &self.tree);
    }

    /// Adds the records of the chunk that begins at `begin`, last first. False where a claim does not name the call
    /// before it, or where there are more records than are numbered.
    fn take(&mut self, text: &[u8], begin: usize, batch: &Batch<RawKey>) -> bool {
        if u32::try_from(self.records + batch.records.len() as u64).is_err() || !self.define_all(text, begin, batch) {
            return false;
        }
        if self.room.is_outgrown(&self.tree) {
            self.order.used(Self::paths(&self.tree));
            let open = self.expected.iter().map(|call| call.caller).chain([self.roots]);
            let places = self.room.make(&mut self.tree, &mut self.slicer, open);
            self.expected.iter_mut().for_each(|call| call.caller = places[call.caller as usize]);
        }
        let mut claims = &batch.claims[..];
        for (number, record) in (self.records as u32 + 1..).zip(batch.records.iter().rev()) {
            let caller = match self.expected.pop() {
                None => self.roots,
                Some(expected) if expected.key == record.key => expected.caller,
                Some(_) => return false,
            };
            let cost = Cost { time: record.time as i64, memory: record.memory as i64 };
            let node = self.tree.child(caller, record.key);
            self.tree.record_numbered(node, number, cost);
            self.slicer.count(&self.tree, node);
            let (others, own) = claims.split_at(claims.len() - record.claims as usize);
            claims = others;
            self.expected.extend(own.iter().map(|&key| Expected { key, caller: node }));
        }
        self.records += batch.records.len() as u64;
        self.claims += batch.claims.len() as u64;
        true
    }

    /// Notes the names that a chunk gives, each with the number of its record.
    fn define_all(&mut self, text: &[u8], begin: usize, batch: &Batch<RawKey>) -> bool {
        let mut definitions = batch.definitions.iter().peekable();
        let (mut end, mut number) = (begin, self.records as u32 + batch.records.len() as u32);
        for record in &batch.records {
            if definitions.peek().is_none() {
                break;
            }
            end += record.length as usize;
            while let Some(definition) = definitions.next_if(|definition| definition.end < end) {
                if !self.define(text, definition, number) {
                    return false;
                }
            }
            number -= 1;
        }
        true
    }

    /// Notes a name. False where the id has another one already, or where fibers come into play.
    fn define(&mut self, text: &[u8], definition: &Definition, number: u32) -> bool {
        let name = &text[definition.begin..definition.end];
        let table = if definition.is_file { &mut self.files } else { &mut self.functions };
        let known = table.entry(definition.id).or_insert_with(|| name.to_vec());
        let plain = known == name && (definition.is_file || !Role::of(name).is_switch());
        self.order.named(definition.is_file, definition.id, number);
        plain
    }

    /// The nodes that stand for functions of the file.
    fn paths(tree: &CallTree) -> impl Iterator<Item = &Node> {
        tree.nodes()[1..].iter().filter(|node| node.key != STILL_RUNNING && node.key != LEFT_OUT)
    }

    /// Every id has its name where it is used first.
    fn is_in_order(&mut self) -> bool {
        self.order.used(Self::paths(&self.tree));
        self.order.holds()
    }
}

/// Ids of file and function behind a key.
pub(crate) fn ids(key: RawKey) -> (u32, u32) {
    (id_of((key >> 32) as u32), id_of(key as u32))
}
