//! `[scenario.NAME]` of `profile-run.toml`: what was typed, and what is meant by it.
//!
//! ```toml
//! [scenario.newsletter]
//! like = "churn"                     # start from this one (else from a plain message)
//! sessions = 50                      # at most so many at once
//! messages = 2000                    # in all (sessions, where no message is sent)
//! length = { median = 20_000, max = 2_000_000 }   # or 4096, or { min = 1, max = 9000 }
//! recipients = 3
//! keep-open = 20                     # messages a connection; true: as many as there are
//! starttls = true
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::seconds::Span;
use super::value::{
    Delay, Depth, Ending, Expect, Greeting, Length, Payload, PerConnection, Scenario, Slow, TlsMode, Unit,
};

/// `keep-open`: yes, no, or so many messages a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AtMost {
    /// All or one.
    Switch(bool),
    /// So many.
    Count(u32),
}

/// `length`: a number, a range, or a median.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum LengthConfig {
    /// `length = 4096`.
    Fixed(u64),
    /// `length = { min = 1, max = 9000 }`.
    Range {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// `length = { median = 20000, max = 2000000 }`.
    Median {
        /// Half are shorter.
        median: u64,
        /// Standard deviation of the natural logarithm, 1 if not given.
        #[serde(default = "one")]
        sigma: f64,
        /// The longest.
        max: u64,
    },
}

fn one() -> f64 {
    1.0
}

/// One `[scenario.NAME]` table. Every key may be missing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScenarioConfig {
    /// The scenario to start from.
    pub like: Option<String>,
    /// What it is for.
    pub about: Option<String>,
    /// The most sessions at once.
    pub sessions: Option<u64>,
    /// Messages in all (sessions, where no message is sent).
    pub messages: Option<u64>,
    /// Bytes a message, without its headers.
    pub length: Option<LengthConfig>,
    /// A message, or a folder of `.eml` files; relative to the configuration file.
    pub file: Option<PathBuf>,
    /// RCPT commands a message.
    pub recipients: Option<u32>,
    /// Sender; `""` is the null sender.
    pub from: Option<String>,
    /// Recipient.
    pub to: Option<String>,
    /// `connect`, `helo`, `mail`, `rcpt`, `data`, or `quit` (the whole way).
    pub until: Option<String>,
    /// One message a connection or many.
    pub keep_open: Option<AtMost>,
    /// Wait between messages.
    pub(super) message_delay: Option<Span>,
    /// Wait between recipients.
    pub(super) recipient_delay: Option<Span>,
    /// Waits are by chance, from 0 to what is given.
    pub random_delay: Option<bool>,
    /// How long a session stays before it ends.
    pub(super) stay: Option<Span>,
    /// `quit`, `close`, `reset`, `half-data`, `vanish`.
    pub end: Option<Ending>,
    /// `accepted`, `refused`, `gone`.
    pub expect: Option<Expect>,
    /// STARTTLS after EHLO.
    pub starttls: Option<bool>,
    /// TLS from the first byte.
    pub tls: Option<bool>,
    /// `helo`, `ehlo`, `auto`.
    pub greeting: Option<Greeting>,
    /// PIPELINING where offered.
    pub pipelining: Option<bool>,
    /// Bytes a write of a slow client.
    pub slow_bytes: Option<u32>,
    /// Pause of a slow client.
    pub(super) slow_pause: Option<Span>,
    /// The most bodies under way at once; 0: no limit.
    pub bodies_at_once: Option<u32>,
}

