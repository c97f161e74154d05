//! The engine: one thread, one poll, sessions in a slab. It ties the pure parts (dialogue, replies, schedule)
//! to sockets and the clock, and counts.
//!
//! Why not a task for each session: the load shares the machine with the server, so each wake-up, timer and
//! allocation a message falsifies the measurement. Events are edge-triggered and asked for once for the life
//! of a connection; one buffer serves all reads; deadlines are looked at once a second.

mod commands;
mod connect;
mod count;
mod deadlines;
mod events;
mod lost;
mod session;

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use rustls::pki_types::ServerName;

use crate::model::plan::scenario::TlsMode;

pub use self::count::Cause;
use self::count::Counters;
pub use self::lost::handshakes;
use self::session::{Session, State, Timer};
use super::address::{Address, Endpoint};
use super::alarm::Alarm;
use super::cpu;
use super::error::{LoadError, PlanError};
use super::job::{Control, Job};
use super::limits::Descriptors;
use super::link::{COPY_LIMIT, Files};
use super::payload::Bodies;
use super::schedule::Schedule;
use super::script::{Command, Numbers, Script};
use super::tls;
use crate::model::Random;
use crate::model::load_stats::LoadStats;

/// Reads go into one buffer of this size.
const READ_BUFFER: usize = 64 * 1024;
/// Events taken at once.
const EVENTS: usize = 1024;
/// How often the deadlines are looked at, in ns.
const SWEEP_EVERY: u64 = 1_000_000_000;
/// How often the engine looks whether it is to stop, in ns.
const LOOK_EVERY: u64 = 100_000_000;
/// How long the server may take to close after its reply to QUIT, in ns; after that we close.
const CLOSE_TIMEOUT: u64 = 1_000_000_000;
/// How often the deadlines are looked at when closes alone are waited for, in ns.
const SWEEP_CLOSES: u64 = 100_000_000;
/// Descriptors for all that is no session: poll, files, the program's own.
const SPARE_DESCRIPTORS: u64 = 64;
/// Connections that may wait for the server's close beside those in flight.
const CLOSING_BESIDE: u64 = 1000;

/// Runs a load to its end.
///
/// Blocking: call it on a thread of its own.
///
/// # Errors
/// What keeps it from starting; all that happens later is counted.
pub fn run(job: &Job, control: &Control) -> Result<LoadStats, LoadError> {
    let mut engine = Engine::new(job, control)?;
    engine.run()?;
    Ok(engine.finish())
}

struct Engine<'a> {
    job: &'a Job,
    control: &'a Control,
    script: Script,
    bodies: Bodies,
    files: Files,
    endpoint: Endpoint,
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    poll: Poll,
    origin: Instant,
    /// Sessions by their place; a place's generation tells an old timer from a new session.
    slab: Vec<Option<Session>>,
    generations: Vec<u32>,
    free: Vec<u32>,
    /// Sessions in flight: all but those that wait for the server's close alone.
    in_flight: u64,
    /// Between connect and banner.
    handshaking: u64,
    /// The most that may be there.
    handshakes: u64,
    /// The kernel was asked whether it shows the server's side of our connections, and it does.
    view_checked: bool,
    view_shows_peers: bool,
    /// Places in flight that rest between two sessions.
    resting: u64,
    /// Open sockets.
    open: u64,
    descriptors: Descriptors,
    /// Units (messages or sessions) begun.
    taken: u64,
    opened: u64,
    count: u64,
    /// No unit is begun any more.
    closed: bool,
    schedule: Option<Schedule>,
    /// When the next unit is due that may not begin before (open loop), in ns.
    next_due: u64,
    alarm: Alarm,
    /// When the engine next looks whether it is to stop, in ns.
    next_look: u64,
    /// When the last place in flight became free, in ns (open loop).
    free_since: u64,
    /// Sessions with a connection and nothing due (open loop).
    parked: Vec<(u32, u32)>,
    /// All sessions are held until every one has its banner.
    holding: bool,
    held: Vec<(u32, u32)>,
    bodies_under_way: u32,
    gated: VecDeque<(u32, u32, Command)>,
    closing: VecDeque<(u32, u32)>,
    timers: BinaryHeap<Timer>,
    /// No connect before this, in ns: the client's own limits.
    connect_after: u64,
    starved_since: Option<u64>,
    last_reply: u64,
    /// When the last session had its last reply, in ns.
    done_at: Option<u64>,
    next_sweep: u64,
    step_timeout: u64,
    gather: Option<Duration>,
    rng: Random,
    numbers: Numbers,
    scratch: Vec<u8>,
    buffer: Vec<u8>,
    counters: Counters,
    cpu_before: f64,
}

