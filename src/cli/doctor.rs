//! `profile-run doctor`: what would spoil a run here, before it is started.

mod started;

use std::path::Path;

use super::config::Config;
use super::exit::Exit;
use super::hidden::hidden;
use super::main_job;
use super::stdout::outln;
use crate::conductor;
use crate::console::Style;
use crate::model::plan::Plan;
use crate::phrase::Redactor;
use crate::proc::{Cgroup, Load, Meminfo, Process, fd_count_is_fast};
use crate::server::php;

/// Arguments of `profile-run doctor`: those of the run that is meant.
#[derive(Debug, clap::Args)]
// The run's own arguments are a group of this name already.
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    job: main_job::Args,
}

/// Descriptors that the recipe's churn wants on the side of the load.
const CHURN: u64 = 5_000;

/// Below this much memory a run of the whole recipe swaps.
const LITTLE_MEMORY: u64 = 256 << 20;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    /// A run would not start.
    Failed,
}

struct Check {
    state: State,
    what: String,
    advice: String,
}

impl Check {
    fn ok(what: impl Into<String>) -> Self {
        Self { state: State::Ok, what: what.into(), advice: String::new() }
    }

    fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warning, what: what.into(), advice: advice.into() }
    }

    fn failed(what: impl Into<String>) -> Self {
        Self { state: State::Failed, what: what.into(), advice: String::new() }
    }
}

/// Runs `profile-run doctor`.
///
/// # Errors
/// What was typed cannot be meant.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let mut checks = machine();
    if args.job.command.is_empty() && args.job.attach.is_none() {
        checks.push(Check::warning(
            "no command was given",
            "Give the server's command after -- to have it looked at too.",
        ));
    } else {
        checks.extend(command(&args.job)?);
    }
    let style = Style::of(false);
    for Check { state, what, advice } in &checks {
        let word = match state {
            State::Ok => style.good("ok     "),
            State::Warning => style.warning("warning"),
            State::Failed => style.failed("failed "),
        };
        outln!("  {word}  {what}");
        if !advice.is_empty() {
            outln!("           {}", style.dim(advice));
        }
    }
    Ok(if checks.iter().any(|check| check.state == State::Failed) { Exit::CouldNotRun } else { Exit::Held })
}

/// What the machine is like.
fn machine() -> Vec<Check> {
    let mut checks = Vec::new();
    if let Ok(limits) = Process::open(std::process::id() as i32).and_then(|me| me.limits()) {
        let (soft, hard) = (limits.nofile.soft.unwrap_or(u64::MAX), limits.nofile.hard.unwrap_or(u64::MAX));
        let text = format!("descriptor limit {} (hard {})", number(soft), number(hard));
        checks.push(if hard < CHURN + 100 {
            Check::warning(
                text,
                "churn opens up to 5,000 connections: the load is kept below the limit. Raise the hard limit as root (ulimit -Hn 8192).",
            )
        } else {
            Check::ok(text)
        });
    }
    checks.push(if fd_count_is_fast() {
        Check::ok("descriptors are counted by one stat of /proc/PID/fd")
    } else {
        Check::warning(
            "this kernel is older than 6.2",
            "Descriptors are counted by listing them, which costs more with many open.",
        )
    });
    if let Ok(load) = Load::read() {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let text = format!("load average {:.2} on {cpus} processors", load.averages[0]);
        checks.push(if load.averages[0] > cpus {
            Check::warning(
                text,
                "Latency and throughput are other programs' too; leak verdicts take longer. Run on a calmer machine.",
            )
        } else {
            Check::ok(text)
        });
    }
    if let Ok(memory) = Meminfo::read() {
        // What a container may use counts, not what the machine has.
        let group = Process::open(std::process::id() as i32).and_then(|me| Cgroup::of(&me)).ok().flatten();
        let allowed = group.and_then(|group| Some(group.max?.saturating_sub(group.current)));
        let available = memory.available.min(allowed.unwrap_or(u64::MAX));
        let text = format!("{} of memory available", crate::phrase::bytes(available as f64));
        checks.push(if available < LITTLE_MEMORY {
            Check::warning(text, "Resident memory is not to be trusted where the machine swaps.")
        } else {
            Check::ok(text)
        });
    }
    checks.extend(rights());
    checks.extend(leftovers());
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    checks.push(match scope.trim() {
        "2" | "3" => Check::warning(
            format!("kernel.yama.ptrace_scope is {}", scope.trim()),
            "PHP's heap cannot be read, so that a leak is found by resident memory alone: more messages are needed and nothing is named.",
        ),
        _ => Check::ok("the memory of a process that this program starts may be read"),
    });
    checks
}

/// What the command is like; nothing is said that a run would hide.
fn command(job: &main_job::Args) -> anyhow::Result<Vec<Check>> {
    let config = Config::load(job.config.as_deref())?;
    let plan = main_job::plan(job, &config)?;
    let redactor = Redactor::new(&hidden(job.no_redact), Some(&plan));
    let checks = understood(job, plan, &config)?.into_iter();
    Ok(checks
        .map(|check| Check { what: redactor.text(&check.what), advice: redactor.text(&check.advice), ..check })
        .collect())
}

