//! A small process that outlives the run by a moment and ends what the run could not.
//!
//! The kernel's death signal reaches the target's first process alone; a shell's php would run on
//! when profile-run is killed. The watchdog holds the reading end of a pipe: when the pipe closes
//! without a farewell, it kills every process that it was told of, everything below them, and
//! everything that carries the run's mark in its environment.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

use super::launch::MARK;
use super::tree::carries;
use crate::proc::{Tree, start_of};

/// The argument that makes this program a watchdog.
pub const ARGUMENT: &str = "--watchdog";

const FAREWELL: &str = "bye";

/// The run's end of the watchdog.
#[derive(Debug)]
pub struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
    told: BTreeMap<i32, u64>,
}

impl Watchdog {
    /// Starts the watchdog for the run marked `id`.
    ///
    /// # Errors
    /// This program cannot be started again.
    pub fn start(id: &str) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("profile-run-watchdog")
            .args([ARGUMENT, id])
            // Within a run of another profile-run it is no part of that one's target.
            .env_remove(MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: one system call between fork and exec. A session of its own keeps the terminal's
        // signals, and a kill of our process group, away from it.
        unsafe {
            command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
        }
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe, told: BTreeMap::new() })
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Tells it of a process of the tree, once.
    pub fn follow(&mut self, pid: i32) {
        let Ok(start) = start_of(pid) else { return };
        if self.told.insert(pid, start) == Some(start) {
            return;
        }
        if let Some(pipe) = &mut self.pipe {
            // If it is gone there is nobody to tell; the run goes on.
            let _ = writeln!(pipe, "{pid} {start}");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = writeln!(pipe, "{FAREWELL}");
        }
        let _ = self.child.wait();
    }
}

/// The watchdog's whole life. Returns when the run has said farewell or nothing of it is left.
pub fn main(id: &str) {
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: ignoring a signal installs no handler.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    let mut told = BTreeMap::new();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if line == FAREWELL {
            return;
        }
        let mut words = line.split(' ').filter_map(|word| word.parse::<u64>().ok());
        if let (Some(pid), Some(start)) = (words.next(), words.next()) {
            told.insert(pid as i32, start);
        }
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let left = left_of(id, &mut told);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is left of the run: the processes told of, those below them, those that carry the mark.
fn left_of(id: &str, told: &mut BTreeMap<i32, u64>) -> Vec<i32> {
    let me = std::process::id() as i32;
    let mark = format!("{MARK}={id}");
    let Ok(tree) = Tree::scan() else { return Vec::new() };
    let mut left = Vec::new();
    for entry in tree.entries() {
        if entry.pid == me || entry.state == 'Z' {
            continue;
        }
        let known = told.get(&entry.pid) == Some(&entry.start);
        let below = tree.get(entry.ppid).is_some_and(|parent| told.get(&parent.pid) == Some(&parent.start));
        if known || below || carries(entry.pid, |variable| variable == mark.as_bytes()) {
            told.insert(entry.pid, entry.start);
            left.push(entry.pid);
        }
    }
    left
}
