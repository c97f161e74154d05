//! What one profile is read from: its file, with those that it needs beside it. Each is opened here, and asked in the
//! end whether it has stayed as it was.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::Error;
use super::map::Watch;
use super::source::{self, Notes, Source};

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
        match self.bytes {
            Some(bytes) => source::of_bytes(self.path, bytes, &notes),
            None => self.watched(self.path, &notes),
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

    /// Where the bytes end that are handed out, of a plain file.
    pub(crate) fn end_of_bytes(&self) -> Option<u64> {
        if let Some(bytes) = self.bytes {
            return (!source::is_gzip(bytes)).then(|| bytes.len() as u64 - self.nuls());
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
