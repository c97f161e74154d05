//! The ticker: a thread of its own that reads every process of the family at a fixed rate.
//! It allocates nothing between one process's coming and another's going: files stay open and are
//! read anew from their beginning, into one buffer.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Error, SocketSample, Trackers};
use crate::model::Clock;
use crate::model::Sample;
use crate::proc::{self, Process, Stat, Status, Tree};

/// How often what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Between two readings of the figures (memory, CPU, threads, descriptors).
    pub figures: Duration,
    /// Between two counts of sockets by state.
    pub sockets: Duration,
    /// Between two looks for new processes.
    pub processes: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        Self { figures: Duration::from_millis(50), sockets: Duration::from_secs(1), processes: Duration::from_secs(1) }
    }
}

/// Takes what the ticker reads, on the ticker's thread: it should be quick.
pub trait Sink: Send {
    /// One reading of one process.
    fn sample(&mut self, sample: &Sample);
    /// The sockets of one process.
    fn sockets(&mut self, sample: &SocketSample);
    /// A process came into the family.
    fn appeared(&mut self, _seconds: f64, _pid: i32) {}
    /// A process of the family ended.
    fn ended(&mut self, _seconds: f64, _pid: i32) {}
}

/// What the sampling was, for the report: how often really, and at what cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Effort {
    /// Seconds that the ticker ran.
    pub seconds: f64,
    /// Rounds of figures.
    pub rounds: u64,
    /// Rounds that were left out because the one before was late.
    pub missed: u64,
    /// Counts of sockets.
    pub socket_rounds: u64,
    /// CPU time of the sampling thread, seconds.
    pub cpu_seconds: f64,
    /// The longest time between two rounds, seconds.
    pub longest_gap: f64,
}

/// Picks the processes to watch out of all, the root first.
type Family = Box<dyn FnMut(&Tree) -> Vec<i32> + Send>;

#[derive(Default)]
struct Shared {
    stop: bool,
    socket_period: Option<Duration>,
    latest: Vec<Sample>,
    sockets: Vec<SocketSample>,
    effort: Effort,
}

/// Starts tickers.
pub struct Sampler;

impl Sampler {
    /// Starts a thread that samples the processes that `family` picks out of all (the first that it
    /// names is the root). Pids that come and go are found by itself.
    pub fn spawn(
        family: impl FnMut(&Tree) -> Vec<i32> + Send + 'static,
        clock: Clock,
        rates: Rates,
        sink: impl Sink + 'static,
    ) -> Result<SamplerHandle, Error> {
        let shared = Arc::new((Mutex::new(Shared::default()), Condvar::new()));
        let (tell, rounds) = watch::channel(0);
        let ticker = Ticker {
            rounds: tell,
            family: Box::new(family),
            clock,
            rates,
            sink: Box::new(sink),
            shared: Arc::clone(&shared),
            watched: Vec::new(),
            trackers: Trackers::default(),
            buffer: vec![0; 8192],
            ticks: proc::clock_ticks() as f64,
            fast_fds: proc::fd_count_is_fast(),
        };
        let thread = std::thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(move || ticker.run())
            .map_err(|source| Error::Thread { source })?;
        Ok(SamplerHandle { shared, rounds, thread: Some(thread) })
    }
}

