//! Who listens, who is spoken to: readiness and the watch over mail that leaves the machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::OtherSide;
use crate::proc::{
    Ask, Error, Kind, Process, SocketTable, State, TcpSocket, Tree, held_tcp, is_own_address, own_addresses,
};

/// A TCP port on which a process listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// The address that it is bound to.
    pub address: IpAddr,
    /// The first of the given processes that holds the socket.
    pub pid: i32,
    /// All of the given processes that hold it.
    pub holders: Vec<i32>,
    /// The socket's inode.
    pub inode: u64,
    /// A process outside the family that listens on the same port and address by a socket of its own
    /// (`SO_REUSEPORT`): it takes a part of the connections. 0 when its pid cannot be found.
    pub shared_with_outside: Option<i32>,
}

/// The ports on which `pids` listen, ascending. Processes that ended are left out.
pub fn listening(pids: &[i32]) -> Result<Vec<Listener>, Error> {
    let mut table = SocketTable::open();
    let mut out: Vec<Listener> = Vec::new();
    let mut all = Vec::new();
    for &pid in pids {
        let Some(held) = held_by(pid, &mut table)? else { continue };
        for socket in held.1 {
            if socket.state != State::Listen {
                continue;
            }
            match out.iter_mut().find(|l| l.inode == socket.inode) {
                Some(listener) => listener.holders.push(pid),
                None => out.push(Listener {
                    port: socket.local.port(),
                    address: socket.local.ip(),
                    pid,
                    holders: vec![pid],
                    inode: socket.inode,
                    shared_with_outside: None,
                }),
            }
        }
        if all.is_empty() {
            table.read(&held.0, Ask::ALL, &mut all)?;
        }
    }
    for i in 0..out.len() {
        let rivals: Vec<u64> = all
            .iter()
            .filter(|s| {
                s.state == State::Listen && s.local.port() == out[i].port && overlap(s.local.ip(), out[i].address)
            })
            .map(|s| s.inode)
            .filter(|inode| !out.iter().any(|l| l.inode == *inode))
            .collect();
        if !rivals.is_empty() {
            out[i].shared_with_outside = Some(outside_holder(&rivals, pids)?.unwrap_or(0));
        }
    }
    out.sort();
    Ok(out)
}

/// Whether a connection to one address may also come to the other.
fn overlap(a: IpAddr, b: IpAddr) -> bool {
    let (a, b) = (a.to_canonical(), b.to_canonical());
    a == b || a.is_unspecified() && (a.is_ipv6() || b.is_ipv4()) || b.is_unspecified() && (b.is_ipv6() || a.is_ipv4())
}

/// The first process outside `pids` that holds one of `rivals`.
fn outside_holder(rivals: &[u64], pids: &[i32]) -> Result<Option<i32>, Error> {
    Ok(Tree::scan()?.pids().find(|pid| !pids.contains(pid) && holds(*pid, rivals)))
}

/// Whether a process has one of these sockets open. Other users' processes may be closed to us: they do not.
fn holds(pid: i32, sockets: &[u64]) -> bool {
    let descriptors = Process::open(pid).and_then(|process| process.descriptors()).unwrap_or_default();
    descriptors.iter().any(|d| d.kind == Kind::Socket && sockets.contains(&d.inode))
}

/// The sockets of this machine, by inode, that a connection to `address` may come to.
pub fn listeners_at(address: SocketAddr) -> Result<Vec<u64>, Error> {
    let mut all = Vec::new();
    let myself = Process::open(std::process::id() as i32)?;
    SocketTable::open().read(&myself, Ask { ports: &[address.port()], ..Ask::ALL }, &mut all)?;
    let listens = |s: &&TcpSocket| s.state == State::Listen && overlap(s.local.ip(), address.ip());
    Ok(all.iter().filter(listens).map(|s| s.inode).collect())
}

/// What the kernel knows of the server's side of the connections to `address`; none where nobody listens there in this
/// network namespace (a forwarded port, another machine).
pub fn other_side(address: SocketAddr) -> Option<OtherSide> {
    let mut all = Vec::new();
    let myself = Process::open(std::process::id() as i32).ok()?;
    SocketTable::open().read(&myself, Ask { ports: &[address.port()], ..Ask::ALL }, &mut all).ok()?;
    side(&all, |ip| overlap(ip, address.ip()))
}

