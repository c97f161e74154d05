//! Floors of several processes added up: shared pages, shared sockets and files of memory are counted once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Floor;
use crate::model::TreeFloor;
use crate::proc::{self, Descriptor, FileId, Process, Rollup, State, TcpSocket, Tree};

/// A huge page of the kernel's own making, bytes (x86-64 and AArch64 with pages of 4 kB).
const HUGE_PAGE: u64 = 2 << 20;

/// Below this the kernel's two ways of counting may differ by what each processor has not yet reported.
const UNREPORTED: u64 = 4 << 20;

/// The sum of what was read so far.
#[derive(Debug, Default)]
pub(super) struct TreeSum {
    sum: TreeFloor,
    sockets: HashSet<u64>,
    held: BTreeMap<FileId, u64>,
    mapped: BTreeMap<FileId, u64>,
    tmpfs: Option<BTreeSet<u64>>,
    huge: bool,
}

impl TreeSum {
    /// Adds one process.
    pub fn add(
        &mut self,
        process: &Process,
        floor: &Floor,
        descriptors: &[Descriptor],
        tcp: &BTreeMap<u64, TcpSocket>,
    ) {
        self.sum.processes += 1;
        self.sum.threads += u64::from(floor.threads);
        self.sum.fd += u64::from(floor.fds.total);
        for socket in tcp.values().filter(|socket| socket.state != State::Listen) {
            if self.sockets.insert(socket.inode) {
                self.sum.sockets += 1;
                self.sum.close_wait += u64::from(socket.state == State::CloseWait);
            }
        }
        let tmpfs = self.tmpfs.get_or_insert_with(|| {
            let mounts = process.read("mountinfo").unwrap_or_default();
            proc::tmpfs_devices(&String::from_utf8_lossy(&mounts))
        });
        let held = process.held_memory(descriptors, tmpfs);
        let pages = process.rollup().unwrap_or_default();
        self.memory(floor, &pages);
        if !held.is_empty() {
            // Files of memory are counted by what they are; what is mapped of them must not be counted again.
            for (file, bytes) in proc::mapped_by_file(&process.read("smaps").unwrap_or_default()) {
                *self.mapped.entry(file).or_default() += bytes;
            }
            self.held.extend(held);
        }
    }

    fn memory(&mut self, floor: &Floor, pages: &Rollup) {
        if pages.rss == 0 {
            // No page tables to walk: a zombie, or one that may not be looked into. What `status` says stands.
            self.sum.anonymous += floor.rss_anon;
            self.sum.shared += floor.rss_shmem;
            self.sum.swapped += floor.swap;
            return;
        }
        // What was given back is the kernel's, though it has not come for it yet.
        self.sum.anonymous += pages.pss_anon.unwrap_or(pages.anonymous).saturating_sub(pages.lazy_free);
        self.sum.shared += pages.pss_shmem.unwrap_or(floor.rss_shmem);
        self.sum.swapped += pages.swap_pss;
        self.sum.huge_pages += pages.hugetlb;
        self.huge |= pages.huge > 0;
        let apart = floor.rss.abs_diff(floor.rss_counted);
        if apart > UNREPORTED.max(floor.rss / 10) {
            self.sum.unaccounted += apart;
        }
    }

    /// The sum, with the zombies that the processes of `pids` have not waited for.
    pub fn finish(mut self, pids: &[i32], tree: &Tree) -> TreeFloor {
        let left = tree.entries().iter().filter(|entry| entry.state == 'Z' && pids.contains(&entry.ppid));
        self.sum.zombies = left.filter(|entry| !pids.contains(&entry.pid)).count() as u64;
        self.sum.processes += self.sum.zombies;
        self.sum.held = self.held.values().sum();
        let twice: u64 = self.held.keys().filter_map(|file| self.mapped.get(file)).sum();
        self.sum.shared = self.sum.shared.saturating_sub(twice);
        self.sum.memory = self.sum.anonymous + self.sum.shared + self.sum.swapped + self.sum.huge_pages + self.sum.held;
        self.sum.grain = if self.huge { HUGE_PAGE } else { proc::page_size() };
        self.sum
    }
}
