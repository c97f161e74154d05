//! An SMTP server for tests, in two tempers: it writes down all that it gets, and it misbehaves on request.
//!
//! A thread a connection, blocking: slow and plain on purpose, so that it shares no mistake with the engine.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A message as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    pub from: String,
    pub recipients: Vec<String>,
    /// Header lines.
    pub headers: Vec<String>,
    /// The body after the empty line, dots taken off, without the CRLF before the final dot.
    pub body: Vec<u8>,
}

/// How a client ended its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// It is still open.
    #[default]
    Open,
    /// QUIT.
    Quit,
    /// It closed without QUIT.
    Eof,
    /// It reset the connection.
    Reset,
    /// The server broke off.
    Ours,
}

/// A session as it went.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Every command line.
    pub commands: Vec<String>,
    pub messages: Vec<Message>,
    /// Bytes of an unfinished message.
    pub unfinished: usize,
    pub end: End,
}

impl Session {
    /// The first words of the commands.
    pub fn verbs(&self) -> Vec<&str> {
        self.commands.iter().map(|line| line.split([' ', ':']).next().unwrap_or_default()).collect()
    }
}

/// What the server does at a moment instead of its duty.
#[derive(Debug, Clone)]
pub enum Act {
    /// Its duty.
    Normal,
    /// Says this instead.
    Say(Vec<u8>),
    /// Says this in pieces, each in a packet of its own.
    Pieces(Vec<Vec<u8>>),
    /// Says this, then closes.
    SayAndClose(Vec<u8>),
    /// Closes.
    Close,
    /// Resets the connection.
    Reset,
    /// Says nothing any more.
    Mute,
    /// Does its duty after so long.
    Late(Duration),
}

impl Act {
    /// Says this.
    pub fn say(text: &str) -> Self {
        Act::Say(text.as_bytes().to_vec())
    }
}

type Script = dyn Fn(&str, usize) -> Act + Send + Sync;

/// A server on a loopback port of its own; dropping it ends it.
pub struct Server {
    pub address: SocketAddr,
    sessions: Arc<Mutex<Vec<Session>>>,
    open: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Does its duty and writes down.
    pub fn recording() -> Self {
        Self::acting(|_, _| Act::Normal)
    }

    /// Misbehaves at one moment (`BANNER`, `HELO`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `.`, `RSET`, `QUIT`, `AFTER`).
    pub fn hostile(moment: &'static str, act: Act) -> Self {
        Self::acting(move |at, _| if at == moment { act.clone() } else { Act::Normal })
    }