/// What the sockets on the server's port say, where one of them listens at an address that `is_meant`.
fn side(sockets: &[TcpSocket], is_meant: impl Fn(IpAddr) -> bool) -> Option<OtherSide> {
    let mut side = OtherSide::default();
    let mut listens = false;
    for socket in sockets {
        match socket.state {
            State::Listen if is_meant(socket.local.ip()) => {
                side.waiting += socket.receive_queue;
                side.backlog = if listens { side.backlog.min(socket.send_queue) } else { socket.send_queue };
                listens = true;
            }
            // Nobody holds these any more; their clients may come again by the same port.
            State::Listen | State::TimeWait | State::Close => {}
            _ => {
                side.clients.insert(SocketAddr::new(socket.remote.ip().to_canonical(), socket.remote.port()));
            }
        }
    }
    listens.then_some(side)
}

/// The network that a process of a container lives in, as its kernel tells of it.
#[derive(Debug)]
pub struct Network {
    process: Process,
    table: Mutex<SocketTable>,
}

impl Network {
    /// That of a process; `None` where we may not ask there: files alone do not tell how long the queue is.
    pub fn of(pid: i32) -> Option<Self> {
        let process = Process::open(pid).ok()?;
        let table = Mutex::new(SocketTable::in_network_of(&process)?);
        Some(Self { process, table })
    }

    /// What is known of the server's side of the connections to `port`, by whatever address they came.
    pub fn other_side(&self, port: u16) -> Option<OtherSide> {
        let mut all = Vec::new();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.read(&self.process, Ask { ports: &[port], ..Ask::ALL }, &mut all).ok()?;
        side(&all, |_| true)
    }
}

/// The processes that have one of these sockets open, as far as we may look into them.
pub fn holders(sockets: &[u64]) -> Result<Vec<i32>, Error> {
    Ok(Tree::scan()?.pids().filter(|pid| holds(*pid, sockets)).collect())
}

/// A connection of the family to a mail server outside this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailConnection {
    /// The process that holds it.
    pub pid: i32,
    /// Where it goes.
    pub remote: SocketAddr,
    /// Its state (`SYN_SENT`: not through yet).
    pub state: State,
}

/// Ports on which mail is handed on: relay, submission with TLS from the start, submission.
pub const MAIL_PORTS: [u16; 3] = [25, 465, 587];

/// Connections of `pids` to the mail ports of other machines: mail that leaves.
pub fn outside_mail_connections(pids: &[i32]) -> Result<Vec<MailConnection>, Error> {
    let mut table = SocketTable::open();
    let mut own = None;
    let mut out = Vec::new();
    for &pid in pids {
        let Some((_, sockets)) = held_by(pid, &mut table)? else { continue };
        for socket in sockets.into_iter().filter(|s| MAIL_PORTS.contains(&s.remote.port())) {
            let own = own.get_or_insert_with(own_addresses);
            if !is_own_address(socket.remote.ip(), own) {
                out.push(MailConnection { pid, remote: socket.remote, state: socket.state });
            }
        }
    }
    Ok(out)
}

fn held_by(pid: i32, table: &mut SocketTable) -> Result<Option<(Process, Vec<TcpSocket>)>, Error> {
    let mut read = || -> Result<_, Error> {
        let process = Process::open(pid)?;
        let descriptors = process.descriptors()?;
        let held = held_tcp(&process, &descriptors, table)?;
        Ok((process, held.into_values().collect()))
    };
    match read() {
        Ok(found) => Ok(Some(found)),
        // What a zombie had open is closed, and not everybody may see the nothing.
        Err(e) if e.is_gone() || is_zombie(pid) => Ok(None),
        Err(e) => Err(e),
    }
}

fn is_zombie(pid: i32) -> bool {
    Process::open(pid).and_then(|p| p.stat()).is_ok_and(|s| s.state == 'Z')
}
