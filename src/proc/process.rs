//! A handle on one process and the thin readers that hang on it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};

use super::{Descriptor, Error, Limits, Rollup, Stat, Statm, Status};

/// Where a process's main thread waits: `/proc/PID/syscall`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// On a processor, or ready for one.
    Running,
    /// Inside a system call.
    InSyscall {
        /// Its number on this architecture (see [`super::syscall_name`]).
        number: i64,
        /// Its arguments.
        arguments: [u64; 6],
    },
    /// Blocked, but not in a system call (a page fault, say).
    Blocked,
}

impl Waiting {
    /// Reads the line.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim();
        if text == "running" {
            return Some(Waiting::Running);
        }
        let mut words = text.split_ascii_whitespace();
        let number: i64 = words.next()?.parse().ok()?;
        if number < 0 {
            return Some(Waiting::Blocked);
        }
        let mut arguments = [0; 6];
        for (slot, word) in arguments.iter_mut().zip(words) {
            *slot = u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
        }
        Some(Waiting::InSyscall { number, arguments })
    }
}

/// An open `/proc/PID`: reads through it fail once the process is gone, even if its pid is reused.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    folder: OwnedFd,
    /// When it started, where the folder is that of a thread which started later.
    start: Option<u64>,
}

impl Process {
    /// Opens the process's folder; where its first thread has ended and others go on, that of a living one: the kernel
    /// shows memory and descriptors of the process in each, but in none of a thread that ended.
    pub fn open(pid: i32) -> Result<Self, Error> {
        let first = Self { pid, folder: folder_of(pid)?, start: None };
        Ok(first.by_living_thread().unwrap_or(first))
    }

    /// The same process by the first of its living threads, where its own first one has ended.
    fn by_living_thread(&self) -> Option<Self> {
        let stat = self.stat().ok().filter(Stat::outlives_first_thread)?;
        let threads = self.numbers("task").ok()?.into_iter().filter(|thread| *thread != self.pid);
        let by = |thread| Some(Self { pid: self.pid, folder: folder_of(thread).ok()?, start: Some(stat.start) });
        threads.filter_map(by).find(|by| by.stat().is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X')))
    }

    /// The same process as it is to be read now: the thread by which it was opened may have ended since.
    pub fn again(&self) -> Result<Self, Error> {
        let start = self.start.map_or_else(|| self.stat().map(|stat| stat.start), Ok)?;
        let now = Self::open(self.pid)?;
        match now.stat()?.start == start {
            true => Ok(now),
            false => Err(Error::NoSuchProcess { pid: self.pid }),
        }
    }

    /// The pid.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    fn failed(&self, file: &str, errno: Errno) -> Error {
        Error::of_process(self.pid, file, errno.into())
    }

