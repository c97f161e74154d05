//! What the parts of a run share: the plan, the folder, the journal, signals, and the time that is left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::time::Instant;

use super::interrupt::Interrupt;
use super::others::Others;
use super::recorder::Recorder;
use super::running_php::LeftXdebug;
use super::sample_log::SampleLog;
use crate::journal::Folder;
use crate::load::Tool;
use crate::model::Runtime;
use crate::model::plan::{Pass, Plan};
use crate::server::command::Invocation;
use crate::server::php::PhpFacts;
use crate::server::private::Private;
use crate::server::valgrind::Valgrind;
use crate::server::watchdog::Watchdog;

/// Variables that a profile pass adds to.
pub(super) const LEARNT: [&str; 2] = ["PHP_INI_SCAN_DIR", "LD_PRELOAD"];

/// A run that goes on.
#[derive(Debug)]
pub struct Context<'a> {
    /// What was asked.
    pub(super) plan: &'a Plan,
    /// Where it is kept.
    pub(super) folder: &'a Folder,
    /// The journal, and what it means so far.
    pub(super) recorder: Recorder,
    /// What makes the load, where it is not the built-in engine.
    pub(super) tool: Option<Tool>,
    /// Signals.
    pub(super) interrupt: Interrupt,
    /// Ends what we launched where we are killed.
    pub(super) watchdog: Watchdog,
    /// What PHP reads of ours, and where its profiles are dropped.
    pub(super) private: Private,
    /// What the sampler reads, and what the load does at that moment.
    pub(super) sample_log: SampleLog,
    /// The command, understood.
    pub(super) invocation: Invocation,
    /// What its php says of itself, where there is one.
    pub(super) php: Option<PhpFacts>,
    /// The running server was asked what it is; where `php` is none then, it is no PHP.
    pub(super) php_asked: bool,
    /// The server's own process runs without Xdebug, which its php loads otherwise.
    pub(super) left_xdebug: Option<LeftXdebug>,
    /// The server greeted at an earlier start.
    pub(super) greeted: bool,
    /// It was said that memory does not add up.
    pub(super) told_unaccounted: bool,
    /// Seconds that the first whole conversation took; none where none was held.
    pub(super) reply: Option<f64>,
    /// What the first conversation's EHLO offered, a line each.
    pub(super) extensions: Vec<String>,
    /// The server was seen to wait, and to take more sessions at once.
    pub(super) patient: bool,
    /// The variable by which the application stays with Xdebug, where it was seen to start itself anew without.
    pub(super) allow_xdebug: Option<String>,
    /// What the server runs in, where it collects when it will.
    pub(super) runtime: Option<Runtime>,
    /// The valgrind of the count pass, while it goes on.
    pub(super) valgrind: Option<Valgrind>,
    /// Forked processes of the count pass begin at nothing.
    pub(super) counts_forks: bool,
    /// The second of the run at which the count pass should end; none where it has no limit.
    pub(super) count_until: Option<f64>,
    /// Variables of the container that ours would hide, as they were seen in its first launch.
    pub(super) in_container: BTreeMap<String, String>,
    /// What other programs used of the machine.
    pub(super) others: Others,
    /// The server's working directory, absolute.
    pub(super) cwd: PathBuf,
    /// The mark in the environment of everything that we launch.
    pub(super) id: String,
    /// Limits of descriptors, soft and hard, as the shell gave them.
    pub(super) descriptors: (u64, u64),
    /// When it began.
    pub(super) began: Instant,
}

impl Context<'_> {
    /// The variables that the plan adds.
    pub(super) fn environment_added(&self) -> BTreeMap<String, String> {
        self.plan.env.iter().cloned().collect()
    }

    /// The environment that the target would have, as far as it is text.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        if let Some(client) = &self.invocation.client {
            // What the client has says nothing of its container.
            all = self.in_container.clone();
            let typed = LEARNT.iter().filter_map(|name| Some(((*name).to_owned(), client.variable(name)?.to_owned())));
            all.extend(typed);
        }
        all.extend(self.environment_added());
        all
    }

    /// Seconds since the run began.
    pub(super) fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The second of the run at which a pass should have ended; none without a budget.
    pub(super) fn deadline(&self, pass: Pass) -> Option<f64> {
        let budget = self.plan.budget?.as_secs_f64();
        let passes = &self.plan.passes;
        let both = passes.contains(&Pass::Measure) && passes.contains(&Pass::Profile) && self.can_profile();
        match pass {
            Pass::Measure if both => Some(budget * 0.75),
            Pass::Measure | Pass::Profile => Some(budget),
            Pass::Count => self.count_until,
        }
    }

    /// A profile pass will be worth its time.
    pub(super) fn can_profile(&self) -> bool {
        let stays = self.left_xdebug.as_ref().is_some_and(|left| left.variable.is_some());
        let xdebug = self.php.as_ref().map_or(!self.php_asked, |php| php.xdebug.is_some() || stays);
        xdebug && !self.invocation.without_configuration()
    }
}
