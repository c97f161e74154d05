//! The recorder: bytes of one Xdebug file in, as they come; the compact form out, and at the end the
//! exact tree. It serves whole files and files that are still being written alike.

use std::io::{self, Read, Seek, Write};

use serde::{Deserialize, Serialize};

use super::build::{Builder, LEFT_OUT, Room, STILL_RUNNING};
use super::callers::{Kind, Ways};
use super::claims::{Outcome, Unclaimed};
use super::compact::{Children, Compact, Head, Reader, Writer};
use super::fibers::Role;
use super::lexer::{Found, Lexer, Record, Sink};
use super::single::Singles;
use crate::profile::callers::{Caller, Sought};
use crate::profile::calls::{Backwards, Target};
use crate::profile::defect::DefectKind;
use crate::profile::error::Error;
use crate::profile::slices::Slices;
use crate::profile::tree::{CallTree, Cost};

/// Takes the bytes of one profile file in order and keeps the compact form in `S`.
#[derive(Debug)]
pub struct Recorder<S> {
    lexer: Lexer,
    recording: Recording<S>,
}

#[derive(Debug)]
struct Recording<S> {
    unclaimed: Unclaimed,
    writer: Writer<S>,
    records: u64,
    own: Cost,
    /// Sizes of all self costs: time, memory.
    sizes: (u64, u64),
    lost: u64,
    lost_time: i64,
    /// Self time of the run's records that are no switches between fibers.
    run_worked: i64,
    switching: i64,
    first_lost: Option<(u64, u64)>,
    /// Records whose time wrapped, and the first one's place.
    wrapped: u64,
    first_wrapped: Option<(u64, u64)>,
    /// Bytes of the file at each mark, ascending, and the record that is the first behind it.
    marks: Vec<u64>,
    marked: Vec<u64>,
    /// Bytes taken and the records that had ended by then, where marks come to be known only afterwards.
    places: Option<Vec<(u64, u64)>>,
}

/// Bytes between two places that are noted.
const PLACES_APART: u64 = 64 << 10;

impl<S: Write> Sink for Recording<S> {
    fn record(&mut self, record: &Record, fibers: bool) -> io::Result<()> {
        let ordinal = self.records;
        self.records += 1;
        self.own.add(record.cost);
        self.sizes.0 = self.sizes.0.saturating_add(record.cost.time.unsigned_abs());
        self.sizes.1 = self.sizes.1.saturating_add(record.cost.memory.unsigned_abs());
        if !record.role.is_switch() {
            self.run_worked = self.run_worked.saturating_add(record.cost.time);
        }
        while self.marks.get(self.marked.len()).is_some_and(|mark| *mark <= record.place.1) {
            self.marked.push(ordinal);
        }
        let outcome = self.unclaimed.end_of_call(ordinal, record, fibers);
        let head = Head { pair: record.pair + 1, cost: record.cost, inherited: self.unclaimed.inherited };
        let lines = record.claims.iter().map(|claim| claim.line);
        match outcome {
            Outcome::Agrees(count) => self.writer.agreeing(head, lines, count)?,
            Outcome::Matched { ordinals, lost, lost_time } => {
                if lost > 0 {
                    self.first_lost.get_or_insert(record.place);
                }
                self.lost = self.lost.saturating_add(lost);
                self.lost_time = self.lost_time.saturating_add(lost_time.max(0));
                let distances: Vec<u64> = ordinals.iter().map(|child| ordinal - child).collect();
                self.writer.matched(head, lines, ordinals.len() as u64, &distances)?;
            }
        }
        while let Some(wrapped) = self.unclaimed.wrapped.pop() {
            self.own.time = self.own.time.saturating_sub(wrapped.excess);
            self.run_worked = self.run_worked.saturating_sub(wrapped.excess);
            self.writer.excess(self.records - wrapped.ordinal, wrapped.excess)?;
            self.wrapped += 1;
            self.first_wrapped.get_or_insert(wrapped.place);
        }
        Ok(())
    }

    fn end_of_run(&mut self, ended: bool) -> io::Result<()> {
        for (ordinal, time) in self.unclaimed.before_fork.take() {
            self.own.time = self.own.time.saturating_sub(time);
            self.writer.excess(self.records - ordinal, time)?;
        }
        self.switching = self.switching.saturating_add(self.switched());
        self.run_worked = 0;
        self.writer.end(self.unclaimed.all().count() as u64, ended)?;
        self.unclaimed.clear();
        Ok(())
    }
}

