//! Which process wrote each block of a file into which several wrote through one descriptor.
//!
//! Each of them writes whole blocks, and less only at its end. What is behind a block is the next block of the same
//! process, or the first one of a process that was forked since: that begins with what its parent had in hand at the
//! fork, and the parent's own next block begins with the same. So the blocks are a tree, in which processes part where
//! the bytes do. A block is put where it goes on as a profile does (see [`State`]); where it would in several places, the
//! one that leads on to the end of the file.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;

use super::lexer::WRITE_BLOCK;
use super::stream::State;

/// Bytes at the beginning of two blocks that decide whether they are looked at more closely: as long as the shortest
/// head of a record.
const PROBE: usize = 12;
/// Common bytes that are no chance, where no call of a fork stands behind them.
const MANY: usize = 64;
/// Blocks that are tried in vain, in all.
const MOST_TRIES: usize = 1 << 16;
/// Bytes that are looked at: so many, and so many times the file's own. A damaged file of which all blocks are alike would
/// be compared with itself without end.
const MOST_WORK: (u64, u64) = (64 << 20, 8);
/// Blocks of like beginnings that one is compared with.
const MOST_LOOKS: usize = 1 << 12;

/// What one process wrote at once.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Its place in the file.
    pub range: Range<usize>,
    /// The block that it goes on behind; none where it is the first.
    pub behind: Option<usize>,
    /// It begins a process: so many of its bytes are those of a block that goes on at the same place.
    pub fork: Option<Fork>,
    /// What is known behind it.
    pub state: State,
    /// Other places would have done, too.
    doubtful: bool,
}

/// Where two processes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fork {
    /// Bytes that both have, the beginning of the block.
    pub common: usize,
    /// A block of the other process that begins with them.
    pub beside: usize,
}

/// The blocks of a file.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// From the first on, as far as they are told.
    pub blocks: Vec<Block>,
    /// So many of them would fit elsewhere, too.
    pub doubtful: usize,
}

struct Search<'a> {
    text: &'a [u8],
    begin: usize,
    blocks: Vec<Block>,
    /// The last block of each process that has not ended; none: nothing was written yet.
    open: Vec<Option<usize>>,
    /// Blocks by their first bytes.
    beginnings: HashMap<&'a [u8], Vec<usize>>,
    /// For each block, other places that are left to be tried.
    others: Vec<Vec<Block>>,
    tries: usize,
    /// Bytes that were looked at.
    work: Cell<u64>,
}

/// Tells whose the blocks of a file are, from the place on where its first record stands.
pub(crate) fn tell(text: &[u8], begin: usize) -> Blocks {
    let mut search = Search {
        text,
        begin,
        blocks: Vec::new(),
        open: vec![None],
        beginnings: HashMap::new(),
        others: Vec::new(),
        tries: 0,
        work: Cell::new(0),
    };
    // What stands before the first doubtful block stays as it is, whatever is tried behind it.
    let mut sure: Option<Vec<Block>> = None;
    loop {
        let at = search.end();
        if at == text.len() {
            let doubtful = search.blocks.iter().filter(|block| block.doubtful).count();
            return Blocks { blocks: search.blocks, doubtful };
        }
        let mut places = search.places(at);
        places.reverse();
        if let Some(place) = places.pop()
            && !search.is_tired()
        {
            search.put(place, places);
            continue;
        }
        let doubtful = || search.blocks.iter().position(|block| block.doubtful).unwrap_or(search.blocks.len());
        let blocks = sure.get_or_insert_with(|| search.blocks[..doubtful()].to_vec());
        let blocks = std::mem::take(blocks);
        if search.is_tired() || !search.another_way() {
            return Blocks { blocks, doubtful: 0 };
        }
        sure = Some(blocks);
    }
}

impl<'a> Search<'a> {
    fn end(&self) -> usize {
        self.blocks.last().map_or(self.begin, |block| block.range.end)
    }

    /// All the bytes were looked at that may be.
    fn is_tired(&self) -> bool {
        self.work.get() > MOST_WORK.0 + MOST_WORK.1 * self.text.len() as u64
    }

    fn looked_at(&self, bytes: usize) {
        self.work.set(self.work.get() + bytes as u64);
    }

    fn state(&self, behind: Option<usize>) -> State {
        behind.map_or_else(State::default, |block| self.blocks[block].state.clone())
    }

    fn block(&self, at: usize, behind: Option<usize>, fork: Option<Fork>) -> Option<Block> {
        let mut state = self.state(behind);
        let rest = &self.text[at..self.text.len().min(at + WRITE_BLOCK as usize)];
        self.looked_at(PROBE);
        let length = state.take(rest)?;
        self.looked_at(length);
        Some(Block { range: at..at + length, behind, fork, state, doubtful: false })
    }

