//! What keeps a load from starting. What happens while it runs is counted, not raised.

use std::net::IpAddr;
use std::path::PathBuf;

/// Why a load could not start, or could not go on for a reason of the client's own.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The address is no address.
    #[error("`{text}` is no address: {reason}; write HOST:PORT, inet:HOST:PORT or unix:PATH")]
    Address {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The name does not resolve.
    #[error("{host} does not resolve ({reason}){}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's text.
        reason: String,
        /// The nearest name that is known here.
        nearest: Option<String>,
    },
    /// Another machine, and nobody said that it may be loaded.
    #[error("{host} ({address}) is not this machine: a load on somebody else's server needs --allow-remote")]
    Remote {
        /// What was typed.
        host: String,
        /// What it resolved to.
        address: IpAddr,
    },
    /// The payload cannot be read.
    #[error("{}: {source}", path.display())]
    Payload {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a script that means nothing.
    #[error("line {line} of the script: {reason}")]
    Script {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The scenario or the options ask for what cannot be.
    #[error("{0}")]
    Plan(String),
    /// `--hold` asks for more connections than this process may have.
    #[error(
        "--hold opens {wanted} connections at once, but `ulimit -n` allows {limit} descriptors: raise the hard limit \
         (`ulimit -Hn`) or ask for fewer sessions"
    )]
    Descriptors {
        /// Connections asked for.
        wanted: u64,
        /// The hard limit.
        limit: u64,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
    /// The operating system refused something that a load cannot do without.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl LoadError {
    /// For `map_err`: the operating system refused `what`.
    pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