    /// Asks `script` at each moment of each session (by its number) what to do.
    pub fn acting(script: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let server = Self {
            address,
            sessions: Arc::default(),
            open: Arc::default(),
            peak: Arc::default(),
            stop: Arc::default(),
        };
        let (sessions, open, peak, stop) =
            (server.sessions.clone(), server.open.clone(), server.peak.clone(), server.stop.clone());
        let script: Arc<Script> = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = {
                    let mut sessions = sessions.lock().expect("sessions");
                    sessions.push(Session::default());
                    sessions.len() - 1
                };
                peak.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let (sessions, open, script) = (sessions.clone(), open.clone(), script.clone());
                let thread = std::thread::Builder::new().stack_size(128 * 1024);
                thread
                    .spawn(move || {
                        let mut talk = Talk { stream, sessions, number, script };
                        let end = talk.hold();
                        talk.note(|session| session.end = end);
                        open.fetch_sub(1, Ordering::SeqCst);
                    })
                    .expect("a thread");
            }
        });
        server
    }

    /// The target's address as the load takes it.
    pub fn target(&self) -> String {
        self.address.to_string()
    }

    /// All sessions, once all have ended (waits a few seconds at most).
    pub fn sessions(&self) -> Vec<Session> {
        for _ in 0..500 {
            if self.open.load(Ordering::SeqCst) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.sessions.lock().expect("sessions").clone()
    }

    /// All messages of all sessions.
    pub fn messages(&self) -> Vec<Message> {
        self.sessions().into_iter().flat_map(|session| session.messages).collect()
    }

    /// The most sessions open at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accept, so that its thread sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

struct Talk {
    stream: TcpStream,
    sessions: Arc<Mutex<Vec<Session>>>,
    number: usize,
    script: Arc<Script>,
}

impl Talk {
    fn note(&self, change: impl FnOnce(&mut Session)) {
        change(&mut self.sessions.lock().expect("sessions")[self.number]);
    }

    /// Says `duty`, or does what the script says; an end where that ends the session.
    fn answer(&mut self, moment: &str, duty: &str) -> Result<(), End> {
        let written = match (self.script)(moment, self.number) {
            Act::Normal => self.stream.write_all(duty.as_bytes()),
            Act::Say(bytes) => self.stream.write_all(&bytes),
            Act::Pieces(pieces) => {
                self.stream.set_nodelay(true).expect("TCP_NODELAY");
                pieces.iter().try_for_each(|piece| {
                    std::thread::sleep(Duration::from_millis(2));
                    self.stream.write_all(piece)
                })
            }
            Act::SayAndClose(bytes) => {
                let _ = self.stream.write_all(&bytes);
                return Err(End::Ours);
            }
            Act::Close => return Err(End::Ours),
            Act::Reset => {
                reset_on_close(&self.stream);
                return Err(End::Reset);
            }
            Act::Mute => {
                // Until the client has gone.
                let mut sink = [0; 4096];
                while matches!(self.stream.read(&mut sink), Ok(n) if n > 0) {}
                return Err(End::Ours);
            }
            Act::Late(time) => {
                std::thread::sleep(time);
                self.stream.write_all(duty.as_bytes())
            }
        };
        written.map_err(|_| End::Reset)
    }

    fn hold(&mut self) -> End {
        match self.talk() {
            Ok(end) | Err(end) => {
                if end == End::Ours {
                    // What the client has sent is read, so that closing does not reset the connection.
                    let _ = self.stream.set_read_timeout(Some(Duration::from_millis(20)));
                    let _ = self.stream.shutdown(Shutdown::Write);
                    let mut sink = [0; 4096];
                    while matches!(self.stream.read(&mut sink), Ok(n) if n > 0) {}
                }
                end
            }
        }
    }

    fn talk(&mut self) -> Result<End, End> {
        let mut input = BufReader::new(self.stream.try_clone().expect("a second handle"));
        self.answer("BANNER", "220 test ESMTP\r\n")?;
        let mut message = Message::default();
        loop {
            let line = read_line(&mut input)?;
            let text = String::from_utf8_lossy(&line).into_owned();
            self.note(|session| session.commands.push(text.clone()));
            let verb = text.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let address = || text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(a, _)| a);
            match verb.as_str() {
                "EHLO" | "LHLO" => self.answer("EHLO", "250-test\r\n250-PIPELINING\r\n250 SIZE 100000000\r\n")?,
                "HELO" => self.answer("HELO", "250 test\r\n")?,
                "MAIL" => {
                    message = Message { from: address().to_owned(), ..Message::default() };
                    self.answer("MAIL", "250 ok\r\n")?;
                }
                "RCPT" => {
                    message.recipients.push(address().to_owned());
                    self.answer("RCPT", "250 ok\r\n")?;
                }
                "DATA" => {
                    let before = self.number;
                    self.answer("DATA", "354 go ahead\r\n")?;
                    if !matches!((self.script)("DATA", before), Act::Normal | Act::Late(_) | Act::Pieces(_)) {
                        continue;
                    }
                    self.data(&mut input, &mut message)?;
                    let done = std::mem::take(&mut message);
                    self.note(|session| session.messages.push(done));
                    self.answer(".", "250 queued\r\n")?;
                }
                "RSET" => self.answer("RSET", "250 ok\r\n")?,
                "QUIT" => {
                    self.answer("QUIT", "221 bye\r\n")?;
                    match (self.script)("AFTER", self.number) {
                        Act::Say(bytes) => {
                            let _ = self.stream.write_all(&bytes);
                        }
                        Act::Mute => {
                            let mut sink = [0; 64];
                            while matches!(input.read(&mut sink), Ok(n) if n > 0) {}
                        }
                        _ => {}
                    }
                    return Ok(End::Quit);
                }
                _ => self.answer(&verb, "500 what?\r\n")?,
            }
        }
    }

    fn data(&mut self, input: &mut BufReader<TcpStream>, message: &mut Message) -> Result<(), End> {
        let mut in_headers = true;
        let mut got = 0;
        loop {
            let line = match read_line(input) {
                Ok(line) => line,
                Err(end) => {
                    self.note(|session| session.unfinished = got);
                    return Err(end);
                }
            };
            got += line.len() + 2;
            if line == b"." {
                // The CRLF before the dot belongs to the dot.
                message.body.truncate(message.body.len().saturating_sub(2));
                return Ok(());
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            if in_headers && line.is_empty() {
                in_headers = false;
            } else if in_headers {
                message.headers.push(String::from_utf8_lossy(line).into_owned());
            } else {
                message.body.extend_from_slice(line);
                message.body.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// A line without its CRLF. A bare LF or CR is a mistake of the client's, and panics.
fn read_line(input: &mut BufReader<TcpStream>) -> Result<Vec<u8>, End> {
    let mut line = Vec::new();
    match input.read_until(b'\n', &mut line) {
        Ok(_) if line.ends_with(b"\n") => {
            let text = line.strip_suffix(b"\r\n").expect("a line ends in CRLF").to_vec();
            assert!(!text.contains(&b'\r'), "a bare CR");
            Ok(text)
        }
        Ok(_) => Err(End::Eof),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Err(End::Reset),
        Err(_) => Err(End::Eof),
    }
}

fn reset_on_close(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the option takes a linger of that size, and the descriptor is open.
    let set = unsafe {
        let value = (&raw const linger).cast();
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, size)
    };
    assert_eq!(set, 0, "SO_LINGER");
}
