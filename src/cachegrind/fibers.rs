//! Several stacks in one file. Each fiber has a stack of its own and all of them write their records into one row, so
//! "the last k" holds within a stack alone. Two kinds of record tell where the row changes stacks: `Fiber::suspend`
//! ends when its fiber is resumed, and `Fiber->resume` (or `throw`) ends when the fiber has suspended or ended. Callers
//! wait for their fibers one within the other, so they come back in order. Which of the suspended stacks runs on
//! nobody writes: the claims of the first record that reaches below its own piece tell.

use std::collections::HashMap;

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

/// How many of the stack's last calls meet the last claims, one by one.
fn run(stack: &[Subtree], claims: &[Claim], slack: u64) -> usize {
    stack.iter().rev().zip(claims.iter().rev()).take_while(|(subtree, claim)| subtree.meets(claim, slack)).count()
}

/// The stacks that do not run.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    /// Those that wait in `resume` or `throw`, the outermost first.
    callers: Vec<Stack>,
    /// Those of suspended fibers, and what fibers that ended have left; empty ones are free places.
    parked: Vec<Stack>,
    free: Vec<usize>,
    /// Parked stacks by the pair of their last call.
    by_last: HashMap<u32, Vec<usize>>,
    /// Ordinals of calls that began with a `Fiber->start`, by the pair of the call below. Where a fiber's first piece
    /// begins, nobody writes either: its calls stand on the stack of whoever started it until somebody claims them.
    started: HashMap<u32, Vec<u64>>,
}

/// Where the rest of a stack was found.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Further down in the stack that runs: what is above belongs to another one.
    Below(usize),
    /// With a caller, whose fiber has ended without a word (it was destroyed), as have those of the callers within; what
    /// is above belongs to another stack.
    Caller { at: usize, end: usize },
    /// With a suspended stack, up to there.
    Parked { at: usize, end: usize },
    /// The last `length` calls below one that began with a `Fiber->start`.
    First { of: Owner, start: usize, length: usize },
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Caller(usize),
    Parked(usize),
}

/// Candidates of one kind that are looked at for one claim.
const CANDIDATES: usize = 4096;
/// By how much a cost may be off, where none fits: two calls of one function that cost nearly the same may have been
/// taken for each other before, and then the one that is left is the other's.
const SLACKS: [u64; 3] = [0, 16, u64::MAX];
/// So many claims in a row are no accident.
const SURE: usize = 8;

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
            self.started.entry(below.pair).or_default().push(ordinal);
        }
    }

    fn park(&mut self, stack: Stack) {
        let Some(last) = stack.last().map(|subtree| subtree.pair) else { return };
        let at = self.free.pop().unwrap_or_else(|| {
            self.parked.push(Stack::new());
            self.parked.len() - 1
        });
        self.parked[at] = stack;
        self.by_last.entry(last).or_default().push(at);
    }

    fn unpark(&mut self, at: usize) -> Stack {
        let stack = std::mem::take(&mut self.parked[at]);
        self.unlist(&stack, at);
        self.free.push(at);
        stack
    }

    fn unlist(&mut self, stack: &Stack, at: usize) {
        if let Some(places) = stack.last().and_then(|last| self.by_last.get_mut(&last.pair)) {
            places.retain(|place| *place != at);
        }
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
            Place::Caller { at, end } => {
                let mut callers = self.callers.split_off(at).into_iter();
                let mut caller = callers.next().unwrap_or_default();
                self.park(caller.split_off(end));
                callers.for_each(|within| self.park(within));
                caller
            }
            Place::Parked { at, end } => {
                let mut stack = self.unpark(at);
                self.park(stack.split_off(end));
                stack
            }
            Place::First { of: Owner::Caller(at), start, length } => {
                self.callers[at].drain(start - length..start).collect()
            }
            Place::First { of: Owner::Parked(at), start, length } => {
                self.parked[at].drain(start - length..start).collect()
            }
        };
        let above = std::mem::replace(running, found);
        self.park(above);
        true
    }

    fn best(&mut self, running: &Stack, claims: &[Claim], slack: u64, looks: &mut u64) -> Option<Place> {
        let claim = claims.last()?;
        let mut best = Best { claims, slack, rank: None, place: None };
        for (at, caller) in self.callers.iter().enumerate().rev().take(CANDIDATES) {
            *looks += 1;
            best.consider(caller, Place::Caller { at, end: caller.len() });
        }
        for (at, subtree) in running.iter().enumerate().rev().skip(1).take(CANDIDATES) {
            *looks += 1;
            if subtree.pair == claim.pair && best.consider(&running[..=at], Place::Below(at)) {
                break;
            }
        }
        for &at in self.by_last.get(&claim.pair).into_iter().flatten().rev().take(CANDIDATES) {
            *looks += 1;
            best.consider(&self.parked[at], Place::Parked { at, end: self.parked[at].len() });
        }
        let started = self.started.remove(&claim.pair).unwrap_or_default();
        let mut kept = Vec::with_capacity(started.len());
        for &ordinal in &started[started.len().saturating_sub(CANDIDATES)..] {
            let Some((of, start)) = self.start(ordinal, looks) else { continue };
            let stack = match of {
                Owner::Caller(at) => &self.callers[at],
                Owner::Parked(at) => &self.parked[at],
            };
            let before = &stack[..start];
            if before.last().is_some_and(|last| last.pair == claim.pair) {
                kept.push(ordinal);
                best.consider(before, Place::First { of, start, length: run(before, claims, slack) });
            }
        }
        self.started.insert(claim.pair, kept);
        if best.place.is_none() {
            // Fibers that were destroyed can have put several stacks on each other.
            let callers = self.callers.iter().enumerate().map(|(at, stack)| (Owner::Caller(at), stack)).rev();
            let parked = self.parked.iter().enumerate().map(|(at, stack)| (Owner::Parked(at), stack)).rev();
            let places = callers.chain(parked);
            let places = places.flat_map(|(owner, stack)| (1..stack.len()).rev().map(move |end| (owner, stack, end)));
            for (owner, stack, end) in places.take(CANDIDATES) {
                *looks += 1;
                let place = match owner {
                    Owner::Caller(at) => Place::Caller { at, end },
                    Owner::Parked(at) => Place::Parked { at, end },
                };
                if best.consider(&stack[..end], place) {
                    break;
                }
            }
        }
        best.place
    }

    /// The stack on which a call stands unclaimed, and where.
    fn start(&self, ordinal: u64, looks: &mut u64) -> Option<(Owner, usize)> {
        let callers = self.callers.iter().enumerate().map(|(at, stack)| (Owner::Caller(at), stack));
        let parked = self.parked.iter().enumerate().map(|(at, stack)| (Owner::Parked(at), stack));
        callers.chain(parked).find_map(|(owner, stack)| {
            *looks += 1;
            let at = stack.binary_search_by_key(&ordinal, |subtree| subtree.ordinal).ok()?;
            Some((owner, at))
        })
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
    fn consider(&mut self, stack: &[Subtree], place: Place) -> bool {
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
            (self.rank, self.place) = (rank, Some(place));
        }
        met >= SURE.min(self.claims.len())
    }
}
