//! One line a step that stays, one line below that moves.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::Style;
use crate::journal::{
    Counted, Counter, Event, Failure, Floor, Interrupted, Launch, Line, Live, Look, NotMeasured, Observer, Planned,
    Preflight, Ready, ScenarioEnd, Scene, TargetExit, Warning, WaveBegin, WaveEnd, Workers,
};
use crate::model::load_stats::{LoadRow, LoadStats};
use crate::model::{Metric, Pass, State, TRIES, per_message, spread};
use crate::phrase;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing while it runs.
    Quiet,
    /// The line that moves alone.
    Progress,
    /// A line a step.
    Steps,
    /// A line an event.
    Events,
}

/// The console while a run goes on.
#[derive(Debug)]
pub struct Console {
    style: Style,
    detail: Detail,
    to_stderr: bool,
    bar: Option<ProgressBar>,
    scenario: Sums,
    /// Versions that the last launch named.
    named: BTreeMap<String, String>,
    /// The server is somebody else's, and goes on.
    attached: bool,
    /// Instructions per message of the scenario that is counted, try by try.
    tries: Vec<f64>,
}

#[derive(Debug, Default)]
struct Sums {
    /// Waves, the warm-up apart.
    waves: u32,
    /// All that was sent, the warm-up counted in, as in the report.
    sent: Option<LoadStats>,
    looks: BTreeMap<Metric, Look>,
}

