//! A master and its workers: started once a run, gone with it.
//!
//! One thread starts them, hears them and ends them. It lives as long as they do, as the kernel ends a child with the
//! thread that started it. That, and their standard input that ends, sees to it that nothing of them outlives this
//! program. They are its own children, not the server's, so that they are no part of the tree that is judged.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;

use super::super::process::Process;
use super::members::{Members, Note};
use super::message::{Say, Told};
use super::program::{self, Program};
use crate::load::error::LoadError;

/// What master and workers run.
pub const FILE: &str = include_str!("locustfile.py");
/// How long the master may take to be there, and local workers after it.
const LOCAL_WAIT: Duration = Duration::from_secs(60);
/// How long workers of other machines may take, which somebody starts by hand.
const REMOTE_WAIT: Duration = Duration::from_secs(600);
/// How long they may take to quit in order.
const QUIT: Duration = Duration::from_secs(3);
/// The master's token; workers count from 1.
const MASTER: u64 = 0;

/// How many workers a fleet has, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// On this machine.
    pub local: u32,
    /// On others.
    pub remote: u32,
    /// Where the server is, as the other machines reach it.
    pub address: Option<SocketAddr>,
}

impl Workers {
    /// Where the master listens: the loopback, or for other machines the address at which they reach the server too.
    fn bind(&self) -> IpAddr {
        match self.address {
            Some(address) if self.remote > 0 => address.ip(),
            _ => IpAddr::from([127, 0, 0, 1]),
        }
    }
}

/// Who is there by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muster {
    /// Locust's version.
    pub version: String,
    /// Workers that are there: machine and process.
    pub here: Vec<(String, i32)>,
    /// Workers that there should be.
    pub wanted: u32,
    /// The command for each other machine, once the master can be reached.
    pub invitation: Option<String>,
}

impl Muster {
    /// All are there.
    pub fn is_whole(&self) -> bool {
        self.here.len() as u64 >= u64::from(self.wanted)
    }
}

/// A handle of a fleet, which ends with the last of its clones.
#[derive(Debug, Clone)]
pub struct Locust {
    pub(super) fleet: Arc<Fleet>,
}

impl PartialEq for Locust {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fleet, &other.fleet)
    }
}

impl Eq for Locust {}

/// A running fleet.
#[derive(Debug)]
pub struct Fleet {
    workers: Workers,
    /// Who knows it may join: whoever reaches the port does not.
    name: String,
    began: Instant,
    shared: Arc<Shared>,
    link: Mutex<UnixStream>,
    news: Sender<News>,
    thread: Option<JoinHandle<()>>,
    pub(super) waves: AtomicU64,
}

/// What the fleet's thread and those who ask share.
#[derive(Debug, Default)]
struct Shared {
    members: Mutex<Members>,
    changed: Condvar,
}

/// What the thread is woken by.
enum News {
    Line(String),
    /// The master's end of the link is closed.
    Closed,
    /// A program of ours has exited.
    Ended(u64),
    Quit,
}

