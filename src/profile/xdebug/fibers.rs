//! Several stacks in one file. Each fiber has a stack of its own and all of them write their records into one row, so
//! "the last k" holds within a stack alone. Two kinds of record tell where the row changes stacks: `Fiber::suspend`
//! ends when its fiber is resumed, and `Fiber->resume` (or `throw`) ends when the fiber has suspended or ended. Callers
//! wait for their fibers one within the other, so they come back in order. Which of the suspended stacks runs on
//! nobody writes: the claims of the first record that reaches below its own piece tell.

use std::collections::BTreeSet;

use super::claims::Subtree;
use super::lexer::Claim;

/// What a function is to the stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Role {
    #[default]
    Plain,
    /// The script.
    Main,
    /// Runs a new fiber until that suspends or ends.
    Start,
    /// Runs a suspended fiber on, likewise.
    Resume,
    /// Hands back to whoever runs the fiber.
    Suspend,
}

impl Role {
    /// The role of the function of this name.
    pub(crate) fn of(name: &[u8]) -> Role {
        match name {
            b"{main}" => Role::Main,
            b"php::Fiber->start" => Role::Start,
            b"php::Fiber->resume" | b"php::Fiber->throw" => Role::Resume,
            b"php::Fiber::suspend" => Role::Suspend,
            _ => Role::Plain,
        }
    }

    /// True for the calls that hand the processor to another stack and hold its time.
    pub(crate) fn is_switch(self) -> bool {
        matches!(self, Role::Start | Role::Resume | Role::Suspend)
    }
}

/// Unclaimed calls of one stack, or of a piece of it, in order of their end.
pub(crate) type Stack = Vec<Subtree>;

/// How many of the stack's last calls meet the last claims, one by one; beyond [`MOST`] nobody looks.
fn run(stack: &[Subtree], claims: &[Claim], slack: u64) -> usize {
    let pairs = stack.iter().rev().zip(claims.iter().rev()).take(MOST);
    pairs.take_while(|(subtree, claim)| subtree.meets(claim, slack)).count()
}

/// The stacks that do not run.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    /// Those that wait in `resume` or `throw`, the outermost first.
    callers: Vec<Stack>,
    /// Those of suspended fibers, and what fibers that ended have left; empty ones are free places.
    parked: Vec<Stack>,
    free: Vec<usize>,
    /// Parked stacks by their last call.
    by_last: Places<usize>,
    /// Ordinals of calls that began with a `Fiber->start`, by the call below. Where a fiber's first piece
    /// begins, nobody writes either: its calls stand on the stack of whoever started it until somebody claims them.
    started: Places<u64>,
}

/// Where the rest of a stack was found.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Further down in the stack that runs: what is above belongs to another one.
    Below(usize),
    /// With a caller, whose fiber has ended without a word (it was destroyed), as have those of the callers within.
    Caller(usize),
    /// So many calls of another stack, before one of its calls or its end. What is below them stays where it is: calls of
    /// nearly the same cost are taken for each other at times, and that must not put one stack on another.
    Piece { of: Owner, end: usize, length: usize },
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Caller(usize),
    Parked(usize),
}

/// Candidates of one kind that are looked at for one claim.
const CANDIDATES: usize = 4096;
/// The same, of those whose cost is the nearest on either side.
const NEARBY: usize = 32;
/// The same, anywhere, where nothing else fits.
const ANYWHERE: usize = 1 << 17;
/// Claims that are held against a candidate, and so many in a row that they are no accident.
const MOST: usize = 256;
const SURE: usize = 8;
/// By how much a cost may be off, where none fits: two calls of one function that cost nearly the same may have been
/// taken for each other before, and then the one that is left is the other's.
const SLACKS: [u64; 3] = [0, 16, u64::MAX];

impl Stacks {
    pub(crate) fn clear(&mut self) {
        *self = Stacks::default();
    }