/// Takes what another process has recorded already.
struct Nobody;

impl Sink for Nobody {
    fn record(&mut self, _: &Record, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn end_of_run(&mut self, _: bool) -> io::Result<()> {
        Ok(())
    }
}

impl<S> Recording<S> {
    /// What the run's switches between fibers cost by themselves. Each of them has the time of what ran meanwhile for its
    /// own, and that of one fiber may lie within another's. But the script's time is all that there was, so what no
    /// other call accounts for is theirs. Zero where the script has no end.
    fn switched(&self) -> i64 {
        let mains = || self.unclaimed.all().filter(|root| root.role == Role::Main);
        let Some(last) = mains().map(|main| main.ordinal).max() else { return 0 };
        let all = mains().fold(0i64, |sum, main| sum.saturating_add(main.inclusive));
        // What is no fiber's and ends behind the script (shutdown functions, destructors) ran behind it, too.
        let behind = self.unclaimed.all().filter(|root| root.ordinal > last && !root.suspended);
        let behind = behind.fold(0i64, |sum, root| sum.saturating_add(root.inclusive));
        all.saturating_add(behind).saturating_sub(self.run_worked).max(0)
    }
}

impl<S: Write> Recorder<S> {
    /// A recorder that writes the compact form to `sink`.
    pub fn new(sink: S) -> Self {
        Self::marked(sink, Vec::new())
    }

    /// The same, and the slices know which records stand behind which mark: bytes of the file, ascending.
    pub fn marked(sink: S, marks: Vec<u64>) -> Self {
        Self::over(Writer::new(sink), marks, None)
    }

    /// A recorder that deflates what it writes and notes places, for marks that come to be known afterwards.
    pub(crate) fn kept(sink: S) -> Self {
        Self::over(Writer::packed(sink), Vec::new(), Some(Vec::new()))
    }

    fn over(writer: Writer<S>, marks: Vec<u64>, places: Option<Vec<(u64, u64)>>) -> Self {
        let recording = Recording {
            unclaimed: Unclaimed::default(),
            writer,
            records: 0,
            own: Cost::default(),
            sizes: (0, 0),
            lost: 0,
            lost_time: 0,
            run_worked: 0,
            switching: 0,
            first_lost: None,
            wrapped: 0,
            first_wrapped: None,
            marks,
            marked: Vec::new(),
            places,
        };
        Recorder { lexer: Lexer::new(), recording }
    }

    /// A recorder of what a forked process wrote: `before` is what its parent had written until then, in pieces, and
    /// what both had in hand. `until_fork`: nanoseconds from the script's start to the fork.
    /// Marks count from the beginning of `before`.
    pub(crate) fn forked<'a>(
        sink: S,
        before: impl IntoIterator<Item = &'a [u8]>,
        marks: Vec<u64>,
        until_fork: Option<u64>,
    ) -> io::Result<Self> {
        let mut recorder = Self::marked(sink, marks);
        before.into_iter().try_for_each(|part| recorder.lexer.push(part, &mut Nobody))?;
        recorder.lexer.fork();
        recorder.recording.unclaimed.forked = true;
        let ticks = |time: u64| i64::try_from(time / recorder.lexer.found.header.nanoseconds_per_tick()).ok();
        recorder.recording.unclaimed.before_fork.until_fork = until_fork.and_then(ticks);
        Ok(recorder)
    }

