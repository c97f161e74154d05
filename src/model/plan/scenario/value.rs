//! The scenario itself and the values it is made of.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;

/// Mails above this many bytes are large: few of them make a wave.
pub const LARGE: u64 = 100_000;

/// A scenario that asks for fewer small mails than this is too small to be judged in any case.
pub const FEW: u64 = 100;

/// What a scenario's total counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Messages: each ends in a reply to the end of its data.
    Messages,
    /// Sessions, where no message is sent or a session is meant to break off.
    Sessions,
}

impl Unit {
    /// `message` or `session`.
    pub fn noun(self) -> &'static str {
        match self {
            Unit::Messages => "message",
            Unit::Sessions => "session",
        }
    }
}

/// How far each session goes before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Until the server's banner.
    Connect,
    /// Until the reply to HELO or EHLO (and to STARTTLS and AUTH where asked for).
    Helo,
    /// Until the reply to MAIL.
    Mail,
    /// Until the reply to the last RCPT.
    Rcpt,
    /// A whole message, until the reply to its end.
    Data,
}

/// How each session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// QUIT, its reply, and the server's close.
    Quit,
    /// The client closes without a word (FIN).
    Close,
    /// The client resets the connection (RST).
    Reset,
    /// Half of a message's data, then gone (FIN).
    HalfData,
    /// Sessions in turn vanish at every stage, by FIN and by RST.
    Vanish,
}

/// What a session of the scenario is meant to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Every step is accepted.
    Accepted,
    /// The recipient is refused.
    Refused,
    /// The client is gone at the planned stage.
    Gone,
}

/// HELO or EHLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greeting {
    /// EHLO where an extension is needed, else HELO, as smtp-source says it.
    Auto,
    /// Always HELO.
    Helo,
    /// Always EHLO.
    Ehlo,
}

/// Whether and when a session is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// In the clear.
    None,
    /// STARTTLS after EHLO.
    Starttls,
    /// From the first byte.
    Implicit,
}

/// The number of messages a connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerConnection {
    /// At most so many, then QUIT and a new connection.
    AtMost(u32),
    /// As many as there are.
    Unlimited,
}

/// The length of a generated message in bytes, its headers not counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// The same for all.
    Fixed(u64),
    /// Any from `min` to `max`, each as likely.
    Uniform {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// Log-normal around `median`, never above `max`: many small, few large, as mail is.
    LogNormal {
        /// Half of the messages are shorter.
        median: u64,
        /// The standard deviation of the length's natural logarithm.
        sigma: f64,
        /// The longest.
        max: u64,
    },
}

impl Length {
    /// The longest that can come.
    pub fn longest(self) -> u64 {
        match self {
            Length::Fixed(n) => n,
            Length::Uniform { max, .. } | Length::LogNormal { max, .. } => max,
        }
    }
}

/// What the messages consist of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// A few short lines, where no length was asked for.
    Short,
    /// Generated lines of the given length, after a short header.
    Generated(Length),
    /// One file as it is: header and body; line ends become CRLF, leading dots are doubled.
    File(PathBuf),
    /// The `.eml` files of a folder in turn, by name.
    Folder(PathBuf),
}

/// A wait: always as long, or up to so long by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Delay {
    /// How long (seconds in JSON).
    #[serde(with = "seconds")]
    pub time: Duration,
    /// Any time from 0 to `time` instead of `time` itself.
    pub random: bool,
}

impl Delay {
    /// A wait that is always `time` long.
    pub fn fixed(time: Duration) -> Self {
        Self { time, random: false }
    }

    /// Whether there is nothing to wait for.
    pub fn is_none(self) -> bool {
        self.time.is_zero()
    }
}

/// A slow client: it writes a few bytes at a time and lets replies wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    /// Bytes a write.
    pub chunk: u32,
    /// Pause between two writes, and before each read (seconds in JSON).
    #[serde(with = "seconds")]
    pub pause: Duration,
}

/// A scenario: what is sent, how often, by how many sessions at once, and how each session ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name, as `--load` and `[scenario.NAME]` give it.
    pub name: String,
    /// What it is for, in a few words.
    pub about: String,
    /// The most sessions in flight at once (the recipe's `-s`).
    pub sessions: u64,
    /// How many messages, or sessions where [`Scenario::unit`] says so (the recipe's `-m`).
    pub total: u64,
    /// How far each session goes.
    pub until: Depth,
    /// How each session ends.
    pub ending: Ending,
    /// What is meant to happen.
    pub expect: Expect,
    /// What the messages consist of.
    pub payload: Payload,
    /// Bytes of the file that is sent, as it was when the run was planned; 0 for other payloads.
    #[serde(default)]
    pub file_length: u64,
    /// RCPT commands a message.
    pub recipients: u32,
    /// Messages a connection.
    pub per_connection: PerConnection,
    /// The sender, where it differs from the run's; empty for the null sender `<>`.
    pub from: Option<String>,
    /// The recipient, where it differs from the run's.
    pub to: Option<String>,
    /// HELO or EHLO.
    pub greeting: Greeting,
    /// Encryption, where it differs from the run's.
    pub tls: Option<TlsMode>,
    /// MAIL, RCPT and DATA in one write where the server offers PIPELINING.
    pub pipelining: bool,
    /// Wait between two messages of a session, or two sessions of a place in flight.
    pub message_delay: Delay,
    /// Wait between two recipients.
    pub recipient_delay: Delay,
    /// How long a session stays before it ends (seconds in JSON).
    #[serde(with = "seconds")]
    pub stay: Duration,
    /// A slow client.
    pub slow: Option<Slow>,
    /// The most bodies under way at once; none: as many as there are sessions.
    pub bodies_at_once: Option<u32>,
}

impl Scenario {
    /// One whole short message a connection, closed by QUIT; others say where they differ.
    pub fn plain(name: &str, sessions: u64, total: u64) -> Self {
        Self {
            name: name.to_owned(),
            about: String::new(),
            sessions,
            total,
            until: Depth::Data,
            ending: Ending::Quit,
            expect: Expect::Accepted,
            payload: Payload::Short,
            file_length: 0,
            recipients: 1,
            per_connection: PerConnection::AtMost(1),
            from: None,
            to: None,
            greeting: Greeting::Auto,
            tls: None,
            pipelining: false,
            message_delay: Delay::default(),
            recipient_delay: Delay::default(),
            stay: Duration::ZERO,
            slow: None,
            bodies_at_once: None,
        }
    }

    /// What [`Scenario::total`] counts.
    pub fn unit(&self) -> Unit {
        let whole = self.until == Depth::Data && self.expect == Expect::Accepted;
        if whole && self.ending != Ending::HalfData && self.ending != Ending::Vanish {
            Unit::Messages
        } else {
            Unit::Sessions
        }
    }

    /// Bytes of the longest mail; those of a folder count as short.
    pub fn mail_length(&self) -> u64 {
        match &self.payload {
            Payload::Generated(length) => length.longest(),
            Payload::File(_) => self.file_length,
            Payload::Short | Payload::Folder(_) => 0,
        }
    }

    /// So small that nothing can be judged in it, however often it is run.
    pub fn is_small(&self) -> bool {
        self.total < FEW && self.mail_length() < LARGE
    }

    /// The scenario with its sessions and its total times `factor`, at least 1 each; lengths stay.
    pub fn scaled(mut self, factor: f64) -> Self {
        let scale = |n: u64| ((n as f64 * factor).round() as u64).max(1);
        self.sessions = scale(self.sessions);
        self.total = scale(self.total);
        self
    }
}
