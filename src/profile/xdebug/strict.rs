//! The fast lexer: only for records as Xdebug 3 writes them, many at a time. It stops at the first
//! byte that is different, and whoever called it goes on there with the tolerant lexer.
//!
//! A record is `fl=(N)`, `fn=(N)`, `LINE TIME MEMORY`, then for each call `cfl=(N)`, `cfn=(N)`,
//! `calls=1 0 0`, `LINE TIME MEMORY`, then a blank line; an id may be followed by its name. All
//! numbers of a record's head, and of a call, stand within 64 bytes nearly always: one mask of the
//! digits in these gives where each begins and ends, and the fixed text between them is compared.

use super::digits::{Masks, Portable, Vectors};
pub(crate) use super::window::LEAD;
use super::window::{REACH, Range, Window, too_long};

/// Bytes that must be readable behind the text given to [`Batch::lex`].
pub(crate) const PADDING: usize = REACH;

/// Ids of file and function in one word, each as [`raw_id`] has it.
pub(crate) type RawKey = u64;

/// An id of up to four digits is its digits as they stand in the file, the first in the lowest byte: such ids are compared
/// a million times and read once. A longer one is its value with the highest bit set, which no digit has.
pub(crate) fn raw_id(id: u32) -> u32 {
    if id >= 10_000 {
        return id | LONG_ID;
    }
    id.to_string().bytes().rev().fold(0, |raw, digit| raw << 8 | u32::from(digit))
}

/// The id behind [`raw_id`].
pub(crate) fn id_of(raw: u32) -> u32 {
    if raw & LONG_ID != 0 {
        return raw & !LONG_ID;
    }
    raw.to_le_bytes().iter().take_while(|digit| **digit != 0).fold(0, |id, digit| id * 10 + u32::from(digit & 0x0f))
}

const LONG_ID: u32 = 1 << 31;

fn raw_key(file: u32, function: u32) -> RawKey {
    u64::from(raw_id(file)) << 32 | u64::from(raw_id(function))
}

/// A record in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub key: RawKey,
    pub time: u64,
    pub memory: u64,
    /// How many of the batch's claims are its own.
    pub claims: u32,
    /// Its bytes.
    pub length: u32,
}

/// What is kept of a call.
pub(crate) trait Call: Copy {
    /// Ids with their names are noted; else the batch ends before them.
    const NAMES: bool;
    /// Line and time are wanted.
    const COSTS: bool;

    fn of(key: RawKey, line: u64, time: u64) -> Self;
}

/// Whoever knows the other record needs no more than what it names.
impl Call for RawKey {
    const NAMES: bool = true;
    const COSTS: bool = false;

    fn of(key: RawKey, _: u64, _: u64) -> Self {
        key
    }
}

/// A call in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawClaim {
    pub key: RawKey,
    pub line: u64,
    /// Inclusive time.
    pub time: u64,
}

impl Call for RawClaim {
    const NAMES: bool = false;
    const COSTS: bool = true;

    fn of(key: RawKey, line: u64, time: u64) -> Self {
        RawClaim { key, line, time }
    }
}

/// An id with its name, at `begin..end` of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Definition {
    pub is_file: bool,
    pub id: u32,
    pub begin: usize,
    pub end: usize,
}

/// Records read at one go, in file order.
#[derive(Debug, Clone)]
pub(crate) struct Batch<C> {
    pub records: Vec<RawRecord>,
    pub claims: Vec<C>,
    pub definitions: Vec<Definition>,
}

impl<C> Default for Batch<C> {
    fn default() -> Self {
        Batch { records: Vec::new(), claims: Vec::new(), definitions: Vec::new() }
    }
}

