//! One whole conversation before the load, every reply kept: it tells whether the server takes at all what the
//! load will send. And the probe of a banner. Both are blocking, and use the same words as the load.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::model::plan::scenario::{Greeting, Scenario, TlsMode};

use super::address::{Address, Endpoint};
use super::dialogue::{Dialogue, Next};
use super::error::LoadError;
use super::job::{Control, SessionOptions};
use super::payload::{Bodies, TAIL};
use super::reply;
use super::script::{Command, Numbers, Script};
use super::wire::{Wire, secure};
use crate::model::load_stats::Step;
use crate::model::{Random, visible, visible_lines};

/// Between two tries of a recipient that was put off.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

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
    /// Seconds of the last of them.
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
        let this_began = Instant::now();
        let scenario = Scenario { greeting, ..Scenario::plain("preflight", 1, 1) };
        let mut conversation = Conversation::new(target, options, &scenario, times.step)?;
        match conversation.hold(&endpoint) {
            Ok(()) => {
                let Conversation { replies, dialogue, .. } = conversation;
                let greeted = replies.iter().rfind(|reply| reply.step == Step::Helo);
                let extensions = greeted
                    .map_or(Vec::new(), |reply| reply::extensions(reply.text.as_bytes()).map(str::to_owned).collect());
                let banner = replies.first().map_or(String::new(), |reply| reply.text.trim_end().to_owned());
                let seconds = this_began.elapsed().as_secs_f64();
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

/// The options that mend a refusal of a step; `greeted` is the reply to EHLO.
fn mend(step: Step, code: u16, text: &str, options: &SessionOptions, greeted: &str) -> String {
    let offers = |what| reply::offers(greeted.as_bytes(), what);
    let mend = match step {
        Step::Helo => "choose another name with --helo NAME",
        Step::Auth => "check --auth USER:PASS",
        Step::Starttls => "leave out --starttls, or give the server a certificate",
        _ if code == 538 && options.tls == TlsMode::None => "it asks for encryption: --starttls",
        // The reply itself says what it wants.
        _ if options.tls == TlsMode::None && text.to_ascii_uppercase().contains("STARTTLS") => {
            "it asks for encryption: --starttls"
        }
        _ if code == 530 && options.auth.is_none() && offers("AUTH") && !offers("STARTTLS") => {
            "it asks for a login: --auth USER:PASS"
        }
        _ if code == 530 && options.auth.is_none() => "it asks for a login or encryption: --auth USER:PASS, --starttls",
        Step::Mail => "choose a sender that it accepts with --from ADDR, or log in with --auth USER:PASS",
        Step::Rcpt => "choose a recipient that it accepts with --to ADDR, or log in with --auth USER:PASS",
        _ => "see the server's own reply and its log",
    };
    mend.to_owned()
}

/// What is not offered, and the options that mend it; `greeted` is the reply to EHLO.
fn not_offered(what: &str, greeted: &str) -> (String, String) {
    let offered: Vec<&str> = reply::extensions(greeted.as_bytes())
        .filter_map(|line| line.split_once([' ', '=']))
        .filter(|(word, _)| word.eq_ignore_ascii_case(what))
        .map(|(_, mechanisms)| mechanisms)
        .collect();
    if offered.is_empty() {
        let mend = format!("leave out --{what}, or teach it to the server");
        return (format!("{} is not offered", what.to_uppercase()), mend);
    }
    (
        format!(
            "{} is offered with {} alone, which this client does not speak",
            what.to_uppercase(),
            offered.join(" ")
        ),
        "let the server offer PLAIN, LOGIN or CRAM-MD5, or leave out --auth".to_owned(),
    )
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
        let wire = Wire::connect(endpoint, self.step_timeout, self.options.sources.map(|sources| sources.of(0)));
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
                    wire = secure(wire, self.target, self.options, self.step_timeout)
                        .map_err(|error| self.broken(Step::Tls, &describe(&error)))?;
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
                    let greeted = self.replies.last().map_or("", |reply| reply.text.as_str());
                    let (text, mend) = not_offered(what, greeted);
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
            self.dialogue.extend(text.lines().map(|line| format!("S: {}", visible(line))));
            self.replies.push(StepReply { step, code, text: visible_lines(&text) });
            let (then, refusal) = talk.reply(&self.script, code, text.as_bytes());
            if let (Some(refusal), None) = (refusal, &refused) {
                let greeted = self.replies.iter().rfind(|reply| reply.step == Step::Helo);
                let greeted = greeted.map_or("", |reply| reply.text.as_str());
                refused = Some(Refused {
                    step: refusal.step,
                    code: refusal.code,
                    text: visible_lines(text.trim_end()),
                    mend: mend(refusal.step, refusal.code, &text, self.options, greeted),
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
        let body = self.bodies.pick(0, &mut Random::new(1));
        words.extend_from_slice(self.bodies.bytes(body));
        words.extend_from_slice(TAIL);
        self.dialogue.push(format!("C: (message, {} bytes)", words.len()));
        words
    }

    fn broken(&self, step: Step, reason: &str) -> PreflightError {
        PreflightError::Broken { step, reason: reason.to_owned(), dialogue: self.dialogue.clone() }
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
