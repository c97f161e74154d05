//! What a load is told before it starts, and what it tells while it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::model::OtherSide;
use crate::model::plan::Mail;
use crate::model::plan::scenario::{Scenario, TlsMode};

use super::address::{Address, Family};

/// One load: a scenario against a server.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is done.
    pub scenario: Scenario,
    /// Against whom.
    pub target: Address,
    /// How many messages, or sessions where the scenario's unit says so; in place of the scenario's total.
    pub count: u64,
    /// The load ends when it had no reply at all for so long.
    pub stall_timeout: Duration,
    /// For lengths and delays that go by chance.
    pub seed: u64,
    /// All the rest.
    pub options: SessionOptions,
}

/// AUTH: which way, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// By default what the server offers, PLAIN first, CRAM-MD5 last.
    pub mechanism: Option<Mechanism>,
}

impl Auth {
    /// From `USER:PASS`; none where there is no `:` or no user.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':').filter(|(user, _)| !user.is_empty())?;
        Some(Self { user: user.to_owned(), password: password.to_owned(), mechanism: None })
    }
}

/// The mechanism of AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: one line.
    Plain,
    /// Two questions.
    Login,
    /// RFC 2195: a question that is answered with a digest, so that the password is not sent.
    CramMd5,
}

/// An open loop: messages are due at a rate, whatever the server does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Messages (or sessions) a second.
    pub per_second: f64,
    /// The rate grows from 0 over so long.
    pub ramp: Duration,
}

/// The most sessions between connect and banner, where nothing else is said: fewer than the 128 connections that
/// the accept queue of most servers holds. Where one overflows, the kernel may forget a connection that the client
/// believes in, and the server would be blamed for a greeting that it never could send.
pub const HANDSHAKES: u32 = 100;

/// How sessions behave, beside what the scenario says.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The sender; empty for `<>`.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The name in HELO or EHLO.
    pub helo: String,
    /// LMTP instead of SMTP: LHLO, and a reply for each recipient.
    pub lmtp: bool,
    /// A number that never repeats before each recipient.
    pub numbered: bool,
    /// No HELO and no message headers.
    pub bare: bool,
    /// A Subject header.
    pub subject: Option<String>,
    /// Who logs in.
    pub auth: Option<Auth>,
    /// Encryption, where the scenario does not say.
    pub tls: TlsMode,
    /// The only certificate authority that is trusted (PEM).
    pub tls_ca: Option<PathBuf>,
    /// Whether another machine may be loaded.
    pub allow_remote: bool,
    /// IPv4 or IPv6 alone.
    pub family: Option<Family>,
    /// How often a refused connection is tried, at least 1.
    pub connect_tries: u32,
    /// All sessions are open before the first speaks.
    pub hold: bool,
    /// The most sessions between connect and banner; by default [`HANDSHAKES`], fewer where the server's accept queue
    /// is known to be shorter.
    pub handshakes: Option<u32>,
    /// The size of each connection's receive window, bytes; by default the system's.
    pub window: Option<u32>,
    /// Sessions come from changing loopback addresses; by default from the one that the system chooses.
    pub sources: Option<Sources>,
    /// What the kernel knows of the server's side of the connections, where that is this machine.
    pub other_side: Option<AskKernel>,
    /// The loop waits so long before it asks for replies, so that several come at once; none: it does not wait.
    pub gather: Option<Duration>,
    /// An open loop instead of a closed one.
    pub rate: Option<Rate>,
    /// The load ends after so long, whatever is left.
    pub duration: Option<Duration>,
    /// A step of a session may take so long; by default a little more than the stall time-out, so that a
    /// server that answers nobody is a stall and one that forgets a session is a time-out.
    pub step_timeout: Option<Duration>,
    /// Keep the words of so many sessions, the first ones.
    pub transcribed: u64,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            from: "test@localhost".into(),
            to: "test@localhost".into(),
            helo: "localhost".into(),
            lmtp: false,
            numbered: false,
            bare: false,
            subject: None,
            auth: None,
            tls: TlsMode::None,
            tls_ca: None,
            allow_remote: false,
            family: None,
            connect_tries: 1,
            hold: false,
            handshakes: None,
            window: None,
            sources: None,
            other_side: None,
            gather: None,
            rate: None,
            duration: None,
            step_timeout: None,
            transcribed: 0,
        }
    }
}

