//! One whole conversation before the load, every reply kept: it tells whether the server takes at all what the
//! load will send. And the probe of a banner. Both are blocking, and use the same words as the load.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use serde::{Deserialize, Serialize};

use crate::model::plan::scenario::{Greeting, Scenario, TlsMode};

use super::address::{Address, Endpoint};
use super::dialogue::{Dialogue, Next};
use super::error::LoadError;
use super::job::{Control, SessionOptions};
use super::payload::{Bodies, TAIL};
use super::reply::{self, Parsed};
use super::rng::Rng;
use super::script::{Command, Numbers, Script};
use super::tls;
use crate::model::load_stats::Step;

/// Between two tries of a recipient that was put off.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How long a probe waits for the server's close.
const GOODBYE: Duration = Duration::from_millis(200);

/// How long a preflight may take.
#[derive(Debug, Clone, Copy)]
pub struct PreflightTimes {
    /// Each step.
    pub step: Duration,
    /// How long a recipient that is put off (4xx) is tried again.
    pub retry: Duration,
}

impl Default for PreflightTimes {
    fn default() -> Self {
        Self { step: Duration::from_secs(30), retry: Duration::from_secs(60) }
    }
}

/// A reply of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReply {
    /// To what.
    pub step: Step,
    /// Three digits.
    pub code: u16,
    /// All its lines.
    pub text: String,
}

/// A conversation that went well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preflight {
    /// The banner, without its line end.
    pub banner: String,
    /// What EHLO offered, one line each; empty where the server knows HELO alone.
    pub extensions: Vec<String>,
    /// Every reply in its order.
    pub replies: Vec<StepReply>,
    /// Who said what, `C: ` and `S: ` before each line; passwords are left out.
    pub dialogue: Vec<String>,
    /// Conversations that it took (more than one where a recipient was put off, or EHLO not known).
    pub conversations: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Why a preflight did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreflightError {
    /// The server refused a step.
    Refused(Refused),
    /// The connection or the protocol broke.
    Broken {
        /// What was waited for.
        step: Step,
        /// What happened.
        reason: String,
        /// The words so far.
        dialogue: Vec<String>,
    },
    /// It could not start.
    Start(String),
    /// It was told to stop.
    Stopped,
}

/// A step that the server refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which.
    pub step: Step,
    /// The server's code.
    pub code: u16,
    /// The server's own words.
    pub text: String,
    /// The options that may mend it.
    pub mend: String,
    /// The words so far.
    pub dialogue: Vec<String>,
}

impl fmt::Display for PreflightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(
                f,
                "the server refused {}: {}; {}",
                refused.step.name(),
                refused.text.lines().collect::<Vec<_>>().join(" / "),
                refused.mend
            ),
            Self::Broken { step, reason, .. } => write!(f, "while waiting for {}: {reason}", step.name()),
            Self::Start(reason) => f.write_str(reason),
            Self::Stopped => f.write_str("told to stop"),
        }
    }
}

impl std::error::Error for PreflightError {}

impl From<LoadError> for PreflightError {
    fn from(error: LoadError) -> Self {
        Self::Start(error.to_string())
    }
}

