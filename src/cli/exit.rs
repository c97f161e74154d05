//! The exit codes, documented where they are defined.

use std::process::ExitCode;

/// How the program ends. Scripts rely on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: all held.
    Held,
    /// 1: a verdict failed (leak, threshold, regression); `load`: some or all was refused or failed.
    Failed,
    /// 2: could not run (usage, environment, preflight refused, command not found, nothing readable).
    CouldNotRun,
    /// 3: the target failed (exited at once, never ready, crashed, stalled, accepted nothing).
    TargetFailed,
    /// 4: not decided.
    Inconclusive,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// The process's exit status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Failed => 1,
            Exit::CouldNotRun => 2,
            Exit::TargetFailed => 3,
            Exit::Inconclusive => 4,
            Exit::Interrupted => 130,
        }
    }
}

impl Exit {
    /// The exit of a result's code.
    pub fn from_code(code: u8) -> Self {
        let all =
            [Exit::Held, Exit::Failed, Exit::CouldNotRun, Exit::TargetFailed, Exit::Inconclusive, Exit::Interrupted];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::CouldNotRun)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