impl<'a> Engine<'a> {
    fn new(job: &'a Job, control: &'a Control) -> Result<Self, LoadError> {
        let options = &job.options;
        let scenario = &job.scenario;
        let endpoint = job.target.resolve(options.family, options.allow_remote)?.endpoint;
        let script = Script::new(scenario, options, jiff::Timestamp::now())?;
        let bodies = Bodies::new(&scenario.payload, options.bare)?;
        let encrypted = script.tls != TlsMode::None;
        let files =
            if encrypted { Files::default() } else { Files::new(&bodies).map_err(LoadError::system("memfd"))? };
        let tls = if encrypted {
            let host = match &job.target {
                Address::Tcp { host, .. } => host.as_str(),
                Address::Unix(_) => "localhost",
            };
            Some((tls::config(options.tls_ca.as_deref())?, tls::server_name(host)?))
        } else {
            None
        };
        if let Some(rate) = options.rate
            && !(rate.per_second.is_finite() && rate.per_second > 0.0)
        {
            return Err(PlanError::Rate.into());
        }
        let sessions = scenario.sessions.min(job.count).max(1);
        let descriptors = Descriptors::raise(sessions + sessions.min(CLOSING_BESIDE) + SPARE_DESCRIPTORS);
        if options.hold && sessions + SPARE_DESCRIPTORS > descriptors.limit {
            return Err(LoadError::Descriptors { wanted: sessions, limit: descriptors.limit });
        }
        let poll = Poll::new().map_err(LoadError::system("poll"))?;
        let alarm = Alarm::new(poll.registry(), Token(usize::MAX)).map_err(LoadError::system("timer"))?;
        let step_timeout = options.step_timeout.unwrap_or(job.stall_timeout + job.stall_timeout / 5);
        Ok(Self {
            script,
            bodies,
            files,
            endpoint,
            tls,
            poll,
            origin: Instant::now(),
            slab: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
            handshaking: 0,
            handshakes: 0,
            view_checked: false,
            view_shows_peers: false,
            resting: 0,
            open: 0,
            descriptors,
            taken: 0,
            opened: 0,
            count: job.count,
            closed: false,
            schedule: options.rate.map(Schedule::new),
            next_due: u64::MAX,
            alarm,
            next_look: 0,
            free_since: 0,
            parked: Vec::new(),
            holding: options.hold,
            held: Vec::new(),
            bodies_under_way: 0,
            gated: VecDeque::new(),
            closing: VecDeque::new(),
            timers: BinaryHeap::new(),
            connect_after: 0,
            starved_since: None,
            last_reply: 0,
            done_at: None,
            next_sweep: SWEEP_EVERY,
            step_timeout: nanos(step_timeout),
            gather: options.gather,
            rng: Random::new(job.seed),
            numbers: Numbers::default(),
            scratch: Vec::new(),
            buffer: vec![0; READ_BUFFER],
            counters: Counters::new(scenario.unit(), job.count),
            cpu_before: cpu::thread_seconds(),
            job,
            control,
        })
    }

