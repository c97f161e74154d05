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
    /// The command is a container's client, and starts no container that it stays with.
    #[error("`{command}` cannot be judged from outside: {advice}")]
    ContainerClient {
        /// `docker exec`, `kubectl`, ...
        command: String,
        /// What to do.
        advice: String,
    },
    /// The container's processes are not those of this machine.
    #[error(
        "the container runs {place}, where its processes cannot be seen from here. Run profile-run inside it, as one static \
         file (docs/install.md has how it is made):\n  {inside}"
    )]
    ContainerElsewhere {
        /// `on another machine`, `at ssh://host`.
        place: String,
        /// The line to type.
        inside: String,
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