    /// Where the block at a place may belong, the best first.
    fn places(&self, at: usize) -> Vec<Block> {
        let forks = self.forks(at);
        let block = |(behind, fork): &(Option<usize>, Fork)| self.block(at, *behind, Some(*fork));
        let (sure, likely): (Vec<_>, Vec<_>) = forks.into_iter().partition(|(sure, ..)| *sure);
        let of = |forks: Vec<(bool, Option<usize>, Fork)>| forks.into_iter().map(|(_, behind, fork)| (behind, fork));
        let mut places: Vec<Block> = of(sure).filter_map(|place| block(&place)).collect();
        if places.is_empty() {
            places.extend(self.open.iter().filter_map(|behind| self.block(at, *behind, None)));
            let doubtful = places.len() > 1;
            places.iter_mut().for_each(|place| place.doubtful = doubtful);
            places.extend(of(likely).filter_map(|place| block(&place)));
        }
        places
    }

    /// Where another block begins as this one does: whether a call of a fork follows in both, behind which block it is,
    /// and the one that has most in common.
    fn forks(&self, at: usize) -> Vec<(bool, Option<usize>, Fork)> {
        let mut best: HashMap<Option<usize>, (bool, Fork)> = HashMap::new();
        let Some(likes) = self.text.get(at..at + PROBE).and_then(|probe| self.beginnings.get(probe)) else {
            return Vec::new();
        };
        for &beside in likes.iter().rev().take(MOST_LOOKS).take_while(|_| !self.is_tired()) {
            let behind = self.blocks[beside].behind;
            let Some((sure, common)) = self.common(at, beside) else { continue };
            let found = (sure, Fork { common, beside });
            let most = best.entry(behind).or_insert(found);
            most.0 |= sure;
            // What it has in common with the nearest, it has from there.
            if common > most.1.common {
                most.1 = found.1;
            }
        }
        let mut forks: Vec<_> = best.into_iter().map(|(behind, (sure, fork))| (sure, behind, fork)).collect();
        forks.sort_by_key(|(sure, behind, fork)| (!sure, std::cmp::Reverse((fork.common, *behind))));
        forks
    }

    /// How many bytes of the block at a place its writer had from the same parent as that of another one.
    fn common(&self, at: usize, beside: usize) -> Option<(bool, usize)> {
        let other = &self.blocks[beside];
        let (theirs, ours) = (&self.text[other.range.clone()], &self.text[at..]);
        let ours = &ours[..ours.len().min(WRITE_BLOCK as usize)];
        let same = theirs.iter().zip(ours).take_while(|(a, b)| a == b).count();
        self.looked_at(3 * same + PROBE);
        let before = self.state(other.behind);
        let mut most = before.last_end(ours, same)?;
        let end = most;
        // Two calls of a fork may have taken the same time: then they are in common, too.
        let part = same < theirs.len() && same < ours.len();
        for _ in 0..1 + usize::from(part) {
            let mut state = before.clone();
            state.take(&ours[..most])?;
            if state.forks_next(&ours[most..]) && state.forks_next(&theirs[most..]) {
                return Some((true, most));
            }
            let Some(earlier) = most.checked_sub(2).and_then(|most| before.last_end(ours, most)) else { break };
            most = earlier;
        }
        (end >= MANY).then_some((false, end))
    }

    fn put(&mut self, block: Block, others: Vec<Block>) {
        let number = self.blocks.len();
        if block.fork.is_none() {
            self.open.retain(|open| *open != block.behind);
        }
        if !block.state.ended() {
            self.open.push(Some(number));
        }
        if let Some(probe) = self.text.get(block.range.start..block.range.start + PROBE) {
            self.beginnings.entry(probe).or_default().push(number);
        }
        self.blocks.push(block);
        self.others.push(others);
    }

    /// Takes back the last blocks up to one that has another place, and puts it there. False where none has.
    fn another_way(&mut self) -> bool {
        while let Some(block) = self.blocks.pop() {
            let number = self.blocks.len();
            self.open.retain(|open| *open != Some(number));
            if block.fork.is_none() {
                self.open.push(block.behind);
            }
            if let Some(probe) = self.text.get(block.range.start..block.range.start + PROBE)
                && let Some(numbers) = self.beginnings.get_mut(probe)
            {
                numbers.retain(|other| *other != number);
            }
            let mut others = self.others.pop().unwrap_or_default();
            self.tries += 1;
            if self.tries > MOST_TRIES {
                return false;
            }
            if let Some(place) = others.pop() {
                self.put(place, others);
                return true;
            }
        }
        false
    }
}
