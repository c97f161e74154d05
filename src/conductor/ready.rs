//! From a process that was launched to a server that greets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::context::Context;
use super::session::{Greeted, Session};
use super::stop_reason::Halt;
use crate::load::{Address, Endpoint, probe_banner};
use crate::model::EarlyEnd;
use crate::model::plan::{Engine, Pass};
use crate::phrase;
use crate::server::container::{Place, Reach, Whereabouts};
use crate::server::listeners::{Listener, listening};
use crate::server::{Target, TargetError, log};

/// Between two looks for the listening socket.
const LOOK: Duration = Duration::from_millis(20);

/// How long a port that greeted waits for a lower one that has not yet.
const LOWER: Duration = Duration::from_secs(2);

/// When a container's engine is asked where its processes are, and how often.
const ASKED_FIRST: Duration = Duration::from_secs(2);
const ASKED_AGAIN: Duration = Duration::from_secs(2);

/// A probe at the very end waits so long all the same.
const SHORTEST_PROBE: Duration = Duration::from_millis(200);

/// What waits at the ports of a server that starts: a probe a port, open until its banner comes or the time is over.
struct Probes {
    /// Until when they wait.
    until: Instant,
    /// Ports that are probed now.
    waiting: BTreeSet<SocketAddr>,
    tell: UnboundedSender<(SocketAddr, std::io::Result<String>)>,
    told: UnboundedReceiver<(SocketAddr, std::io::Result<String>)>,
    /// How many were made.
    made: u64,
    /// What came instead of a banner, each once.
    refused: Vec<String>,
    /// Banners that came while a lower port still waits, lowest port first, and until when it may.
    greeted: BTreeMap<(u16, SocketAddr), String>,
    lower_until: Option<Instant>,
}

impl Probes {
    fn until(until: Instant) -> Self {
        let (tell, told) = unbounded_channel();
        Self {
            until,
            waiting: BTreeSet::new(),
            tell,
            told,
            made: 0,
            refused: Vec::new(),
            greeted: BTreeMap::new(),
            lower_until: None,
        }
    }

    /// Opens a probe, where none waits there.
    fn open(&mut self, address: SocketAddr) -> std::io::Result<()> {
        if self.greeted.contains_key(&(address.port(), address)) || !self.waiting.insert(address) {
            return Ok(());
        }
        self.made += 1;
        let (tell, left) = (self.tell.clone(), self.until.saturating_duration_since(Instant::now()));
        std::thread::Builder::new().name("probe".to_owned()).spawn(move || {
            // Nobody listens where another port was taken meanwhile.
            let _ = tell.send((address, probe_banner(address, left.max(SHORTEST_PROBE))));
        })?;
        Ok(())
    }

    /// Takes what came of a probe.
    fn take(&mut self, address: SocketAddr, came: std::io::Result<String>) {
        self.waiting.remove(&address);
        match came {
            Ok(banner) => {
                self.greeted.insert((address.port(), address), banner);
                self.lower_until.get_or_insert(Instant::now() + LOWER);
            }
            Err(error) => {
                let text = format!("{address}: {error}");
                if !self.refused.contains(&text) {
                    self.refused.push(text);
                }
            }
        }
    }

    /// The lowest port that greeted, once no lower one may still do so.
    fn ready(&self) -> Option<(SocketAddr, &str)> {
        let ((port, address), banner) = self.greeted.first_key_value()?;
        let lower = self.waiting.iter().any(|waiting| waiting.port() < *port);
        let in_time = self.lower_until.is_some_and(|until| Instant::now() < until);
        (!lower || !in_time).then_some((*address, banner.as_str()))
    }
}

