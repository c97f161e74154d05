//! The run's end of its watchdog.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::super::container::Engine;
use super::super::launch::MARK;
use super::super::stop::stop_all;
use super::super::tree::Family;
use super::life;
use super::message::{Answer, Program, Request, pair, receive, send};

/// The argument that makes this program a watchdog.
pub const ARGUMENT: &str = "--watchdog";

/// What it is called in the list of processes.
pub const NAME: &str = "profile-run-watchdog";

/// A program to start below the watchdog.
#[derive(Debug)]
pub struct Start<'a> {
    /// Its file.
    pub file: &'a Path,
    /// Its argument vector, name included.
    pub argv: &'a [String],
    /// Its working directory.
    pub cwd: &'a Path,
    /// Variables to set.
    pub set: Vec<(OsString, OsString)>,
    /// Variables to remove.
    pub remove: &'a [String],
    /// Where its output goes.
    pub output: OwnedFd,
    /// Limits of descriptors, soft and hard.
    pub descriptors: (u64, u64),
}

/// The run's end of the watchdog. What descends from it ends with the last of its clones.
#[derive(Debug, Clone)]
pub struct Watchdog {
    link: Arc<Mutex<Link>>,
    pid: i32,
    group: Option<PathBuf>,
}

#[derive(Debug)]
struct Link {
    socket: Option<OwnedFd>,
    child: Child,
    ended: BTreeMap<i32, ExitStatus>,
    group: Option<PathBuf>,
}

impl Watchdog {
    /// Starts the watchdog for the run marked `id`.
    ///
    /// # Errors
    /// This program cannot be started again.
    pub fn start(id: &str) -> io::Result<Self> {
        let (socket, theirs) = pair()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0(NAME)
            .args([ARGUMENT, id])
            // Within a run of another profile-run it is no part of that one's server.
            .env_remove(MARK)
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: one system call between fork and exec. A session of its own keeps the terminal's
        // signals, and a kill of our process group, away from it.
        unsafe {
            command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
        }
        let child = command.spawn()?;
        drop(command);
        let pid = child.id() as i32;
        let group = match receive::<Answer>(socket.as_fd(), true)? {
            Some((Answer::Ready(group), _)) => group,
            _ => return Err(io::Error::other("the watchdog ended before it began")),
        };
        let link = Link { socket: Some(socket), child, ended: BTreeMap::new(), group: group.clone() };
        Ok(Self { link: Arc::new(Mutex::new(link)), pid, group })
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The control group of the tree, where there is one.
    pub fn group(&self) -> Option<&Path> {
        self.group.as_deref()
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a program; gives back its pid.
    ///
    /// # Errors
    /// It cannot be started, or the watchdog is gone.
    pub fn spawn(&self, start: Start) -> io::Result<i32> {
        let text = |words: &[String]| words.iter().map(OsString::from).collect();
        let program = Program {
            file: start.file.into(),
            argv: text(start.argv),
            cwd: start.cwd.into(),
            set: start.set,
            remove: text(start.remove),
            descriptors: start.descriptors,
        };
        let file = program.to_file()?;
        match self.link().ask(&Request::Start, &[file.as_raw_fd(), start.output.as_raw_fd()])? {
            Answer::Started(pid) => Ok(pid),
            Answer::Failed(number) => Err(io::Error::from_raw_os_error(number)),
            other => Err(unexpected(&other)),
        }
    }

    /// How a program that was started here ended, if it did; asked without waiting.
    pub fn ended(&self, pid: i32) -> Option<ExitStatus> {
        let mut link = self.link();
        link.listen();
        if link.socket.is_none() && !link.ended.contains_key(&pid) {
            link.reap_orphan(pid);
        }
        link.ended.get(&pid).copied()
    }

    /// Whether any process is left below the watchdog; `None` where it is gone and cannot say.
    pub fn is_any_left(&self) -> Option<bool> {
        match self.link().ask(&Request::Left, &[]) {
            Ok(Answer::Left(left)) => Some(left),
            _ => None,
        }
    }

    /// Has a folder removed at the end, also where the run is killed.
    pub fn remove_at_end(&self, folder: &Path) {
        // Without a watchdog the run's own guard is left.
        let _ = self.link().tell(&Request::Remove(folder.into()));
    }

    /// Has the container of a launch cleared away at the end, also where the run is killed.
    pub fn clear_at_end(&self, engine: &Engine) {
        let _ = self.link().tell(&Request::Clear(engine.clone()));
    }

    /// The container of a launch is gone.
    pub fn cleared(&self, engine: &Engine) {
        let _ = self.link().tell(&Request::Cleared(engine.clone()));
    }

    /// Stops all that is left below the watchdog: what a hook has left behind.
    pub fn stop_all(&self, deadline: Duration) {
        stop_all(&Family::of_all(self), deadline);
    }
}

fn unexpected(answer: &Answer) -> io::Error {
    io::Error::other(format!("the watchdog answered {answer:?}"))
}

impl Link {
    fn tell(&mut self, request: &Request) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or_else(gone)?;
        send(socket.as_fd(), request, &[])
    }

    /// Asks and waits for the answer; what is told meanwhile is kept.
    fn ask(&mut self, request: &Request, descriptors: &[i32]) -> io::Result<Answer> {
        let socket = self.socket.as_ref().ok_or_else(gone)?;
        if let Err(error) = send(socket.as_fd(), request, descriptors) {
            self.socket = None;
            return Err(error);
        }
        loop {
            match receive::<Answer>(socket.as_fd(), true) {
                Ok(Some((Answer::Ended(pid, raw), _))) => drop(self.ended.insert(pid, life::status(raw))),
                Ok(Some((answer, _))) => return Ok(answer),
                Ok(None) | Err(_) => {
                    self.socket = None;
                    return Err(gone());
                }
            }
        }
    }

    /// Takes what was told since the last look.
    fn listen(&mut self) {
        while let Some(socket) = &self.socket {
            match receive::<Answer>(socket.as_fd(), false) {
                Ok(Some((Answer::Ended(pid, raw), _))) => drop(self.ended.insert(pid, life::status(raw))),
                Ok(Some(_)) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(None) | Err(_) => self.socket = None,
            }
        }
    }

    /// The watchdog was killed: its children are ours.
    fn reap_orphan(&mut self, pid: i32) {
        let _ = self.child.try_wait();
        let raw = match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => (code & 0xff) << 8,
            Ok(WaitStatus::Signaled(_, signal, core)) => signal as i32 | if core { 0x80 } else { 0 },
            // Taken by nobody: its end was not told before the watchdog's.
            Err(nix::Error::ECHILD) if !crate::proc::is_there(pid) => 0,
            _ => return,
        };
        self.ended.insert(pid, life::status(raw));
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the run's watchdog was killed: nothing can be launched any more")
}

impl Drop for Link {
    fn drop(&mut self) {
        // Closed, it clears away what is left, and ends.
        self.socket = None;
        let _ = self.child.wait();
        if let Some(group) = &self.group {
            // One that was killed has left its group behind.
            let _ = std::fs::remove_dir(group);
        }
    }
}
