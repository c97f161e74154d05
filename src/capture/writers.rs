//! Who writes which profile: a process by its number and its start, as numbers come again, and where it was forked.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::follow::FindProcess;
use crate::proc::Process;
use crate::profile::{forked_from, has_header};

/// Names of profiles begin so.
pub(super) const NAME: &str = "cachegrind.out.";

/// The process that writes a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writer {
    /// Its number.
    pub pid: i32,
    /// When it was started, in the kernel's ticks since boot; none where it had ended before it was seen.
    pub started: Option<u64>,
    /// The profile of the process that forked it.
    pub parent: Option<OsString>,
    /// It had ended before the profiles were followed, which is when the server greeted.
    pub early: bool,
}

/// What is known of the writers of a folder's profiles.
#[derive(Default)]
pub(super) struct Writers {
    process: Option<FindProcess>,
    known: BTreeMap<OsString, Writer>,
    /// Forked processes that have written nothing: each may be about to become another program.
    silent: HashSet<OsString>,
    later: bool,
}

impl Writers {
    /// Of processes whose numbers mean something to us, or to `process`.
    pub fn new(process: Option<FindProcess>) -> Self {
        Self { process, ..Self::default() }
    }

    /// Takes up a profile that may be new. `length` is what it has.
    pub fn meet(&mut self, path: &Path, length: u64) {
        let Some(name) = path.file_name() else { return };
        if self.known.contains_key(name) {
            if length > 0 && self.silent.remove(name) && begins(path) {
                self.known.entry(name.to_owned()).and_modify(|writer| writer.parent = None);
            }
            return;
        }
        let Some(own) = pid(name) else { return };
        let note = forked_from(path);
        // Its note comes a moment after it.
        if length == 0 && note.is_none() {
            return;
        }
        let found = self.process.as_ref().map_or(Some(own), |find| find(own));
        let pid = found.unwrap_or(own);
        let living = found.and_then(|pid| Process::open(pid).ok()).and_then(|process| process.stat().ok());
        let living = living.filter(|stat| stat.state != 'Z');
        let early = living.is_none() && !self.later;
        let started = note.as_ref().and_then(|note| note.started).or(living.map(|stat| stat.start));
        let parent =
            note.filter(|_| length == 0 || !begins(path)).and_then(|note| Some(note.parent.file_name()?.into()));
        if length == 0 {
            self.silent.insert(name.to_owned());
        }
        self.known.insert(name.to_owned(), Writer { pid, started, parent, early });
    }

    /// All that were there at first have been met.
    pub fn met(&mut self) {
        self.later = true;
    }

    /// Profiles whose beginning, or all of which, others need: those that forked, and what they forked.
    pub fn shared(&self) -> HashSet<&OsStr> {
        let forked = self.known.iter().filter(|(name, writer)| match &writer.parent {
            None => false,
            // A process that ended, or went on as another program, without a word needs nothing.
            Some(_) => {
                !self.silent.contains(*name) || writer.is_at(self.known.get(writer.parent.as_deref().unwrap_or(name)))
            }
        });
        forked.flat_map(|(name, writer)| [Some(name.as_os_str()), writer.parent.as_deref()]).flatten().collect()
    }

    /// What is known in the end.
    pub fn finish(self) -> BTreeMap<OsString, Writer> {
        self.known
    }
}

impl Writer {
    /// Whether it lives, and still is the program that forked it.
    fn is_at(&self, parent: Option<&Writer>) -> bool {
        let program = |pid: i32| Process::open(pid).and_then(|process| process.exe()).ok();
        let own = program(self.pid);
        own.is_some() && parent.is_none_or(|parent| program(parent.pid).is_none_or(|exe| Some(exe) == own))
    }
}

fn begins(path: &Path) -> bool {
    let mut head = [0; 8];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && has_header(&head)
}

/// The process in a profile's name: `cachegrind.out.PID`, with a number behind it where a pid came again.
fn pid(name: &OsStr) -> Option<i32> {
    name.to_str()?.strip_prefix(NAME)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_its_number_and_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(format!("{NAME}{name}"));
        let me = std::process::id() as i32;
        std::fs::write(at(&me.to_string()), "version: 1\n").unwrap();
        std::fs::write(at("999999998"), "version: 1\n").unwrap();
        let mut writers = Writers::default();
        writers.meet(&at(&me.to_string()), 11);
        writers.meet(&at("999999998"), 11);
        writers.met();
        // Two processes of one number, the second of which became another php.
        std::fs::write(at("999999998.1"), "").unwrap();
        writers.meet(&at("999999998.1"), 0);
        std::fs::write(at("999999998.1.fork"), format!("7 {NAME}{me}\n4711\n")).unwrap();
        writers.meet(&at("999999998.1"), 0);
        assert!(writers.shared().is_empty(), "it lives no more and wrote nothing");
        std::fs::write(at("999999998.1"), "fl=(1)\n").unwrap();
        writers.meet(&at("999999998.1"), 7);
        assert_eq!(writers.shared().len(), 2);
        let known = writers.finish();
        let start = Process::open(me).unwrap().stat().unwrap().start;
        let of = |name: &str| known[OsStr::new(&format!("{NAME}{name}"))].clone();
        assert_eq!(of(&me.to_string()), Writer { pid: me, started: Some(start), parent: None, early: false });
        assert_eq!(of("999999998"), Writer { pid: 999_999_998, early: true, ..Writer::default() });
        let again = of("999999998.1");
        assert_eq!((again.pid, again.started, again.early), (999_999_998, Some(4711), false));
        assert_eq!(again.parent, Some(format!("{NAME}{me}").into()));
    }
}
