//! Descriptors and TCP sockets of processes, read again and again at a fraction of the price.
//!
//! Reading 5,000 links of `/proc/PID/fd` costs some 20 ms. So the first look reads all of them, and
//! later looks only those that may have changed, as the socket table and the number of descriptors
//! show; a few more are read in turn, so that a file which was swapped for another is noticed soon.
//! A [floor](super::Reader) never relies on any of this: it reads everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use crate::proc::{
    Ask, Descriptor, Error, Kind, Process, Segments, SocketTable, State, TcpSocket, closed_tcp, fd_count_is_fast,
    listening_ports, states,
};

/// How many links are read in turn at each look.
const IN_TURN: usize = 64;
/// Where the whole socket table is dear, it is read at each tenth look, and at those between only the
/// part that is on ports that the processes listen on; other sockets keep the state last seen.
const WHOLE_TABLE: u32 = 10;
/// A table that takes longer than this to read is dear.
const DEAR: Duration = Duration::from_millis(2);

/// What is known of one process's descriptors.
#[derive(Debug, Default)]
pub struct Tracker {
    descriptors: Vec<Descriptor>,
    /// Its TCP sockets by inode; those that no table lists are in state `CLOSE`.
    tcp: BTreeMap<u64, TcpSocket>,
    /// Protocols of its other sockets by inode.
    others: HashMap<u64, String>,
    next_in_turn: usize,
    known: bool,
    /// A socket was in no table that was read, and the whole table was not read since.
    unsure: bool,
}

impl Tracker {
    /// The open descriptors, in the order of their numbers.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// The TCP sockets by inode.
    pub fn tcp(&self) -> &BTreeMap<u64, TcpSocket> {
        &self.tcp
    }

    /// The TCP sockets by state.
    pub fn states(&self) -> BTreeMap<State, u32> {
        states(self.tcp.values())
    }

    /// What a socket is that is none of TCP.
    pub fn protocol(&self, descriptor: &Descriptor) -> Option<String> {
        self.others.get(&descriptor.inode).filter(|name| !name.is_empty()).cloned()
    }

    /// Brings all up to date. False when a socket is not in the table that the whole table may have.
    fn look(&mut self, process: &Process, table: &Table, strangers: bool) -> Result<bool, Error> {
        let lost = !table.again && self.tcp.values().any(|s| table.lost(s));
        let relist = !self.known || strangers || lost || !fd_count_is_fast();
        let mut changed = relist || process.fd_count_fast()? != self.descriptors.len() as u64;
        if changed {
            self.known = true;
            self.list(process, table)?;
        }
        match self.read_in_turn(process)? {
            Turn::Same => {}
            Turn::Swapped => changed = true,
            Turn::Closed => {
                self.list(process, table)?;
                changed = true;
            }
        }
        if changed || self.unsure {
            self.unsure = !self.join(process, table);
            return Ok(!self.unsure);
        }
        if table.again {
            for now in &table.listed {
                self.tcp.entry(now.inode).and_modify(|socket| *socket = *now);
            }
        } else {
            for socket in self.tcp.values_mut() {
                *socket = table.sockets.get(&socket.inode).copied().unwrap_or(*socket);
            }
        }
        Ok(true)
    }

    /// Lists the numbers anew and reads the links of those that are new or suspect.
    fn list(&mut self, process: &Process, table: &Table) -> Result<(), Error> {
        let mut before = std::mem::take(&mut self.descriptors).into_iter().peekable();
        let mut unseen = 0;
        for fd in process.fd_numbers()? {
            while before.next_if(|d| d.fd < fd).is_some() {}
            let kept = before.next_if(|d| d.fd == fd).filter(|d| {
                // A socket in the table is still there, and one that left it is not. What no table shows
                // leaves no trace when it is swapped for something else; there are seldom many of these.
                if d.kind == Kind::Socket && table.sockets.contains_key(&d.inode) {
                    return true;
                }
                unseen += 1;
                unseen > IN_TURN && !self.tcp.get(&d.inode).is_some_and(|s| table.lost(s))
            });
            match kept {
                Some(descriptor) => self.descriptors.push(descriptor),
                None => self.descriptors.extend(process.descriptor(fd)?),
            }
        }
        Ok(())
    }

