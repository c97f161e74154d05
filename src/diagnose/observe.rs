//! What is to be seen of a server that stopped answering.

use serde::{Deserialize, Serialize};

use crate::proc::{
    Cgroup, Error, Kind, NetCounters, Process, SocketTable, State, Waiting, clock_ticks, held_tcp, oom_kills,
    syscall_name,
};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It left with this exit code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// In what the main thread sleeps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sleeping {
    /// The system call, by name.
    pub call: String,
    /// What its descriptor is, where it has one: `/var/log/mail.log`, `a connection to 10.0.0.9:3306`.
    pub on: String,
    /// The descriptor's number, -1 without one.
    pub fd: i32,
    /// The descriptor's kind.
    pub kind: Option<Kind>,
}

/// A listener's accept queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Queue {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// The most that may wait; 0 where it cannot be read.
    pub most: u32,
}

/// All that a diagnosis is made of. What could not be seen stays at its default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observations {
    /// How it ended, if it did.
    pub ended: Option<Ended>,
    /// Whether profile-run itself sent the signal that ended it.
    pub stopped_by_us: bool,
    /// Seconds without any reply.
    pub silent_seconds: f64,
    /// Share of one processor that it used in that time.
    pub cpu: f64,
    /// Share of that time in which it was ready to run and others had the processors.
    #[serde(default)]
    pub waited: f64,
    /// State letter of the main thread.
    pub state: Option<char>,
    /// In what it sleeps.
    pub sleeping: Option<Sleeping>,
    /// The kernel function in which it sleeps.
    pub wchan: Option<String>,
    /// Open descriptors.
    pub fds: u64,
    /// The highest descriptor number.
    pub highest_fd: i64,
    /// The limit of descriptors.
    pub nofile: Option<u64>,
    /// The fullest accept queue of its listeners.
    pub queue: Option<Queue>,
    /// Connections that came to full accept queues since the scenario began (the whole namespace's).
    pub listen_overflows: u64,
    /// Connection attempts dropped by listeners since then.
    pub listen_drops: u64,
    /// Processes killed for want of memory since then: of its control group, or else of the machine.
    pub oom_kills: u64,
    /// The limit of its control group, bytes.
    pub cgroup_limit: Option<u64>,
    /// The end of its output.
    pub output: String,
    /// Sessions that were open when it fell silent.
    pub open_sessions: u64,
    /// Sessions that were done by then.
    pub sessions_done: u64,
    /// The stage at which most of the open sessions wait, as in `after the final dot`.
    pub stage: Option<String>,
    /// Functions of the language's own stack, the innermost first.
    pub stack: Vec<String>,
}

/// Remembers counters from before, so that a later look can tell what was added.
#[derive(Debug)]
pub struct Witness {
    process: Process,
    counters: NetCounters,
    cgroup: Option<Cgroup>,
    machine_kills: u64,
}

impl Observations {
    /// Share of the time in which it ran or would have, had it had a processor: on a loaded machine one that spins gets
    /// only a part of one.
    pub(super) fn busy(&self) -> f64 {
        self.cpu + self.waited
    }
}

impl Witness {
    /// Begins to watch, while all is well.
    pub fn begin(pid: i32) -> Result<Self, Error> {
        let process = Process::open(pid)?;
        let counters = NetCounters::of(&process).unwrap_or_default();
        let cgroup = Cgroup::of(&process)?;
        Ok(Self { process, counters, cgroup, machine_kills: oom_kills() })
    }

