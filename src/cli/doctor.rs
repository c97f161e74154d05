//! `profile-run doctor`: what would spoil a run here, before it is started.

use std::path::Path;

use super::config::Config;
use super::exit::Exit;
use super::main_job;
use super::stdout::outln;
use crate::conductor;
use crate::console::Style;
use crate::proc::{Load, Meminfo, Process, fd_count_is_fast};
use crate::server::php;

/// Arguments of `profile-run doctor`: those of the run that is meant.
#[derive(Debug, clap::Args)]
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
    if args.job.command.is_empty() {
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
                "churn opens up to 5,000 connections: the load is kept below the limit. Raise it: ulimit -n 8192",
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
        let text = format!("{} of memory available", crate::phrase::bytes(memory.available as f64));
        checks.push(if memory.available < LITTLE_MEMORY {
            Check::warning(text, "Resident memory is not to be trusted where the machine swaps.")
        } else {
            Check::ok(text)
        });
    }
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

/// What the command is like.
fn command(job: &main_job::Args) -> anyhow::Result<Vec<Check>> {
    let config = Config::load(job.config.as_deref())?;
    let plan = main_job::plan(job, &config)?;
    let (invocation, cwd) = match conductor::understand(&plan) {
        Ok(understood) => understood,
        Err(error) => return Ok(vec![Check::failed(error.to_string())]),
    };
    let mut checks = vec![Check::ok(format!("{} is there", invocation.program.display()))];
    let facts = invocation
        .php
        .as_deref()
        .and_then(|binary| php::ask(binary, invocation.php_options(), &cwd, &plan.env.iter().cloned().collect()));
    match (&invocation.php, &facts) {
        (None, _) => checks.push(Check::ok("the command does not name php: it is asked when the server runs")),
        (Some(binary), None) => checks.push(Check::warning(
            format!("{} does not answer", binary.display()),
            "Nothing is known of its version, of Xdebug and of its limits.",
        )),
        (Some(binary), Some(facts)) => {
            checks.push(Check::ok(format!("PHP {} ({})", facts.version, binary.display())));
            checks.push(match &facts.xdebug {
                Some(version) => Check::ok(format!("Xdebug {version}: the profile pass can run")),
                None => Check::warning(
                    "this PHP has no Xdebug: there will be no profile",
                    "Debian: apt install php-xdebug; elsewhere: pecl install xdebug. The leak verdicts do not need it.",
                ),
            });
        }
    }
    let warnings = conductor::warnings(&plan, &invocation, facts.as_ref(), &cwd);
    checks.extend(warnings.into_iter().map(|warning| Check::warning(warning.text, warning.advice)));
    checks.push(writable(job.out.as_deref().unwrap_or(Path::new("."))));
    Ok(checks)
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

fn number(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { crate::phrase::grouped(limit) }
}
