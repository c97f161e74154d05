//! What a journal holds, sorted by what it is about. Nothing is judged here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Settings;
use crate::heap::Census;
use crate::journal::{Event, HolderCount, Journal, ProcessFloor, Scene};
use crate::model::load_stats::LoadStats;
use crate::model::plan::{Pass, Plan};

/// A wave, from its begin to its floor.
#[derive(Debug, Clone)]
pub struct Wave {
    /// Where.
    pub scene: Scene,
    /// Second at which it began.
    pub begin: f64,
    /// Second at which its last session ended; none where the run was cut off.
    pub end: Option<f64>,
    /// What was asked for.
    pub count: u64,
    /// Sessions at once.
    pub parallel: u32,
    /// What came of it.
    pub tally: Option<LoadStats>,
    /// CPU seconds of the server.
    pub server_cpu: f64,
    /// Seconds of settling, and whether the deadline passed.
    pub settle: Option<(f64, bool)>,
}

/// How far the profiles had come when a wave began and when it ended: bytes by file.
#[derive(Debug, Clone)]
pub struct MarkedAt {
    /// Where.
    pub scene: Scene,
    /// At its begin.
    pub begin: BTreeMap<String, u64>,
    /// At its end.
    pub end: BTreeMap<String, u64>,
}

/// A floor.
#[derive(Debug, Clone)]
pub struct FloorAt {
    /// Where.
    pub scene: Scene,
    /// Messages accepted in the scenario.
    pub messages: u64,
    /// Sessions ended in it.
    pub sessions: u64,
    /// Figures by process.
    pub processes: Vec<ProcessFloor>,
    /// Descriptors by name.
    pub holders: Vec<HolderCount>,
}

/// A rest: what stood before it.
#[derive(Debug, Clone)]
pub struct RestAt {
    /// Where.
    pub scene: Scene,
    /// Second at which it began.
    pub t: f64,
    /// The figures then.
    pub before: Vec<ProcessFloor>,
}

/// How a launch went.
#[derive(Debug, Clone, Default)]
pub struct LaunchAt {
    /// Exact argument vector.
    pub command: Vec<String>,
    /// Variables set.
    pub environment: BTreeMap<String, String>,
    /// `HOST:PORT`.
    pub address: Option<String>,
    /// How it ended.
    pub exit: Option<String>,
    /// Its last lines.
    pub last_words: Vec<String>,
    /// What to know of how it was started.
    pub notes: Vec<String>,
}

/// A failure.
#[derive(Debug, Clone)]
pub struct FailureAt {
    /// Where.
    pub scene: Scene,
    /// A stable word.
    pub kind: String,
    /// One sentence.
    pub sentence: String,
    /// What to do.
    pub advice: String,
}

/// How a scenario went as a whole.
#[derive(Debug, Clone)]
pub struct ScenarioAt {
    /// Pass.
    pub pass: Pass,
    /// Scenario.
    pub name: String,
    /// What it asks for.
    pub asked: String,
    /// Why no further wave was run.
    pub why: Option<String>,
}

/// Everything of a journal.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// When it began.
    pub started: String,
    /// The program's version.
    pub version: String,
    /// Machine.
    pub host: BTreeMap<String, Value>,
    /// Project's commit.
    pub commit: Option<String>,
    /// Uncommitted changes.
    pub dirty: Option<bool>,
    /// What was asked.
    pub plan: Option<Plan>,
    /// How to judge.
    pub settings: Settings,
    /// Launches, the last of each pass.
    pub launches: BTreeMap<Pass, LaunchAt>,
    /// Limits of descriptors, launch by launch.
    pub descriptor_limits: Vec<u64>,
    /// Launches in all.
    pub launched: u32,
    /// Versions of php and the like.
    pub versions: BTreeMap<String, String>,
    /// The preflights: pass, sessions, messages, what was refused.
    pub preflights: Vec<(Pass, u64, u64, Option<String>)>,
    /// Scenarios, in order.
    pub scenarios: Vec<ScenarioAt>,
    /// Waves, in order.
    pub waves: Vec<Wave>,
    /// Floors, in order.
    pub floors: Vec<FloorAt>,
    /// Rests.
    pub rests: Vec<RestAt>,
    /// Censuses: scene, pid, work, census.
    pub censuses: Vec<(Scene, i32, u64, Census)>,
    /// Warnings: kind, text, advice.
    pub warnings: Vec<[String; 3]>,
    /// Failures.
    pub failures: Vec<FailureAt>,
    /// What could not be measured.
    pub not_measured: Vec<String>,
    /// Sampling: seconds, rounds, rounds of sockets, CPU seconds, longest gap.
    pub sampling: [f64; 5],
    /// Profile files, and messages accepted meanwhile.
    pub profiled: Option<(Vec<String>, u64)>,
    /// Bytes of each profile at the begin and at the end of each wave of the profile pass.
    pub marked: Vec<MarkedAt>,
    /// Second at which the profile pass was launched.
    pub profile_from: Option<f64>,
    /// The signal that interrupted it.
    pub interrupted: Option<String>,
    /// It has its end: why it came early, if it did, and a sentence.
    pub end: Option<(Option<String>, Option<String>)>,
    /// Second of the last line.
    pub seconds: f64,
}