/// Reads the banner of what listens at `address`, and leaves.
///
/// # Errors
/// Nobody listens, nothing comes in time, or it is no SMTP banner (`InvalidData`, with what came).
pub fn probe_banner(address: SocketAddr, timeout: Duration) -> io::Result<String> {
    let until = Instant::now() + timeout;
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    let mut wire = Wire::Tcp(stream);
    let mut got = Vec::new();
    let (code, text) = wire.reply(&mut got, until)?;
    let banner = text.trim_end().to_owned();
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

/// Holds one whole conversation: greeting, STARTTLS and AUTH where asked for, one short message, QUIT.
///
/// # Errors
/// The first refusal (a recipient that is put off is tried again for `times.retry`), or whatever broke.
pub fn preflight(
    target: &Address,
    options: &SessionOptions,
    times: PreflightTimes,
    control: &Control,
) -> Result<Preflight, PreflightError> {
    let began = Instant::now();
    let endpoint = target.resolve(options.family, options.allow_remote)?.endpoint;
    let mut greeting = if options.bare { Greeting::Auto } else { Greeting::Ehlo };
    let mut conversations = 0;
    loop {
        conversations += 1;
        let scenario = Scenario { greeting, ..Scenario::plain("preflight", 1, 1) };
        let mut conversation = Conversation::new(target, options, &scenario, times.step)?;
        match conversation.hold(&endpoint) {
            Ok(()) => {
                let Conversation { replies, dialogue, .. } = conversation;
                let greeted = replies.iter().rfind(|reply| reply.step == Step::Helo);
                let extensions = greeted
                    .map_or(Vec::new(), |reply| reply::extensions(reply.text.as_bytes()).map(str::to_owned).collect());
                let banner = replies.first().map_or(String::new(), |reply| reply.text.trim_end().to_owned());
                let seconds = began.elapsed().as_secs_f64();
                return Ok(Preflight { banner, extensions, replies, dialogue, conversations, seconds });
            }
            Err(PreflightError::Refused(refused)) => {
                let needs_ehlo = options.auth.is_some() || options.tls == TlsMode::Starttls || options.lmtp;
                let unknown = refused.step == Step::Helo && refused.code >= 500 && greeting == Greeting::Ehlo;
                let put_off = refused.step == Step::Rcpt && refused.code < 500 && refused.code != 421;
                if unknown && !needs_ehlo {
                    greeting = Greeting::Helo;
                } else if put_off && began.elapsed() + RETRY_PAUSE <= times.retry {
                    wait(RETRY_PAUSE, control)?;
                } else {
                    return Err(PreflightError::Refused(refused));
                }
            }
            Err(other) => return Err(other),
        }
        if control.is_stopped() {
            return Err(PreflightError::Stopped);
        }
    }
}

fn wait(time: Duration, control: &Control) -> Result<(), PreflightError> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if control.is_stopped() {
            return Err(PreflightError::Stopped);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The options that mend a refusal of a step.
fn mend(step: Step, code: u16, options: &SessionOptions) -> String {
    let mend = match step {
        Step::Helo => "choose another name with --helo NAME",
        Step::Auth => "check --auth USER:PASS",
        Step::Starttls => "leave out --starttls, or give the server a certificate",
        _ if code == 538 && options.tls == TlsMode::None => "it asks for encryption: --starttls",
        _ if code == 530 && options.auth.is_none() => "it asks for a login or encryption: --auth USER:PASS, --starttls",
        Step::Mail => "choose a sender that it accepts with --from ADDR, or log in with --auth USER:PASS",
        Step::Rcpt => "choose a recipient that it accepts with --to ADDR, or log in with --auth USER:PASS",
        _ => "see the server's own reply and its log",
    };
    mend.to_owned()
}

struct Conversation<'a> {
    options: &'a SessionOptions,
    target: &'a Address,
    script: Script,
    bodies: Bodies,
    numbers: Numbers,
    step_timeout: Duration,
    replies: Vec<StepReply>,
    dialogue: Vec<String>,
}

impl<'a> Conversation<'a> {
    fn new(
        target: &'a Address,
        options: &'a SessionOptions,
        scenario: &Scenario,
        step_timeout: Duration,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            options,
            target,
            script: Script::new(scenario, options, jiff::Timestamp::now())?,
            bodies: Bodies::new(&scenario.payload, options.bare)?,
            numbers: Numbers::default(),
            step_timeout,
            replies: Vec::new(),
            dialogue: Vec::new(),
        })
    }

    fn hold(&mut self, endpoint: &Endpoint) -> Result<(), PreflightError> {
        let mut talk = Dialogue::new(None);
        let wire = Wire::connect(endpoint, self.step_timeout);
        let mut wire = wire.map_err(|error| self.broken(Step::Connect, &describe(&error)))?;
        let mut got = Vec::new();
        let mut refused = None;
        let mut next = talk.connected(&self.script);
        loop {
            let words = match next {
                Next::Await => Vec::new(),
                Next::Send(command) | Next::SendLater(command) => self.words(command),
                Next::Body => self.message(),
                Next::Secure => {
                    wire = self.secure(wire).map_err(|error| self.broken(Step::Tls, &describe(&error)))?;
                    self.dialogue.push("   (encrypted from here on)".into());
                    got.clear();
                    next = talk.secured(&self.script);
                    continue;
                }
                Next::Accepted | Next::Stay => {
                    next = talk.end(&self.script);
                    continue;
                }
                Next::Refused => {
                    next = talk.quit();
                    continue;
                }
                Next::Hangup | Next::Leave { .. } | Next::HalfBody => break,
                Next::Unexpected => {
                    let reply = self.replies.last().map_or("", |reply| reply.text.trim_end()).to_owned();
                    return Err(self.broken(talk.step, &format!("an unexpected reply: {reply}")));
                }
                Next::NotOffered(what) => {
                    let text = format!("{} is not offered", what.to_uppercase());
                    let mend = format!("leave out --{what}, or teach it to the server");
                    let dialogue = self.dialogue.clone();
                    refused = Some(Refused { step: talk.step, code: 502, text, mend, dialogue });
                    next = talk.quit();
                    continue;
                }
            };
            if !words.is_empty() {
                wire.write_all(&words).map_err(|error| self.broken(talk.step, &describe(&error)))?;
            }
            let step = talk.step;
            let reply = wire.reply(&mut got, Instant::now() + self.step_timeout);
            let (code, text) = match reply {
                Ok(reply) => reply,
                // What was refused is the news, not that the server hung up afterwards.
                Err(_) if refused.is_some() => break,
                Err(error) => return Err(self.broken(step, &describe(&error))),
            };
            self.dialogue.extend(text.lines().map(|line| format!("S: {line}")));
            self.replies.push(StepReply { step, code, text: text.clone() });
            let (then, refusal) = talk.reply(&self.script, code, text.as_bytes());
            if let (Some(refusal), None) = (refusal, &refused) {
                refused = Some(Refused {
                    step: refusal.step,
                    code: refusal.code,
                    text: text.trim_end().to_owned(),
                    mend: mend(refusal.step, refusal.code, self.options),
                    dialogue: self.dialogue.clone(),
                });
            }
            next = then;
        }
        match refused {
            // A server that refuses QUIT has taken the message all the same.
            Some(refused) if refused.step != Step::Quit => Err(PreflightError::Refused(refused)),
            _ => {
                // Its close, for the order of things; a server that leaves it open is found out elsewhere.
                let _ = wire.reply(&mut got, Instant::now() + Duration::from_millis(500));
                Ok(())
            }
        }
    }

    fn words(&mut self, command: Command) -> Vec<u8> {
        let mut words = Vec::new();
        self.script.command(command, &mut self.numbers, &mut words);
        let text = String::from_utf8_lossy(&words).into_owned();
        self.dialogue.extend(text.lines().map(|line| format!("C: {}", command.hide_secret(line))));
        words
    }

    fn message(&mut self) -> Vec<u8> {
        let mut words = Vec::new();
        if self.bodies.headers {
            self.script.headers(&mut self.numbers, &mut words);
        }
        let body = self.bodies.pick(0, &mut Rng::new(1));
        words.extend_from_slice(self.bodies.bytes(body));
        words.extend_from_slice(TAIL);
        self.dialogue.push(format!("C: (message, {} bytes)", words.len()));
        words
    }

    fn secure(&self, wire: Wire) -> io::Result<Wire> {
        let host = match self.target {
            Address::Tcp { host, .. } => host.as_str(),
            Address::Unix(_) => "localhost",
        };
        let config = tls::config(self.options.tls_ca.as_deref()).map_err(io::Error::other)?;
        let name = tls::server_name(host).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        match wire {
            Wire::Tcp(mut stream) => {
                stream.set_read_timeout(Some(self.step_timeout))?;
                connection.complete_io(&mut stream)?;
                Ok(Wire::Tls(Box::new(StreamOwned::new(connection, stream))))
            }
            _ => Err(io::Error::other("TLS goes over TCP alone")),
        }
    }

    fn broken(&self, step: Step, reason: &str) -> PreflightError {
        PreflightError::Broken { step, reason: reason.to_owned(), dialogue: self.dialogue.clone() }
    }
}

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    fn connect(endpoint: &Endpoint, timeout: Duration) -> io::Result<Self> {
        Ok(match endpoint {
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, timeout)?;
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

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
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

    /// The next reply; `got` keeps what came beyond it.
    fn reply(&mut self, got: &mut Vec<u8>, until: Instant) -> io::Result<(u16, String)> {
        let invalid = |what: &str, got: &[u8]| {
            let begin = String::from_utf8_lossy(&got[..got.len().min(80)]).trim_end().to_owned();
            io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {begin:?}"))
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

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no reply in time".into(),
        io::ErrorKind::UnexpectedEof => "the server closed the connection".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the server reset the connection".into(),
        io::ErrorKind::ConnectionRefused => "connection refused: nobody listens there".into(),
        _ => error.to_string(),
    }
}
