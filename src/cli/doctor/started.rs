//! What the server tells of itself once it is started: where it greets, what it offers, how long its queue is.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context;

use super::{Check, no_xdebug};
use crate::cli::config::Config;
use crate::cli::hidden::hidden;
use crate::conductor::{self, Interrupt, Order};
use crate::journal::{End, Event, Folder, Line, Observer, Preflight, Ready, Warning, Writer};
use crate::model::plan::{Engine, Pass, Plan};
use crate::model::{Clock, WarningKind};
use crate::phrase;
use crate::server::command::Invocation;

/// A queue as short as this loses connections as soon as some come at once.
const SHORT_QUEUE: u32 = 128;

/// Starts the server as a run would, holds one conversation with it, stops it, and says what was seen. Nothing is kept.
pub(super) fn look(
    mut plan: Plan,
    config: &Config,
    of: (Invocation, std::path::PathBuf),
) -> anyhow::Result<Vec<Check>> {
    plan.scenarios.clear();
    plan.passes = vec![Pass::Measure];
    plan.engine = Engine::Builtin;
    let interrupt = Interrupt::listen().context("signals cannot be listened to")?;
    let root = std::env::temp_dir().join(format!("profile-run-doctor-{}", std::process::id()));
    let folder = Folder::create(&root)?;
    let (tell, told) = channel();
    let outcome = folder.new_journal().map_err(anyhow::Error::from).and_then(|file| {
        let (invocation, cwd) = of;
        let order = Order {
            plan: &plan,
            bounds: &config.settings.bounds,
            settings: serde_json::to_value(&config.settings)?,
            hidden: hidden(false),
            folder: &folder,
            journal: Writer::new(file, Clock::start(), Box::new(Collector(tell))),
            started: jiff::Timestamp::now().to_string(),
            invocation,
            cwd,
            interrupt,
            against: None,
        };
        Ok(conductor::run(order)?)
    });
    let _ = fs::remove_dir_all(&root);
    outcome?;
    Ok(checks(told))
}

struct Collector(Sender<Event>);

impl Observer for Collector {
    fn event(&mut self, line: &Line) {
        // Nobody listens where the doctor has ended already.
        let _ = self.0.send(line.event.clone());
    }
}

fn checks(events: Receiver<Event>) -> Vec<Check> {
    let mut checks = Vec::new();
    for event in events {
        match event {
            Event::Ready(ready) => checks.extend(ready_checks(&ready)),
            Event::Preflight(Preflight { refused: None, steps, .. }) => {
                let names: Vec<&str> = steps.iter().map(|step| step.step.as_str()).collect();
                checks.push(Check::ok(format!("it takes a message: {}", names.join(" "))));
            }
            Event::Warning(Warning { kind: WarningKind::OneAddress, text, advice }) => {
                checks.push(Check::warning(text, advice));
            }
            Event::End(End { sentence: Some(sentence), .. }) => {
                checks.push(Check::failed(phrase::printable(&sentence).into_owned()))
            }
            _ => {}
        }
    }
    checks
}

fn ready_checks(ready: &Ready) -> Vec<Check> {
    let php = ready.versions.as_ref().filter(|versions| !versions.is_empty());
    let runs = php.map_or("it is no PHP: memory is judged, there is no heap and no profile".to_owned(), |versions| {
        format!("it runs {}", phrase::versions(versions))
    });
    let seconds = std::time::Duration::from_secs_f64(ready.seconds);
    let mut checks = vec![
        Check::ok(format!("the server greets on {} after {}", ready.address, phrase::duration(seconds))),
        Check::ok(runs),
    ];
    if php.is_some_and(|versions| !versions.contains_key("xdebug")) {
        checks.push(no_xdebug());
    }
    match ready.backlog {
        Some(backlog) if backlog < SHORT_QUEUE => checks.push(Check::warning(
            format!("its accept queue holds {backlog} connections (backlog)"),
            phrase::longer_queue(),
        )),
        Some(backlog) => checks.push(Check::ok(format!("its accept queue holds {backlog} connections (backlog)"))),
        None => {}
    }
    if !ready.others.is_empty() {
        checks.push(Check::warning(
            format!("it listens on {} too", ready.others.join(", ")),
            "The lowest port that greets is loaded; choose another with --target.",
        ));
    }
    if let Some(limit) = ready.memory_limit {
        checks.push(Check::ok(format!("its container may use {} of memory", phrase::bytes(limit as f64))));
    }
    checks
}
