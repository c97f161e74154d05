//! The words of a scenario, made once: what each command looks like on the wire.

use std::io::Write;

use data_encoding::BASE64;

use crate::model::plan::scenario::{Depth, Ending, Expect, Greeting, PerConnection, Scenario, TlsMode};

use super::cram::{self, Digest};
use super::error::{LoadError, PlanError};
use super::job::{Mechanism, SessionOptions};

/// A command, or several in one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// HELO, EHLO or LHLO.
    Helo,
    /// STARTTLS.
    Starttls,
    /// The first line of AUTH.
    Auth(Mechanism),
    /// The user name of AUTH LOGIN.
    AuthUser,
    /// The password of AUTH LOGIN.
    AuthPassword,
    /// The answer of AUTH CRAM-MD5.
    AuthDigest(Digest),
    /// MAIL.
    Mail,
    /// One RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// MAIL, every RCPT, and DATA where messages are sent, in one write (PIPELINING).
    Envelope,
    /// The end of a message that has no recipient left (RFC 2920, section 3.1).
    Nothing,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
}

impl Command {
    /// A line of this command as it may be shown: without a password.
    pub fn hide_secret(self, line: &str) -> &str {
        match self {
            Command::Auth(Mechanism::Plain) => "AUTH PLAIN (hidden)",
            Command::AuthUser | Command::AuthPassword | Command::AuthDigest(_) => "(hidden)",
            _ => line,
        }
    }
}

/// Numbers that go into the words, counted over a whole load.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Recipients so far, for addresses that never repeat.
    pub recipient: u64,
    /// Messages so far, for Message-Id.
    pub message: u64,
}

/// A scenario's words and rules.
#[derive(Debug)]
pub struct Script {
    /// How far a session goes.
    pub until: Depth,
    /// How it ends.
    pub ending: Ending,
    /// What it is meant to meet.
    pub expect: Expect,
    /// Recipients a message.
    pub recipients: u32,
    /// Messages a connection at most.
    pub per_connection: u32,
    /// Whether sessions say EHLO.
    pub ehlo: bool,
    /// Encryption.
    pub tls: TlsMode,
    /// Whether sessions log in, and how if that is not left to the server.
    pub auth: Option<Option<Mechanism>>,
    /// Whether MAIL, RCPT and DATA go in one write where the server offers it.
    pub pipelining: bool,
    /// A reply for each recipient after the message.
    pub lmtp: bool,
    /// No HELO.
    pub bare: bool,
    /// Whether a session stays a while before it ends.
    pub stays: bool,
    helo: Vec<u8>,
    mail: Vec<u8>,
    to: String,
    numbered: bool,
    auth_plain: Vec<u8>,
    auth_user: Vec<u8>,
    auth_password: Vec<u8>,
    user: String,
    /// For a challenge.
    pub(super) password: String,
    /// The headers that are the same for all messages.
    headers: Vec<u8>,
    id_left: String,
    id_right: String,
}

