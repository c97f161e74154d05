//! The compact record form: what a tree needs of each record in four to five bytes, written
//! forwards while records come and read backwards, from its end.
//!
//! A record is a row of LEB128 numbers: the lines of the calls that it made, pair (of file and function), time,
//! memory, and `8k + 4 lines + 2 inherited + agrees` with k its number of claims (calls that it made). `agrees` says
//! that the claims name the last k unclaimed subtrees in order. Where they do not, the subtrees that could be matched
//! stand before that last number, each as its distance in records, then their count. `lines` says that there are k
//! lines; where it is 0 their count stands behind them. `inherited`: the call began in the process from which this
//! one was forked. Pair 0 closes a run: its time is the count of subtrees that nobody claimed, its memory says
//! whether the run has its end; or, with memory 2, it corrects the time of the record that ended so many before.
//!
//! In LEB128 a byte below 128 ends a number, so numbers can be read from behind. Records stand in
//! blocks of about 1 MB, each with its length (32 bits, little endian) at both ends. The length's highest bit says that
//! the block is deflated.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::profile::error::Error;
use crate::profile::tree::Cost;

/// A block is closed once it holds this many bytes.
const BLOCK: usize = 1 << 20;

/// In a block's length: it is deflated.
const PACKED: u32 = 1 << 31;

/// Bytes that a deflated block holds at most: the record of a loop that claims millions of calls is one block.
const MOST_UNPACKED: u64 = 256 << 20;

/// One record of the compact form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compact {
    /// A call that ended.
    Record {
        /// The pair's number, from 1.
        pair: u32,
        /// Self cost.
        cost: Cost,
        /// The calls that it made.
        children: Children,
        /// It began before the process was forked that ended it.
        inherited: bool,
        /// Lines of the calls, in order; one a claim.
        lines: Vec<u32>,
    },
    /// The time of the record that stands so many before this place is too high by so much.
    Excess {
        /// 1 is the last record.
        distance: u64,
        /// Ticks.
        time: i64,
    },
    /// The end of a run.
    End {
        /// Subtrees that nobody claimed.
        roots: u64,
        /// The run has its summary.
        ended: bool,
    },
}

/// The subtrees that belong to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Children {
    /// The last so many unclaimed ones, in order.
    Last(u64),
    /// Those that ended so many records before this one.
    At(Vec<u64>),
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[inline]
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes the number that ends a byte string off it.
#[inline]
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (&last, mut rest) = bytes.split_last()?;
    if last >= 128 {
        return None;
    }
    let mut value = u64::from(last);
    let mut length = 1;
    while let Some((&byte, before)) = rest.split_last().filter(|(byte, _)| **byte >= 128) {
        length += 1;
        if length > 10 {
            return None;
        }
        value = value << 7 | u64::from(byte & 127);
        rest = before;
    }
    *bytes = rest;
    Some(value)
}

/// What a record says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// From 1.
    pub pair: u32,
    pub cost: Cost,
    pub inherited: bool,
}

