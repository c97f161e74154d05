//! Launch and ready: from a command to a server that greets.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run::Run;
use super::session::{Greeted, Session, sample};
use super::stop_reason::Halt;
use crate::journal::Event;
use crate::load::{Address, Endpoint, probe_banner};
use crate::model::plan::{Engine, Pass};
use crate::proc::{Process, Waiting, syscall_name};
use crate::sampler::Idle;
use crate::server::command::is_php;
use crate::server::listeners::{Listener, listening};
use crate::server::settings::{Surroundings, for_pass};
use crate::server::{Launch, Target, log, php, ready};

/// Between two looks for the listening socket.
const LOOK: Duration = Duration::from_millis(20);

/// A banner that is late does not hold up the look at the next port.
const BANNER: Duration = Duration::from_secs(2);

/// How long a server is watched at idle before its first load.
const IDLE: Duration = Duration::from_millis(600);

/// A `select` set ends here (FD_SETSIZE of glibc and musl).
const SELECT_LIMIT: u64 = 1024;

impl Run<'_> {
    /// Launches the target for a pass and waits until it greets.
    pub(super) fn launch(&mut self, pass: Pass) -> Result<Session, Halt> {
        self.interrupt.check()?;
        if let Some(address) = &self.plan.target {
            self.check_free(address)?;
        }
        self.run_hook("--before", self.plan.before.clone())?;
        let environment = self.environment();
        let prepended = self.php.as_ref().map(|php| php.auto_prepend_file.clone()).filter(|file| !file.is_empty());
        let settings = for_pass(
            pass,
            &self.invocation,
            &Surroundings {
                cwd: &self.cwd,
                folder: self.folder.root(),
                environment: &environment,
                configured_prepend: prepended.as_deref(),
            },
        );
        if let Some(folder) = &settings.profile_folder {
            // Xdebug makes no folders: it would write nothing, and say so nowhere.
            std::fs::create_dir_all(folder).map_err(|error| {
                Halt::early("environment", format!("{}: profiles cannot be written there: {error}", folder.display()))
            })?;
        }
        let profiles = settings.profile_folder.clone().map(|folder| {
            let before = super::profile_pass::list(&folder);
            (folder, before)
        });
        let target = Launch {
            settings: &settings,
            program: &self.invocation.program,
            cwd: &self.cwd,
            env: &self.plan.env,
            log: self.folder.target_log(pass.name()),
            id: &self.id,
            descriptors: self.descriptors,
        }
        .start(&mut self.watchdog)?;
        let mut versions = std::collections::BTreeMap::new();
        if let Some(php) = &self.php {
            versions.insert("php".to_owned(), php.version.clone());
            if let Some(xdebug) = &php.xdebug {
                versions.insert("xdebug".to_owned(), xdebug.clone());
            }
            if php.memory_limit > 0 {
                versions.insert("memory_limit".to_owned(), php.memory_limit.to_string());
            }
        }
        self.book.write(Event::Launch {
            pass,
            pid: target.pid(),
            command: settings.argv.clone(),
            environment: settings.set.clone(),
            versions,
            notes: settings.notes.clone(),
        })?;
        self.become_ready(target, pass, profiles)
    }

    fn become_ready(
        &mut self,
        mut target: Target,
        pass: Pass,
        profiles: Option<(std::path::PathBuf, Vec<std::path::PathBuf>)>,
    ) -> Result<Session, Halt> {
        let sampler = sample(target.pid(), self.book.clock(), &self.trace)
            .map_err(|error| Halt::early("environment", error.to_string()))?;
        let (greeted, banner, listeners) = match self.wait_for_banner(&mut target) {
            Ok(found) => found,
            Err(halt) => {
                // A server that never greeted is not asked twice.
                let stopped = crate::server::stop::stop(&mut target, Duration::from_secs(3));
                let last_words = log::tail(&target.log, super::measure_pass::LAST_WORDS);
                self.book.write(Event::TargetExit {
                    pass,
                    pid: target.pid(),
                    how: stopped.how,
                    asked: true,
                    last_words,
                })?;
                return Err(halt);
            }
        };
        let seconds = target.started.elapsed().as_secs_f64();
        let mut session = Session::new(target, pass, greeted, sampler, profiles);
        session.descriptor_limit = Process::open(session.server)
            .and_then(|process| process.limits())
            .ok()
            .and_then(|limits| limits.nofile.soft);
        if self.php.is_none() {
            self.ask_running_php(session.server);
        }
        let others = listeners
            .iter()
            .filter(|l| l.port != session.address.port())
            .map(|l| SocketAddr::new(l.address, l.port).to_string());
        self.book.write(Event::Ready {
            pass,
            address: session.address.to_string(),
            pid: session.server,
            seconds,
            banner,
            others: others.collect(),
            descriptor_limit: session.descriptor_limit,
        })?;
        self.watch_idle(&mut session)?;
        if waits_in_select(session.server) && self.plan.budget.is_some() {
            session.descriptor_limit = Some(session.descriptor_limit.map_or(SELECT_LIMIT, |own| own.min(SELECT_LIMIT)));
        }
        Ok(session)
    }

    /// Waits until a port of the tree answers with a banner.
    fn wait_for_banner(&mut self, target: &mut Target) -> Result<(Greeted, String, Vec<Listener>), Halt> {
        let deadline = Instant::now() + self.plan.ready_timeout;
        let wanted = self.plan.target.as_deref().map(|text| self.resolve(text)).transpose()?;
        let mut probes = 0;
        let mut refused: Vec<String> = Vec::new();
        loop {
            self.interrupt.check()?;
            let pids = target.alive();
            for pid in &pids {
                self.watchdog.follow(*pid);
            }
            if pids.is_empty() {
                return Err(self.exited_at_once(target));
            }
            let listeners = listening(&pids).unwrap_or_default();
            if let Some(shared) = listeners.iter().find(|l| l.shared_with_outside.is_some()) {
                let pid = shared.shared_with_outside.filter(|pid| *pid > 0);
                return Err(Halt::early(
                    "environment",
                    format!(
                        "port {} is also listened on by a process outside the target{}: it would take a part of the connections. \
                         Stop it, or let the server listen elsewhere",
                        shared.port,
                        pid.map_or(String::new(), |pid| format!(" (pid {pid})"))
                    ),
                ));
            }
            let candidates = match wanted {
                Some(address) => vec![address],
                None => ready::candidates(listeners.iter().map(|l| SocketAddr::new(l.address, l.port))),
            };
            for address in candidates {
                let Some(listener) = listeners.iter().find(|l| l.port == address.port()) else { continue };
                let server = listener.pid;
                if self.plan.engine == Engine::Command || self.plan.mail.tls {
                    // A port that does not speak SMTP at first: open is ready.
                    return Ok((Greeted { address, server, probes }, String::new(), listeners));
                }
                probes += 1;
                match probe_banner(address, BANNER) {
                    Ok(banner) => return Ok((Greeted { address, server, probes }, banner, listeners)),
                    Err(error) => {
                        let text = format!("{address}: {error}");
                        if !refused.contains(&text) {
                            refused.push(text);
                        }
                    }
                }
            }
            if Instant::now() >= deadline {
                return Err(self.never_ready(target, &listeners, &refused));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn exited_at_once(&self, target: &mut Target) -> Halt {
        let how = target.exited().map(crate::server::describe).unwrap_or_else(|| "ended".to_owned());
        Halt::early("exited", format!("the server ended before it greeted ({how}){}", last_lines(target)))
    }

    fn never_ready(&self, target: &Target, listeners: &[Listener], refused: &[String]) -> Halt {
        let within = crate::phrase::duration(self.plan.ready_timeout);
        let what = if listeners.is_empty() {
            "no process of it listens on a TCP port".to_owned()
        } else if refused.is_empty() {
            let ports: Vec<String> = listeners.iter().map(|l| l.port.to_string()).collect();
            format!("it listens on {} but nothing answers at --target", ports.join(", "))
        } else {
            format!("no SMTP banner came: {}", refused.join("; "))
        };
        Halt::early(
            "never_ready",
            format!(
                "the server was not ready within {within}: {what}. Give it longer with --ready-timeout, or name the port with --target{}",
                last_lines(target)
            ),
        )
    }

    /// Something that answers at `--target` already is not the target.
    fn check_free(&self, text: &str) -> Result<(), Halt> {
        let address = self.resolve(text)?;
        let answers = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
        if !answers {
            return Ok(());
        }
        Err(Halt::early(
            "environment",
            crate::server::TargetError::PortInUse { address: address.to_string(), owner: owner(address.port()) }
                .to_string(),
        ))
    }

    fn resolve(&self, text: &str) -> Result<SocketAddr, Halt> {
        let resolved = Address::parse(text).and_then(|address| address.resolve(None, self.plan.allow_remote));
        match resolved.map(|resolved| resolved.endpoint) {
            Ok(Endpoint::Tcp(address)) => Ok(address),
            Ok(Endpoint::Unix(_)) => Err(Halt::early(
                "environment",
                format!("--target {text}: the server is found by its TCP port; give HOST:PORT"),
            )),
            Err(error) => Err(Halt::early("environment", format!("--target: {error}"))),
        }
    }

    /// Runs `--before` or `--after`.
    pub(super) fn run_hook(&mut self, option: &str, command: Option<String>) -> Result<(), Halt> {
        let Some(text) = command else { return Ok(()) };
        let log = self.folder.root().join("hooks.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", &text])
            .current_dir(&self.cwd)
            .envs(self.environment_added())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if let Err(halt) = self.interrupt.check() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(halt);
            }
            std::thread::sleep(LOOK);
        };
        if status.success() {
            return Ok(());
        }
        let tail = log::tail(&log, 5).join("\n  ");
        Err(Halt::early(
            "environment",
            format!("{option} `{text}` failed ({}):\n  {tail}", crate::server::describe(status)),
        ))
    }

    /// What a server is like when nobody asks anything of it.
    fn watch_idle(&mut self, session: &mut Session) -> Result<(), Halt> {
        session.sampler.count_sockets_every(Duration::from_millis(200));
        let end = Instant::now() + IDLE;
        let mut moments = Vec::new();
        while Instant::now() < end {
            self.interrupt.check()?;
            std::thread::sleep(Duration::from_millis(50));
            moments.push(session.moment());
        }
        // The first half may still hold the end of its own start.
        let calm = moments.split_off(moments.len() / 2);
        session.idle = Idle::of(&calm);
        session.sampler.count_sockets_every(Duration::from_secs(1));
        Ok(())
    }

    /// A command that hides its php (a script that starts one): the running one is asked.
    fn ask_running_php(&mut self, pid: i32) {
        let Ok(binary) = Process::open(pid).and_then(|process| process.exe()) else { return };
        if is_php(&binary.to_string_lossy()) {
            self.php = php::ask(&binary, &[], &self.cwd, &self.environment_added());
        }
    }
}

