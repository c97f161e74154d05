//! One reading of one process, from the ticker through `samples.jsonl` to the chart.

/// A reading of one process, and what the load did at that moment. Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Seconds on the run's clock.
    pub seconds: f64,
    /// Process id.
    pub pid: i32,
    /// Resident memory.
    pub rss: u64,
    /// Its anonymous part.
    pub rss_anon: u64,
    /// Its part that maps files.
    pub rss_file: u64,
    /// Its part that is shared memory.
    pub rss_shmem: u64,
    /// Virtual size.
    pub vsz: u64,
    /// Threads.
    pub threads: u32,
    /// CPU time since the process started, in user mode and in the kernel, seconds.
    pub cpu: f64,
    /// Open descriptors.
    pub fds: u32,
    /// Its TCP sockets at the newest count, which is made less often; none before the first.
    pub sockets: Option<SocketCounts>,
    /// Messages accepted in the pass so far.
    pub messages: u64,
    /// Sessions of the load that are open.
    pub open: u64,
}

/// TCP sockets of one process that do not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SocketCounts {
    /// In ESTABLISHED.
    pub established: u32,
    /// In CLOSE_WAIT.
    pub close_wait: u32,
    /// In any other state.
    pub other: u32,
}
