//! What can go wrong with a target, in sentences that say what to do.

use std::io;
use std::path::PathBuf;

/// Errors of launching and finding the target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The program is nowhere in PATH.
    #[error("command not found: `{program}`{}", hint.as_deref().map(|h| format!(" ({h})")).unwrap_or_default())]
    NotFound {
        /// As typed.
        program: String,
        /// The nearest thing that exists.
        hint: Option<String>,
    },
    /// It is there and cannot be executed.
    #[error("{path} cannot be started: {source}", path = path.display())]
    Spawn {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The command is a container's client.
    #[error(
        "`{program}` is a container client: the server would not be a process of this run, and its client would be measured. \
         Run profile-run inside the container instead (the README shows the lines), or give the server's own command"
    )]
    ContainerClient {
        /// `docker`, `podman`, ...
        program: String,
    },
    /// What `--attach` names cannot be attached to.
    #[error("--attach {name}: {why}")]
    Attach {
        /// As typed.
        name: String,
        /// Why not.
        why: String,
    },
    /// The working directory is not there.
    #[error("--cwd {path}: {source}", path = path.display())]
    WorkingDirectory {
        /// As given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the run's folder could not be made.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something answers at `--target` before the launch.
    #[error(
        "{address} already answers before the launch{}: stop what runs there, or choose another port with --target",
        owner.as_deref().map(|o| format!(" ({o})")).unwrap_or_default()
    )]
    PortInUse {
        /// `HOST:PORT`.
        address: String,
        /// Who, as far as it can be seen.
        owner: Option<String>,
    },
}
