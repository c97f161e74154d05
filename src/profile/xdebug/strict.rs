//! The fast lexer: only for records as Xdebug 3 writes them, many at a time. It stops at the first
//! byte that is different, and whoever called it goes on there with the tolerant lexer.
//!
//! A record is `fl=(N)`, `fn=(N)`, `LINE TIME MEMORY`, then for each call `cfl=(N)`, `cfn=(N)`,
//! `calls=1 0 0`, `LINE TIME MEMORY`, then a blank line; an id may be followed by its name. All
//! numbers of a record's head, and of a call, stand within 64 bytes nearly always: one mask of the
//! digits in these gives where each begins and ends, and the fixed text between them is compared.

use super::digits::{DigitMask, Portable, WINDOW, value_of_last};

/// Bytes that must be readable behind the text given to [`Batch::lex`].
pub(crate) const PADDING: usize = WINDOW + 16;

/// Bytes that must be readable before the first record: numbers are loaded by their end.
pub(crate) const LEAD: usize = 8;

/// Ids of file and function in one word.
pub(crate) type RawKey = u64;

pub(crate) fn raw_key(file: u32, function: u32) -> RawKey {
    u64::from(file) << 32 | u64::from(function)
}

/// A record in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub key: RawKey,
    pub time: u64,
    pub memory: u64,
    /// How many of the batch's claims are its own.
    pub claims: u32,
}

/// A call in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawClaim {
    pub key: RawKey,
    /// Inclusive time.
    pub time: u64,
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
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub records: Vec<RawRecord>,
    pub claims: Vec<RawClaim>,
    pub definitions: Vec<Definition>,
}

impl Batch {
    /// Reads records from `text[begin..end]`, which must begin at one. Returns where it stopped: at
    /// the beginning of the first record that is cut by `end` or of another form. `text` must go on
    /// for [`PADDING`] bytes beyond `end`, and `begin` be [`LEAD`] at least.
    pub(crate) fn lex(&mut self, text: &[u8], begin: usize, end: usize) -> usize {
        self.records.clear();
        self.claims.clear();
        self.definitions.clear();
        assert!(end + PADDING <= text.len() && begin <= end && begin >= LEAD);
        #[cfg(target_arch = "x86_64")]
        {
            use super::digits::Sse2;
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("bmi2") {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { lex_avx2(self, text, begin, end) };
            }
            return self.lex_with::<Sse2>(text, begin, end);
        }
        #[allow(unreachable_code)]
        self.lex_with::<Portable>(text, begin, end)
    }

