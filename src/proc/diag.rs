//! The kernel's socket table through netlink: `sock_diag` for TCP, which costs a fraction of reading
//! `/proc/net/tcp` and can ask for some ports only. Source: sock_diag(7), the kernel's inet_diag.h.
//! Sees the network namespace of this process only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};

use super::{Ask, Error, State, TcpSocket};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_JMP: u8 = 1;
const INET_DIAG_BC_S_GE: u8 = 2;
const INET_DIAG_BC_S_LE: u8 = 3;
/// States of sockets that no process holds: TIME_WAIT and half-open requests, of which a busy server
/// has thousands. A bit each.
const NOT_HELD: u32 = 1 << 6 | 1 << 12;
/// Most sockets of a server that many are connected to.
const ESTABLISHED: u32 = 1 << 1;
/// struct nlmsghdr.
const HEADER: usize = 16;
/// struct inet_diag_req_v2.
const REQUEST: usize = 56;
/// struct inet_diag_msg.
const MESSAGE: usize = 72;

/// Which addresses a dump is of. A dual-stack socket is of the sixth version, also when its peer is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A netlink socket that asks for TCP sockets. Reuses its buffer.
#[derive(Debug)]
pub struct Diag {
    netlink: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diag {
    /// Opens the netlink socket; needs no rights.
    pub fn open() -> Result<Self, Error> {
        let netlink =
            socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)
                .map_err(|e| Error::Diag { source: e.into() })?;
        // A kernel that never answers must not hold up the ticker.
        let patience = nix::sys::time::TimeVal::new(2, 0);
        let _ = setsockopt(&netlink, sockopt::ReceiveTimeout, &patience);
        Ok(Self { netlink, buffer: vec![0; 64 * 1024], sequence: 0 })
    }

    /// Adds the TCP sockets of a family that are asked for to `out`, of those that a process may hold.
    pub fn dump(&mut self, family: Family, ask: Ask, out: &mut Vec<TcpSocket>) -> Result<(), Error> {
        let failed = |source: io::Error| Error::Diag { source };
        self.sequence += 1;
        let request = request(family, ask, self.sequence);
        send(self.netlink.as_raw_fd(), &request, MsgFlags::empty()).map_err(|e| failed(e.into()))?;
        loop {
            let length = match recv(self.netlink.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Ok(length) => length,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(e) => return Err(failed(e.into())),
            };
            match parse(&self.buffer[..length], self.sequence, out) {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => return Ok(()),
                Err(source) => return Err(failed(source)),
            }
        }
    }
}

