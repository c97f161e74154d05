//! A run in a folder of its own, and what is left of it afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/server.php");

/// All of it is asked for.
pub fn long() -> bool {
    std::env::var_os("PROFILE_RUN_FAULTS").is_some()
}

/// What was tried and what was survived.
pub struct Count {
    of: &'static str,
    tried: u32,
    failed: Vec<String>,
}

impl Count {
    pub fn new(of: &'static str) -> Self {
        Self { of, tried: 0, failed: Vec::new() }
    }

    pub fn take(&mut self, what: &str, outcome: Result<(), String>) {
        self.tried += 1;
        if let Err(why) = outcome {
            eprintln!("NOT SURVIVED {}: {what}: {why}", self.of);
            self.failed.push(format!("{what}: {why}"));
        }
    }

    #[track_caller]
    pub fn end(self) {
        println!("{}: {} tried, {} survived", self.of, self.tried, self.tried as usize - self.failed.len());
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n"));
    }
}

/// A port of its own for each server, below those that the kernel gives out.
pub fn port() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    (12_000 + (std::process::id() % 250) as u16 * 32 + NEXT.fetch_add(1, Ordering::Relaxed) % 32).to_string()
}

pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A server that drops its user works here too.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn out(&self) -> PathBuf {
        self.path().join("run")
    }

    pub fn command(&self, options: &[&str], server: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("--out").arg(self.out()).args(options).arg("--").args(server);
        command.current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, options: &[&str], server: &[String]) -> Output {
        self.command(options, server).output().unwrap()
    }

    pub fn start(&self, options: &[&str], server: &[String]) -> Child {
        let log = fs::File::create(self.path().join("console")).unwrap();
        self.command(options, server).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    pub fn console(&self) -> String {
        fs::read_to_string(self.path().join("console")).unwrap_or_default()
    }

    pub fn journal(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.out().join("journal.jsonl")).unwrap_or_default()).into_owned()
    }

    pub fn result(&self) -> serde_json::Value {
        fs::read(self.out().join("result.json")).map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default()
    }

    /// Waits until the journal has an event, or the run has ended.
    pub fn wait_for(&self, event: &str, run: &mut Child) -> Result<(), String> {
        let wanted = format!("\"event\":\"{event}\"");
        let end = Instant::now() + Duration::from_secs(90);
        while !self.journal().contains(&wanted) {
            if let Some(status) = run.try_wait().unwrap() {
                return Err(format!("it ended ({status}) before `{event}`: {}", self.console()));
            }
            if Instant::now() > end {
                return Err(format!("no `{event}` came: {}", self.console()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Processes that work in this folder.
    pub fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.path())) {
                found.push(pid);
            }
        }
        found
    }

    /// Nothing works here any more.
    pub fn is_left_empty(&self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                let name = |pid: &i32| {
                    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                    format!("{pid} ({})", String::from_utf8_lossy(&line).replace('\0', " "))
                };
                let names: Vec<String> = left.iter().map(name).collect();
                for pid in left {
                    send(pid, Signal::SIGKILL);
                }
                return Err(format!("left running: {}", names.join(", ")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn send(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// The run's watchdog.
pub fn watchdog(run: &Child) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.id())).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"profile-run-watchdog"))
    })
}

/// Waits for the end of a run.
pub fn end_of(run: &mut Child, within: Duration) -> Result<std::process::ExitStatus, String> {
    let end = Instant::now() + within;
    loop {
        if let Some(status) = run.try_wait().unwrap() {
            return Ok(status);
        }
        if Instant::now() > end {
            let _ = run.kill();
            let _ = run.wait();
            return Err(format!("it had not ended within {within:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Busy loops, so that what is tried happens on a machine that has other things to do.
pub struct Busy(Vec<Child>);

impl Busy {
    pub fn new(count: usize) -> Self {
        let busy = || {
            Command::new("sh")
                .args(["-c", &format!("while kill -0 {}; do :; done", std::process::id())])
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        };
        Self((0..count).map(|_| busy()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