impl SessionOptions {
    /// For the mail options of a plan.
    pub fn of_mail(mail: &Mail, allow_remote: bool) -> Self {
        let defaults = Self::default();
        Self {
            from: mail.from.clone(),
            to: mail.to.clone(),
            helo: mail.helo.clone().unwrap_or(defaults.helo.clone()),
            auth: mail.auth.as_deref().and_then(Auth::parse),
            tls: match (mail.starttls, mail.tls) {
                (true, _) => TlsMode::Starttls,
                (_, true) => TlsMode::Implicit,
                _ => TlsMode::None,
            },
            allow_remote,
            ..defaults
        }
    }
}

/// Changing source addresses on the loopback network, so that a server that keys something by its clients' addresses
/// meets as many as there are sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sources {
    /// Sessions that came before this load, so that none repeats an address soon.
    pub before: u64,
}

impl Sources {
    /// The address of session `number`: 127.1.0.1 to 127.254.255.254 in turn, some 16 million.
    pub fn of(self, number: u64) -> Ipv4Addr {
        let at = self.before.wrapping_add(number) % (254 * 256 * 254);
        let (high, rest) = (at / (256 * 254), at % (256 * 254));
        Ipv4Addr::new(127, high as u8 + 1, (rest / 254) as u8, (rest % 254) as u8 + 1)
    }
}

/// Asks the kernel for its view of the server at an address; none where it has none.
#[derive(Clone)]
pub struct AskKernel(std::sync::Arc<dyn Fn(SocketAddr) -> Option<OtherSide> + Send + Sync>);

impl AskKernel {
    /// Asks by a function.
    pub fn by(ask: impl Fn(SocketAddr) -> Option<OtherSide> + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(ask))
    }

    /// Asks.
    pub fn ask(&self, address: SocketAddr) -> Option<OtherSide> {
        (self.0)(address)
    }
}

impl std::fmt::Debug for AskKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AskKernel")
    }
}

/// Shared with whoever started the load: a way to stop it, and figures while it runs.
///
/// The figures are the load's own, stored now and then; the counts at the end are exact.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    sessions: AtomicU64,
    open: AtomicU64,
    sent: AtomicU64,
    accepted: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
}

/// The figures of a load that runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Live {
    /// Sessions that have ended.
    pub sessions: u64,
    /// Sessions in flight now.
    pub open: u64,
    /// Messages wholly sent.
    pub sent: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Refusals, failures, time-outs.
    pub errors: u64,
    /// Bytes of message data handed over.
    pub bytes: u64,
}

impl Control {
    /// Nothing done yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the load to end; it does within a tenth of a second and counts what is left.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The figures as last stored.
    pub fn live(&self) -> Live {
        Live {
            sessions: self.sessions.load(Ordering::Relaxed),
            open: self.open.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn publish(&self, live: Live) {
        self.sessions.store(live.sessions, Ordering::Relaxed);
        self.open.store(live.open, Ordering::Relaxed);
        self.sent.store(live.sent, Ordering::Relaxed);
        self.accepted.store(live.accepted, Ordering::Relaxed);
        self.errors.store(live.errors, Ordering::Relaxed);
        self.bytes.store(live.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_loopback_and_do_not_repeat_soon() {
        let sources = Sources { before: 7 };
        let some: Vec<Ipv4Addr> = (0..200_000).map(|number| sources.of(number)).collect();
        assert!(some.iter().all(|address| address.is_loopback() && ![0, 255].contains(&address.octets()[3])));
        assert_eq!(some.iter().collect::<std::collections::HashSet<_>>().len(), some.len());
        assert_eq!(Sources { before: 254 * 256 * 254 }.of(3), Sources::default().of(3));
    }
}