/// Waits until a port of the tree answers with a banner.
pub(super) async fn wait_for_banner(
    run: &mut Context<'_>,
    target: &mut Target,
    pass: Pass,
) -> Result<(Greeted, String, Vec<String>), Halt> {
    let deadline = Instant::now() + patience(run, pass);
    let wanted = run.plan.target.as_deref().map(|text| resolve(run, text)).transpose()?;
    let mut probes = Probes::until(deadline);
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reach = Reach::new(target.engine().cloned());
    let mut sought = Sought::begin();
    loop {
        tokio::select! {
            biased;
            signal = run.interrupt.signal() => return Err(Halt::Interrupted(signal)),
            Some((address, came)) = probes.told.recv() => probes.take(address, came),
            _ = looks.tick() => {}
        }
        let pids = target.alive();
        if pids.is_empty() && !target.is_awaited() {
            return Err(exited_at_once(target));
        }
        if pids.is_empty() {
            sought.look(run, target)?;
        }
        let listeners = listening(&pids).unwrap_or_default();
        shared_with_outside(&listeners)?;
        let places = match wanted {
            Some(address) => reach.named(address, &listeners).into_iter().collect(),
            None => reach.places(&listeners),
        };
        let others = |place: &Place| {
            let others = listeners.iter().filter(|listener| listener.port != place.port);
            others.map(|listener| SocketAddr::new(listener.address, listener.port).to_string()).collect()
        };
        for place in &places {
            if run.plan.engine == Engine::Command || run.plan.mail.tls {
                // A port that does not speak SMTP at first: open is ready.
                return Ok((Greeted { place: *place, probes: probes.made }, String::new(), others(place)));
            }
            probes.open(place.address)?;
        }
        if let Some((address, banner)) = probes.ready()
            && let Some(place) = places.iter().find(|place| place.address == address)
        {
            return Ok((Greeted { place: *place, probes: probes.made }, banner.to_owned(), others(place)));
        }
        if Instant::now() >= deadline {
            return Err(never_ready(target, wanted, (&listeners, &places), &probes));
        }
    }
}

/// A container whose processes are not found: what its engine says of it, now and then.
struct Sought {
    next: Instant,
}

impl Sought {
    fn begin() -> Self {
        Self { next: Instant::now() + ASKED_FIRST }
    }

    fn look(&mut self, run: &Context<'_>, target: &Target) -> Result<(), Halt> {
        let Some((engine, client)) = target.engine().zip(run.invocation.client.as_ref()) else { return Ok(()) };
        if Instant::now() < self.next {
            return Ok(());
        }
        let found = engine.whereabouts();
        self.next = Instant::now() + ASKED_AGAIN;
        match found {
            Whereabouts::NotYet => Ok(()),
            Whereabouts::Here(pid) => {
                target.family().adopt(pid);
                Ok(())
            }
            Whereabouts::Denied(pid) => Err(Halt::early(
                EarlyEnd::Environment,
                format!(
                    "the container's process {pid} may not be looked at by this user. Run profile-run as root, or inside the \
                     container:\n  {}",
                    client.inside()
                ),
            )),
            Whereabouts::Elsewhere => {
                let (place, inside) = ("on another machine than this one".to_owned(), client.inside());
                Err(Halt::Target(TargetError::ContainerElsewhere { place, inside }))
            }
        }
    }
}

/// Where the server listens now, if that is no longer where it was: a port of its processes that sends a banner.
pub(super) fn moved_to(run: &Context<'_>, session: &Session) -> Option<Greeted> {
    if run.plan.target.is_some() {
        return None;
    }
    let listeners = listening(&session.pids()).ok()?;
    if listeners.iter().any(|l| l.port == session.port) {
        return None;
    }
    let mut probes = 0;
    Reach::new(session.target.engine().cloned()).places(&listeners).into_iter().find_map(|place| {
        probes += 1;
        let greets = run.plan.mail.tls || probe_banner(place.address, LOWER).is_ok();
        greets.then_some(Greeted { place, probes })
    })
}

/// Connections to such a port would be shared with somebody else.
fn shared_with_outside(listeners: &[Listener]) -> Result<(), Halt> {
    let Some(shared) = listeners.iter().find(|l| l.shared_with_outside.is_some()) else { return Ok(()) };
    let pid = shared.shared_with_outside.filter(|pid| *pid > 0);
    Err(Halt::early(
        EarlyEnd::Environment,
        format!(
            "port {} is also listened on by a process outside the target{}: it would take a part of the connections. \
             Stop it, or let the server listen elsewhere",
            shared.port,
            pid.map_or(String::new(), |pid| format!(" (pid {pid})"))
        ),
    ))
}

/// How long a server may take to greet: what was asked, and no longer than the run has time for.
fn patience(run: &Context<'_>, pass: Pass) -> Duration {
    let end = match pass {
        Pass::Count => run.count_until,
        Pass::Measure | Pass::Profile => run.plan.budget.map(|budget| budget.as_secs_f64()),
    };
    let left = end.map(|end| Duration::from_secs_f64((end - run.elapsed()).max(1.0)));
    left.map_or(run.plan.ready_timeout, |left| left.min(run.plan.ready_timeout))
}

fn exited_at_once(target: &mut Target) -> Halt {
    let how = target.exited().map(crate::server::describe).unwrap_or_else(|| "ended".to_owned());
    Halt::early(EarlyEnd::Exited, format!("the server ended before it greeted ({how}){}", last_lines(target)))
}