impl ScenarioConfig {
    /// Lowers what was typed onto `base`. `folder` is where relative files are looked for.
    ///
    /// # Errors
    /// A text that names the key and what it may be.
    pub fn lower(self, name: &str, base: Scenario, folder: &Path) -> Result<Scenario, String> {
        let mut scenario = Scenario { name: name.to_owned(), ..base };
        set(&mut scenario.about, self.about);
        set(&mut scenario.sessions, self.sessions);
        set(&mut scenario.total, self.messages);
        set(&mut scenario.recipients, self.recipients);
        set(&mut scenario.ending, self.end);
        set(&mut scenario.greeting, self.greeting);
        set(&mut scenario.pipelining, self.pipelining);
        scenario.from = self.from.or(scenario.from);
        scenario.to = self.to.or(scenario.to);
        if let Some(until) = self.until {
            scenario.until = depth(&until)?;
        }
        match (self.length, self.file) {
            (Some(_), Some(_)) => return Err("give either `length` or `file`".into()),
            (Some(length), None) => {
                scenario.payload = Payload::Generated(match length {
                    LengthConfig::Fixed(n) => Length::Fixed(n),
                    LengthConfig::Range { min, max } => Length::Uniform { min, max },
                    LengthConfig::Median { median, sigma, max } => Length::LogNormal { median, sigma, max },
                });
            }
            (None, Some(file)) => {
                let path = folder.join(file);
                scenario.payload = if path.is_dir() { Payload::Folder(path) } else { Payload::File(path) };
            }
            (None, None) => {}
        }
        scenario.per_connection = match self.keep_open {
            None => scenario.per_connection,
            Some(AtMost::Switch(false)) => PerConnection::AtMost(1),
            Some(AtMost::Switch(true)) => PerConnection::Unlimited,
            Some(AtMost::Count(n)) => PerConnection::AtMost(n),
        };
        let random = self.random_delay;
        for (delay, typed) in
            [(&mut scenario.message_delay, self.message_delay), (&mut scenario.recipient_delay, self.recipient_delay)]
        {
            if let Some(Span(time)) = typed {
                *delay = Delay { time, random: random.unwrap_or(false) };
            } else if let Some(random) = random {
                delay.random = random;
            }
        }
        set(&mut scenario.stay, self.stay.map(|span| span.0));
        match (self.starttls, self.tls) {
            (Some(true), Some(true)) => return Err("give either `starttls` or `tls`".into()),
            (Some(true), _) => scenario.tls = Some(TlsMode::Starttls),
            (_, Some(true)) => scenario.tls = Some(TlsMode::Implicit),
            (Some(false), _) | (_, Some(false)) => scenario.tls = Some(TlsMode::None),
            (None, None) => {}
        }
        match (self.slow_bytes, self.slow_pause, scenario.slow) {
            (None, None, _) => {}
            (chunk, pause, before) => {
                let before = before.unwrap_or(Slow { chunk: 16, pause: std::time::Duration::from_millis(5) });
                scenario.slow =
                    Some(Slow { chunk: chunk.unwrap_or(before.chunk), pause: pause.map_or(before.pause, |p| p.0) });
            }
        }
        if let Some(n) = self.bodies_at_once {
            scenario.bodies_at_once = (n > 0).then_some(n);
        }
        scenario.expect = match (self.expect, scenario.ending) {
            (Some(expect), _) => expect,
            // A client that breaks off in the middle can only mean to be gone.
            (None, Ending::HalfData | Ending::Vanish) => Expect::Gone,
            (None, _) if scenario.expect == Expect::Gone => Expect::Accepted,
            (None, _) => scenario.expect,
        };
        validate(&scenario)?;
        Ok(scenario)
    }
}

fn set<T>(place: &mut T, typed: Option<T>) {
    if let Some(value) = typed {
        *place = value;
    }
}

fn depth(text: &str) -> Result<Depth, String> {
    Ok(match text {
        "connect" => Depth::Connect,
        "helo" => Depth::Helo,
        "mail" => Depth::Mail,
        "rcpt" => Depth::Rcpt,
        "data" | "quit" => Depth::Data,
        _ => return Err(format!("until = \"{text}\": it is one of connect, helo, mail, rcpt, data, quit")),
    })
}

/// Checks what serde cannot: numbers above zero, ranges in order, combinations that mean something.
pub(super) fn validate(scenario: &Scenario) -> Result<(), String> {
    for (key, value) in
        [("sessions", scenario.sessions), ("messages", scenario.total), ("recipients", u64::from(scenario.recipients))]
    {
        if value == 0 {
            return Err(format!("{key} = 0: at least 1"));
        }
    }
    if scenario.per_connection == PerConnection::AtMost(0) {
        return Err("keep-open = 0: at least 1, or true or false".into());
    }
    if let Some(slow) = scenario.slow
        && slow.chunk == 0
    {
        return Err("slow-bytes = 0: at least 1".into());
    }
    if let Payload::Generated(length) = scenario.payload {
        let sound = match length {
            Length::Fixed(_) => true,
            Length::Uniform { min, max } => min <= max,
            Length::LogNormal { median, sigma, max } => {
                (1..=max).contains(&median) && sigma.is_finite() && sigma >= 0.0
            }
        };
        if !sound {
            return Err("length: min and median lie between 1 and max, sigma is 0 or more".into());
        }
        if length.longest() > 1 << 30 {
            return Err("length: at most 1 GiB a message".into());
        }
    }
    if scenario.ending == Ending::HalfData && scenario.until != Depth::Data {
        return Err("end = \"half-data\" needs until = \"data\"".into());
    }
    if scenario.expect == Expect::Refused && scenario.until < Depth::Rcpt {
        return Err("expect = \"refused\" is about recipients: it needs until = \"rcpt\" or \"data\"".into());
    }
    if scenario.unit() == Unit::Sessions && scenario.per_connection != PerConnection::AtMost(1) {
        return Err("keep-open needs whole, accepted messages".into());
    }
    Ok(())
}
