//! Which TCP sockets a process holds: its descriptors joined with the socket table by inode.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};

use super::{Descriptor, Error, Kind, Process, SocketTable, State, TcpSocket};

/// The TCP sockets that `process` holds, each once however many descriptors refer to it, by inode.
/// Those that no table lists (never connected, or reset by the other side) are found by asking the
/// descriptor for its protocol; they are in state `CLOSE` and have no addresses. The table may have been listed for another
/// process before: [`SocketTable::forget`] where that is no longer true.
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
    // Up to three times where some were not found: what was listed may be older than they are, and the kernel lists its
    // table in pieces while it changes.
    for anew in [false, true, true] {
        let listed = table.listed(process, anew)?;
        unlisted.retain(|inode, _| listed.get(inode).is_none_or(|socket| held.insert(*inode, *socket).is_some()));
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_that_is_younger_than_the_list_is_found() {
        let mut table = SocketTable::open();
        let process = Process::open(std::process::id() as i32).expect("this process");
        let mut ports = || {
            let held = held_tcp(&process, &process.descriptors().expect("they are ours"), &mut table).expect("sockets");
            listening_ports(held.values())
        };
        let one = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        assert!(!ports().contains(&one), "it was closed");
        let listeners = [0; 2].map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("its address").port();
            assert!(ports().contains(&port));
            listener
        });
        drop(listeners);
    }
}
