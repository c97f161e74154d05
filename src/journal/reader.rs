//! Reads a journal back, also one that was cut off.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::event::{Event, Line, SCHEMA};

/// Errors of reading a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is no event, before the last.
    #[error("{path}: line {line} (byte {offset}) is no event: {source}", path = path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Where the line begins.
        offset: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// It does not begin with a header.
    #[error("{path} does not begin with a header: it is no journal of a run", path = .0.display())]
    NoHeader(PathBuf),
    /// It was written by a newer program.
    #[error("{path} has schema {found}, this program reads up to {SCHEMA}: use the version that wrote it", path = path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
}

/// A journal, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// Every line, the header first.
    pub lines: Vec<Line>,
    /// It has its `end`.
    pub sealed: bool,
    /// The last line was torn and left out.
    pub torn: bool,
}

impl Journal {
    /// Reads the journal at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is no journal, or is damaged before its last line.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let bytes = fs::read(path).map_err(|source| JournalError::Read { path: path.to_path_buf(), source })?;
        Self::parse(&bytes, path)
    }

    /// Parses a journal's bytes; `path` is for the errors.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, JournalError> {
        let mut lines = Vec::new();
        let mut torn = false;
        let mut offset = 0;
        for (number, text) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            match serde_json::from_slice::<Line>(text) {
                Ok(line) => lines.push(line),
                Err(_) if offset + text.len() == bytes.len() && text.last() != Some(&b'\n') => torn = true,
                Err(source) => {
                    return Err(JournalError::Line { path: path.to_path_buf(), line: number + 1, offset, source });
                }
            }
            offset += text.len();
        }
        match lines.first().map(|line| &line.event) {
            Some(Event::Header { schema, .. }) if *schema <= SCHEMA => {}
            Some(Event::Header { schema, .. }) => {
                return Err(JournalError::Newer { path: path.to_path_buf(), found: *schema });
            }
            _ => return Err(JournalError::NoHeader(path.to_path_buf())),
        }
        let sealed = matches!(lines.last().map(|line| &line.event), Some(Event::End { .. }));
        Ok(Self { lines, sealed, torn })
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.lines.iter().map(|line| &line.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#"{"event":"header","schema":1,"version":"0.1.0","started":"","host":{},"commit":null,"dirty":null,"t":0.0}"#;

    #[test]
    fn a_torn_last_line_is_legal() {
        let text = format!("{HEADER}\n{{\"event\":\"interrupted\",\"sig");
        let journal = Journal::parse(text.as_bytes(), Path::new("j")).unwrap();
        assert!(journal.torn && !journal.sealed);
        assert_eq!(journal.lines.len(), 1);
    }

    #[test]
    fn damage_before_it_is_named_by_line_and_byte() {
        let text = format!("{HEADER}\nrubbish\n{{}}");
        let error = Journal::parse(text.as_bytes(), Path::new("j")).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains(&format!("byte {}", HEADER.len() + 1)), "{error}");
    }

    #[test]
    fn sealed_by_its_end() {
        let text = format!("{HEADER}\n{{\"event\":\"end\",\"early\":null,\"sentence\":null,\"t\":1.0}}\n");
        assert!(Journal::parse(text.as_bytes(), Path::new("j")).unwrap().sealed);
        assert!(matches!(Journal::parse(b"{}\n", Path::new("j")), Err(JournalError::Line { .. })));
        assert!(matches!(Journal::parse(b"", Path::new("j")), Err(JournalError::NoHeader(_))));
    }
}
