//! Where the load goes: `HOST:PORT`, `inet:HOST:PORT`, `unix:PATH`; and whether it may go there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::LoadError;

/// The port where none is given, as smtp-source has it.
const SMTP_PORT: u16 = 25;
/// Names by which containers call the machine that they run on.
const HOST_NAMES: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// A server's address as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A host's name or address, and a port.
    Tcp {
        /// Name, IPv4 or IPv6 address (without brackets).
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a UNIX-domain socket.
    Unix(PathBuf),
}

/// IPv4 or IPv6 alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// A place to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A UNIX-domain socket.
    Unix(PathBuf),
}

/// An address resolved, and what is to be said about how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Something that the user should know.
    pub note: Option<String>,
}

impl Address {
    /// Parses `HOST`, `HOST:PORT`, `[V6]:PORT`, `inet:...`, `unix:PATH`.
    ///
    /// # Errors
    /// A port that is none, an empty host or path.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let bad = |reason: &str| LoadError::Address { text: text.to_owned(), reason: reason.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(bad("the path is empty")) } else { Ok(Self::Unix(path.into())) };
        }
        let rest = text.strip_prefix("inet:").unwrap_or(text);
        let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or_else(|| bad("`[` without `]`"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(bad("after `]` comes `:PORT`")),
            }
        } else {
            match rest.rsplit_once(':') {
                // A bare IPv6 address has several colons and no port.
                Some((host, _)) if host.contains(':') => (rest, None),
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        if host.is_empty() {
            return Err(bad("the host is empty"));
        }
        let port = match port {
            None | Some("smtp") => SMTP_PORT,
            Some("submission") => 587,
            Some("smtps" | "submissions") => 465,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(bad("the port is a number from 1 to 65535")),
            },
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }

    /// The host as it was typed; none for a socket in the file system.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } => Some(host),
            Self::Unix(_) => None,
        }
    }

    /// Resolves the address and checks that it may be loaded: this machine's own addresses and the
    /// names of a container's host without a word, others only with `allow_remote`.
    ///
    /// # Errors
    /// A name that does not resolve (with the nearest known one), an address that is not this machine's.
    pub fn resolve(&self, family: Option<Family>, allow_remote: bool) -> Result<Resolved, LoadError> {
        let (host, port) = match self {
            Self::Unix(path) => return Ok(Resolved { endpoint: Endpoint::Unix(path.clone()), note: None }),
            Self::Tcp { host, port } => (host.as_str(), *port),
        };
        let fits = |address: &SocketAddr| match family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        };
        let is_host_name = HOST_NAMES.contains(&host.to_ascii_lowercase().as_str());
        let found: Vec<SocketAddr> = match named(host, port) {
            Ok(found) => found,
            // The name means the machine that runs us. Where nobody has defined it, that is this one,
            // and its loopback is always allowed.
            Err(_) if is_host_name => {
                let endpoint = Endpoint::Tcp((Ipv4Addr::LOCALHOST, port).into());
                let note = format!(
                    "{host} does not resolve here, so it is taken as this machine, 127.0.0.1; from inside a container \
                     start it with --add-host={host}:host-gateway to reach the host"
                );
                return Ok(Resolved { endpoint, note: Some(note) });
            }
            Err(error) => {
                return Err(LoadError::Unresolved {
                    host: host.to_owned(),
                    reason: error.to_string(),
                    nearest: nearest_host(host),
                });
            }
        };
        // IPv4 first: a server that listens on 0.0.0.0 is the common one, and `localhost` gives both.
        let address = found.iter().filter(|a| fits(a)).min_by_key(|a| a.is_ipv6()).copied().ok_or_else(|| {
            LoadError::Unresolved {
                host: host.to_owned(),
                reason: "no address of the family that -4 or -6 asks for".into(),
                nearest: None,
            }
        })?;
        if !is_host_name && !allow_remote && !is_own(address.ip()) {
            return Err(LoadError::Remote { host: host.to_owned(), address: address.ip() });
        }
        Ok(Resolved { endpoint: Endpoint::Tcp(address), note: None })
    }
}

/// The addresses of a name. `localhost` always has both loopbacks (RFC 6761, 6.3), whatever the hosts file lists and where
/// there is none.
fn named(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// Whether `ip` is this machine's own: loopback, or an address of one of its interfaces.
fn is_own(ip: IpAddr) -> bool {
    if ip.is_loopback() || ip.to_canonical().is_loopback() {
        return true;
    }
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return false };
    interfaces.filter_map(|interface| interface.address).any(|address| {
        address.as_sockaddr_in().is_some_and(|a| ip.to_canonical() == IpAddr::V4(a.ip()))
            || address.as_sockaddr_in6().is_some_and(|a| ip == IpAddr::V6(a.ip()))
    })
}

/// The known name that is nearest to one that does not resolve.
fn nearest_host(host: &str) -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let known = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split_whitespace().skip(1))
        .chain(HOST_NAMES)
        .chain(["localhost"]);
    known
        .map(|name| (strsim::jaro_winkler(host, name), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed() {
        let tcp = |host: &str, port| Address::Tcp { host: host.into(), port };
        for (text, address) in [
            ("localhost:2525", tcp("localhost", 2525)),
            ("localhost", tcp("localhost", 25)),
            ("inet:127.0.0.1:26", tcp("127.0.0.1", 26)),
            ("inet:mx.example:smtp", tcp("mx.example", 25)),
            ("[::1]:2525", tcp("::1", 2525)),
            ("::1", tcp("::1", 25)),
            ("host.docker.internal:25", tcp("host.docker.internal", 25)),
            ("unix:/run/smtp", Address::Unix("/run/smtp".into())),
        ] {
            assert_eq!(Address::parse(text).expect(text), address);
        }
        for text in ["", ":25", "unix:", "localhost:0", "localhost:70000", "localhost:x", "[::1", "[::1]25"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slip_in_the_host_names_the_nearest() {
        let error = Address::parse("host.docker.internalnal:25").expect("parses").resolve(None, false);
        let text = error.expect_err("no such host").to_string();
        assert!(text.contains("did you mean `host.docker.internal`?"), "{text}");
    }

    #[test]
    fn other_machines_need_a_word() {
        let address = Address::parse("192.0.2.1:25").expect("parses");
        let text = address.resolve(None, false).expect_err("remote").to_string();
        assert!(text.contains("--allow-remote"), "{text}");
        assert!(address.resolve(None, true).is_ok());
        for own in ["127.0.0.1:25", "127.3.2.1:25", "[::1]:25", "localhost:25", "host.docker.internal:25"] {
            assert!(Address::parse(own).expect(own).resolve(None, false).is_ok(), "{own}");
        }
    }

    #[test]
    fn a_family_of_ones_own_choice() {
        let address = Address::parse("127.0.0.1:25").expect("parses");
        assert!(address.resolve(Some(Family::V4), false).is_ok());
        assert!(address.resolve(Some(Family::V6), false).is_err());
        let localhost = Address::parse("localhost:25").expect("parses").resolve(Some(Family::V6), false).expect("::1");
        assert_eq!(localhost.endpoint, Endpoint::Tcp("[::1]:25".parse().expect("an address")));
    }
}
