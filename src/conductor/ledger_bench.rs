//! The ledger's bench: one conversation after the other against the running server, and its heap read after each. It
//! blocks, on a thread of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::heap::{CopyMode, Error, GcCounters, Inspector};
use crate::load::{self, Address, AskKernel, Control, Job, Mechanism, Once, Recording, SessionOptions, Speaker};
use crate::model::load_stats::{LoadStats, Step};
use crate::model::plan::scenario::{Scenario, Unit};
use crate::model::{Act, Conversation, LEDGER};
use crate::proc::Process;
use crate::verdict::ledger::{Bench, Played, Reading, Stop, Whole};

/// A step that is not answered by then never is.
const ANSWER: Duration = Duration::from_secs(2);
/// Between two looks at the heap's size.
const LOOK: Duration = Duration::from_millis(2);
/// How long the server may take to be done with a conversation; shorter where it left the last ones open.
const DONE: Duration = Duration::from_millis(200);
const DONE_LEFT_OPEN: Duration = Duration::from_millis(20);
/// A pause.
const PAUSE: Duration = Duration::from_millis(400);
/// A round of many conversations: its time, their number, how many at once, and what they may keep.
const ROUND: f64 = 0.5;
const MOST: u64 = 1_000;
const AT_ONCE: u64 = 4;
const MOST_BYTES: i64 = 32 << 20;
/// Of the server's descriptors, the part that the ledger may see used.
const DESCRIPTORS: f64 = 0.3;
/// Tries at a heap that is busy.
const TRIES: u32 = 5;

/// One process whose heap is read.
#[derive(Debug)]
struct Watched {
    pid: i32,
    inspector: Inspector,
    size: u64,
    garbage: u64,
    collector: Option<GcCounters>,
    limit: Option<u64>,
}

impl Watched {
    fn attach(pid: i32) -> Result<Self, Error> {
        let inspector = Inspector::attach(pid)?;
        let mut watched = Self { pid, inspector, size: 0, garbage: 0, collector: None, limit: None };
        watched.count()?;
        Ok(watched)
    }

    fn count(&mut self) -> Result<(), Error> {
        let mut last = Error::Busy;
        for _ in 0..TRIES {
            match self.inspector.census(CopyMode::MayStop) {
                Ok(census) => {
                    let figures = census.figures.ok_or_else(|| Error::Unsupported(NO_FIGURES.to_owned()))?;
                    (self.size, self.limit) = (figures.size, figures.limit);
                    // Without a collector, garbage is memory like any other.
                    let collects = census.collector.is_none_or(|collector| collector.enabled);
                    self.garbage = if collects { census.garbage.bytes } else { 0 };
                    self.collector = census.collector;
                    return Ok(());
                }
                Err(Error::Busy) => last = Error::Busy,
                Err(error) => return Err(error),
            }
            thread::sleep(LOOK);
        }
        Err(last)
    }
}

const NO_FIGURES: &str = "PHP does not use Zend's memory manager (USE_ZEND_ALLOC=0)";

/// All of them in sum, in the reading's terms: what is kept is the size without garbage.
fn sum(heaps: &[Watched]) -> Reading {
    let mut sum = Reading::default();
    for heap in heaps {
        sum.kept += heap.size as i64 - heap.garbage as i64;
        sum.garbage += heap.garbage as i64;
        sum.roots += heap.collector.map_or(0, |collector| i64::from(collector.roots));
    }
    sum
}

/// What the bench is given.
#[derive(Debug)]
pub(super) struct Given {
    /// Where the server listens.
    pub address: SocketAddr,
    /// What the kernel knows of its side.
    pub kernel: AskKernel,
    /// The processes that listen.
    pub servers: Vec<i32>,
    /// How the client speaks.
    pub options: SessionOptions,
    /// The server knows EHLO.
    pub ehlo: bool,
    /// How it takes a login.
    pub mechanism: Mechanism,
    /// Its limit of descriptors.
    pub descriptor_limit: Option<u64>,
    /// The time that there is.
    pub time: Duration,
    /// Asked to stop.
    pub control: Arc<Control>,
    /// Conversations so far, for whoever watches.
    pub played: Arc<AtomicU64>,
}

