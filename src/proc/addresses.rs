//! The addresses of this machine.

use std::collections::HashSet;
use std::net::IpAddr;

/// The addresses of this machine's interfaces.
pub fn own_addresses() -> HashSet<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return HashSet::new() };
    interfaces
        .filter_map(|i| {
            let address = i.address?;
            let four = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
            four.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip())))
        })
        .collect()
}

/// Whether an address is one of this machine's.
pub fn is_own_address(ip: IpAddr, ours: &HashSet<IpAddr>) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified() || ours.contains(&ip)
}
