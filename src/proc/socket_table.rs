//! The TCP sockets of a network namespace, by the fastest way that reaches it.

use std::collections::HashMap;
use std::ffi::OsString;

use nix::sched::{CloneFlags, setns};

use super::{Diag, Error, Family, Process, State, TcpSocket};

/// Which sockets to read.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Only those on these ports of their own; none given is all.
    pub ports: &'a [u16],
    /// IPv6 too: each family costs a walk over the kernel's whole table.
    pub v6: bool,
    /// Established ones too: these are most, and their state the one that is least in doubt.
    pub established: bool,
}

impl Ask<'_> {
    fn takes(&self, socket: &TcpSocket) -> bool {
        (self.ports.is_empty() || self.ports.contains(&socket.local.port()))
            && (self.established || socket.state != State::Established)
    }

    /// Every socket.
    pub const ALL: Ask<'static> = Ask { ports: &[], v6: true, established: true };
}

/// Reads the TCP sockets of the namespace that a process lives in: through netlink where that is our
/// own, else (a container, say) out of `/proc/PID/net/tcp` and `tcp6`, which show the process's own.
#[derive(Debug)]
pub struct SocketTable {
    diag: Option<Diag>,
    own_namespace: Option<OsString>,
    kept: Option<Kept>,
}

/// What a namespace listed.
#[derive(Debug)]
struct Kept {
    namespace: Option<OsString>,
    by_inode: HashMap<u64, TcpSocket>,
}

impl SocketTable {
    /// Opens what there is; a kernel without sock_diag is served by the files.
    pub fn open() -> Self {
        let own_namespace = std::fs::read_link("/proc/self/ns/net").ok().map(OsString::from);
        Self { diag: Diag::open().ok(), own_namespace, kept: None }
    }

    /// Opens a table of the network that `process` lives in, by netlink; `None` where we may not enter it.
    pub fn in_network_of(process: &Process) -> Option<Self> {
        let namespace = process.net_namespace().ok()?;
        let network = process.file("ns/net").ok()?;
        // A socket stays in the network in which it was opened; the thread that went there ends.
        let opened = std::thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).ok()?;
            Diag::open().ok()
        });
        Some(Self { diag: Some(opened.join().ok()??), own_namespace: Some(namespace), kept: None })
    }

    /// A table that only reads files, to compare both ways.
    pub fn of_files() -> Self {
        Self { diag: None, own_namespace: None, kept: None }
    }

    /// Every socket in the namespace of `process`, by inode: as it was listed last, or `anew`. A machine may have tens of
    /// thousands of them, and a server hundreds of processes.
    pub fn listed(&mut self, process: &Process, anew: bool) -> Result<&HashMap<u64, TcpSocket>, Error> {
        let namespace = process.net_namespace().ok();
        let fits = |kept: &Kept| !anew && namespace.is_some() && kept.namespace == namespace;
        if !self.kept.as_ref().is_some_and(fits) {
            let mut all = Vec::new();
            self.read(process, Ask::ALL, &mut all)?;
            let by_inode = all.into_iter().filter(|s| s.inode != 0).map(|s| (s.inode, s)).collect();
            self.kept = Some(Kept { namespace, by_inode });
        }
        Ok(&self.kept.as_ref().expect("it was read").by_inode)
    }

    /// What was listed is of another moment.
    pub fn forget(&mut self) {
        self.kept = None;
    }

    /// Replaces `out` by the TCP sockets in the namespace of `process` that are asked for.
    pub fn read(&mut self, process: &Process, ask: Ask, out: &mut Vec<TcpSocket>) -> Result<(), Error> {
        out.clear();
        let ours = self.own_namespace.is_some() && process.net_namespace().ok() == self.own_namespace;
        if ours && let Some(diag) = &mut self.diag {
            let mut dumped = diag.dump(Family::V4, ask, out);
            if dumped.is_ok() && ask.v6 && any_of_v6(process) {
                dumped = diag.dump(Family::V6, ask, out);
            }
            match dumped {
                Ok(()) => return Ok(()),
                // Not answered (a sandbox, or no inet_diag in this kernel): the files will do from now on.
                Err(_) => self.diag = None,
            }
            out.clear();
        }
        TcpSocket::parse_table(&process.read("net/tcp")?, out)?;
        match process.read("net/tcp6") {
            Ok(text) => TcpSocket::parse_table(&text, out)?,
            // No IPv6 in this kernel; the process itself was readable a moment ago.
            Err(e) if e.is_gone() => {}
            Err(e) => return Err(e),
        }
        out.retain(|s| ask.takes(s));
        Ok(())
    }
}

/// Whether there is any IPv6 TCP socket in the namespace of a process: even an empty dump walks the kernel's whole table.
fn any_of_v6(process: &Process) -> bool {
    let Ok(text) = process.read("net/sockstat6") else { return true };
    String::from_utf8_lossy(&text).lines().find_map(|l| l.strip_prefix("TCP6: inuse ")).is_none_or(|n| n.trim() != "0")
}