impl Locust {
    /// Starts a fleet; `file` holds [`FILE`]. The workers come later: [`Locust::muster`].
    ///
    /// # Errors
    /// Locust is not installed, or the system refuses what it takes to start it.
    pub fn start(workers: Workers, file: PathBuf) -> Result<Self, LoadError> {
        let program = program::find()?;
        let (ours, theirs) = UnixStream::pair().map_err(LoadError::system("a socket for Locust"))?;
        let heard = ours.try_clone().map_err(LoadError::system("a socket for Locust"))?;
        let mut random = [0; 16];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut random))
            .map_err(LoadError::system("/dev/urandom"))?;
        let name = HEXLOWER.encode(&random);
        let (news, woken) = channel();
        let shared = Arc::new(Shared::default());
        let tender =
            Tender { program, file, name: name.clone(), workers, shared: Arc::clone(&shared), news: news.clone() };
        let spawned =
            std::thread::Builder::new().name("fleet".into()).spawn(move || tender.tend(theirs, heard, &woken));
        let thread = spawned.map_err(LoadError::system("a thread for Locust"))?;
        let fleet = Fleet {
            workers,
            name,
            began: Instant::now(),
            shared,
            link: Mutex::new(ours),
            news,
            thread: Some(thread),
            waves: AtomicU64::new(0),
        };
        Ok(Self { fleet: Arc::new(fleet) })
    }

    /// Who is there by now.
    ///
    /// # Errors
    /// Locust ended, or those that are wanted did not come in time.
    pub fn muster(&self) -> Result<Muster, LoadError> {
        let fleet = &self.fleet;
        let members = fleet.members();
        if let Some(why) = &members.broken {
            return Err(LoadError::Locust(why.clone()));
        }
        let here = |name: &String| (members.all[name].host.clone(), members.all[name].pid);
        let muster = Muster {
            version: members.version.clone(),
            here: members.present().map(here).collect(),
            wanted: fleet.workers.local + fleet.workers.remote,
            invitation: members.port.filter(|_| fleet.workers.remote > 0).map(|port| fleet.invitation(port)),
        };
        let wait = if muster.invitation.is_some() { REMOTE_WAIT } else { LOCAL_WAIT };
        if !muster.is_whole() && fleet.began.elapsed() > wait {
            let (came, wanted, within) = (muster.here.len(), muster.wanted, wait.as_secs());
            return Err(LoadError::Locust(format!("{came} of {wanted} workers came within {within} s")));
        }
        Ok(muster)
    }

    /// What is to be said of the workers since it was asked last.
    pub fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.fleet.members().notes)
    }
}

