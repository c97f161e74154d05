//! Descriptors by name: a few groups that a person can act on instead of thousands of numbers.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::proc::{Descriptor, Kind, State, TcpSocket, is_own_address};

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
        let count = crate::phrase::grouped(u64::from(self.count));
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

/// What the names need to know of the process beside its descriptors.
pub struct Naming<'a> {
    /// The TCP sockets among the descriptors, by inode.
    pub tcp: &'a BTreeMap<u64, TcpSocket>,
    /// The ports that the server listens on.
    pub ports: &'a [u16],
    /// Addresses that our load comes from; where none are given, clients are just clients.
    pub ours: Option<&'a HashSet<IpAddr>>,
    /// What a socket is that is none of TCP (`UNIX-STREAM`, `UDP` ...).
    pub protocol: &'a dyn Fn(&Descriptor) -> Option<String>,
}

/// What makes descriptors alike, cheap to compare: names are made once a group.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Listener(u16),
    Unconnected,
    Client(&'static str),
    Peer(SocketAddr),
    Named(String),
    Kind,
}

/// Sorts descriptors into groups, the biggest first.
pub fn groups(descriptors: &[Descriptor], naming: &Naming) -> Vec<Group> {
    let mut found: BTreeMap<(Kind, Option<State>, Likeness), (u32, &Descriptor)> = BTreeMap::new();
    for d in descriptors {
        let tcp = naming.tcp.get(&d.inode).filter(|_| d.kind == Kind::Socket);
        let likeness = match (tcp, d.kind) {
            (Some(socket), _) => naming.likeness(socket),
            (None, Kind::Socket) => Likeness::Named(other_socket((naming.protocol)(d).as_deref())),
            (_, Kind::File) => Likeness::Named(folder_name(&d.target, d.deleted)),
            (_, Kind::Dev | Kind::Tty) => Likeness::Named(d.target.clone()),
            (_, Kind::Memfd) => Likeness::Named(d.target.trim_start_matches('/').to_owned()),
            (_, Kind::Other) => Likeness::Named(format!("descriptors of {}", d.target)),
            _ => Likeness::Kind,
        };
        found.entry((d.kind, tcp.map(|s| s.state), likeness)).or_insert((0, d)).0 += 1;
    }
    let group = |((kind, state, likeness), (count, first)): ((Kind, Option<State>, _), (u32, &Descriptor))| {
        let ends = |s: &TcpSocket| format!("{} -> {}", s.local, s.remote);
        let example = match kind {
            Kind::Socket => naming.tcp.get(&first.inode).map(ends).unwrap_or_default(),
            _ => first.target.clone(),
        };
        let in_state = state.map_or(String::new(), |s| format!("sockets in {s}"));
        let name = match likeness {
            Likeness::Listener(port) => format!("{in_state} on port {port}"),
            Likeness::Unconnected => format!("{in_state}, connected to nobody"),
            Likeness::Client(whose) => format!("{in_state} to {whose}"),
            Likeness::Peer(remote) => format!("{in_state} to {remote}"),
            Likeness::Named(name) => name,
            Likeness::Kind => format!("{}s", kind.name()),
        };
        Group { name, kind, state, count, example }.named()
    };
    let mut out: Vec<Group> = found.into_iter().map(group).collect();
    sort(&mut out);
    out
}

/// What there is more of in `after` than in `before`: what survived the work between two floors of one
/// process. The count of each group is that by which it grew.
pub fn survivors(before: &[Group], after: &[Group]) -> Vec<Group> {
    let mut out: Vec<Group> = after
        .iter()
        .filter_map(|group| {
            let was: u32 = before.iter().filter(|b| b.key() == group.key()).map(|b| b.count).sum();
            let count = group.count.checked_sub(was).filter(|n| *n > 0)?;
            // One file more in a folder that had some: which one it is, the example does not tell.
            let name = if was > 0 { group.key().2 } else { group.name.clone() };
            Some(Group { count, name, ..group.clone() })
        })
        .collect();
    sort(&mut out);
    out
}

fn sort(groups: &mut [Group]) {
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
}

impl Group {
    /// A group of one file bears the file's name, of more the folder's.
    fn named(self) -> Self {
        if self.kind != Kind::File || self.count > 1 {
            return self;
        }
        let deleted = if self.name.ends_with(DELETED) { DELETED } else { "" };
        Self { name: format!("{}{deleted}", self.example), ..self }
    }

    /// What makes two groups of two floors the same.
    fn key(&self) -> (Kind, Option<State>, String) {
        let name = match self.kind {
            Kind::File => folder_name(&self.example, self.name.ends_with(DELETED)),
            _ => self.name.clone(),
        };
        (self.kind, self.state, name)
    }
}

impl Naming<'_> {
    fn likeness(&self, socket: &TcpSocket) -> Likeness {
        match socket.state {
            State::Listen => Likeness::Listener(socket.local.port()),
            State::Close => Likeness::Unconnected,
            _ if self.ports.contains(&socket.local.port()) => Likeness::Client(match self.ours {
                None => "clients",
                Some(ours) if is_own_address(socket.remote.ip(), ours) => "our clients",
                Some(_) => "other clients",
            }),
            _ => Likeness::Peer(socket.remote),
        }
    }
}

fn other_socket(protocol: Option<&str>) -> String {
    match protocol {
        Some(name) if name.starts_with("UNIX") => "UNIX sockets".to_owned(),
        Some(name) if name.starts_with("UDP") => "UDP sockets".to_owned(),
        Some(name) => format!("sockets of {name}"),
        None => "sockets".to_owned(),
    }
}

const DELETED: &str = " (deleted)";

/// `/tmp/spool/*` for a file in that folder.
fn folder_name(path: &str, deleted: bool) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/*{}", if deleted { DELETED } else { "" })
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
        let naming = Naming {
            tcp: &sockets,
            ports: &[25],
            ours: Some(&HashSet::new()),
            protocol: &|_| Some("UNIX-STREAM".to_owned()),
        };
        let all = groups(&descriptors, &naming);
        let sentences: Vec<_> = all.iter().map(Group::sentence).collect();
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
    fn files(paths: &[&str]) -> Vec<Group> {
        let descriptors: Vec<_> =
            paths.iter().enumerate().map(|(i, path)| Descriptor::parse(i as i32, OsStr::new(path))).collect();
        groups(&descriptors, &Naming { tcp: &BTreeMap::new(), ports: &[], ours: None, protocol: &|_| None })
    }

    fn survived(before: &[&str], after: &[&str]) -> Vec<String> {
        survivors(&files(before), &files(after)).iter().map(Group::sentence).collect()
    }

    #[test]
    fn what_survived_is_what_there_is_more_of() {
        let nothing: [&str; 0] = [];
        assert_eq!(survived(&["/a/1", "/dev/null"], &["/a/1", "/dev/null"]), nothing);
        assert_eq!(survived(&[], &["/a/1"]), ["1 open /a/1"]);
        assert_eq!(survived(&["/a/1"], &["/a/1", "/a/2"]), ["1 open /a/*"]);
        assert_eq!(survived(&["/a/1"], &["/a/1", "/a/2", "/a/3", "pipe:[9]"]), ["2 open /a/*", "1 pipe"]);
        assert_eq!(survived(&["/a/1"], &["/a/1 (deleted)"]), ["1 open /a/1 (deleted)"]);
        assert_eq!(survived(&["pipe:[9]", "pipe:[10]"], &["pipe:[9]"]), nothing);
    }
}
