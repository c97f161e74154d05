//! What the sampler reads, written down beside what the load does at that moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::{Row, SampleWriter};
use crate::proc::State;
use crate::sampler::{Sample, Sink, SocketSample};

/// What the load does at this moment, and the peaks of the wave; shared with the sampler's thread.
#[derive(Debug, Default)]
pub struct LiveLoad {
    /// Messages accepted in the pass so far.
    pub messages: AtomicU64,
    /// Sessions open now.
    pub open: AtomicU64,
    peaks: Mutex<BTreeMap<i32, u64>>,
}

impl LiveLoad {
    /// Forgets the peaks: a wave begins.
    pub fn forget_peaks(&self) {
        self.peaks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The highest anonymous memory of a process since then.
    pub fn peak(&self, pid: i32) -> Option<u64> {
        self.peaks.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).copied()
    }
}

/// `samples.jsonl`, written by one sampler after another.
#[derive(Debug, Clone)]
pub struct SampleLog {
    writer: Arc<Mutex<SampleWriter>>,
    /// What the load does.
    pub load: Arc<LiveLoad>,
    sockets: BTreeMap<i32, [u32; 3]>,
}

impl SampleLog {
    /// Begins the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(file: File) -> std::io::Result<Self> {
        let writer = Arc::new(Mutex::new(SampleWriter::begin(file)?));
        Ok(Self { writer, load: Arc::default(), sockets: BTreeMap::new() })
    }

    /// Hands everything to the kernel.
    pub fn flush(&self) {
        // A full disk shows at the journal's next line, which says so.
        let _ = self.writer.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

impl Sink for SampleLog {
    fn sample(&mut self, s: &Sample) {
        let mut peaks = self.load.peaks.lock().unwrap_or_else(PoisonError::into_inner);
        let peak = peaks.entry(s.pid).or_default();
        *peak = (*peak).max(s.rss_anon);
        drop(peaks);
        let mut row = Row::default();
        for (field, value) in [
            ("seconds", s.seconds),
            ("pid", f64::from(s.pid)),
            ("rss", s.rss as f64),
            ("rss_anon", s.rss_anon as f64),
            ("rss_file", s.rss_file as f64),
            ("rss_shmem", s.rss_shmem as f64),
            ("vsz", s.vsz as f64),
            ("threads", f64::from(s.threads)),
            ("cpu", s.cpu()),
            ("fds", f64::from(s.fds)),
            ("messages", self.load.messages.load(Ordering::Relaxed) as f64),
            ("open", self.load.open.load(Ordering::Relaxed) as f64),
        ] {
            row.set(field, value);
        }
        // The newest count stands until the next: they are read less often.
        if let Some([established, close_wait, other]) = self.sockets.get(&s.pid) {
            row.set("established", f64::from(*established));
            row.set("close_wait", f64::from(*close_wait));
            row.set("other_sockets", f64::from(*other));
        }
        let _ = self.writer.lock().unwrap_or_else(PoisonError::into_inner).write(&row);
    }

    fn sockets(&mut self, sample: &SocketSample) {
        let of = |state: State| sample.states.get(&state).copied().unwrap_or(0);
        let all: u32 = sample.states.values().sum();
        let (established, close_wait) = (of(State::Established), of(State::CloseWait));
        let other = all - established - close_wait - of(State::Listen);
        self.sockets.insert(sample.pid, [established, close_wait, other]);
    }

    fn ended(&mut self, _seconds: f64, pid: i32) {
        self.sockets.remove(&pid);
    }
}