    fn run(&mut self) -> Result<(), LoadError> {
        let side = self.other_side();
        self.handshakes = self.job.options.handshakes.map_or_else(|| lost::handshakes(side.as_ref()), u64::from).max(1);
        self.counters.stats.backlog = side.map_or(0, |side| side.backlog);
        let mut events = Events::with_capacity(EVENTS);
        if self.gather.is_some() {
            cpu::fine_timers();
        }
        let mut now = self.now();
        loop {
            self.start(now);
            if self.is_over() {
                return Ok(());
            }
            if let Some(time) = self.gather {
                std::thread::sleep(time);
                now = self.now();
            }
            if let Some(place) = self.alone(now) {
                self.read_alone(place);
                now = self.now();
            } else {
                now = self.events(&mut events, now)?;
            }
            if self.schedule.is_some() {
                // Lateness is counted to the moment itself.
                now = self.now();
            }
            if self.is_done() {
                self.done_at.get_or_insert(now);
                self.next_sweep = self.next_sweep.min(now + SWEEP_CLOSES);
            }
            self.run_timers(now);
            if now >= self.next_look {
                self.look(now);
            }
        }
    }

    /// Waits for events and takes them; the time afterwards.
    fn events(&mut self, events: &mut Events, now: u64) -> Result<u64, LoadError> {
        let timeout = self.alarm.wake_at(self.wakes_next(now), now);
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(LoadError::System { what: "poll", source }),
            Ok(()) => {}
        }
        let mut now = self.now();
        for (number, event) in events.iter().enumerate() {
            if event.token() != Token(usize::MAX) {
                // Those further on in a batch have waited for those before them.
                now = if number == 0 { now } else { self.now() };
                self.on_event(event, now);
            }
        }
        Ok(now)
    }

    /// The place of a session that is the only socket there is, and whose reply is all that can come.
    fn alone(&self, now: u64) -> Option<u32> {
        let nothing_else = self.open == 1
            && self.in_flight == 1
            && self.timers.is_empty()
            && self.tls.is_none()
            && self.schedule.is_none()
            && self.gather.is_none()
            && self.job.scenario.slow.is_none()
            && self.connect_after <= now
            && self.bodies.longest() <= COPY_LIMIT;
        if !nothing_else {
            return None;
        }
        let place = self.slab.iter().position(Option::is_some)?;
        let session = self.slab[place].as_ref()?;
        (session.state == State::Talking && !session.link.is_writing()).then_some(place as u32)
    }

    /// Once in a while: figures out, and is it to stop, and who waits too long.
    fn look(&mut self, now: u64) {
        self.next_look = now + LOOK_EVERY;
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_EVERY;
            self.sweep(now);
        }
        self.control.publish(self.counters.live(self.in_flight));
        if self.control.is_stopped() && !self.counters.stats.interrupted {
            self.interrupt(now);
        }
    }

    fn finish(mut self) -> LoadStats {
        // What the server leaves open after its last reply is no part of how fast it was.
        let seconds = self.done_at.unwrap_or_else(|| self.now()) as f64 / 1e9;
        let mut stats = self.counters.finish();
        stats.seconds = seconds;
        stats.open_loop = self.schedule.is_some();
        stats.client_cpu_seconds = cpu::thread_seconds() - self.cpu_before;
        stats.gather_micros = self.gather.map_or(0, |time| time.as_micros() as u64);
        self.control.publish(self.counters.live(0));
        stats
    }

    /// ns since the load began.
    fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }

    /// Every session has had its last reply, and no more will begin.
    fn is_done(&self) -> bool {
        self.in_flight == 0 && self.resting == 0 && (self.closed || self.taken >= self.count)
    }

    /// Its sockets are closed too.
    fn is_over(&self) -> bool {
        self.open == 0 && self.is_done()
    }

    /// When the engine has something to do though nothing comes, in ns.
    fn wakes_next(&self, now: u64) -> u64 {
        let timer = self.timers.peek().map_or(u64::MAX, |timer| timer.at);
        let connect = if self.connect_after > now { self.connect_after } else { u64::MAX };
        timer.min(connect).min(self.next_due).min(self.next_look)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
