//! One connection: the socket, TLS where there is any, and what is still to be written. Knows bytes, not SMTP.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, connect, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::address::Endpoint;
use super::payload::{Bodies, Body, TAIL};
use super::retransmits;

/// Flags of a call that must not wait, whatever the socket may.
const NO_WAIT: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);
/// Bodies above this are not copied, but handed to the socket from where they lie.
pub const COPY_LIMIT: usize = 64 * 1024;
/// What is written at once of a long body where the operating system cannot send it from a file.
const PIECE: usize = 128 * 1024;

/// The contents of bodies as files in memory, from which the kernel sends without a copy of ours.
#[derive(Debug, Default)]
pub struct Files(Vec<File>);

impl Files {
    /// Puts the contents of `bodies` into files, where they are long and the system knows how.
    ///
    /// # Errors
    /// No memory or descriptors.
    #[cfg(target_os = "linux")]
    pub fn new(bodies: &Bodies) -> io::Result<Self> {
        use nix::sys::memfd::{MFdFlags, memfd_create};
        if bodies.longest() <= COPY_LIMIT {
            return Ok(Self::default());
        }
        let file = |content: &Vec<u8>| {
            let mut file = File::from(memfd_create(c"message", MFdFlags::MFD_CLOEXEC)?);
            file.write_all(content)?;
            Ok(file)
        };
        bodies.contents().iter().map(file).collect::<io::Result<_>>().map(Self)
    }

    /// Elsewhere bodies are written piece by piece.
    #[cfg(not(target_os = "linux"))]
    pub fn new(_: &Bodies) -> io::Result<Self> {
        Ok(Self::default())
    }
}

/// What is left to write.
#[derive(Debug)]
struct Outgoing {
    /// First these bytes, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    /// Then a body, from the offset on, and the message's end where it is whole.
    body: Option<(Body, usize)>,
    tail: &'static [u8],
    /// At most so many bytes at a time.
    chunk: Option<usize>,
}

/// How far writing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All is with the kernel.
    Done,
    /// The peer must read first.
    Blocked,
    /// A slow writer's chunk is out: pause.
    Paused,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[derive(Debug)]
struct Socket {
    stream: Stream,
    /// A read may wait (see [`Link::read_waiting`]): all others say in each call that they do not.
    waits: bool,
}

/// How a TCP socket is made, where it is not left to the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Making {
    /// Size of the receive window, bytes.
    pub window: Option<u32>,
    /// The address that it connects from.
    pub source: Option<Ipv4Addr>,
}

