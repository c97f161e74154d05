//! Whether bytes can go on where one process's part of a profile stopped, in the form in which Xdebug 3 writes it: each
//! line where it belongs, functions numbered as they come, and each call that a record claims the last one that ended,
//! with the time that it took. So bytes of another process fit nowhere but by chance.

use std::rc::Rc;

/// The call behind which a process is two.
const FORK: &[u8] = b"php::pcntl_fork";
/// Switches between fibers put records out of the order of their calls.
const FIBER: &[u8] = b"Fiber";
/// Lines longer than this are not followed.
const LONGEST_LINE: usize = 1 << 16;

/// A stack that shares what is below: each block has the state behind it.
#[derive(Debug, Clone, Default)]
struct Stack(Option<Rc<Entry>>);

/// A call: what was called, the time that it took, and by how much that may be rounded.
#[derive(Debug)]
struct Entry {
    function: u32,
    time: i64,
    rounding: u64,
    below: Stack,
}

impl Stack {
    fn push(&mut self, function: u32, time: i64, rounding: u64) {
        let below = std::mem::take(self);
        self.0 = Some(Rc::new(Entry { function, time, rounding, below }));
    }
}

impl Drop for Stack {
    // One after the other: they may be a million deep.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(entry) = next {
            next = Rc::try_unwrap(entry).ok().and_then(|mut entry| entry.below.0.take());
        }
    }
}

/// What a line has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Line {
    #[default]
    File,
    Function,
    Costs,
    CallOrBlank,
    CalledFunction,
    Calls,
    CallCosts,
    BlankBehindSummary,
    None,
}

/// What is known of a process where its bytes stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    next: Line,
    /// The beginning of the line that is cut.
    cut: Vec<u8>,
    /// Functions that have a name.
    functions: u32,
    fork: Option<u32>,
    fibers: bool,
    /// Calls that nobody has claimed.
    unclaimed: Stack,
    /// The record that is open: its function, self time and calls.
    function: u32,
    time: i64,
    claims: Stack,
    called: u32,
    records: u64,
}

