//! Where a server is reached from here. In our own network that is where it listens; in a container's, the container's own
//! address where a bridge of this machine leads there, else a port that is published.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::engine::Engine;
use crate::proc::{Process, addresses_of, is_on_bridge};
use crate::server::listeners::Listener;
use crate::server::ready::reachable;

/// Between two questions for published ports.
const AGAIN: Duration = Duration::from_secs(1);

/// A place where a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the load connects to.
    pub address: SocketAddr,
    /// The port that the server itself listens on.
    pub port: u16,
    /// The process that listens.
    pub pid: i32,
    /// How the address leads there.
    pub way: Way,
}

/// How an address leads to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In our own network.
    Ours,
    /// It is the container's, at the other end of a bridge of this machine.
    Bridge,
    /// By a port of ours that the engine hands on.
    Published,
}

/// The ways to a server; keeps what the engine said.
#[derive(Debug, Default)]
pub struct Reach {
    engine: Option<Engine>,
    published: Vec<(u16, SocketAddr)>,
    asked: Option<Instant>,
}

impl Reach {
    /// Ways to a server whose ports the engine may have published.
    pub fn new(engine: Option<Engine>) -> Self {
        Self { engine, ..Self::default() }
    }

    /// Where the listeners are reached, lowest port first, each address once.
    pub fn places(&mut self, listeners: &[Listener]) -> Vec<Place> {
        let mut all = Vec::new();
        for listener in listeners {
            let place = |address, way| Place { address, port: listener.port, pid: listener.pid, way };
            let own = SocketAddr::new(listener.address, listener.port);
            let Ok(process) = Process::open(listener.pid) else { continue };
            if is_ours(&process) {
                all.push(place(reachable(own), Way::Ours));
                continue;
            }
            let bridged = bridged(&process, own);
            if bridged.is_empty() {
                let published = self.published().iter().filter(|(port, _)| *port == listener.port);
                all.extend(published.map(|(_, address)| place(reachable(*address), Way::Published)));
            }
            all.extend(bridged.into_iter().map(|address| place(address, Way::Bridge)));
        }
        all.sort_by_key(|place| (place.address.port(), place.address.is_ipv6()));
        all.dedup_by_key(|place| place.address);
        all
    }

    /// The place that the user names, once the server listens there, or a port of its container is published so.
    pub fn named(&mut self, address: SocketAddr, listeners: &[Listener]) -> Option<Place> {
        let own = listeners.iter().find(|listener| listener.port == address.port()).map(|l| (l.port, l.pid));
        let (port, pid) = own.or_else(|| {
            let published = self.published().iter().find(|(_, place)| place.port() == address.port())?.0;
            listeners.iter().find(|listener| listener.port == published).map(|l| (l.port, l.pid))
        })?;
        let ours = Process::open(pid).is_ok_and(|process| is_ours(&process));
        let way = match ours {
            true => Way::Ours,
            false if is_on_bridge(address.ip()) => Way::Bridge,
            false => Way::Published,
        };
        Some(Place { address, port, pid, way })
    }

    fn published(&mut self) -> &[(u16, SocketAddr)] {
        if let Some(engine) = &self.engine
            && self.published.is_empty()
            && self.asked.is_none_or(|asked| asked.elapsed() > AGAIN)
        {
            self.published = engine.published();
            self.asked = Some(Instant::now());
        }
        &self.published
    }
}

/// Whether a process lives in our network.
fn is_ours(process: &Process) -> bool {
    let ours = std::fs::read_link("/proc/self/ns/net").ok().map(OsString::from);
    ours.is_some() && process.net_namespace().ok() == ours
}

/// The addresses of a listener's own network that a bridge of this machine leads to.
fn bridged(process: &Process, listener: SocketAddr) -> Vec<SocketAddr> {
    let all = match listener.ip() {
        ip if ip.is_unspecified() => addresses_of(process).unwrap_or_default(),
        ip => vec![ip],
    };
    let fits = |ip: &std::net::IpAddr| ip.is_ipv4() || listener.is_ipv6();
    all.into_iter().filter(|ip| fits(ip) && is_on_bridge(*ip)).map(|ip| SocketAddr::new(ip, listener.port())).collect()
}
