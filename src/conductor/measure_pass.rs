//! The first pass, `measure`: every scenario in waves, a floor after each, until the verdict is decided or the time is used.

use std::time::Duration;

use super::context::Context;
use super::scenario::{self, Outcome};
use super::scenario_run::most_descriptors;
use super::session::Session;
use super::stop_reason::Halt;
use super::{launch, ledger, preflight, stop, time_share};
use crate::journal::{Event, ScenarioBegin, ScenarioEnd};
use crate::model::plan::scenario::Scenario;
use crate::model::{Pass, ScenarioStop};

/// How long the target may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(5);

/// Of the descriptor limit, what a scenario may find used when it begins.
const HALF: f64 = 0.5;

/// The measure pass. Whatever happens, the target is stopped.
pub(super) async fn measure_pass(run: &mut Context<'_>) -> Result<(), Halt> {
    let mut session = Some(launch::launch(run, Pass::Measure).await?);
    let outcome = scenarios(run, &mut session).await;
    if let Some(session) = session {
        stop::stop_session(run, session, STOP).await?;
    }
    if let Some(warning) = run.others.warning() {
        run.recorder.write(Event::Warning(warning))?;
    }
    outcome
}

async fn scenarios(run: &mut Context<'_>, session: &mut Option<Session>) -> Result<(), Halt> {
    if let Some(first) = session {
        preflight::hold(run, first).await?;
        if ledger::keep(run, first).await? {
            return Ok(());
        }
    }
    let scenarios = &run.plan.scenarios;
    for (at, scenario) in scenarios.iter().enumerate() {
        let coming = &scenarios[at..];
        let share = time_share::share(run, coming);
        // The first one runs in any case: it tells what the server can do.
        if at > 0 && !time_share::is_worth_it(run, coming) {
            begin(run, scenario, share)?;
            end(run, scenario, ScenarioStop::NeverBegan)?;
            continue;
        }
        if run.invocation.running.is_some()
            && session.as_mut().is_none_or(|running| running.spoilt || running.is_gone())
        {
            // Nobody but its owner may start it again.
            begin(run, scenario, share)?;
            end(run, scenario, ScenarioStop::AlreadyGone)?;
            continue;
        }
        let mut parallel = scenario.sessions;
        for again in [false, true] {
            fresh_if_needed(run, session).await?;
            let Some(running) = session else { break };
            begin(run, scenario, share)?;
            match scenario::run_scenario(run, running, scenario, share, parallel).await? {
                Outcome::Done(why) => {
                    end(run, scenario, why)?;
                    break;
                }
                Outcome::Fell(fewer) => match fewer.filter(|_| !again) {
                    Some(fewer) => {
                        end(run, scenario, ScenarioStop::RunAgain { parallel, fewer })?;
                        parallel = fewer;
                    }
                    None => {
                        end(run, scenario, ScenarioStop::Fell)?;
                        break;
                    }
                },
            }
        }
    }
    Ok(())
}

fn begin(run: &mut Context<'_>, scenario: &Scenario, share: Option<f64>) -> Result<(), Halt> {
    run.recorder.write(Event::Scenario(ScenarioBegin {
        pass: Pass::Measure,
        scenario: scenario.name.clone(),
        asked: scenario.into(),
        share: share.unwrap_or(0.0),
    }))
}

fn end(run: &mut Context<'_>, scenario: &Scenario, why: ScenarioStop) -> Result<(), Halt> {
    run.recorder.write(Event::ScenarioEnd(ScenarioEnd { pass: Pass::Measure, scenario: scenario.name.clone(), why }))
}

/// Launches the target anew where the last scenario left it fallen, or with many descriptors open.
async fn fresh_if_needed(run: &mut Context<'_>, session: &mut Option<Session>) -> Result<(), Halt> {
    let Some(running) = session.as_mut() else { return Ok(()) };
    let open = most_descriptors(running);
    let full = running.descriptor_limit.is_some_and(|limit| open as f64 > limit as f64 * HALF);
    if run.invocation.running.is_some() || !running.spoilt && !full && !running.is_gone() {
        return Ok(());
    }
    if let Some(old) = session.take() {
        stop::stop_session(run, old, STOP).await?;
    }
    *session = Some(launch::launch(run, Pass::Measure).await?);
    Ok(())
}