impl Console {
    /// A console on standard error or standard output.
    pub fn new(style: Style, detail: Detail, to_stderr: bool) -> Self {
        let bar = (style.motion && detail != Detail::Quiet).then(|| {
            let target = if to_stderr { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::stdout() };
            let bar = ProgressBar::with_draw_target(Some(1000), target);
            bar.set_style(
                ProgressStyle::with_template("  {prefix}{bar:20}  {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("━╸─"),
            );
            bar
        });
        Self {
            style,
            detail,
            to_stderr,
            bar,
            scenario: Sums::default(),
            named: BTreeMap::new(),
            attached: false,
            tries: Vec::new(),
        }
    }

    fn stay(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.print(text)),
            None => self.print(text),
        }
    }

    fn print(&self, text: &str) {
        use std::io::Write;
        let _ = if self.to_stderr {
            writeln!(std::io::stderr().lock(), "{text}")
        } else {
            writeln!(std::io::stdout().lock(), "{text}")
        };
    }

    fn step(&self, name: &str, text: &str) {
        self.stay(&format!("  {} {text}", self.style.dim(&format!("{name:<9}"))));
    }

    fn take_up(&mut self, line: &Line) {
        match &line.event {
            Event::Scenario(_) => self.scenario = Sums::default(),
            Event::WaveEnd(WaveEnd { tally, scene, .. }) => {
                self.scenario.waves += u32::from(scene.wave > 0 || scene.pass == Pass::Profile);
                match &mut self.scenario.sent {
                    Some(sent) => sent.merge(tally),
                    None => self.scenario.sent = Some((**tally).clone()),
                }
            }
            Event::Launch(launch) => {
                self.named.clone_from(&launch.versions);
                self.attached = launch.attached;
            }
            Event::Counted(counted) => {
                if counted.number == 1 {
                    self.tries.clear();
                }
                self.tries.extend(counted.instructions.and_then(|pair| per_message(pair, counted.loads)));
            }
            Event::Look(look) => {
                self.scenario.looks.insert(look.metric, look.clone());
            }
            _ => {}
        }
    }

    fn show(&self, event: &Event) {
        match event {
            Event::Plan(Planned { plan, .. }) => {
                let name = format!("profile-run {}", env!("CARGO_PKG_VERSION"));
                let server = plan.attach.as_ref().map_or(plan.command.join(" "), |name| format!("--attach {name}"));
                self.stay(&format!("{} · {server}", self.style.bold(&name)));
            }
            Event::Workers(Workers { version, here, command: None, .. }) => {
                self.step("locust", &format!("{version}, {}", phrase::plural(here.len() as u64, "worker")));
            }
            Event::Ready(Ready { pass: Pass::Count, .. }) => {}
            Event::Ready(Ready { address, pid, seconds, others, versions, .. }) => {
                let others = match others.as_slice() {
                    [] => String::new(),
                    others => format!("; it listens on {} too: choose with --target", others.join(", ")),
                };
                // Named where the launch could not name it yet.
                let found = versions.as_ref().filter(|found| !found.is_empty() && **found != self.named);
                let php = found.map_or(String::new(), |found| format!(", {}", phrase::versions(found)));
                let seconds = phrase::duration(Duration::from_secs_f64(*seconds));
                self.step("ready", &format!("{address} in {seconds}, pid {pid}{php}{others}"));
            }
            // It is launched twice for each try: what comes of them is shown.
            Event::Launch(Launch { pass: Pass::Count, .. }) => {}
            Event::Launch(Launch { pid, pass, attached: true, .. }) => {
                self.step(pass.name(), &format!("attached to pid {pid}, which goes on afterwards"));
            }
            Event::Launch(Launch { versions, pass, .. }) => {
                let with = match (pass, versions.is_empty()) {
                    (_, true) => String::new(),
                    (Pass::Measure, false) => format!(" ({}, Xdebug off)", phrase::versions(versions)),
                    (Pass::Profile | Pass::Count, false) => format!(" ({}, profiler on)", phrase::versions(versions)),
                };
                self.step(pass.name(), &format!("launched{with}"));
            }
            Event::Preflight(Preflight { steps, refused, .. }) => match refused {
                Some(why) => self.step("preflight", why),
                None => {
                    let names: Vec<&str> = steps.iter().map(|s| s.step.as_str()).collect();
                    self.step("preflight", &format!("{}, all accepted", names.join(" ")));
                }
            },
            Event::Ledger(taken) => {
                for line in phrase::ledger(&taken.ledger) {
                    self.step("ledger", &line.replace('`', ""));
                }
            }
            Event::ScenarioEnd(end) => self.scenario_line(end),
            Event::Rest(rest) => {
                let pause = phrase::duration(Duration::from_secs_f64(rest.seconds));
                self.step("rest", &format!("waiting {pause}: {}", phrase::REST));
            }
            Event::Warning(Warning { text, advice, .. }) => {
                self.stay(&format!("  {} {text} {}", self.style.warning("warning  "), self.style.dim(advice)))
            }
            Event::NotMeasured(NotMeasured { text }) => {
                self.stay(&format!("  {} {text}", self.style.warning("not measured")))
            }
            Event::Failure(Failure { sentence, advice, .. }) => {
                self.stay(&format!("  {} {sentence} {}", self.style.failed("failed   "), self.style.dim(advice)))
            }
            Event::Profiled(profiled) => self.step(
                "profile",
                &format!(
                    "{} over {}",
                    phrase::bytes(profiled.bytes as f64),
                    phrase::plural(profiled.messages, "message")
                ),
            ),
            Event::Counted(counted) => self.counted(counted),
            Event::Counter(Counter { status, .. }) => {
                if let Some(why) = phrase::not_counted(status) {
                    self.stay(&format!("  {} instructions: {why}", self.style.warning("not measured")));
                }
            }
            Event::Interrupted(Interrupted { signal }) => {
                let server = if self.attached { "the server goes on" } else { "the server is stopped" };
                self.step("interrupted", &format!("by {signal}; {server}, the report is written"))
            }
            _ => {}
        }
    }

    fn scenario_line(&self, end: &ScenarioEnd) {
        let sums = &self.scenario;
        let row = sums.sent.as_ref().map(|sent| LoadRow::new(&end.scenario, None, end.pass, sent, None));
        let (work, refused) = row.as_ref().map_or((0, 0), |row| (row.work(), row.refused_or_failed()));
        let noun = if row.as_ref().is_some_and(|row| row.messages_accepted > 0) { "msg" } else { "sessions" };
        let size = format!("{} x {}", sums.waves, phrase::grouped(work / u64::from(sums.waves.max(1))));
        let speed = row.and_then(|row| row.rate()).map_or("-".to_owned(), |rate| phrase::rate(rate, noun));
        let mut text = format!("{:<11} {size:<12} {speed:<14}", end.scenario);
        if refused > 0 {
            text.push_str(&format!("  {} refused or failed", phrase::grouped(refused)));
        }
        text.push_str(&self.verdict());
        if sums.waves == 0 {
            text.push_str(&format!("  {}", self.style.dim(&phrase::scenario_stop(end.why))));
        }
        self.step(end.pass.name(), &text);
    }

    /// What the tries of a scenario come to, once there are all of them.
    fn counted(&self, counted: &Counted) {
        let name = format!("{:<11}", counted.scenario);
        if let Some(why) = &counted.why {
            let text = format!("{name} not judged: {}", phrase::uncounted(why));
            return self.step(Pass::Count.name(), &self.style.warning(&text));
        }
        if let Some((value, spread)) = spread(&self.tries).filter(|_| self.tries.len() == TRIES) {
            let figure = phrase::instructions_per(value, counted.per);
            let spread = phrase::spread(spread, self.tries.len());
            self.step(Pass::Count.name(), &format!("{name} {figure}  {}", self.style.dim(&spread)));
        }
    }

    /// What the looks at a scenario come to: what leaks, else what is open, else one word.
    fn verdict(&self) -> String {
        let looks = &self.scenario.looks;
        let mut text = String::new();
        for look in looks.values().filter(|look| look.state == State::Leak) {
            let growth = look.growth.map_or(String::new(), |growth| format!(" {}", phrase::growth(growth)));
            text.push_str(&format!("  {}{growth} {}", look.metric.name(), self.word(look)));
        }
        if !text.is_empty() || looks.is_empty() {
            return text;
        }
        let holds = |metric: Metric| looks.get(&metric).is_some_and(|look| look.state.holds());
        if (holds(Metric::Heap) || holds(Metric::Rss)) && holds(Metric::Fd) && holds(Metric::Sockets) {
            return format!("  {}", self.style.state(State::Clean, phrase::state(State::Clean, None)));
        }
        let open = looks.values().filter(|look| !look.state.is_decided());
        // Growth that is not decided goes first, then what nothing can be said of.
        let Some(first) = open.clone().min_by_key(|look| (look.state != State::Inconclusive, look.reason)) else {
            return String::new();
        };
        let alike = open.filter(|look| (look.state, look.reason) == (first.state, first.reason));
        let names: Vec<&str> = alike.map(|look| look.metric.name()).collect();
        format!("  {}: {}", names.join(", "), self.word(first))
    }

    fn word(&self, look: &Look) -> String {
        self.style.state(look.state, phrase::state(look.state, look.reason))
    }
}

