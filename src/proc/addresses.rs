//! The addresses of this machine, and of a process's own network.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use super::{Error, Process};

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

/// The addresses of the network that a process lives in, without loopback.
pub fn addresses_of(process: &Process) -> Result<Vec<IpAddr>, Error> {
    let mut all = local_v4(&String::from_utf8_lossy(&process.read("net/fib_trie")?));
    let v6 = process.read_if_there("net/if_inet6")?.unwrap_or_default();
    all.extend(global_v6(&String::from_utf8_lossy(&v6)));
    Ok(all)
}

/// The local addresses of a routing table: a leaf, and below it `/32 host LOCAL`.
fn local_v4(text: &str) -> Vec<IpAddr> {
    let mut leaf = None;
    let mut all: Vec<IpAddr> = Vec::new();
    for line in text.lines() {
        if let Some(address) = line.trim_start().strip_prefix("|-- ") {
            leaf = address.trim().parse::<IpAddr>().ok();
        } else if line.split_whitespace().eq(["/32", "host", "LOCAL"])
            && let Some(address) = leaf.filter(|address| !address.is_loopback() && !all.contains(address))
        {
            all.push(address);
        }
    }
    all
}

/// Addresses of global scope: `20010db8... 02 40 00 80 eth0`.
fn global_v6(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let bits = u128::from_str_radix(words.next()?, 16).ok()?;
        (words.nth(2)? == "00").then(|| IpAddr::from(Ipv6Addr::from(bits)))
    };
    text.lines().filter_map(address).collect()
}

/// Whether a bridge of this machine leads to an address that is not its own: a container's, as a rule.
pub fn is_on_bridge(ip: IpAddr) -> bool {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return false };
    !is_own_address(ip, &own_addresses())
        && interfaces.filter(|i| Path::new("/sys/class/net").join(&i.interface_name).join("bridge").is_dir()).any(|i| {
            let Some((address, mask)) = i.address.zip(i.netmask) else { return false };
            let four = address.as_sockaddr_in().zip(mask.as_sockaddr_in());
            let six = address.as_sockaddr_in6().zip(mask.as_sockaddr_in6());
            match ip {
                IpAddr::V4(ip) => four.is_some_and(|(a, m)| same(ip.to_bits(), a.ip().to_bits(), m.ip().to_bits())),
                IpAddr::V6(ip) => six.is_some_and(|(a, m)| same(ip.to_bits(), a.ip().to_bits(), m.ip().to_bits())),
            }
        })
}

/// Whether two addresses lie in one network.
fn same<T: Copy + PartialEq + std::ops::BitAnd<Output = T>>(a: T, b: T, mask: T) -> bool {
    a & mask == b & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_a_containers_network() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 127.0.0.0/8 2 0 2\n\
                    \x20       |-- 127.0.0.1\n           /32 host LOCAL\n     +-- 172.17.0.0/16 2 0 2\n        |-- 172.17.0.0\n\
                    \x20          /16 link UNICAST\n        |-- 172.17.0.2\n           /32 host LOCAL\n        |-- 172.17.255.255\n\
                    \x20          /32 link BROADCAST\nLocal:\n        |-- 172.17.0.2\n           /32 host LOCAL\n";
        assert_eq!(local_v4(text), ["172.17.0.2".parse::<IpAddr>().unwrap()]);
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    20010db8000000000000000000000002 02 40 00 80     eth0\n\
                    fe800000000000000042acfffe110002 02 40 20 80     eth0\n";
        assert_eq!(global_v6(text), ["2001:db8::2".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn networks() {
        assert!(same(0xac11_0002_u32, 0xac11_0001, 0xffff_0000) && !same(0xac12_0002_u32, 0xac11_0001, 0xffff_0000));
        assert!(!is_on_bridge("127.0.0.1".parse().unwrap()), "our own");
    }
}
