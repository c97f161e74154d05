//! The watchdog's whole life: it starts programs, reaps, answers, and in the end clears away.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::super::container::Engine;
use super::super::group::Group;
use super::super::tree::become_subreaper;
use super::message::{Answer, Program, Request, receive, send};
use crate::proc::Tree;

/// How long it goes on killing at the end. A process that the kernel holds cannot be hurried.
const END: Duration = Duration::from_secs(10);

/// How long the clients of containers may take to end by themselves.
const CLIENTS: Duration = Duration::from_secs(4);

struct Life<'a> {
    socket: BorrowedFd<'a>,
    started: BTreeSet<i32>,
    remove: Vec<OsString>,
    containers: Vec<Engine>,
    group: Option<Group>,
}

/// Lives until the run's end of the socket, which is its standard input, closes; then clears away.
///
/// # Errors
/// The kernel has no subreapers or no signalfd.
pub fn main(id: &str) -> io::Result<()> {
    // Blocked, not ignored: what is ignored would be ignored by the programs that are started.
    let mut child_ended = SigSet::empty();
    child_ended.add(Signal::SIGCHLD);
    SigSet::all().thread_block()?;
    become_subreaper()?;
    let signals = SignalFd::with_flags(&child_ended, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let stdin = io::stdin();
    let mut life = Life {
        socket: stdin.as_fd(),
        started: BTreeSet::new(),
        remove: Vec::new(),
        containers: Vec::new(),
        group: Group::create(id),
    };
    let group = life.group.as_ref().map(|group| group.path().to_path_buf());
    if send(life.socket, &Answer::Ready(group), &[]).is_ok() {
        while life.turn(&signals) {}
    }
    life.clear_away();
    Ok(())
}

impl Life<'_> {
    /// Waits for something and deals with it; false when the run is gone.
    fn turn(&mut self, signals: &SignalFd) -> bool {
        let mut on = [PollFd::new(self.socket, PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut on, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
        while let Ok(Some(_)) = signals.read_signal() {}
        self.reap();
        match receive::<Request>(self.socket, false) {
            Ok(Some((request, descriptors))) => self.answer(request, descriptors),
            Ok(None) => false,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn answer(&mut self, request: Request, descriptors: Vec<OwnedFd>) -> bool {
        let answer = match request {
            Request::Start => match self.start(descriptors) {
                Ok(pid) => Answer::Started(pid),
                Err(error) => Answer::Failed(error.raw_os_error().unwrap_or(libc::EIO)),
            },
            Request::Left => Answer::Left(is_any_left()),
            Request::Remove(folder) => {
                self.remove.push(folder);
                return true;
            }
            Request::Clear(container) => {
                self.containers.push(container);
                return true;
            }
            Request::Cleared(container) => {
                self.containers.retain(|other| *other != container);
                return true;
            }
        };
        send(self.socket, &answer, &[]).is_ok()
    }

    fn start(&mut self, descriptors: Vec<OwnedFd>) -> io::Result<i32> {
        let mut descriptors = descriptors.into_iter();
        let (Some(program), Some(output)) = (descriptors.next(), descriptors.next()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let Program { file, argv, cwd, set, remove, descriptors: (soft, hard) } = Program::from_file(program)?;
        let mut argv = argv.into_iter();
        let mut command = Command::new(file);
        command
            .arg0(argv.next().unwrap_or_default())
            .args(argv)
            .current_dir(cwd)
            .envs(set)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A group of its own: the terminal's Ctrl-C is for the run, which stops the server in order.
            .process_group(0);
        for name in remove {
            command.env_remove(name);
        }
        let group = self.group.as_ref().map(|group| group.entrance().as_raw_fd());
        // SAFETY: between fork and exec only system calls are made: no allocation, no lock. The
        // group's descriptor is open for as long as this watchdog lives.
        unsafe {
            command.pre_exec(move || {
                if let Some(entrance) = group {
                    // Where it is refused the tree is known by its parents alone.
                    let _ = nix::unistd::write(BorrowedFd::borrow_raw(entrance), b"0");
                }
                setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
                SigSet::empty().thread_set_mask()?;
                Ok(())
            });
        }
        let pid = command.spawn()?.id() as i32;
        self.started.insert(pid);
        Ok(pid)
    }

    /// Takes the end of every child that ended, and tells of those that were asked for.
    fn reap(&mut self) {
        let any = Pid::from_raw(-1);
        while let Ok(status) = waitpid(any, Some(WaitPidFlag::WNOHANG)) {
            let (pid, raw) = match status {
                WaitStatus::Exited(pid, code) => (pid, (code & 0xff) << 8),
                WaitStatus::Signaled(pid, signal, core) => (pid, signal as i32 | if core { 0x80 } else { 0 }),
                WaitStatus::StillAlive => return,
                _ => continue,
            };
            if self.started.remove(&pid.as_raw()) {
                // A run that is gone is noticed at the next turn.
                let _ = send(self.socket, &Answer::Ended(pid.as_raw(), raw), &[]);
            }
        }
    }

    /// Ends what runs in containers, and lets their clients end by themselves: one that is killed while it makes a container, or
    /// tidies up after it, leaves behind what no engine removes.
    fn end_containers(&mut self) {
        let deadline = Instant::now() + CLIENTS;
        while !self.containers.is_empty() && is_any_left() && Instant::now() < deadline {
            self.containers.iter().for_each(Engine::kill);
            self.reap();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills what is left, and removes what the run has left behind.
    fn clear_away(&mut self) {
        self.end_containers();
        let me = std::process::id() as i32;
        let deadline = Instant::now() + END;
        while is_any_left() && Instant::now() < deadline {
            if let Some(group) = &self.group {
                group.kill();
            }
            for pid in Tree::scan().map(|tree| tree.descendants(me)).unwrap_or_default() {
                if pid != me {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            self.reap();
            std::thread::sleep(Duration::from_millis(5));
        }
        // Their clients are dead by now, and ask for nothing more.
        for container in &self.containers {
            container.clear(true);
        }
        for folder in &self.remove {
            // Gone already where the run ended in order.
            let _ = std::fs::remove_dir_all(folder);
        }
        if let Some(group) = self.group.take() {
            group.remove();
        }
    }
}

/// Whether this process has any child, ended ones that nobody took included. What descends from it
/// becomes its child at the moment that its own parent ends, so no child is no descendant.
fn is_any_left() -> bool {
    waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) != Err(Errno::ECHILD)
}

/// The status that `wait` gave, as the standard library has it.
pub fn status(raw: i32) -> std::process::ExitStatus {
    std::process::ExitStatus::from_raw(raw)
}
