//! Copying what a census needs out of a live process: which ranges, and when the copy is whole.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use super::activity::Activity;
use super::image::Php;
use super::modules::{Module, modules};
use super::remote::read_maps;
use super::stop::Stopped;
use crate::heap::census::error::Error;
use crate::heap::memory::{Arena, Memory};
use crate::heap::zmm::{CHUNK, PAGE, Zmm};
use crate::proc::maps::{Mapping, PageState};
use crate::proc::page_size;
use crate::proc::remote::Remote;

/// The most that is copied. A larger heap is `unsupported`: its copy would weigh on the very
/// machine that is measured.
const MOST_BYTES: u64 = 2 << 30;
/// The most that is taken of one mapping that is not Zend's: the tables that PHP keeps there are
/// small, and what is larger is some extension's own.
const MOST_FOREIGN: u64 = 32 << 20;
/// Tries at an idle process, and the pause between them.
const IDLE_TRIES: u32 = 8;
const IDLE_PAUSE: Duration = Duration::from_millis(3);

/// Whether a process may be stopped for the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyMode {
    /// Only a process at rest is copied, and only a copy that it did not move under is kept.
    IdleOnly,
    /// As above; where the process does not rest, it is stopped for the copy.
    MayStop,
}

/// A copy, and what it took.
#[derive(Debug)]
pub struct Copy {
    /// The bytes.
    pub arena: Arena,
    /// The manager, where PHP uses it.
    pub zmm: Option<Zmm>,
    /// Executable ranges (start, end).
    pub code: Vec<(u64, u64)>,
    /// Ranges that a file stands behind.
    pub files: Vec<(u64, u64)>,
    /// Where the program and its libraries keep their variables.
    pub modules: Vec<Module>,
    /// From the first read to the last.
    pub took: Duration,
    /// How long the process was held; zero where it was at rest.
    pub stopped: Duration,
    /// Bytes read.
    pub bytes: u64,
    /// What was left out.
    pub warnings: Vec<String>,
}

/// Copies process `pid`.
///
/// # Errors
/// `Busy` where it does not rest; `Unsupported` where its heap is too large; `Denied`; `NotPhp`
/// where it is gone.
pub fn copy(php: &Php, memory: &Remote, mode: CopyMode) -> Result<Copy, Error> {
    let pid = memory.pid();
    for attempt in 0..IDLE_TRIES {
        if attempt > 0 {
            thread::sleep(IDLE_PAUSE);
        }
        if !Activity::of(pid).ok_or(Error::NotPhp)?.at_rest() {
            continue;
        }
        let room = make_room(php, memory)?;
        let before = Activity::of(pid).ok_or(Error::NotPhp)?;
        let copied = copy_now(php, memory, room);
        if !before.at_rest() || Activity::of(pid).ok_or(Error::NotPhp)? != before {
            continue;
        }
        match copied {
            Err(Error::Busy) => {}
            other => return other,
        }
    }
    if mode == CopyMode::IdleOnly {
        return Err(Error::Busy);
    }
    let room = make_room(php, memory)?;
    let held = Stopped::hold(pid).map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => Error::Busy,
        std::io::ErrorKind::PermissionDenied => Error::Denied(format!("pid {pid} cannot be stopped: {error}")),
        _ => Error::NotPhp,
    })?;
    let copied = copy_now(php, memory, room);
    let stopped = held.elapsed();
    drop(held);
    copied.map(|copy| Copy { stopped, ..copy })
}

/// Zeroed memory for a copy, faulted in: while the process is copied, nothing is left to be done but the copying.
fn make_room(php: &Php, memory: &Remote) -> Result<Vec<u8>, Error> {
    let maps = read_maps(memory.pid())?;
    // A plan that is out of date by the time of the copy does no harm: the room is then too large or made larger.
    let length = match plan(php, memory, &maps) {
        Ok((plan, _)) => plan.length(),
        Err(Error::Busy) => 0,
        Err(other) => return Err(other),
    };
    let mut room = vec![0; length + length / 16];
    prefer_huge_pages(&mut room);
    // SAFETY: the range is that of `room`, which is ours; its pages are mapped as a write to each would map them. Where
    // the kernel does not know the advice, they are mapped by the copy.
    unsafe { libc::madvise(page_of(room.as_mut_ptr()), room.len(), libc::MADV_POPULATE_WRITE) };
    Ok(room)
}