    /// Takes the next bytes of the file, cut anywhere. Fails only where the sink fails.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lexer.push(bytes, &mut self.recording)?;
        if let Some(places) = &mut self.recording.places {
            let place = (self.lexer.found.bytes, self.recording.records);
            match &mut places[..] {
                [.., before, last] if place.0 - before.0 < PLACES_APART => *last = place,
                _ => places.push(place),
            }
        }
        Ok(())
    }

    /// Calls that have ended and whose callers have not.
    pub(crate) fn open(&self) -> u64 {
        self.recording.unclaimed.open()
    }

    /// Where the compact form goes.
    pub(crate) fn sink(&self) -> &S {
        self.recording.writer.sink()
    }

    /// Nothing has come for a while: this place is kept.
    pub(crate) fn rest(&mut self) {
        if let Some(places) = &mut self.recording.places
            && let [.., before, last] = &places[..]
            && before.0 != last.0
        {
            places.push(*last);
        }
    }

    /// Records taken so far.
    pub fn records(&self) -> u64 {
        self.recording.records
    }

    /// Sum of the self costs so far.
    pub fn total(&self) -> Cost {
        self.recording.own
    }

    /// The file has ended: closes the compact form.
    pub fn finish(mut self) -> io::Result<Recorded<S>> {
        self.lexer.finish(&mut self.recording)?;
        let mut found = self.lexer.found;
        let recording = self.recording;
        if let Some((line, offset)) = recording.first_lost {
            found.defects = found.defects.saturating_add(recording.lost - 1);
            found.defect(line, offset, DefectKind::LostRecord);
        }
        if let Some((line, offset)) = recording.first_wrapped {
            found.defects = found.defects.saturating_add(recording.wrapped - 1);
            found.defect(line, offset, DefectKind::WrappedNumber);
        }
        let complete = found.runs > 0 && found.complete_runs == found.runs && recording.lost == 0;
        let sink = recording.writer.finish()?;
        Ok(Recorded {
            found,
            own: recording.own,
            sizes: recording.sizes,
            lost: recording.lost,
            lost_time: recording.lost_time,
            switching: recording.switching,
            complete,
            records: recording.records,
            marked: recording.marked,
            places: recording.places.unwrap_or_default(),
            sink,
        })
    }
}

/// A whole file in compact form.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Default")]
pub struct Recorded<S> {
    pub(crate) found: Found,
    pub(crate) own: Cost,
    /// Sizes of all self costs: time, memory.
    #[serde(default)]
    pub(crate) sizes: (u64, u64),
    /// Calls without a record.
    pub(crate) lost: u64,
    pub(crate) lost_time: i64,
    /// Time of the switches between fibers themselves, as far as it is known.
    pub(crate) switching: i64,
    pub(crate) complete: bool,
    records: u64,
    /// The first record behind each mark that was reached.
    #[serde(skip)]
    marked: Vec<u64>,
    /// Bytes of the file and the records that had ended by then, ascending.
    places: Vec<(u64, u64)>,
    #[serde(skip)]
    sink: S,
}

impl<S> Recorded<S> {
    /// The same over another place of the compact form.
    pub(crate) fn at<T>(self, sink: T) -> (Recorded<T>, S) {
        let Recorded { found, own, sizes, lost, lost_time, switching, complete, records, marked, places, sink: old } =
            self;
        (Recorded { found, own, sizes, lost, lost_time, switching, complete, records, marked, places, sink }, old)
    }

    /// Marks come to be known: bytes of the file, ascending.
    pub(crate) fn mark(&mut self, marks: &[u64]) {
        let end = self.places.last().map_or(0, |place| place.0);
        let reached = marks.iter().filter(|mark| **mark <= end);
        let first = |mark: &u64| self.places.partition_point(|place| place.0 < *mark);
        self.marked = reached.map(|mark| self.places[first(mark)].1).collect();
    }
}

impl<S: Read + Seek> Recorded<S> {
    /// Builds the tree from the compact form, and its slices where they are wanted. Keys are the file's pairs, or [`STILL_RUNNING`].
    pub(crate) fn tree(&mut self, sliced: bool, room: Room) -> Result<(CallTree, Slices), Error> {
        let mut reader = Reader::new(&mut self.sink)?;
        let functions = self.found.pairs.len() as u64;
        let mut builder = Builder::new(room, sliced);
        let mut marked = &self.marked[..];
        builder.enter(marked.len() as u32);
        while let Some(record) = reader.previous()? {
            while let Some((_, before)) =
                marked.split_last().filter(|(first, _)| self.records - builder.taken() <= **first)
            {
                marked = before;
                builder.enter(marked.len() as u32);
            }
            match record {
                Compact::End { roots, ended } => builder.end_of_run(roots, ended),
                Compact::Excess { distance, time } => builder.excess(distance, time),
                Compact::Record { pair, cost, children, inherited, .. } => {
                    let (key, calls) = (u64::from(pair - 1), u64::from(!inherited));
                    if key >= functions {
                        return Err(Error::Compact { offset: 0, reason: "a call of no function".to_owned() });
                    }
                    match children {
                        Children::Last(count) => builder.record(key, calls, cost, count),
                        Children::At(distances) => builder.record_at(key, calls, cost, &distances),
                    }
                }
            }
        }
        Ok(builder.finish())
    }

