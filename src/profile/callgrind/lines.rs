//! Bytes cut into lines, however they come.

/// A line longer than this belongs to no profile (names of 100 kB do).
const LONGEST: usize = 4 << 20;

/// One line, without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Its bytes; none where it was too long to be kept.
    pub text: Option<&'a [u8]>,
    /// Its number, from 1.
    pub number: u64,
    /// Byte offset of its beginning.
    pub offset: u64,
    /// Its length in bytes, without its end.
    pub length: u64,
}

/// Takes bytes, gives lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// Bytes of a line that is too long to be kept.
    skipped: u64,
    number: u64,
    offset: u64,
}

impl Lines {
    /// Takes the next bytes, cut anywhere, and gives every line that ends in them.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(Line)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() && self.skipped == 0 {
                self.give(Some(line), line.len() as u64, &mut take);
            } else if self.skipped > 0 {
                let length = std::mem::take(&mut self.skipped) + line.len() as u64;
                self.give(None, length, &mut take);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.give(Some(&whole), whole.len() as u64, &mut take);
                whole.clear();
                self.partial = whole;
            }
            bytes = rest;
        }
        if self.skipped > 0 || self.partial.len() + bytes.len() > LONGEST {
            self.skipped += (self.partial.len() + bytes.len()) as u64;
            self.partial.clear();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn give(&mut self, text: Option<&[u8]>, length: u64, take: &mut impl FnMut(Line)) {
        self.number += 1;
        take(Line { text, number: self.number, offset: self.offset, length });
        self.offset += length + 1;
    }

    /// What stands behind the last line end.
    pub(super) fn rest(&self) -> Option<Line<'_>> {
        let length = self.skipped + self.partial.len() as u64;
        let text = (self.skipped == 0).then_some(self.partial.as_slice());
        (length > 0).then_some(Line { text, number: self.number + 1, offset: self.offset, length })
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> u64 {
        self.offset + self.skipped + self.partial.len() as u64
    }

    /// Lines given.
    pub(super) fn count(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let text = b"one\n\ntwo three\nfour";
        for size in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for part in text.chunks(size) {
                lines.push(part, |line| found.push((line.number, line.offset, line.text.unwrap().to_vec())));
            }
            assert_eq!(found, [(1, 0, b"one".to_vec()), (2, 4, b"".to_vec()), (3, 5, b"two three".to_vec())]);
            let rest = lines.rest().unwrap();
            assert_eq!((rest.text, rest.number, rest.offset), (Some(&b"four"[..]), 4, 15));
            assert_eq!(lines.bytes(), text.len() as u64);
        }
    }

    #[test]
    fn endless_lines_are_not_kept() {
        let mut lines = Lines::default();
        for _ in 0..9 {
            lines.push(&vec![b'x'; 1 << 20], |_| panic!("no line has ended"));
        }
        assert!(lines.partial.is_empty());
        let mut seen = Vec::new();
        lines.push(b"\nnext\n", |line| seen.push((line.text.is_some(), line.offset)));
        assert_eq!(seen, [(false, 0), (true, (9 << 20) + 1)]);
    }
}
