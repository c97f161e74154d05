//! What a descriptor is, from the link that `/proc/PID/fd/N` is. Source: proc_pid_fd(5).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};

use super::stat::number;

/// What kind of thing a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file or folder by path.
    File,
    /// A socket of any family.
    Socket,
    /// A pipe.
    Pipe,
    /// An event counter.
    Eventfd,
    /// An epoll set.
    Epoll,
    /// A timer.
    Timerfd,
    /// Signals as reads.
    Signalfd,
    /// File watches.
    Inotify,
    /// Anonymous memory with a name.
    Memfd,
    /// A terminal.
    Tty,
    /// Another device.
    Dev,
    /// A handle on a process.
    Pidfd,
    /// An io_uring.
    IoUring,
    /// A namespace.
    Namespace,
    /// Anything else.
    Other,
}

impl Kind {
    /// The name used as a key: `file`, `socket`, `io_uring` ...
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Socket => "socket",
            Kind::Pipe => "pipe",
            Kind::Eventfd => "eventfd",
            Kind::Epoll => "epoll",
            Kind::Timerfd => "timerfd",
            Kind::Signalfd => "signalfd",
            Kind::Inotify => "inotify",
            Kind::Memfd => "memfd",
            Kind::Tty => "tty",
            Kind::Dev => "dev",
            Kind::Pidfd => "pidfd",
            Kind::IoUring => "io_uring",
            Kind::Namespace => "namespace",
            Kind::Other => "other",
        }
    }
}

/// One open descriptor of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub fd: i32,
    /// What it is.
    pub kind: Kind,
    /// The inode of a socket or pipe, else 0.
    pub inode: u64,
    /// The path or name that the link shows; empty for sockets and pipes, which the inode names.
    pub target: String,
    /// The file behind it was deleted and lives on only through descriptors.
    pub deleted: bool,
}

impl Descriptor {
    /// Reads the link of descriptor `fd`.
    pub fn parse(fd: i32, link: &OsStr) -> Self {
        let bytes = link.as_bytes();
        for (kind, prefix) in [(Kind::Socket, b"socket:[".as_slice()), (Kind::Pipe, b"pipe:[")] {
            let inode = bytes.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(b"]")).and_then(number);
            if let Some(inode) = inode {
                return Self { fd, kind, inode: inode as u64, target: String::new(), deleted: false };
            }
        }
        let (name, deleted) = match bytes.strip_suffix(b" (deleted)") {
            Some(rest) if bytes.starts_with(b"/") => (rest, true),
            _ => (bytes, false),
        };
        let target = String::from_utf8_lossy(name).into_owned();
        Self { fd, kind: kind(&target, deleted), inode: 0, target, deleted }
    }
}

fn kind(name: &str, deleted: bool) -> Kind {
    if name.starts_with('/') {
        return match name {
            _ if deleted && name.starts_with("/memfd:") => Kind::Memfd,
            "/dev/tty" | "/dev/console" | "/dev/ptmx" => Kind::Tty,
            _ if name.starts_with("/dev/pts/") || name.starts_with("/dev/tty") => Kind::Tty,
            _ if name.starts_with("/dev/shm/") || name.starts_with("/dev/mqueue/") => Kind::File,
            _ if name.starts_with("/dev/") => Kind::Dev,
            _ => Kind::File,
        };
    }
    match name.trim_start_matches("anon_inode:").trim_matches(['[', ']']) {
        "eventfd" => Kind::Eventfd,
        "eventpoll" => Kind::Epoll,
        "timerfd" => Kind::Timerfd,
        "signalfd" => Kind::Signalfd,
        "inotify" => Kind::Inotify,
        "pidfd" => Kind::Pidfd,
        "io_uring" => Kind::IoUring,
        _ if name.starts_with("pidfd:[") => Kind::Pidfd,
        _ => match name.split_once(":[") {
            Some(("net" | "mnt" | "pid" | "user" | "uts" | "ipc" | "cgroup" | "time", _)) => Kind::Namespace,
            _ => Kind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (link, kind) in [
            ("socket:[991]", Kind::Socket),
            ("pipe:[7]", Kind::Pipe),
            ("anon_inode:[eventfd]", Kind::Eventfd),
            ("anon_inode:[eventpoll]", Kind::Epoll),
            ("anon_inode:[timerfd]", Kind::Timerfd),
            ("anon_inode:[signalfd]", Kind::Signalfd),
            ("anon_inode:inotify", Kind::Inotify),
            ("anon_inode:[pidfd]", Kind::Pidfd),
            ("anon_inode:[io_uring]", Kind::IoUring),
            ("anon_inode:[perf_event]", Kind::Other),
            ("/memfd:doublemap (deleted)", Kind::Memfd),
            ("/dev/pts/3", Kind::Tty),
            ("/dev/null", Kind::Dev),
            ("/dev/shm/cache", Kind::File),
            ("/var/spool/a (deleted)", Kind::File),
            ("/tmp/socket:[9]", Kind::File),
            ("net:[4026531840]", Kind::Namespace),
        ] {
            assert_eq!(Descriptor::parse(3, OsStr::new(link)).kind, kind, "{link}");
        }
        let socket = Descriptor::parse(9, OsStr::new("socket:[991]"));
        assert_eq!((socket.fd, socket.inode, socket.target.as_str()), (9, 991, ""));
        let spool = Descriptor::parse(9, OsStr::new("/var/spool/a (deleted)"));
        assert_eq!((spool.target.as_str(), spool.deleted), ("/var/spool/a", true));
    }
}
