//! Which TCP sockets a process holds: its descriptors joined with the socket table by inode.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};

use super::{Ask, Descriptor, Error, Kind, Process, SocketTable, State, TcpSocket};

/// The TCP sockets that `process` holds, each once however many descriptors refer to it, by inode.
/// Those that no table lists (never connected, or reset by the other side) are found by asking the
/// descriptor for its protocol; they are in state `CLOSE` and have no addresses.
pub fn held_tcp(
    process: &Process,
    descriptors: &[Descriptor],
    table: &mut SocketTable,
) -> Result<BTreeMap<u64, TcpSocket>, Error> {
    let mut held: BTreeMap<u64, TcpSocket> = BTreeMap::new();
    let mut unlisted: HashMap<u64, i32> =
        descriptors.iter().filter(|d| d.kind == Kind::Socket).map(|d| (d.inode, d.fd)).collect();
    if unlisted.is_empty() {
        return Ok(held);
    }
    let mut sockets = Vec::new();
    // Twice where some were not found: the kernel lists its table in pieces while it changes.
    for _ in 0..2 {
        table.read(process, Ask::ALL, &mut sockets)?;
        for socket in sockets.iter().filter(|s| s.inode != 0) {
            if unlisted.remove(&socket.inode).is_some() {
                held.insert(socket.inode, *socket);
            }
        }
        unlisted.retain(|_, fd| process.socket_protocol(*fd).is_some_and(|name| name.starts_with("TCP")));
        if unlisted.is_empty() {
            break;
        }
    }
    held.extend(unlisted.into_keys().map(|inode| (inode, closed_tcp(inode))));
    Ok(held)
}

/// A TCP socket that no table lists: never connected, or reset by the other side.
pub fn closed_tcp(inode: u64) -> TcpSocket {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    TcpSocket { state: State::Close, local: nowhere, remote: nowhere, inode, uid: 0, receive_queue: 0, send_queue: 0 }
}

/// Counts sockets by state.
pub fn states<'a>(sockets: impl IntoIterator<Item = &'a TcpSocket>) -> BTreeMap<State, u32> {
    let mut out = BTreeMap::new();
    for socket in sockets {
        *out.entry(socket.state).or_default() += 1;
    }
    out
}

/// The ports on which any of `sockets` listens, ascending.
pub fn listening_ports<'a>(sockets: impl IntoIterator<Item = &'a TcpSocket>) -> Vec<u16> {
    let ports: BTreeSet<u16> =
        sockets.into_iter().filter(|s| s.state == State::Listen).map(|s| s.local.port()).collect();
    ports.into_iter().collect()
}
