//! A run from its header to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use super::environment;
use super::interrupt::Interrupt;
use super::recorder::Notebook;
use super::sample_log::Trace;
use super::stop_reason::Halt;
use crate::journal::{Event, Folder, SCHEMA, Writer};
use crate::matrix::Cells;
use crate::model::plan::{Pass, Plan};
use crate::server::command::Invocation;
use crate::server::php::{self, PhpFacts};
use crate::server::watchdog::Watchdog;
use crate::server::{TargetError, tree};
use crate::verdict::Bounds;

/// What a run is started with.
#[derive(Debug)]
pub struct Order<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The verdict's thresholds.
    pub bounds: &'a Bounds,
    /// How the run is to be judged, for the journal.
    pub settings: Value,
    /// The run's folder.
    pub folder: &'a Folder,
    /// Its journal.
    pub journal: Writer,
    /// When it began, RFC 3339.
    pub started: String,
    /// The command, understood.
    pub invocation: Invocation,
    /// The server's working directory, absolute.
    pub cwd: PathBuf,
    /// Signals; listened to from before the folder was made.
    pub interrupt: Interrupt,
}

/// A run that goes on.
#[derive(Debug)]
pub struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a Folder,
    pub(super) book: Notebook,
    pub(super) interrupt: Interrupt,
    pub(super) watchdog: Watchdog,
    pub(super) trace: Trace,
    pub(super) invocation: Invocation,
    pub(super) php: Option<PhpFacts>,
    pub(super) cwd: PathBuf,
    pub(super) id: String,
    /// Limits of descriptors, soft and hard, as the shell gave them.
    pub(super) descriptors: (u64, u64),
    pub(super) began: Instant,
}

/// Understands the plan's command where it will run.
///
/// # Errors
/// The working directory or the program is not there, or the program is a container's client.
pub fn understand(plan: &Plan) -> Result<(Invocation, PathBuf), TargetError> {
    let given = plan.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let cwd = given.canonicalize().map_err(|source| TargetError::WorkingDirectory { path: given, source })?;
    Ok((Invocation::understand(&plan.command, &cwd)?, cwd))
}

/// Carries a plan out. Whatever happens, the target is gone afterwards and the journal tells of it.
///
/// # Errors
/// The run's folder cannot be written, or the run cannot be guarded; all else is in the journal.
pub fn run(order: Order) -> Result<(), Halt> {
    let Order { plan, bounds, settings, folder, journal, started, invocation, cwd, interrupt } = order;
    // Orphans of the target come to us instead of to init.
    tree::become_subreaper().map_err(std::io::Error::from)?;
    let id = format!("{}-{:x}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let watchdog = Watchdog::start(&id)?;
    let descriptors =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    let mut run = Run {
        book: Notebook::new(journal, Cells::new(plan, bounds)),
        trace: Trace::create(&folder.samples())?,
        plan,
        folder,
        interrupt,
        watchdog,
        invocation,
        php: None,
        cwd,
        id,
        descriptors,
        began: Instant::now(),
    };
    let outcome = run.carry_out(started, settings);
    run.trace.flush();
    match outcome {
        Ok(()) => run.book.write(Event::End { early: None, sentence: None }),
        Err(Halt::Interrupted(signal)) => {
            run.book.write(Event::Interrupted { signal: signal.to_owned() })?;
            run.book.write(Event::End { early: Some("interrupted".to_owned()), sentence: None })
        }
        Err(Halt::Early { why, sentence }) => {
            run.book.write(Event::End { early: Some(why.to_owned()), sentence: Some(sentence) })
        }
        Err(Halt::Target(error)) => {
            run.book.write(Event::End { early: Some("launch".to_owned()), sentence: Some(error.to_string()) })
        }
        Err(error @ Halt::Folder(_)) => Err(error),
    }
}

impl Run<'_> {
    fn carry_out(&mut self, started: String, settings: Value) -> Result<(), Halt> {
        let (commit, dirty) = environment::source(&self.cwd);
        self.book.write(Event::Header {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            host: environment::host(),
            commit,
            dirty,
        })?;
        self.book.write(Event::Plan { plan: Box::new(self.plan.clone()), settings })?;
        self.ask_php();
        for event in environment::warnings(self.plan, &self.invocation, self.php.as_ref(), &self.cwd) {
            self.book.write(event)?;
        }
        for pass in &self.plan.passes {
            self.interrupt.check()?;
            match pass {
                Pass::Clean => self.clean_pass()?,
                Pass::Profile => self.profile_pass()?,
            }
        }
        Ok(())
    }

    /// Asks the php that the command will run, where it can be told.
    fn ask_php(&mut self) {
        let Some(binary) = self.invocation.php.clone() else { return };
        let options = self.invocation.php_options().to_vec();
        self.php = php::ask(&binary, &options, &self.cwd, &self.environment_added());
    }

    /// The variables that the plan adds.
    pub(super) fn environment_added(&self) -> BTreeMap<String, String> {
        self.plan.env.iter().cloned().collect()
    }

    /// The environment that the target would have, as far as it is text.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
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
        let both = self.plan.passes.len() == 2 && self.can_profile();
        Some(match pass {
            Pass::Clean if both => budget * 0.75,
            _ => budget,
        })
    }

    /// A profile pass will be worth its time.
    pub(super) fn can_profile(&self) -> bool {
        self.php.as_ref().is_none_or(|php| php.xdebug.is_some()) && !self.invocation.without_configuration()
    }
}
