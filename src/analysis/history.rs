//! What a journal holds, sorted by what it is about. The events are kept as they were written; nothing is judged here.

use std::collections::BTreeMap;

use super::Settings;
use super::settings_read::{self, SettingsError};
use crate::heap::{Census, Code};
use crate::journal::{
    Counted, Counter, Damage, End, Event, Failure, Floor, Header, Interrupted, Journal, Launch, LedgerTaken, Marked,
    Preflight, Profiled, Ready, Sampled, ScenarioBegin, Scene, TargetExit, Warning, WaveBegin, WaveEnd,
};
use crate::model::load_stats::LoadStats;
use crate::model::plan::Plan;
use crate::model::{Against, EarlyEnd, Pass, ScenarioStop};

/// A wave, from its begin to its floor.
#[derive(Debug, Clone)]
pub struct Wave {
    /// What was asked for.
    pub asked: WaveBegin,
    /// Second at which it began.
    pub begin: f64,
    /// Second at which its last session ended, and what came of it; none where the run was cut off.
    pub end: Option<(f64, WaveEnd)>,
    /// Seconds of settling, and whether the deadline passed.
    pub settle: Option<(f64, bool)>,
}

impl Wave {
    /// Where.
    pub fn scene(&self) -> &Scene {
        &self.asked.scene
    }

    /// CPU seconds of the server.
    pub fn server_cpu(&self) -> f64 {
        self.end.as_ref().map_or(0.0, |(_, end)| end.server_cpu)
    }
}

/// How a launch went.
#[derive(Debug, Clone, Default)]
pub struct LaunchAt {
    /// How it was started.
    pub launch: Option<Launch>,
    /// When it greeted.
    pub ready: Option<Ready>,
    /// How it ended.
    pub exit: Option<TargetExit>,
}

/// How a scenario went as a whole.
#[derive(Debug, Clone)]
pub struct ScenarioAt {
    /// What it asked for.
    pub begin: ScenarioBegin,
    /// Why no further wave was run.
    pub why: Option<ScenarioStop>,
}

/// A census of PHP's heap.
#[derive(Debug, Clone)]
pub struct CensusAt {
    /// Where.
    pub scene: Scene,
    /// Process.
    pub pid: i32,
    /// Work done: messages, or sessions where the scenario has none.
    pub work: u64,
    /// What was counted.
    pub census: Census,
}

/// What code does to the containers of a process.
#[derive(Debug, Clone)]
pub struct CodeAt {
    /// Where.
    pub scene: Scene,
    /// Process.
    pub pid: i32,
    /// What was read.
    pub code: Code,
}

/// What the sampling of all launches was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sampling {
    /// Seconds that it went on.
    pub seconds: f64,
    /// Readings of the figures.
    pub rounds: u64,
    /// Counts of sockets by state.
    pub socket_rounds: u64,
    /// CPU of the sampler, seconds.
    pub cpu_seconds: f64,
    /// The longest time between two readings, seconds.
    pub longest_gap: f64,
}

impl Sampling {
    fn add(&mut self, one: &Sampled) {
        self.seconds += one.seconds;
        self.rounds += one.rounds;
        self.socket_rounds += one.socket_rounds;
        self.cpu_seconds += one.cpu_seconds;
        self.longest_gap = self.longest_gap.max(one.longest_gap);
    }
}

/// Everything of a journal.
#[derive(Debug, Clone, Default)]
pub struct RunHistory {
    /// How it began.
    pub header: Header,
    /// What was asked.
    pub plan: Option<Plan>,
    /// How to judge.
    pub settings: Settings,
    /// Settings of an earlier rule that mean nothing any more, as `waves.grew = 6`.
    pub dropped_settings: Vec<String>,
    /// Launches, the last of each pass.
    pub launches: BTreeMap<Pass, LaunchAt>,
    /// Limits of descriptors, launch by launch.
    pub descriptor_limits: Vec<u64>,
    /// What the server's container may use of memory, where it is limited, bytes.
    pub memory_limit: Option<u64>,
    /// Versions of php and the like.
    pub versions: BTreeMap<String, String>,
    /// The preflights.
    pub preflights: Vec<Preflight>,
    /// Times of this build and another one.
    pub against: Option<Against>,
    /// The ledger.
    pub ledger: Option<LedgerTaken>,
    /// Scenarios, in order.
    pub scenarios: Vec<ScenarioAt>,
    /// Waves, in order.
    pub waves: Vec<Wave>,
    /// Floors, in order.
    pub floors: Vec<Floor>,
    /// Censuses, in order.
    pub censuses: Vec<CensusAt>,
    /// What code does to containers, in order.
    pub codes: Vec<CodeAt>,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// Failures.
    pub failures: Vec<Failure>,
    /// What could not be measured.
    pub not_measured: Vec<String>,
    /// Sampling.
    pub sampling: Sampling,
    /// Profile files.
    pub profiled: Option<Profiled>,
    /// Bytes of each profile at the begin and at the end of each wave of the profile pass.
    pub marked: Vec<Marked>,
    /// Second at which the profile pass was launched.
    pub profile_from: Option<f64>,
    /// What instructions are counted under, as far as it was seen, or why they are not.
    pub counter: Option<Counter>,
    /// Tries of the count pass, in order.
    pub counted: Vec<Counted>,
    /// Second at which the count pass was launched first, and the last one at which it was heard of.
    pub count_time: Option<(f64, f64)>,
    /// It was interrupted.
    pub interrupted: Option<Interrupted>,
    /// It has its end.
    pub end: Option<End>,
    /// Second of the last line.
    pub seconds: f64,
    /// What of the journal could not be read.
    pub damage: Option<Damage>,
}

