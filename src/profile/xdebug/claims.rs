//! Which finished calls belong to which record: the subtrees that nobody has claimed yet, and the
//! rules by which a record takes its own from among them.
//!
//! Records stand in post-order, so a record that made k calls owns the k subtrees completed last.
//! That holds as long as their names agree. Where they do not (damage) a claim is matched by callee
//! and inclusive cost; the records of fibers are put on stacks of their own first.

use std::collections::HashMap;

use super::fibers::{Role, Stacks};
use super::inherited::Inherited;
use super::lexer::{ANY_FILE, Claim, Record};

/// Subtrees looked at for one claim before it is given up.
const SEARCH_FAR: usize = 1 << 17;
/// The same once [`SEARCH_BUDGET`] is spent, so that a hostile file cannot hold us up.
const SEARCH_NEAR: usize = 64;
const SEARCH_BUDGET: u64 = 1 << 30;
/// Pair of a subtree that the record in hand has taken already.
const TAKEN: u32 = u32::MAX - 1;

/// A finished call that nobody has claimed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subtree {
    pub pair: u32,
    pub name: u32,
    /// Calls that it made: each adds a rounding error to `inclusive`.
    calls: u32,
    pub inclusive: i64,
    /// Which record of the file it is.
    pub ordinal: u64,
    pub role: Role,
    /// A call that it made, or one below, has suspended the fiber: it is a fiber's.
    pub suspended: bool,
    /// It is a `Fiber->start`, or its first call began with one: what lies below may be that fiber's.
    pub starts: bool,
}

/// How a record's claims were met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They were the last so many, in order.
    Agrees(u64),
    /// Ordinals of those that were found, and what could not be found.
    Matched {
        /// Ordinals, oldest call first.
        ordinals: Vec<u64>,
        /// Calls without a record.
        lost: u64,
        /// The time of these calls.
        lost_time: i64,
    },
}

/// A self time of 2^31 and more that may have wrapped at 2^32.
const LARGE: i64 = 1 << 31;
/// So many of them are remembered.
const MOST_LARGE: usize = 1 << 16;

/// A record whose time wrapped, as the claim of its caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub ordinal: u64,
    /// Line, from 1, and byte offset.
    pub place: (u64, u64),
    /// By how much its time is too high.
    pub excess: i64,
}

/// The unclaimed subtrees, in order of their end.
#[derive(Debug, Default)]
pub(crate) struct Unclaimed {
    /// Those of the stack that runs: all of them, where there are no fibers.
    stack: Vec<Subtree>,
    /// The other fibers' stacks.
    others: Stacks,
    /// The first record since another stack ran: from there on, the last of the stack are the last of the file.
    since: u64,
    searched: u64,
    /// Places of records of a large self time whose caller is not known yet, by their ordinals.
    large: HashMap<u64, (u64, u64)>,
    /// What the claims of the last record have shown.
    pub wrapped: Vec<Wrapped>,
    /// The run is that of a forked process: what it claims of its parent's has no record here.
    pub forked: bool,
    /// In such a run: the frame, open at the fork, that ended last.
    spine: Option<u64>,
    /// The last record is such a frame.
    pub inherited: bool,
    /// All such frames.
    pub before_fork: Inherited,
}

