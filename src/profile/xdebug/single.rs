//! Walks the records of a file from the last to the first, so that each is met below its caller, and takes the calls of
//! one function with all that they called. Knows pairs of file and name, no names.

use std::collections::HashMap;

use super::compact::Children;
use crate::profile::calls::{Backwards, OneCall, Step};

/// Steps of a call that are kept: the dearest.
const MOST_STEPS: usize = 2000;
/// Steps of all calls that are being taken. What comes when there are more is counted with its caller.
const MOST_OPEN: usize = 1 << 20;

/// A step of a call that is being taken, below its caller.
#[derive(Debug, Clone, Copy)]
struct Met {
    above: u32,
    pair: u32,
    time: u64,
    own: u64,
}

/// A call that is being taken, its last step first.
#[derive(Debug, Default)]
struct Open {
    segment: u32,
    steps: Vec<Met>,
    calls: u64,
    /// Records that are still to come.
    awaited: u64,
}

/// A step: of which call, and which.
type Place = (u32, u32);

/// Takes records from the last to the first.
#[derive(Debug)]
pub(super) struct Singles {
    target: u32,
    parents: Vec<(Option<Place>, u64)>,
    claimed: HashMap<u64, Option<Place>>,
    /// What the times of records to come are too high by.
    excess: HashMap<u64, u64>,
    taken: u64,
    segment: u32,
    open: HashMap<u32, Open>,
    steps: usize,
    begun: u32,
    done: Backwards,
}

impl Singles {
    /// The calls of a pair are wanted.
    pub(super) fn of(target: u32) -> Self {
        Singles {
            target,
            parents: Vec::new(),
            claimed: HashMap::new(),
            excess: HashMap::new(),
            taken: 0,
            segment: 0,
            open: HashMap::new(),
            steps: 0,
            begun: 0,
            done: Backwards::default(),
        }
    }

    /// The end of a run: the records before it belong to it.
    pub(super) fn end_of_run(&mut self, roots: u64) {
        self.close_all();
        self.parents.clear();
        self.claimed.clear();
        self.parents.push((None, roots));
    }

    /// The records to come stand behind so many marks.
    pub(super) fn enter(&mut self, segment: u32) {
        self.segment = segment;
    }

    /// Records taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The time of the record that stands so many before is too high by so much.
    pub(super) fn excess(&mut self, distance: u64, time: u64) {
        self.excess.insert(self.taken.saturating_add(distance.saturating_sub(1)), time);
    }

    /// A record of a pair and its own time; `counts`: its call began in this process.
    pub(super) fn record(&mut self, pair: u32, own: u64, counts: bool, children: &Children) {
        let own = own.saturating_sub(self.excess.remove(&self.taken).unwrap_or(0));
        let above = self.claimed.remove(&self.taken).unwrap_or_else(|| self.next_parent());
        self.taken += 1;
        let place = match above {
            Some(above) => Some(self.below(above, pair, own)),
            None if pair == self.target && counts => Some(self.begin(pair, own)),
            None => None,
        };
        let count = match children {
            Children::Last(count) => *count,
            Children::At(distances) => {
                for distance in distances {
                    self.claimed.insert((self.taken - 1).saturating_add(*distance), place);
                }
                distances.len() as u64
            }
        };
        if let Children::Last(1..) = children {
            self.parents.push((place, count));
        }
        if let Some((number, _)) = place
            && let Some(call) = self.open.get_mut(&number)
        {
            call.awaited += count;
            if call.awaited == 0 {
                self.close(number);
            }
        }
    }

    /// All records are taken.
    pub(super) fn finish(mut self) -> Backwards {
        self.close_all();
        self.done
    }

    fn next_parent(&mut self) -> Option<Place> {
        while let Some((place, left)) = self.parents.last_mut() {
            if *left > 0 {
                *left -= 1;
                return *place;
            }
            self.parents.pop();
        }
        None
    }

    fn begin(&mut self, pair: u32, own: u64) -> Place {
        let number = self.begun;
        self.begun += 1;
        let steps = vec![Met { above: 0, pair, time: own, own }];
        self.open.insert(number, Open { segment: self.segment, steps, calls: 1, awaited: 0 });
        self.steps += 1;
        (number, 0)
    }

    fn below(&mut self, (number, above): Place, pair: u32, own: u64) -> Place {
        let Some(call) = self.open.get_mut(&number) else { return (number, above) };
        call.awaited = call.awaited.saturating_sub(1);
        call.calls += 1;
        if self.steps >= MOST_OPEN {
            let caller = &mut call.steps[above as usize];
            caller.time = caller.time.saturating_add(own);
            return (number, above);
        }
        call.steps.push(Met { above, pair, time: own, own });
        self.steps += 1;
        (number, call.steps.len() as u32 - 1)
    }

