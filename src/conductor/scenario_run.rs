//! What is known of a scenario while it goes on.

use super::floors::{Floors, Work};
use super::session::Session;
use super::wave_size::{self, Known};
use crate::journal::{ProcessFloor, Scene};
use crate::matrix::mail_length;
use crate::model::load_stats::LoadStats;
use crate::model::plan::Pass;
use crate::model::plan::scenario::{PerConnection, Scenario};

/// A scenario that goes on.
pub(super) struct ScenarioRun<'a> {
    /// What is run.
    pub scenario: &'a Scenario,
    /// Floors so far.
    pub floors: Floors,
    /// What the next wave is sized by.
    pub known: Known,
    /// Work done.
    pub work: Work,
    /// Second at which it began.
    pub began: f64,
    /// Seconds that it may take.
    pub share: Option<f64>,
    /// Seconds that the last load took.
    pub loaded: f64,
    /// Descriptors at the first floor.
    pub first_fd: u64,
    /// The processes that are the server, and the floors that they lived through.
    pub life: (Vec<i32>, u64),
}

impl<'a> ScenarioRun<'a> {
    /// One that has not begun.
    pub fn new(scenario: &'a Scenario, waves: Option<u32>, exact: bool, share: Option<f64>, began: f64) -> Self {
        let known = Known {
            total: scenario.total,
            done: 0,
            parallel: scenario.sessions,
            per_connection: match scenario.per_connection {
                PerConnection::AtMost(most) => u64::from(most),
                PerConnection::Unlimited => scenario.total,
            },
            waves,
            waves_run: 0,
            seconds_each: 0.001,
            settle: 0.5,
            left: share,
            exact,
            length: mail_length(scenario),
            descriptors: None,
            kept_a_session: 0.0,
            cut: 1,
        };
        Self {
            scenario,
            floors: Floors::default(),
            known,
            work: Work::default(),
            began,
            share,
            loaded: 0.0,
            first_fd: 0,
            life: (Vec::new(), 0),
        }
    }

    /// Where a wave of it stands.
    pub fn scene(&self, wave: u32) -> Scene {
        Scene { pass: Pass::Measure, scenario: self.scenario.name.clone(), wave }
    }

    /// Share of its waves that is over.
    pub fn part_done(&self) -> f64 {
        let waves = self.known.waves.unwrap_or(wave_size::WAVES);
        (f64::from(self.known.waves_run) / f64::from(waves.max(1))).min(0.95)
    }

    /// Takes what a load did.
    pub fn take(&mut self, tally: &LoadStats) {
        self.work.messages += tally.messages_accepted;
        self.work.sessions += tally.sessions.finished + tally.sessions.refused + tally.sessions.failed;
        self.known.done += tally.asked.asked;
        self.loaded = tally.seconds;
        let done = tally.asked.finished.max(1);
        if tally.seconds > 0.0 {
            self.known.seconds_each = tally.seconds / done as f64;
        }
    }

    /// Takes whether the server is still the same process, or processes.
    pub fn live(&mut self, processes: &[ProcessFloor]) {
        let serving: Vec<i32> = processes.iter().filter(|process| process.server).map(|process| process.pid).collect();
        if serving.is_empty() || serving == self.life.0 {
            self.life.1 += 1;
            return;
        }
        let (_, floors) = std::mem::replace(&mut self.life, (serving, 1));
        if floors > 0 {
            self.known.replaced_after(floors);
        }
    }

    /// Takes how many descriptors are open at rest.
    pub fn learn(&mut self, session: &Session, open: u64) {
        self.known.descriptors = session.descriptor_limit.map(|limit| (open, limit));
        if self.work.sessions > 0 {
            self.known.kept_a_session = open.saturating_sub(self.first_fd) as f64 / self.work.sessions as f64;
        }
    }
}

/// Descriptors of the process that has most of them: the limit is each process's own.
pub(super) fn descriptors(processes: &[ProcessFloor]) -> u64 {
    processes.iter().filter_map(|process| process.figures.get("fd")).fold(0.0, |most: f64, fd| most.max(*fd)) as u64
}

/// Descriptors of the process that has most of them, as the sampler saw it last.
pub(super) fn most_descriptors(session: &Session) -> u64 {
    session.sampler.latest().iter().map(|sample| u64::from(sample.fds)).max().unwrap_or(0)
}
