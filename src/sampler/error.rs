//! What can go wrong while sampling.

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A process could not be read.
    #[error(transparent)]
    Proc(#[from] crate::proc::Error),
    /// The sampling thread could not be started.
    #[error("cannot start the sampling thread: {source}; raise the limit of processes (`ulimit -u`)")]
    Thread {
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the process is simply gone.
    pub fn is_gone(&self) -> bool {
        matches!(self, Error::Proc(e) if e.is_gone())
    }
}
