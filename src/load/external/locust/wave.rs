//! A wave: parts ordered, reports summed while it runs, its end awaited.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, Locust};
use super::members::Member;
use super::merge::{self, Part, Silence};
use super::message::{Report, Say, Why};
use super::order::{self, Order};
use crate::load::address::Endpoint;
use crate::load::engine::handshakes;
use crate::load::error::{LoadError, PlanError};
use crate::load::job::{Control, Job, Live};
use crate::model::load_stats::{LoadStats, Stall};

/// The longest that a request to stop may wait.
const LOOK: Duration = Duration::from_millis(100);
/// How long workers may take to end their sessions once told to.
const STOP: Duration = Duration::from_secs(5);

impl Locust {
    /// Runs a load to its end: every worker has done its part, or is lost.
    ///
    /// # Errors
    /// No worker is left, or they cannot do it.
    pub fn run(&self, job: &Job, control: &Control) -> Result<LoadStats, LoadError> {
        let Endpoint::Tcp(address) = job.target.resolve(job.options.family, job.options.allow_remote)?.endpoint else {
            return Err(PlanError::Locust { lacks: "speaks TCP alone", scenario: job.scenario.name.clone() }.into());
        };
        if !address.ip().is_loopback() && !job.options.allow_remote {
            // Another machine might be meant by it there.
            return Err(LoadError::Locust(format!("{address} is no loopback address: that needs --allow-remote")));
        }
        let fleet = &*self.fleet;
        let wave = fleet.waves.fetch_add(1, Ordering::Relaxed) + 1;
        let side = job.options.other_side.as_ref().and_then(|kernel| kernel.ask(address));
        let most = job.options.handshakes.map_or_else(|| handshakes(side.as_ref()), u64::from).max(1);
        let present = fleet.present()?;
        let orders = order::orders(job, (wave, present.len()), address, most)?;
        let parts: Vec<(String, Order)> = present.into_iter().zip(orders).collect();
        for (worker, order) in &parts {
            fleet.say(&Say::Order { worker, order });
        }
        let (stalled, interrupted) = fleet.attend(&parts, (job, control))?;
        let mut members = fleet.members();
        let told = parts.iter().map(|(worker, order)| {
            let report = members.all.get_mut(worker).and_then(|member| member.report.take());
            let report = report.map(|(report, _)| report).filter(|report| report.wave == wave);
            let done = report.as_ref().is_some_and(|report| report.done);
            Part { order, told: report.and_then(|report| report.stats), done }
        });
        let mut stats = merge::merge(job.scenario.unit(), told.collect());
        stats.backlog = side.map_or(0, |side| side.backlog);
        (stats.stalled, stats.interrupted) = (stalled, interrupted);
        control.publish(Live { open: 0, ..live(std::iter::once(&stats), 0) });
        Ok(stats)
    }
}

impl Fleet {
    /// Workers that are there.
    fn present(&self) -> Result<Vec<String>, LoadError> {
        let members = self.members();
        let present: Vec<String> = members.present().cloned().collect();
        match &members.broken {
            Some(why) => Err(LoadError::Locust(why.clone())),
            None if present.is_empty() => Err(LoadError::Locust("no worker of Locust's is left".to_owned())),
            None => Ok(present),
        }
    }

    /// Follows a wave to its end: why it stalled, if it did, and whether it was told to stop.
    fn attend(
        &self,
        parts: &[(String, Order)],
        (job, control): (&Job, &Control),
    ) -> Result<(Option<Stall>, bool), LoadError> {
        let wave = parts.first().map_or(0, |(_, order)| order.wave);
        let mut told: Option<(Why, Instant)> = None;
        let (mut stalled, mut refused) = (None, None);
        let mut members = self.members();
        loop {
            if let Some(why) = members.broken.clone() {
                // What was done until then is counted; the next wave finds nobody.
                members.lose(|_, _| true, &why);
            }
            let mine = || parts.iter().filter_map(|(worker, _)| members.all.get(worker));
            let known = || mine().filter_map(|member| of(member, wave));
            let open = known().map(|(report, _)| report.open).sum();
            control.publish(live(known().filter_map(|(report, _)| report.stats.as_ref()), open));
            refused = refused.or_else(|| known().find_map(|(report, _)| report.refused.clone()));
            if mine().all(|member| is_over(member, wave)) {
                break;
            }
            if told.is_none() {
                let silence: Vec<Silence> = known().map(silence).collect();
                // Who has not told anything yet cannot be said to wait.
                let all_told = silence.len() == parts.len();
                stalled = merge::stall(&silence, job.stall_timeout.as_secs_f64()).filter(|_| all_told);
                if stalled.is_some() || refused.is_some() || control.is_stopped() {
                    let why = if stalled.is_some() { Why::Stalled } else { Why::Interrupted };
                    parts.iter().for_each(|(worker, _)| self.say(&Say::Stop { worker, why }));
                    told = Some((why, Instant::now()));
                }
            }
            if told.is_some_and(|(_, since)| since.elapsed() > STOP) {
                let is_late =
                    |name: &str, of: &Member| parts.iter().any(|(worker, _)| worker == name) && !is_over(of, wave);
                members.lose(is_late, "it did not end its sessions when it was told to");
                break;
            }
            members = self.wait(members, LOOK);
        }
        drop(members);
        match refused {
            Some(why) => Err(LoadError::Locust(why)),
            None => Ok((stalled, told.is_some_and(|(why, _)| why == Why::Interrupted))),
        }
    }
}

/// A member's last report, where it is of this wave.
fn of(member: &Member, wave: u64) -> Option<(&Report, Instant)> {
    member.report.as_ref().filter(|(report, _)| report.wave == wave).map(|(report, came)| (report, *came))
}

fn is_over(member: &Member, wave: u64) -> bool {
    member.lost.is_some() || of(member, wave).is_some_and(|(report, _)| report.done || report.refused.is_some())
}

fn silence((report, came): (&Report, Instant)) -> Silence {
    let since = came.elapsed().as_secs_f64();
    let waited = if report.waited > 0.0 { report.waited + since } else { 0.0 };
    Silence { silent: report.silent + since, waited, stage: report.stage, open: report.open }
}

fn live<'a>(all: impl Iterator<Item = &'a LoadStats>, open: u64) -> Live {
    all.fold(Live { open, ..Live::default() }, |sum, stats| Live {
        sessions: sum.sessions + stats.sessions.finished + stats.sessions.refused + stats.sessions.failed,
        sent: sum.sent + stats.messages_sent,
        accepted: sum.accepted + stats.messages_accepted,
        errors: sum.errors + stats.errors.values().sum::<u64>(),
        bytes: sum.bytes + stats.bytes,
        ..sum
    })
}
