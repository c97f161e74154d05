//! A place for the compact form: memory while it is small, an unnamed temporary file beyond that.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use crate::profile::map::Map;

/// Kept in memory up to this size.
const IN_MEMORY: usize = 64 << 20;

#[derive(Debug)]
pub(crate) enum Spill {
    Memory(Cursor<Vec<u8>>),
    File(File),
    /// Part of a file that holds it already; nothing is written there.
    Kept(Cursor<Part>),
}

/// Some bytes of a mapped file.
#[derive(Debug)]
pub(crate) struct Part(pub Map, pub Range<usize>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0[self.1.clone()]
    }
}

impl Spill {
    pub(crate) fn new() -> Self {
        Spill::Memory(Cursor::new(Vec::new()))
    }

    /// A file without a name, gone when it is closed.
    fn unnamed() -> io::Result<File> {
        let mut attempt = 0u32;
        loop {
            let path = std::env::temp_dir().join(format!("profile-run.{}.{attempt}", std::process::id()));
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    std::fs::remove_file(&path)?;
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Spill::Memory(memory) = self {
            if memory.get_ref().len() + bytes.len() <= IN_MEMORY {
                return memory.write(bytes);
            }
            let mut file = Self::unnamed()?;
            file.write_all(memory.get_ref())?;
            *self = Spill::File(file);
        }
        match self {
            Spill::File(file) => file.write(bytes),
            Spill::Memory(memory) => memory.write(bytes),
            Spill::Kept(_) => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Spill {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Spill::Memory(memory) => memory.read(bytes),
            Spill::File(file) => file.read(bytes),
            Spill::Kept(kept) => kept.read(bytes),
        }
    }
}

impl Seek for Spill {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Spill::Memory(memory) => memory.seek(to),
            Spill::File(file) => file.seek(to),
            Spill::Kept(kept) => kept.seek(to),
        }
    }
}
