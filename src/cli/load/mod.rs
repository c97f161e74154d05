//! `profile-run load`: its arguments, what is meant by them, and what it shows.

mod args;
mod lower;
mod server;
mod show;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use super::fleet;
use super::stdout::errln;
use crate::load::external::locust;
use crate::load::{self, AskKernel, Control, Job, Tool};
use crate::model::load_stats::{LoadRow, LoadStats, RowPass};
use crate::model::plan::Engine;
use crate::server::listeners::other_side;

pub use args::Args;

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Runs `profile-run load`.
///
/// # Errors
/// Arguments that mean nothing, an address that may not be loaded.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let shown = show::Show::new(&args);
    let tool = lower::tool(&args)?;
    let jobs = lower::jobs(&args, tool.as_ref())?;
    if tool == Some(Tool::SmtpSource) {
        errln!("profile-run: {}", load::external::smtp_source::LIMITS);
    }
    let workers = args.fleet.lower(args.engine, Some(&args.target), args.allow_remote)?;
    let called = match args.engine {
        Engine::Locust => {
            for job in &jobs {
                locust::check(&job.scenario, &job.options)?;
            }
            Some(fleet::call(workers, args.quiet)?)
        }
        _ => None,
    };
    let tool = called.as_ref().map(|called| Tool::Locust(called.locust.clone())).or(tool);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    let mut exit = Exit::Held;
    for mut job in jobs {
        server::choose_family(&mut job);
        job.options.other_side = Some(AskKernel::by(other_side));
        let resolved = job.target.resolve(job.options.family, job.options.allow_remote)?;
        shown.begin(&job, &resolved);
        let server = server::Server::at(&resolved.endpoint);
        let cpu_before = server.cpu_seconds();
        let stats = runtime.block_on(carry_out(job.clone(), tool.clone(), &shown))?;
        let server_cpu = cpu_before.zip(server.cpu_seconds()).map(|(before, after)| after - before);
        let row = LoadRow::new(&job.scenario.name, None, RowPass::Load, &stats, server_cpu);
        shown.end(&job, &stats, &row);
        rows.push(row);
        for note in called.iter().flat_map(|called| called.locust.notes()) {
            errln!("profile-run: {} {}", note.text, note.advice);
        }
        exit = exit_of(&stats, exit);
        if matches!(exit, Exit::TargetFailed | Exit::Interrupted) {
            break;
        }
    }
    shown.result(&rows);
    Ok(exit)
}

/// Runs a job on a thread of its own; shows progress and takes Ctrl-C and SIGTERM meanwhile.
async fn carry_out(job: Job, tool: Option<Tool>, shown: &show::Show) -> anyhow::Result<LoadStats> {
    let control = Arc::new(Control::new());
    let (done, mut finished) = tokio::sync::oneshot::channel();
    let (told, work) = (Arc::clone(&control), job.clone());
    // Nobody listens only where this function has been left.
    let engine = std::thread::Builder::new()
        .name("load".into())
        .spawn(move || drop(done.send(load::run_with(&work, tool.as_ref(), &told))))
        .context("cannot start the load's thread")?;
    let mut tick = tokio::time::interval(PROGRESS_EVERY);
    tick.tick().await;
    let mut told_to_end = signal(SignalKind::terminate()).context("signals cannot be listened to")?;
    let outcome = loop {
        tokio::select! {
            outcome = &mut finished => break outcome,
            _ = tick.tick() => shown.progress(&job, control.live()),
            _ = tokio::signal::ctrl_c() => control.stop(),
            _ = told_to_end.recv() => control.stop(),
        }
    };
    shown.clear();
    if engine.join().is_err() {
        anyhow::bail!("the load's thread panicked: please report this");
    }
    Ok(outcome.context("the load's thread ended without a word")??)
}

fn exit_of(stats: &LoadStats, before: Exit) -> Exit {
    if stats.interrupted {
        Exit::Interrupted
    } else if stats.stalled.is_some() {
        Exit::TargetFailed
    } else if stats.is_whole() {
        before
    } else {
        Exit::Failed
    }
}
