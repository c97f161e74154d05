//! From a process that was launched to a server that greets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::context::Context;
use super::session::Greeted;
use super::stop_reason::Halt;
use crate::load::{Address, Endpoint, probe_banner};
use crate::model::plan::Engine;
use crate::server::listeners::{Listener, listening};
use crate::server::{Target, log, ready};

/// Between two looks for the listening socket.
const LOOK: Duration = Duration::from_millis(20);

/// A banner that is late does not hold up the look at the next port.
const BANNER: Duration = Duration::from_secs(2);

/// Waits until a port of the tree answers with a banner.
pub(super) fn wait_for_banner(
    run: &mut Context<'_>,
    target: &mut Target,
) -> Result<(Greeted, String, Vec<Listener>), Halt> {
    let deadline = Instant::now() + run.plan.ready_timeout;
    let wanted = run.plan.target.as_deref().map(|text| resolve(run, text)).transpose()?;
    let mut probes = 0;
    let mut refused: Vec<String> = Vec::new();
    loop {
        run.interrupt.check()?;
        let pids = target.alive();
        for pid in &pids {
            run.watchdog.follow(*pid);
        }
        if pids.is_empty() {
            return Err(exited_at_once(target));
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
            if run.plan.engine == Engine::Command || run.plan.mail.tls {
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
            return Err(never_ready(run, target, &listeners, &refused));
        }
        std::thread::sleep(LOOK);
    }
}

fn exited_at_once(target: &mut Target) -> Halt {
    let how = target.exited().map(crate::server::describe).unwrap_or_else(|| "ended".to_owned());
    Halt::early("exited", format!("the server ended before it greeted ({how}){}", last_lines(target)))
}

fn never_ready(run: &Context<'_>, target: &Target, listeners: &[Listener], refused: &[String]) -> Halt {
    let within = crate::phrase::duration(run.plan.ready_timeout);
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

pub(super) fn resolve(run: &Context<'_>, text: &str) -> Result<SocketAddr, Halt> {
    let resolved = Address::parse(text).and_then(|address| address.resolve(None, run.plan.allow_remote));
    match resolved.map(|resolved| resolved.endpoint) {
        Ok(Endpoint::Tcp(address)) => Ok(address),
        Ok(Endpoint::Unix(_)) => Err(Halt::early(
            "environment",
            format!("--target {text}: the server is found by its TCP port; give HOST:PORT"),
        )),
        Err(error) => Err(Halt::early("environment", format!("--target: {error}"))),
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
