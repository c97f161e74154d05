//! Plays a recorded conversation, as often as was asked for and so many at once. Blocking: a thread for each.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::script::{Move, Recording};
use crate::load::address::Endpoint;
use crate::load::cram;
use crate::load::engine::Cause;
use crate::load::error::{LoadError, PlanError};
use crate::load::job::{Control, Job, Live};
use crate::load::wire::{Wire, secure};
use crate::model::load_stats::{LoadStats, Stall, Step};
use crate::model::plan::scenario::{TlsMode, Unit};
use crate::model::visible;

/// The longest that a request to stop may wait.
const LOOK: Duration = Duration::from_millis(100);
/// How long the server may take to close after its reply to QUIT.
const GOODBYE: Duration = Duration::from_secs(1);
/// Conversations at once: each has a thread.
const MOST_AT_ONCE: u64 = 256;

/// Plays `recording` as often as the job counts. Replies are taken as they are: a refusal is counted, and the
/// conversation goes on.
///
/// # Errors
/// An address that may not be loaded, more at once than there are threads for.
pub fn run(job: &Job, recording: &Recording, control: &Control) -> Result<LoadStats, LoadError> {
    let endpoint = job.target.resolve(job.options.family, job.options.allow_remote)?.endpoint;
    let parallel = job.scenario.sessions.min(job.count).max(1);
    if parallel > MOST_AT_ONCE {
        return Err(PlanError::AtOnce { most: MOST_AT_ONCE }.into());
    }
    let shared = Shared::new(job.count);
    std::thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| {
                while !control.is_stopped()
                    && !shared.is_stalled()
                    && shared.next.fetch_add(1, Ordering::Relaxed) < job.count
                {
                    // How it ended is counted.
                    let _ = play(job, recording, &endpoint, &shared, control);
                }
            });
        }
    });
    Ok(shared.stats(parallel, control))
}

/// Where a conversation ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// The step that it waited for.
    pub step: Step,
    /// No reply came in time; otherwise the connection broke.
    pub silent: bool,
}

/// The codes of replies, each with the step that it answers.
type Replies = Vec<(Step, u16)>;

/// A conversation that was played once.
#[derive(Debug)]
pub struct Once {
    /// What was counted.
    pub stats: LoadStats,
    /// Where it was cut off, if it was.
    pub cut_off: Option<CutOff>,
    /// All replies.
    pub replies: Replies,
}

/// Plays `recording` once.
///
/// # Errors
/// An address that may not be loaded.
pub fn once(job: &Job, recording: &Recording, control: &Control) -> Result<Once, LoadError> {
    let endpoint = job.target.resolve(job.options.family, job.options.allow_remote)?.endpoint;
    let shared = Shared::new(1);
    let (replies, ended) = play(job, recording, &endpoint, &shared, control);
    let cut_off = ended.err().map(|(step, cause)| CutOff { step, silent: cause == Cause::Timeout });
    Ok(Once { stats: shared.stats(1, control), cut_off, replies })
}

struct Shared {
    began: Instant,
    stats: Mutex<LoadStats>,
    next: AtomicU64,
}

impl Shared {
    fn new(count: u64) -> Self {
        let stats = Mutex::new(LoadStats::new(Unit::Sessions, count));
        Self { began: Instant::now(), stats, next: AtomicU64::new(0) }
    }

    fn stats(self, parallel: u64, control: &Control) -> LoadStats {
        let mut stats = self.stats.into_inner().unwrap_or_else(PoisonError::into_inner);
        stats.seconds = self.began.elapsed().as_secs_f64();
        stats.peak_open = parallel;
        stats.interrupted = control.is_stopped();
        stats
    }

    fn with<T>(&self, change: impl FnOnce(&mut LoadStats) -> T) -> T {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_stalled(&self) -> bool {
        self.with(|stats| stats.stalled.is_some())
    }
}

/// One conversation, counted: the codes of its replies; where and why it was cut off.
fn play(
    job: &Job,
    recording: &Recording,
    endpoint: &Endpoint,
    shared: &Shared,
    control: &Control,
) -> (Replies, Result<(), (Step, Cause)>) {
    let began = Instant::now();
    let number = shared.with(|stats| {
        stats.asked.not_started -= 1;
        stats.sessions.not_started -= 1;
        stats.sessions.asked - stats.sessions.not_started - 1
    });
    let mut conversation = Conversation {
        job,
        shared,
        control,
        got: Vec::new(),
        said: Vec::new(),
        kept: number < job.options.transcribed,
        step: Step::Connect,
        replies: Vec::new(),
    };
    let outcome = conversation.hold(recording, endpoint);
    let (step, now) = (conversation.step, shared.began.elapsed());
    let live = shared.with(|stats| {
        match outcome {
            Ok(()) => {
                stats.asked.finished += 1;
                stats.sessions.finished += 1;
                stats.as_meant += 1;
                stats.whole.record(nanos(began.elapsed()));
                stats.count_in_second(nanos(now));
            }
            Err(cause) => {
                stats.asked.failed += 1;
                stats.sessions.failed += 1;
                *stats.errors.entry(cause.name(step)).or_default() += 1;
                if cause == Cause::Timeout {
                    let open_sessions = job.scenario.sessions.min(job.count);
                    let last_reply_seconds_ago = job.stall_timeout.as_secs_f64();
                    stats.stalled.get_or_insert(Stall { stage: step, open_sessions, last_reply_seconds_ago });
                }
            }
        }
        Live {
            sessions: stats.sessions.finished + stats.sessions.failed,
            open: 0,
            sent: stats.messages_sent,
            accepted: stats.messages_accepted,
            errors: stats.errors.values().sum(),
            bytes: stats.bytes,
        }
    });
    control.publish(live);
    (conversation.replies, outcome.map_err(|cause| (step, cause)))
}

struct Conversation<'a> {
    job: &'a Job,
    shared: &'a Shared,
    control: &'a Control,
    got: Vec<u8>,
    /// The last reply.
    said: Vec<u8>,
    /// Its words are kept.
    kept: bool,
    step: Step,
    /// All replies so far.
    replies: Replies,
}