    /// Reads the next few links anew.
    fn read_in_turn(&mut self, process: &Process) -> Result<Turn, Error> {
        let mut turn = Turn::Same;
        for _ in 0..IN_TURN.min(self.descriptors.len()) {
            self.next_in_turn = (self.next_in_turn + 1) % self.descriptors.len();
            let was = &mut self.descriptors[self.next_in_turn];
            match process.descriptor(was.fd)? {
                Some(now) if now == *was => {}
                Some(now) => {
                    *was = now;
                    turn = Turn::Swapped;
                }
                None => return Ok(Turn::Closed),
            }
        }
        Ok(turn)
    }

    /// Joins the descriptors with the table. False when a socket is not in it that the whole table may have.
    fn join(&mut self, process: &Process, table: &Table) -> bool {
        let mut sure = true;
        let mut tcp = BTreeMap::new();
        let mut others = HashMap::new();
        for d in self.descriptors.iter().filter(|d| d.kind == Kind::Socket) {
            if tcp.contains_key(&d.inode) || others.contains_key(&d.inode) {
                continue;
            }
            if let Some(socket) = table.sockets.get(&d.inode) {
                tcp.insert(d.inode, *socket);
            } else if let Some(name) = self.others.remove(&d.inode) {
                others.insert(d.inode, name);
            } else if let Some(socket) = self.tcp.get(&d.inode).filter(|s| !table.lost(s)) {
                tcp.insert(d.inode, *socket);
            } else if !table.whole || table.again {
                // A connection may have waited to be accepted when the table was read.
                sure = false;
            } else {
                // Gone since it was listed, or a socket that no table lists: the protocol tells.
                match process.socket_protocol(d.fd) {
                    Some(name) if name.starts_with("TCP") => drop(tcp.insert(d.inode, closed_tcp(d.inode))),
                    name => drop(others.insert(d.inode, name.unwrap_or_default())),
                }
            }
        }
        self.tcp = tcp;
        self.others = others;
        sure
    }
}

/// What reading a few links anew showed.
enum Turn {
    /// Nothing new.
    Same,
    /// A number stands for something else now.
    Swapped,
    /// A number is free now, so the list is out of date.
    Closed,
}

/// Inodes are handed out one after the other: a multiplication spreads them well enough.
#[derive(Default)]
struct InodeHasher(u64);

impl Hasher for InodeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, inode: u64) {
        self.0 = inode.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }
}

type ByInode<T> = HashMap<u64, T, BuildHasherDefault<InodeHasher>>;

/// One reading of the socket table; its room is used again for the next.
#[derive(Debug, Default)]
struct Table {
    /// What was read last: all, or by [`Table::refresh`] what may have changed.
    listed: Vec<TcpSocket>,
    sockets: ByInode<TcpSocket>,
    ports: Vec<u16>,
    whole: bool,
    /// What the namespace had sent and received just before the table was read.
    segments: Option<Segments>,
    v6: bool,
    /// It serves again, as nothing but the few sockets that are not established can have changed since.
    again: bool,
}

impl Table {
    fn read(&mut self, reader: &mut SocketTable, process: &Process, ask: Ask) -> Result<(), Error> {
        self.again = false;
        self.segments = Segments::of(process);
        reader.read(process, ask, &mut self.listed)?;
        self.sockets.clear();
        self.sockets.extend(self.listed.iter().filter(|s| s.inode != 0).map(|s| (s.inode, *s)));
        self.ports = ask.ports.to_vec();
        self.v6 = ask.v6;
        self.whole = ask.ports.is_empty();
        Ok(())
    }

    /// Whether the table serves again, brought up to date by what costs little. Without a segment in the namespace
    /// no state has changed. With some, sockets that were established still are, or are among those that are not
    /// (which are read), or are closed (which is counted).
    fn refresh(&mut self, reader: &mut SocketTable, process: &Process) -> bool {
        let (Some(before), Some(now)) = (self.segments, Segments::of(process)) else { return false };
        if before == now {
            self.listed.clear();
            return true;
        }
        let ask = Ask { ports: &self.ports, v6: self.v6, established: false };
        if (before.resets, before.open) != (now.resets, now.open)
            || reader.read(process, ask, &mut self.listed).is_err()
        {
            return false;
        }
        self.listed.retain(|s| s.inode != 0);
        let others: ByInode<TcpSocket> = self.listed.iter().map(|s| (s.inode, *s)).collect();
        let gone = |s: &TcpSocket| s.state != State::Established && !others.contains_key(&s.inode);
        if self.sockets.values().any(gone) || others.keys().any(|inode| !self.sockets.contains_key(inode)) {
            return false;
        }
        self.sockets.extend(others);
        self.segments = Some(now);
        true
    }

