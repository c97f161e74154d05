//! What can go wrong while profile files are read. Damage inside a file is no error: it is a
//! [`Defect`](super::Defect) of the result.

use std::path::PathBuf;

/// Why no profile came out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be opened or read.
    #[error("{path}: {source}; check the path and its permissions", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds no profile.
    #[error("{path}: {reason}", path = path.display())]
    NoProfile {
        /// The file.
        path: PathBuf,
        /// Why it is none, with the line and byte offset where one is known.
        reason: String,
    },
    /// None of the paths led to a readable profile.
    #[error("nothing readable: {0}")]
    NothingReadable(String),
    /// Two files count different things and cannot be summed.
    #[error(
        "{path}: its events ({events}) cannot be summed with those of {first} ({first_events}); analyze them apart",
        path = path.display(),
        first = first.display()
    )]
    Mixed {
        /// The file that does not fit.
        path: PathBuf,
        /// Its events.
        events: String,
        /// The first file.
        first: PathBuf,
        /// The first file's events.
        first_events: String,
    },
    /// A metric was asked for that the files do not hold.
    #[error("no {asked} in these files: they hold {holds}; ask for one of these with --metric (`time`: the first)")]
    NoEvent {
        /// What was asked for.
        asked: String,
        /// The events that there are.
        holds: String,
    },
    /// The compact form could not be written or read back.
    #[error("the compact record form at byte {offset}: {reason}; is the disk that holds temporary files full?")]
    Compact {
        /// Byte offset in the compact form.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
}

impl Error {
    /// An I/O error with its path.
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Error::Io { path: path.into(), source }
    }
}
