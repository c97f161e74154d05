//! Descriptors by name: a few groups that a person can act on instead of thousands of numbers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::proc::{Descriptor, Kind, State, TcpSocket};

/// Descriptors of a process that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What they are, as in `sockets in CLOSE_WAIT to our clients`, `/tmp/spool/*` or `pipes`.
    pub name: String,
    /// Their kind.
    pub kind: Kind,
    /// The state of TCP sockets.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<State>,
    /// How many.
    pub count: u32,
    /// One of them: a path, or `local -> remote`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub example: String,
}

impl Group {
    /// `17 sockets in CLOSE_WAIT to our clients`; `412 open /tmp/spool/*`.
    pub fn sentence(&self) -> String {
        let count = crate::units::grouped(u64::from(self.count));
        match self.kind {
            Kind::File | Kind::Memfd | Kind::Dev | Kind::Tty => format!("{count} open {}", self.name),
            _ if self.count == 1 => format!("1 {}", singular(&self.name)),
            _ => format!("{count} {}", self.name),
        }
    }
}

/// `sockets in LISTEN on port 25` to `socket in LISTEN on port 25`.
fn singular(name: &str) -> String {
    let (first, rest) = name.split_once(' ').map_or((name, ""), |(first, rest)| (first, rest));
    let first = match first {
        "UNIX" | "UDP" => return format!("{first} {}", singular(rest)),
        word => word.strip_suffix('s').unwrap_or(word),
    };
    if rest.is_empty() { first.to_owned() } else { format!("{first} {rest}") }
}

/// Sorts descriptors into groups, the biggest first. `tcp` are the TCP sockets among them by inode,
/// `ports` those that the server listens on, `protocol` tells what another socket is (`UNIX`, `UDP` ...).
pub fn groups(
    descriptors: &[Descriptor],
    tcp: &BTreeMap<u64, TcpSocket>,
    ports: &[u16],
    mut protocol: impl FnMut(&Descriptor) -> Option<String>,
) -> Vec<Group> {
    let mut found: BTreeMap<(Kind, Option<State>, String), (u32, String)> = BTreeMap::new();
    // How many files each folder holds decides whether they are named one by one or as `folder/*`.
    let mut folders: BTreeMap<String, u32> = BTreeMap::new();
    for d in descriptors.iter().filter(|d| d.kind == Kind::File) {
        *folders.entry(folder(&d.target)).or_default() += 1;
    }
    for d in descriptors {
        let (state, name, example) = match d.kind {
            Kind::Socket => match tcp.get(&d.inode) {
                Some(socket) => {
                    (Some(socket.state), tcp_name(socket, ports), format!("{} -> {}", socket.local, socket.remote))
                }
                None => (None, other_socket(protocol(d).as_deref()), String::new()),
            },
            Kind::File => (None, file_name(d, &folders), d.target.clone()),
            Kind::Dev | Kind::Tty => (None, d.target.clone(), d.target.clone()),
            Kind::Memfd => (None, d.target.trim_start_matches('/').to_owned(), d.target.clone()),
            Kind::Pipe => (None, "pipes".to_owned(), String::new()),
            Kind::Other => (None, format!("descriptors of {}", d.target), d.target.clone()),
            kind => (None, format!("{}s", kind.name()), String::new()),
        };
        let entry = found.entry((d.kind, state, name)).or_insert((0, example));
        entry.0 += 1;
    }
    let group = |((kind, state, name), (count, example))| Group { name, kind, state, count, example };
    let mut out: Vec<Group> = found.into_iter().map(group).collect();
    out.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    out
}

fn tcp_name(socket: &TcpSocket, ports: &[u16]) -> String {
    let state = socket.state;
    match state {
        State::Listen => format!("sockets in LISTEN on port {}", socket.local.port()),
        State::Close => "sockets in CLOSE, connected to nobody".to_owned(),
        _ if ports.contains(&socket.local.port()) => {
            let whose = if here(socket.remote.ip()) { "our clients" } else { "clients elsewhere" };
            format!("sockets in {state} to {whose}")
        }
        _ => format!("sockets in {state} to {}", socket.remote),
    }
}

/// Whether an address is this machine by its form; the load comes from here.
fn here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn other_socket(protocol: Option<&str>) -> String {
    match protocol {
        Some(name) if name.starts_with("UNIX") => "UNIX sockets".to_owned(),
        Some(name) if name.starts_with("UDP") => "UDP sockets".to_owned(),
        Some(name) => format!("sockets of {name}"),
        None => "sockets".to_owned(),
    }
}

fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned())
}

fn file_name(d: &Descriptor, folders: &BTreeMap<String, u32>) -> String {
    let folder = folder(&d.target);
    let many = folders.get(&folder).is_some_and(|&n| n > 1);
    let mut name = if many { format!("{folder}/*") } else { d.target.clone() };
    if d.deleted {
        name.push_str(" (deleted)");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn tcp(state: State, local: &str, remote: &str, inode: u64) -> (u64, TcpSocket) {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        (inode, TcpSocket { state, local, remote, inode, uid: 0, receive_queue: 0, send_queue: 0 })
    }

    #[test]
    fn names_that_say_what_to_look_for() {
        let mut descriptors = vec![Descriptor::parse(0, OsStr::new("/dev/null"))];
        let mut sockets = BTreeMap::new();
        for i in 0..17 {
            descriptors.push(Descriptor::parse(10 + i, OsStr::new(&format!("socket:[{}]", 100 + i))));
            sockets.extend([tcp(State::CloseWait, "127.0.0.1:25", "127.0.0.1:40000", 100 + i as u64)]);
        }
        for i in 0..412 {
            descriptors.push(Descriptor::parse(100 + i, OsStr::new(&format!("/tmp/spool/m{i}"))));
        }
        descriptors.push(Descriptor::parse(3, OsStr::new("socket:[7]")));
        sockets.extend([tcp(State::Listen, "0.0.0.0:25", "0.0.0.0:0", 7)]);
        descriptors.push(Descriptor::parse(4, OsStr::new("socket:[8]")));
        descriptors.push(Descriptor::parse(5, OsStr::new("anon_inode:[eventpoll]")));
        descriptors.push(Descriptor::parse(6, OsStr::new("/var/log/smtp.log")));
        descriptors.push(Descriptor::parse(7, OsStr::new("socket:[9]")));
        sockets.extend([tcp(State::Established, "10.0.0.2:41000", "10.0.0.9:3306", 9)]);
        let sentences: Vec<_> = groups(&descriptors, &sockets, &[25], |_| Some("UNIX-STREAM".to_owned()))
            .iter()
            .map(Group::sentence)
            .collect();
        assert_eq!(
            sentences,
            [
                "412 open /tmp/spool/*",
                "17 sockets in CLOSE_WAIT to our clients",
                "1 open /dev/null",
                "1 open /var/log/smtp.log",
                "1 UNIX socket",
                "1 epoll",
                "1 socket in ESTABLISHED to 10.0.0.9:3306",
                "1 socket in LISTEN on port 25",
            ]
        );
    }
}
