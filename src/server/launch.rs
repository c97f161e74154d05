//! Starting the target: as the shell would, but owned by the run.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use super::container::Engine;
use super::private::Private;
use super::settings::Settings;
use super::tree::Family;
use super::watchdog::{Start, Watchdog};
use super::{TargetError, attach};

/// The variable that marks every process of a run.
pub const MARK: &str = "PROFILE_RUN_ID";

/// A wait status that is neither an exit nor a signal.
const UNKNOWN: i32 = 0xffff;

/// The mark of the run `id`, as a variable.
pub fn mark(id: &str) -> (OsString, OsString) {
    (MARK.into(), id.into())
}

/// What is launched, and how.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Command and environment of the pass.
    pub settings: &'a Settings,
    /// The program's file.
    pub program: &'a Path,
    /// Its working directory.
    pub cwd: &'a Path,
    /// Variables of the plan.
    pub env: &'a [(String, String)],
    /// Its output goes here.
    pub log: File,
    /// Where the files of the settings lie.
    pub private: &'a Private,
    /// The mark of the run.
    pub id: &'a str,
    /// The descriptor limits, soft and hard, that it would have had from the shell.
    pub descriptors: (u64, u64),
    /// The engine whose client the command is, where it runs in a container.
    pub engine: Option<Engine>,
}

/// A running target. Dropping it kills the whole tree.
#[derive(Debug)]
pub struct Target {
    pid: i32,
    watchdog: Watchdog,
    family: Family,
    /// The client of its container.
    client: Option<Client>,
    /// It ran before and goes on afterwards.
    attached: bool,
    /// Its output.
    pub log: File,
    /// When it was started.
    pub started: Instant,
}

/// The end of a container on our side.
#[derive(Debug)]
struct Client {
    /// What descends from the watchdog for it.
    family: Family,
    engine: Engine,
    /// The container was seen to be gone.
    cleared: AtomicBool,
}

/// The mark of the next container that the run `id` launches.
pub fn container_mark(id: &str) -> String {
    static LAUNCHES: AtomicU32 = AtomicU32::new(0);
    format!("{id}.{}", LAUNCHES.fetch_add(1, Ordering::Relaxed) + 1)
}

impl Launch<'_> {
    /// Starts the target, as a child of the watchdog. What the watchdog has below it already (what a hook
    /// left behind) is none of its tree.
    ///
    /// # Errors
    /// A file of the run's folder cannot be written, or the program cannot be started.
    pub fn start(self, watchdog: &Watchdog) -> Result<Target, TargetError> {
        for (path, content) in &self.settings.files {
            self.private.put(path, content).map_err(|source| TargetError::File { path: path.clone(), source })?;
        }
        let spawn_failed = |source| TargetError::Spawn { path: self.program.to_path_buf(), source };
        let output = self.log.try_clone().map_err(spawn_failed)?;
        let planned = self.env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let ours = self.settings.set.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let family = Family::before_launch(watchdog);
        if let Some(engine) = &self.engine {
            watchdog.clear_at_end(engine);
        }
        let started = Instant::now();
        let pid = watchdog
            .spawn(Start {
                file: self.program,
                argv: &self.settings.argv,
                cwd: self.cwd,
                set: planned.chain(ours).chain([mark(self.id)]).collect(),
                remove: &self.settings.remove,
                output: output.into(),
                descriptors: self.descriptors,
            })
            .map_err(spawn_failed)?;
        let family = family.with_root(pid);
        let (family, client) = match self.engine {
            None => (family, None),
            Some(engine) => {
                let cleared = AtomicBool::new(false);
                (Family::of_container(&engine.mark, pid), Some(Client { family, engine, cleared }))
            }
        };
        Ok(Target { pid, watchdog: watchdog.clone(), family, client, attached: false, log: self.log, started })
    }
}

impl Target {
    /// A server that runs already.
    ///
    /// # Errors
    /// `/dev/null` is not there.
    pub fn attach(pid: i32, watchdog: &Watchdog) -> Result<Self, TargetError> {
        let (family, log) = (Family::of_running(pid), attach::no_output()?);
        Ok(Self { pid, watchdog: watchdog.clone(), family, client: None, attached: true, log, started: Instant::now() })
    }

    /// It is somebody else's, who stops it.
    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// Root of the tree.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its tree, to be looked at from elsewhere.
    pub fn family(&self) -> Family {
        self.family.clone()
    }

    /// The users that its processes run as at this moment.
    pub fn users(&self) -> BTreeSet<u32> {
        self.family.members().into_iter().filter_map(crate::proc::user_of).collect()
    }

    /// How the root ended, if it did; asked without waiting.
    pub fn exited(&self) -> Option<ExitStatus> {
        if self.attached {
            // How another's child ended is told to its parent alone.
            return self.alive().is_empty().then(|| ExitStatus::from_raw(UNKNOWN));
        }
        let status = self.watchdog.ended(self.pid);
        if self.client.is_some() { status.map(of_container) } else { status }
    }

    /// The engine that has it in a container.
    pub fn engine(&self) -> Option<&Engine> {
        self.client.as_ref().map(|client| &client.engine)
    }

    /// Its container's client runs, and nothing of the server was seen yet.
    pub fn is_awaited(&self) -> bool {
        self.family.is_awaited() && self.exited().is_none()
    }

    /// Processes of the tree that still live, the root first, then parents before children. None only
    /// where that is certain.
    pub fn alive(&self) -> Vec<i32> {
        self.family.members_for_sure(&self.watchdog)
    }

    /// The same with what else lives of the launch: a container's client, and what that has started.
    pub fn left(&self) -> Vec<i32> {
        let mut left = self.alive();
        if let Some(client) = &self.client {
            let client = client.family.members_for_sure(&self.watchdog);
            left.extend(client.into_iter().filter(|pid| !self.family.has(*pid)));
        }
        left
    }

    /// Has its container removed, if it is not. Where the client was `asked` to end before a container was seen, the engine
    /// may still be about to make it, however the client ended.
    pub(super) fn clear(&self, asked: bool) {
        let Some(client) = self.client.as_ref().filter(|client| !client.cleared.load(Ordering::Relaxed)) else {
            return;
        };
        client.engine.clear(asked && self.family.is_awaited());
        client.cleared.store(true, Ordering::Relaxed);
        self.watchdog.cleared(&client.engine);
    }
}

/// How a container's first process ended, by how its client did: beyond 128 stands the signal that ended it.
fn of_container(status: ExitStatus) -> ExitStatus {
    match status.code() {
        Some(code @ 129..=192) => ExitStatus::from_raw(code - 128),
        _ => status,
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.attached {
            super::stop::kill_tree(self);
            self.clear(true);
        }
    }
}

/// How a process ended, in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or("unknown signal", |s| s.as_str());
            format!("signal {signal} ({name}{})", if status.core_dumped() { ", core dumped" } else { "" })
        }
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_end_is_no_exit_code() {
        assert_eq!(describe(ExitStatus::from_raw(UNKNOWN)), "ended");
        assert_eq!(describe(ExitStatus::from_raw(1 << 8)), "exit code 1");
    }
}