impl Unclaimed {
    /// All of them, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Subtree> {
        self.stack.iter().chain(self.others.all())
    }

    /// How many the running stack has.
    pub(crate) fn open(&self) -> u64 {
        self.stack.len() as u64
    }

    pub(crate) fn clear(&mut self) {
        self.stack.clear();
        self.others.clear();
        self.large.clear();
        (self.since, self.spine) = (0, None);
    }

    /// A call has ended. `fibers`: they were seen in this run, so names that agree are not enough.
    #[inline]
    pub(crate) fn end_of_call(&mut self, ordinal: u64, record: &Record, fibers: bool) -> Outcome {
        let claims = &record.claims;
        let mut inclusive = record.cost.time;
        for claim in claims {
            inclusive = inclusive.saturating_add(claim.time.unwrap_or(0));
        }
        if fibers && self.others.switch(record.role, &mut self.stack) {
            self.since = ordinal;
        }
        let (mut suspended, mut starts) = (false, record.role == Role::Start);
        let mut earlier = 0;
        self.inherited = false;
        let agreed = match self.last_agree(claims, fibers) {
            None if self.forked && !fibers => self.all_agree(claims),
            agreed => agreed,
        };
        let outcome = match agreed {
            Some(count) => {
                if record.wraps {
                    inclusive = inclusive.saturating_add(self.unwrap_times(claims, count));
                }
                let own = &self.stack[self.stack.len() - count..];
                self.inherited = self.spine.is_some_and(|spine| own.iter().any(|subtree| subtree.ordinal == spine));
                if self.forked {
                    let found = own.iter().fold(0i64, |sum, subtree| sum.saturating_add(subtree.inclusive));
                    earlier = inclusive.saturating_sub(record.cost.time).saturating_sub(found);
                }
                if fibers {
                    suspended = own.iter().any(Subtree::has_suspended);
                    starts |= own.first().is_some_and(|first| first.starts);
                }
                let outcome = match own.first() {
                    Some(first) if first.ordinal < self.since => Outcome::Matched {
                        ordinals: own.iter().map(|subtree| subtree.ordinal).collect(),
                        lost: 0,
                        lost_time: 0,
                    },
                    _ => Outcome::Agrees(count as u64),
                };
                self.stack.truncate(self.stack.len() - count);
                outcome
            }
            None if fibers => {
                self.since = ordinal;
                self.search_stacks(claims, &mut suspended, &mut starts)
            }
            None => self.search(claims),
        };
        let outcome = if self.forked { self.inherit(ordinal, outcome, &mut earlier) } else { outcome };
        if self.inherited {
            self.before_fork.frame(ordinal, record.cost.time, earlier);
        }
        if record.wraps && record.cost.time >= LARGE && self.large.len() < MOST_LARGE {
            self.large.insert(ordinal, record.place);
        }
        if starts {
            self.others.started(ordinal, self.stack.last());
        }
        let (pair, name, role) = (record.pair, record.name, record.role);
        self.stack.push(Subtree {
            pair,
            name,
            calls: claims.len() as u32,
            inclusive,
            ordinal,
            role,
            suspended,
            starts,
        });
        outcome
    }

    /// The number of subtrees claimed, if the claims name the last ones in order.
    #[inline]
    fn last_agree(&self, claims: &[Claim], by_cost: bool) -> Option<usize> {
        let mut left = self.stack.len();
        for claim in claims.iter().rev() {
            let count = usize::try_from(claim.count).ok().filter(|count| *count <= left)?;
            let subtrees = &self.stack[left - count..left];
            if !subtrees.iter().all(|s| if by_cost { s.meets(claim, 0) } else { s.is_meant_by(claim) }) {
                return None;
            }
            left -= count;
        }
        Some(self.stack.len() - left)
    }

    /// In a forked process: the subtrees claimed are all that there are, and the claims before them its parent's.
    fn all_agree(&self, claims: &[Claim]) -> Option<usize> {
        let mut left = self.stack.len();
        for claim in claims.iter().rev() {
            let count = usize::try_from(claim.count).unwrap_or(usize::MAX).min(left);
            if !self.stack[left - count..left].iter().all(|subtree| subtree.is_meant_by(claim)) {
                return None;
            }
            left -= count;
        }
        (left == 0).then_some(self.stack.len())
    }

    /// In a forked process: the frames that were open at the fork are those that the first call to end stands in.
    fn inherit(&mut self, ordinal: u64, mut outcome: Outcome, earlier: &mut i64) -> Outcome {
        if let (Outcome::Matched { ordinals, lost, lost_time }, Some(spine)) = (&mut outcome, self.spine)
            && ordinals.contains(&spine)
        {
            self.inherited = true;
            *lost = 0;
            *earlier = std::mem::take(lost_time);
        }
        if self.spine.is_none() {
            self.inherited = true;
            if let Outcome::Matched { lost, lost_time, .. } = &mut outcome {
                *lost = 0;
                *earlier = std::mem::take(lost_time);
            }
        }
        if self.inherited {
            self.spine = Some(ordinal);
        }
        outcome
    }

    /// Holds the times of the last so many subtrees against what is claimed of each: one of both that is higher by 2^31
    /// and more has wrapped at 2^32. Gives back what the claims are too high by, below zero.
    #[cold]
    fn unwrap_times(&mut self, claims: &[Claim], count: usize) -> i64 {
        let own = &self.stack[self.stack.len() - count..];
        if own.len() != claims.len() {
            return 0;
        }
        let mut correction = 0i64;
        for (subtree, claim) in own.iter().zip(claims) {
            let large = self.large.remove(&subtree.ordinal);
            let Some(time) = claim.time else { continue };
            let excess = subtree.inclusive.saturating_sub(time);
            if let Some(place) = large.filter(|_| excess >= LARGE) {
                self.wrapped.push(Wrapped { ordinal: subtree.ordinal, place, excess });
            } else if excess <= -LARGE {
                correction = correction.saturating_add(excess);
            }
        }
        correction
    }

    /// Takes the claims one by one, the last first, each from the end of the stack that goes on below it.
    #[cold]
    fn search_stacks(&mut self, claims: &[Claim], suspended: &mut bool, starts: &mut bool) -> Outcome {
        let (mut ordinals, mut lost, mut lost_time) = (Vec::new(), 0u64, 0i64);
        for (at, claim) in claims.iter().enumerate().rev() {
            for missing in (1..=claim.count).rev() {
                let stays = self.stack.last().is_some_and(|last| last.meets(claim, 0));
                let found = stays
                    || self.searched < SEARCH_BUDGET
                        && self.others.find(&mut self.stack, &claims[..=at], &mut self.searched)
                    // A cost that fits nowhere says nothing against the name.
                    || self.stack.last().is_some_and(|last| last.is_meant_by(claim));
                match self.stack.pop_if(|_| found) {
                    Some(subtree) => {
                        *suspended |= subtree.has_suspended();
                        *starts = subtree.starts;
                        ordinals.push(subtree.ordinal);
                    }
                    None => {
                        lost = lost.saturating_add(missing);
                        lost_time = lost_time.saturating_add(claim.time.unwrap_or(0));
                        break;
                    }
                }
            }
        }
        ordinals.reverse();
        Outcome::Matched { ordinals, lost, lost_time }
    }

    #[cold]
    fn search(&mut self, claims: &[Claim]) -> Outcome {
        let by_name = self.last_agree(claims, false);
        let (mut taken, mut lost, mut lost_time) = (Vec::new(), 0u64, 0i64);
        let mut end = self.stack.len();
        for claim in claims.iter().rev() {
            let mut missing = claim.count;
            while missing > 0 {
                let Some(at) = self.find(claim, end) else { break };
                taken.push((at, self.stack[at]));
                self.stack[at].pair = TAKEN;
                while end > 0 && self.stack[end - 1].pair == TAKEN {
                    end -= 1;
                }
                missing -= 1;
            }
            if missing > 0 {
                lost = lost.saturating_add(missing);
                lost_time = lost_time.saturating_add(claim.time.unwrap_or(0));
            }
        }
        if let Some(count) = by_name.filter(|_| lost > 0) {
            // Costs that fit nowhere say nothing against names that all agree.
            for &(at, subtree) in &taken {
                self.stack[at] = subtree;
            }
            self.stack.truncate(self.stack.len() - count);
            return Outcome::Agrees(count as u64);
        }
        if let Some(first) = taken.iter().map(|&(at, _)| at).min() {
            let mut write = first;
            for read in first..self.stack.len() {
                if self.stack[read].pair != TAKEN {
                    self.stack[write] = self.stack[read];
                    write += 1;
                }
            }
            self.stack.truncate(write);
        }
        let ordinals = taken.iter().rev().map(|(_, subtree)| subtree.ordinal).collect();
        Outcome::Matched { ordinals, lost, lost_time }
    }

    /// The place of the best subtree before `end` for a claim: the nearest cost, then the latest.
    fn find(&mut self, claim: &Claim, end: usize) -> Option<usize> {
        let limit = if self.searched < SEARCH_BUDGET { SEARCH_FAR } else { SEARCH_NEAR };
        let mut best: Option<(u64, usize)> = None;
        let mut looked = 0;
        for (at, subtree) in self.stack[..end].iter().enumerate().rev().take(limit) {
            looked += 1;
            if !subtree.meets(claim, 0) {
                continue;
            }
            let distance = claim.time.map_or(0, |time| subtree.inclusive.abs_diff(time));
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, at));
            }
            if distance == 0 {
                break;
            }
        }
        self.searched += looked;
        best.map(|(_, at)| at)
    }
}

impl Subtree {
    /// It is a call of the function that a claim names.
    #[inline]
    pub(crate) fn is_meant_by(&self, claim: &Claim) -> bool {
        match claim.pair {
            ANY_FILE => self.name == claim.name && self.pair != TAKEN,
            pair => self.pair == pair,
        }
    }

    /// It may be what a claim means, by name and cost. Each figure is rounded by itself, so the sum may differ by one a
    /// figure, and by the slack that is given.
    #[inline]
    pub(crate) fn meets(&self, claim: &Claim, slack: u64) -> bool {
        let rounding = u64::from(self.calls) + 1;
        self.is_meant_by(claim)
            && claim.time.is_none_or(|time| self.inclusive.abs_diff(time) <= rounding.saturating_add(slack))
    }

    fn has_suspended(&self) -> bool {
        self.suspended || self.role == Role::Suspend
    }
}
