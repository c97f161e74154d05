//! What one profile is read from: its file, with those that it needs beside it. Each is opened here, and asked in the
//! end whether it has stayed as it was.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::Error;
use super::gzip;
use super::map::{Map, Watch};
use super::source::{self, Notes, Source};

/// Bytes to which a compressed file is unpacked on the disk at most.
const MOST_UNPACKED: u64 = 8 << 30;

/// Opens files, and remembers them.
pub(crate) struct Files<'a> {
    path: &'a Path,
    /// The file's bytes, where no disk holds them.
    bytes: Option<&'a [u8]>,
    /// Plain files are mapped into memory, else read.
    mapped: bool,
    opened: RefCell<Vec<(PathBuf, Watch)>>,
    notes: RefCell<Rc<Notes>>,
}

impl<'a> Files<'a> {
    pub(crate) fn of(path: &'a Path, mapped: bool) -> Self {
        Files { path, bytes: None, mapped, opened: RefCell::default(), notes: RefCell::default() }
    }

    pub(crate) fn of_bytes(path: &'a Path, bytes: &'a [u8]) -> Self {
        Files { bytes: Some(bytes), ..Files::of(path, true) }
    }

    /// Opens the file itself.
    pub(crate) fn open(&self) -> Result<Source, Error> {
        let notes = Rc::<Notes>::default();
        self.notes.replace(notes.clone());
        self.noting(&notes)
    }

    /// Opens the file itself once more: what was noted at first stays.
    pub(crate) fn open_again(&self) -> Result<Source, Error> {
        self.noting(&Rc::default())
    }

    /// Opens the file itself once more as a plain one: so many bytes of a compressed one are unpacked. Else it is said
    /// why it cannot be.
    pub(crate) fn open_plain(&self, bytes: u64) -> Result<Map, String> {
        match self.open_again().map_err(|error| error.to_string())? {
            Source::Mapped(map) => Ok(map),
            Source::Stream(_) => Err("a stream cannot be read again: save it as a file first".to_owned()),
            Source::Gzip(_) if bytes > MOST_UNPACKED => Err(format!(
                "unpacked it has {bytes} bytes, more than the {MOST_UNPACKED} that are unpacked into a temporary file: \
                 unpack it and read that"
            )),
            Source::Gzip(mut stream) => gzip::into_file(&mut stream, bytes)
                .map_err(|error| format!("it could not be unpacked into a temporary file: {error}")),
        }
    }

    fn noting(&self, notes: &Rc<Notes>) -> Result<Source, Error> {
        match self.bytes {
            Some(bytes) => source::of_bytes(self.path, bytes, notes),
            None => self.watched(self.path, notes),
        }
    }

    /// Opens another one that it needs.
    pub(crate) fn open_other(&self, path: &Path) -> Result<Source, Error> {
        self.watched(path, &Rc::default())
    }

    fn watched(&self, path: &Path, notes: &Rc<Notes>) -> Result<Source, Error> {
        let (source, watch) = source::open(path, self.mapped, notes)?;
        self.opened.borrow_mut().extend(watch.map(|watch| (path.to_owned(), watch)));
        Ok(source)
    }

    /// NUL bytes at the end of the file, which are not handed out.
    pub(crate) fn nuls(&self) -> u64 {
        self.notes.borrow().nuls.get()
    }

    /// Bytes of a compressed file up to the place where it could not be unpacked, and whether it ends there.
    pub(crate) fn broken(&self) -> Option<(u64, bool)> {
        let notes = self.notes.borrow();
        Some((notes.unpacked.get(), notes.broken.get()?))
    }

    /// Where something else begins behind the compressed data of a file.
    pub(crate) fn trailing(&self) -> Option<u64> {
        self.notes.borrow().trailing.get()
    }

    /// Where the bytes end that are handed out, of a plain file.
    pub(crate) fn end_of_bytes(&self) -> Option<u64> {
        if let Some(bytes) = self.bytes {
            return (!gzip::is_gzip(bytes)).then(|| bytes.len() as u64 - self.nuls());
        }
        self.own(|watch| watch.is_mapped().then(|| watch.length() - self.nuls()))
    }

    /// What was cut short since it was opened, and how many bytes it had.
    pub(crate) fn cut(&self) -> Option<(PathBuf, u64)> {
        let opened = self.opened.borrow();
        let (path, watch) = opened.iter().find(|(_, watch)| watch.was_cut())?;
        Some((path.clone(), watch.length()))
    }

    /// The bytes of the file that were mapped, if it has more of them now.
    pub(crate) fn grown(&self) -> Option<u64> {
        self.own(|watch| Some(watch.length()).filter(|length| watch.is_mapped() && watch.now() > *length))
    }

    /// Asks the watch over the file itself.
    fn own<T>(&self, ask: impl Fn(&Watch) -> Option<T>) -> Option<T> {
        let opened = self.opened.borrow();
        opened.iter().find(|(path, _)| path == self.path).and_then(|(_, watch)| ask(watch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_file_is_unpacked_up_to_the_bytes_that_are_asked_for_or_not_at_all() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, b"what was packed").unwrap();
        let packed = encoder.finish().unwrap();
        let files = Files::of_bytes(Path::new("packed.gz"), &packed);
        assert_eq!(&files.open_plain(15).unwrap()[..], b"what was packed");
        assert_eq!(&files.open_plain(8).unwrap()[..], b"what was");
        let refused = files.open_plain(MOST_UNPACKED + 1).err().unwrap();
        assert!(refused.contains("8589934593 bytes, more than the 8589934592"), "{refused}");
    }
}