impl Observer for Console {
    fn event(&mut self, line: &Line) {
        self.take_up(line);
        if let Event::Workers(Workers { wanted, command: Some(command), .. }) = &line.event {
            // Without it nothing goes on, however little was to be said.
            let workers = phrase::plural(u64::from(*wanted), "worker");
            self.stay(&format!(
                "  locust    waits for {workers}. On the other machines run, once for each:\n  {command}"
            ));
        }
        match self.detail {
            Detail::Quiet | Detail::Progress => {}
            Detail::Steps => self.show(&line.event),
            Detail::Events => {
                self.show(&line.event);
                if let Some(text) = detail(&line.event) {
                    self.stay(&self.style.dim(&format!("  {:>8.2} s {text}", line.t)));
                }
            }
        }
        if let Event::End(_) = line.event
            && let Some(bar) = self.bar.take()
        {
            bar.finish_and_clear();
        }
    }

    fn live(&mut self, live: &Live) {
        let Some(bar) = &self.bar else { return };
        bar.set_prefix(format!("{:<36}", live.step));
        bar.set_position((live.done.unwrap_or(0.0) * 1000.0) as u64);
        let left =
            live.left.map_or(String::new(), |left| format!("  {}:{:02} left", left as u64 / 60, left as u64 % 60));
        bar.set_message(format!(
            "RSS {}  {} open  {} errors{left}",
            phrase::bytes(live.rss as f64),
            phrase::grouped(live.open),
            phrase::grouped(live.errors)
        ));
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn detail(event: &Event) -> Option<String> {
    let at = |scene: &Scene| format!("{} {} wave {}", scene.pass.name(), scene.scenario, scene.wave);
    match event {
        Event::WaveBegin(WaveBegin { scene, count, parallel }) => {
            Some(format!("{}: {count}, {parallel} at once", at(scene)))
        }
        Event::WaveEnd(WaveEnd { scene, tally, .. }) => Some(format!(
            "{}: {} accepted, {} sessions, {} errors in {:.2} s",
            at(scene),
            tally.messages_accepted,
            tally.as_meant,
            tally.errors.values().sum::<u64>(),
            tally.seconds
        )),
        Event::Floor(Floor { scene, settle, deadline, processes, .. }) => {
            let figures: Vec<String> = processes
                .iter()
                .filter(|p| p.server)
                .map(|p| {
                    let of = |name: &str| p.figures.get(name).map_or("-".to_owned(), |v| format!("{v}"));
                    format!("pid {}: heap {} rss_anon {} fd {}", p.pid, of("heap"), of("rss_anon"), of("fd"))
                })
                .collect();
            let late = if *deadline { " (deadline)" } else { "" };
            Some(format!("{}: floor after {settle:.2} s{late}: {}", at(scene), figures.join("; ")))
        }
        Event::Look(look) => {
            let state = phrase::state(look.state, look.reason);
            Some(format!("{}: {}: {state}", at(&look.scene), look.metric.name()))
        }
        Event::TargetExit(TargetExit { pid, how, .. }) => Some(format!("pid {pid} ended: {how}")),
        _ => None,
    }
}