    /// Whether a socket that was in the table is no longer, though this reading would have shown it.
    fn lost(&self, socket: &TcpSocket) -> bool {
        let unlisted = socket.state == State::Close && socket.local.port() == 0;
        let covered = self.whole || self.ports.contains(&socket.local.port());
        !unlisted && covered && !self.sockets.contains_key(&socket.inode)
    }
}

/// Trackers of several processes over one socket table.
#[derive(Debug)]
pub struct Trackers {
    reader: SocketTable,
    table: Table,
    trackers: BTreeMap<i32, Tracker>,
    /// Inodes in the table that none of the processes holds.
    strangers: HashSet<u64, BuildHasherDefault<InodeHasher>>,
    looks: u32,
    whole_took: Duration,
    dear: Duration,
}

impl Default for Trackers {
    fn default() -> Self {
        Self {
            reader: SocketTable::open(),
            table: Table::default(),
            trackers: BTreeMap::new(),
            strangers: HashSet::default(),
            looks: 0,
            whole_took: Duration::ZERO,
            dear: DEAR,
        }
    }
}

impl Trackers {
    /// Trackers that take the socket table for dear however quickly it is read.
    pub fn frugal() -> Self {
        Self { dear: Duration::ZERO, ..Self::default() }
    }

    /// Brings all up to date. Processes that cannot be read are left out of what [`get`](Self::get) gives.
    pub fn look(&mut self, processes: &[&Process]) {
        self.trackers.retain(|pid, _| processes.iter().any(|p| p.pid() == *pid));
        if processes.is_empty() {
            return;
        }
        let in_turn = self.looks.is_multiple_of(WHOLE_TABLE);
        self.looks = self.looks.wrapping_add(1);
        self.table.again = !in_turn && self.table.refresh(&mut self.reader, processes[0]);
        if self.table.again && self.look_at(processes, None) {
            return;
        }
        let sockets = || self.trackers.values().flat_map(|t| t.tcp.values());
        let ports = if in_turn || self.whole_took < self.dear { Vec::new() } else { listening_ports(sockets()) };
        let v6 = sockets().any(|s| s.local.is_ipv6() && s.state == State::Listen);
        let ask = if ports.is_empty() { Ask::ALL } else { Ask { ports: &ports, v6, established: true } };
        if !self.look_at(processes, Some(ask)) && !ports.is_empty() {
            self.look_at(processes, Some(Ask::ALL));
        }
    }

    /// What is known of a process since the last look.
    pub fn get(&self, pid: i32) -> Option<&Tracker> {
        self.trackers.get(&pid)
    }

    /// Looks by the table that `ask` reads, or by the last one. False when the whole table is needed.
    fn look_at(&mut self, processes: &[&Process], ask: Option<Ask>) -> bool {
        let mut table = std::mem::take(&mut self.table);
        let sure = self.look_by(&mut table, processes, ask);
        self.table = table;
        sure
    }

    fn look_by(&mut self, table: &mut Table, processes: &[&Process], ask: Option<Ask>) -> bool {
        if let Some(ask) = ask {
            let begin = Instant::now();
            if table.read(&mut self.reader, processes[0], ask).is_err() {
                return true;
            }
            if table.whole {
                self.whole_took = begin.elapsed();
            }
        }
        let held = |inode: &u64| self.trackers.values().any(|t| t.tcp.contains_key(inode));
        let strangers = !table.again && table.sockets.keys().any(|i| !self.strangers.contains(i) && !held(i));
        let mut sure = true;
        for process in processes {
            let mut tracker = self.trackers.remove(&process.pid()).unwrap_or_default();
            if let Ok(found) = tracker.look(process, table, strangers) {
                sure &= found;
                self.trackers.insert(process.pid(), tracker);
            }
        }
        if strangers || (table.whole && !table.again) {
            let held = |inode: &u64| self.trackers.values().any(|t| t.tcp.contains_key(inode));
            if table.whole {
                self.strangers.clear();
            }
            self.strangers.extend(table.sockets.keys().filter(|i| !held(i)));
        }
        sure
    }
}