    #[inline(always)]
    fn lex_with<M: DigitMask>(&mut self, text: &[u8], begin: usize, end: usize) -> usize {
        let mut at = begin;
        while at < end {
            let (claims, definitions) = (self.claims.len(), self.definitions.len());
            match self.record::<M>(text, at, end) {
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

    #[inline(always)]
    fn record<M: DigitMask>(&mut self, text: &[u8], begin: usize, end: usize) -> Option<usize> {
        let first_claim = self.claims.len();
        let (key, time, memory, mut at) = match head::<M>(text, begin) {
            Some(head) => head,
            None => self.slow_head(text, begin, end)?,
        };
        loop {
            if at >= end {
                return None;
            }
            match text[at] {
                b'\n' => break,
                b'c' => {
                    let (claim, next) = match call::<M>(text, at) {
                        Some(call) => call,
                        None => self.slow_call(text, at, end)?,
                    };
                    self.claims.push(claim);
                    at = next;
                }
                _ => return None,
            }
        }
        at += 1;
        let claims = (self.claims.len() - first_claim) as u32;
        self.records.push(RawRecord { key, time, memory, claims });
        Some(at)
    }

    #[cold]
    #[inline(never)]
    fn slow_head(&mut self, text: &[u8], begin: usize, end: usize) -> Option<(RawKey, u64, u64, usize)> {
        let mut cursor = Cursor { text: &text[..end], at: begin };
        let file = self.id(&mut cursor, b"fl=(", true)?;
        let function = self.id(&mut cursor, b"fn=(", false)?;
        let (time, memory) = cursor.costs()?;
        Some((raw_key(file, function), time, memory, cursor.at))
    }

    #[cold]
    #[inline(never)]
    fn slow_call(&mut self, text: &[u8], begin: usize, end: usize) -> Option<(RawClaim, usize)> {
        let mut cursor = Cursor { text: &text[..end], at: begin };
        let file = self.id(&mut cursor, b"cfl=(", true)?;
        let function = self.id(&mut cursor, b"cfn=(", false)?;
        cursor.fixed(b"calls=1 0 0\n")?;
        let (time, _) = cursor.costs()?;
        Some((RawClaim { key: raw_key(file, function), time }, cursor.at))
    }

    /// `PREFIX N)` and, if there is one, a name.
    fn id(&mut self, cursor: &mut Cursor, prefix: &[u8], is_file: bool) -> Option<u32> {
        cursor.fixed(prefix)?;
        let id = u32::try_from(cursor.number(9)?).ok()?;
        cursor.fixed(b")")?;
        if cursor.fixed(b"\n").is_some() {
            return Some(id);
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
fn lex_avx2(batch: &mut Batch, text: &[u8], begin: usize, end: usize) -> usize {
    batch.lex_with::<super::digits::Avx2>(text, begin, end)
}

#[inline(always)]
fn word(text: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*text[at..].first_chunk().unwrap_or(&[0; 8]))
}

/// The numbers in 64 bytes, one after the other.
struct Numbers<'a> {
    text: &'a [u8],
    base: usize,
    begins: u64,
    ends: u64,
}

impl<'a> Numbers<'a> {
    #[inline(always)]
    fn at<M: DigitMask>(text: &'a [u8], base: usize) -> Option<Self> {
        let digits = M::digits(text.get(base..)?.first_chunk()?);
        Some(Numbers { text, base, begins: digits & !(digits << 1), ends: !digits & (digits << 1) })
    }

    /// Begin and end of the next number; nonsense (caught by what is compared next) where there is none.
    #[inline(always)]
    fn next(&mut self) -> (u32, u32) {
        let range = (self.begins.trailing_zeros(), self.ends.trailing_zeros());
        self.begins &= self.begins.wrapping_sub(1);
        self.ends &= self.ends.wrapping_sub(1);
        range
    }

    /// Value of a number of 1 to 8 digits.
    #[inline(always)]
    fn value(&self, (begin, end): (u32, u32)) -> u64 {
        value_of_last(word(self.text, self.base + end as usize - 8), end - begin)
    }
}

const FL: u64 = u32::from_le_bytes(*b"fl=(") as u64;
const CFL: u64 = u64::from_le_bytes(*b"cfl=(\0\0\0");
const FN: u64 = u64::from_le_bytes(*b")\nfn=(\0\0");
const CFN: u64 = u64::from_le_bytes(*b")\ncfn=(\0");
const COSTS: u64 = u64::from_le_bytes(*b")\n\0\0\0\0\0\0");
const CALLS_1: u64 = u64::from_le_bytes(*b")\ncalls=");
const CALLS_2: u64 = u64::from_le_bytes(*b"1 0 0\n\0\0");
const SIX: u64 = 0xffff_ffff_ffff;

/// The head of a record, all of it in one window: key, self time, memory, and where the head ends.
#[inline(always)]
fn head<M: DigitMask>(text: &[u8], begin: usize) -> Option<(RawKey, u64, u64, usize)> {
    let mut numbers = Numbers::at::<M>(text, begin)?;
    let (file, function, line) = (numbers.next(), numbers.next(), numbers.next());
    let (time, memory) = (numbers.next(), numbers.next());
    if memory.1 == 64 {
        return None;
    }
    let after = |number: (u32, u32)| word(text, begin + number.1 as usize);
    let fits = file.0 == 4
        && word(text, begin) & 0xffff_ffff == FL
        && after(file) & SIX == FN
        && function.0 == file.1 + 6
        && after(function) & 0xffff == COSTS
        && line.0 == function.1 + 2
        && after(line) & 0xff == u64::from(b' ')
        && time.0 == line.1 + 1
        && after(time) & 0xff == u64::from(b' ')
        && memory.0 == time.1 + 1
        && after(memory) & 0xff == u64::from(b'\n');
    if !fits || longest([file, function, time, memory]) > 8 {
        return None;
    }
    let key = numbers.value(file) << 32 | numbers.value(function);
    Some((key, numbers.value(time), numbers.value(memory), begin + memory.1 as usize + 1))
}

/// A call, all of it in one window, and where it ends.
#[inline(always)]
fn call<M: DigitMask>(text: &[u8], begin: usize) -> Option<(RawClaim, usize)> {
    let mut numbers = Numbers::at::<M>(text, begin)?;
    let (file, function) = (numbers.next(), numbers.next());
    let (count, _, zero) = (numbers.next(), numbers.next(), numbers.next());
    let (line, time, memory) = (numbers.next(), numbers.next(), numbers.next());
    if memory.1 == 64 {
        return None;
    }
    let after = |number: (u32, u32)| word(text, begin + number.1 as usize);
    let fits = file.0 == 5
        && word(text, begin) & 0xff_ffff_ffff == CFL
        && after(file) & 0xff_ffff_ffff_ffff == CFN
        && function.0 == file.1 + 7
        && after(function) == CALLS_1
        && count.0 == function.1 + 8
        && word(text, begin + count.0 as usize) & SIX == CALLS_2
        && line.0 == zero.1 + 1
        && after(line) & 0xff == u64::from(b' ')
        && time.0 == line.1 + 1
        && after(time) & 0xff == u64::from(b' ')
        && memory.0 == time.1 + 1
        && after(memory) & 0xff == u64::from(b'\n');
    if !fits || longest([file, function, time, time]) > 8 || memory.1 - memory.0 > 15 {
        return None;
    }
    let key = numbers.value(file) << 32 | numbers.value(function);
    Some((RawClaim { key, time: numbers.value(time) }, begin + memory.1 as usize + 1))
}

#[inline(always)]
fn longest(numbers: [(u32, u32); 4]) -> u32 {
    numbers.iter().map(|(begin, end)| end.wrapping_sub(*begin)).fold(0, u32::max)
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
    fn costs(&mut self) -> Option<(u64, u64)> {
        self.number(15)?;
        self.fixed(b" ")?;
        let time = self.number(15)?;
        self.fixed(b" ")?;
        let memory = self.number(15)?;
        self.fixed(b"\n")?;
        Some((time, memory))
    }
}
