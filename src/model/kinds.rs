//! Stable words for warnings and for what stops a server: `kind` in the journal and in result.json.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// `APP_ENV` is that of development or of tests.
    AppEnv,
    /// `APP_DEBUG` is on.
    AppDebug,
    /// `memory_limit` is so low that a leak ends the server before it is proven.
    MemoryLimit,
    /// PHP has no pcntl functions.
    NoPcntl,
    /// php runs with `-n`.
    PhpWithoutConfiguration,
    /// Xdebug is set to a mode that slows the server down.
    XdebugMode,
    /// How the server was started differs from what was typed.
    Settings,
    /// A scenario runs more sessions at once than it asks for, as the server only waits.
    MoreAtOnce,
    /// What the kernel counts of a process is not the sum of its parts.
    Unaccounted,
    /// The server refuses every loopback address but one, so that all load comes from that.
    OneAddress,
    /// The server listens on another port than before.
    PortMoved,
    /// A worker of Locust's is not there any more.
    LostWorker,
    /// A worker has another version of Locust.
    WorkerVersion,
    /// A worker's clock differs.
    WorkerClock,
    /// Other programs used much of the machine's processors.
    BusyMachine,
    /// The profile pass ended early, as its files had taken the disk that they may.
    ProfileDisk,
    /// Lines of the journal could not be read.
    DamagedJournal,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// What ended a server or holds it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// PHP's `memory_limit`.
    MemoryLimit,
    /// The kernel killed it for want of memory.
    KernelOom,
    /// `select` cannot watch descriptors from 1,024 on; the process lives.
    SelectSet,
    /// The same, and the C library aborted it.
    SelectSetAborted,
    /// The limit of open descriptors.
    DescriptorLimit,
    /// A signal ended it.
    Crash,
    /// It gave up by itself: an uncaught error, or an exit.
    Exited,
    /// Stopped by a signal or a debugger.
    Stopped,
    /// CPU full, nothing sent.
    Spinning,
    /// Blocked while writing its own output.
    BlockedOutput,
    /// Connections wait in a full accept queue.
    AcceptQueue,
    /// Waits for a disk.
    Disk,
    /// Asleep in a system call.
    Asleep,
    /// None of these, or one that this version does not know.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_do_not_spoil_a_journal() {
        assert_eq!(serde_json::from_str::<WarningKind>(r#""of_tomorrow""#).unwrap(), WarningKind::Other);
        assert_eq!(serde_json::from_str::<FailureKind>(r#""of_tomorrow""#).unwrap(), FailureKind::Unknown);
        assert_eq!(serde_json::to_value(FailureKind::SelectSet).unwrap(), "select_set");
        assert_eq!(serde_json::to_value(WarningKind::AppDebug).unwrap(), "app_debug");
    }
}
