//! Locust for tests: the one of tests/install-tools.sh, and what runs of it.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const BIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/locust/bin");
const MARK: &str = "FLEET_OF_TEST";

/// Whether Locust is there. As other tools: where it is missing the test fails, or with `PROFILE_RUN_SKIP_MISSING=1` is
/// left out.
pub fn is_here() -> bool {
    let there = Path::new(BIN).join("locust").is_file();
    let leave_out = std::env::var_os("PROFILE_RUN_SKIP_MISSING").is_some_and(|value| value == "1");
    assert!(there || leave_out, "Locust is not here: `sh tests/install-tools.sh test` installs it (from PyPI)");
    there
}

/// A run with Locust, whose processes bear a mark.
pub struct Fleet {
    mark: String,
}

impl Fleet {
    /// One whose mark nobody else has.
    pub fn new(name: &str) -> Self {
        Self { mark: format!("{MARK}={name}.{}", std::process::id()) }
    }

    /// `program` with Locust on its PATH.
    pub fn command(&self, program: &str) -> Command {
        let mut path = OsString::from(BIN);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.env("PATH", path).env(MARK, self.mark.split_once('=').map_or("", |(_, value)| value));
        command
    }

    /// Processes of the run whose arguments hold `word`.
    pub fn processes(&self, word: &str) -> Vec<i32> {
        let entries = std::fs::read_dir("/proc").expect("/proc");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let read = |pid: i32, file: &str| {
            let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let is_ours = |pid: &i32| {
            read(*pid, "environ").split(' ').any(|set| set == self.mark) && read(*pid, "cmdline").contains(word)
        };
        pids.filter(is_ours).collect()
    }

    /// Waits until so many workers run; the first one's pid.
    pub fn worker(&self, many: usize) -> i32 {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let workers = self.processes("--worker");
            if workers.len() >= many {
                return workers[0];
            }
            assert!(Instant::now() < until, "no worker came");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nothing of it is left. A process that was killed ends when it is next scheduled.
    pub fn assert_gone(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.processes("").is_empty() {
            assert!(Instant::now() < until, "left behind: {:?}", self.processes(""));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