    fn close_all(&mut self) {
        let mut open: Vec<u32> = self.open.keys().copied().collect();
        open.sort_unstable();
        open.into_iter().for_each(|number| self.close(number));
    }

    fn close(&mut self, number: u32) {
        let Some(mut call) = self.open.remove(&number) else { return };
        self.steps -= call.steps.len();
        for at in (1..call.steps.len()).rev() {
            let Met { above, time, .. } = call.steps[at];
            let caller = &mut call.steps[above as usize];
            caller.time = caller.time.saturating_add(time);
        }
        let (segment, calls, time) = (call.segment, call.calls, call.steps[0].time);
        self.done.take(OneCall { segment, time, calls, steps: in_time(&call.steps) });
    }
}

/// The dearest steps in the order of time. A caller stands before what it called and took no less, so it stays where that
/// does.
fn in_time(met: &[Met]) -> Vec<Step> {
    let mut order: Vec<usize> = (0..met.len()).collect();
    if order.len() > MOST_STEPS {
        order.select_nth_unstable_by_key(MOST_STEPS, |at| (std::cmp::Reverse(met[*at].time), *at));
        order.truncate(MOST_STEPS);
        order.sort_unstable();
    }
    let mut below: HashMap<u32, Vec<usize>> = HashMap::new();
    for at in &order[1..] {
        below.entry(met[*at].above).or_default().push(*at);
    }
    let mut steps = Vec::with_capacity(order.len());
    let mut waiting = vec![(0, 0)];
    while let Some((at, depth)) = waiting.pop() {
        let Met { pair, time, own, .. } = met[at];
        steps.push(Step { depth, function: pair, time, own });
        // The last one was met first, so the first is taken off first.
        waiting.extend(below.remove(&(at as u32)).into_iter().flatten().map(|at| (at, depth + 1)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::calls::Calls;

    fn steps(call: (u64, &OneCall)) -> Vec<(u32, u32, u64, u64)> {
        call.1.steps.iter().map(|step| (step.depth, step.function, step.time, step.own)).collect()
    }

    /// Two calls of pair 2 below a loop of pair 1: the first calls 3, then 4, which calls 3; the second nothing.
    fn two(distances: bool) -> Calls {
        let mut singles = Singles::of(2);
        singles.end_of_run(1);
        singles.record(1, 100, true, &Children::Last(2));
        singles.record(2, 7, true, &Children::Last(0));
        singles.record(2, 1, true, &if distances { Children::At(vec![3, 1]) } else { Children::Last(2) });
        singles.record(4, 20, true, &if distances { Children::At(vec![1]) } else { Children::Last(1) });
        singles.record(3, 5, true, &Children::Last(0));
        singles.record(3, 10, true, &Children::Last(0));
        assert_eq!(singles.taken(), 6);
        singles.finish().settled(|pair| pair)
    }

    #[test]
    fn each_call_has_what_it_called_in_the_order_of_time() {
        for distances in [false, true] {
            let calls = two(distances);
            assert_eq!(calls.count(), 2);
            let first = calls.first().unwrap();
            assert_eq!((first.0, first.1.time, first.1.calls), (1, 36, 4));
            assert_eq!(steps(first), [(0, 2, 36, 1), (1, 3, 10, 10), (1, 4, 25, 20), (2, 3, 5, 5)]);
            assert_eq!(steps(calls.last().unwrap()), [(0, 2, 7, 7)]);
        }
    }

    #[test]
    fn what_began_in_another_process_is_no_call_and_a_wrapped_time_is_put_right() {
        let mut singles = Singles::of(1);
        singles.end_of_run(2);
        singles.excess(2, 90);
        singles.record(1, 5, false, &Children::Last(0));
        singles.record(1, 100, true, &Children::Last(0));
        let calls = singles.finish().settled(|pair| pair);
        assert_eq!((calls.count(), calls.first().unwrap().1.time), (1, 10));
    }

    #[test]
    fn of_a_call_with_very_many_steps_the_dearest_stay_and_its_time_is_whole() {
        let mut singles = Singles::of(1);
        singles.end_of_run(1);
        let count = MOST_OPEN as u64 + 10;
        singles.record(1, 1, true, &Children::Last(count));
        (0..count).for_each(|at| singles.record(2, 1 + at % 3, true, &Children::Last(0)));
        let calls = singles.finish().settled(|pair| pair);
        let call = calls.first().unwrap().1;
        let all: u64 = 1 + (0..count).map(|at| 1 + at % 3).sum::<u64>();
        assert_eq!((call.calls, call.time, call.steps.len()), (count + 1, all, MOST_STEPS));
        assert!(call.steps[1..].iter().all(|step| step.time == 3));
    }
}
