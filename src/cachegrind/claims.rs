//! Which finished calls belong to which record: the subtrees that nobody has claimed yet, and the
//! rules by which a record takes its own from among them.
//!
//! Records stand in post-order, so a record that made k calls owns the k subtrees completed last.
//! That holds as long as their names agree. Where they do not (fibers, whose records interleave, and
//! damage) a claim is matched by callee and inclusive cost.

use super::lexer::Claim;

/// Subtrees looked at for one claim before it is given up.
const SEARCH_FAR: usize = 1 << 17;
/// The same once [`SEARCH_BUDGET`] is spent, so that a hostile file cannot hold us up.
const SEARCH_NEAR: usize = 64;
const SEARCH_BUDGET: u64 = 1 << 30;
/// Pair of a subtree that the record in hand has taken already.
const TAKEN: u32 = u32::MAX;

/// A finished call that nobody has claimed.
#[derive(Debug, Clone, Copy)]
struct Subtree {
    pair: u32,
    /// Calls that it made: each adds a rounding error to `inclusive`.
    calls: u32,
    inclusive: i64,
    /// Which record of the file it is.
    ordinal: u64,
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

/// The unclaimed subtrees, in order of their end.
#[derive(Debug, Default)]
pub(crate) struct Unclaimed {
    stack: Vec<Subtree>,
    searched: u64,
    /// The most that there were at once.
    pub most: usize,
}

impl Unclaimed {
    pub(crate) fn len(&self) -> usize {
        self.stack.len()
    }

    pub(crate) fn clear(&mut self) {
        self.stack.clear();
    }

    /// A call has ended. `by_cost`: names that agree are not enough, since fibers are about.
    #[inline]
    pub(crate) fn end_of_call(
        &mut self,
        ordinal: u64,
        pair: u32,
        own_time: i64,
        claims: &[Claim],
        by_cost: bool,
    ) -> Outcome {
        let mut inclusive = own_time;
        for claim in claims {
            inclusive = inclusive.saturating_add(claim.time.unwrap_or(0));
        }
        let outcome = match self.last_agree(claims, by_cost) {
            Some(count) => {
                self.stack.truncate(self.stack.len() - count);
                Outcome::Agrees(count as u64)
            }
            None => self.search(claims),
        };
        self.stack.push(Subtree { pair, calls: claims.len() as u32, inclusive, ordinal });
        self.most = self.most.max(self.stack.len());
        outcome
    }

    /// The number of subtrees claimed, if the claims name the last ones in order.
    #[inline]
    fn last_agree(&self, claims: &[Claim], by_cost: bool) -> Option<usize> {
        let mut left = self.stack.len();
        for claim in claims.iter().rev() {
            let count = usize::try_from(claim.count).ok().filter(|count| *count <= left)?;
            let subtrees = &self.stack[left - count..left];
            if !subtrees.iter().all(|s| s.pair == claim.pair && (!by_cost || s.fits(claim))) {
                return None;
            }
            left -= count;
        }
        Some(self.stack.len() - left)
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
            if subtree.pair != claim.pair || !subtree.fits(claim) {
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
    /// Each figure is rounded by itself, so the sum may differ by one a figure.
    #[inline]
    fn fits(&self, claim: &Claim) -> bool {
        claim.time.is_none_or(|time| self.inclusive.abs_diff(time) <= u64::from(self.calls) + 1)
    }
}
