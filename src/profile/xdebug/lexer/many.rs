//! Many records at once: where a file is as Xdebug 3 writes it, the [`Batch`] reads it, and the tolerant lexer goes on at
//! the first byte that is different.

use std::io;

use super::{Claim, Lexer, Record, Sink};
use crate::profile::tree::Cost;
use crate::profile::xdebug::digits::Vectors;
use crate::profile::xdebug::fibers::Role;
use crate::profile::xdebug::strict::{Batch, LEAD, PADDING, RawClaim, RawKey, id_of};

/// Bytes that are read at one go: more each time, and few again where not all that was read could be used.
const GO: (usize, usize) = (1 << 10, 1 << 17);

/// Places of [`Many::known`]; a file of more functions looks some of them up again.
const PLACES: usize = 1 << 12;

/// A function by the ids that the file has for it.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    key: RawKey,
    file: u32,
    name: u32,
    pair: u32,
    role: Role,
}

/// What is used again from batch to batch.
#[derive(Debug, Default, Clone)]
pub(super) struct Many {
    batch: Batch<RawClaim>,
    record: Record,
    known: Vec<Known>,
    /// Bytes to be read at one go.
    go: usize,
}

impl Many {
    /// Ids may mean other names from now on.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

impl Lexer {
    /// Nothing is open, and nothing that was met asks for more than to read on.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.open.is_none()
            && self.begun.is_none()
            && self.modern
            && self.in_run
            && !(self.in_header || self.fibers || self.skipping)
            && self.partial.is_empty()
            && self.run_summaries == 0
            && self.events == 2
            && self.columns == (0, 1)
            && self.callee.is_none()
            && self.callee_file.is_none()
            && self.call_count.is_none()
            && self.call_begun.is_none()
    }

    /// Takes the records at a place of the text for as long as they are of the usual form. Gives back where it stopped.
    pub(super) fn many(&mut self, text: &[u8], at: usize, sink: &mut impl Sink) -> io::Result<usize> {
        if at < LEAD || text.len() < at + PADDING || !text[at..].starts_with(b"fl=(") {
            return Ok(at);
        }
        let mut batch = std::mem::take(&mut self.many.batch);
        let mut record = std::mem::take(&mut self.many.record);
        let go = self.many.go.clamp(GO.0, GO.1);
        let stopped = batch.lex(text, at, (at + go).min(text.len() - PADDING), Vectors::Widest);
        let outcome = self.take(at, &batch, &mut record, sink);
        self.many.go = if outcome.as_ref().is_ok_and(|at| *at == stopped) { 2 * go } else { 0 };
        (self.many.batch, self.many.record) = (batch, record);
        outcome
    }

    fn take(
        &mut self,
        mut at: usize,
        batch: &Batch<RawClaim>,
        record: &mut Record,
        sink: &mut impl Sink,
    ) -> io::Result<usize> {
        let mut claims = &batch.claims[..];
        for raw in &batch.records {
            let (own, others) = claims.split_at(raw.claims as usize);
            claims = others;
            record.claims.clear();
            for claim in own {
                let Some(callee) = self.known(claim.key) else { return Ok(at) };
                let line = u32::try_from(claim.line).unwrap_or(0);
                let time = Some(claim.time as i64);
                record.claims.push(Claim { pair: callee.pair, name: callee.name, line, time, count: 1 });
            }
            let Some(function) = self.known(raw.key) else { break };
            record.place = (self.line + 1, self.offset);
            (record.pair, record.name, record.role) = (function.pair, function.name, function.role);
            record.cost = Cost { time: raw.time as i64, memory: raw.memory as i64 };
            self.file = Some(function.file);
            self.found.records += 1;
            self.run_records += 1;
            self.run_time = self.run_time.saturating_add(record.cost.time);
            let lines = 3 + 4 * u64::from(raw.claims);
            self.found.good_lines += lines;
            self.line += lines + 1;
            self.offset += u64::from(raw.length);
            at += raw.length as usize;
            sink.record(record, false)?;
        }
        Ok(at)
    }

    /// The function behind a key, unless one of its ids has no name.
    #[inline]
    fn known(&mut self, key: RawKey) -> Option<Known> {
        let place = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize;
        match self.many.known.get(place) {
            Some(known) if known.key == key => Some(*known),
            _ => self.look_up(key, place),
        }
    }

    #[cold]
    fn look_up(&mut self, key: RawKey, place: usize) -> Option<Known> {
        let file = self.files.get(u64::from(id_of((key >> 32) as u32)))?;
        let name = self.functions.get(u64::from(id_of(key as u32)))?;
        let pair = self.found.pairs.intern(file, name);
        let known = Known { key, file, name, pair, role: Role::of(self.found.strings.get(name)) };
        self.many.known.resize(PLACES, Known::default());
        self.many.known[place] = known;
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::Recorder;

    /// What is found, and the compact form of it.
    fn recorded(bytes: &[u8], size: usize) -> (String, Vec<u8>) {
        let mut recorder = Recorder::new(Vec::new());
        bytes.chunks(size).for_each(|piece| recorder.push(piece).unwrap());
        let (recorded, compact) = recorder.finish().unwrap().at(());
        (serde_json::to_string(&recorded).unwrap(), compact)
    }

    #[test]
    fn many_records_are_what_they_are_line_by_line() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/xdebug");
        let mut read = 0;
        for entry in walkdir::WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
            let bytes = std::fs::read(entry.path()).unwrap();
            // Pieces so small leave nothing but lines.
            assert!(recorded(&bytes, bytes.len().max(1)) == recorded(&bytes, 60), "{}", entry.path().display());
            read += 1;
        }
        assert!(read > 5, "{read} files");
    }

    #[test]
    fn ids_without_a_name_are_left_to_the_lines() {
        let head = "version: 1\ncreator: xdebug 3.2.0\ncmd: a\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\n";
        let mut text = format!("{head}fl=(1) /srv/a.php\nfn=(1) work\n1 5 0\n\n");
        for id in 0..2_000 {
            // Every third names nothing, and one stands in a call.
            let callee = if id % 5 == 0 { format!("cfl=(1)\ncfn=({id})\ncalls=1 0 0\n7 9 1\n") } else { String::new() };
            text += &format!(
                "fl=(1)\nfn=({})\n{id} {} {}\n{callee}\n",
                if id % 3 == 0 { 70_000 + id } else { 1 },
                id * 7,
                id
            );
        }
        assert!(recorded(text.as_bytes(), text.len()) == recorded(text.as_bytes(), 60));
        let ids = text.replace("fn=(1)\n", "fn=(1) other\n");
        assert!(recorded(ids.as_bytes(), ids.len()) == recorded(ids.as_bytes(), 60));
    }
}
