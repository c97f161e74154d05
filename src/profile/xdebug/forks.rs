//! A file into which several processes wrote, in parts: what each of them wrote itself, and what came before in a file of
//! its own, had it one. What they had in common at a fork is the part of whoever wrote it first.

use std::ops::Range;

use super::blocks::{self, Block, Blocks};

/// Records of a process that has no more to do than to end: the frames that are open, and a handler or two.
const FEW: u64 = 64;

/// What one process wrote, by its places in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The part that it goes on behind, and how many of its places come before. None for the first.
    behind: Option<(usize, usize)>,
    /// What it has in common with another part.
    common: Range<usize>,
    /// A part that ended with the fork, but for a few calls.
    pub ended: Option<usize>,
    /// What it wrote itself.
    pub own: Vec<Range<usize>>,
}

/// A file in parts.
#[derive(Debug)]
pub(crate) struct Parts {
    pub parts: Vec<Part>,
    /// Places at which the file goes on as more than one of them would.
    pub doubtful: usize,
}

/// The file in parts, where it is one run in Xdebug 3's form.
pub(crate) fn parts(text: &[u8]) -> Parts {
    let begin = body(text);
    let Blocks { blocks, doubtful } = blocks::tell(text, begin);
    let mut parts: Vec<Part> = Vec::new();
    // Of which part each block is, and how many places this one has with it.
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut last: Vec<&Block> = Vec::new();
    for block in &blocks {
        let behind = block.behind.map(|behind| places[behind]);
        let Range { start, end } = block.range;
        let part = match (block.fork, behind) {
            (None, Some((part, _))) => part,
            (None, None) => {
                let header = 0..begin;
                parts.push(Part { behind: None, common: 0..0, ended: None, own: vec![header] });
                0
            }
            (Some(fork), _) => {
                // Where nothing was written before the fork, the header is all that came before.
                let behind = Some(behind.unwrap_or((0, 1)));
                let common = start..start + fork.common;
                parts.push(Part { behind, common, ended: Some(fork.beside), own: Vec::new() });
                parts.len() - 1
            }
        };
        let own = parts[part].common.end.max(start)..end;
        parts[part].own.push(own);
        places.push((part, parts[part].own.len()));
        last.truncate(parts.len());
        match last.get_mut(part) {
            Some(last) => *last = block,
            None => last.push(block),
        }
    }
    for number in 0..parts.len() {
        let beside = parts[number].ended.map(|block| (block, places[block].0));
        let before = |block: usize| blocks[block].behind.map_or(0, |behind| blocks[behind].state.records());
        let common = || memchr::memmem::find_iter(&text[parts[number].common.clone()], b"\nfn=").count() as u64;
        let few = |block, part: usize| last[part].state.records() - before(block) <= FEW + common();
        parts[number].ended =
            beside.filter(|&(block, part)| last[part].state.ended() && few(block, part)).map(|(_, part)| part);
    }
    Parts { parts, doubtful }
}

impl Part {
    /// How much of it stands before a place of the file.
    pub(crate) fn written_until(&self, place: u64) -> usize {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.own.iter().map(|range| place.clamp(range.start, range.end) - range.start).sum()
    }

    /// Where in the file a byte of it stands.
    pub(crate) fn place(&self, mut offset: usize) -> usize {
        for range in &self.own {
            match offset < range.len() {
                true => return range.start + offset,
                false => offset -= range.len(),
            }
        }
        self.own.last().map_or(0, |range| range.end)
    }
}

impl Parts {
    /// Bytes of the file that are a part's, with what it has in common with another.
    pub(crate) fn bytes(&self, number: usize) -> usize {
        let part = &self.parts[number];
        part.common.len() + part.own.iter().map(|range| range.len()).sum::<usize>()
    }

    /// What came before a part in the file of its own.
    pub(crate) fn before(&self, number: usize) -> Vec<Range<usize>> {
        let mut before = Vec::new();
        let mut next = (number, 0);
        loop {
            let part = &self.parts[next.0];
            before.extend(part.own[..next.1].iter().rev().cloned());
            before.push(part.common.clone());
            match part.behind {
                Some(behind) => next = behind,
                None => break,
            }
        }
        before.retain(|range| !range.is_empty());
        before.reverse();
        before
    }
}