/// The page in which an address lies.
fn page_of(address: *mut u8) -> *mut libc::c_void {
    let page = page_size() as usize;
    (address as usize / page * page) as *mut libc::c_void
}

fn plan(php: &Php, memory: &Remote, maps: &[Mapping]) -> Result<(Plan, Option<Zmm>), Error> {
    let stack = memory.u64(php.eg + u64::from(php.layout.eg_vm_stack)).ok_or(Error::Busy)?;
    let zmm = Zmm::find(memory, stack);
    Ok((Plan::of(maps, memory, zmm.as_ref(), php.data())?, zmm))
}

/// Copies into `bytes`, which hold zeros.
fn copy_now(php: &Php, memory: &Remote, mut bytes: Vec<u8>) -> Result<Copy, Error> {
    let begun = Instant::now();
    let maps = read_maps(memory.pid())?;
    let (plan, zmm) = plan(php, memory, &maps)?;
    bytes.resize(plan.length(), 0);
    let mut at = 0;
    // Each range of the copy is contiguous in the arena; what of it is populated is read.
    let mut reads: Vec<(u64, usize)> = Vec::new();
    let mut targets: Vec<(usize, usize)> = Vec::new();
    for range in &plan.ranges {
        for &(start, length) in &range.populated {
            reads.push((start, length));
            targets.push((at + (start - range.start) as usize, length));
        }
        at += range.length;
    }
    let copied = read_scattered(memory, &reads, &targets, &mut bytes)?;
    let ranges: Vec<_> = plan.ranges.iter().map(|r| (r.start, r.length)).collect();
    let code = maps.iter().filter(|m| m.executable).map(|m| (m.start, m.end)).collect();
    let files = maps.iter().filter(|m| m.is_file()).map(|m| (m.start, m.end)).collect();
    let arena = Arena::new(&ranges, bytes);
    Ok(Copy {
        arena,
        zmm,
        code,
        files,
        modules: modules(&maps),
        took: begun.elapsed(),
        stopped: Duration::ZERO,
        bytes: copied,
        warnings: plan.warnings,
    })
}

/// Asks for the copy to be backed by huge pages: most of a copy's time would go into faulting in
/// small ones.
fn prefer_huge_pages(bytes: &mut [u8]) {
    const HUGE: usize = 2 << 20;
    let start = bytes.as_mut_ptr() as usize;
    let (first, end) = (start.next_multiple_of(HUGE), (start + bytes.len()) / HUGE * HUGE);
    if first < end {
        // SAFETY: the range lies inside `bytes`, which is ours; the advice changes no contents.
        // Where it is not taken the copy is slower, and that is all.
        unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
    }
}

/// Reads each range to its own place; ranges whose places follow one another in one call.
fn read_scattered(
    memory: &Remote,
    reads: &[(u64, usize)],
    targets: &[(usize, usize)],
    into: &mut [u8],
) -> Result<u64, Error> {
    let mut copied = 0;
    let mut next = 0;
    while next < reads.len() {
        let first = targets[next].0;
        let mut end = first;
        let group = targets[next..]
            .iter()
            .take_while(|(at, length)| {
                *at == end && {
                    end += length;
                    true
                }
            })
            .count();
        // A range that vanished under us means that the process is not at rest.
        memory.read_ranges(&reads[next..next + group], &mut into[first..end]).map_err(|_| Error::Busy)?;
        copied += (end - first) as u64;
        next += group;
    }
    Ok(copied)
}

/// A range of the arena.
#[derive(Debug)]
struct Range {
    start: u64,
    length: usize,
    populated: Vec<(u64, usize)>,
}

#[derive(Debug, Default)]
struct Plan {
    ranges: Vec<Range>,
    warnings: Vec<String>,
}

