//! Lives of a server: when so much of it was replaced that what it had gathered is gone.

use std::collections::BTreeMap;

use crate::journal::ProcessFloor;

/// A new life begins where less than this part of the memory of the floor before is in processes that still live. A pool
/// whose workers are replaced one by one, or a helper that comes and goes, is the same life; a worker that holds most of
/// the memory is not.
const SURVIVES: f64 = 0.5;

/// So many processes that went, and came in their place, between two floors are a pool, whose workers are of all ages: there
/// is no life that all of it shares, and what the pool as a whole keeps shows in its sum. Who starts them lives on.
const POOL: usize = 2;

/// Counts the lives of one tree, floor after floor.
#[derive(Debug, Clone, Default)]
pub struct Lives {
    life: u32,
    before: BTreeMap<i32, f64>,
}

impl Lives {
    /// Takes the processes of the next floor; gives back the number of the life that they are, from 1.
    pub fn take(&mut self, processes: &[ProcessFloor]) -> u32 {
        let memory = |process: &ProcessFloor| process.figures.get("rss_anon").copied().unwrap_or(0.0) + 1.0;
        let now: BTreeMap<i32, f64> = processes.iter().map(|process| (process.pid, memory(process))).collect();
        let all: f64 = self.before.values().sum();
        let left: f64 = self.before.iter().filter(|(pid, _)| now.contains_key(pid)).map(|(_, memory)| memory).sum();
        let gone = self.before.keys().filter(|pid| !now.contains_key(pid)).count();
        let come = now.keys().filter(|pid| !self.before.contains_key(pid)).count();
        let pool = left > 0.0 && gone >= POOL && come >= POOL;
        if self.life == 0 || (left < all * SURVIVES && !pool) {
            self.life += 1;
        }
        if !now.is_empty() {
            self.before = now;
        }
        self.life
    }

    /// The life of the last floor; 0 before the first.
    pub fn current(&self) -> u32 {
        self.life
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(processes: &[(i32, f64)]) -> Vec<ProcessFloor> {
        let floor = |(pid, memory): &(i32, f64)| ProcessFloor {
            pid: *pid,
            figures: [("rss_anon".to_owned(), *memory)].into(),
            ..ProcessFloor::default()
        };
        processes.iter().map(floor).collect()
    }

    #[test]
    fn a_worker_that_holds_the_memory_is_a_life_and_a_helper_is_none() {
        let mut lives = Lives::default();
        assert_eq!(lives.take(&tree(&[(1, 10e6), (2, 12e6)])), 1);
        assert_eq!(lives.take(&tree(&[(1, 10e6), (2, 15e6)])), 1);
        assert_eq!(lives.take(&tree(&[(1, 10e6), (3, 12e6)])), 2, "the worker was replaced");
        assert_eq!(lives.take(&tree(&[(1, 10e6), (3, 12e6), (9, 1e6)])), 2);
        assert_eq!(lives.take(&tree(&[(1, 10e6), (3, 12e6), (10, 1e6)])), 2, "a helper came and went");
        let whole = |first: i32| tree(&[(1, 8e6), (first, 9e6), (first + 1, 9e6), (first + 2, 9e6)]);
        let mut lives = Lives::default();
        let counts: Vec<u32> = (20..30).map(|wave| lives.take(&whole(wave * 10))).collect();
        assert_eq!(counts, [1; 10], "a pool whose workers are all replaced between two floors");
        let pool = |first: i32| -> Vec<(i32, f64)> { (first..first + 8).map(|pid| (pid, 5e6)).collect() };
        let mut lives = Lives::default();
        let counts: Vec<u32> = (20..30).map(|first| lives.take(&tree(&pool(first)))).collect();
        assert_eq!(counts, [1; 10], "a pool whose workers are replaced one by one");
    }
}