impl<C: Call> Batch<C> {
    /// Reads records from `text[begin..end]`, which must begin at one. Returns where it stopped: at
    /// the beginning of the first record that is cut by `end` or of another form. `text` must go on
    /// for [`PADDING`] bytes beyond `end`, and `begin` be [`LEAD`] at least.
    pub(crate) fn lex(&mut self, text: &[u8], begin: usize, end: usize, vectors: Vectors) -> usize {
        self.records.clear();
        self.claims.clear();
        self.definitions.clear();
        #[cfg(target_arch = "x86_64")]
        {
            use super::digits::Sse2;
            let avx2 = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("bmi2");
            match vectors {
                // SAFETY: the processor has what the function is compiled for.
                Vectors::Widest if avx2 => return unsafe { lex_avx2(self, text, begin, end) },
                Vectors::Widest | Vectors::Common => return self.lex_with::<Sse2>(text, begin, end),
                Vectors::None => {}
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = vectors;
        self.lex_with::<Portable>(text, begin, end)
    }

    #[inline(always)]
    fn lex_with<M: Masks>(&mut self, text: &[u8], begin: usize, end: usize) -> usize {
        assert!(begin >= LEAD && end + PADDING <= text.len());
        let mut at = begin;
        while at < end {
            let (claims, definitions) = (self.claims.len(), self.definitions.len());
            // SAFETY: the text goes on so far before `begin` and behind `end`.
            match unsafe { self.record::<M>(text, at, end) } {
                Some(next) => at = next,
                None => {
                    self.claims.truncate(claims);
                    self.definitions.truncate(definitions);
                    break;
                }
            }
        }
        at
    }

    /// # Safety
    ///
    /// `text` must go on for [`LEAD`] bytes before `begin`, and for [`PADDING`] bytes behind `end`.
    #[inline(always)]
    unsafe fn record<M: Masks>(&mut self, text: &[u8], begin: usize, end: usize) -> Option<usize> {
        let first_claim = self.claims.len();
        // SAFETY: as the caller promises.
        let (key, time, memory, mut at) = match unsafe { head::<M, false>(text, begin) } {
            Some(head) => head,
            None => self.slow_head::<M>(text, begin, end)?,
        };
        loop {
            if at >= end {
                return None;
            }
            // SAFETY: the end lies within the text.
            match unsafe { *text.get_unchecked(at) } {
                b'\n' => break,
                b'c' => {
                    // SAFETY: it begins behind the record and before the end.
                    let (claim, next) = match unsafe { call::<M, C, false>(text, at) } {
                        Some(call) => call,
                        None => self.slow_call::<M>(text, at, end)?,
                    };
                    self.claims.push(claim);
                    at = next;
                }
                _ => return None,
            }
        }
        at += 1;
        let claims = (self.claims.len() - first_claim) as u32;
        // A record of 4 GB is left to the tolerant lexer.
        let length = u32::try_from(at - begin).ok()?;
        self.records.push(RawRecord { key, time, memory, claims, length });
        Some(at)
    }

    #[cold]
    #[inline(never)]
    fn slow_head<M: Masks>(&mut self, text: &[u8], begin: usize, end: usize) -> Option<(RawKey, u64, u64, usize)> {
        // SAFETY: begin and end are those of `record`.
        if let Some(head) = unsafe { head::<M, true>(text, begin) } {
            return Some(head);
        }
        let mut cursor = Cursor { text: &text[..end], at: begin };
        let file = self.id(&mut cursor, b"fl=(", true)?;
        let function = self.id(&mut cursor, b"fn=(", false)?;
        let (_, time, memory) = cursor.costs()?;
        Some((raw_key(file, function), time, memory, cursor.at))
    }

    #[cold]
    #[inline(never)]
    fn slow_call<M: Masks>(&mut self, text: &[u8], begin: usize, end: usize) -> Option<(C, usize)> {
        // SAFETY: begin and end are those of `record`.
        if let Some(call) = unsafe { call::<M, C, true>(text, begin) } {
            return Some(call);
        }
        let mut cursor = Cursor { text: &text[..end], at: begin };
        let file = self.id(&mut cursor, b"cfl=(", true)?;
        let function = self.id(&mut cursor, b"cfn=(", false)?;
        cursor.fixed(b"calls=1 0 0\n")?;
        let (line, time, _) = cursor.costs()?;
        Some((C::of(raw_key(file, function), line, time), cursor.at))
    }

    /// `PREFIX N)` and, if there is one, a name.
    fn id(&mut self, cursor: &mut Cursor, prefix: &[u8], is_file: bool) -> Option<u32> {
        cursor.fixed(prefix)?;
        let id = u32::try_from(cursor.number(9)?).ok()?;
        cursor.fixed(b")")?;
        if cursor.fixed(b"\n").is_some() {
            return Some(id);
        }
        if !C::NAMES {
            return None;
        }
        cursor.fixed(b" ")?;
        let begin = cursor.at;
        let length = memchr::memchr(b'\n', &cursor.text[begin..])?;
        // A blank name, and what Windows puts at the end of a line, are left to the tolerant lexer.
        if length == 0 || cursor.text[begin + length - 1] == b'\r' {
            return None;
        }
        cursor.at += length + 1;
        self.definitions.push(Definition { is_file, id, begin, end: begin + length });
        Some(id)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn lex_avx2<C: Call>(batch: &mut Batch<C>, text: &[u8], begin: usize, end: usize) -> usize {
    batch.lex_with::<super::digits::Avx2>(text, begin, end)
}

/// Ids as one key; of up to 4 digits each, unless they are `LONG`: then up to 8.
#[inline(always)]
fn key<const LONG: bool>(window: &Window, file: Range, function: Range) -> RawKey {
    if LONG {
        let id = |id: Range| window.value(id.0, id.1) as u32;
        return raw_key(id(file), id(function));
    }
    let id = |id: Range| window.word(id.0 as i32) & ((1 << (8 * (id.1 - id.0))) - 1);
    id(file) << 32 | id(function)
}

const fn longest_id(long: bool) -> u32 {
    if long { 8 } else { 4 }
}

const FL: u64 = u32::from_le_bytes(*b"fl=(") as u64;
const CFL: u64 = u64::from_le_bytes(*b"cfl=(\0\0\0");
const FN: u64 = u64::from_le_bytes(*b")\nfn=(\0\0");
const CFN: u64 = u64::from_le_bytes(*b")\ncfn=(\0");
const COSTS: u64 = u64::from_le_bytes(*b")\n\0\0\0\0\0\0");
const CALLS_1: u64 = u64::from_le_bytes(*b")\ncalls=");
const CALLS_2: u64 = u64::from_le_bytes(*b"1 0 0\n\0\0");
const SPACE: u64 = b' ' as u64;

/// So many bytes of a word.
const fn bytes(count: u32) -> u64 {
    u64::MAX >> (64 - 8 * count)
}

/// The head of a record, all of it in one window: key, self time, memory, and where the head ends.
///
/// # Safety
///
/// As that of [`Window::at`].
#[inline(always)]
unsafe fn head<M: Masks, const LONG: bool>(text: &[u8], begin: usize) -> Option<(RawKey, u64, u64, usize)> {
    // SAFETY: as the caller promises.
    let mut window = unsafe { Window::at::<M>(text, begin) };
    let last = window.end_of_line(2);
    let file = (4, window.end());
    let function = (file.1 + 6, window.end());
    let line = (function.1 + 2, window.end());
    let time = (line.1 + 1, window.end());
    let memory = (time.1 + 1, window.end());
    let other = window.other(0, FL, bytes(4))
        | window.other(file.1, FN, bytes(6))
        | window.other(function.1, COSTS, bytes(2))
        | window.other(line.1, SPACE, bytes(1))
        | window.other(time.1, SPACE, bytes(1))
        | window.no_digit([file.0, function.0, line.0, time.0, memory.0])
        | u64::from(memory.1 ^ last);
    let id = longest_id(LONG);
    if other != 0 || too_long([(file, id), (function, id), (time, 8), (memory, 8)]) < 0 || last == 64 {
        return None;
    }
    let costs = (window.value(time.0, time.1), window.value(memory.0, memory.1));
    Some((key::<LONG>(&window, file, function), costs.0, costs.1, begin + last as usize + 1))
}

/// A call, all of it in one window, and where it ends.
///
/// # Safety
///
/// As that of [`Window::at`].
#[inline(always)]
unsafe fn call<M: Masks, C: Call, const LONG: bool>(text: &[u8], begin: usize) -> Option<(C, usize)> {
    // SAFETY: as the caller promises.
    let mut window = unsafe { Window::at::<M>(text, begin) };
    let last = window.end_of_line(3);
    let file = (5, window.end());
    let function = (file.1 + 7, window.end());
    window.skip(function.1 + 14);
    let line = (function.1 + 14, window.end());
    let time = (line.1 + 1, window.end());
    let memory = (time.1 + 1, window.end());
    let other = window.other(0, CFL, bytes(5))
        | window.other(file.1, CFN, bytes(7))
        | window.other(function.1, CALLS_1, bytes(8))
        | window.other(function.1 + 8, CALLS_2, bytes(6))
        | window.other(line.1, SPACE, bytes(1))
        | window.other(time.1, SPACE, bytes(1))
        | window.no_digit([file.0, function.0, line.0, time.0, memory.0])
        | u64::from(memory.1 ^ last);
    // Numbers so short are numbers, and most need not be read.
    let (id, costs) = (longest_id(LONG), (line.0, last));
    if other != 0 || too_long([(file, id), (function, id), (costs, 19)]) < 0 || last == 64 {
        return None;
    }
    let key = key::<LONG>(&window, file, function);
    if !C::COSTS {
        return Some((C::of(key, 0, 0), begin + last as usize + 1));
    }
    if too_long([(line, 8), (time, 8)]) < 0 {
        return None;
    }
    let (line, time) = (window.value(line.0, line.1), window.value(time.0, time.1));
    Some((C::of(key, line, time), begin + last as usize + 1))
}

/// Byte by byte, for what does not fit into a window.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn fixed(&mut self, expected: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(expected).then(|| self.at += expected.len())
    }

    fn number(&mut self, most: usize) -> Option<u64> {
        let rest = self.text.get(self.at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > most {
            return None;
        }
        self.at += digits;
        Some(rest[..digits].iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')))
    }

    /// `LINE TIME MEMORY`.
    fn costs(&mut self) -> Option<(u64, u64, u64)> {
        let line = self.number(15)?;
        self.fixed(b" ")?;
        let time = self.number(15)?;
        self.fixed(b" ")?;
        let memory = self.number(15)?;
        self.fixed(b"\n")?;
        Some((line, time, memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_from_their_digits() {
        let ids = (0..20_000).chain([99_999_999, 999_999_999]);
        let mut seen = std::collections::HashSet::new();
        for id in ids {
            assert_eq!(id_of(raw_id(id)), id);
            assert!(seen.insert(raw_id(id)));
        }
    }
}
