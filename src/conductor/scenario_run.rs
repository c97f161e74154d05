//! What is known of a scenario while it goes on.

use super::floors::{Floors, Work};
use super::session::Session;
use super::wave_size::{self, Known};
use crate::journal::{ProcessFloor, Scene};
use crate::matrix::Lives;
use crate::model::load_stats::LoadStats;
use crate::model::plan::scenario::{PerConnection, Scenario};
use crate::model::plan::{Pass, Plan};

/// Of the sessions of a load, the share that must go as meant for it to count as taken.
const AS_MEANT: f64 = 0.95;

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
    /// Part of one processor that the server used under the last load.
    pub busy: f64,
    /// Nearly all sessions of the last load went as the scenario means them to.
    pub went_as_meant: bool,
    /// A rest was kept.
    pub rested: bool,
    /// Seconds that the last load took.
    pub loaded: f64,
    /// Descriptors at the first floor.
    pub first_fd: u64,
    /// Which life of the server this is.
    pub lives: Lives,
    /// Floors that it lived through.
    pub floors_of_life: u64,
}

impl<'a> ScenarioRun<'a> {
    /// One that has not begun.
    pub fn new(scenario: &'a Scenario, plan: &Plan, share: Option<f64>, began: f64, reply: Option<f64>) -> Self {
        let known = Known {
            total: scenario.total,
            done: 0,
            parallel: scenario.sessions,
            per_connection: match scenario.per_connection {
                PerConnection::AtMost(most) => u64::from(most),
                PerConnection::Unlimited => scenario.total,
            },
            waves: plan.waves,
            waves_run: 0,
            // Until something was measured: one conversation after the other, as long as the first one took.
            seconds_each: reply.map_or(0.001, |seconds| seconds / scenario.sessions.max(1) as f64),
            settle: 0.5,
            left: share,
            exact: plan.budget.is_none(),
            length: scenario.mail_length(),
            descriptors: None,
            kept_a_session: 0.0,
            cut: 1,
            last: None,
            seed: mixed(plan.seed, &scenario.name),
        };
        Self {
            scenario,
            floors: Floors::default(),
            known,
            work: Work::default(),
            began,
            share,
            busy: 0.0,
            went_as_meant: true,
            rested: false,
            loaded: 0.0,
            first_fd: 0,
            lives: Lives::default(),
            floors_of_life: 0,
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
    pub fn take(&mut self, tally: &LoadStats, server_cpu: f64) {
        self.busy = server_cpu / tally.seconds.max(1e-3);
        self.went_as_meant = tally.as_meant_share() >= AS_MEANT;
        self.work.messages += tally.messages_accepted;
        self.work.sessions += tally.sessions.finished + tally.sessions.refused + tally.sessions.failed;
        self.known.done += tally.asked.asked;
        self.loaded = tally.seconds;
        let done = tally.asked.finished.max(1);
        if tally.seconds > 0.0 {
            self.known.seconds_each = tally.seconds / done as f64;
        }
        self.known.last = Some(tally.asked.finished);
    }

    /// Takes whether the server is still what it was: the same life, or another.
    pub fn live(&mut self, processes: &[ProcessFloor]) {
        let before = self.lives.current();
        if self.lives.take(processes) == before || before == 0 {
            self.floors_of_life += 1;
            return;
        }
        let floors = std::mem::replace(&mut self.floors_of_life, 1);
        self.known.replaced_after(floors);
    }

    /// Takes how many descriptors are open at rest.
    pub fn learn(&mut self, session: &Session, open: u64) {
        self.known.descriptors = session.descriptor_limit.map(|limit| (open, limit));
        if self.work.sessions > 0 {
            self.known.kept_a_session = open.saturating_sub(self.first_fd) as f64 / self.work.sessions as f64;
        }
    }
}

/// A seed of its own for each scenario of a run.
fn mixed(seed: u64, name: &str) -> u64 {
    // FNV-1a: small, and the same everywhere.
    name.bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Descriptors of the process that has most of them: the limit is each process's own.
pub(super) fn descriptors(processes: &[ProcessFloor]) -> u64 {
    processes.iter().filter_map(|process| process.figures.get("fd")).fold(0.0, |most: f64, fd| most.max(*fd)) as u64
}

/// Descriptors of the process that has most of them, as the sampler saw it last.
pub(super) fn most_descriptors(session: &Session) -> u64 {
    session.sampler.latest().iter().map(|sample| u64::from(sample.fds)).max().unwrap_or(0)
}