/// Writes the compact form to a sink, block by block.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    sink: W,
    block: Vec<u8>,
    packed: bool,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(sink: W) -> Self {
        Writer { sink, block: Vec::new(), packed: false }
    }

    /// One that deflates its blocks.
    pub(crate) fn packed(sink: W) -> Self {
        Writer { packed: true, ..Writer::new(sink) }
    }

    pub(crate) fn sink(&self) -> &W {
        &self.sink
    }

    /// A record whose claims are the last subtrees.
    #[inline]
    pub(crate) fn agreeing(
        &mut self,
        head: Head,
        lines: impl ExactSizeIterator<Item = u32>,
        claims: u64,
    ) -> io::Result<()> {
        let tag = self.head(&head, lines, claims);
        put(&mut self.block, tag | 1);
        self.close_full_block()
    }

    /// A record whose claims are elsewhere.
    pub(crate) fn matched(
        &mut self,
        head: Head,
        lines: impl ExactSizeIterator<Item = u32>,
        claims: u64,
        distances: &[u64],
    ) -> io::Result<()> {
        let tag = self.head(&head, lines, claims);
        distances.iter().for_each(|&distance| put(&mut self.block, distance));
        put(&mut self.block, distances.len() as u64);
        put(&mut self.block, tag);
        self.close_full_block()
    }

    pub(crate) fn end(&mut self, roots: u64, ended: bool) -> io::Result<()> {
        let cost = Cost { time: roots as i64, memory: i64::from(ended) };
        self.agreeing(Head { pair: 0, cost, inherited: false }, std::iter::empty(), 0)
    }

    /// Corrects the time of a record before.
    pub(crate) fn excess(&mut self, distance: u64, time: i64) -> io::Result<()> {
        for number in [0, zigzag(time), zigzag(2), distance << 3 | 1] {
            put(&mut self.block, number);
        }
        self.close_full_block()
    }

    #[inline]
    fn head(&mut self, head: &Head, lines: impl ExactSizeIterator<Item = u32>, claims: u64) -> u64 {
        let count = lines.len() as u64;
        lines.for_each(|line| put(&mut self.block, u64::from(line)));
        if count != claims {
            put(&mut self.block, count);
        }
        let &Head { pair, cost, inherited } = head;
        put(&mut self.block, u64::from(pair));
        put(&mut self.block, zigzag(cost.time));
        put(&mut self.block, zigzag(cost.memory));
        claims << 3 | u64::from(count == claims) << 2 | u64::from(inherited) << 1
    }

    fn close_full_block(&mut self) -> io::Result<()> {
        if self.block.len() < BLOCK { Ok(()) } else { self.flush() }
    }

    /// Writes what the open block holds, so that all records so far can be read.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let mut block = &self.block;
        let deflated;
        let mut packed = 0;
        if self.packed && self.block.len() as u64 <= MOST_UNPACKED {
            let mut encoder = DeflateEncoder::new(Vec::with_capacity(block.len() / 2), Compression::fast());
            encoder.write_all(block)?;
            deflated = encoder.finish()?;
            (block, packed) = (&deflated, PACKED);
        }
        if block.len() >= PACKED as usize {
            return Err(io::Error::other("a record makes more calls than the compact form holds"));
        }
        let length = (block.len() as u32 | packed).to_le_bytes();
        self.sink.write_all(&length)?;
        self.sink.write_all(block)?;
        self.sink.write_all(&length)?;
        self.sink.flush()?;
        self.block.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.sink)
    }
}

/// Reads the compact form from its end.
pub(crate) struct Reader<R> {
    source: R,
    /// Where the block in hand begins in the source.
    start: u64,
    /// The block as it is read.
    raw: Vec<u8>,
    block: Vec<u8>,
    left: usize,
}

impl<R: Read + Seek> Reader<R> {
    pub(crate) fn new(mut source: R) -> Result<Self, Error> {
        let start = source.seek(SeekFrom::End(0)).map_err(|e| broken(0, e))?;
        Ok(Reader { source, start, raw: Vec::new(), block: Vec::new(), left: 0 })
    }

    /// The record before, or `None` at the beginning.
    pub(crate) fn previous(&mut self) -> Result<Option<Compact>, Error> {
        while self.left == 0 {
            if self.start == 0 {
                return Ok(None);
            }
            self.load_previous_block()?;
        }
        let mut rest = &self.block[..self.left];
        let record =
            record_at_end(&mut rest).ok_or_else(|| broken(self.start + self.left as u64, "no record ends here"))?;
        self.left = rest.len();
        Ok(Some(record))
    }

