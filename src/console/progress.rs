//! One line a step that stays, one line below that moves.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::Style;
use crate::journal::{Event, Line, Live, Observer, Scene};
use crate::phrase;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing while it runs.
    Quiet,
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
}

#[derive(Debug, Default)]
struct Sums {
    waves: u32,
    messages: u64,
    sessions: u64,
    seconds: f64,
    refused_or_failed: u64,
    looks: BTreeMap<String, (String, Option<String>)>,
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
        Self { style, detail, to_stderr, bar, scenario: Sums::default() }
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
            Event::Scenario { .. } => self.scenario = Sums::default(),
            Event::WaveEnd { tally, scene, .. } if scene.wave > 0 || scene.pass == crate::journal::Pass::Profile => {
                self.scenario.waves += 1;
                self.scenario.messages += tally.messages_accepted;
                self.scenario.sessions += tally.as_meant;
                self.scenario.seconds += tally.seconds;
                self.scenario.refused_or_failed += tally.errors.values().sum::<u64>();
            }
            Event::Look { metric, state, growth, .. } => {
                self.scenario.looks.insert(metric.clone(), (state.clone(), growth.clone()));
            }
            _ => {}
        }
    }

    fn show(&self, event: &Event) {
        match event {
            Event::Plan { plan, .. } => {
                let name = format!("profile-run {}", env!("CARGO_PKG_VERSION"));
                self.stay(&format!("{} · {}", self.style.bold(&name), plan.command.join(" ")));
            }
            Event::Ready { address, pid, seconds, others, .. } => {
                let others = match others.as_slice() {
                    [] => String::new(),
                    others => format!("; it listens on {} too: choose with --target", others.join(", ")),
                };
                self.step(
                    "ready",
                    &format!(
                        "{address} in {}, pid {pid}{others}",
                        phrase::duration(std::time::Duration::from_secs_f64(*seconds))
                    ),
                );
            }
            Event::Launch { versions, pass, .. } => {
                let versions: Vec<String> =
                    versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
                let with = match (pass, versions.is_empty()) {
                    (_, true) => String::new(),
                    (crate::journal::Pass::Clean, false) => format!(" ({}, Xdebug off)", versions.join(", ")),
                    (crate::journal::Pass::Profile, false) => format!(" ({}, profiler on)", versions.join(", ")),
                };
                self.step(pass.name(), &format!("launched{with}"));
            }
            Event::Preflight { steps, refused, .. } => match refused {
                Some(why) => self.step("preflight", why),
                None => {
                    let names: Vec<&str> = steps.iter().map(|s| s.step.as_str()).collect();
                    self.step("preflight", &format!("{}, all accepted", names.join(" ")));
                }
            },
            Event::ScenarioEnd { pass, scenario, why } => self.scenario_line(pass.name(), scenario, why),
            Event::Rest { seconds, why, .. } => {
                self.step(
                    "rest",
                    &format!("{} without load: {why}", phrase::duration(std::time::Duration::from_secs_f64(*seconds))),
                );
            }
            Event::Warning { text, advice, .. } => self.stay(&format!(
                "  {} {text} {}",
                self.style.state("inconclusive").replace("inconclusive", "warning  "),
                self.style.dim(advice)
            )),
            Event::Failure { sentence, advice, .. } => self.stay(&format!(
                "  {} {sentence} {}",
                self.style.state("failed").replace("failed", "failed   "),
                self.style.dim(advice)
            )),
            Event::Profiled { profiled, messages } => self.step(
                "profile",
                &format!("{} over {}", phrase::bytes(profiled.bytes as f64), phrase::plural(*messages, "message")),
            ),
            Event::Interrupted { signal } => {
                self.step("interrupted", &format!("by {signal}; the target is stopped, the report is written"))
            }
            _ => {}
        }
    }

    fn scenario_line(&self, pass: &str, scenario: &str, why: &str) {
        let sums = &self.scenario;
        let (work, noun) = if sums.messages > 0 { (sums.messages, "msg") } else { (sums.sessions, "sessions") };
        let waves = u64::from(sums.waves.max(1));
        let size = format!("{} x {}", sums.waves, phrase::grouped(work / waves));
        let speed = if sums.seconds > 0.0 { phrase::rate(work as f64 / sums.seconds, noun) } else { "-".to_owned() };
        let mut text = format!("{scenario:<11} {size:<12} {speed:<14}");
        if sums.refused_or_failed > 0 {
            text.push_str(&format!("  {} refused or failed", phrase::grouped(sums.refused_or_failed)));
        }
        text.push_str(&self.verdict());
        if sums.waves == 0 {
            text.push_str(&format!("  {}", self.style.dim(why)));
        }
        self.step(pass, &text);
    }

    /// What the looks at a scenario come to: what leaks, else what is open, else one word.
    fn verdict(&self) -> String {
        let looks = &self.scenario.looks;
        let of = |state: &str| looks.iter().filter(|(_, (own, _))| own == state).collect::<Vec<_>>();
        let mut text = String::new();
        for (metric, (state, growth)) in of("leak") {
            let growth = growth.as_deref().map_or(String::new(), |growth| format!(" {growth}"));
            text.push_str(&format!("  {metric}{growth} {}", self.style.state(state)));
        }
        if !text.is_empty() || looks.is_empty() {
            return text;
        }
        let holds = |metric: &str| looks.get(metric).is_some_and(|(state, _)| state == "clean" || state == "plateau");
        if (holds("heap") || holds("rss")) && holds("fd") && holds("sockets") {
            return format!("  {}", self.style.state("clean"));
        }
        for state in ["inconclusive", "refused", "not readable", "too short"] {
            let names: Vec<&str> = of(state).into_iter().map(|(metric, _)| metric.as_str()).collect();
            if !names.is_empty() {
                return format!("  {} {}", names.join(" "), self.style.state(state));
            }
        }
        String::new()
    }
}

impl Observer for Console {
    fn event(&mut self, line: &Line) {
        self.take_up(line);
        match self.detail {
            Detail::Quiet => {}
            Detail::Steps => self.show(&line.event),
            Detail::Events => {
                self.show(&line.event);
                if let Some(text) = detail(&line.event) {
                    self.stay(&self.style.dim(&format!("  {:>8.2} s {text}", line.t)));
                }
            }
        }
        if let Event::End { .. } = line.event
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
        Event::WaveBegin { scene, count, parallel } => Some(format!("{}: {count}, {parallel} at once", at(scene))),
        Event::WaveEnd { scene, tally, .. } => Some(format!(
            "{}: {} accepted, {} sessions, {} errors in {:.2} s",
            at(scene),
            tally.messages_accepted,
            tally.as_meant,
            tally.errors.values().sum::<u64>(),
            tally.seconds
        )),
        Event::Floor { scene, settle, deadline, processes, .. } => {
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
        Event::Look { scene, metric, state, .. } => Some(format!("{}: {metric}: {state}", at(scene))),
        Event::TargetExit { pid, how, .. } => Some(format!("pid {pid} ended: {how}")),
        Event::NotMeasured { text } => Some(format!("not measured: {text}")),
        _ => None,
    }
}
