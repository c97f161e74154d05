//! The header of a profile file: who wrote it, of what, in which unit.

use serde::{Deserialize, Serialize};

use super::number::{Number, decimal};

/// What the header lines say. Fields are as the file has them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Header {
    /// `version:`.
    pub version: String,
    /// `creator:`.
    pub creator: String,
    /// `cmd:`: the script or command.
    pub cmd: String,
    /// `events:`, in order.
    pub events: Vec<String>,
    /// `positions:`, in order.
    pub positions: Vec<String>,
    /// `pid:`, where the writer gives it.
    pub pid: Option<u64>,
}

impl Header {
    /// Takes one header line. False when it is none.
    pub(crate) fn take(&mut self, line: &[u8]) -> bool {
        let Some(colon) = memchr::memchr(b':', &line[..line.len().min(32)]) else { return false };
        let value = String::from_utf8_lossy(&line[colon + 1..]).trim().to_owned();
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match &line[..colon] {
            b"version" => self.version = value,
            b"creator" => self.creator = value,
            b"cmd" => self.cmd = value,
            b"events" => self.events = words(),
            b"positions" => self.positions = words(),
            b"pid" => {
                if let Number::Is(pid) = decimal(value.as_bytes()) {
                    self.pid = u64::try_from(pid).ok();
                }
            }
            b"part" | b"thread" | b"desc" | b"event" | b"ob" | b"target" => {}
            _ => return false,
        }
        true
    }

    /// Nanoseconds of one tick of an Xdebug file's time, from its `events:` line.
    pub fn nanoseconds_per_tick(&self) -> u64 {
        match self.events.iter().any(|event| event == "Time_(10ns)") || self.lacks_its_unit() {
            true => 10,
            false => 1000,
        }
    }

    /// It is Xdebug 3's and does not say what it counts: that writes time in 10 ns.
    pub(crate) fn lacks_its_unit(&self) -> bool {
        self.events.is_empty() && self.creator.as_bytes().starts_with(b"xdebug 3")
    }

    /// Positions of time and memory among an Xdebug file's costs.
    pub(crate) fn columns(&self) -> (usize, usize) {
        let at = |name: &str| self.events.iter().position(|event| event.starts_with(name));
        (at("Time").unwrap_or(0), at("Memory").unwrap_or(1))
    }
}
