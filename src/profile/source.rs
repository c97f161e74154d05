//! Where bytes come from: folders walked for profiles, mapped files, gzip.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::error::Error;

/// Ends the name of the file beside a forked process's profile: bytes that its parent had written at the fork with the
/// name of the parent's profile, and when the process was started.
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
    let started = rest.trim_end().parse().ok().filter(|ticks| *ticks > 0);
    Some(Fork { written: written.parse().ok()?, parent: path.with_file_name(name), started })
}

/// Whether bytes are a profile's beginning: a forked process goes on where its parent was and writes no header.
pub fn has_header(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version:") || bytes.starts_with(b"creator:")
}

/// The files that the paths stand for: files as they are, folders walked in order of names.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, bool)>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !metadata.is_dir() {
            found.push((path.clone(), true));
            continue;
        }
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|e| Error::io(path, e.into()))?;
            // What stands beside a forked process's profile is read with that.
            if entry.file_type().is_file() && entry.path().extension().is_none_or(|kind| kind != FORK) {
                found.push((entry.into_path(), false));
            }
        }
    }
    Ok(found)
}

/// The bytes of one file.
pub(crate) enum Source {
    /// Mapped into memory.
    Mapped(memmap2::Mmap),
    /// Read from a pipe, a device, or an empty file.
    Stream(Box<dyn Read>),
    /// Compressed: unpacked on the way.
    Gzip(Box<dyn Read>),
}

/// Opens a file, looking at its first bytes rather than at its name.
pub(crate) fn open(path: &Path) -> Result<Source, Error> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let metadata = file.metadata().map_err(|e| Error::io(path, e))?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(Source::Stream(Box::new(file)));
    }
    // SAFETY: the map is only read. Another process could cut the file short meanwhile, which would
    // end us by a signal; Xdebug never shortens a file that it writes.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
    if map.starts_with(&[0x1f, 0x8b]) {
        return Ok(Source::Gzip(Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, file)))));
    }
    Ok(Source::Mapped(map))
}

/// Bytes in memory as a file that holds them.
pub(crate) fn of_bytes(name: &Path, bytes: &[u8]) -> Result<Source, Error> {
    if bytes.is_empty() {
        return Ok(Source::Stream(Box::new(io::empty())));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Source::Gzip(Box::new(MultiGzDecoder::new(io::Cursor::new(bytes.to_vec())))));
    }
    let mut map = memmap2::MmapMut::map_anon(bytes.len()).map_err(|e| Error::io(name, e))?;
    map.copy_from_slice(bytes);
    Ok(Source::Mapped(map.make_read_only().map_err(|e| Error::io(name, e))?))
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