impl Plan {
    fn of(maps: &[Mapping], memory: &Remote, zmm: Option<&Zmm>, data: (u64, usize)) -> Result<Plan, Error> {
        let mut chunks = match zmm {
            Some(zmm) => zmm.chunks(memory).ok_or(Error::Busy)?,
            None => Vec::new(),
        };
        chunks.sort_unstable();
        let mut huge: Vec<(u64, u64)> = match zmm {
            Some(zmm) => zmm.huge(memory).ok_or(Error::Busy)?,
            None => Vec::new(),
        };
        huge.sort_unstable();
        let pagemap = File::open(format!("/proc/{}/pagemap", memory.pid())).ok();
        let mut plan = Plan::default();
        let mut total = 0;
        for mapping in maps.iter().filter(|m| m.readable && !m.path.starts_with("[v")) {
            // Constants are read from the file; of a file only what the process made its own.
            if mapping.is_file() && !mapping.shared && mapping.executable {
                continue;
            }
            if mapping.shared
                && mapping.is_file()
                && !mapping.path.starts_with("/dev/zero")
                && !mapping.path.contains("memfd:")
            {
                continue;
            }
            for (start, end) in split_at_chunks(mapping, &chunks) {
                let is_chunk = chunks.binary_search(&start).is_ok() && end - start == CHUNK;
                let populated = if is_chunk {
                    let zmm = zmm.expect("chunks come of a manager");
                    let runs = zmm.used_runs(memory, start).ok_or(Error::Busy)?;
                    runs.iter().map(|&(page, pages)| (start + page as u64 * PAGE, pages * PAGE as usize)).collect()
                } else {
                    populated(pagemap.as_ref(), mapping, start, end)
                };
                let bytes: u64 = populated.iter().map(|p| p.1 as u64).sum();
                if bytes == 0 {
                    continue;
                }
                let is_huge = huge.iter().any(|&(at, size)| start <= at && at + size <= end);
                if !is_chunk && !is_huge && mapping.path != "[heap]" && bytes > MOST_FOREIGN {
                    plan.warnings.push(format!(
                        "{} MiB at {start:x} ({}) are not Zend's and were not looked at",
                        bytes >> 20,
                        if mapping.path.is_empty() { "anonymous" } else { &mapping.path }
                    ));
                    continue;
                }
                total += bytes;
                if total > MOST_BYTES {
                    return Err(Error::Unsupported(format!(
                        "more than {} MiB would have to be copied",
                        MOST_BYTES >> 20
                    )));
                }
                // The engine's variables that were never written are zero; a fiber's stack is megabytes
                // of which a few pages are.
                let is_data = start < data.0 + data.1 as u64 && data.0 < end;
                plan.add(start, end, populated, is_chunk || is_data);
            }
        }
        Ok(plan)
    }

    /// Adds the populated parts of a range; `whole`: so that the rest reads as zero.
    fn add(&mut self, start: u64, end: u64, populated: Vec<(u64, usize)>, whole: bool) {
        if whole {
            self.ranges.push(Range { start, length: (end - start) as usize, populated });
        } else {
            let piece = |(start, length)| Range { start, length, populated: vec![(start, length)] };
            self.ranges.extend(populated.into_iter().map(piece));
        }
    }

    fn length(&self) -> usize {
        self.ranges.iter().map(|r| r.length).sum()
    }
}

/// The parts of a mapping: each chunk by itself, and what lies between them.
fn split_at_chunks(mapping: &Mapping, chunks: &[u64]) -> Vec<(u64, u64)> {
    let mut parts = Vec::new();
    let mut at = mapping.start;
    let first = chunks.partition_point(|&c| c < mapping.start);
    for &chunk in &chunks[first..] {
        if chunk + CHUNK > mapping.end {
            break;
        }
        if chunk > at {
            parts.push((at, chunk));
        }
        parts.push((chunk, chunk + CHUNK));
        at = chunk + CHUNK;
    }
    if at < mapping.end {
        parts.push((at, mapping.end));
    }
    parts
}

/// Runs of pages with contents of their own. Without a page map to ask, everything.
fn populated(pagemap: Option<&File>, mapping: &Mapping, start: u64, end: u64) -> Vec<(u64, usize)> {
    let page = page_size();
    let pages = (end - start) / page;
    let whole = || vec![(start, (end - start) as usize)];
    let Some(pagemap) = pagemap else { return whole() };
    if end - start > MOST_BYTES {
        return Vec::new();
    }
    let mut entries = vec![0_u8; pages as usize * 8];
    if pagemap.read_exact_at(&mut entries, start / page * 8).is_err() {
        return whole();
    }
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for (index, entry) in entries.chunks_exact(8).enumerate() {
        let state = PageState::new(u64::from_le_bytes(entry.try_into().expect("eight bytes")));
        let own = !mapping.is_file() || mapping.shared || !state.is_file_or_shared();
        if !(state.is_populated() && own) {
            continue;
        }
        let address = start + index as u64 * page;
        match runs.last_mut() {
            Some((first, length)) if *first + *length as u64 == address => *length += page as usize,
            _ => runs.push((address, page as usize)),
        }
    }
    runs
}