/// A conversation, ready to be played.
#[derive(Debug, Clone)]
struct Script {
    recording: Recording,
    /// What it left when the heap was counted after it.
    left: Option<Reading>,
    /// Descriptors that the server kept of each, where it was played often.
    descriptors: Option<f64>,
}

/// The bench.
pub(super) struct ServerBench {
    given: Given,
    job: Job,
    heaps: Vec<Watched>,
    last: Reading,
    began: Instant,
    now: jiff::Timestamp,
    scripts: BTreeMap<(Vec<Act>, bool), Script>,
    /// Connections that the server holds between two conversations.
    idle: usize,
    leaves_open: bool,
    /// Seconds of the last conversation, without the reading.
    seconds_each: f64,
    /// All that was sent.
    pub tally: LoadStats,
    /// Why the heap could not be read any more.
    pub unreadable: Option<Error>,
}

impl ServerBench {
    /// A bench over a server at rest.
    ///
    /// # Errors
    /// No process of it has a heap that can be read.
    pub fn new(given: Given) -> Result<Self, Error> {
        let mut heaps = Vec::new();
        let mut why = Error::NotPhp;
        for pid in &given.servers {
            match Watched::attach(*pid) {
                Ok(watched) => heaps.push(watched),
                Err(error) => why = error,
            }
        }
        if heaps.is_empty() {
            return Err(why);
        }
        let job = Job {
            scenario: Scenario::plain(LEDGER, 1, 1),
            target: Address::Tcp { host: given.address.ip().to_string(), port: given.address.port() },
            count: 1,
            stall_timeout: ANSWER,
            seed: 1,
            options: given.options.clone(),
        };
        let idle = clients(&given);
        Ok(Self {
            job,
            last: sum(&heaps),
            heaps,
            began: Instant::now(),
            now: jiff::Timestamp::now(),
            scripts: BTreeMap::new(),
            idle,
            leaves_open: false,
            seconds_each: 0.01,
            tally: LoadStats::new(Unit::Sessions, 0),
            unreadable: None,
            given,
        })
    }

    /// The script of a conversation, as it is played.
    pub fn script(&self, conversation: &Conversation) -> Option<Vec<u8>> {
        load::written(conversation, &self.speaker()).ok()
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker { options: &self.given.options, ehlo: self.given.ehlo, mechanism: self.given.mechanism, now: self.now }
    }

