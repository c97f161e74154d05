//! A connection whose calls wait, for single conversations: the preflight, the probe of a banner, a script. Knows
//! replies as bytes and text, and nothing of what is said.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use rustls::{ClientConnection, StreamOwned};

use super::address::{Address, Endpoint};
use super::job::SessionOptions;
use super::link::Making;
use super::reply::{self, Parsed};
use super::tls;
use crate::model::{visible, visible_lines};

/// How long a probe waits for the server's close.
const GOODBYE: Duration = Duration::from_millis(200);

/// A connection whose calls wait.
pub enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects, from `source` where one is given (IPv4 alone).
    ///
    /// # Errors
    /// Nobody listens, or it takes longer than `timeout`.
    pub fn connect(endpoint: &Endpoint, timeout: Duration, source: Option<Ipv4Addr>) -> io::Result<Self> {
        Ok(match endpoint {
            Endpoint::Tcp(address) => {
                let stream = match source {
                    Some(_) => Making { source, window: None }.connect_within(*address, timeout)?,
                    None => TcpStream::connect_timeout(address, timeout)?,
                };
                stream.set_write_timeout(Some(timeout))?;
                Self::Tcp(stream)
            }
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(timeout))?;
                Self::Unix(stream)
            }
        })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The connection broke.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    fn read_until(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(left)).and_then(|()| stream.read(buffer)),
            Self::Unix(stream) => stream.set_read_timeout(Some(left)).and_then(|()| stream.read(buffer)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(left)).and_then(|()| stream.read(buffer)),
        }
    }

    /// Dropping it resets the connection from now on.
    pub fn reset_on_close(&self) {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => &stream.sock,
            Self::Unix(_) => return,
        };
        // A socket that cannot be told closes by FIN, as the peer went first.
        let _ = setsockopt(stream, sockopt::Linger, &linger);
    }

    /// The next reply, its code and its text; `got` keeps what came beyond it, and the part of one that is not whole.
    ///
    /// # Errors
    /// `TimedOut` where it is not whole by `until`; `InvalidData` for what is no reply; the connection's.
    pub fn reply(&mut self, got: &mut Vec<u8>, until: Instant) -> io::Result<(u16, String)> {
        let invalid = |what: &str, got: &[u8]| {
            let begin = visible(String::from_utf8_lossy(&got[..got.len().min(80)]).trim_end());
            io::Error::new(io::ErrorKind::InvalidData, format!("{what}: \"{begin}\""))
        };
        loop {
            match reply::parse(got) {
                Parsed::Reply { code, len } => {
                    let text = String::from_utf8_lossy(&got[..len]).into_owned();
                    got.drain(..len);
                    return Ok((code, text));
                }
                Parsed::Malformed => return Err(invalid("no SMTP reply", got)),
                Parsed::Overlong => return Err(invalid("a reply without end", got)),
                Parsed::Incomplete => {}
            }
            let mut buffer = [0; 4096];
            match self.read_until(&mut buffer, until) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => got.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes the connection a TLS one, by the options' certificates.
///
/// # Errors
/// Certificates that cannot be read, a handshake that fails or takes longer than `timeout`, a UNIX-domain socket.
pub fn secure(wire: Wire, target: &Address, options: &SessionOptions, timeout: Duration) -> io::Result<Wire> {
    let host = match target {
        Address::Tcp { host, .. } => host.as_str(),
        Address::Unix(_) => "localhost",
    };
    let config = tls::config(options.tls_ca.as_deref()).map_err(io::Error::other)?;
    let name = tls::server_name(host).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    match wire {
        Wire::Tcp(mut stream) => {
            stream.set_read_timeout(Some(timeout))?;
            stream.set_nodelay(true)?;
            connection.complete_io(&mut stream)?;
            Ok(Wire::Tls(Box::new(StreamOwned::new(connection, stream))))
        }
        _ => Err(io::Error::other("TLS goes over TCP alone")),
    }
}

/// Reads the banner of what listens at `address`, and leaves.
///
/// # Errors
/// Nobody listens, nothing comes in time, or it is no SMTP banner (`InvalidData`, with what came).
pub fn probe_banner(address: SocketAddr, timeout: Duration) -> io::Result<String> {
    let until = Instant::now() + timeout;
    let mut wire = Wire::connect(&Endpoint::Tcp(address), timeout, None)?;
    let mut got = Vec::new();
    let (code, text) = wire.reply(&mut got, until)?;
    let banner = visible_lines(text.trim_end());
    // Said politely, and not waited for: a probe must not hold anything up.
    let _ = wire.write_all(b"QUIT\r\n");
    if code != 220 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, banner));
    }
    // The server's end, or a moment: closing before it would reset the connection.
    let until = until.min(Instant::now() + GOODBYE);
    while wire.reply(&mut got, until).is_ok() {}
    Ok(banner)
}