impl Making {
    /// Begins to connect such a socket.
    fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.socket(address)?;
        fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(nix::Error::EINPROGRESS) => Ok(TcpStream::from_std(socket.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// Connects such a socket, and waits for it.
    ///
    /// # Errors
    /// Those of socket and connect; `TimedOut` after `timeout`.
    pub fn connect_within(self, address: SocketAddr, timeout: Duration) -> io::Result<std::net::TcpStream> {
        let socket = self.socket(address)?;
        setsockopt(&socket, sockopt::SendTimeout, &TimeVal::microseconds(timeout.as_micros() as i64))?;
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) => Ok(socket.into()),
            Err(nix::Error::EINPROGRESS | nix::Error::EAGAIN) => Err(ErrorKind::TimedOut.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn socket(self, address: SocketAddr) -> io::Result<OwnedFd> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket(family, SockType::Stream, SockFlag::empty(), None)?;
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        if let Some(window) = self.window {
            setsockopt(&socket, sockopt::RcvBuf, &(window as usize))?;
        }
        if let Some(source) = self.source.filter(|_| address.is_ipv4()) {
            // The port is chosen when the other end is known, so that each source has all ports to each server.
            #[cfg(target_os = "linux")]
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(source, 0)))?;
        }
        Ok(socket)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    out: Option<Box<Outgoing>>,
    /// Bytes of bodies that the kernel took, ever.
    pub body_bytes: u64,
}

impl Link {
    /// Begins to connect.
    ///
    /// # Errors
    /// Those of socket and connect; `WouldBlock` where a UNIX socket's queue is full.
    pub fn connect(endpoint: &Endpoint, making: Making) -> io::Result<Self> {
        let stream = match endpoint {
            Endpoint::Tcp(address) if making == Making::default() => Stream::Tcp(TcpStream::connect(*address)?),
            Endpoint::Tcp(address) => Stream::Tcp(making.connect(*address)?),
            Endpoint::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        Ok(Self { socket: Socket { stream, waits: false }, tls: None, out: None, body_bytes: 0 })
    }

    /// Our end's address; none for a UNIX-domain socket.
    pub fn local(&self) -> Option<SocketAddr> {
        match &self.socket.stream {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// Asks for events, once for the whole life of the connection; closing ends them.
    ///
    /// # Errors
    /// No memory, too many registered.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match &mut self.socket.stream {
            Stream::Tcp(stream) => stream.register(registry, token, interest),
            Stream::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    /// The error of a connection that did not come about.
    pub fn take_error(&self) -> Option<io::Error> {
        match &self.socket.stream {
            Stream::Tcp(stream) => stream.take_error(),
            Stream::Unix(stream) => stream.take_error(),
        }
        .unwrap_or_else(Some)
    }

    /// SYNs (and other segments) that this connection's kernel side sent again so far; 0 where that is not known.
    pub fn retransmits(&self) -> u64 {
        match &self.socket.stream {
            Stream::Tcp(stream) => retransmits::of(stream),
            Stream::Unix(_) => 0,
        }
    }

    /// Begins TLS; the handshake goes on with [`Link::read`] and [`Link::flush`].
    ///
    /// # Errors
    /// rustls's.
    pub fn secure(&mut self, config: &Arc<rustls::ClientConfig>, name: &ServerName<'static>) -> io::Result<()> {
        let connection = ClientConnection::new(config.clone(), name.clone()).map_err(io::Error::other)?;
        // The end of a handshake and the words after it are small writes in a row: the second would wait for the peer's
        // delayed acknowledgement of the first, and the server be blamed for it.
        if let Stream::Tcp(stream) = &self.socket.stream {
            stream.set_nodelay(true)?;
        }
        self.tls = Some(Box::new(connection));
        Ok(())
    }

    /// Whether the TLS handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether something is left to write.
    pub fn is_writing(&self) -> bool {
        self.out.is_some()
    }

    /// Reads what is there. TLS alone may read bytes and have none to show: that is `Interrupted`, to be called again.
    ///
    /// # Errors
    /// The socket's; `InvalidData` for broken TLS.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
        let read = tls.read_tls(&mut self.socket)?;
        let state = tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
        // An alert tells the peer why, if it listens.
        if state.is_err() {
            let _ = tls.write_tls(&mut self.socket);
        }
        let state = state?;
        if state.plaintext_bytes_to_read() > 0 {
            return tls.reader().read(buffer);
        }
        if read == 0 || state.peer_has_closed() { Ok(0) } else { Err(ErrorKind::Interrupted.into()) }
    }

    /// As [`Link::read`] without TLS, but waits up to `time` (as the first call had it) for something to read.
    ///
    /// # Errors
    /// The socket's; `WouldBlock` when the time is over.
    pub fn read_waiting(&mut self, buffer: &mut [u8], time: Duration) -> io::Result<usize> {
        if !self.socket.waits {
            self.socket.let_wait(time)?;
        }
        self.socket.read_plain(buffer)
    }

    /// Writes `bytes`; what the kernel does not take at once is kept for [`Link::flush`].
    ///
    /// # Errors
    /// The socket's.
    pub fn send(&mut self, bytes: &[u8], chunk: Option<usize>) -> io::Result<Flushed> {
        let mut at = 0;
        if self.tls.is_none() && chunk.is_none() && self.out.is_none() {
            at = match self.socket.write(bytes) {
                Ok(n) if n == bytes.len() => return Ok(Flushed::Done),
                Ok(n) => n,
                Err(error) if is_transient(&error) => 0,
                Err(error) => return Err(error),
            };
        }
        self.out = Some(Box::new(Outgoing { bytes: bytes[at..].to_vec(), at: 0, body: None, tail: b"", chunk }));
        self.flush(&[], None)
    }

    /// Writes a long message: `headers`, the body, and its end where it is `whole`.
    ///
    /// # Errors
    /// The socket's.
    pub fn send_body(
        &mut self,
        headers: &[u8],
        body: Body,
        whole: bool,
        bodies: &[Vec<u8>],
        files: &Files,
    ) -> io::Result<Flushed> {
        let tail = if whole { TAIL } else { b"" };
        let bytes = headers.to_vec();
        self.out = Some(Box::new(Outgoing { bytes, at: 0, body: Some((body, 0)), tail, chunk: None }));
        self.flush(bodies, Some(files))
    }

    /// Goes on writing.
    ///
    /// # Errors
    /// The socket's.
    pub fn flush(&mut self, bodies: &[Vec<u8>], files: Option<&Files>) -> io::Result<Flushed> {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    match tls.write_tls(&mut self.socket) {
                        Ok(_) => {}
                        Err(error) if is_transient(&error) => return Ok(Flushed::Blocked),
                        Err(error) => return Err(error),
                    }
                }
                if tls.is_handshaking() {
                    return Ok(if self.out.is_some() { Flushed::Blocked } else { Flushed::Done });
                }
            }
            let Some(out) = &mut self.out else { return Ok(Flushed::Done) };
            let written = if out.at < out.bytes.len() {
                let end = out.chunk.map_or(out.bytes.len(), |chunk| out.bytes.len().min(out.at + chunk));
                let piece = &out.bytes[out.at..end];
                let more = out.body.is_some();
                let written = match &mut self.tls {
                    Some(tls) => tls.writer().write(piece),
                    None => self.socket.write_more(piece, more),
                };
                written.inspect(|n| out.at += n)
            } else if let Some((body, offset)) = out.body.filter(|(body, offset)| *offset < body.len) {
                let content = &bodies[body.content][..body.len];
                let written = match (&mut self.tls, files.and_then(|files| files.0.get(body.content))) {
                    (Some(tls), _) => tls.writer().write(&content[offset..content.len().min(offset + PIECE)]),
                    (None, Some(file)) => self.socket.send_file(file, offset, body.len - offset),
                    (None, None) => self.socket.write(&content[offset..content.len().min(offset + PIECE)]),
                };
                written.inspect(|n| {
                    out.body = Some((body, offset + n));
                    self.body_bytes += *n as u64;
                })
            } else if !out.tail.is_empty() {
                let written = match &mut self.tls {
                    Some(tls) => tls.writer().write(out.tail),
                    None => self.socket.write(out.tail),
                };
                written.inspect(|n| out.tail = &out.tail[*n..])
            } else {
                self.out = None;
                continue;
            };
            match written {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if is_transient(&error) => return Ok(Flushed::Blocked),
                Err(error) => return Err(error),
            }
            if let Some(out) = &self.out
                && out.chunk.is_some()
                && out.at < out.bytes.len()
            {
                // What TLS holds must go out before the pause.
                if let Some(tls) = &mut self.tls {
                    while tls.wants_write() {
                        match tls.write_tls(&mut self.socket) {
                            Ok(_) => {}
                            Err(error) if is_transient(&error) => return Ok(Flushed::Blocked),
                            Err(error) => return Err(error),
                        }
                    }
                }
                return Ok(Flushed::Paused);
            }
        }
    }