    /// All calls of all stacks that do not run.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Subtree> {
        self.callers.iter().chain(&self.parked).flatten()
    }

    /// A call of this role ends: the row goes on with the stack that it belongs to. True when that is another one.
    pub(crate) fn switch(&mut self, role: Role, running: &mut Stack) -> bool {
        match role {
            Role::Suspend => self.callers.push(std::mem::take(running)),
            Role::Resume => match self.callers.pop() {
                Some(caller) => self.park(std::mem::replace(running, caller)),
                None => return false,
            },
            Role::Start | Role::Plain | Role::Main => return false,
        }
        true
    }

    /// A call that began with a `Fiber->start` is put on top of another: that may be the fiber's.
    pub(crate) fn started(&mut self, ordinal: u64, below: Option<&Subtree>) {
        if let Some(below) = below {
            self.started.insert(below, ordinal);
        }
    }

    fn park(&mut self, stack: Stack) {
        let Some(last) = stack.last() else { return };
        let at = self.free.pop().unwrap_or_else(|| {
            self.parked.push(Stack::new());
            self.parked.len() - 1
        });
        self.by_last.insert(last, at);
        self.parked[at] = stack;
    }

    fn unpark(&mut self, at: usize) -> Stack {
        let stack = std::mem::take(&mut self.parked[at]);
        if let Some(last) = stack.last() {
            self.by_last.remove(last, at);
            self.free.push(at);
        }
        stack
    }

    /// Makes the stack run on which the call stands that the last of the claims means: the one on which the most claims
    /// are met in a row, then the one whose cost is the nearest, then the latest. False where there is none.
    pub(crate) fn find(&mut self, running: &mut Stack, claims: &[Claim], looks: &mut u64) -> bool {
        let Some(place) = SLACKS.into_iter().find_map(|slack| self.best(running, claims, slack, looks)) else {
            return false;
        };
        let found = match place {
            Place::Below(at) => {
                self.park(running.split_off(at + 1));
                return true;
            }
            Place::Caller(at) => {
                let mut callers = self.callers.split_off(at).into_iter();
                let caller = callers.next().unwrap_or_default();
                callers.for_each(|within| self.park(within));
                caller
            }
            Place::Piece { of: Owner::Caller(at), end, length } => self.callers[at].drain(end - length..end).collect(),
            Place::Piece { of: Owner::Parked(at), end, length } => {
                let mut stack = self.unpark(at);
                let piece = stack.drain(end - length..end).collect();
                self.park(stack);
                piece
            }
        };
        let above = std::mem::replace(running, found);
        self.park(above);
        true
    }

    fn best(&mut self, running: &Stack, claims: &[Claim], slack: u64, looks: &mut u64) -> Option<Place> {
        let claim = claims.last()?;
        let mut best = Best { claims, slack, rank: None, place: None };
        // All that stands on a fiber's stack is its own, unless another was destroyed meanwhile.
        for (at, caller) in self.callers.iter().enumerate().rev().take(if running.is_empty() { 0 } else { CANDIDATES })
        {
            *looks += 1;
            best.consider(caller, |_| Place::Caller(at));
        }
        for (at, subtree) in running.iter().enumerate().rev().skip(1).take(CANDIDATES) {
            *looks += 1;
            if subtree.is_meant_by(claim) && best.consider(&running[..=at], |_| Place::Below(at)) {
                break;
            }
        }
        for (_, _, at) in self.by_last.near(claim, 0) {
            *looks += 1;
            let (of, end) = (Owner::Parked(at), self.parked[at].len());
            best.consider(&self.parked[at], |length| Place::Piece { of, end, length });
        }
        let started: Vec<_> = self.started.near(claim, 0).collect();
        for key in started {
            let found = self.find_call(key.2, looks);
            let before = found.map_or(&[][..], |(of, end)| &self.stack(of)[..end]);
            match (found, before.last()) {
                (Some((of, end)), Some(last)) if (last.pair, last.inclusive) == (key.0, key.1) => {
                    best.consider(before, |length| Place::Piece { of, end, length });
                }
                _ => drop(self.started.all.remove(&key)),
            }
        }
        if best.place.is_none() {
            // Fibers that were destroyed can have put several stacks on each other.
            let places = self.owners().flat_map(|of| (1..=self.stack(of).len()).rev().map(move |end| (of, end)));
            for (of, end) in places.take(ANYWHERE) {
                *looks += 1;
                if best.consider(&self.stack(of)[..end], |length| Place::Piece { of, end, length }) {
                    break;
                }
            }
        }
        best.place
    }

    fn stack(&self, of: Owner) -> &[Subtree] {
        match of {
            Owner::Caller(at) => &self.callers[at],
            Owner::Parked(at) => &self.parked[at],
        }
    }

    /// The callers, the innermost first, then what is parked.
    fn owners(&self) -> impl Iterator<Item = Owner> {
        let callers = (0..self.callers.len()).rev().map(Owner::Caller);
        callers.chain((0..self.parked.len()).rev().map(Owner::Parked))
    }

    /// The stack on which a call stands unclaimed, and where.
    fn find_call(&self, ordinal: u64, looks: &mut u64) -> Option<(Owner, usize)> {
        self.owners().find_map(|of| {
            *looks += 1;
            let at = self.stack(of).binary_search_by_key(&ordinal, |subtree| subtree.ordinal).ok()?;
            Some((of, at))
        })
    }
}

/// Places by the call that stands there.
#[derive(Debug)]
struct Places<T> {
    all: BTreeSet<(u32, i64, T)>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places { all: BTreeSet::new() }
    }
}

impl<T: Ord + Copy> Places<T> {
    fn insert(&mut self, call: &Subtree, place: T) {
        self.all.insert((call.pair, call.inclusive, place));
    }

    fn remove(&mut self, call: &Subtree, place: T) {
        self.all.remove(&(call.pair, call.inclusive, place));
    }

    /// Places of calls that a claim may mean, those of the nearest cost.
    fn near(&self, claim: &Claim, least: T) -> impl Iterator<Item = (u32, i64, T)> {
        let of_pair = |(pair, _, _): &&(u32, i64, T)| *pair == claim.pair;
        let time = claim.time.unwrap_or(0);
        let above = self.all.range((claim.pair, time, least)..).take_while(of_pair).take(NEARBY);
        let below = self.all.range(..(claim.pair, time, least)).rev().take_while(of_pair).take(NEARBY);
        above.chain(below).copied()
    }
}

/// The best place so far.
struct Best<'a> {
    claims: &'a [Claim],
    slack: u64,
    /// Claims met in a row, nearness of the cost, ordinal.
    rank: Option<(usize, std::cmp::Reverse<u64>, u64)>,
    place: Option<Place>,
}

impl Best<'_> {
    /// Looks at a stack whose last call may be the one. True when there is no doubt.
    fn consider(&mut self, stack: &[Subtree], place: impl FnOnce(usize) -> Place) -> bool {
        let (met, Some(last), Some(claim)) = (run(stack, self.claims, self.slack), stack.last(), self.claims.last())
        else {
            return false;
        };
        if met == 0 {
            return false;
        }
        let distance = claim.time.map_or(0, |time| last.inclusive.abs_diff(time));
        let rank = Some((met, std::cmp::Reverse(distance), last.ordinal));
        if rank > self.rank {
            (self.rank, self.place) = (rank, Some(place(met)));
        }
        met >= SURE.min(self.claims.len())
    }
}