    /// Opens a file of the process's folder for reading.
    pub fn file(&self, file: &str) -> Result<File, Error> {
        openat(&self.folder, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map(File::from)
            .map_err(|e| self.failed(file, e))
    }

    /// Reads a file of the process's folder whole.
    pub fn read(&self, file: &str) -> Result<Vec<u8>, Error> {
        let mut text = Vec::with_capacity(4096);
        self.file(file)?.read_to_end(&mut text).map_err(|e| Error::of_process(self.pid, file, e))?;
        Ok(text)
    }

    /// Reads a file that not every kernel has; `None` where the process is there and the file is not.
    pub(super) fn read_if_there(&self, file: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.read(file) {
            Err(e) if e.is_gone() && self.is_there("stat") => Ok(None),
            read => read.map(Some),
        }
    }

    fn is_there(&self, file: &str) -> bool {
        fstatat(&self.folder, file, AtFlags::empty()).is_ok()
    }

    fn link(&self, file: &str) -> Result<OsString, Error> {
        readlinkat(&self.folder, file).map_err(|e| self.failed(file, e))
    }

    /// `stat`.
    pub fn stat(&self) -> Result<Stat, Error> {
        let stat = Stat::parse(&self.read("stat")?)?;
        Ok(Stat { pid: self.pid, start: self.start.unwrap_or(stat.start), ..stat })
    }

    /// `statm`.
    pub fn statm(&self) -> Result<Statm, Error> {
        Statm::parse(&self.read("statm")?)
    }

    /// `status`.
    pub fn status(&self) -> Result<Status, Error> {
        Status::parse(&self.read("status")?)
    }

    /// `smaps_rollup`.
    pub fn rollup(&self) -> Result<Rollup, Error> {
        Ok(Rollup::parse(&self.read("smaps_rollup")?))
    }

    /// `limits`.
    pub fn limits(&self) -> Result<Limits, Error> {
        Limits::parse(&self.read("limits")?)
    }

    /// The command name (at most 15 bytes).
    pub fn comm(&self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.read("comm")?.trim_ascii_end()).into_owned())
    }

    /// The command line; empty for a kernel thread or a zombie.
    pub fn cmdline(&self) -> Result<Vec<OsString>, Error> {
        Ok(zero_separated(&self.read("cmdline")?))
    }

    /// The environment that the process was started with, `KEY=VALUE` each.
    pub fn environ(&self) -> Result<Vec<OsString>, Error> {
        Ok(zero_separated(&self.read("environ")?))
    }

    /// The working directory.
    pub fn cwd(&self) -> Result<PathBuf, Error> {
        self.link("cwd").map(PathBuf::from)
    }

    /// The program file; ends in ` (deleted)` if it was replaced since.
    pub fn exe(&self) -> Result<PathBuf, Error> {
        self.link("exe").map(PathBuf::from)
    }

    /// The network namespace, as `net:[INODE]`.
    pub fn net_namespace(&self) -> Result<OsString, Error> {
        self.link("ns/net")
    }

    /// The kernel function in which the main thread sleeps; `None` while it runs.
    pub fn wchan(&self) -> Result<Option<String>, Error> {
        let text = self.read_if_there("wchan")?.unwrap_or_default();
        Ok(match text.as_slice() {
            b"" | b"0" => None,
            name => Some(String::from_utf8_lossy(name).into_owned()),
        })
    }

    /// The system call in which the main thread is (needs the right to trace the process).
    pub fn waiting(&self) -> Result<Option<Waiting>, Error> {
        Ok(self.read_if_there("syscall")?.and_then(|text| Waiting::parse(&text)))
    }

    /// Nanoseconds on a processor and nanoseconds ready but waiting for one, of the main thread; `None` where the kernel was
    /// built without this file.
    pub fn schedstat(&self) -> Result<Option<(u64, u64)>, Error> {
        let Some(text) = self.read_if_there("schedstat")? else { return Ok(None) };
        let mut words = text.split(|b| b.is_ascii_whitespace()).map_while(super::stat::number);
        Ok(words.next().zip(words.next()).map(|(on, waited)| (on as u64, waited as u64)))
    }

    /// CPU seconds of the process and of its children that were waited for: to the nanosecond where it has one thread, else in
    /// clock ticks, as those of its children.
    pub fn cpu_seconds(&self) -> Result<f64, Error> {
        let stat = self.stat()?;
        let ticks = |ticks: u64| ticks as f64 / super::clock_ticks() as f64;
        let exact = if stat.threads == 1 { self.schedstat()? } else { None };
        let own = exact.filter(|(on, _)| *on > 0).map_or(ticks(stat.utime + stat.stime), |(on, _)| on as f64 / 1e9);
        Ok(own + ticks(stat.waited_time))
    }

    /// Pids of the children of all threads; `None` where the kernel was built without this file.
    pub fn children(&self) -> Result<Option<Vec<i32>>, Error> {
        let mut children = Vec::new();
        for thread in self.numbers("task")? {
            match self.read(&format!("task/{thread}/children")) {
                Ok(text) => children
                    .extend(text.split(|b| b.is_ascii_whitespace()).filter_map(super::stat::number).map(|n| n as i32)),
                // The thread ended, or the kernel has no such file at all.
                Err(e) if e.is_gone() => {
                    if self.is_there(&format!("task/{thread}/stat")) {
                        return Ok(None);
                    }
                }
                Err(e) => return Err(e),
            }
        }
        Ok(Some(children))
    }

    /// The number of open descriptors by one stat of the folder: what [`fd_count_is_fast`] promises.
    pub fn fd_count_fast(&self) -> Result<u64, Error> {
        let stat = fstatat(&self.folder, "fd", AtFlags::empty()).map_err(|e| self.failed("fd", e))?;
        Ok(stat.st_size as u64)
    }

    /// The numbers of the open descriptors.
    pub fn fd_numbers(&self) -> Result<Vec<i32>, Error> {
        self.numbers("fd")
    }

    /// What descriptor `fd` is; `None` if it was closed meanwhile.
    pub fn descriptor(&self, fd: i32) -> Result<Option<Descriptor>, Error> {
        match readlinkat(&self.folder, format!("fd/{fd}").as_str()) {
            Ok(link) => Ok(Some(Descriptor::parse(fd, &link))),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(self.failed("fd", e)),
        }
    }

    /// What stat(2) says of the file behind descriptor `fd`.
    pub(super) fn descriptor_stat(&self, fd: i32) -> Result<FileStat, Error> {
        fstatat(&self.folder, format!("fd/{fd}").as_str(), AtFlags::empty()).map_err(|e| self.failed("fd", e))
    }

    /// All open descriptors, in the order of their numbers.
    pub fn descriptors(&self) -> Result<Vec<Descriptor>, Error> {
        let folder = openat(&self.folder, "fd", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|e| self.failed("fd", e))?;
        let mut out = Vec::new();
        for fd in self.fd_numbers()? {
            match readlinkat(&folder, fd.to_string().as_str()) {
                Ok(link) => out.push(Descriptor::parse(fd, &link)),
                Err(Errno::ENOENT) => {} // closed since it was listed
                Err(e) => return Err(self.failed("fd", e)),
            }
        }
        Ok(out)
    }

    /// The protocol of the socket behind descriptor `fd`, as the kernel names it: `TCP`, `TCPv6`,
    /// `UDP`, `UNIX-STREAM` ... `None` if it is no socket or was closed. Tells a TCP socket that no
    /// table lists (never connected, or reset by the other side) from sockets of other kinds.
    pub fn socket_protocol(&self, fd: i32) -> Option<String> {
        let path = std::ffi::CString::new(format!("/proc/self/fd/{}/fd/{fd}", self.folder.as_raw_fd())).ok()?;
        let mut name = [0u8; 64];
        // SAFETY: both strings end in NUL, and the kernel writes at most `name.len()` bytes.
        let length = unsafe {
            libc::getxattr(path.as_ptr(), c"system.sockprotoname".as_ptr(), name.as_mut_ptr().cast(), name.len())
        };
        let name = name.get(..usize::try_from(length).ok()?)?;
        Some(String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name)).into_owned())
    }

    /// The entries of a folder that are numbers, in ascending order.
    fn numbers(&self, folder: &str) -> Result<Vec<i32>, Error> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir =
            Dir::openat(self.folder.as_fd(), folder, flags, Mode::empty()).map_err(|e| self.failed(folder, e))?;
        let mut out = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(|e| self.failed(folder, e))?;
            // `.` and `..` are no numbers.
            if let Some(number) = super::stat::number(entry.file_name().to_bytes()) {
                out.push(number as i32);
            }
        }
        out.sort_unstable();
        Ok(out)
    }
}

