//! One PHP process under observation: the room's front door.

use std::sync::Arc;

use super::census::code::Code;
use super::census::error::Error;
use super::census::values::{Census, Figures, Frame};
use super::code;
use super::layout::Layout;
use super::memory::Memory;
use super::read::image::Php;
use super::read::remote;
use super::read::snapshot::{self, Copy, CopyMode};
use super::walk::engine::Engine;
use super::walk::walker::Walk;
use super::walk::{checks, stack, take};
use super::zmm::Zmm;
use crate::proc::remote::Remote;

/// Tries at figures that move while they are read.
const FIGURE_TRIES: u32 = 16;
/// Tries at a process that has to be stopped: it may stand in the middle of a change.
const CENSUS_TRIES: u32 = 10;

/// A PHP process, found and identified. Nothing of it is held or changed.
#[derive(Debug)]
pub struct Inspector {
    php: Arc<Php>,
    memory: Remote,
}

/// A copy of a PHP's memory, to be counted at leisure and on any thread.
#[derive(Debug)]
pub struct Snapshot {
    php: Arc<Php>,
    copy: Copy,
}

impl Inspector {
    /// Finds PHP in process `pid`.
    ///
    /// # Errors
    /// Not a PHP, one that is not known, one that may not be read, one that
    /// has not yet started up (`Busy`).
    pub fn attach(pid: i32) -> Result<Inspector, Error> {
        let maps = remote::read_maps(pid)?;
        let memory = remote::open_memory(pid, &maps)?;
        let php = Php::find(pid, &maps, &memory)?;
        Ok(Inspector { php: Arc::new(php), memory })
    }

    /// As [`Inspector::attach`], with a layout that is not the process's own. Only for showing that
    /// a wrong one is refused.
    ///
    /// # Errors
    /// As [`Inspector::attach`].
    pub fn attach_with(pid: i32, layout: Layout) -> Result<Inspector, Error> {
        let mut inspector = Inspector::attach(pid)?;
        let php = Arc::get_mut(&mut inspector.php).expect("nobody else has it yet");
        php.layout = layout;
        Ok(inspector)
    }

    /// As PHP says itself: `8.2.36`.
    pub fn php_version(&self) -> &str {
        &self.php.version
    }

    /// The layout that its memory is read by.
    pub fn layout(&self) -> &Layout {
        &self.php.layout
    }

    /// Heap figures, read without stopping anything: some fifty words.
    ///
    /// # Errors
    /// `Unsupported` where PHP does not use Zend's memory manager, `Busy` where the figures moved
    /// at each try, `NotPhp` where the process is gone.
    pub fn figures(&self) -> Result<Figures, Error> {
        let mut last = None;
        for _ in 0..FIGURE_TRIES {
            let stack = self.php.eg + u64::from(self.php.layout.eg_vm_stack);
            let stack = self.memory.u64(stack).ok_or(Error::NotPhp)?;
            // The same twice is not torn.
            let now = Zmm::find(&self.memory, stack).and_then(|zmm| zmm.figures(&self.memory));
            if now.is_some() && now == last {
                return now.ok_or(Error::Busy);
            }
            last = now;
        }
        Err(match self.uses_zend_alloc() {
            false => Error::Unsupported("PHP does not use Zend's memory manager (USE_ZEND_ALLOC=0)".into()),
            true => Error::Busy,
        })
    }

    fn uses_zend_alloc(&self) -> bool {
        let path = format!("/proc/{}/environ", self.memory.pid());
        !std::fs::read(path).is_ok_and(|env| env.split(|&b| b == 0).any(|e| e == b"USE_ZEND_ALLOC=0"))
    }

    /// Copies the process's memory: what a census needs, and nothing is changed.
    ///
    /// # Errors
    /// `Busy` where the process does not rest and may not be stopped; `Unsupported` where its heap
    /// is too large; `NotPhp` where it is gone.
    pub fn snapshot(&self, mode: CopyMode) -> Result<Snapshot, Error> {
        let copy = snapshot::copy(&self.php, &self.memory, mode)?;
        Ok(Snapshot { php: Arc::clone(&self.php), copy })
    }

    /// Copies and counts. A copy of a process that had to be stopped may show it in the middle of a
    /// change; then it is tried again.
    ///
    /// # Errors
    /// As [`Inspector::snapshot`] and [`Snapshot::census`].
    pub fn census(&self, mode: CopyMode) -> Result<Census, Error> {
        let mut last = Error::Busy;
        for _ in 0..CENSUS_TRIES {
            match self.snapshot(mode)?.census() {
                Err(Error::Busy) => last = Error::Busy,
                other => return other,
            }
        }
        Err(last)
    }

