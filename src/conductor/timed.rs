//! A launch for its times alone: a warm-up, one load, and no floors.

use std::time::Duration;

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use super::wave::{self, Asked};
use super::{diagnosis, launch, preflight, stop};
use crate::journal::Scene;
use crate::model::{EarlyEnd, Pass};

/// How long the target may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(5);

/// Parts of the load, each timed by itself: what else runs on the machine disturbs some of them.
const PARTS: u64 = 10;

/// Parts that are played before, so that what is compiled and filled once is no part of it.
const WARM_UP: u64 = 2;

/// Launches the target, loads it with `count` messages of the plan's scenario, and stops it.
pub(super) async fn timed_load(run: &mut Context<'_>, count: u64) -> Result<(), Halt> {
    let mut session = launch::launch(run, Pass::Measure).await?;
    let outcome = load(run, &mut session, count).await;
    stop::stop_session(run, session, STOP).await?;
    outcome
}

async fn load(run: &mut Context<'_>, session: &mut Session, count: u64) -> Result<(), Halt> {
    preflight::hold(run, session).await?;
    let Some(scenario) = run.plan.scenarios.first() else { return Ok(()) };
    let part = (count / PARTS).max(1);
    let mut sessions_before = 0;
    for wave in 0..=PARTS {
        let count = if wave == 0 { WARM_UP * part } else { part };
        let scene = Scene { pass: Pass::Measure, scenario: scenario.name.clone(), wave: wave as u32 };
        let asked = Asked {
            scenario,
            count,
            parallel: scenario.sessions.min(count),
            sessions_before,
            done: wave as f64 / (PARTS + 1) as f64,
            label: &format!("compared  {:<11}", scenario.name),
            deadline: None,
            at_most: None,
        };
        if let Some(seen) = wave::run_load(run, session, &scene, asked).await?.trouble {
            diagnosis::fell(run, session, &scene, &seen)?;
            return Err(Halt::early(EarlyEnd::Launch, format!("the server fell under {}", scenario.name)));
        }
        sessions_before += count;
    }
    Ok(())
}
