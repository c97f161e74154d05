//! What run and watchdog say to each other: one datagram of JSON a message, descriptors beside it.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::cmsg_space;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};

use super::super::container::Engine;

/// The longest message that is no start; those go through a file in memory.
const LONGEST: usize = 16 * 1024;

/// What a run asks of its watchdog.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Start a program: a [`Program`] as JSON in the first descriptor, its output in the second.
    Start,
    /// Whether any process is left.
    Left,
    /// Remove this folder at the end.
    Remove(OsString),
    /// Clear this launch's container away at the end.
    Clear(Engine),
    /// It was cleared away.
    Cleared(Engine),
}

/// A program to start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Program {
    /// Its file.
    pub file: OsString,
    /// Its argument vector, name included.
    pub argv: Vec<OsString>,
    /// Its working directory.
    pub cwd: OsString,
    /// Variables to set.
    pub set: Vec<(OsString, OsString)>,
    /// Variables to remove.
    pub remove: Vec<OsString>,
    /// Limits of descriptors, soft and hard.
    pub descriptors: (u64, u64),
}

/// What a watchdog answers or tells.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is there; the control group that it made for the tree, where it could.
    Ready(Option<PathBuf>),
    /// The program runs as this process.
    Started(i32),
    /// The program could not be started: the system's error number.
    Failed(i32),
    /// A program that was started has ended, with this status of `wait`.
    Ended(i32, i32),
    /// Whether any process is left.
    Left(bool),
}

/// Sends one message.
///
/// # Errors
/// The other side is gone.
pub fn send(socket: BorrowedFd, message: &impl Serialize, descriptors: &[RawFd]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() { &rights[..0] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives one message and the descriptors beside it; `None` when the other side is gone.
///
/// # Errors
/// `WouldBlock` where nothing is there; else what was received is no message.
pub fn receive<T: for<'a> Deserialize<'a>>(socket: BorrowedFd, wait: bool) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = cmsg_space!([RawFd; 2]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
    let mut buffer = [IoSliceMut::new(&mut bytes)];
    let received = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut buffer, Some(&mut space), flags) {
            Err(nix::Error::EINTR) => {}
            // What a killed peer leaves behind it.
            Err(nix::Error::ECONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(given) = message {
            // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
            descriptors.extend(given.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let length = received.bytes;
    if length == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&bytes[..length])?, descriptors)))
}

impl Program {
    /// Writes it into a file in memory: an environment is longer than a datagram may be.
    ///
    /// # Errors
    /// The system has no such files, or no memory.
    pub fn to_file(&self) -> io::Result<OwnedFd> {
        let mut file = std::fs::File::from(memfd_create(c"program", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file.into())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// It is none.
    pub fn from_file(file: OwnedFd) -> io::Result<Self> {
        let mut bytes = Vec::new();
        std::fs::File::from(file).read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// A pair of sockets that keep messages apart, closed on exec.
///
/// # Errors
/// No descriptors are left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_descriptors_pass_and_an_end_is_told() {
        use std::os::fd::AsFd;
        use std::os::unix::ffi::OsStringExt;
        let (ours, theirs) = pair().unwrap();
        let program = Program {
            file: "/bin/true".into(),
            argv: vec![OsString::from_vec(vec![b'a', 0xff])],
            cwd: "/".into(),
            // Longer than a datagram may be.
            set: vec![("A".into(), "x".repeat(1 << 20).into())],
            remove: Vec::new(),
            descriptors: (16, 32),
        };
        let file = program.to_file().unwrap();
        send(ours.as_fd(), &Request::Start, &[file.as_raw_fd()]).unwrap();
        let (request, mut files) = receive::<Request>(theirs.as_fd(), true).unwrap().unwrap();
        assert!(matches!(request, Request::Start));
        let read = Program::from_file(files.remove(0)).unwrap();
        assert_eq!((read.argv, read.set), (program.argv, program.set));
        let nothing = receive::<Request>(theirs.as_fd(), false).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        drop(ours);
        assert!(receive::<Request>(theirs.as_fd(), true).unwrap().is_none());
    }
}