    /// As [`Inspector::census`], and of the same copy what the compiled code does to the containers. `is_library`: of
    /// a script's path.
    ///
    /// # Errors
    /// As [`Inspector::census`]. Code that cannot be read is no error: [`Code::refused`] says why.
    pub fn census_with_code(&self, mode: CopyMode, is_library: &dyn Fn(&str) -> bool) -> Result<(Census, Code), Error> {
        let mut last = Error::Busy;
        for _ in 0..CENSUS_TRIES {
            match self.snapshot(mode)?.census_with_code(is_library) {
                Err(Error::Busy) => last = Error::Busy,
                other => return other,
            }
        }
        Err(last)
    }

    /// The PHP call stack, innermost first.
    ///
    /// # Errors
    /// As [`Inspector::snapshot`].
    pub fn stack(&self, mode: CopyMode) -> Result<Vec<Frame>, Error> {
        let mut last = Error::Busy;
        for _ in 0..CENSUS_TRIES {
            match self.snapshot(mode)?.stack() {
                Err(Error::Busy) => last = Error::Busy,
                other => return other,
            }
        }
        Err(last)
    }
}

impl Snapshot {
    /// Counts.
    ///
    /// # Errors
    /// `Unsupported` where a check fails on a copy of a process at rest, `Busy` where it fails on
    /// one that had to be stopped.
    pub fn census(self) -> Result<Census, Error> {
        let at_rest = self.copy.stopped.is_zero();
        take::take(&self.php, &self.copy).map_err(|torn| take::error_of(torn, at_rest))
    }

    /// Counts, and reads the compiled code for the lines that fill and empty what was counted.
    ///
    /// # Errors
    /// As [`Snapshot::census`].
    pub fn census_with_code(self, is_library: &dyn Fn(&str) -> bool) -> Result<(Census, Code), Error> {
        let at_rest = self.copy.stopped.is_zero();
        let read = |walk: &Walk, chosen: &[u32]| {
            let containers: Vec<_> = chosen.iter().filter_map(|&path| walk.paths.container(path)).collect();
            code::read(&walk.engine, &self.php, &walk.closures(), &containers, is_library)
        };
        take::take_with(&self.php, &self.copy, read).map_err(|torn| take::error_of(torn, at_rest))
    }

    /// The PHP call stack, innermost first.
    ///
    /// # Errors
    /// As [`Snapshot::census`].
    pub fn stack(&self) -> Result<Vec<Frame>, Error> {
        let read = || {
            let at = self.php.cg + u64::from(self.php.layout.cg_map_ptr_base);
            let map_ptr_base = self.copy.arena.u64(at).unwrap_or_default();
            let engine = Engine { arena: &self.copy.arena, layout: &self.php.layout, map_ptr_base };
            checks::check(&engine, &self.php, &self.copy.code)?;
            stack::read(&engine, &self.php)
        };
        read().map_err(|torn| take::error_of(torn, self.copy.stopped.is_zero()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    /// A copy is untrusted: whatever its bytes are, the census ends, and does not panic.
    #[test]
    fn a_spoilt_copy_is_refused_or_counted_and_never_panics() {
        let mut child = Command::new(std::env::var("PROFILE_RUN_PHP").unwrap_or_else(|_| "php".into()))
            .args(["-n", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/leaks.php"), "mixed", "10"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs php-cli");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"go\n").unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let inspector = Inspector::attach(child.id() as i32).unwrap();
        let mut snapshot = inspector.snapshot(CopyMode::MayStop).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let whole = snapshot.copy.arena.bytes_mut().to_vec();
        let used: Vec<usize> = (0..whole.len() / 8).filter(|w| whole[w * 8..w * 8 + 8] != [0; 8]).collect();
        let ranges = snapshot.copy.arena.ranges();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            // xorshift64: the same spoiling in each run.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut refused = 0;
        for round in 0..120 {
            let bytes = snapshot.copy.arena.bytes_mut();
            bytes.copy_from_slice(&whole);
            for _ in 0..1 + round % 40 {
                let at = used[random() as usize % used.len()] * 8;
                let range = ranges[random() as usize % ranges.len()];
                let word = match random() % 5 {
                    0 => random(),
                    1 => u64::MAX - random() % 64,
                    2 => range.0 + random() % (range.1 - range.0),
                    3 => random() % 64,
                    _ => u64::from_le_bytes(whole[at..at + 8].try_into().unwrap()) ^ 1 << (random() % 64),
                };
                bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            }
            let read = |walk: &Walk, chosen: &[u32]| {
                let containers: Vec<_> = chosen.iter().filter_map(|&path| walk.paths.container(path)).collect();
                code::read(&walk.engine, &snapshot.php, &walk.closures(), &containers, &|_| true)
            };
            refused += u32::from(take::take_with(&snapshot.php, &snapshot.copy, read).is_err());
        }
        assert!(refused > 0);
    }
}
