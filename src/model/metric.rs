//! What is judged, and every figure that a floor holds.

use serde::{Deserialize, Serialize};

use super::verdict::Unit;

/// What is judged, scenario by scenario. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The bytes that PHP's own heap has handed out (`memory_get_usage()`).
    Heap,
    /// Resident anonymous memory.
    Rss,
    /// Open file descriptors.
    Fd,
    /// TCP sockets that are not listening.
    Sockets,
    /// Threads.
    Threads,
    /// Processes, those included that ended and were not waited for.
    Processes,
}

impl Metric {
    /// All of them, in the order of the report.
    pub const ALL: [Metric; 6] =
        [Metric::Heap, Metric::Rss, Metric::Fd, Metric::Sockets, Metric::Threads, Metric::Processes];

    /// As in result.json: `heap`, `rss`, `fd`, `sockets`, `threads`, `processes`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Heap => "heap",
            Metric::Rss => "rss",
            Metric::Fd => "fd",
            Metric::Sockets => "sockets",
            Metric::Threads => "threads",
            Metric::Processes => "processes",
        }
    }

    /// Counted one by one, and per session rather than per message.
    pub fn is_count(self) -> bool {
        matches!(self, Metric::Fd | Metric::Sockets | Metric::Threads | Metric::Processes)
    }

    /// Memory, in bytes.
    pub fn is_memory(self) -> bool {
        !self.is_count()
    }

    /// Seen in pages of the kernel, behind an allocator that keeps what was freed.
    pub fn is_resident(self) -> bool {
        self == Metric::Rss
    }

    /// What its growth counts.
    pub fn unit(self) -> Unit {
        match self {
            Metric::Heap | Metric::Rss => Unit::Bytes,
            Metric::Fd => Unit::Descriptors,
            Metric::Sockets => Unit::Sockets,
            Metric::Threads => Unit::Threads,
            Metric::Processes => Unit::Processes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
        }
    }
}
