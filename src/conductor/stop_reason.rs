//! Why a run ends before its plan is carried out.

use std::io;

use crate::model::EarlyEnd;
use crate::server::TargetError;

/// A reason to stop; what was gathered is kept and reported.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// A signal came.
    #[error("interrupted by {0}")]
    Interrupted(&'static str),
    /// The target, or what it answered, makes going on senseless.
    #[error("{sentence}")]
    Early {
        /// Why; the exit code follows from it.
        why: EarlyEnd,
        /// What happened and what to do.
        sentence: String,
    },
    /// The disk is full, or nearly.
    #[error("{0}")]
    Disk(String),
    /// The target could not be launched.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The run's folder cannot be written any more.
    #[error("{}", of_folder(.0))]
    Folder(#[from] io::Error),
}

impl Halt {
    /// The disk is full: what it says of it.
    pub fn of_disk(&self) -> Option<String> {
        match self {
            Halt::Disk(why) => Some(why.clone()),
            Halt::Folder(error) if error.kind() == io::ErrorKind::StorageFull => {
                Some("there is no room left where the run's folder lies".to_owned())
            }
            _ => None,
        }
    }

    /// An early end.
    pub fn early(why: EarlyEnd, sentence: impl Into<String>) -> Self {
        Halt::Early { why, sentence: sentence.into() }
    }
}

/// Why nothing can be written: the folder's fault, or that no file can be opened at all.
fn of_folder(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            format!("no further file can be opened: {error}; raise the limit: ulimit -n 8192")
        }
        _ => format!("the run's folder cannot be written: {error}"),
    }
}
