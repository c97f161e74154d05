//! Where bytes come from: folders walked for profiles, mapped files, pipes.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use super::error::Error;
use super::gzip::{Unpacked, is_gzip};
use super::map::{Map, Watch};

/// Ends the name of the file beside a forked process's profile: bytes that its parent had written at the fork with the
/// name of the parent's profile, when the process was started, and how long after its first ancestor's profile was begun.
pub(crate) const FORK: &str = "fork";

/// Where a profile's process was forked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Bytes that its parent had written.
    pub written: u64,
    /// The parent's profile.
    pub parent: PathBuf,
    /// When the process was started, in ticks of the kernel's since boot.
    pub started: Option<u64>,
    /// Nanoseconds from when the profile of the first of its ancestors was begun to the fork.
    pub until: Option<u64>,
}

/// What stands beside a profile, where its process was forked. A program that a forked process went on as has a profile
/// of its own under the same name, which begins with its header: then the note is of no meaning.
pub fn forked_from(path: &Path) -> Option<Fork> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".");
    beside.push(FORK);
    let mut text = String::new();
    File::open(beside).ok()?.take(8192).read_to_string(&mut text).ok()?;
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (written, name) = first.split_once(' ')?;
    // A name, and no way to another folder.
    let name = Path::new(name).file_name().filter(|only| *only == name)?;
    let mut numbers = rest.lines().map(|line| line.parse().ok().filter(|number| *number > 0));
    let (started, until) = (numbers.next().flatten(), numbers.next().flatten());
    Some(Fork { written: written.parse().ok()?, parent: path.with_file_name(name), started, until })
}

/// Whether bytes are a profile's beginning: a forked process goes on where its parent was and writes no header.
pub fn has_header(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version:") || bytes.starts_with(b"creator:")
}

/// What is written in a path's place where standard input is meant.
pub const STANDARD_INPUT: &str = "-";

/// Standard input as a file: what comes through a pipe is put into one without a name.
///
/// # Errors
/// It cannot be read, or there is no room for it.
pub fn standard_input() -> io::Result<File> {
    static INPUT: OnceLock<File> = OnceLock::new();
    if INPUT.get().is_none() {
        let mut given = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let plain = given.metadata()?.is_file() && given.stream_position().is_ok_and(|at| at == 0);
        let file = match plain {
            true => given,
            false => {
                let mut file = tempfile::tempfile()?;
                io::copy(&mut given, &mut file)?;
                file
            }
        };
        let _ = INPUT.set(file);
    }
    let mut file = INPUT.get().ok_or(io::ErrorKind::NotFound)?.try_clone()?;
    file.rewind()?;
    Ok(file)
}

/// What tells a file from others, however it is called; none of what is no plain file.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

/// The files that paths stand for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Files as they are, folders walked in order of names; whether a file was asked for by its name.
    pub files: Vec<(PathBuf, bool)>,
    /// Further names of files that are there already, behind the first one.
    pub again: Vec<(PathBuf, PathBuf)>,
    known: HashMap<(u64, u64), PathBuf>,
}

impl Found {
    fn add(&mut self, path: PathBuf, asked_for: bool) {
        let Some(identity) = identity(&path) else {
            let known = self.files.iter().any(|(file, _)| *file == path && path == Path::new(STANDARD_INPUT));
            match known {
                true => self.again.push((path.clone(), path)),
                false => self.files.push((path, asked_for)),
            }
            return;
        };
        match self.known.get(&identity) {
            Some(first) => self.again.push((first.clone(), path)),
            None => {
                self.known.insert(identity, path.clone());
                self.files.push((path, asked_for));
            }
        }
    }
}

/// The files that the paths stand for, each once.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Found, Error> {
    let mut found = Found::default();
    for path in paths {
        if path == Path::new(STANDARD_INPUT) {
            found.add(path.clone(), true);
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !metadata.is_dir() {
            found.add(path.clone(), true);
            continue;
        }
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                // A folder in it that cannot be looked into is passed over as a file is: its error comes when it is opened.
                Err(error) if error.depth() > 0 && error.path().is_some() => {
                    found.add(error.path().map(Path::to_path_buf).unwrap_or_default(), false);
                    continue;
                }
                Err(error) => return Err(Error::io(path, error.into())),
            };
            // What stands beside a forked process's profile is read with that.
            if entry.file_type().is_file() && entry.path().extension().is_none_or(|kind| kind != FORK) {
                found.add(entry.into_path(), false);
            }
        }
    }
    Ok(found)
}

/// What was met while a file was read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// NUL bytes at its end.
    pub nuls: Cell<u64>,
    /// Bytes of a compressed file that were unpacked.
    pub unpacked: Cell<u64>,
    /// They were unpacked up to a place that could not be, and whether the file ends there.
    pub broken: Cell<Option<bool>>,
    /// Where something else begins behind the compressed data.
    pub trailing: Cell<Option<u64>>,
}

/// The bytes of one file.
pub(crate) enum Source {
    /// Mapped into memory.
    Mapped(Map),
    /// Read from a pipe, a device, or an empty file.
    Stream(Box<dyn Read>),
    /// Compressed: unpacked on the way.
    Gzip(Box<dyn Read>),
}