impl RunHistory {
    /// Sorts a journal.
    ///
    /// # Errors
    /// How the run is to be judged cannot be read.
    pub fn of(journal: &Journal) -> Result<Self, SettingsError> {
        let mut history = Self { damage: journal.damage.clone(), ..Self::default() };
        for line in &journal.lines {
            history.seconds = line.t;
            history.take(&line.event, line.t)?;
        }
        Ok(history)
    }

    fn take(&mut self, event: &Event, t: f64) -> Result<(), SettingsError> {
        match event.clone() {
            Event::Header(header) => self.header = header,
            Event::Plan(planned) => {
                self.plan = Some(*planned.plan);
                let (settings, dropped) = settings_read::read(&planned.settings, self.header.schema)?;
                self.settings = settings;
                self.dropped_settings = dropped;
            }
            Event::Launch(launch) => {
                self.versions.extend(launch.versions.clone());
                match launch.pass {
                    Pass::Profile => drop(self.profile_from.get_or_insert(t)),
                    Pass::Count => drop(self.count_time.get_or_insert((t, t))),
                    Pass::Measure => {}
                }
                self.launches.insert(launch.pass, LaunchAt { launch: Some(launch), ..LaunchAt::default() });
            }
            Event::Ready(ready) => {
                self.descriptor_limits.extend(ready.descriptor_limit);
                self.memory_limit = ready.memory_limit.or(self.memory_limit);
                if let Some(versions) = &ready.versions {
                    self.versions.clone_from(versions);
                }
                let pass = ready.pass;
                self.launches.entry(pass).or_default().ready = Some(ready);
            }
            Event::Preflight(preflight) => self.preflights.push(preflight),
            Event::Against(against) => self.against = Some(*against),
            Event::Ledger(taken) => self.ledger = Some(taken),
            Event::Scenario(begin) => self.scenario(begin),
            Event::ScenarioEnd(end) => {
                let of = |known: &&mut ScenarioAt| known.begin.pass == end.pass && known.begin.scenario == end.scenario;
                if let Some(known) = self.scenarios.iter_mut().find(of) {
                    known.why = Some(end.why);
                }
            }
            Event::WaveBegin(asked) => self.waves.push(Wave { asked, begin: t, end: None, settle: None }),
            Event::WaveEnd(end) => {
                if let Some(wave) = self.wave_mut(&end.scene) {
                    wave.end = Some((t, end));
                }
            }
            Event::Floor(floor) => {
                if let Some(wave) = self.wave_mut(&floor.scene) {
                    wave.settle = Some((floor.settle, floor.deadline));
                }
                self.floors.push(floor);
            }
            Event::Census(taken) => {
                if let Ok(census) = serde_json::from_value(taken.census) {
                    self.censuses.push(CensusAt { scene: taken.scene, pid: taken.pid, work: taken.work, census });
                }
            }
            Event::Code(read) => {
                if let Ok(code) = serde_json::from_value(read.code) {
                    self.codes.push(CodeAt { scene: read.scene, pid: read.pid, code });
                }
            }
            Event::Warning(warning) => self.warnings.push(warning),
            Event::Failure(failure) => self.failures.push(failure),
            Event::NotMeasured(what) => self.not_measured.push(what.text),
            Event::TargetExit(exit) => {
                let pass = exit.pass;
                if let Some((_, until)) = self.count_time.as_mut().filter(|_| pass == Pass::Count) {
                    *until = t;
                }
                self.launches.entry(pass).or_default().exit = Some(exit);
            }
            Event::Sampled(sampled) => self.sampling.add(&sampled),
            Event::Marked(marked) => self.marked.push(marked),
            Event::Profiled(profiled) => self.profiled = Some(profiled),
            Event::Counter(counter) => self.counter = Some(counter),
            Event::Counted(counted) => self.counted.push(counted),
            Event::Interrupted(interrupted) => self.interrupted = Some(interrupted),
            Event::End(end) => self.end = Some(end),
            Event::Look(_) | Event::Rest(_) | Event::Workers(_) => {}
        }
        Ok(())
    }

    /// One that is run again at fewer sessions at once begins anew.
    fn scenario(&mut self, begin: ScenarioBegin) {
        if begin.pass == Pass::Measure {
            self.floors.retain(|floor| floor.scene.scenario != begin.scenario);
            self.censuses.retain(|census| census.scene.scenario != begin.scenario);
        }
        self.scenarios.retain(|known| known.begin.pass != begin.pass || known.begin.scenario != begin.scenario);
        self.scenarios.push(ScenarioAt { begin, why: None });
    }

    fn wave_mut(&mut self, scene: &Scene) -> Option<&mut Wave> {
        self.waves.iter_mut().rev().find(|wave| wave.scene() == scene)
    }

    /// Waves of a pass that came to an end, with their tallies.
    pub fn done(&self, pass: Pass) -> impl Iterator<Item = (&Wave, &LoadStats)> {
        self.waves
            .iter()
            .filter(move |wave| wave.scene().pass == pass)
            .filter_map(|wave| Some((wave, &*wave.end.as_ref()?.1.tally)))
    }

    /// Why the run ended early, if it did.
    pub fn early(&self) -> Option<EarlyEnd> {
        self.end.as_ref().and_then(|end| end.early)
    }
}
