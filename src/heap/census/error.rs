//! Why there is no census. Never an error of the run: shown, and the run goes on.

use serde::{Deserialize, Serialize};

/// Why a PHP's heap could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "status", content = "why", rename_all = "snake_case")]
pub enum Error {
    /// The process changed its heap while it was read, each time that it was tried. Try again.
    #[error("the process was busy each time its heap was read; try again when it rests")]
    Busy,
    /// A PHP whose heap this tool cannot read, with the reason.
    #[error("this PHP's heap cannot be read: {0}")]
    Unsupported(String),
    /// The system does not let us read this process, with the reason.
    #[error("reading this process is not allowed: {0}")]
    Denied(String),
    /// Not a PHP.
    #[error("not a PHP process")]
    NotPhp,
}

impl Error {
    /// `busy`, `unsupported`, `denied` or `not_php`.
    pub fn word(&self) -> &'static str {
        match self {
            Error::Busy => "busy",
            Error::Unsupported(_) => "unsupported",
            Error::Denied(_) => "denied",
            Error::NotPhp => "not_php",
        }
    }

    /// The reason, where there is one to tell.
    pub fn why(&self) -> Option<&str> {
        match self {
            Error::Unsupported(why) | Error::Denied(why) => Some(why),
            _ => None,
        }
    }
}