impl State {
    /// Takes the next bytes, up to the process's end if that is among them. Gives back how many these were, or none where
    /// they do not fit.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() && !self.ended() {
            let Some(length) = memchr::memchr(b'\n', &bytes[at..]) else {
                self.cut.extend_from_slice(&bytes[at..]);
                return (self.cut.len() <= LONGEST_LINE && self.may_begin()).then_some(bytes.len());
            };
            let line = &bytes[at..at + length];
            if self.next == Line::BlankBehindSummary && !(line.is_empty() && self.cut.is_empty()) {
                self.next = Line::None;
                return Some(at);
            }
            let mut whole = std::mem::take(&mut self.cut);
            let fits = match whole.is_empty() {
                true => self.line(line),
                false => {
                    whole.extend_from_slice(line);
                    self.line(&whole)
                }
            };
            fits?;
            at += length + 1;
        }
        Some(at)
    }

    /// The process has written its end.
    pub(crate) fn ended(&self) -> bool {
        self.next == Line::None
    }

    /// Records so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// A record has ended and none has begun.
    fn between_records(&self) -> bool {
        self.next == Line::File && self.cut.is_empty()
    }

    /// Places in bytes that go on from here where a record ends: the last one up to `most`.
    pub(crate) fn last_end(&self, bytes: &[u8], most: usize) -> Option<usize> {
        if let Some(at) = memchr::memmem::rfind(&bytes[..most], b"\n\n") {
            return Some(at + 2);
        }
        let blank = self.next == Line::CallOrBlank && self.cut.is_empty() && bytes[..most].starts_with(b"\n");
        blank.then_some(1).or(self.between_records().then_some(0))
    }

    /// Bytes begin with the record of a call that forks.
    pub(crate) fn forks_next(&self, bytes: &[u8]) -> bool {
        let mut ends = memchr::memchr_iter(b'\n', bytes);
        let (Some(file), Some(function)) = (ends.next(), ends.next()) else { return false };
        let Some(field) = bytes[file + 1..function].strip_prefix(b"fn=(") else { return false };
        match id(field) {
            Some((_, Some(name))) => name == FORK,
            Some((id, None)) => self.fork == Some(id),
            None => false,
        }
    }

    /// The line that is cut may go on to one that fits.
    fn may_begin(&self) -> bool {
        let begins = |prefix: &[u8]| {
            let length = self.cut.len().min(prefix.len());
            self.cut[..length] == prefix[..length]
        };
        match self.next {
            Line::File => begins(b"fl=(") || begins(b"summary: "),
            Line::Function => begins(b"fn=("),
            Line::CallOrBlank => begins(b"cfl=("),
            Line::CalledFunction => begins(b"cfn=("),
            Line::Calls => begins(b"calls=1 0 0"),
            Line::Costs | Line::CallCosts => {
                self.cut.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
            }
            Line::BlankBehindSummary | Line::None => true,
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        self.next = match self.next {
            Line::File => match line.strip_prefix(b"summary: ") {
                Some(costs) => numbers::<2>(costs).map(|_| Line::BlankBehindSummary)?,
                None => id(line.strip_prefix(b"fl=(")?).map(|_| Line::Function)?,
            },
            Line::Function => {
                self.function = self.define(line.strip_prefix(b"fn=(")?)?;
                Line::Costs
            }
            Line::Costs => {
                self.time = numbers::<3>(line)?[1];
                Line::CallOrBlank
            }
            Line::CallOrBlank if line.is_empty() => {
                self.close()?;
                Line::File
            }
            Line::CallOrBlank => id(line.strip_prefix(b"cfl=(")?).map(|_| Line::CalledFunction)?,
            Line::CalledFunction => {
                self.called = self.define(line.strip_prefix(b"cfn=(")?)?;
                Line::Calls
            }
            Line::Calls => (line == b"calls=1 0 0").then_some(Line::CallCosts)?,
            Line::CallCosts => {
                self.claims.push(self.called, numbers::<3>(line)?[1], 0);
                Line::CallOrBlank
            }
            Line::BlankBehindSummary => Line::None,
            Line::None => return None,
        };
        Some(())
    }

    /// The number of a function, which is the next one where it has a name.
    fn define(&mut self, field: &[u8]) -> Option<u32> {
        let (id, name) = id(field)?;
        let Some(name) = name else { return (id <= self.functions).then_some(id) };
        if id != self.functions + 1 {
            return None;
        }
        self.functions = id;
        if name == FORK {
            self.fork = Some(id);
        }
        self.fibers |= name.strip_prefix(b"php::").unwrap_or(name).starts_with(FIBER);
        Some(id)
    }

    /// The record that is open has ended: what it claims is what ended last.
    fn close(&mut self) -> Option<()> {
        let (mut inclusive, mut calls) = (self.time, 0u64);
        let mut next = std::mem::take(&mut self.claims);
        while let Some(claim) = next.0.clone() {
            inclusive = inclusive.checked_add(claim.time)?;
            calls += 1;
            if !self.fibers {
                let last = self.unclaimed.0.clone()?;
                let near = last.time.abs_diff(claim.time) <= last.rounding;
                (last.function == claim.function && near).then_some(())?;
                self.unclaimed = last.below.clone();
            }
            next = claim.below.clone();
        }
        self.records += 1;
        if !self.fibers {
            self.unclaimed.push(self.function, inclusive, calls + 1);
        }
        Some(())
    }
}

/// `N)`, and the name behind it if there is one.
fn id(field: &[u8]) -> Option<(u32, Option<&[u8]>)> {
    let length = memchr::memchr(b')', field)?;
    let id = number(&field[..length])?;
    let name = &field[length + 1..];
    let id = u32::try_from(id).ok().filter(|id| *id > 0)?;
    match name.strip_prefix(b" ") {
        Some(name) => (!name.is_empty()).then_some((id, Some(name))),
        None => name.is_empty().then_some((id, None)),
    }
}

fn numbers<const COUNT: usize>(line: &[u8]) -> Option<[i64; COUNT]> {
    let mut numbers = [0; COUNT];
    let mut fields = line.split(|byte| *byte == b' ');
    for value in &mut numbers {
        *value = number(fields.next()?)?;
    }
    fields.next().is_none().then_some(numbers)
}

fn number(digits: &[u8]) -> Option<i64> {
    match crate::profile::number::decimal(digits) {
        crate::profile::number::Number::Is(value) => Some(value),
        _ => None,
    }
}
