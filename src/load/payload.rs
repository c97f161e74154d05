//! Message bodies made ready for the wire: lines ended by CRLF, leading dots doubled, the end with its dot.

use std::path::{Path, PathBuf};

use crate::model::plan::scenario::{Length, Payload};

use super::error::LoadError;
use crate::model::Random;

/// A line of a generated body, with its CRLF.
const LINE: usize = 80;
/// Files above this are not messages but a slip.
const FILE_LIMIT: u64 = 1 << 30;

/// The bodies of a load.
#[derive(Debug)]
pub struct Bodies {
    /// The longest generated body, or the ready-made messages.
    contents: Vec<Vec<u8>>,
    length: Option<Length>,
    /// Whether our headers go before the body.
    pub headers: bool,
}

/// One message's body: so many bytes of a content, then its tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    /// Which content.
    pub content: usize,
    /// How many of its bytes.
    pub len: usize,
}

/// Ends the last line and the message.
pub const TAIL: &[u8] = b"\r\n.\r\n";

impl Bodies {
    /// Reads or generates what `payload` says.
    ///
    /// # Errors
    /// Files that cannot be read, a folder without `.eml` files.
    pub fn new(payload: &Payload, bare: bool) -> Result<Self, LoadError> {
        Ok(match payload {
            Payload::Short => {
                let text = b"This is a test.\r\nIt has a few lines,\r\none after another,\r\nand no more to say.";
                Self { contents: vec![text.to_vec()], length: None, headers: !bare }
            }
            Payload::Generated(length) => {
                let content = generate(length.longest() as usize);
                Self { contents: vec![content], length: Some(*length), headers: !bare }
            }
            Payload::File(path) => Self { contents: vec![read(path)?], length: None, headers: false },
            Payload::Folder(path) => {
                let contents = messages(path)?.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
                Self { contents, length: None, headers: false }
            }
        })
    }

    /// The body of message `number`; the same seed gives the same lengths.
    pub fn pick(&self, number: u64, rng: &mut Random) -> Body {
        let content = (number % self.contents.len() as u64) as usize;
        let whole = self.contents[content].len();
        let len = match self.length {
            None | Some(Length::Fixed(_)) => whole,
            Some(Length::Uniform { min, max }) => rng.range(min, max) as usize,
            Some(Length::LogNormal { median, sigma, max }) => {
                let length = (median as f64 * (sigma * rng.normal()).exp()).round();
                (length as u64).clamp(1, max) as usize
            }
        };
        let len = len.min(whole);
        // A cut between CR and LF would leave a bare CR on the wire.
        let cut = len > 0 && len < whole && self.contents[content][len - 1] == b'\r';
        Body { content, len: if cut { len + 1 } else { len } }
    }

    /// The bytes of a body, without its tail.
    pub fn bytes(&self, body: Body) -> &[u8] {
        &self.contents[body.content][..body.len]
    }

    /// All contents, for those who keep them elsewhere.
    pub fn contents(&self) -> &[Vec<u8>] {
        &self.contents
    }

    /// The longest body.
    pub fn longest(&self) -> usize {
        self.contents.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// `len` bytes in lines of 80, each with its number at the start; no line begins with a dot.
fn generate(len: usize) -> Vec<u8> {
    let mut content = vec![b'X'; len];
    for (number, line) in content.chunks_exact_mut(LINE).enumerate() {
        line[0] = b'0' + (number % 10) as u8;
        line[LINE - 2..].copy_from_slice(b"\r\n");
    }
    // A body never ends in half a line end: what follows it is a CRLF of its own.
    if len.is_multiple_of(LINE) && len > 0 {
        content[len - 2..].copy_from_slice(b"XX");
    }
    content
}

fn messages(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |source| LoadError::Payload { path: folder.to_owned(), source };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("eml")))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, "no .eml file in this folder")));
    }
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Payload { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > FILE_LIMIT {
        return Err(failed(std::io::Error::other("larger than 1 GiB: is this a message?")));
    }
    Ok(stuff(&std::fs::read(path).map_err(failed)?))
}

/// Line ends to CRLF, leading dots doubled, without the last line's end (the tail brings it).
fn stuff(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + text.len() / 40);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for (number, line) in text.split(|b| *b == b'\n').enumerate() {
        if number > 0 {
            wire.extend_from_slice(b"\r\n");
        }
        if line.first() == Some(&b'.') {
            wire.push(b'.');
        }
        wire.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_bodies_have_their_length_and_whole_lines() {
        for len in [0, 1, 2, 79, 80, 81, 160, 200, 12_345] {
            let body = generate(len);
            assert_eq!(body.len(), len);
            let wire = [&body[..], TAIL].concat();
            let text = String::from_utf8(wire).expect("ASCII");
            assert!(text.ends_with("\r\n.\r\n") && !text[..len].contains("\n."), "{len}");
            assert_eq!(text.matches('\r').count(), text.matches("\r\n").count(), "{len}: bare CR");
        }
    }

    #[test]
    fn files_are_stuffed() {
        for (file, wire) in [
            (&b"a\nb\n"[..], &b"a\r\nb"[..]),
            (b"a\r\nb\r\n", b"a\r\nb"),
            (b".\n..x\n", b"..\r\n...x"),
            (b"", b""),
            (b"no end", b"no end"),
            (b"a\n\n", b"a\r\n"),
        ] {
            assert_eq!(stuff(file), wire, "{:?}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn lengths_by_chance_stay_in_their_range_and_repeat_with_the_seed() {
        for length in [Length::Uniform { min: 5, max: 900 }, Length::LogNormal { median: 100, sigma: 1.0, max: 900 }] {
            let bodies = Bodies::new(&Payload::Generated(length), false).expect("generated");
            let draw = |seed| -> Vec<usize> {
                let mut rng = Random::new(seed);
                (0..500).map(|n| bodies.pick(n, &mut rng).len).collect()
            };
            assert_eq!(draw(7), draw(7));
            assert_ne!(draw(7), draw(8));
            assert!(draw(7).iter().all(|len| (1..=900).contains(len)));
        }
    }
}
