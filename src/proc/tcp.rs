//! TCP sockets as the kernel lists them: the states, and the parser of `/proc/PID/net/tcp` and `tcp6`.
//! Source: the kernel's include/net/tcp_states.h and Documentation/networking/proc_net_tcp.rst.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::Error;

/// A TCP state, in the names of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Data may flow both ways.
    Established,
    /// Our side asked for a connection.
    SynSent,
    /// The other side asked; not yet accepted by the handshake.
    SynRecv,
    /// We closed; the other side has not acknowledged it.
    #[serde(rename = "FIN_WAIT1")]
    FinWait1,
    /// We closed, acknowledged; the other side is still open.
    #[serde(rename = "FIN_WAIT2")]
    FinWait2,
    /// Closed on both sides, waiting for stragglers; no process holds it.
    TimeWait,
    /// Held by a process but not connected: fresh, bound only, or reset by the other side.
    Close,
    /// The other side closed and this process has not yet: the mark of a forgotten connection.
    CloseWait,
    /// Both closed, our last segment unacknowledged.
    LastAck,
    /// Accepts connections.
    Listen,
    /// Both closed at once.
    Closing,
}

impl State {
    /// All states, in the kernel's order.
    pub const ALL: [State; 11] = [
        State::Established,
        State::SynSent,
        State::SynRecv,
        State::FinWait1,
        State::FinWait2,
        State::TimeWait,
        State::Close,
        State::CloseWait,
        State::LastAck,
        State::Listen,
        State::Closing,
    ];

    /// From the kernel's number. 12 is a half-open request, 13 a socket that is bound and no more.
    pub fn from_kernel(number: u8) -> Option<Self> {
        match number {
            1..=11 => Some(Self::ALL[usize::from(number) - 1]),
            12 => Some(State::SynRecv),
            13 => Some(State::Close),
            _ => None,
        }
    }

    /// The name, as in `CLOSE_WAIT`.
    pub fn name(self) -> &'static str {
        match self {
            State::Established => "ESTABLISHED",
            State::SynSent => "SYN_SENT",
            State::SynRecv => "SYN_RECV",
            State::FinWait1 => "FIN_WAIT1",
            State::FinWait2 => "FIN_WAIT2",
            State::TimeWait => "TIME_WAIT",
            State::Close => "CLOSE",
            State::CloseWait => "CLOSE_WAIT",
            State::LastAck => "LAST_ACK",
            State::Listen => "LISTEN",
            State::Closing => "CLOSING",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// One TCP socket of a network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// Its state.
    pub state: State,
    /// This end.
    pub local: SocketAddr,
    /// The other end; port 0 for a listener.
    pub remote: SocketAddr,
    /// The socket's inode, 0 when no process holds it.
    pub inode: u64,
    /// The owner of the socket.
    pub uid: u32,
    /// Bytes received and not yet read; for a listener, connections that wait to be accepted.
    pub receive_queue: u32,
    /// Bytes sent and not yet acknowledged; for a listener, the most that may wait (sock_diag only).
    pub send_queue: u32,
}

impl TcpSocket {
    /// Reads a whole `/proc/PID/net/tcp` or `tcp6` (told apart by the width of the addresses).
    pub fn parse_table(text: &[u8], out: &mut Vec<TcpSocket>) -> Result<(), Error> {
        for line in text.split(|&b| b == b'\n').skip(1).filter(|l| !l.is_empty()) {
            let offset = line.as_ptr() as usize - text.as_ptr() as usize;
            out.push(Self::parse_line(line).ok_or(Error::Malformed {
                file: "net/tcp",
                offset,
                expected: "a line of a TCP socket",
            })?);
        }
        Ok(())
    }

    fn parse_line(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        words.next()?; // the running number
        let local = endpoint(words.next()?)?;
        let remote = endpoint(words.next()?)?;
        let state = State::from_kernel(u8::from_str_radix(words.next()?, 16).ok()?)?;
        let (send, receive) = words.next()?.split_once(':')?;
        words.next()?; // timer
        words.next()?; // retransmits
        let uid = words.next()?.parse().ok()?;
        words.next()?; // time-out
        let inode = words.next()?.parse().ok()?;
        Some(Self {
            state,
            local,
            remote,
            inode,
            uid,
            receive_queue: u32::from_str_radix(receive, 16).ok()?,
            send_queue: u32::from_str_radix(send, 16).ok()?,
        })
    }
}

/// `0100007F:1F90`: the address as 32-bit words in the machine's byte order, the port in hexadecimal.
fn endpoint(word: &str) -> Option<SocketAddr> {
    let (address, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes()).into(),
        32 => {
            let mut bytes = [0u8; 16];
            for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&u32::from_str_radix(address.get(i * 8..i * 8 + 8)?, 16).ok()?.to_ne_bytes());
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_both_families() {
        let four = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:0019 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 1276 1 0 100\n\
            \x20  1: 0100007F:0019 0100007F:9DA0 08 00000000:00000001 00:00000000 00000000     0        0 991 1 0 20\n\
            \x20  2: 020200C0:9DA0 507100CB:0050 06 00000000:00000000 03:00000558 00000000     0        0 0 3 0\n";
        let six = b"  sl  local_address                         remote_address  st ...\n\
            \x20  0: 00000000000000000000000001000000:0019 00000000000000000000000000000000:0000 0A \
            00000000:00000000 00:00000000 00000000     0        0 55 1 0 100\n\
            \x20  1: 0000000000000000FFFF00000100007F:0019 0000000000000000FFFF00000100007F:A000 01 \
            00000000:00000000 00:00000000 00000000     0        0 56 1 0 100\n";
        let mut out = Vec::new();
        TcpSocket::parse_table(four, &mut out).unwrap();
        TcpSocket::parse_table(six, &mut out).unwrap();
        let seen: Vec<_> = out.iter().map(|s| (s.state, s.local.to_string(), s.remote.to_string(), s.inode)).collect();
        assert_eq!(
            seen,
            [
                (State::Listen, "127.0.0.1:25".into(), "0.0.0.0:0".into(), 1276),
                (State::CloseWait, "127.0.0.1:25".into(), "127.0.0.1:40352".into(), 991),
                (State::TimeWait, "192.0.2.2:40352".into(), "203.0.113.80:80".into(), 0),
                (State::Listen, "[::1]:25".into(), "[::]:0".into(), 55),
                (State::Established, "[::ffff:127.0.0.1]:25".into(), "[::ffff:127.0.0.1]:40960".into(), 56),
            ]
        );
        assert_eq!((out[0].receive_queue, out[0].uid), (3, 1000));
    }

    #[test]
    fn a_torn_line_is_an_error_with_its_place() {
        let error = TcpSocket::parse_table(b"head\n 0: 0100007F:0019 0000", &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("byte 5"), "{error}");
    }

    #[test]
    fn names_are_those_of_serde() {
        for state in State::ALL {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.name()));
        }
    }
}
