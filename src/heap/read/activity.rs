//! Has a process done anything between two looks? Read from the scheduler's own counts.

use std::fs;

use super::stop::state_of;

/// What the scheduler says of each thread of a process. Equal before and after a copy, with all
/// threads asleep, means that the copy is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    threads: Vec<Thread>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Thread {
    id: i32,
    at_rest: bool,
    /// Time on a CPU, time waiting for one, and turns on one.
    schedstat: String,
    /// Voluntary and other context switches.
    switches: Vec<u64>,
}

impl Activity {
    /// Looks at every thread of `pid`; `None` where it is gone.
    pub fn of(pid: i32) -> Option<Activity> {
        let mut threads = Vec::new();
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            let task = task.ok()?;
            let path = task.path();
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let status = fs::read_to_string(path.join("status")).ok()?;
            let switches = status
                .lines()
                .filter_map(|line| line.split_once("_ctxt_switches:"))
                .filter_map(|(_, count)| count.trim().parse().ok())
                .collect();
            threads.push(Thread {
                id: task.file_name().to_str()?.parse().ok()?,
                // Asleep for an event, or stopped by somebody else.
                at_rest: matches!(state_of(&stat), Some('S' | 'T' | 't')),
                schedstat: fs::read_to_string(path.join("schedstat")).unwrap_or_default(),
                switches,
            });
        }
        threads.sort();
        Some(Activity { threads })
    }

    /// No thread is running or about to, and the scheduler's counts can be had.
    pub fn at_rest(&self) -> bool {
        !self.threads.is_empty() && self.threads.iter().all(|t| t.at_rest && t.switches.len() == 2)
    }
}