    /// CPU time that the process used so far, seconds; `None` once it is gone.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let stat = self.process.again().and_then(|process| process.stat()).ok()?;
        Some((stat.utime + stat.stime) as f64 / clock_ticks() as f64)
    }

    /// Time that the main thread was ready to run and did not so far, seconds; `None` where the kernel does not count it.
    pub fn waited_seconds(&self) -> Option<f64> {
        let (_, waited) = self.process.again().and_then(|process| process.schedstat()).ok()??;
        Some(waited as f64 / 1e9)
    }

    /// Looks now: fills in what the kernel shows. `silent_seconds`, `cpu`, `waited`, `output`, the sessions, the
    /// stage, the stack and how it ended are the caller's to add. A process that is gone shows only
    /// what it leaves behind.
    pub fn look(&self) -> Observations {
        let mut seen = Observations { highest_fd: -1, ..Observations::default() };
        let group = self.cgroup.as_ref().and_then(|before| Some((before, before.again()?)));
        seen.oom_kills = match &group {
            Some((before, now)) => now.oom_kills.saturating_sub(before.oom_kills),
            None => oom_kills().saturating_sub(self.machine_kills),
        };
        seen.cgroup_limit = self.cgroup.as_ref().and_then(|g| g.max);
        let Ok(process) = self.process.again() else { return seen };
        // Our own namespace's counters would be another's for a container; then there are none.
        if let Ok(counters) = NetCounters::of(&process) {
            let added = counters.since(self.counters);
            (seen.listen_overflows, seen.listen_drops) = (added.listen_overflows, added.listen_drops);
        }
        let Ok(stat) = process.stat() else { return seen };
        seen.state = Some(stat.state);
        seen.wchan = process.wchan().unwrap_or(None);
        seen.nofile = process.limits().ok().and_then(|l| l.nofile.soft);
        if let Ok(descriptors) = process.descriptors() {
            seen.fds = descriptors.len() as u64;
            seen.highest_fd = descriptors.last().map_or(-1, |d| i64::from(d.fd));
            let held = held_tcp(&process, &descriptors, &mut SocketTable::open()).unwrap_or_default();
            seen.queue = held
                .values()
                .filter(|s| s.state == State::Listen)
                .map(|s| Queue { waiting: s.receive_queue, most: s.send_queue })
                .max_by_key(|q| q.waiting);
            if let Some((number, arguments)) = system_call(&process) {
                let call = syscall_name(number).map_or_else(|| format!("system call {number}"), str::to_owned);
                let fd = if takes_descriptor(&call) { arguments[0] as i32 } else { -1 };
                let on = descriptors.iter().find(|d| d.fd == fd);
                let name = on.map_or(String::new(), |d| match held.get(&d.inode) {
                    Some(s) if d.kind == Kind::Socket && s.state == State::Listen => {
                        format!("its listener on port {}", s.local.port())
                    }
                    Some(s) if d.kind == Kind::Socket => format!("a connection with {}", s.remote),
                    _ if d.target.is_empty() => format!("a {}", d.kind.name()),
                    _ => d.target.clone(),
                });
                seen.sleeping = Some(Sleeping { call, on: name, fd, kind: on.map(|d| d.kind) });
            }
        }
        seen
    }
}

/// The system call that the main thread is in. One that spins is seldom caught in one at the first
/// look, and which one it is tells much: so several looks.
fn system_call(process: &Process) -> Option<(i64, [u64; 6])> {
    for _ in 0..40 {
        match process.waiting() {
            Ok(Some(Waiting::InSyscall { number, arguments })) => return Some((number, arguments)),
            Ok(Some(Waiting::Running)) => std::thread::sleep(std::time::Duration::from_millis(1)),
            _ => return None,
        }
    }
    None
}

/// Calls whose first argument is the descriptor that they wait for.
fn takes_descriptor(call: &str) -> bool {
    const CALLS: [&str; 24] = [
        "read",
        "write",
        "readv",
        "writev",
        "pread64",
        "pwrite64",
        "accept",
        "accept4",
        "connect",
        "recvfrom",
        "recvmsg",
        "sendto",
        "sendmsg",
        "fsync",
        "fdatasync",
        "flock",
        "fcntl",
        "ioctl",
        "sendfile",
        "ftruncate",
        "fallocate",
        "getdents64",
        "splice",
        "close",
    ];
    CALLS.contains(&call)
}