fn never_ready(
    target: &Target,
    wanted: Option<SocketAddr>,
    (listeners, places): (&[Listener], &[Place]),
    probes: &Probes,
) -> Halt {
    let within = phrase::duration(target.started.elapsed());
    let seen = listeners.iter().any(|l| wanted.is_none_or(|wanted| wanted.port() == l.port));
    if let Some(why) = unseen(target).filter(|_| !seen) {
        let what = wanted.map_or("no port of the server was found".to_owned(), |wanted| {
            format!("whether the server listens at --target {wanted} could not be seen")
        });
        return Halt::early(EarlyEnd::Environment, format!("{what} within {within}: {why}{}", last_lines(target)));
    }
    let what = if target.is_awaited() {
        "its container was not started by then (an image is fetched before a run)".to_owned()
    } else if places.is_empty() && wanted.is_none() && !listeners.is_empty() {
        format!(
            "it listens on {} in its container, where nothing leads from here: publish the port (-p 127.0.0.1::PORT; docker \
             compose run: --service-ports), or use the host's network (--network host)",
            ports(listeners)
        )
    } else if listeners.is_empty() {
        "no process of it listens on a TCP port".to_owned()
    } else if !probes.waiting.is_empty() {
        let waiting: Vec<String> = probes.waiting.iter().map(ToString::to_string).collect();
        format!("{} took the connection and did not greet", waiting.join(", "))
    } else if probes.refused.is_empty() {
        let ports = ports(listeners);
        let wanted = wanted.map_or(String::new(), |wanted| format!(", and not at --target {wanted}"));
        format!("it listens on {ports}{wanted}")
    } else {
        format!("no SMTP banner came: {}", probes.refused.join("; "))
    };
    Halt::early(
        EarlyEnd::NeverReady,
        format!(
            "the server was not ready within {within}: {what}. {}{}",
            way_out(wanted.is_some(), seen, listeners),
            last_lines(target)
        ),
    )
}

fn ports(listeners: &[Listener]) -> String {
    let ports: BTreeSet<String> = listeners.iter().map(|l| l.port.to_string()).collect();
    ports.into_iter().collect::<Vec<_>>().join(", ")
}

/// What may help a server that is not ready: nobody is told to give what was given.
fn way_out(target_given: bool, seen: bool, listeners: &[Listener]) -> &'static str {
    match (target_given, seen || listeners.is_empty()) {
        (false, _) => "Give it longer with --ready-timeout, or name the port with --target",
        (true, true) => "Give it longer with --ready-timeout",
        (true, false) => "Give it longer with --ready-timeout, or leave --target out",
    }
}

/// Why nobody may see which ports are the server's: it has become another user.
fn unseen(target: &Target) -> Option<String> {
    let denied = |pid: &i32| {
        let descriptors = crate::proc::Process::open(*pid).and_then(|process| process.descriptors());
        matches!(descriptors, Err(crate::proc::Error::Denied { .. }))
    };
    let pid = target.alive().into_iter().find(denied)?;
    let user = crate::proc::user_of(pid).map_or(String::new(), |user| format!("runs as user {user}, and "));
    Some(format!(
        "process {pid} {user}does not let profile-run read its descriptors (/proc/{pid}/fd), which tell its ports; that \
         takes the right CAP_SYS_PTRACE. In a container give it with --cap-add SYS_PTRACE; elsewhere run profile-run as root"
    ))
}

pub(super) fn resolve(run: &Context<'_>, text: &str) -> Result<SocketAddr, Halt> {
    let resolved = Address::parse(text).and_then(|address| address.resolve(None, run.plan.allow_remote));
    match resolved.map(|resolved| resolved.endpoint) {
        Ok(Endpoint::Tcp(address)) => Ok(address),
        Ok(Endpoint::Unix(_)) => Err(Halt::early(
            EarlyEnd::Environment,
            format!("--target {text}: the server is found by its TCP port; give HOST:PORT"),
        )),
        Err(error) => Err(Halt::early(EarlyEnd::Environment, format!("--target: {error}"))),
    }
}

fn last_lines(target: &Target) -> String {
    if target.is_attached() {
        // What it prints goes elsewhere.
        return String::new();
    }
    let lines = log::tail(&target.log, 8);
    if lines.is_empty() { ". The server printed nothing".to_owned() } else { phrase::last_output(&lines) }
}