fn understood(job: &main_job::Args, plan: Plan, config: &Config) -> anyhow::Result<Vec<Check>> {
    let (invocation, cwd) = match conductor::understand(&plan) {
        Ok(understood) => understood,
        Err(error) => return Ok(vec![Check::failed(error.to_string())]),
    };
    let mut checks = vec![Check::ok(format!("{} is there", invocation.program.display()))];
    // A php that is only guessed is asked when it runs.
    let named = invocation.php.as_deref().filter(|_| invocation.names_php);
    let facts =
        named.and_then(|binary| php::ask(binary, invocation.php_options(), &cwd, &plan.env.iter().cloned().collect()));
    match (named, &facts) {
        (None, _) => {}
        (Some(binary), None) => checks.push(Check::warning(
            format!("{} does not answer", binary.display()),
            "Nothing is known of its version, of Xdebug and of its limits.",
        )),
        (Some(binary), Some(facts)) => {
            checks.push(Check::ok(format!("PHP {} ({})", facts.version, binary.display())));
            if let Some(version) = &facts.xdebug {
                checks.push(Check::ok(format!("Xdebug {version}: the profile pass can run")));
            }
        }
    }
    let warnings = conductor::warnings(&plan, &invocation, facts.as_ref(), &cwd);
    checks.extend(warnings.into_iter().map(|warning| Check::warning(warning.text, warning.advice)));
    checks.extend(script(&invocation, &cwd));
    checks.extend(plan.target.as_deref().map(port));
    let out = job.out.as_deref().unwrap_or(Path::new(super::run::RUNS));
    checks.push(room(out));
    checks.push(writable(out));
    checks.extend(job.out.as_deref().and_then(empty));
    // What would not start is not tried.
    if checks.iter().all(|check| check.state != State::Failed) {
        checks.extend(started::look(plan, config, (invocation, cwd))?);
    }
    Ok(checks)
}

fn no_xdebug() -> Check {
    Check::warning(
        "this PHP has no Xdebug: there will be no profile",
        "Debian: apt install php-xdebug; elsewhere: pecl install xdebug. The leak verdicts do not need it.",
    )
}

/// Descriptors and ports of a server that becomes another user are seen with this right alone.
fn rights() -> Option<Check> {
    const SYS_PTRACE: u32 = 19;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let all = u64::from_str_radix(effective.trim(), 16).ok()?;
    (nix::unistd::geteuid().is_root() && all & (1 << SYS_PTRACE) == 0).then(|| {
        Check::warning(
            "root without the right to look into other users' processes (CAP_SYS_PTRACE)",
            "Of a server that becomes another user neither heap nor descriptors can be read. In a container: --cap-add SYS_PTRACE.",
        )
    })
}

/// Servers of runs that were killed together with their watchdogs.
fn leftovers() -> Option<Check> {
    let strays = crate::server::tree::strays();
    let pids: Vec<String> = strays.iter().map(|(pid, _)| pid.to_string()).collect();
    (!pids.is_empty()).then(|| {
        Check::warning(
            format!("a run that was killed has left processes behind: {}", pids.join(" ")),
            "They may hold its port. End them: kill PID...",
        )
    })
}

/// The script that php is to run.
fn script(invocation: &crate::server::command::Invocation, cwd: &Path) -> Option<Check> {
    let at = invocation.php_at? + 1 + invocation.php_options().len();
    let name = invocation.argv.get(at).filter(|word| !word.starts_with('-'))?;
    Some(match cwd.join(name).is_file() {
        true => Check::ok(format!("{name} is there")),
        false => Check::failed(format!(
            "there is no {name} in {}: start in the server's folder, or give --cwd",
            cwd.display()
        )),
    })
}

/// Whether `--target` is free for the server.
fn port(target: &str) -> Check {
    use std::net::{TcpStream, ToSocketAddrs};
    let addresses = match target.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return Check::failed(format!("--target {target}: {error}; give HOST:PORT")),
    };
    let wait = std::time::Duration::from_secs(1);
    match addresses.into_iter().find(|address| TcpStream::connect_timeout(address, wait).is_ok()) {
        Some(address) => {
            Check::failed(format!("{address} answers already: stop what runs there, or choose another port"))
        }
        None => Check::ok(format!("{target} is free")),
    }
}

/// Less room than this is soon used up by a profile, bytes.
const LITTLE_ROOM: u64 = 2 << 30;

/// Whether a run's files have room.
fn room(path: &Path) -> Check {
    let there = path.ancestors().find(|path| path.exists()).filter(|path| !path.as_os_str().is_empty());
    let there = there.unwrap_or(Path::new("."));
    let Ok(stat) = nix::sys::statvfs::statvfs(there) else {
        return Check::warning(format!("the free room at {} is not known", there.display()), "");
    };
    let free = stat.blocks_available() * stat.fragment_size();
    let text = format!("{} of disk free at {}", crate::phrase::bytes(free as f64), there.display());
    match free < LITTLE_ROOM {
        true => {
            Check::warning(text, "A profile of a long run takes gigabytes; the verdict is kept where it does not fit.")
        }
        false => Check::ok(text),
    }
}

/// Whether the run's folder could be made; asked without making it.
fn writable(path: &Path) -> Check {
    let there = path.ancestors().find(|path| path.exists()).filter(|path| !path.as_os_str().is_empty());
    let there = there.unwrap_or(Path::new("."));
    match nix::unistd::access(there, nix::unistd::AccessFlags::W_OK) {
        Ok(()) => Check::ok(format!("{} can be written", there.display())),
        Err(error) => {
            Check::failed(format!("{} cannot be written: {error}; give --out another folder", there.display()))
        }
    }
}

/// A run makes its folder, or takes one in which nothing is.
fn empty(out: &Path) -> Option<Check> {
    let used = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) || out.is_file();
    used.then(|| Check::failed(format!("{} is not an empty folder: give --out another one", out.display())))
}

fn number(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { crate::phrase::grouped(limit) }
}
