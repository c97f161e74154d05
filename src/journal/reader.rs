//! Reads a journal back, also one that was cut off or damaged, and journals of older schemas.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::Folder;
use super::event::{Event, Line, SCHEMA};
use super::schema_1::Upgrade;

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
    /// Every line that could be read, the header first.
    pub lines: Vec<Line>,
    /// Lines before the last that are no events: a hole, foreign bytes. They are left out.
    pub damage: Option<Damage>,
}

/// What of a journal could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// How many lines.
    pub lines: u64,
    /// The first of them, counted from 1.
    pub first_line: usize,
    /// The byte at which it begins.
    pub first_byte: usize,
}

/// What a reader must know before it reads anything else.
#[derive(Deserialize)]
struct Start {
    event: String,
    schema: u32,
}

impl Journal {
    /// Reads the journal of a run.
    ///
    /// # Errors
    /// The file cannot be read, is no journal, or is newer than this program.
    pub fn of(folder: &Folder) -> Result<Self, JournalError> {
        let path = folder.journal();
        let failed = |source| JournalError::Read { path: path.clone(), source };
        let mut bytes = Vec::new();
        let name = path.file_name().unwrap_or_default();
        folder.read(name).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
        Self::parse(&bytes, &path)
    }

    /// Parses a journal's bytes; `path` is for the errors.
    ///
    /// # Errors
    /// As [`Journal::of`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, JournalError> {
        let mut texts = bytes.split_inclusive(|b| *b == b'\n');
        // The header alone says how to read the rest.
        let start = texts.next().and_then(|first| serde_json::from_slice::<Start>(first).ok());
        let schema = match start {
            Some(start) if start.event == "header" => start.schema,
            _ => return Err(JournalError::NoHeader(path.to_path_buf())),
        };
        if schema > SCHEMA {
            return Err(JournalError::Newer { path: path.to_path_buf(), found: schema });
        }
        let mut upgrade = (schema == 1).then(Upgrade::default);
        let mut journal = Self { lines: Vec::new(), damage: None };
        let mut offset = 0;
        for (number, text) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let torn = offset + text.len() == bytes.len() && text.last() != Some(&b'\n');
            match line(text, upgrade.as_mut()) {
                Some(line) => journal.lines.push(line),
                // The machine stopped in the middle of it.
                None if torn => {}
                None => journal.damaged(number + 1, offset),
            }
            offset += text.len();
        }
        if !matches!(journal.lines.first().map(|line| &line.event), Some(Event::Header(_))) {
            return Err(JournalError::NoHeader(path.to_path_buf()));
        }
        Ok(journal)
    }

    fn damaged(&mut self, line: usize, byte: usize) {
        self.damage.get_or_insert(Damage { lines: 0, first_line: line, first_byte: byte }).lines += 1;
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.lines.iter().map(|line| &line.event)
    }
}

fn line(text: &[u8], upgrade: Option<&mut Upgrade>) -> Option<Line> {
    match upgrade {
        None => serde_json::from_slice(text).ok(),
        Some(upgrade) => serde_json::from_value(upgrade.line(serde_json::from_slice::<Value>(text).ok()?)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(schema: u32) -> String {
        format!(
            r#"{{"event":"header","schema":{schema},"version":"0.1.0","started":"","host":{{}},"commit":null,"dirty":null,"t":0.0}}"#
        )
    }

    fn parse(text: &[u8]) -> Result<Journal, JournalError> {
        Journal::parse(text, Path::new("j"))
    }

    #[test]
    fn a_torn_last_line_is_legal() {
        let journal = parse(format!("{}\n{{\"event\":\"interrupted\",\"sig", header(2)).as_bytes()).unwrap();
        assert_eq!((journal.lines.len(), journal.damage), (1, None));
    }

    #[test]
    fn damaged_lines_are_left_out_and_counted() {
        let good = r#"{"event":"interrupted","signal":"SIGINT","t":1.0}"#;
        let mut text = format!("{}\n", header(2)).into_bytes();
        let first = text.len();
        text.extend([0; 40]);
        text.extend(b"\n\xff\xfe not utf-8\n{}\n");
        text.extend(good.as_bytes());
        text.push(b'\n');
        let journal = parse(&text).unwrap();
        assert_eq!(journal.lines.len(), 2, "header and what follows the hole");
        assert_eq!(journal.damage, Some(Damage { lines: 3, first_line: 2, first_byte: first }));
    }

    #[test]
    fn a_newer_journal_is_refused_as_newer_whatever_it_holds() {
        let text = format!("{}\n{{\"event\":\"of_tomorrow\",\"t\":1.0}}\n", header(3));
        assert!(matches!(parse(text.as_bytes()), Err(JournalError::Newer { found: 3, .. })));
        // Also where the header itself has another shape by then.
        let text = "{\"event\":\"header\",\"schema\":9,\"t\":0.0}\n";
        assert!(matches!(parse(text.as_bytes()), Err(JournalError::Newer { found: 9, .. })));
    }

    #[test]
    fn what_does_not_begin_with_a_header_is_no_journal() {
        for text in ["", "{}\n", "rubbish\n", "{\"event\":\"end\",\"schema\":2}\n"] {
            assert!(matches!(parse(text.as_bytes()), Err(JournalError::NoHeader(_))), "{text}");
        }
    }
}
