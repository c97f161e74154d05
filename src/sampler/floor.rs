//! The floor: everything of a process that is worth knowing at a settle point, read thoroughly.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::tree_sum::TreeSum;
use super::{Error, Group, Naming, groups};
use crate::model::TreeFloor;
use crate::proc::{
    self, Cgroup, Descriptor, Kind, Process, SocketTable, State, TcpSocket, held_tcp, listening_ports, own_addresses,
};

/// Descriptors of a process: all, and by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdCounts {
    /// All open descriptors.
    pub total: u32,
    /// By kind.
    #[serde(flatten)]
    pub kinds: BTreeMap<Kind, u32>,
}

/// One process at rest. Memory in bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Floor {
    /// Process id.
    pub pid: i32,
    /// Start time after boot, clock ticks: with the pid it names this life of the process.
    pub start: u64,
    /// Command name (at most 15 bytes).
    pub name: String,
    /// State letter, as in `ps`.
    pub state: char,
    /// Resident memory.
    pub rss: u64,
    /// Its anonymous part: what a leak is judged by.
    pub rss_anon: u64,
    /// Its part that maps files.
    pub rss_file: u64,
    /// Its part that is shared memory.
    pub rss_shmem: u64,
    /// Resident memory as the kernel counts it while it hands pages out; `rss` may be summed over the page tables.
    pub rss_counted: u64,
    /// The highest resident memory so far.
    pub rss_peak: u64,
    /// Memory swapped out.
    pub swap: u64,
    /// Virtual size.
    pub vsz: u64,
    /// Threads.
    pub threads: u32,
    /// Processes that have this one as parent.
    pub children: u32,
    /// CPU time used so far, seconds.
    pub cpu_seconds: f64,
    /// Open descriptors by kind.
    pub fds: FdCounts,
    /// The descriptor limit that ends it; `None` is unlimited.
    pub nofile: Option<u64>,
    /// All TCP sockets that the process holds, by state.
    pub sockets: BTreeMap<State, u32>,
    /// Of these, the ones on a port that the process listens on (its clients and listeners), by state.
    pub server_sockets: BTreeMap<State, u32>,
    /// Ports that the process listens on.
    pub ports: Vec<u16>,
    /// The control group that limits its memory, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cgroup: Option<Cgroup>,
    /// Its descriptors by name, the biggest group first.
    pub descriptors: Vec<Group>,
}

impl Floor {
    /// Takes the figures that are cheap to read: memory, CPU, threads, state.
    pub(super) fn take_figures(&mut self, process: &Process) -> Result<(), Error> {
        let (stat, status) = (process.stat()?, process.status()?);
        self.pid = stat.pid;
        self.start = stat.start;
        self.name = process.comm()?;
        self.state = stat.state;
        self.rss = status.rss;
        self.rss_counted = status.rss;
        self.rss_anon = status.rss_anon;
        self.rss_file = status.rss_file;
        self.rss_shmem = status.rss_shmem;
        self.rss_peak = status.rss_peak;
        self.swap = status.swap;
        self.vsz = status.vsz;
        self.threads = status.threads;
        self.cpu_seconds = (stat.utime + stat.stime) as f64 / proc::clock_ticks() as f64;
        Ok(())
    }

    /// Sums memory over the page tables.
    fn take_exact_memory(&mut self, process: &Process) {
        // A process without memory (a zombie) has none to sum up; the cheaper figures then stand.
        if let Ok(exact) = process.rollup()
            && exact.rss > 0
        {
            self.rss = exact.rss;
            self.rss_anon = exact.anonymous;
            self.rss_file = exact.rss.saturating_sub(exact.anonymous + self.rss_shmem);
        }
    }

    /// Takes what surrounds the process: children, the descriptor limit, the control group.
    pub(super) fn take_surroundings(&mut self, process: &Process, tree: &proc::Tree) -> Result<(), Error> {
        self.children = tree.children(process.pid());
        self.nofile = process.limits()?.nofile.soft;
        self.cgroup = Cgroup::of(process)?;
        Ok(())
    }

    /// Takes what the process holds open.
    pub(super) fn take_holdings(
        &mut self,
        descriptors: &[Descriptor],
        tcp: &BTreeMap<u64, TcpSocket>,
        ours: Option<&HashSet<IpAddr>>,
        protocol: &dyn Fn(&Descriptor) -> Option<String>,
    ) {
        self.fds = FdCounts { total: descriptors.len() as u32, ..FdCounts::default() };
        for d in descriptors {
            *self.fds.kinds.entry(d.kind).or_default() += 1;
        }
        self.ports = listening_ports(tcp.values());
        self.sockets = proc::states(tcp.values());
        self.server_sockets = proc::states(tcp.values().filter(|s| self.ports.contains(&s.local.port())));
        self.descriptors = groups(descriptors, &Naming { tcp, ports: &self.ports, ours, protocol });
    }
}

/// Reads floors; keeps what can be used again.
#[derive(Debug)]
pub struct Reader {
    table: SocketTable,
    /// This machine's addresses, when the clients on it are our load.
    ours: Option<HashSet<IpAddr>>,
    exact: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(SocketTable::open())
    }
}

impl Reader {
    /// A reader that takes sockets from this table.
    pub fn new(table: SocketTable) -> Self {
        Self { table, ours: None, exact: false }
    }

    /// A reader for the floors of a server under our load: clients on this machine are ours, and
    /// memory is summed over the page tables, because between Linux 6.2 and 6.16 the cheaper figures
    /// may be off by 128 kB a processor.
    pub fn of_loaded_server() -> Self {
        Self { ours: Some(own_addresses()), exact: true, ..Self::default() }
    }

    /// Reads one process thoroughly.
    pub fn floor(&mut self, pid: i32) -> Result<Floor, Error> {
        let tree = proc::Tree::scan()?;
        self.table.forget();
        self.read(&Process::open(pid)?, &tree, &mut TreeSum::default())
    }

    /// Reads several processes, in the order given; those that ended meanwhile are left out.
    pub fn floors(&mut self, pids: &[i32]) -> Result<Vec<Floor>, Error> {
        self.tree(pids).map(|(floors, _)| floors)
    }

    /// Reads the processes of a tree one by one, and all of them in sum.
    pub fn tree(&mut self, pids: &[i32]) -> Result<(Vec<Floor>, TreeFloor), Error> {
        let tree = proc::Tree::scan()?;
        self.table.forget();
        let (mut out, mut sum) = (Vec::with_capacity(pids.len()), TreeSum::default());
        for &pid in pids {
            match Process::open(pid).map_err(Error::from).and_then(|p| self.read(&p, &tree, &mut sum)) {
                Ok(floor) => out.push(floor),
                Err(e) if e.is_gone() => {}
                Err(e) => return Err(e),
            }
        }
        Ok((out, sum.finish(pids, &tree)))
    }

    fn read(&mut self, process: &Process, tree: &proc::Tree, sum: &mut TreeSum) -> Result<Floor, Error> {
        let mut floor = Floor::default();
        floor.take_figures(process)?;
        if self.exact {
            floor.take_exact_memory(process);
        }
        floor.take_surroundings(process, tree)?;
        // A zombie has let go of everything, and the kernel may refuse to list the nothing.
        let descriptors = if floor.state == 'Z' { Vec::new() } else { process.descriptors()? };
        let tcp = held_tcp(process, &descriptors, &mut self.table)?;
        floor.take_holdings(&descriptors, &tcp, self.ours.as_ref(), &|d| process.socket_protocol(d.fd));
        sum.add(process, &floor, &descriptors, &tcp);
        Ok(floor)
    }
}