impl Script {
    /// The words of `scenario` for a run's options.
    ///
    /// # Errors
    /// Addresses and names that would break out of their line.
    pub fn new(scenario: &Scenario, options: &SessionOptions, started: jiff::Timestamp) -> Result<Self, LoadError> {
        let from = scenario.from.as_deref().unwrap_or(&options.from);
        let to = scenario.to.as_deref().unwrap_or(&options.to);
        let subject = options.subject.as_deref().unwrap_or_default();
        let (user, password) = options.auth.as_ref().map_or(("", ""), |auth| (&auth.user, &auth.password));
        for (what, text) in [
            ("sender", from),
            ("recipient", to),
            ("name in HELO", &options.helo),
            ("subject", subject),
            ("user", user),
            ("password", password),
        ] {
            if text.contains(|c: char| c.is_control()) {
                return Err(PlanError::Control { what, text: text.to_owned() }.into());
            }
        }
        for (what, text) in [("sender", from), ("recipient", to)] {
            if text.contains(['<', '>', ' ']) {
                return Err(PlanError::Mailbox { what, text: text.to_owned() }.into());
            }
        }
        if to.is_empty() {
            return Err(PlanError::NoRecipient.into());
        }
        if options.helo.is_empty() || options.helo.contains(' ') {
            return Err(PlanError::HostName { name: options.helo.clone() }.into());
        }
        let tls = scenario.tls.unwrap_or(options.tls);
        let needs_ehlo = scenario.pipelining || tls == TlsMode::Starttls || options.auth.is_some();
        if options.bare && (needs_ehlo || options.lmtp) {
            return Err(PlanError::NoGreeting.into());
        }
        if scenario.greeting == Greeting::Helo && needs_ehlo {
            return Err(PlanError::NeedsEhlo.into());
        }
        let ehlo = needs_ehlo || scenario.greeting == Greeting::Ehlo;
        let word = if options.lmtp {
            "LHLO"
        } else if ehlo {
            "EHLO"
        } else {
            "HELO"
        };
        let date = jiff::fmt::rfc2822::to_string(&started.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
        let mut headers = format!("From: <{from}>\r\nTo: <{to}>\r\nDate: {date}\r\n");
        if !subject.is_empty() {
            headers.push_str(&format!("Subject: {subject}\r\n"));
        }
        Ok(Self {
            until: scenario.until,
            ending: scenario.ending,
            expect: scenario.expect,
            recipients: scenario.recipients,
            per_connection: match scenario.per_connection {
                PerConnection::AtMost(n) => n,
                PerConnection::Unlimited => u32::MAX,
            },
            ehlo: ehlo || options.lmtp,
            tls,
            auth: options.auth.as_ref().map(|auth| auth.mechanism),
            pipelining: scenario.pipelining,
            lmtp: options.lmtp,
            bare: options.bare,
            stays: !scenario.stay.is_zero(),
            helo: format!("{word} {}\r\n", options.helo).into_bytes(),
            mail: format!("MAIL FROM:<{from}>\r\n").into_bytes(),
            to: to.to_owned(),
            numbered: options.numbered,
            auth_plain: format!("AUTH PLAIN {}\r\n", BASE64.encode(format!("\0{user}\0{password}").as_bytes())).into(),
            auth_user: format!("{}\r\n", BASE64.encode(user.as_bytes())).into(),
            auth_password: format!("{}\r\n", BASE64.encode(password.as_bytes())).into(),
            user: user.to_owned(),
            password: password.to_owned(),
            headers: headers.into_bytes(),
            id_left: format!("{:x}.{:x}", started.as_microsecond(), std::process::id()),
            id_right: options.helo.clone(),
        })
    }

    /// Appends a command to `out`.
    pub fn command(&self, command: Command, numbers: &mut Numbers, out: &mut Vec<u8>) {
        match command {
            Command::Helo => out.extend_from_slice(&self.helo),
            Command::Starttls => out.extend_from_slice(b"STARTTLS\r\n"),
            Command::Auth(Mechanism::Plain) => out.extend_from_slice(&self.auth_plain),
            Command::Auth(Mechanism::Login) => out.extend_from_slice(b"AUTH LOGIN\r\n"),
            Command::Auth(Mechanism::CramMd5) => out.extend_from_slice(b"AUTH CRAM-MD5\r\n"),
            Command::AuthDigest(digest) => out.extend_from_slice(cram::line(&self.user, digest).as_bytes()),
            Command::AuthUser => out.extend_from_slice(&self.auth_user),
            Command::AuthPassword => out.extend_from_slice(&self.auth_password),
            Command::Mail => out.extend_from_slice(&self.mail),
            Command::Rcpt => self.rcpt(numbers, out),
            Command::Data => out.extend_from_slice(b"DATA\r\n"),
            Command::Envelope => {
                out.extend_from_slice(&self.mail);
                for _ in 0..self.recipients {
                    self.rcpt(numbers, out);
                }
                if self.until == Depth::Data {
                    out.extend_from_slice(b"DATA\r\n");
                }
            }
            Command::Nothing => out.extend_from_slice(b".\r\n"),
            Command::Rset => out.extend_from_slice(b"RSET\r\n"),
            Command::Quit => out.extend_from_slice(b"QUIT\r\n"),
        }
    }

    /// Appends a message's headers and the empty line after them.
    pub fn headers(&self, numbers: &mut Numbers, out: &mut Vec<u8>) {
        numbers.message += 1;
        out.extend_from_slice(&self.headers);
        write!(out, "Message-Id: <{}.{}@{}>\r\n\r\n", self.id_left, numbers.message, self.id_right)
            .expect("a Vec takes all that is written");
    }

    /// The line of a recorded conversation that answers a challenge.
    pub fn cram_directive(&self) -> Vec<u8> {
        format!("#! cram-md5 {} {}\r\n", self.user, self.password).into_bytes()
    }

    fn rcpt(&self, numbers: &mut Numbers, out: &mut Vec<u8>) {
        out.extend_from_slice(b"RCPT TO:<");
        if self.numbered {
            numbers.recipient += 1;
            write!(out, "{}", numbers.recipient).expect("a Vec takes all that is written");
        }
        out.extend_from_slice(self.to.as_bytes());
        out.extend_from_slice(b">\r\n");
    }
}
