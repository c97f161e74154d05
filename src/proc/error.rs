//! What can go wrong when /proc is read, and what to do about it.

use std::io;

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No process has this pid, or it ended while it was read.
    #[error("no process with pid {pid}: it has ended or never was (see `ps -e` for those that run)")]
    NoSuchProcess {
        /// The pid asked for.
        pid: i32,
    },
    /// The kernel does not let this user read the file.
    #[error("not allowed to read /proc/{pid}/{file}: run profile-run as the same user as the process, or as root")]
    Denied {
        /// The pid asked for.
        pid: i32,
        /// The file below `/proc/PID`.
        file: String,
    },
    /// Another failure of reading.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The text is not what this kernel interface is documented to give.
    #[error("{file}, byte {offset}: expected {expected}; please report this kernel's version")]
    Malformed {
        /// The file below `/proc/PID` or `/proc`.
        file: &'static str,
        /// Where in the text.
        offset: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A netlink request failed.
    #[error("sock_diag: {source}")]
    Diag {
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// Sorts a failure of reading `/proc/PID/FILE` by what it means.
    pub(crate) fn of_process(pid: i32, file: &str, source: io::Error) -> Self {
        match source.raw_os_error() {
            // ENOENT: the folder is gone; ESRCH: it was open and the process ended.
            Some(libc::ENOENT | libc::ESRCH) => Error::NoSuchProcess { pid },
            // The mounts of one that is just ending have no namespace any more.
            Some(libc::EINVAL) if file == "mountinfo" => Error::NoSuchProcess { pid },
            Some(libc::EACCES | libc::EPERM) => Error::Denied { pid, file: file.to_owned() },
            _ => Error::Read { path: format!("/proc/{pid}/{file}"), source },
        }
    }

    /// Whether the process is simply gone.
    pub fn is_gone(&self) -> bool {
        matches!(self, Error::NoSuchProcess { .. })
    }
}