    /// Seconds since it began.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn ready(&mut self, conversation: &Conversation) -> Result<Script, Stop> {
        if let Some(known) = self.scripts.get(&key(conversation)) {
            return Ok(known.clone());
        }
        // The same words as the preflight's, which the server has taken.
        let recording = self.script(conversation).and_then(|text| Recording::parse(&text).ok()).ok_or(Stop::Silent)?;
        let script = Script { recording, left: None, descriptors: None };
        self.scripts.insert(key(conversation), script.clone());
        Ok(script)
    }

    fn may_go_on(&self) -> Result<(), Stop> {
        if self.given.control.is_stopped() {
            return Err(Stop::Told);
        }
        if self.began.elapsed() >= self.given.time { Err(Stop::Time) } else { Ok(()) }
    }

    /// Descriptors that the ledger may still see used; none where there is no limit.
    fn descriptors_left(&self) -> Option<u64> {
        let limit = self.given.descriptor_limit? as f64 * DESCRIPTORS;
        Some((limit as u64).saturating_sub(self.descriptors()?))
    }

    /// Descriptors that are open, in the process that has most of them.
    fn descriptors(&self) -> Option<u64> {
        let open =
            |heap: &Watched| Process::open(heap.pid).and_then(|process| process.fd_numbers()).map(|all| all.len());
        self.heaps.iter().filter_map(|heap| open(heap).ok()).max().map(|most| most as u64)
    }

    /// How often a conversation may be played at once so that half of the descriptors are left; before it is known how
    /// many it leaves open, as if it left one.
    fn within_descriptors(&self, script: &Script) -> u64 {
        let half = self.descriptors_left().map(|left| left / 2);
        match script.descriptors.unwrap_or(1.0) {
            each if each < 0.05 => MOST,
            each => half.map_or(MOST, |half| (half as f64 / each) as u64),
        }
    }

    /// Bytes of all heaps, garbage among them; none where one cannot be read at this moment.
    fn size(&self) -> Option<i64> {
        self.heaps.iter().map(|heap| Some(heap.inspector.figures().ok()?.size as i64)).sum()
    }

    /// The size when the server is done with what was said; it may take so long. `changes` is what it came to before.
    fn settled(&mut self, at_most: Duration, change: Option<i64>) -> Option<i64> {
        let before = self.last.kept + self.last.garbage;
        let expected = [Some(before), change.map(|change| before + change)];
        let until = Instant::now() + at_most;
        let mut last = None;
        let mut gone = false;
        while Instant::now() < until {
            let now = self.size();
            if now.is_some() && now == last {
                // Where it is each time: the session is gone, whatever else the kernel still knows of it.
                if expected.contains(&now) || gone {
                    return now;
                }
                gone = self.is_gone();
                last = None;
                continue;
            }
            last = now;
            thread::sleep(LOOK);
        }
        last
    }

    /// Waits until the server holds no more connections than before; where it left one open, not as long the next time.
    fn is_gone(&mut self) -> bool {
        let until = Instant::now() + if self.leaves_open { DONE_LEFT_OPEN } else { DONE };
        let mut open = clients(&self.given);
        while open > self.idle && Instant::now() < until {
            thread::sleep(LOOK);
            open = clients(&self.given);
        }
        self.leaves_open = open > self.idle;
        self.idle = open;
        true
    }

    /// Reads the heap when the server is done; whether it was counted. Counting takes time, so it is done for the first of
    /// each conversation: the others leave as much garbage as that one, and what they add beyond is kept. Where the heap
    /// grew by less it is counted anew.
    fn read(&mut self, at_most: Duration, known: Option<Reading>) -> Result<(Reading, bool), Stop> {
        let expected = known.map(|known| known.kept + known.garbage);
        let change = self.settled(at_most, expected).map(|size| size - self.last.kept - self.last.garbage);
        let known = if change == Some(0) { Some(Reading::default()) } else { known };
        if let (Some(known), Some(change)) = (known, change)
            && change >= known.kept + known.garbage
        {
            let reading = Reading { kept: change - known.garbage, ..known };
            self.last.kept += reading.kept;
            self.last.garbage += reading.garbage;
            self.last.roots += reading.roots;
            return Ok((reading, false));
        }
        for heap in &mut self.heaps {
            if let Err(error) = heap.count() {
                let gone = Process::open(heap.pid).is_err() || error == Error::NotPhp;
                self.unreadable = (!gone).then_some(error);
                return Err(Stop::Fell);
            }
        }
        let before = std::mem::replace(&mut self.last, sum(&self.heaps));
        let reading = Reading {
            kept: self.last.kept - before.kept,
            garbage: self.last.garbage - before.garbage,
            roots: self.last.roots - before.roots,
        };
        Ok((reading, true))
    }

    fn count(&mut self, stats: &LoadStats) {
        self.tally.merge(stats);
        self.given.played.fetch_add(stats.sessions.asked, Ordering::Relaxed);
    }
}

impl Bench for ServerBench {
    fn play(&mut self, conversation: &Conversation) -> Result<Played, Stop> {
        self.may_go_on()?;
        if self.descriptors_left().is_some_and(|left| left < 2) {
            return Err(Stop::Time);
        }
        let script = self.ready(conversation)?;
        let Ok(Once { stats, cut_off, replies }) = load::once(&self.job, &script.recording, &self.given.control) else {
            return Err(Stop::Silent);
        };
        self.seconds_each = stats.seconds;
        let refusals: Vec<String> = match cut_off {
            None => stats.errors.keys().cloned().collect(),
            Some(_) => Vec::new(),
        };
        self.count(&stats);
        if self.given.control.is_stopped() {
            return Err(Stop::Told);
        }
        let (reading, counted) = self.read(DONE, script.left)?;
        let Some(cut_off) = cut_off else {
            if counted {
                self.scripts.insert(key(conversation), Script { left: Some(reading), ..script });
            }
            let answers = load::answers(&conversation.acts, self.given.mechanism, &replies);
            return Ok(Played::Whole(Whole { reading, refusals, answers }));
        };
        match act(cut_off.step, conversation) {
            Some(act) if cut_off.silent => Ok(Played::Unanswered(act)),
            Some(act) => Ok(Played::Broken(act)),
            // Not even greeted.
            None => Err(Stop::Silent),
        }
    }