impl Material {
    /// Sorts a journal.
    pub fn of(journal: &Journal) -> Self {
        let mut material = Self::default();
        for line in &journal.lines {
            material.seconds = line.t;
            material.take(&line.event, line.t);
        }
        material
    }

    fn take(&mut self, event: &Event, t: f64) {
        match event.clone() {
            Event::Header { version, started, host, commit, dirty, .. } => {
                (self.version, self.started, self.host) = (version, started, host);
                (self.commit, self.dirty) = (commit, dirty);
            }
            Event::Plan { plan, settings } => {
                self.plan = Some(*plan);
                // Settings of another version judge by the defaults; the plan itself stands.
                self.settings = serde_json::from_value(settings).unwrap_or_default();
            }
            Event::Launch { pass, command, environment, versions, notes, .. } => {
                self.launched += 1;
                self.versions.extend(versions);
                if pass == Pass::Profile {
                    self.profile_from.get_or_insert(t);
                }
                self.launches.insert(pass, LaunchAt { command, environment, notes, ..LaunchAt::default() });
            }
            Event::Ready { pass, address, descriptor_limit, .. } => {
                self.launches.entry(pass).or_default().address = Some(address);
                self.descriptor_limits.extend(descriptor_limit);
            }
            Event::Preflight { pass, sessions, messages, refused, .. } => {
                self.preflights.push((pass, sessions, messages, refused));
            }
            Event::Scenario { pass, scenario, asked, .. } => {
                // One that is run again at fewer sessions at once begins anew.
                if pass == Pass::Clean {
                    self.floors.retain(|floor| floor.scene.scenario != scenario);
                    self.censuses.retain(|(scene, ..)| scene.scenario != scenario);
                    self.rests.retain(|rest| rest.scene.scenario != scenario);
                }
                self.scenarios.retain(|known| known.pass != pass || known.name != scenario);
                self.scenarios.push(ScenarioAt { pass, name: scenario, asked, why: None });
            }
            Event::ScenarioEnd { pass, scenario, why } => {
                let of = |known: &&mut ScenarioAt| known.pass == pass && known.name == scenario;
                if let Some(known) = self.scenarios.iter_mut().find(of) {
                    known.why = Some(why);
                }
            }
            Event::WaveBegin { scene, count, parallel } => self.waves.push(Wave {
                scene,
                begin: t,
                end: None,
                count,
                parallel,
                tally: None,
                server_cpu: 0.0,
                settle: None,
            }),
            Event::WaveEnd { scene, tally, server_cpu } => {
                if let Some(wave) = self.waves.iter_mut().rev().find(|wave| wave.scene == scene) {
                    (wave.end, wave.tally, wave.server_cpu) = (Some(t), Some(*tally), server_cpu);
                }
            }
            Event::Floor { scene, messages, sessions, settle, deadline, processes, holders, .. } => {
                if let Some(wave) = self.waves.iter_mut().rev().find(|wave| wave.scene == scene) {
                    wave.settle = Some((settle, deadline));
                }
                self.floors.push(FloorAt { scene, messages, sessions, processes, holders });
            }
            Event::Census { scene, pid, work, census } => {
                if let Ok(census) = serde_json::from_value(census) {
                    self.censuses.push((scene, pid, work, census));
                }
            }
            Event::Rest { scene, before, .. } => self.rests.push(RestAt { scene, t, before }),
            Event::Warning { kind, text, advice } => self.warnings.push([kind, text, advice]),
            Event::Failure { scene, kind, sentence, advice, .. } => {
                self.failures.push(FailureAt { scene, kind, sentence, advice });
            }
            Event::NotMeasured { text } => self.not_measured.push(text),
            Event::TargetExit { pass, how, last_words, .. } => {
                let launch = self.launches.entry(pass).or_default();
                (launch.exit, launch.last_words) = (Some(how), last_words);
            }
            Event::Sampled { seconds, rounds, socket_rounds, cpu_seconds, longest_gap, .. } => {
                let [sum_seconds, sum_rounds, sum_sockets, sum_cpu, longest] = &mut self.sampling;
                *sum_seconds += seconds;
                *sum_rounds += rounds as f64;
                *sum_sockets += socket_rounds as f64;
                *sum_cpu += cpu_seconds;
                *longest = longest.max(longest_gap);
            }
            Event::Marked { scene, begin, end } => self.marked.push(MarkedAt { scene, begin, end }),
            Event::Profiled { profiled, messages } => self.profiled = Some((profiled.files, messages)),
            Event::Interrupted { signal } => self.interrupted = Some(signal),
            Event::End { early, sentence } => self.end = Some((early, sentence)),
            Event::Look { .. } => {}
        }
    }

    /// Waves of a pass that came to an end, with their tallies.
    pub fn done(&self, pass: Pass) -> impl Iterator<Item = (&Wave, &LoadStats)> {
        self.waves
            .iter()
            .filter(move |wave| wave.scene.pass == pass)
            .filter_map(|wave| Some((wave, wave.tally.as_ref()?)))
    }

    /// The last word of why a run ended early.
    pub fn early(&self) -> Option<&str> {
        self.end.as_ref().and_then(|(early, _)| early.as_deref())
    }
}
