//! Readiness: the port is found from the sockets of the tree itself; ready is when its banner came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
    fn any_address_is_loopback() {
        let reached =
            ["[::]:2525", "0.0.0.0:2525", "127.0.0.1:25"].map(|text| reachable(text.parse().unwrap()).to_string());
        assert_eq!(reached, ["[::1]:2525", "127.0.0.1:2525", "127.0.0.1:25"]);
    }
}
