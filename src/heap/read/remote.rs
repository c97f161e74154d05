//! The memory of a live process, by whichever way the system leaves open.

use std::fs;
use std::io;

use crate::heap::census::error::Error;
use crate::heap::memory::Memory;
use crate::proc::maps::{self, Mapping};
use crate::proc::remote::{self, Remote};

impl Memory for Remote {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        Remote::read(self, address, into).ok()
    }
}

/// `/proc/PID/maps`.
///
/// # Errors
/// `Denied`, or `NotPhp` where the process is gone.
pub fn read_maps(pid: i32) -> Result<Vec<Mapping>, Error> {
    match fs::read_to_string(format!("/proc/{pid}/maps")) {
        Ok(text) => Ok(maps::parse(&text)),
        Err(error) => Err(denied_or_gone(pid, &error)),
    }
}

/// What a failed read of process `pid` means.
pub fn denied_or_gone(pid: i32, error: &io::Error) -> Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return Error::NotPhp;
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let hint = match scope.trim() {
        "3" => "kernel.yama.ptrace_scope is 3, which forbids it to everybody",
        "2" => "kernel.yama.ptrace_scope is 2: it takes CAP_SYS_PTRACE",
        "1" => {
            "kernel.yama.ptrace_scope is 1: only a process that profile-run started may be read without CAP_SYS_PTRACE"
        }
        _ => "run as the process's user, or with CAP_SYS_PTRACE",
    };
    Error::Denied(format!("{error} (pid {pid}; {hint})"))
}

/// Opens the memory of `pid`, by whichever way is open.
///
/// # Errors
/// `Denied`, or `NotPhp` where the process is gone.
pub fn open_memory(pid: i32, maps: &[Mapping]) -> Result<Remote, Error> {
    let probe = maps.iter().find(|m| m.readable && m.is_file()).ok_or(Error::NotPhp)?;
    let memory = Remote::new(pid);
    match memory.read(probe.start, &mut [0; 4]) {
        Ok(()) => Ok(memory),
        Err(error) if remote::is_call_filtered(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
            let through = Remote::through_file(pid).map_err(|_| denied_or_gone(pid, &error))?;
            through.read(probe.start, &mut [0; 4]).map_err(|error| denied_or_gone(pid, &error))?;
            Ok(through)
        }
        Err(error) => Err(denied_or_gone(pid, &error)),
    }
}