/// Where the first record begins: what stands before is written at once.
fn body(text: &[u8]) -> usize {
    memchr::memmem::find(text, b"\nfl=").map_or(text.len(), |at| at + 1)
}

/// How much of what a parent wrote after a fork its child's file begins with: whole records.
pub(crate) fn in_common(parent: &[u8], child: &[u8]) -> usize {
    let same = parent.iter().zip(child).take_while(|(a, b)| a == b).count();
    memchr::memmem::rfind(&child[..same], b"\n\n").map_or(0, |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "version: 1\ncreator: xdebug 3.2.0\nevents: Time_(10ns) Memory_(bytes)\n\n";

    /// A call of a function, and the calls that it made.
    fn record(name: &str, time: u32, calls: &[(u32, u32)]) -> String {
        let calls = calls.iter().map(|(id, time)| format!("cfl=(1)\ncfn=({id})\ncalls=1 0 0\n1 {time} 0\n"));
        format!("fl=(1)\nfn=({name}\n1 {time} 0\n{}\n", calls.collect::<String>())
    }

    fn fork(time: u32) -> String {
        record("2) php::pcntl_fork", time, &[])
    }

    const END: &str = "summary: 99 9\n\n";

    /// What each part wrote itself.
    fn own(text: &str) -> Vec<String> {
        let parts = parts(text.as_bytes()).parts;
        parts.iter().map(|part| part.own.iter().map(|range| &text[range.clone()]).collect()).collect()
    }

    #[test]
    fn a_child_begins_with_what_its_parent_had_in_hand() {
        let boot = record("1) boot", 5, &[]) + &record("1)", 5, &[]);
        let parent = fork(7) + &record("3) main", 9, &[(1, 5), (1, 5), (2, 7)]) + END;
        let child =
            fork(8) + &record("3) serve", 5, &[]) + &record("4) main", 9, &[(1, 5), (1, 5), (2, 8), (3, 5)]) + END;
        for (first, then, ended) in [(&parent, &child, Some(0)), (&child, &parent, Some(0))] {
            let text = format!("{HEAD}{boot}{first}{boot}{then}");
            assert_eq!(own(&text), [format!("{HEAD}{boot}{first}"), then.clone()]);
            let parts = parts(text.as_bytes());
            let begin = HEAD.len() + boot.len() + first.len();
            assert_eq!(parts.before(1), [0..HEAD.len(), begin..begin + boot.len()]);
            assert_eq!((parts.parts[1].ended, parts.doubtful), (ended, 0));
        }
    }

    #[test]
    fn forks_that_took_the_same_time_are_two_calls() {
        let boot = record("1) boot", 5, &[]);
        let child = fork(7) + &record("3) main", 9, &[(1, 5), (2, 7)]) + END;
        let parent = fork(7) + &record("3) wait", 4, &[]) + &record("4) main", 9, &[(1, 5), (2, 7), (3, 4)]) + END;
        assert_eq!(own(&format!("{HEAD}{boot}{child}{boot}{parent}"))[1], parent);
    }

    #[test]
    fn a_child_of_nothing_in_hand_begins_with_the_fork() {
        let fork = |time| record("1) php::pcntl_fork", time, &[]);
        let parent = fork(7) + &record("2) main", 9, &[(1, 7)]) + END;
        let child = fork(8) + &record("2) main", 9, &[(1, 8)]) + END;
        assert_eq!(own(&format!("{HEAD}{parent}{child}")), [format!("{HEAD}{parent}"), child]);
    }

    #[test]
    fn what_no_process_can_have_written_is_no_part() {
        let boot = record("1) boot", 5, &[]);
        let parent = fork(7) + &record("3) main", 9, &[(1, 5), (2, 7)]) + END;
        // Its last record claims a call that took another time.
        let child = fork(8) + &record("3) main", 9, &[(1, 9), (2, 8)]) + END;
        assert_eq!(own(&format!("{HEAD}{boot}{parent}{boot}{child}")).len(), 1);
    }
}