/// A running ticker; dropping it ends the thread.
pub struct SamplerHandle {
    shared: Arc<(Mutex<Shared>, Condvar)>,
    rounds: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl SamplerHandle {
    /// The newest reading of each process that lives.
    pub fn latest(&self) -> Vec<Sample> {
        lock(&self.shared.0).latest.clone()
    }

    /// Counts the rounds of figures: whoever waits for a change is woken when new ones are there.
    pub fn rounds(&self) -> watch::Receiver<u64> {
        self.rounds.clone()
    }

    /// The newest count of sockets of each process that lives.
    pub fn sockets(&self) -> Vec<SocketSample> {
        lock(&self.shared.0).sockets.clone()
    }

    /// The processes that live, the root first.
    pub fn pids(&self) -> Vec<i32> {
        lock(&self.shared.0).latest.iter().map(|s| s.pid).collect()
    }

    /// Counts sockets at another pace from now on: more often while a server settles, say.
    pub fn count_sockets_every(&self, period: Duration) {
        lock(&self.shared.0).socket_period = Some(period);
    }

    /// What the sampling cost so far.
    pub fn effort(&self) -> Effort {
        lock(&self.shared.0).effort
    }

    /// Ends the thread and says what the sampling was.
    pub fn stop(mut self) -> Effort {
        self.end();
        self.effort()
    }

    fn end(&mut self) {
        lock(&self.shared.0).stop = true;
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed already; what it read until then stands.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for SamplerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SamplerHandle").field("effort", &self.effort()).finish_non_exhaustive()
    }
}

impl Drop for SamplerHandle {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is kept under the lock is whole after each step, so a panic elsewhere spoils nothing.
fn lock(mutex: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One process with the files that are read again and again. Open files stay with the process that
/// they were opened for, whoever gets its pid later.
struct Watched {
    process: Process,
    stat: File,
    status: File,
    fds: u32,
}

impl Watched {
    fn open(pid: i32) -> Result<Self, proc::Error> {
        let process = Process::open(pid)?;
        let (stat, status) = (process.file("stat")?, process.file("status")?);
        Ok(Self { process, stat, status, fds: 0 })
    }
}

struct Ticker {
    rounds: watch::Sender<u64>,
    family: Family,
    clock: Clock,
    rates: Rates,
    sink: Box<dyn Sink>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
    watched: Vec<Watched>,
    trackers: Trackers,
    buffer: Vec<u8>,
    ticks: f64,
    fast_fds: bool,
}

impl Ticker {
    fn run(mut self) {
        let begin = Instant::now();
        let (mut next, mut next_sockets, mut next_processes) = (begin, begin, begin);
        let mut effort = Effort::default();
        let mut before: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if let Some(before) = before {
                effort.longest_gap = effort.longest_gap.max((now - before).as_secs_f64());
            }
            before = Some(now);
            if now >= next_processes {
                self.look_for_processes();
                next_processes = after(next_processes, self.rates.processes, now).0;
            }
            let with_sockets = now >= next_sockets;
            let samples = self.figures(with_sockets);
            effort.rounds += 1;
            let sockets = with_sockets.then(|| self.sockets());
            if with_sockets {
                effort.socket_rounds += 1;
                next_sockets = after(next_sockets, self.rates.sockets, now).0;
            }
            let (then, missed) = after(next, self.rates.figures, Instant::now());
            next = then;
            effort.missed += missed;
            effort.seconds = begin.elapsed().as_secs_f64();
            effort.cpu_seconds = thread_cpu();
            match self.publish(samples, sockets, effort, next) {
                None => return,
                Some(Some(period)) => {
                    self.rates.sockets = period;
                    next_sockets = next_sockets.min(Instant::now() + period);
                }
                Some(None) => {}
            }
        }
    }

    /// Shows the newest figures and sleeps until the next round. `None` when it is time to end, else
    /// the new pace of the sockets if one was asked for.
    fn publish(
        &self,
        samples: Vec<Sample>,
        sockets: Option<Vec<SocketSample>>,
        effort: Effort,
        next: Instant,
    ) -> Option<Option<Duration>> {
        let mut shared = lock(&self.shared.0);
        shared.latest = samples;
        if let Some(sockets) = sockets {
            shared.sockets = sockets;
        }
        shared.effort = effort;
        self.rounds.send_replace(effort.rounds);
        while !shared.stop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(shared.socket_period.take());
            }
            shared = self.shared.1.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn look_for_processes(&mut self) {
        let Ok(tree) = Tree::scan() else { return };
        for pid in (self.family)(&tree) {
            // A zombie has nothing left to read.
            let alive = tree.get(pid).is_some_and(|e| e.state != 'Z');
            if alive
                && !self.watched.iter().any(|w| w.process.pid() == pid)
                && let Ok(watched) = Watched::open(pid)
            {
                self.watched.push(watched);
                self.sink.appeared(self.clock.seconds(), pid);
            }
        }
    }

    fn figures(&mut self, count_slowly: bool) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(self.watched.len());
        let (ticks, fast) = (self.ticks, self.fast_fds);
        let Self { watched, sink, clock, buffer, .. } = self;
        watched.retain_mut(|w| match read(w, clock.seconds(), ticks, fast, count_slowly, buffer) {
            Ok(sample) => {
                sink.sample(&sample);
                samples.push(sample);
                true
            }
            Err(_) => {
                sink.ended(clock.seconds(), w.process.pid());
                false
            }
        });
        samples
    }

    fn sockets(&mut self) -> Vec<SocketSample> {
        let seconds = self.clock.seconds();
        let processes: Vec<&Process> = self.watched.iter().map(|w| &w.process).collect();
        self.trackers.look(&processes);
        let mut out = Vec::with_capacity(processes.len());
        for process in processes {
            let Some(tracker) = self.trackers.get(process.pid()) else { continue };
            let sample = SocketSample { seconds, pid: process.pid(), states: tracker.states() };
            self.sink.sockets(&sample);
            out.push(sample);
        }
        out
    }
}

/// The next time on the grid of `period` after `now`, and how many of the grid were passed over.
fn after(due: Instant, period: Duration, now: Instant) -> (Instant, u64) {
    let next = due + period;
    if next > now || period.is_zero() {
        return (next.max(now), 0);
    }
    let missed = ((now - next).as_nanos() / period.as_nanos()) as u64 + 1;
    (next + period.mul_f64(missed as f64), missed)
}

fn read(
    w: &mut Watched,
    seconds: f64,
    ticks: f64,
    fast_fds: bool,
    count_slowly: bool,
    buffer: &mut [u8],
) -> Result<Sample, Error> {
    let pid = w.process.pid();
    let mut pread =
        |file: &File, name: &str| file.read_at(buffer, 0).map_err(|e| proc::Error::of_process(pid, name, e));
    let length = pread(&w.stat, "stat")?;
    let stat = Stat::parse(&buffer[..length])?;
    if matches!(stat.state, 'Z' | 'X' | 'x') {
        return Err(proc::Error::NoSuchProcess { pid }.into());
    }
    let length = w.status.read_at(buffer, 0).map_err(|e| proc::Error::of_process(pid, "status", e))?;
    let status = Status::parse(&buffer[..length])?;
    if fast_fds {
        w.fds = w.process.fd_count_fast()? as u32;
    } else if count_slowly {
        w.fds = w.process.fd_numbers()?.len() as u32;
    }
    Ok(Sample {
        seconds,
        pid,
        rss: status.rss,
        rss_anon: status.rss_anon,
        rss_file: status.rss_file,
        rss_shmem: status.rss_shmem,
        vsz: status.vsz,
        threads: status.threads,
        cpu: (stat.utime + stat.stime) as f64 / ticks,
        fds: w.fds,
        ..Sample::default()
    })
}

/// CPU time that this thread used, seconds.
fn thread_cpu() -> f64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(0.0, |t| t.tv_sec() as f64 + t.tv_nsec() as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_round_keeps_the_grid() {
        let (zero, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(after(zero, ms(50), zero + ms(3)), (zero + ms(50), 0));
        assert_eq!(after(zero, ms(50), zero + ms(50)), (zero + ms(100), 1));
        assert_eq!(after(zero, ms(50), zero + ms(170)), (zero + ms(200), 3));
    }
}
