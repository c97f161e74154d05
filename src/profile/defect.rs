//! Damage in a profile file: what, where, and what it cost.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of damage that a reader of profile files meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefectKind {
    /// The file ends without its summary: the process was stopped, or the file is still growing.
    NoSummary,
    /// The file ends inside a record.
    CutRecord,
    /// A compressed file ends before its end, or its data is damaged.
    CutCompression,
    /// A line that belongs to no profile.
    StrangeLine,
    /// A cost line without usable numbers.
    BadCost,
    /// A number that no cost can have: a negative one written unsigned, or damage. It was left out.
    WrappedNumber,
    /// An id that was used and never defined.
    UndefinedId(u64),
    /// An id that was defined again with another name: several processes wrote into the file.
    RedefinedId(u64),
    /// A second summary without a second header: several processes wrote into the file.
    SecondSummary,
    /// Calls whose own record is not in the file.
    LostRecord,
    /// A record without function or cost.
    EmptyRecord,
    /// A cost that is relative to another one: the format has no such costs.
    CompressedCost,
    /// A cost line before any `events:` says what it counts.
    NoEvents,
    /// `calls=` without the cost line that belongs behind it.
    OpenCall,
    /// `calls=` without the name of a function that is called.
    NoCallee,
    /// The last line has no line end: it may be cut.
    OpenLine,
    /// The file was appended to while it was read.
    Growing,
    /// The file was cut short while it was read.
    Shrunk,
}

impl fmt::Display for DefectKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DefectKind::NoSummary => out.write_str("the file ends without its summary"),
            DefectKind::CutRecord => out.write_str("the file ends inside a record"),
            DefectKind::CutCompression => out.write_str("the compressed data ends early or is damaged"),
            DefectKind::StrangeLine => out.write_str("a line that belongs to no profile"),
            DefectKind::BadCost => out.write_str("a cost line without usable numbers"),
            DefectKind::WrappedNumber => out.write_str("a number that no cost can have, left out"),
            DefectKind::UndefinedId(id) => write!(out, "id ({id}) was never defined"),
            DefectKind::RedefinedId(id) => write!(out, "id ({id}) is defined again with another name"),
            DefectKind::SecondSummary => out.write_str("a second summary without a second header"),
            DefectKind::LostRecord => out.write_str("a call whose own record is missing"),
            DefectKind::EmptyRecord => out.write_str("a record without function or cost"),
            DefectKind::CompressedCost => out.write_str("a cost that is relative to another one"),
            DefectKind::NoEvents => out.write_str("a cost line before any `events:`"),
            DefectKind::OpenCall => out.write_str("a call without its cost line"),
            DefectKind::NoCallee => out.write_str("a call of a function that is not named"),
            DefectKind::OpenLine => out.write_str("the last line has no end and may be cut"),
            DefectKind::Growing => out.write_str("the file grew while it was read"),
            DefectKind::Shrunk => out.write_str("the file was cut short while it was read"),
        }
    }
}

/// One place of damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defect {
    /// Line, from 1, in the uncompressed text.
    pub line: u64,
    /// Byte offset of that line's beginning in the uncompressed text.
    pub offset: u64,
    /// What is wrong there.
    pub kind: DefectKind,
}

impl fmt::Display for Defect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, byte {}: {}", self.line, self.offset, self.kind)
    }
}
