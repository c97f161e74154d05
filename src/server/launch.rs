//! Starting the target: as the shell would, but owned by the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use nix::sys::resource::{Resource, setrlimit};

use super::TargetError;
use super::settings::Settings;
use super::watchdog::Watchdog;

/// The variable that marks every process of a run.
pub const MARK: &str = "PROFILE_RUN_ID";

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
    pub log: PathBuf,
    /// The mark of the run.
    pub id: &'a str,
    /// The descriptor limits, soft and hard, that it would have had from the shell.
    pub descriptors: (u64, u64),
}

/// A running target. Dropping it kills the whole tree.
#[derive(Debug)]
pub struct Target {
    child: Child,
    /// Its output.
    pub log: PathBuf,
    /// When it was started.
    pub started: Instant,
    exit: Option<ExitStatus>,
    adopted: BTreeSet<i32>,
}

impl Launch<'_> {
    /// Starts the target. The calling thread must live as long as the run: the kernel ties the
    /// target's death signal to it.
    ///
    /// # Errors
    /// A file of the run's folder cannot be written, or the program cannot be started.
    pub fn start(self, watchdog: &mut Watchdog) -> Result<Target, TargetError> {
        for (path, content) in &self.settings.files {
            fs::write(path, content).map_err(|source| TargetError::File { path: path.clone(), source })?;
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|source| TargetError::File { path: self.log.clone(), source })?;
        let errors = log.try_clone().map_err(|source| TargetError::File { path: self.log.clone(), source })?;
        let environment: BTreeMap<_, _> = self.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let mut command = Command::new(self.program);
        command
            .arg0(&self.settings.argv[0])
            .args(&self.settings.argv[1..])
            .current_dir(self.cwd)
            .envs(environment)
            .envs(&self.settings.set)
            .env(MARK, self.id)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A group of its own: the terminal's Ctrl-C is for us, and we stop the target in order.
            .process_group(0);
        for name in &self.settings.remove {
            command.env_remove(name);
        }
        let (soft, hard) = self.descriptors;
        let parent = std::process::id();
        // SAFETY: between fork and exec only system calls are made: no allocation, no lock.
        unsafe {
            command.pre_exec(move || {
                setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
                // The parent may have died before the line above.
                if nix::unistd::getppid().as_raw() as u32 != parent {
                    return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
                }
                Ok(())
            });
        }
        let started = Instant::now();
        let child =
            command.spawn().map_err(|source| TargetError::Spawn { path: self.program.to_path_buf(), source })?;
        watchdog.follow(child.id() as i32);
        Ok(Target { child, log: self.log, started, exit: None, adopted: BTreeSet::new() })
    }
}

impl Target {
    /// Root of the tree.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// How the root ended, if it did; asked without waiting.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().ok().flatten();
        }
        self.exit
    }

    /// Processes of the tree that still live, parents before children. Orphans that ended are reaped.
    pub fn alive(&mut self) -> Vec<i32> {
        self.exited();
        super::tree::reap(&self.adopted);
        let members = super::tree::members(self.pid());
        let root = self.pid();
        self.adopted = members.iter().copied().filter(|pid| *pid != root).collect();
        members
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        super::stop::kill_tree(self);
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
