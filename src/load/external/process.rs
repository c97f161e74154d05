//! A program of ours in a process group of its own: started, waited for, ended, reaped.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// So much of what a program writes is kept, in bytes.
const KEPT: u64 = 1 << 20;
/// So much of it is shown.
const SHOWN: u64 = 2048;
/// How long a program may take to end once told to.
const GRACE: Duration = Duration::from_secs(2);

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    output: File,
    errors: File,
    reaped: bool,
}

impl Process {
    /// Starts `command` with nothing to read; `tell` is called once it has exited.
    ///
    /// # Errors
    /// As [`Process::start_reading`].
    pub fn start(command: Command, tell: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Self::start_reading(command, Stdio::null(), tell)
    }

    /// Starts `command`; it is killed where the thread that starts it ends, however that comes: so it has to be one that
    /// lives as long as the program may. `tell` is called once it has exited.
    ///
    /// # Errors
    /// The program is not there, or the system has no more processes or descriptors.
    pub fn start_reading(mut command: Command, stdin: Stdio, tell: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let file = |name| -> io::Result<File> { Ok(File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?)) };
        let (output, errors) = (file(c"output")?, file(c"errors")?);
        command.stdin(stdin).stdout(output.try_clone()?).stderr(errors.try_clone()?).process_group(0);
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from));
        }
        let child = command.spawn()?;
        let process = Self { pid: Pid::from_raw(child.id() as i32), output, errors, reaped: false };
        let pid = process.pid;
        // It waits and does not reap: the pid stays the program's until the owner has done with it.
        std::thread::Builder::new().name("wait".into()).stack_size(64 * 1024).spawn(move || {
            while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(nix::Error::EINTR) {}
            tell();
        })?;
        Ok(process)
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Takes the exit status and the CPU seconds (with those of its own children) of a program that has exited,
    /// or waits for it.
    ///
    /// # Errors
    /// Somebody else has reaped it.
    pub fn reap(&mut self) -> io::Result<(ExitStatus, f64)> {
        let mut status = 0;
        // SAFETY: rusage is plain old data that wait4 fills; the pid is our own child's, not reaped before.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            while libc::wait4(self.pid.as_raw(), &raw mut status, 0, &raw mut usage) < 0 {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    self.reaped = true;
                    return Err(error);
                }
            }
            usage
        };
        self.reaped = true;
        let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
        Ok((ExitStatus::from_raw(status), seconds(usage.ru_utime) + seconds(usage.ru_stime)))
    }

    /// Tells the whole group to end, and kills what does not.
    pub fn end(&self) {
        if self.reaped {
            return;
        }
        let exited = || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
            !matches!(waitid(Id::Pid(self.pid), flags), Ok(nix::sys::wait::WaitStatus::StillAlive))
        };
        let _ = killpg(self.pid, Signal::SIGTERM);
        let until = Instant::now() + GRACE;
        while !exited() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Its group too: a shell may be gone and what it started still there.
        let _ = killpg(self.pid, Signal::SIGKILL);
    }

    /// The end of what it wrote on its standard output.
    pub fn output(&self) -> Vec<u8> {
        tail(&self.output)
    }

    /// The end of what it wrote on its standard error.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&tail(&self.errors)).trim_end().to_owned()
    }

    /// Gives back the memory of what a program writes without end.
    pub fn release_output(&self) {
        for file in [&self.output, &self.errors] {
            if file.metadata().is_ok_and(|meta| meta.len() > KEPT) {
                // The program writes on where it was: what lies before is a hole.
                let _ = file.set_len(0);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            self.end();
            let _ = self.reap();
        }
    }
}

fn tail(file: &File) -> Vec<u8> {
    let len = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = vec![0; len.min(SHOWN) as usize];
    match file.read_exact_at(&mut bytes, len.saturating_sub(SHOWN)) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}