/// Opens a file, looking at its first bytes rather than at its name. Of a plain file the second tells afterwards whether
/// it was cut short meanwhile; `mapped`: unless it is compressed it is mapped, else read like a pipe. NUL bytes at its
/// end are counted, and belong to nothing: a disk's that lost power, or of a file that got its room before its bytes.
pub(crate) fn open(path: &Path, mapped: bool, notes: &Rc<Notes>) -> Result<(Source, Option<Watch>), Error> {
    let failed = |error| Error::io(path, error);
    let file = if path == Path::new(STANDARD_INPUT) { standard_input() } else { File::open(path) };
    let mut file = file.map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok((stream(file, notes), None));
    }
    let mut begin = Vec::new();
    file.by_ref().take(2).read_to_end(&mut begin).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let compressed = is_gzip(&begin);
    if mapped && !compressed {
        let (map, watch) = Map::of_file(file, metadata.len()).map_err(failed)?;
        return Ok((without_nuls(map, notes), Some(watch)));
    }
    let watch = Watch::of_read(file.try_clone().map_err(failed)?, metadata.len());
    let source = match compressed {
        true => unpacked(io::BufReader::with_capacity(1 << 16, file), notes),
        false => stream(file, notes),
    };
    Ok((source, Some(watch)))
}

/// Bytes in memory as a file that holds them.
pub(crate) fn of_bytes(name: &Path, bytes: &[u8], notes: &Rc<Notes>) -> Result<Source, Error> {
    if bytes.is_empty() {
        return Ok(Source::Stream(Box::new(io::empty())));
    }
    if is_gzip(bytes) {
        return Ok(unpacked(io::Cursor::new(bytes.to_vec()), notes));
    }
    let mut map = memmap2::MmapMut::map_anon(bytes.len()).map_err(|e| Error::io(name, e))?;
    map.copy_from_slice(bytes);
    Ok(without_nuls(Map::of_memory(map.make_read_only().map_err(|e| Error::io(name, e))?), notes))
}

fn without_nuls(mut map: Map, notes: &Rc<Notes>) -> Source {
    let length = map.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    notes.nuls.set((map.len() - length) as u64);
    map.truncate(length);
    Source::Mapped(map)
}

fn stream(file: File, notes: &Rc<Notes>) -> Source {
    Source::Stream(Box::new(WithoutNuls::new(file, notes)))
}

fn unpacked(compressed: impl BufRead + 'static, notes: &Rc<Notes>) -> Source {
    Source::Gzip(Box::new(WithoutNuls::new(Unpacked::new(compressed, notes), notes)))
}

/// Holds NUL bytes back until others come behind them.
struct WithoutNuls<R> {
    inner: R,
    /// Has the NUL bytes that were held back.
    notes: Rc<Notes>,
    /// Bytes that come behind those that were held back.
    next: Vec<u8>,
    at: usize,
    /// NUL bytes behind these.
    behind: u64,
}

impl<R: Read> WithoutNuls<R> {
    fn new(inner: R, notes: &Rc<Notes>) -> Self {
        WithoutNuls { inner, notes: notes.clone(), next: Vec::new(), at: 0, behind: 0 }
    }
}

impl<R: Read> Read for WithoutNuls<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.at < self.next.len() {
                // First the NULs before them.
                let nuls = usize::try_from(self.notes.nuls.get()).unwrap_or(usize::MAX).min(buffer.len());
                if nuls > 0 {
                    buffer[..nuls].fill(0);
                    self.notes.nuls.set(self.notes.nuls.get() - nuls as u64);
                    return Ok(nuls);
                }
                let length = (self.next.len() - self.at).min(buffer.len());
                buffer[..length].copy_from_slice(&self.next[self.at..self.at + length]);
                self.at += length;
                if self.at == self.next.len() {
                    self.notes.nuls.set(self.behind);
                }
                return Ok(length);
            }
            let length = self.inner.read(buffer)?;
            let Some(last) = buffer[..length].iter().rposition(|byte| *byte != 0) else {
                if length == 0 {
                    return Ok(0);
                }
                self.notes.nuls.set(self.notes.nuls.get() + length as u64);
                continue;
            };
            if self.notes.nuls.get() == 0 {
                self.notes.nuls.set((length - last - 1) as u64);
                return Ok(last + 1);
            }
            self.next.clear();
            self.next.extend_from_slice(&buffer[..=last]);
            (self.at, self.behind) = (0, (length - last - 1) as u64);
        }
    }
}

/// The line, from 1, that holds the byte at an offset; 1 where the file cannot be read any more.
pub(crate) fn line_at(path: &Path, offset: u64) -> u64 {
    let count = |file: File| {
        let mut ends = 0;
        let mut part = vec![0; 1 << 16];
        let mut before = file.take(offset);
        while let Ok(length @ 1..) = before.read(&mut part) {
            ends += memchr::memchr_iter(b'\n', &part[..length]).count() as u64;
        }
        ends
    };
    1 + File::open(path).map_or(0, count)
}
