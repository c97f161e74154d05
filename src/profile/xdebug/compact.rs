//! The compact record form: what a tree needs of each record in four to five bytes, written
//! forwards while records come and read backwards, from its end.
//!
//! A record is a row of LEB128 numbers: pair (of file and function), time, memory, and `2k + agrees`
//! with k its number of claims (calls that it made). `agrees` says that the claims name the last k
//! unclaimed subtrees in order. Where they do not, the subtrees that could be matched stand before
//! that last number, each as its distance in records, then their count. Pair 0 closes a run: its time
//! is the count of subtrees that nobody claimed, its memory says whether the run is complete.
//!
//! In LEB128 a byte below 128 ends a number, so numbers can be read from behind. Records stand in
//! blocks of about 1 MB, each with its length (32 bits, little endian) at both ends.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::profile::error::Error;
use crate::profile::tree::Cost;

/// A block is closed once it holds this many bytes.
const BLOCK: usize = 1 << 20;

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
    },
    /// The end of a run.
    End {
        /// Subtrees that nobody claimed.
        roots: u64,
        /// The run has its summary and nothing was lost.
        complete: bool,
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

/// Writes the compact form to a sink, block by block.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    sink: W,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(sink: W) -> Self {
        Writer { sink, block: Vec::new() }
    }

    pub(crate) fn agreeing(&mut self, pair: u32, cost: Cost, claims: u64) -> io::Result<()> {
        self.head(pair, cost);
        put(&mut self.block, claims << 1 | 1);
        self.close_full_block()
    }

    pub(crate) fn matched(&mut self, pair: u32, cost: Cost, claims: u64, distances: &[u64]) -> io::Result<()> {
        self.head(pair, cost);
        distances.iter().for_each(|&distance| put(&mut self.block, distance));
        put(&mut self.block, distances.len() as u64);
        put(&mut self.block, claims << 1);
        self.close_full_block()
    }

    pub(crate) fn end(&mut self, roots: u64, complete: bool) -> io::Result<()> {
        self.agreeing(0, Cost { time: roots as i64, memory: i64::from(complete) }, 0)
    }

    fn head(&mut self, pair: u32, cost: Cost) {
        put(&mut self.block, u64::from(pair));
        put(&mut self.block, zigzag(cost.time));
        put(&mut self.block, zigzag(cost.memory));
    }

    fn close_full_block(&mut self) -> io::Result<()> {
        if self.block.len() < BLOCK { Ok(()) } else { self.flush() }
    }

    /// Writes what the open block holds, so that all records so far can be read.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let length = (self.block.len() as u32).to_le_bytes();
        self.sink.write_all(&length)?;
        self.sink.write_all(&self.block)?;
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
    block: Vec<u8>,
    left: usize,
}

impl<R: Read + Seek> Reader<R> {
    pub(crate) fn new(mut source: R) -> Result<Self, Error> {
        let start = source.seek(SeekFrom::End(0)).map_err(|e| broken(0, e))?;
        Ok(Reader { source, start, block: Vec::new(), left: 0 })
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
        let size = u64::from(u32::from_le_bytes(length));
        let begin = at.checked_sub(size + 4).ok_or_else(|| broken(at, "a block's length does not fit"))?;
        self.block.resize(size as usize, 0);
        self.source.seek(SeekFrom::Start(begin + 4)).map_err(|e| broken(begin, e))?;
        self.source.read_exact(&mut self.block).map_err(|e| broken(begin, e))?;
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
        1 => Children::Last(tag >> 1),
        _ => {
            let count = take(rest)?;
            let mut distances = (0..count).map(|_| take(rest)).collect::<Option<Vec<u64>>>()?;
            distances.reverse();
            Children::At(distances)
        }
    };
    let memory = unzigzag(take(rest)?);
    let time = unzigzag(take(rest)?);
    match u32::try_from(take(rest)?).ok()? {
        0 => Some(Compact::End { roots: time as u64, complete: memory != 0 }),
        pair => Some(Compact::Record { pair, cost: Cost { time, memory }, children }),
    }
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
        let mut writer = Writer::new(Vec::new());
        let cost = |time, memory| Cost { time, memory };
        writer.agreeing(1, cost(5, -7), 0).unwrap();
        writer.flush().unwrap();
        writer.matched(300, cost(1 << 40, 0), 3, &[1, 200]).unwrap();
        writer.matched(2, cost(0, 0), 1, &[]).unwrap();
        writer.end(2, true).unwrap();
        let mut reader = Reader::new(Cursor::new(writer.finish().unwrap())).unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.previous().unwrap() {
            records.push(record);
        }
        let record = |pair, cost, children| Compact::Record { pair, cost, children };
        assert_eq!(
            records,
            [
                Compact::End { roots: 2, complete: true },
                record(2, cost(0, 0), Children::At(vec![])),
                record(300, cost(1 << 40, 0), Children::At(vec![1, 200])),
                record(1, cost(5, -7), Children::Last(0)),
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
