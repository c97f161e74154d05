//! What a container's engine is asked about the container of one launch, and how that is cleared away. It is known by its
//! label, so that no other one is ever touched.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::client::LABEL;
use crate::proc::{Error, Process, Tree};
use crate::server::launch::MARK;

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is asked to remove a container.
const REMOVAL: Duration = Duration::from_secs(20);

/// How long an engine may take to make a container that was asked for.
const BIRTH: Duration = Duration::from_secs(10);

/// Between two looks at whether it is removed.
const LOOK: Duration = Duration::from_millis(200);

/// An engine, and the launch whose container is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// The client and its options: `docker --context x`.
    pub words: Vec<String>,
    /// The launch's mark.
    pub mark: String,
}

/// Where a container's processes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// It does not run yet, or the engine does not say.
    NotYet,
    /// This is its first one.
    Here(i32),
    /// They are here, and nobody lets us look at them.
    Denied(i32),
    /// On another machine, a virtual one also.
    Elsewhere,
}

impl Engine {
    /// The containers of the launch, running or not; `None` where the engine does not answer.
    pub fn containers(&self) -> Option<Vec<String>> {
        let label = format!("label={LABEL}={}", self.mark);
        let text = self.ask(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &label])?;
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Asks where the container's first process is.
    pub fn whereabouts(&self) -> Whereabouts {
        let Some(id) = self.containers().and_then(|all| all.into_iter().next()) else { return Whereabouts::NotYet };
        let pid = self.ask(&["inspect", "--type", "container", "--format", "{{.State.Pid}}", &id]);
        match pid.and_then(|text| text.trim().parse().ok()).filter(|pid| *pid > 0) {
            Some(pid) => where_is(pid, &id),
            None => Whereabouts::NotYet,
        }
    }

    /// Ports of the container that can be reached on this machine: its own, and where.
    pub fn published(&self) -> Vec<(u16, SocketAddr)> {
        let ids = self.containers().unwrap_or_default();
        ids.iter().filter_map(|id| self.ask(&["port", id])).flat_map(|text| ports(&text)).collect()
    }

    /// The words that run a program in the container, with these variables.
    pub fn exec(&self, variables: &[&str]) -> Option<Vec<String>> {
        let id = self.containers()?.into_iter().next()?;
        let set = variables.iter().flat_map(|variable| ["-e", variable]);
        let words = ["exec"].into_iter().chain(set).map(str::to_owned);
        Some(self.words.iter().cloned().chain(words).chain([id]).collect())
    }

    /// Kills what runs in the container.
    pub fn kill(&self) {
        for pid in marked(&self.mark) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Kills what is left of the container and has it removed. Where its client was killed the engine may still be about to
    /// make one, if none was seen: it `may_come`.
    pub fn clear(&self, mut may_come: bool) {
        let begun = Instant::now();
        while begun.elapsed() < REMOVAL {
            self.kill();
            match self.containers() {
                None => return,
                Some(ids) if ids.is_empty() => {
                    if !may_come || begun.elapsed() > BIRTH {
                        return;
                    }
                }
                // One that is being removed already is refused, and gone at the next look.
                Some(ids) => {
                    may_come = false;
                    let remove = ["rm", "--force", "--volumes"].into_iter().chain(ids.iter().map(String::as_str));
                    let _ = self.ask(&remove.collect::<Vec<_>>());
                }
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What it prints; `None` where it fails, or does not answer in time.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let (program, first) = self.words.split_first()?;
        let mut command = Command::new(program);
        command.args(first).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // SAFETY: one system call between fork and exec. The watchdog, which asks too, has all signals blocked.
        unsafe {
            command.pre_exec(|| SigSet::empty().thread_set_mask().map_err(io::Error::from));
        }
        let mut child = command.spawn().ok()?;
        let mut output = child.stdout.take()?;
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        let until = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
            }
        };
        // What it started may hold its output open; a client that was killed is not read.
        let text = status.filter(|status| status.success()).map(|_| reader.join())?;
        text.ok()?.ok()
    }
}

/// Processes whose environment has the mark.
fn marked(mark: &str) -> Vec<i32> {
    let has_mark = |pid: &i32| is_marked(*pid, mark).unwrap_or(false);
    Tree::scan().map(|tree| tree.pids().filter(has_mark).collect()).unwrap_or_default()
}

/// Whether a process was started with the mark.
pub fn is_marked(pid: i32, mark: &str) -> Result<bool, Error> {
    let environment = Process::open(pid)?.environ()?;
    let variable = format!("{MARK}={mark}");
    Ok(environment.iter().any(|found| found.as_bytes() == variable.as_bytes()))
}

/// A process that the engine names: ours to see, or another machine's.
fn where_is(pid: i32, id: &str) -> Whereabouts {
    let Ok(process) = Process::open(pid) else { return Whereabouts::Elsewhere };
    let groups = process.read("cgroup").unwrap_or_default();
    match process.exe() {
        Ok(_) if String::from_utf8_lossy(&groups).contains(id) => Whereabouts::Here(pid),
        // It may have ended since; the next answer tells.
        Err(error) if error.is_gone() => Whereabouts::NotYet,
        Err(_) if String::from_utf8_lossy(&groups).contains(id) => Whereabouts::Denied(pid),
        _ => Whereabouts::Elsewhere,
    }
}

/// `25/tcp -> 0.0.0.0:2525`, one a line.
fn ports(text: &str) -> Vec<(u16, SocketAddr)> {
    let port = |line: &str| {
        let (own, place) = line.split_once(" -> ")?;
        let own = own.trim().strip_suffix("/tcp")?.parse().ok()?;
        let (host, port) = place.trim().rsplit_once(':')?;
        let host: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
        Some((own, SocketAddr::new(host, port.parse().ok()?)))
    };
    text.lines().filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports() {
        let text = "25/tcp -> 0.0.0.0:2525\n25/tcp -> [::]:2525\n25/tcp -> :::2526\n53/udp -> 0.0.0.0:53\nnone\n";
        let found: Vec<String> = ports(text).iter().map(|(own, place)| format!("{own} {place}")).collect();
        assert_eq!(found, ["25 0.0.0.0:2525", "25 [::]:2525", "25 [::]:2526"]);
    }

    #[test]
    fn an_engine_that_is_not_there_says_nothing() {
        let engine = Engine { words: vec!["/no/such/engine".to_owned()], mark: "7-a.1".to_owned() };
        assert_eq!((engine.containers(), engine.whereabouts()), (None, Whereabouts::NotYet));
        engine.clear(true);
        assert!(!is_marked(std::process::id() as i32, "7-a.1").unwrap());
    }
}
