//! A profile in the compact form, as a file: what is kept of a profile that was followed while it was written.
//!
//! [`BEGIN`], the blocks of the compact form, deflated JSON with the names and what was found, its length (32 bits,
//! little endian), [`END`].

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::record::{Recorded, Recorder};
use super::spill::{Part, Spill};
use crate::profile::error::Error;
use crate::profile::map::Map;

/// A file of the compact form begins with this.
pub(crate) const BEGIN: &[u8; 8] = b"\x89PRcall1";
/// And ends with this: without it its writer was stopped.
const END: &[u8; 8] = b"1llacRP\x89";

/// Bytes of JSON that are read at most.
const MOST_NAMES: u64 = 256 << 20;

/// Bytes of a claim in a record: file, function, a call, its line and costs.
const CLAIM: u64 = 44;

/// Takes one profile as it is written and keeps it in the compact form, in a file.
#[derive(Debug)]
pub struct Keeper {
    recorder: Recorder<Counted>,
    taken: u64,
}

/// A file, and how much was written to it.
#[derive(Debug)]
struct Counted {
    file: File,
    written: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Keeper {
    /// One that writes to an empty file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(file: File) -> io::Result<Self> {
        let mut file = Counted { file, written: 0 };
        file.write_all(BEGIN)?;
        Ok(Keeper { recorder: Recorder::kept(file), taken: 0 })
    }

    /// Takes the next bytes of the profile, cut anywhere.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.taken += bytes.len() as u64;
        self.recorder.push(bytes)
    }

    /// Nothing new has come for a while.
    pub fn rest(&mut self) {
        self.recorder.rest();
    }

    /// Bytes of the profile that were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes of the compact form that were written.
    pub fn written(&self) -> u64 {
        self.recorder.sink().written
    }

    /// Bytes that the profile will have more when the calls that are open now end: each claims all that it called.
    pub fn at_end(&self) -> u64 {
        self.recorder.open() * CLAIM
    }

    /// The profile has ended.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let (recorded, mut sink) = self.recorder.finish()?.at(());
        let mut names = DeflateEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut names, &recorded)?;
        let names = names.finish()?;
        sink.write_all(&names)?;
        sink.write_all(&(names.len() as u32).to_le_bytes())?;
        sink.write_all(END)
    }
}

/// What a file of the compact form holds.
///
/// # Errors
/// It is not whole.
pub(crate) fn open(path: &Path, map: Map) -> Result<Recorded<Spill>, Error> {
    let broken = |offset: usize, reason: &str| Error::Compact { offset: offset as u64, reason: reason.to_owned() };
    let no_profile = |reason: &str| Error::NoProfile { path: path.to_owned(), reason: reason.to_owned() };
    let Some(rest) = map.strip_suffix(END).filter(|rest| rest.len() >= BEGIN.len() + 4) else {
        return Err(no_profile("its writer was stopped before its end; with --keep-raw a run keeps what PHP wrote"));
    };
    let (rest, length) = rest.split_at(rest.len() - 4);
    let length = length.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let begin = rest.len().checked_sub(length).filter(|begin| *begin >= BEGIN.len());
    let begin = begin.ok_or_else(|| broken(rest.len(), "the length of its names does not fit"))?;
    let names = DeflateDecoder::new(&rest[begin..]).take(MOST_NAMES);
    let recorded: Recorded<()> = serde_json::from_reader(io::BufReader::new(names))
        .map_err(|error| broken(begin, &format!("its names cannot be read: {error}")))?;
    if !recorded.found.pairs.fit(&recorded.found.strings) {
        return Err(broken(begin, "a function has no name"));
    }
    let kept = Part(map, BEGIN.len()..begin);
    Ok(recorded.at(Spill::Kept(Cursor::new(kept))).0)
}