fn folder_of(pid: i32) -> Result<OwnedFd, Error> {
    let path = format!("/proc/{pid}");
    nix::fcntl::open(path.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|e| Error::of_process(pid, "", e.into()))
}

/// Whether the size of `/proc/PID/fd` is the number of descriptors, as from Linux 6.2 on. Before, it is 0.
pub fn fd_count_is_fast() -> bool {
    static FAST: OnceLock<bool> = OnceLock::new();
    // This process has descriptors open, so 0 can only mean that the kernel does not count.
    *FAST.get_or_init(|| nix::sys::stat::stat("/proc/self/fd").is_ok_and(|stat| stat.st_size > 0))
}

fn zero_separated(text: &[u8]) -> Vec<OsString> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|&b| b == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_waits() {
        assert_eq!(Waiting::parse(b"running\n"), Some(Waiting::Running));
        assert_eq!(Waiting::parse(b"-1 0x7ffd 0x7f50\n"), Some(Waiting::Blocked));
        assert_eq!(
            Waiting::parse(b"7 0x3 0x1 0xffffffff 0x0 0x0 0x0 0x7ffd 0x7f50\n"),
            Some(Waiting::InSyscall { number: 7, arguments: [3, 1, 0xffff_ffff, 0, 0, 0] })
        );
        assert_eq!(Waiting::parse(b""), None);
    }

    #[test]
    fn this_process() {
        let me = Process::open(std::process::id() as i32).unwrap();
        assert_eq!(me.stat().unwrap().pid, me.pid());
        let status = me.status().unwrap();
        assert!(status.rss >= status.rss_anon && status.vsz > status.rss);
        assert!(me.rollup().unwrap().rss > 0);
        assert_eq!(me.cwd().unwrap(), std::env::current_dir().unwrap());
        assert_eq!(me.exe().unwrap(), std::env::current_exe().unwrap());
        assert_eq!(me.cmdline().unwrap(), std::env::args_os().collect::<Vec<_>>());
        assert!(me.limits().unwrap().nofile.soft.is_some());
        assert!(me.schedstat().unwrap().is_some());
    }

    #[test]
    fn a_file_that_the_kernel_lacks_is_no_process_that_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id() as i32).unwrap();
        assert!(process.read("no_such_file").unwrap_err().is_gone());
        assert_eq!(process.read_if_there("no_such_file").unwrap(), None);
        assert!(process.read_if_there("stat").unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.read_if_there("no_such_file").unwrap_err().is_gone());
        assert!(process.schedstat().unwrap_err().is_gone());
    }

    #[test]
    fn nobody() {
        // Above the largest pid that a kernel can give.
        assert!(Process::open(1 << 23).unwrap_err().is_gone());
        assert!(Process::open(-1).unwrap_err().is_gone());
    }
}
