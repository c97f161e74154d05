//! The calls of one function, each by itself: how long each took, and of some of them all that they called, in the
//! order in which it was called. Values, and which of them are kept.

use std::collections::BTreeMap;

/// Steps of all calls that are kept beside the slowest, the first and the last.
const MOST_KEPT: usize = 1 << 19;

/// The function whose calls are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file that defines it.
    pub file: String,
    /// Its name.
    pub name: String,
}

/// One step of a call: the call itself, or one that was made in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How deep it stands; the call itself has 0.
    pub depth: u32,
    /// The function.
    pub function: u32,
    /// Nanoseconds with all that it called.
    pub time: u64,
    /// Nanoseconds of its own.
    pub own: u64,
}

/// One call and what was called in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneCall {
    /// Marks of the recording that stand before its end.
    pub segment: u32,
    /// Nanoseconds.
    pub time: u64,
    /// Calls in it, itself among them.
    pub calls: u64,
    /// Each before those that it made, in the order of time; of very many the dearest.
    pub steps: Vec<Step>,
}

/// Calls of one function. Of very many some are kept: the first, the last, the slowest, and of the others every so many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// Nanoseconds of each.
    times: Vec<u64>,
    /// Those that are kept, by their number from 1: in the order in which they ended, file by file.
    kept: BTreeMap<u64, OneCall>,
}

impl Calls {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.times.len() as u64
    }

    /// The one that took longest.
    pub fn slowest(&self) -> Option<(u64, &OneCall)> {
        self.kept().max_by_key(|(number, call)| (call.time, std::cmp::Reverse(*number)))
    }

    /// The one that took as long as the median; of very many the nearest to it of those that are kept.
    pub fn median(&self) -> Option<(u64, &OneCall)> {
        let mut times = self.times.clone();
        let middle = times.len().checked_sub(1)? / 2;
        let median = *times.select_nth_unstable(middle).1;
        self.kept().min_by_key(|(_, call)| call.time.abs_diff(median))
    }

    /// The first that ended.
    pub fn first(&self) -> Option<(u64, &OneCall)> {
        self.kept().next()
    }

    /// The last.
    pub fn last(&self) -> Option<(u64, &OneCall)> {
        self.kept().next_back()
    }

    fn kept(&self) -> impl DoubleEndedIterator<Item = (u64, &OneCall)> {
        self.kept.iter().map(|(number, call)| (*number, call))
    }

    /// Adds those of another file, which come behind.
    pub(crate) fn absorb(&mut self, other: &mut Calls) {
        let before = self.count();
        self.times.append(&mut other.times);
        self.kept.extend(std::mem::take(&mut other.kept).into_iter().map(|(number, call)| (before + number, call)));
        while self.kept.values().map(|call| call.steps.len()).sum::<usize>() > MOST_KEPT {
            let slowest = self.slowest().map(|(number, _)| number);
            let ends = [self.first(), self.last()].map(|end| end.map(|(number, _)| number));
            let (before, mut nth) = (self.kept.len(), 0);
            self.kept.retain(|number, _| {
                nth += 1;
                slowest == Some(*number) || ends.contains(&Some(*number)) || nth % 2 == 0
            });
            if self.kept.len() == before {
                return;
            }
        }
    }
}

/// Takes the calls of one file, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Backwards {
    times: Vec<u64>,
    /// By how many came before.
    kept: BTreeMap<usize, OneCall>,
    steps: usize,
    stride: usize,
    slowest: (u64, usize),
}

impl Backwards {
    /// The call that stands before all others.
    pub(crate) fn take(&mut self, call: OneCall) {
        let nth = self.times.len();
        self.stride = self.stride.max(1);
        self.times.push(call.time);
        let before = self.slowest.1;
        self.slowest = self.slowest.max((call.time, nth));
        // The first in time is the last that comes.
        for passed in [nth.checked_sub(1), Some(before)].into_iter().flatten() {
            self.let_go(passed, nth);
        }
        self.steps += call.steps.len();
        self.kept.insert(nth, call);
        while self.steps > MOST_KEPT && self.stride <= nth {
            self.stride *= 2;
            let all: Vec<usize> = self.kept.keys().copied().collect();
            all.into_iter().for_each(|kept| self.let_go(kept, nth));
        }
    }

    /// Drops a call that is neither the first, the last, the slowest, nor one of the sample.
    fn let_go(&mut self, kept: usize, first: usize) {
        if kept == first || kept == self.slowest.1 || kept.is_multiple_of(self.stride) {
            return;
        }
        self.steps -= self.kept.remove(&kept).map_or(0, |call| call.steps.len());
    }

    /// All of them, in the order of time. `function` gives the profile's ids for those of the file.
    pub(crate) fn settled(self, mut function: impl FnMut(u32) -> u32) -> Calls {
        let Backwards { mut times, kept, .. } = self;
        let count = times.len();
        times.reverse();
        let mut named = |mut call: OneCall| {
            call.steps.iter_mut().for_each(|step| step.function = function(step.function));
            call
        };
        let kept = kept.into_iter().map(|(nth, call)| ((count - nth) as u64, named(call))).collect();
        Calls { times, kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(time: u64, steps: usize) -> OneCall {
        let step = Step { depth: 0, function: 0, time, own: time };
        OneCall { time, calls: steps as u64, steps: vec![step; steps], segment: 0 }
    }

    fn calls(times: &[u64], steps: usize) -> Calls {
        let mut taken = Backwards::default();
        times.iter().rev().for_each(|time| taken.take(call(*time, steps)));
        taken.settled(|function| function)
    }

    fn numbers(calls: &Calls) -> [u64; 4] {
        [calls.slowest(), calls.median(), calls.first(), calls.last()].map(|call| call.unwrap().0)
    }

    #[test]
    fn the_slowest_the_median_the_first_and_the_last_are_known() {
        let of = calls(&[5, 9, 1, 7, 2], 1);
        assert_eq!((of.count(), numbers(&of)), (5, [2, 1, 1, 5]));
        assert_eq!(numbers(&calls(&[4, 4], 1)), [1, 1, 1, 2], "of equal ones the first");
        assert_eq!((calls(&[], 1).count(), calls(&[], 1).median()), (0, None));
    }

    #[test]
    fn of_very_many_some_are_kept_within_bounds() {
        let count = 5000;
        let mut times: Vec<u64> = (0..count).map(|at| 1000 + at * 7919 % count).collect();
        times[1233] = 99_999;
        let mut of = calls(&times, 2000);
        let steps = |calls: &Calls| calls.kept.values().map(|call| call.steps.len()).sum::<usize>();
        assert!(steps(&of) <= MOST_KEPT + 6000, "{}", steps(&of));
        let median = of.median().unwrap().1.time;
        assert!(median.abs_diff(1000 + count / 2) < count / 20, "{median}");
        assert_eq!((of.count(), numbers(&of)[0], numbers(&of)[2], numbers(&of)[3]), (count, 1234, 1, count));
        of.absorb(&mut calls(&times, 2000));
        assert!(steps(&of) <= MOST_KEPT, "{}", steps(&of));
        assert_eq!((of.count(), numbers(&of)[0], numbers(&of)[2], numbers(&of)[3]), (2 * count, 1234, 1, 2 * count));
    }
}
