//! The server at the other end, where it runs on this machine: which family it listens on, what CPU it takes.

use crate::load::{Address, Endpoint, Family, Job};
use crate::proc::{Process, Tree, clock_ticks};
use crate::server::listeners::{holders, listeners_at};

/// The processes that answer at an address.
#[derive(Debug, Default)]
pub struct Server {
    holders: Vec<i32>,
}

impl Server {
    /// Who listens at `endpoint`; nobody where it is another machine, or a process that we may not look into.
    pub fn at(endpoint: &Endpoint) -> Self {
        let Endpoint::Tcp(address) = endpoint else { return Self::default() };
        let sockets = listeners_at(*address).unwrap_or_default();
        Self { holders: if sockets.is_empty() { Vec::new() } else { holders(&sockets).unwrap_or_default() } }
    }

    /// CPU seconds that these processes and their children, ended ones included, have used by now.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let tree = Tree::scan().ok()?;
        let mut family: Vec<i32> = self.holders.iter().flat_map(|pid| tree.descendants(*pid)).collect();
        family.sort_unstable();
        family.dedup();
        let stats: Vec<_> = family.into_iter().filter_map(|pid| Process::open(pid).ok()?.stat().ok()).collect();
        let ticks: u64 = stats.iter().map(|stat| stat.utime + stat.stime + stat.waited_time).sum();
        (!stats.is_empty()).then(|| ticks as f64 / clock_ticks() as f64)
    }
}

/// Takes IPv6 where the name has both families and the server listens on that one alone.
pub fn choose_family(job: &mut Job) {
    let listens = |target: &Address, family| match target.resolve(Some(family), job.options.allow_remote) {
        Ok(resolved) => match resolved.endpoint {
            Endpoint::Tcp(address) => listeners_at(address).is_ok_and(|sockets| !sockets.is_empty()),
            Endpoint::Unix(_) => false,
        },
        Err(_) => false,
    };
    if job.options.family.is_none() && !listens(&job.target, Family::V4) && listens(&job.target, Family::V6) {
        job.options.family = Some(Family::V6);
    }
}
