//! A run from its header to its end.

use std::path::{Path, PathBuf};
use tokio::time::Instant;

use serde_json::Value;

use super::context::Context;
use super::count_pass;
use super::environment;
use super::fleet;
use super::hooks;
use super::interrupt::Interrupt;
use super::measure_pass;
use super::others::Others;
use super::profile_pass;
use super::recorder::Recorder;
use super::sample_log::SampleLog;
use super::stop_reason::Halt;
use super::timed;
use crate::journal::{End, Event, Folder, Header, Interrupted, Planned, SCHEMA, Writer};
use crate::matrix::Cells;
use crate::model::plan::{Pass, Plan};
use crate::model::{Against, EarlyEnd, Hidden};
use crate::proc::Process;
use crate::server::attach;
use crate::server::command::Invocation;
use crate::server::php;
use crate::server::private::Private;
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
    /// What is hidden in all that the run hands on.
    pub hidden: Hidden,
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
    /// Times of this build and another one, to be written down with the run.
    pub against: Option<Against>,
}

/// Understands the plan's command where it will run.
///
/// # Errors
/// The working directory or the program is not there, or the program is a container's client.
pub fn understand(plan: &Plan) -> Result<(Invocation, PathBuf), TargetError> {
    if let Some(name) = &plan.attach {
        let gone = |error: crate::proc::Error| TargetError::Attach { name: name.clone(), why: error.to_string() };
        let pid = attach::find(name)?;
        // Its commit and settings are looked for where it runs, as far as that can be seen.
        let cwd = Process::open(pid).and_then(|process| process.cwd()).unwrap_or_else(|_| PathBuf::from("."));
        return Ok((Invocation::of_running(pid).map_err(gone)?, cwd));
    }
    let given = plan.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let cwd = given.canonicalize().map_err(|source| TargetError::WorkingDirectory { path: given, source })?;
    Ok((Invocation::understand(&plan.command, &cwd)?, cwd))
}

/// Carries a plan out. Whatever happens, the target is gone afterwards and the journal tells of it.
///
/// # Errors
/// The run's folder cannot be written, or the run cannot be guarded; all else is in the journal.
pub fn run(order: Order) -> Result<(), Halt> {
    // One thread conducts. What must not wait for it (the load, the sampler, the signals) has threads of its own.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(conduct(order))
}

async fn conduct(order: Order<'_>) -> Result<(), Halt> {
    let Order { plan, bounds, settings, hidden, folder, journal, started, invocation, cwd, interrupt, against } = order;
    if !Path::new("/proc/self/stat").exists() {
        return Err(Halt::early(
            EarlyEnd::Environment,
            "there is no /proc here, from which all that is known of a server is read: mount -t proc proc /proc",
        ));
    }
    // Orphans of the target come to us instead of to init.
    tree::become_subreaper().map_err(|error| {
        Halt::early(
            EarlyEnd::Environment,
            format!("the processes of the server cannot be kept together: PR_SET_CHILD_SUBREAPER: {error}"),
        )
    })?;
    let id = format!("{}-{:x}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let watchdog = Watchdog::start(&id).map_err(|error| match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => Halt::Folder(error),
        _ => Halt::early(EarlyEnd::Environment, format!("the run's watchdog cannot be started: {error}")),
    })?;
    let private = Private::create(&id, folder.root()).map_err(|error| {
        Halt::early(
            EarlyEnd::Environment,
            format!("no private folder can be made for what PHP reads of this run: {error}"),
        )
    })?;
    watchdog.remove_at_end(private.root());
    let descriptors =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    let mut run = Context {
        tool: None,
        allow_xdebug: None,
        recorder: Recorder::new(journal, Cells::new(plan, bounds)),
        sample_log: SampleLog::begin(folder.new_samples()?)?,
        plan,
        folder,
        interrupt,
        watchdog,
        private,
        invocation,
        php: None,
        php_asked: false,
        left_xdebug: None,
        greeted: false,
        told_unaccounted: false,
        reply: None,
        extensions: Vec::new(),
        patient: false,
        runtime: None,
        valgrind: None,
        counts_forks: false,
        count_until: None,
        in_container: std::collections::BTreeMap::new(),
        others: Others::default(),
        cwd,
        id,
        descriptors,
        began: Instant::now(),
    };
    let outcome = carry_out(&mut run, started, (settings, hidden, against)).await;
    run.sample_log.flush();
    match outcome {
        Ok(()) => run.recorder.write(Event::End(End::default())),
        Err(Halt::Interrupted(signal)) => {
            run.recorder.write(Event::Interrupted(Interrupted { signal: signal.to_owned() }))?;
            run.recorder.write(Event::End(End { early: Some(EarlyEnd::Interrupted), sentence: None }))
        }
        Err(Halt::Early { why, sentence }) => {
            run.recorder.write(Event::End(End { early: Some(why), sentence: Some(sentence) }))
        }
        Err(Halt::Disk(sentence)) => {
            run.recorder.write(Event::End(End { early: Some(EarlyEnd::Environment), sentence: Some(sentence) }))
        }
        Err(Halt::Target(error)) => {
            run.recorder.write(Event::End(End { early: Some(EarlyEnd::Launch), sentence: Some(error.to_string()) }))
        }
        Err(error @ Halt::Folder(_)) => Err(error),
    }
}

async fn carry_out(
    run: &mut Context<'_>,
    started: String,
    (settings, hidden, against): (Value, Hidden, Option<Against>),
) -> Result<(), Halt> {
    let (commit, dirty) = environment::source(&run.cwd).await;
    run.recorder.write(Event::Header(Header {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        host: environment::host(),
        commit,
        dirty,
        branch: environment::branch(&run.cwd).await,
        root: environment::root(&run.cwd).await,
        cwd: std::env::current_dir().ok().map(|folder| folder.display().to_string()),
    }))?;
    run.recorder.write(Event::Plan(Planned { plan: Box::new(run.plan.clone()), settings, hidden }))?;
    if let Some(against) = against {
        run.recorder.write(Event::Against(Box::new(against)))?;
    }
    hooks::run_hook(run, "--prepare", run.plan.prepare.clone()).await?;
    ask_php(run);
    for warning in environment::warnings(run.plan, &run.invocation, run.php.as_ref(), &run.cwd) {
        run.recorder.write(Event::Warning(warning))?;
    }
    fleet::call(run).await?;
    for pass in &run.plan.passes {
        run.interrupt.check()?;
        match pass {
            Pass::Measure => match run.plan.timed {
                Some(count) => timed::timed_load(run, count).await?,
                None => measure_pass::measure_pass(run).await?,
            },
            Pass::Profile => match profile_pass::profile_pass(run).await {
                // What fails under the profiler takes nothing from what was measured without it.
                Err(halt @ (Halt::Early { .. } | Halt::Target(_))) if run.plan.passes.contains(&Pass::Measure) => {
                    run.recorder.not_measured(format!("The profile: {halt}"))?;
                }
                done => done?,
            },
            Pass::Count => count_pass::count_pass(run).await?,
        }
    }
    Ok(())
}

/// Asks the php that the command will run, where it can be told.
fn ask_php(run: &mut Context<'_>) {
    let Some(binary) = run.invocation.php.clone() else { return };
    let options = run.invocation.php_options().to_vec();
    run.php = php::ask(&binary, &options, &run.cwd, &run.environment_added());
}