impl Fleet {
    pub(super) fn members(&self) -> MutexGuard<'_, Members> {
        self.shared.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was told, or so long.
    pub(super) fn wait<'a>(&self, members: MutexGuard<'a, Members>, most: Duration) -> MutexGuard<'a, Members> {
        self.shared.changed.wait_timeout(members, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Says something to the master; one that is gone is noticed by the thread.
    pub(super) fn say(&self, say: &Say) {
        let Ok(mut line) = serde_json::to_vec(say) else { return };
        line.push(b'\n');
        let _ = self.link.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }

    fn invitation(&self, port: u16) -> String {
        format!(
            "PROFILE_RUN_FLEET={} locust -f - --worker --master-host {} --master-port {port}",
            self.name,
            self.workers.bind()
        )
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.say(&Say::Quit);
        let _ = self.news.send(News::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the fleet's thread owns.
struct Tender {
    program: Program,
    file: PathBuf,
    name: String,
    workers: Workers,
    shared: Arc<Shared>,
    news: Sender<News>,
}

impl Tender {
    /// Starts all, and attends to them until they are to quit.
    fn tend(self, theirs: UnixStream, heard: UnixStream, woken: &Receiver<News>) {
        let mut running = Vec::new();
        // Held open for as long as the workers shall live.
        let mut leashes = Vec::new();
        let end = heard.try_clone();
        let news = self.news.clone();
        let listener = std::thread::Builder::new().name("locust".into()).spawn(move || listen(heard, &news));
        let host = self.workers.bind().to_string();
        let master = self.start(MASTER, OwnedFd::from(theirs).into(), |command| {
            let all = (self.workers.local + self.workers.remote).to_string();
            command.args(["--headless", "--master", "--only-summary", "--users", "0", "--expect-workers", &all]);
            command.args(["--master-bind-host", &host, "--master-bind-port", "0"]);
        });
        match master {
            Ok(master) => running.push((MASTER, master)),
            Err(error) => self.breaks(format!("Locust cannot be started: {error}")),
        }
        if let Err(error) = &listener {
            self.breaks(format!("no thread can be started for Locust: {error}"));
        }
        let mut quits = None;
        while quits.is_none_or(|by| Instant::now() < by && !running.is_empty()) {
            match woken.recv_timeout(QUIT) {
                Ok(News::Line(line)) => {
                    if let Some(port) = self.take(&line) {
                        self.start_workers(&host, port, &mut running, &mut leashes);
                    }
                }
                Ok(News::Ended(token)) => {
                    let Some(at) = running.iter().position(|(of, _)| *of == token) else { continue };
                    let (_, mut process) = running.swap_remove(at);
                    if quits.is_none() {
                        self.ended(token, &mut process);
                    }
                }
                Ok(News::Closed) => {}
                Ok(News::Quit) => {
                    quits = Some(Instant::now() + QUIT);
                    leashes.clear();
                }
                Err(_) => running.iter().for_each(|(_, process)| process.release_output()),
            }
        }
        drop(running);
        if let Ok(end) = end {
            let _ = end.shutdown(Shutdown::Both);
        }
        if let Ok(listener) = listener {
            let _ = listener.join();
        }
    }

    fn start(&self, token: u64, stdin: Stdio, with: impl FnOnce(&mut Command)) -> std::io::Result<Process> {
        let mut command = self.program.command(&self.file);
        command.env("PROFILE_RUN_FLEET", &self.name).env("PROFILE_RUN_LOCAL", "1");
        with(&mut command);
        let news = self.news.clone();
        Process::start_reading(command, stdin, move || drop(news.send(News::Ended(token))))
    }

    fn start_workers(
        &self,
        host: &str,
        port: u16,
        running: &mut Vec<(u64, Process)>,
        leashes: &mut Vec<std::io::PipeWriter>,
    ) {
        for token in 1..=u64::from(self.workers.local) {
            let started = std::io::pipe().and_then(|(theirs, leash)| {
                leashes.push(leash);
                self.start(token, OwnedFd::from(theirs).into(), |command| {
                    command.args(["--worker", "--master-host", host, "--master-port", &port.to_string()]);
                })
            });
            match started {
                Ok(process) => running.push((token, process)),
                Err(error) => self.breaks(format!("a worker of Locust's cannot be started: {error}")),
            }
        }
    }

    /// Takes a line of the master's; its port, where that is told.
    fn take(&self, line: &str) -> Option<u16> {
        let told: Told = match serde_json::from_str(line) {
            Ok(told) => told,
            Err(error) => {
                self.breaks(format!("Locust's master said what is not understood ({error}): {line}"));
                return None;
            }
        };
        let port = if let Told::Ready { port, .. } = told { Some(port) } else { None };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        self.change(|members| members.take(told, now));
        port
    }

    /// A program of ours has exited, though nobody told it to.
    fn ended(&self, token: u64, process: &mut Process) {
        let pid = process.pid();
        let words = last_words(process);
        let how = process.reap().map_or_else(|error| error.to_string(), |(status, _)| status.to_string());
        if token == MASTER {
            return self.breaks(format!("Locust's master ended ({how}){words}"));
        }
        self.change(|members| {
            if members.all.values().any(|member| member.pid == pid) {
                members.lose(|_, member| member.pid == pid, &format!("its process ended ({how})"));
            } else {
                members.broken.get_or_insert(format!("a worker of Locust's ended before it began ({how}){words}"));
            }
        });
    }

    fn breaks(&self, why: String) {
        self.change(|members| {
            members.broken.get_or_insert(why);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Members)) {
        change(&mut self.shared.members.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.changed.notify_all();
    }
}

/// Hears the master until its end of the link is closed.
fn listen(heard: UnixStream, news: &Sender<News>) {
    for line in BufReader::new(heard).lines() {
        let Ok(line) = line else { break };
        if news.send(News::Line(line)).is_err() {
            return;
        }
    }
    let _ = news.send(News::Closed);
}

/// The last lines that it wrote, for a sentence.
fn last_words(process: &Process) -> String {
    let said = process.errors();
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    if last.is_empty() { last } else { format!(": {last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_unless_others_are_wanted() {
        let workers = Workers { local: 2, remote: 0, address: Some(([10, 0, 0, 1], 2525).into()) };
        assert!(workers.bind().is_loopback());
        assert_eq!(Workers { remote: 1, ..workers }.bind().to_string(), "10.0.0.1");
    }
}
