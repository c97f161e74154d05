//! A file into which several processes wrote, one after the other: a parent that forked and ended, then its child. Each
//! wrote its end, and each child began with what its parent had in hand at the fork and had not written yet.
//!
//! If P is how much the parent had written at the fork, then the parent's first P bytes with all that the child wrote
//! behind them are a whole file of the child's. P is not written anywhere, but the parent goes on with the same bytes
//! in hand: where the child's beginning stands in the parent's part, there is P. Both write in blocks, so few places
//! come into question.

use std::ops::Range;

use super::lexer::WRITE_BLOCK;

/// Places at which a child's beginning is looked for, in all.
const MOST_LOOKS: usize = 1 << 22;
/// Records of a process that has no more to do than to end: the frames that are open, and a handler or two.
const FEW: usize = 64;
/// Bytes at the beginning of a part that decide whether a place is looked at more closely.
const PROBE: usize = 16;

/// What one process wrote, by its places in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// What came before in its own file, had it one: of its parent and what both had in hand. Empty for the first.
    pub before: Vec<Range<usize>>,
    /// It is not known exactly where in its parent's part it was forked.
    pub renames: bool,
    /// Its parent's part, where that ended with the fork, but for a few calls.
    pub ended: Option<usize>,
    /// What it wrote itself.
    pub own: Range<usize>,
}

/// The file in parts, if it is one run in Xdebug 3's form that ends and goes on behind its end. Else one part.
pub(crate) fn parts(text: &[u8]) -> Vec<Part> {
    let ends = ends(text);
    let begin = body(text);
    let mut streams: Vec<Vec<Range<usize>>> = Vec::new();
    let mut parts = Vec::new();
    let (mut from, mut looks) = (0, 0);
    for end in ends {
        let own = from..end;
        let found = match from {
            0 => Some(Found::default()),
            _ => parent(text, &streams, begin, own.clone(), &mut looks),
        };
        let Some(Found { before, renames, ended, inherited }) = found else { break };
        let mut stream = before.clone();
        stream.push(own.clone());
        streams.push(stream);
        let mut before = before;
        before.push(own.start..own.start + inherited);
        before.retain(|range| !range.is_empty());
        parts.push(Part { before, renames, ended, own: own.start + inherited..own.end });
        from = end;
    }
    parts
}

/// Where each `summary:` ends, with the blank lines behind it, and the end of the file.
fn ends(text: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    for at in memchr::memmem::find_iter(text, b"\nsummary: ") {
        let line = memchr::memchr2(b'\n', b'\n', &text[at + 1..]).map_or(text.len(), |length| at + 2 + length);
        let blank = text[line..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count().min(2);
        ends.push(line + blank);
    }
    if ends.last() != Some(&text.len()) {
        ends.push(text.len());
    }
    ends
}

/// Where the first record begins: what stands before is written at once.
fn body(text: &[u8]) -> usize {
    memchr::memmem::find(text, b"\nfl=").map_or(text.len(), |at| at + 1)
}

/// The stream that a part continues.
#[derive(Default)]
struct Found {
    /// What of it came before.
    before: Vec<Range<usize>>,
    /// That is only supposed.
    renames: bool,
    /// The parent's part, if it ended with the fork.
    ended: Option<usize>,
    /// Bytes of the part that are its parent's.
    inherited: usize,
}

/// Finds the stream that a part continues.
fn parent(
    text: &[u8],
    streams: &[Vec<Range<usize>>],
    begin: usize,
    own: Range<usize>,
    looks: &mut usize,
) -> Option<Found> {
    let mut best: Option<(usize, usize, usize)> = None;
    let probe = &text[own.start..own.end.min(own.start + PROBE)];
    for (number, stream) in streams.iter().enumerate().rev() {
        let length: usize = stream.iter().map(|range| range.len()).sum();
        for place in (begin..length).step_by(WRITE_BLOCK as usize) {
            *looks += 1;
            if *looks > MOST_LOOKS {
                return None;
            }
            if !begins_with(text, stream, place, probe) {
                continue;
            }
            let inherited = common(text, stream, place, own.clone());
            if inherited > 0 && best.is_none_or(|(most, _, _)| inherited > most) {
                best = Some((inherited, number, place));
            }
        }
    }
    if let Some((inherited, number, place)) = best {
        let mut records = tail(&streams[number], place + inherited)
            .map(|range| memchr::memmem::find_iter(&text[range], b"\nfn=").count());
        let ended = records.try_fold(0, |sum, more| Some(sum + more).filter(|sum| *sum <= FEW)).map(|_| number);
        return Some(Found { before: head(&streams[number], place), renames: false, ended, inherited });
    }
    // Nothing was in hand: it begins with a record, and the names are those of whoever wrote before.
    let before = streams.last().cloned().unwrap_or_default();
    text[own].starts_with(b"fl=").then_some(Found { before, renames: true, ..Found::default() })
}

/// The first bytes of a stream.
fn head(stream: &[Range<usize>], mut length: usize) -> Vec<Range<usize>> {
    let mut head = Vec::new();
    for range in stream {
        let part = range.len().min(length);
        head.push(range.start..range.start + part);
        length -= part;
    }
    head
}

/// The pieces of a stream from a place on.
fn tail(stream: &[Range<usize>], mut place: usize) -> impl Iterator<Item = Range<usize>> {
    stream.iter().map(move |range| {
        let skipped = range.len().min(place);
        place -= skipped;
        range.start + skipped..range.end
    })
}

fn begins_with(text: &[u8], stream: &[Range<usize>], place: usize, probe: &[u8]) -> bool {
    let found = tail(stream, place).flat_map(|range| &text[range]).take(probe.len());
    found.eq(probe)
}

/// How much a stream from a place on, and a part, have in common: whole records.
fn common(text: &[u8], stream: &[Range<usize>], place: usize, own: Range<usize>) -> usize {
    let mut length = 0;
    for range in tail(stream, place) {
        let theirs = &text[range];
        let ours = &text[own.start + length..own.end];
        let same = theirs.iter().zip(ours).take_while(|(a, b)| a == b).count();
        length += same;
        if same < theirs.len() {
            break;
        }
    }
    memchr::memmem::rfind(&text[own.start..own.start + length], b"\n\n").map_or(0, |at| at + 2)
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

    fn record(id: u32, name: &str) -> String {
        format!("fl=(1)\nfn=({id}){name}\n1 5 0\n\n")
    }

    #[test]
    fn a_child_begins_with_what_its_parent_had_in_hand() {
        let (boot, rest) = (record(1, " boot"), record(2, " main"));
        let parent = format!("{HEAD}{boot}{boot}{rest}summary: 9 9\n\n");
        let child = format!("{boot}{boot}{}summary: 10 9\n\n", record(3, " serve"));
        let text = format!("{parent}{child}");
        let parts = parts(text.as_bytes());
        assert_eq!(parts[0], Part { before: vec![], renames: false, ended: None, own: 0..parent.len() });
        let own = parent.len() + 2 * boot.len();
        let before = vec![0..HEAD.len(), parent.len()..own];
        assert_eq!(parts[1..], [Part { before, renames: false, ended: Some(0), own: own..text.len() }]);
    }

    #[test]
    fn a_child_of_nothing_in_hand_has_the_names_of_the_part_before() {
        let text = format!("{HEAD}{}summary: 9 9\n\n{}", record(1, " boot"), record(3, " serve"));
        let parts = parts(text.as_bytes());
        assert!(parts[1].renames && parts[1].own.end == text.len());
    }
}