impl Conversation<'_> {
    fn hold(&mut self, recording: &Recording, endpoint: &Endpoint) -> Result<(), Cause> {
        let source = self.job.options.sources.map(|sources| sources.of(0));
        let mut wire = Wire::connect(endpoint, self.job.stall_timeout, source).map_err(|error| cause(&error))?;
        if self.job.options.tls == TlsMode::Implicit {
            self.step = Step::Tls;
            wire = secure(wire, &self.job.target, &self.job.options, self.job.stall_timeout).map_err(|_| Cause::Tls)?;
        }
        self.step = Step::Banner;
        let mut code = self.reply(&mut wire)?;
        for doing in &recording.moves {
            match doing {
                Move::Say { words, steps } => {
                    self.step = steps.first().copied().unwrap_or(self.step);
                    self.say(&mut wire, words)?;
                    for step in steps {
                        self.step = *step;
                        code = self.reply(&mut wire)?;
                    }
                    if self.step == Step::Starttls && code == 220 {
                        self.step = Step::Tls;
                        wire = secure(wire, &self.job.target, &self.job.options, self.job.stall_timeout)
                            .map_err(|_| Cause::Tls)?;
                        self.got.clear();
                    }
                }
                // Where DATA was refused, the message would be taken for commands.
                Move::Message { words, whole } if code == 354 => {
                    self.step = Step::Message;
                    self.say(&mut wire, words)?;
                    self.shared.with(|stats| stats.bytes += words.len() as u64);
                    if *whole {
                        self.shared.with(|stats| stats.messages_sent += 1);
                        code = self.reply(&mut wire)?;
                        self.shared.with(|stats| stats.messages_accepted += u64::from(code / 100 == 2));
                    }
                }
                Move::Message { .. } => {}
                Move::Answer { user, password } if code == 334 => {
                    let digest = cram::answer(&self.said, password).ok_or(Cause::Protocol)?;
                    self.say(&mut wire, cram::line(user, digest).as_bytes())?;
                    code = self.reply(&mut wire)?;
                }
                Move::Answer { .. } => {}
                Move::Wait(time) => self.wait(*time)?,
                Move::Close => return Ok(()),
                Move::Reset => {
                    wire.reset_on_close();
                    return Ok(());
                }
            }
        }
        if self.step == Step::Quit {
            // Its close, for the order of things.
            let _ = wire.reply(&mut self.got, Instant::now() + GOODBYE);
        }
        Ok(())
    }

    fn say(&mut self, wire: &mut Wire, words: &[u8]) -> Result<(), Cause> {
        if self.kept {
            self.keep("C", &String::from_utf8_lossy(words));
        }
        wire.write_all(words).map_err(|error| cause(&error))
    }

    fn reply(&mut self, wire: &mut Wire) -> Result<u16, Cause> {
        let began = Instant::now();
        let until = began + self.job.stall_timeout;
        let (code, text) = loop {
            match wire.reply(&mut self.got, until.min(Instant::now() + LOOK)) {
                Ok(reply) => break reply,
                Err(_) if self.control.is_stopped() => return Err(Cause::Interrupted),
                Err(error) if error.kind() == io::ErrorKind::TimedOut && Instant::now() < until => {}
                Err(error) => return Err(cause(&error)),
            }
        };
        if self.kept {
            self.keep("S", &text);
        }
        self.said = text.into_bytes();
        let step = self.step;
        self.replies.push((step, code));
        self.shared.with(|stats| {
            stats.steps.entry(step).or_default().record(nanos(began.elapsed()));
            if code >= 400 {
                *stats.errors.entry(Cause::Code(code).name(step)).or_default() += 1;
                stats.recipients_refused += u64::from(step == Step::Rcpt);
            }
        });
        Ok(code)
    }

    fn wait(&self, time: Duration) -> Result<(), Cause> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.control.is_stopped() {
                return Err(Cause::Interrupted);
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    fn keep(&self, who: &str, words: &str) {
        self.shared
            .with(|stats| stats.transcript.extend(words.lines().map(|line| format!("{who}: {}", visible(line)))));
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::ConnectRefused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Cause::Reset,
        io::ErrorKind::UnexpectedEof => Cause::Closed,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Cause::Timeout,
        io::ErrorKind::InvalidData => Cause::Protocol,
        _ => Cause::Io,
    }
}