    fn many(&mut self, conversation: &Conversation, bytes_each: i64) -> Result<(u64, i64), Stop> {
        self.may_go_on()?;
        let script = self.ready(conversation)?;
        let left = self.given.time.saturating_sub(self.began.elapsed() + DONE).as_secs_f64();
        let room = self.heaps.iter().filter_map(|heap| Some(heap.limit?.saturating_sub(heap.size) as i64 / 8)).min();
        let bytes = room.unwrap_or(MOST_BYTES).min(MOST_BYTES);
        let in_time = ((ROUND.min(left) / self.seconds_each.max(1e-4)) as u64).clamp(1, MOST);
        let mut count = in_time.min((bytes / bytes_each.max(1)) as u64);
        count = count.min(self.within_descriptors(&script));
        if count == 0 {
            return Ok((0, 0));
        }
        let open = self.descriptors();
        let mut job = self.job.clone();
        (job.count, job.scenario.sessions) = (count, AT_ONCE.min(count));
        let Ok(stats) = load::play(&job, &script.recording, &self.given.control) else { return Err(Stop::Silent) };
        self.count(&stats);
        self.seconds_each = stats.seconds / count as f64;
        if stats.stalled.is_some() {
            return Err(Stop::Silent);
        }
        // As much as each of them left, or it is counted.
        let times = |left: Reading| Reading {
            kept: left.kept * count as i64,
            garbage: left.garbage * count as i64,
            roots: left.roots * count as i64,
        };
        let (reading, _) = self.read(DONE * 5, script.left.map(times))?;
        let more = self.descriptors().zip(open).map(|(now, before)| now.saturating_sub(before) as f64 / count as f64);
        self.scripts.insert(key(conversation), Script { descriptors: more, ..script });
        Ok((stats.sessions.finished, reading.kept))
    }

    fn pause(&mut self) -> Result<(f64, i64), Stop> {
        self.may_go_on()?;
        let began = Instant::now();
        while began.elapsed() < PAUSE && !self.given.control.is_stopped() {
            thread::sleep(LOOK * 10);
        }
        let (reading, _) = self.read(DONE, None)?;
        Ok((began.elapsed().as_secs_f64(), reading.kept))
    }

    fn used(&self) -> f64 {
        self.seconds() / self.given.time.as_secs_f64().max(1e-3)
    }

    fn headers(&self) -> u64 {
        load::headers(&self.speaker()).unwrap_or(0) as u64
    }

    fn until_collector(&self, roots_each: i64) -> Option<u64> {
        let collector = self.heaps.first()?.collector.filter(|collector| collector.enabled && roots_each > 0)?;
        Some(u64::from(collector.threshold) / roots_each as u64)
    }
}

fn key(conversation: &Conversation) -> (Vec<Act>, bool) {
    (conversation.acts.clone(), conversation.pipelined)
}

/// Connections on the server's side.
fn clients(given: &Given) -> usize {
    given.kernel.ask(given.address).map_or(0, |side| side.clients.len())
}

/// The act of a conversation that waited at a step; none before the first.
fn act(step: Step, conversation: &Conversation) -> Option<Act> {
    let is_of = |act: &&Act| match step {
        Step::Helo => **act == Act::Ehlo,
        Step::Starttls | Step::Tls => **act == Act::Starttls,
        Step::Auth => **act == Act::Auth,
        Step::Mail => **act == Act::Mail,
        Step::Rcpt => matches!(act, Act::Rcpt | Act::RefusedRcpt),
        Step::Data => **act == Act::Data,
        Step::Message => act.is_content(),
        Step::Rset => **act == Act::Rset,
        Step::Quit | Step::Close => **act == Act::Quit,
        // NOOP, or a line of a login.
        Step::Command => matches!(act, Act::Noop | Act::Auth),
        Step::Connect | Step::Banner | Step::Run => false,
    };
    conversation.acts.iter().find(is_of).copied()
}