    /// By which lines outside of libraries the functions that are sought were reached.
    pub(crate) fn callers(&mut self, sought: &dyn Sought) -> Result<Vec<Caller>, Error> {
        let kind = |key: u32| {
            let (file, name) = self.function(u64::from(key));
            let (file, name) = (String::from_utf8_lossy(file), String::from_utf8_lossy(name));
            Kind { library: sought.is_library(&file), target: sought.target(&file, &name) }
        };
        let kinds: Vec<Kind> = (0..self.found.pairs.len() as u32).map(kind).collect();
        if kinds.iter().all(|kind| kind.target.is_none()) {
            return Ok(Vec::new());
        }
        let mut reader = Reader::new(&mut self.sink)?;
        let mut ways = Ways::default();
        let mut marked = &self.marked[..];
        ways.enter(marked.len() as u32);
        while let Some(record) = reader.previous()? {
            while let Some((_, before)) =
                marked.split_last().filter(|(first, _)| self.records - ways.taken() <= **first)
            {
                marked = before;
                ways.enter(marked.len() as u32);
            }
            match record {
                Compact::End { roots, .. } => ways.end_of_run(roots),
                Compact::Excess { .. } => {}
                Compact::Record { pair, children, inherited, lines, .. } => {
                    let Some(kind) = kinds.get(pair as usize - 1) else { continue };
                    ways.record(pair, *kind, !inherited, &children, lines);
                }
            }
        }
        let caller = |(target, segment, pair, line, calls)| {
            let (file, function) = self.function(u64::from(pair) - 1);
            let (file, function) = [file, function].map(|text| String::from_utf8_lossy(text).into_owned()).into();
            Caller { target, segment, file, function, line, calls }
        };
        Ok(ways.finish().map(caller).collect())
    }

    /// The calls of one function, each by itself, in nanoseconds; their functions are keys of [`tree`](Recorded::tree).
    pub(crate) fn calls(&mut self, target: &Target) -> Result<Backwards, Error> {
        let tick = self.found.header.nanoseconds_per_tick();
        let wanted = (target.file.as_bytes(), target.name.as_bytes());
        let pairs = 0..self.found.pairs.len() as u64;
        let Some(key) = pairs.clone().find(|key| self.function(*key) == wanted) else {
            return Ok(Backwards::default());
        };
        // How long a switch between fibers took by itself is not known of each.
        let switches: Vec<bool> = pairs.map(|key| Role::of(self.function(key).1).is_switch()).collect();
        let mut reader = Reader::new(&mut self.sink)?;
        let mut singles = Singles::of(key as u32);
        let mut marked = &self.marked[..];
        singles.enter(marked.len() as u32);
        let nanoseconds = |time: i64| u64::try_from(time).unwrap_or(0).saturating_mul(tick);
        while let Some(record) = reader.previous()? {
            while let Some((_, before)) =
                marked.split_last().filter(|(first, _)| self.records - singles.taken() <= **first)
            {
                marked = before;
                singles.enter(marked.len() as u32);
            }
            match record {
                Compact::End { roots, .. } => singles.end_of_run(roots),
                Compact::Excess { distance, time } => singles.excess(distance, nanoseconds(time)),
                Compact::Record { pair, cost, children, inherited, .. } => {
                    let own = if switches[pair as usize - 1] { 0 } else { nanoseconds(cost.time) };
                    singles.record(pair - 1, own, !inherited, &children);
                }
            }
        }
        Ok(singles.finish())
    }

    /// File and name of a key of [`tree`](Recorded::tree).
    pub(crate) fn function(&self, key: u64) -> (&[u8], &[u8]) {
        if key == STILL_RUNNING {
            return (b"", crate::profile::contents::STILL_RUNNING_NAME.as_bytes());
        }
        if key == LEFT_OUT {
            return (b"", crate::profile::contents::LEFT_OUT_NAME.as_bytes());
        }
        let (file, name) = self.found.pairs.get(key as u32);
        (self.found.strings.get(file), self.found.strings.get(name))
    }
}
