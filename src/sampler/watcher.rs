//! One process watched for long: the floor's figures again and again, at a price that does not matter.

use std::time::{Duration, Instant};

use super::{Error, Floor, Trackers};
use crate::proc::{self, Process};

/// What is dear (descriptors, sockets, surroundings) is read this often at least.
const DEAR_EVERY: Duration = Duration::from_secs(1);
/// And this often at most, when the number of descriptors shows that something changed.
const DEAR_AT_MOST: Duration = Duration::from_millis(250);

/// Watches one process. It stays with that process: another one with the same pid is not taken for it.
#[derive(Debug)]
pub struct Watcher {
    process: Process,
    trackers: Trackers,
    floor: Floor,
    dear_read: Option<Instant>,
}

impl Watcher {
    /// Begins to watch.
    pub fn begin(pid: i32) -> Result<Self, Error> {
        let process = Process::open(pid)?;
        Ok(Self { process, trackers: Trackers::default(), floor: Floor::default(), dear_read: None })
    }

    /// Looks now. Memory, CPU and threads are of this moment; what is held open is at most a second old.
    pub fn look(&mut self) -> Result<&Floor, Error> {
        self.figures()?;
        let now = Instant::now();
        let age = self.dear_read.map(|then| now - then);
        // A tenth of leeway, so that a look each second is not one each other second.
        let due = age.is_none_or(|age| age >= DEAR_EVERY.mul_f64(0.9) || age >= DEAR_AT_MOST && self.changed());
        if due {
            self.dear_read = Some(now);
            self.read_dear()?;
        }
        Ok(&self.floor)
    }

    /// Takes the cheap figures; by another thread of the same process where the one that was read has ended.
    fn figures(&mut self) -> Result<(), Error> {
        let taken = self.floor.take_figures(&self.process);
        if (taken.is_err() || self.floor.state == 'Z')
            && let Ok(again) = self.process.again()
        {
            self.process = again;
            return self.floor.take_figures(&self.process);
        }
        taken
    }

    fn changed(&self) -> bool {
        self.process.fd_count_fast().is_ok_and(|n| n != 0 && n != u64::from(self.floor.fds.total))
    }

    fn read_dear(&mut self) -> Result<(), Error> {
        self.floor.take_surroundings(&self.process, &proc::Tree::scan()?)?;
        if self.floor.state == 'Z' {
            self.floor.take_holdings(&[], &Default::default(), None, &|_| None);
            return Ok(());
        }
        self.trackers.look(&[&self.process]);
        match self.trackers.get(self.process.pid()) {
            Some(t) => self.floor.take_holdings(t.descriptors(), t.tcp(), None, &|d| t.protocol(d)),
            // The trackers leave out what cannot be read; say why.
            None => drop(self.process.fd_numbers()?),
        }
        Ok(())
    }
}
