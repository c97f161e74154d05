//! One launched target: its address, its sampler, what it was like at rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::sample_log::SampleLog;
use crate::capture::{Bound, Follower};
use crate::diagnose::Witness;
use crate::load::{AskKernel, Sources};
use crate::model::plan::{Pass, Plan};
use crate::proc::Process;
use crate::sampler::{Idle, Moment, SamplerHandle};
use crate::server::container::{Place, Way};
use crate::server::listeners::{Network, listening, other_side};
use crate::server::tree::Family;
use crate::server::{Target, log};

/// A target that greets.
#[derive(Debug)]
pub struct Session {
    /// The processes.
    pub target: Target,
    /// Which pass it was launched for.
    pub pass: Pass,
    /// Where it is loaded.
    pub address: SocketAddr,
    /// The port that it listens on itself: a container's may be published as another one.
    pub port: u16,
    /// How the address leads there.
    pub way: Way,
    /// The process that greeted.
    pub server: i32,
    /// Its sampler.
    pub sampler: SamplerHandle,
    /// What it was like at rest.
    pub idle: Idle,
    /// Counters from before the load.
    pub witness: Option<Witness>,
    /// The limit of descriptors that ends it, `select`'s included where it waits in `select`.
    pub descriptor_limit: Option<u64>,
    /// The same also where the load may reach it.
    pub safe_descriptors: Option<u64>,
    /// Probes of the banner that were made.
    pub probes: u64,
    /// The loopback addresses that its load comes from, where it accepts them.
    pub sources: Option<Sources>,
    /// Where profiles appear, and what lay there before the launch.
    pub profiles: Option<(PathBuf, Vec<PathBuf>)>,
    /// Follows them, and knows when they have taken the disk that they may.
    pub follower: Option<Follower>,
    /// Its load was cut to the profiles that the disk has room for.
    pub cut: bool,
    /// Connections were left over when it came to rest once.
    pub keeps_connections: bool,
    /// Waits in a row, up to the last one, in which its figures were not still by the deadline.
    pub restless: u32,
    /// It stalled or fell: the next scenario needs another.
    pub spoilt: bool,
    released: u64,
    looked_at_log: Instant,
}

/// What is known of a target when it greeted.
#[derive(Debug)]
pub struct Greeted {
    /// Where, and who.
    pub place: Place,
    /// Probes that were made.
    pub probes: u64,
}

impl Session {
    /// A session over a target that greeted.
    pub fn new(
        target: Target,
        pass: Pass,
        greeted: Greeted,
        sampler: SamplerHandle,
        profiles: Option<(PathBuf, Vec<PathBuf>)>,
    ) -> Self {
        Self {
            witness: Witness::begin(greeted.place.pid).ok(),
            target,
            pass,
            address: greeted.place.address,
            port: greeted.place.port,
            way: greeted.place.way,
            server: greeted.place.pid,
            sampler,
            idle: Idle::default(),
            descriptor_limit: None,
            safe_descriptors: None,
            probes: greeted.probes,
            sources: None,
            profiles,
            follower: None,
            cut: false,
            keeps_connections: false,
            restless: 0,
            spoilt: false,
            released: 0,
            looked_at_log: Instant::now(),
        }
    }

    /// All living processes of the tree.
    pub fn pids(&self) -> Vec<i32> {
        self.target.family().members()
    }

    /// Nothing of it is left.
    pub fn is_gone(&mut self) -> bool {
        self.target.exited().is_some() && self.target.alive().is_empty()
    }

    /// The processes that hold the listening socket.
    pub fn servers(&self, all: &[i32]) -> Vec<i32> {
        let mut servers: Vec<i32> = listening(all)
            .unwrap_or_default()
            .into_iter()
            .filter(|listener| listener.port == self.port)
            .flat_map(|listener| listener.holders)
            .collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// Follows a server to another place.
    pub fn follow(&mut self, greeted: &Greeted) {
        let Place { address, port, pid, way } = greeted.place;
        (self.address, self.port, self.server, self.way) = (address, port, pid, way);
        self.probes += greeted.probes;
    }

    /// Its address may be another machine's: the plan says so, or it is known to be a container's on this one.
    pub fn may_be_loaded(&self, plan: &Plan) -> bool {
        plan.allow_remote || self.way == Way::Bridge
    }

    /// Whom to ask for the server's side of the connections: the kernel, in the network that the server lives in.
    pub fn kernel(&self) -> AskKernel {
        let (server, port) = (self.server, self.port);
        match self.way {
            Way::Ours => AskKernel::by(other_side),
            Way::Bridge | Way::Published => {
                let network = Network::of(server);
                AskKernel::by(move |_| network.as_ref()?.other_side(port))
            }
        }
    }

    /// The family at this moment, as the sampler saw it last.
    pub fn moment(&self) -> Moment {
        Moment::of(&self.sampler.latest(), &self.sampler.sockets(), 0)
    }

    /// CPU seconds of all processes so far.
    pub fn cpu(&self) -> f64 {
        self.sampler.latest().iter().map(|sample| sample.cpu).sum()
    }

    /// CPU seconds of all processes by now, and of those below them that ended.
    pub fn cpu_now(&self) -> f64 {
        let seconds = |pid: i32| Process::open(pid).and_then(|process| process.cpu_seconds()).unwrap_or(0.0);
        self.pids().into_iter().map(seconds).sum()
    }

    /// Resident memory of all processes.
    pub fn rss(&self) -> u64 {
        self.sampler.latest().iter().map(|sample| sample.rss).sum()
    }

    /// Releases the middle of a long log, now and then.
    pub fn tend_log(&mut self) {
        if self.looked_at_log.elapsed() > Duration::from_millis(500) {
            self.looked_at_log = Instant::now();
            // A file system that cannot release keeps all.
            let _ = log::release_middle(&self.target.log, &mut self.released);
        }
    }

    /// The bound of the disk that its profiles have reached.
    pub fn disk_bound(&self) -> Option<Bound> {
        self.follower.as_ref().and_then(Follower::bound)
    }

    /// The end of its output.
    pub fn output(&self) -> String {
        log::tail(&self.target.log, 40).join("\n")
    }
}

/// Starts the sampler of a target.
///
/// # Errors
/// No thread can be started.
pub fn sample(
    family: Family,
    clock: crate::model::Clock,
    log: &SampleLog,
) -> Result<SamplerHandle, crate::sampler::Error> {
    crate::sampler::Sampler::spawn(
        move |all| family.members_of(all),
        clock,
        crate::sampler::Rates::default(),
        log.clone(),
    )
}
