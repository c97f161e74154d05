//! What the sampler reads, written down beside what the load does at that moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::SampleWriter;
use crate::model::{Sample, SocketCounts};
use crate::proc::State;
use crate::sampler::{Sink, SocketSample};

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
    /// None where what is read is not to be kept.
    writer: Option<Arc<Mutex<SampleWriter>>>,
    /// What the load does.
    pub load: Arc<LiveLoad>,
    sockets: BTreeMap<i32, SocketCounts>,
}

impl SampleLog {
    /// Begins the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(file: File) -> std::io::Result<Self> {
        let writer = Some(Arc::new(Mutex::new(SampleWriter::begin(file)?)));
        Ok(Self { writer, load: Arc::default(), sockets: BTreeMap::new() })
    }

    /// The same for a server whose figures are not its own: nothing of it is kept.
    pub fn silent(&self) -> Self {
        Self { writer: None, ..self.clone() }
    }

    /// Hands everything to the kernel.
    pub fn flush(&self) {
        let Some(writer) = &self.writer else { return };
        // A full disk shows at the journal's next line, which says so.
        let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

impl Sink for SampleLog {
    fn sample(&mut self, s: &Sample) {
        let Some(writer) = &self.writer else { return };
        let mut peaks = self.load.peaks.lock().unwrap_or_else(PoisonError::into_inner);
        let peak = peaks.entry(s.pid).or_default();
        *peak = (*peak).max(s.rss_anon);
        drop(peaks);
        let sample = Sample {
            // The newest count stands until the next: they are read less often.
            sockets: self.sockets.get(&s.pid).copied(),
            messages: self.load.messages.load(Ordering::Relaxed),
            open: self.load.open.load(Ordering::Relaxed),
            ..*s
        };
        let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).write(&sample);
    }

    fn sockets(&mut self, sample: &SocketSample) {
        let of = |state: State| sample.states.get(&state).copied().unwrap_or(0);
        let all: u32 = sample.states.values().sum();
        let (established, close_wait) = (of(State::Established), of(State::CloseWait));
        let other = all - established - close_wait - of(State::Listen);
        self.sockets.insert(sample.pid, SocketCounts { established, close_wait, other });
    }

    fn ended(&mut self, _seconds: f64, pid: i32) {
        self.sockets.remove(&pid);
    }
}