    fn load_previous_block(&mut self) -> Result<(), Error> {
        let end = self.start;
        let mut length = [0; 4];
        let at = end.checked_sub(4).ok_or_else(|| broken(end, "a block's length is cut off"))?;
        self.source.seek(SeekFrom::Start(at)).map_err(|e| broken(at, e))?;
        self.source.read_exact(&mut length).map_err(|e| broken(at, e))?;
        let length = u32::from_le_bytes(length);
        let size = u64::from(length & !PACKED);
        let begin = at.checked_sub(size + 4).ok_or_else(|| broken(at, "a block's length does not fit"))?;
        self.raw.resize(size as usize, 0);
        self.source.seek(SeekFrom::Start(begin + 4)).map_err(|e| broken(begin, e))?;
        self.source.read_exact(&mut self.raw).map_err(|e| broken(begin, e))?;
        if length & PACKED == 0 {
            std::mem::swap(&mut self.block, &mut self.raw);
        } else {
            self.block.clear();
            let mut decoder = DeflateDecoder::new(&self.raw[..]).take(MOST_UNPACKED + 1);
            decoder.read_to_end(&mut self.block).map_err(|e| broken(begin, e))?;
            if self.block.len() as u64 > MOST_UNPACKED {
                return Err(broken(begin, "a block is larger than any that is written"));
            }
        }
        self.start = begin;
        self.left = self.block.len();
        Ok(())
    }
}

fn broken(offset: u64, reason: impl ToString) -> Error {
    Error::Compact { offset, reason: reason.to_string() }
}

#[inline]
fn record_at_end(rest: &mut &[u8]) -> Option<Compact> {
    let tag = take(rest)?;
    let children = match tag & 1 {
        1 => Children::Last(tag >> 3),
        _ => {
            let count = take(rest)?;
            let mut distances = (0..count).map(|_| take(rest)).collect::<Option<Vec<u64>>>()?;
            distances.reverse();
            Children::At(distances)
        }
    };
    let memory = unzigzag(take(rest)?);
    let time = unzigzag(take(rest)?);
    let pair = u32::try_from(take(rest)?).ok()?;
    if pair == 0 {
        return Some(match memory {
            2 => Compact::Excess { distance: tag >> 3, time },
            _ => Compact::End { roots: time as u64, ended: memory != 0 },
        });
    }
    let count = if tag & 4 == 0 { take(rest)? } else { tag >> 3 };
    let mut lines = (0..count).map(|_| u32::try_from(take(rest)?).ok()).collect::<Option<Vec<u32>>>()?;
    lines.reverse();
    Some(Compact::Record { pair, cost: Cost { time, memory }, children, inherited: tag & 2 != 0, lines })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_from_behind(values in proptest::collection::vec(any::<u64>(), 0..50)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|&value| put(&mut bytes, value));
            let mut rest = &bytes[..];
            for &value in values.iter().rev() {
                prop_assert_eq!(take(&mut rest), Some(value));
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn records_come_back_in_reverse() {
        round_trip(Writer::new(Vec::new()));
        round_trip(Writer::packed(Vec::new()));
    }

    fn round_trip(mut writer: Writer<Vec<u8>>) {
        let cost = |time, memory| Cost { time, memory };
        let head = |pair, cost| Head { pair, cost, inherited: pair == 2 };
        writer.agreeing(head(1, cost(5, -7)), [].into_iter(), 0).unwrap();
        writer.flush().unwrap();
        writer.matched(head(300, cost(1 << 40, 0)), [7, 900, 0].into_iter(), 3, &[1, 200]).unwrap();
        writer.excess(2, 1 << 32).unwrap();
        writer.matched(head(2, cost(0, 0)), [5].into_iter(), 2, &[]).unwrap();
        writer.end(2, true).unwrap();
        let mut reader = Reader::new(Cursor::new(writer.finish().unwrap())).unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.previous().unwrap() {
            records.push(record);
        }
        let record = |pair, cost, children, lines: &[u32]| Compact::Record {
            pair,
            cost,
            children,
            inherited: pair == 2,
            lines: lines.to_vec(),
        };
        assert_eq!(
            records,
            [
                Compact::End { roots: 2, ended: true },
                record(2, cost(0, 0), Children::At(vec![]), &[5]),
                Compact::Excess { distance: 2, time: 1 << 32 },
                record(300, cost(1 << 40, 0), Children::At(vec![1, 200]), &[7, 900, 0]),
                record(1, cost(5, -7), Children::Last(0), &[]),
            ]
        );
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [&b"abc"[..], b"\xff\xff\xff\xff", b"\x01\0\0\0\x81\x01\0\0\0"] {
            let outcome = Reader::new(Cursor::new(bytes)).unwrap().previous();
            assert!(outcome.is_err(), "{bytes:?}");
        }
    }
}