    /// Says goodbye in TLS, as far as the socket takes it.
    pub fn close_notify(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.write_tls(&mut self.socket);
        }
    }

    /// Makes closing send RST instead of FIN.
    pub fn reset_on_close(&self) {
        if let Stream::Tcp(socket) = &self.socket.stream {
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            // A connection that cannot be reset is closed: nothing more can be done about it.
            let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::Linger, &linger);
        }
    }
}

impl Socket {
    /// As write; `more` says that a body follows, so that the first bytes need no packet of their own.
    #[cfg(target_os = "linux")]
    fn write_more(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        if !more || !matches!(self.stream, Stream::Tcp(_)) {
            return self.write(bytes);
        }
        Ok(send(self.as_raw_fd(), bytes, MsgFlags::from_bits_retain(libc::MSG_MORE) | NO_WAIT)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn write_more(&mut self, bytes: &[u8], _: bool) -> io::Result<usize> {
        self.write(bytes)
    }

    #[cfg(target_os = "linux")]
    fn send_file(&mut self, file: &File, offset: usize, len: usize) -> io::Result<usize> {
        let mut offset = offset as libc::off_t;
        let offset = Some(&mut offset);
        Ok(match &self.stream {
            Stream::Tcp(stream) => nix::sys::sendfile::sendfile(stream, file, offset, len)?,
            Stream::Unix(stream) => nix::sys::sendfile::sendfile(stream, file, offset, len)?,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn send_file(&mut self, _: &File, _: usize, _: usize) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Lets a plain read wait, for at most `time`.
    fn let_wait(&mut self, time: Duration) -> io::Result<()> {
        let fd = self.as_fd();
        let time = TimeVal::microseconds(time.as_micros() as i64);
        nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::ReceiveTimeout, &time)?;
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
        fcntl(fd, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
        self.waits = true;
        Ok(())
    }

    /// Reads, and waits for something to read where that was allowed.
    fn read_plain(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.waits {
            return Ok(recv(self.as_raw_fd(), buffer, NO_WAIT)?);
        }
        self.read_plain(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waits {
            return Ok(send(self.as_raw_fd(), bytes, NO_WAIT)?);
        }
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected)
}