fn last_lines(target: &Target) -> String {
    let lines = log::tail(&target.log, 8);
    if lines.is_empty() {
        "; it printed nothing".to_owned()
    } else {
        format!("; its last output:\n  {}", lines.join("\n  "))
    }
}

/// Whether a server that idles waits in `select`, which cannot watch descriptors from 1,024 on.
fn waits_in_select(pid: i32) -> bool {
    let Ok(process) = Process::open(pid) else { return false };
    (0..20).any(|_| match process.waiting() {
        Ok(Some(Waiting::InSyscall { number, .. })) => {
            matches!(syscall_name(number), Some("select" | "pselect6" | "_newselect"))
        }
        _ => {
            std::thread::sleep(Duration::from_millis(5));
            false
        }
    })
}

/// Who listens on a port of this machine, as far as it can be seen.
fn owner(port: u16) -> Option<String> {
    let pids: Vec<i32> = crate::proc::Tree::scan().ok()?.pids().collect();
    // Processes of others cannot be looked into; each is asked alone, so that one refusal hides nobody.
    pids.into_iter().find_map(|pid| {
        let listens = listening(&[pid]).ok()?.iter().any(|l| l.port == port);
        let name = listens.then(|| Process::open(pid).and_then(|p| p.comm()).unwrap_or_default())?;
        Some(format!("pid {pid}, {name}"))
    })
}