/// The request: header, inet_diag_req_v2, and for given ports a small program for the kernel's filter.
fn request(family: Family, ask: Ask, sequence: u32) -> Vec<u8> {
    let mut out = vec![0u8; HEADER];
    out.push(match family {
        Family::V4 => libc::AF_INET as u8,
        Family::V6 => libc::AF_INET6 as u8,
    });
    out.extend([libc::IPPROTO_TCP as u8, 0, 0]);
    let left_out = if ask.established { NOT_HELD } else { NOT_HELD | ESTABLISHED };
    out.extend((!left_out).to_ne_bytes());
    out.resize(HEADER + REQUEST, 0);
    if !ask.ports.is_empty() {
        let program = port_filter(ask.ports);
        out.extend((4 + program.len() as u16).to_ne_bytes());
        out.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        out.extend(program);
    }
    let length = out.len() as u32;
    out[0..4].copy_from_slice(&length.to_ne_bytes());
    out[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    out[8..12].copy_from_slice(&sequence.to_ne_bytes());
    out
}

/// `port == a || port == b ...` in the filter's own code. An operation is {code, yes, no}: how many bytes
/// to go on by when it holds and when it does not. A socket passes when the program is left exactly at
/// its end, and is dropped when it is left 4 bytes behind it.
fn port_filter(ports: &[u16]) -> Vec<u8> {
    // Per port: `>= port` (8 bytes), `<= port` (8 bytes), a jump to the end (4 bytes).
    const BLOCK: usize = 20;
    let total = ports.len() * BLOCK;
    let mut out = Vec::with_capacity(total);
    let mut op = |code: u8, yes: u8, no: u16| {
        out.extend([code, yes]);
        out.extend(no.to_ne_bytes());
    };
    for (i, &port) in ports.iter().enumerate() {
        let here = i * BLOCK;
        let last = i + 1 == ports.len();
        // Where a mismatch goes: to the next port, or behind the end.
        let miss = |at: usize| (if last { total + 4 - at } else { here + BLOCK - at }) as u16;
        op(INET_DIAG_BC_S_GE, 8, miss(here));
        op(0, 0, port);
        op(INET_DIAG_BC_S_LE, 8, miss(here + 8));
        op(0, 0, port);
        op(INET_DIAG_BC_JMP, 4, (total - here - 16) as u16);
    }
    out
}

enum Progress {
    More,
    Done,
}

/// One datagram of answers.
fn parse(mut datagram: &[u8], sequence: u32, out: &mut Vec<TcpSocket>) -> io::Result<Progress> {
    let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "an answer that ends in the middle");
    while datagram.len() >= HEADER {
        let length = word(datagram, 0) as usize;
        let kind = u16::from_ne_bytes([datagram[4], datagram[5]]);
        if length < HEADER || length > datagram.len() {
            return Err(short());
        }
        let body = &datagram[HEADER..length];
        // Answers to an earlier request that failed half-way are not ours.
        if word(datagram, 8) == sequence {
            match kind {
                NLMSG_DONE => return Ok(Progress::Done),
                NLMSG_ERROR => {
                    let code = if body.len() >= 4 { word(body, 0) as i32 } else { 0 };
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                SOCK_DIAG_BY_FAMILY => out.extend(message(body.get(..MESSAGE).ok_or_else(short)?)),
                _ => {}
            }
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Progress::More)
}

/// struct inet_diag_msg; `None` for a state that is none of TCP's.
fn message(body: &[u8]) -> Option<TcpSocket> {
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let address = |at: usize| -> IpAddr {
        if i32::from(body[0]) == libc::AF_INET {
            Ipv4Addr::new(body[at], body[at + 1], body[at + 2], body[at + 3]).into()
        } else {
            let mut bytes = [0u8; 16];
            bytes.copy_from_slice(&body[at..at + 16]);
            Ipv6Addr::from(bytes).into()
        }
    };
    Some(TcpSocket {
        state: State::from_kernel(body[1])?,
        local: SocketAddr::new(address(8), port(4)),
        remote: SocketAddr::new(address(24), port(6)),
        receive_queue: word(body, 56),
        send_queue: word(body, 60),
        uid: word(body, 64),
        inode: u64::from(word(body, 68)),
    })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn of(family: Family, ports: &[u16]) -> Vec<TcpSocket> {
        let mut out = Vec::new();
        Diag::open().unwrap().dump(family, Ask { ports, ..Ask::ALL }, &mut out).unwrap();
        out
    }

    #[test]
    fn the_filter_passes_the_ports_asked_for_and_no_other() {
        let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
        let _client = TcpStream::connect(addresses[1]).unwrap();
        let all = of(Family::V4, &[]);
        for address in &addresses {
            assert!(all.iter().any(|s| s.local == *address && s.state == State::Listen && s.inode != 0));
        }
        let some = of(Family::V4, &[addresses[1].port(), addresses[2].port()]);
        let mut seen: Vec<_> = some.iter().map(|s| (s.local.port(), s.state)).collect();
        seen.sort();
        let mut expected = vec![
            (addresses[1].port(), State::Established),
            (addresses[1].port(), State::Listen),
            (addresses[2].port(), State::Listen),
        ];
        expected.sort();
        assert_eq!(seen, expected);
    }

    #[test]
    fn errors_and_torn_answers() {
        let mut answer = vec![0u8; 20];
        answer[0..4].copy_from_slice(&20u32.to_ne_bytes());
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        answer[8..12].copy_from_slice(&7u32.to_ne_bytes());
        answer[16..20].copy_from_slice(&(-libc::ENOENT).to_ne_bytes());
        let error = parse(&answer, 7, &mut Vec::new()).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(matches!(parse(&answer, 8, &mut Vec::new()), Ok(Progress::More)));
        answer[0..4].copy_from_slice(&99u32.to_ne_bytes());
        assert!(parse(&answer, 7, &mut Vec::new()).is_err());
    }
}
