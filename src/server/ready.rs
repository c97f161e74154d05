//! Readiness: the port is found from the sockets of the tree itself; ready is when its banner came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses to try, lowest port first, each once; `0.0.0.0` and `[::]` are reached by loopback.
pub fn candidates(listeners: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = listeners.into_iter().map(reachable).collect();
    all.sort_by_key(|address| (address.port(), address.is_ipv6()));
    all.dedup();
    all
}

/// Where a listener's address is reached from this machine.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_port_comes_first_and_any_address_is_loopback() {
        let listeners = ["[::]:2525", "0.0.0.0:2525", "0.0.0.0:2525", "127.0.0.1:25"];
        let found = candidates(listeners.map(|text| text.parse().unwrap()));
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["127.0.0.1:25", "127.0.0.1:2525", "[::1]:2525"]);
    }
}
