//! The whole tree of the server at rest, in sum: what is judged.

use serde::{Deserialize, Serialize};

/// Everything that the processes below the command own together. Memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeFloor {
    /// All memory: the five that follow.
    pub memory: u64,
    /// Anonymous memory; pages that several of them share are counted once.
    pub anonymous: u64,
    /// Shared memory that they have mapped, counted once.
    pub shared: u64,
    /// Swapped out.
    pub swapped: u64,
    /// Huge pages set aside for them.
    pub huge_pages: u64,
    /// Memfds and deleted files of tmpfs that they hold open.
    pub held: u64,
    /// Open descriptors.
    pub fd: u64,
    /// TCP sockets that do not listen, each counted once.
    pub sockets: u64,
    /// Of these, those in CLOSE_WAIT: the other side has gone.
    pub close_wait: u64,
    /// Threads.
    pub threads: u64,
    /// Processes, zombies included.
    pub processes: u64,
    /// Processes that ended and were not waited for.
    pub zombies: u64,
    /// The unit in which memory comes: the page, or a huge page where some of it lies in such.
    pub grain: u64,
    /// Processes whose memory the kernel counts otherwise than the sum of its parts, by this many bytes in all.
    pub unaccounted: u64,
}
