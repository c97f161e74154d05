//! Holding a process still for the few milliseconds of a copy, so that it always runs on.
//!
//! Why SIGSTOP and not ptrace: a ptrace stop is reported to *every* wait of the tracer's process,
//! whatever its flags, and the server under test is our own child, waited for by another thread;
//! that thread would take the stop for the server's exit. A stop signal is reported only to those
//! who ask for it. It needs no more rights than reading the memory does, and a process that is
//! already traced can be held too.
//!
//! What ptrace would have given for nothing is bought with a watchdog: should profile-run die while
//! the process is held (SIGKILL included), the kernel closes a pipe, and a shell in a session of
//! its own, which waits at the other end, continues the process.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};

/// How long a process may take to come to a stop; one in an uninterruptible sleep may never.
const STOP_WITHIN: Duration = Duration::from_millis(500);

/// Continues `$1` unless a line came before the pipe's end.
const WATCHDOG: &str = r#"read -r line || kill -s CONT "$1""#;

/// A process that is held, until this is dropped.
#[derive(Debug)]
pub struct Stopped {
    pid: i32,
    watchdog: Child,
    since: Instant,
}

impl Stopped {
    /// Stops `pid` and waits until all its threads stand.
    ///
    /// # Errors
    /// The system's own; `TimedOut` where it does not come to a stop. It runs on in every case.
    pub fn hold(pid: i32) -> io::Result<Stopped> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCHDOG, "profile-run-watchdog", &pid.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: setsid is async-signal-safe and touches nothing of ours. A session of its own
        // keeps the watchdog out of reach of a SIGKILL to our process group.
        unsafe {
            command.pre_exec(|| setsid().map(drop).map_err(io::Error::from));
        }
        let watchdog = command.spawn()?;
        // From here on the drop continues the process, also where the signal was never sent.
        let held = Stopped { pid, watchdog, since: Instant::now() };
        kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
        let deadline = held.since + STOP_WITHIN;
        while !all_threads_stand(pid)? {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_micros(100));
        }
        Ok(held)
    }

    /// How long the process has been held so far.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Gone is the only way for this to fail; then there is nothing to continue.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGCONT);
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.watchdog.wait();
    }
}

fn all_threads_stand(pid: i32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        if !matches!(state_of(&stat), Some('T' | 't')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The state letter of `/proc/PID/stat`; the name before it may hold blanks and brackets.
pub fn state_of(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    const HELD: &str = "PROFILE_RUN_TEST_HOLD";

    fn state(pid: u32) -> char {
        state_of(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()).unwrap()
    }

    fn wait_for(what: &str, holds: impl Fn() -> bool) {
        for _ in 0..1000 {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("never {what}");
    }

    #[test]
    fn a_held_process_stands_and_then_runs_on() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let held = Stopped::hold(child.id() as i32).unwrap();
        assert_eq!(state(child.id()), 'T');
        drop(held);
        wait_for("running", || state(child.id()) == 'S');
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Holds the process that the environment names, for ever: the other half of the next test,
    /// which runs it in a process of its own. By itself it does nothing.
    #[test]
    fn hold_for_ever_when_asked_to() {
        if let Ok(pid) = std::env::var(HELD) {
            let _held = Stopped::hold(pid.parse().unwrap()).unwrap();
            thread::sleep(Duration::from_secs(60));
        }
    }

    #[test]
    fn a_process_runs_on_when_its_holder_is_killed() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["heap::read::stop::tests::hold_for_ever_when_asked_to", "--exact"])
            .env(HELD, child.id().to_string())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        wait_for("stopped", || state(child.id()) == 'T');
        // The whole group, as a shell's Ctrl-C or a supervisor's SIGKILL would.
        nix::sys::signal::killpg(Pid::from_raw(holder.id() as i32), Signal::SIGKILL).unwrap();
        assert_eq!(holder.wait().unwrap().signal(), Some(libc::SIGKILL));
        wait_for("running", || state(child.id()) == 'S');
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
