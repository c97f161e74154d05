//! What the ticker hands out, in the compact row form that a run's folder keeps.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::proc::State;

/// One reading of one process. Memory in bytes, CPU time in seconds since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds on the run's clock.
    pub seconds: f64,
    /// Process id.
    pub pid: i32,
    /// Resident memory.
    pub rss: u64,
    /// Its anonymous part.
    pub rss_anon: u64,
    /// Its part that maps files.
    pub rss_file: u64,
    /// Its part that is shared memory.
    pub rss_shmem: u64,
    /// Virtual size.
    pub vsz: u64,
    /// Threads.
    pub threads: u32,
    /// CPU time in user mode.
    pub utime: f64,
    /// CPU time in the kernel.
    pub stime: f64,
    /// Open descriptors.
    pub fds: u32,
}

impl Sample {
    /// Names and units of the columns of a row, in order.
    pub const FIELDS: [(&'static str, &'static str); 11] = [
        ("seconds", "s"),
        ("pid", ""),
        ("rss", "B"),
        ("rss_anon", "B"),
        ("rss_file", "B"),
        ("rss_shmem", "B"),
        ("vsz", "B"),
        ("threads", ""),
        ("utime", "s"),
        ("stime", "s"),
        ("fds", ""),
    ];

    /// Appends the row as a JSON array, without a line end.
    pub fn write_row(&self, out: &mut String) {
        let s = self;
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "[{:.4},{},{},{},{},{},{},{},{:.2},{:.2},{}]",
            s.seconds, s.pid, s.rss, s.rss_anon, s.rss_file, s.rss_shmem, s.vsz, s.threads, s.utime, s.stime, s.fds
        );
    }

    /// Reads a row back.
    pub fn read_row(text: &str) -> Result<Self, serde_json::Error> {
        type Row = (f64, i32, u64, u64, u64, u64, u64, u32, f64, f64, u32);
        let (seconds, pid, rss, rss_anon, rss_file, rss_shmem, vsz, threads, utime, stime, fds): Row =
            serde_json::from_str(text)?;
        Ok(Self { seconds, pid, rss, rss_anon, rss_file, rss_shmem, vsz, threads, utime, stime, fds })
    }

    /// CPU time in all, seconds.
    pub fn cpu(&self) -> f64 {
        self.utime + self.stime
    }
}

/// The TCP sockets that one process holds, by state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SocketSample {
    /// Seconds on the run's clock.
    pub seconds: f64,
    /// Process id.
    pub pid: i32,
    /// How many in each state; states that nobody is in are left out.
    pub states: BTreeMap<State, u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let sample = Sample {
            seconds: 12.3456,
            pid: 4242,
            rss: 5 << 20,
            rss_anon: 3 << 20,
            rss_file: 2 << 20,
            rss_shmem: 0,
            vsz: 1 << 40,
            threads: 3,
            utime: 1.25,
            stime: 0.5,
            fds: 1024,
        };
        let mut row = String::new();
        sample.write_row(&mut row);
        assert_eq!(Sample::read_row(&row).unwrap(), sample);
        assert_eq!(row.split(',').count(), Sample::FIELDS.len());
        assert!(Sample::read_row("[1,2").is_err());
    }
}
