//! What is judged, and every figure that a floor holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tree_floor::TreeFloor;

/// What is judged, scenario by scenario. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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

/// What a growth counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Memory.
    Bytes,
    /// Open descriptors.
    Descriptors,
    /// TCP sockets.
    Sockets,
    /// Threads.
    Threads,
    /// Processes.
    Processes,
}

/// How it behaves, and which bounds hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Handed out by PHP, exact to the byte.
    Heap,
    /// Seen in pages of the kernel, behind an allocator that keeps what was freed.
    Resident,
    /// Counted one by one, and per session rather than per message.
    Counted,
}

/// All that the program must know of a metric; its words stand in `phrase/state.rs`.
struct Facts {
    name: &'static str,
    unit: Unit,
    kind: MetricKind,
    /// Its figure in a process of a floor.
    figure: &'static str,
    /// Its figure in the sum of the tree; none where only processes have it, or a journal is older than the figure.
    tree: fn(&TreeFloor) -> Option<u64>,
    /// Judged where it grows, and not worth a wave of its own where it does not.
    beside: bool,
    /// What the column of a CSV may be called, in small letters and without its unit.
    columns: &'static [&'static str],
}

/// What is counted in the tree and called in result.json as in the floors.
const fn counted(
    name: &'static str,
    unit: Unit,
    tree: fn(&TreeFloor) -> Option<u64>,
    columns: &'static [&'static str],
) -> Facts {
    Facts { name, unit, kind: MetricKind::Counted, figure: name, tree, beside: false, columns }
}

impl Metric {
    /// All of them, in the order of the report.
    pub const ALL: [Metric; 6] =
        [Metric::Heap, Metric::Rss, Metric::Fd, Metric::Sockets, Metric::Threads, Metric::Processes];

    /// All of them by how directly they tell what leaks: a kept socket keeps memory too.
    pub const DIRECT: [Metric; 6] =
        [Metric::Sockets, Metric::Fd, Metric::Heap, Metric::Processes, Metric::Threads, Metric::Rss];

    /// The one table.
    const fn facts(self) -> Facts {
        match self {
            Metric::Heap => Facts {
                name: "heap",
                unit: Unit::Bytes,
                kind: MetricKind::Heap,
                figure: "heap",
                tree: |_| None,
                beside: false,
                columns: &["heap", "php_heap", "memory_get_usage", "heap_used", "heapused", "used_heap"],
            },
            Metric::Rss => Facts {
                name: "rss",
                unit: Unit::Bytes,
                kind: MetricKind::Resident,
                figure: "rss_anon",
                tree: |tree| Some(tree.memory),
                beside: false,
                columns: &["rss", "rss_anon", "rssanon", "vmrss", "vm_rss", "resident", "anon", "memory", "mem", "uss"],
            },
            Metric::Fd => {
                let columns = &["fd", "fds", "descriptors", "open_files", "num_fds"];
                counted("fd", Unit::Descriptors, |tree| Some(tree.fd), columns)
            }
            Metric::Sockets => counted("sockets", Unit::Sockets, |tree| Some(tree.sockets), &["sockets", "socks"]),
            Metric::Threads => Facts {
                beside: true,
                ..counted("threads", Unit::Threads, |tree| Some(tree.threads), &["threads", "num_threads", "nlwp"])
            },
            Metric::Processes => {
                let columns = &["processes", "procs", "children", "zombies"];
                Facts { beside: true, ..counted("processes", Unit::Processes, |tree| Some(tree.processes), columns) }
            }
        }
    }

    /// As in result.json: `heap`, `rss`, `fd`, `sockets`, `threads`, `processes`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// How it behaves, and which bounds hold for it.
    pub fn kind(self) -> MetricKind {
        self.facts().kind
    }

    /// Counted one by one, and per session rather than per message.
    pub fn is_count(self) -> bool {
        self.kind() == MetricKind::Counted
    }

    /// Memory, in bytes.
    pub fn is_memory(self) -> bool {
        !self.is_count()
    }

    /// Seen in pages of the kernel, behind an allocator that keeps what was freed.
    pub fn is_resident(self) -> bool {
        self.kind() == MetricKind::Resident
    }

    /// Judged where it grows, and not worth a wave of its own where it does not.
    pub fn is_beside(self) -> bool {
        self.facts().beside
    }

    /// What its growth counts.
    pub fn unit(self) -> Unit {
        self.facts().unit
    }

    /// The figure of a process at a floor that it is judged by, where a journal has no sum of the tree.
    pub fn figure(self) -> &'static str {
        self.facts().figure
    }

    /// Its value in the sum of the whole tree; none where only processes have it, or a journal is older than the figure.
    pub fn of_tree(self, tree: &TreeFloor) -> Option<u64> {
        (self.facts().tree)(tree)
    }

    /// The metric that a column of a CSV holds, by the column's name in small letters and without its unit.
    pub fn of_column(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.facts().columns.contains(&name))
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

    #[test]
    fn the_lists_hold_every_metric() {
        // serde names all that it knows.
        let known = serde_json::from_str::<Metric>("\"?\"").unwrap_err().to_string();
        assert_eq!(known.matches('`').count(), 2 * (1 + Metric::ALL.len()), "{known}");
        let mut direct = Metric::DIRECT;
        direct.sort();
        assert_eq!(direct, Metric::ALL);
    }
}
