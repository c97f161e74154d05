//! How much of the disk profiles may take: what was allowed, and what the file system has left.

use std::path::Path;
use std::time::{Duration, Instant};

/// Free room that is never used, bytes, or a tenth of the file system where that is less.
const KEPT: u64 = 500_000_000;

/// Kept beside it for the journal and the reports, bytes.
const FOR_REPORTS: u64 = 2 << 20;

/// Bytes that are released at one go, at most and at least.
const STEPS: (u64, u64) = (16 << 20, 64 << 10);

/// How long the load still writes when it has been told to stop, seconds.
const TO_STOP: f64 = 0.15;

/// Between two sums of the run's other files.
const SUM: Duration = Duration::from_secs(1);

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// All files of the run have taken as much as was allowed.
    MaxDisk {
        /// Bytes that they take.
        taken: u64,
    },
    /// The file system has hardly any room left.
    Free {
        /// Bytes that are free.
        free: u64,
    },
}

/// The room that there is.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Bytes that profiles may take in all.
    all: u64,
    /// Bytes that are free, and those that stay so.
    free: u64,
    kept: u64,
    /// Bytes of the run's other files, and when they were summed.
    others: u64,
    summed: Option<Instant>,
    /// What profiles took at the last look, when that was, and how fast it grew, bytes a second.
    last: Option<(u64, Instant)>,
    rate: f64,
}

impl Room {
    /// Looks how much there is. `taken` is what profiles and their compact forms take.
    pub fn look(&mut self, run: &Path, folder: &Path, taken: u64, most: u64) {
        if self.summed.is_none_or(|summed| summed.elapsed() > SUM) {
            self.summed = Some(Instant::now());
            self.others = others(run);
        }
        let stat = nix::sys::statvfs::statvfs(folder);
        (self.free, self.kept) = stat.map_or((u64::MAX / 2, 0), |stat| {
            let whole = stat.blocks() * stat.fragment_size();
            (stat.blocks_available() * stat.fragment_size(), KEPT.min(whole / 10) + FOR_REPORTS)
        });
        let by_disk = (taken + self.free).saturating_sub(self.kept);
        self.all = most.saturating_sub(self.others).min(by_disk);
    }

    /// Bytes from which on a profile is followed.
    pub fn worth_following(&self) -> u64 {
        self.all / 8
    }

    /// Bytes that are released at one go.
    pub fn step(&self) -> u64 {
        (self.all / 16 / 4096 * 4096).clamp(STEPS.1, STEPS.0)
    }

    /// Bytes that are left beside what is taken and what the reports need.
    pub fn left(&self, taken: u64, most: u64) -> u64 {
        let allowed = most.saturating_sub(self.others + FOR_REPORTS.min(most / 4)).saturating_sub(taken);
        allowed.min(self.free.saturating_sub(self.kept))
    }

    /// The bound that is reached, or will be before the load has stopped and the server has written its end. The reports
    /// need room, too.
    pub fn bound(&mut self, taken: u64, at_end: u64, most: u64) -> Option<Bound> {
        let now = Instant::now();
        if let Some((before, when)) = self.last.replace((taken, now)) {
            let rate = taken.saturating_sub(before) as f64 / now.duration_since(when).as_secs_f64().max(1e-3);
            // What is released comes back in steps: the fastest of the last looks counts.
            self.rate = rate.max(self.rate * 0.9);
        }
        let ahead = (self.rate * TO_STOP) as u64 + at_end;
        if self.free < self.kept + ahead {
            return Some(Bound::Free { free: self.free });
        }
        let taken = taken + self.others;
        (taken + ahead + FOR_REPORTS.min(most / 4) > most).then_some(Bound::MaxDisk { taken })
    }
}

/// What the run's files take, its profiles apart.
fn others(run: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = walkdir::WalkDir::new(run).max_depth(2).into_iter().flatten();
    let others = files.filter(|entry| !entry.file_name().to_string_lossy().contains("cachegrind.out."));
    others.filter_map(|entry| entry.metadata().ok()).filter(|meta| meta.is_file()).map(|meta| meta.blocks() * 512).sum()
}
