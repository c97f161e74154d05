//! One scenario of the measure pass: waves and floors until the verdict is decided or the time is used.

use std::time::Duration;

use super::context::Context;
use super::scenario_run::{ScenarioRun, descriptors, most_descriptors};
use super::session::Session;
use super::settle::{self, Settled};
use super::stop_reason::Halt;
use super::wave::{self, Asked};
use super::wave_size::{self, Wave};
use super::{diagnosis, floors, hooks, time_share};
use crate::journal::{Event, Look, ProcessFloor, Rest, Warning};
use crate::matrix::Wish;
use crate::model::plan::scenario::Scenario;
use crate::model::{Pass, ScenarioStop, WarningKind};
use crate::phrase::plural;

/// Of the speed that more sessions at once should bring, what must come.
const FASTER: f64 = 0.6;

/// Seconds from which a conversation is slow.
const SLOW: f64 = 0.1;

/// How a scenario ended.
pub(super) enum Outcome {
    /// In order, for this reason.
    Done(ScenarioStop),
    /// The server stalled or fell; at fewer sessions at once it may hold.
    Fell(Option<u64>),
}

/// Runs a scenario.
pub(super) async fn run_scenario(
    run: &mut Context<'_>,
    session: &mut Session,
    scenario: &Scenario,
    share: Option<f64>,
    parallel: u64,
) -> Result<Outcome, Halt> {
    let mut state = ScenarioRun::new(scenario, run.plan, share, run.elapsed(), run.reply);
    state.known.parallel = parallel;
    let settled = settle::settle(run, session).await?;
    let processes = floor_of(run, session, &mut state, 0, settled).await?;
    state.first_fd = descriptors(&processes);
    state.learn(session, state.first_fd);
    if !wave_size::is_whole(&state.known) {
        state.known.left = time_share::left(run, &state);
        let wave = wave_size::warm_up(&state.known);
        if let Some(outcome) = run_wave(run, session, &mut state, 0, wave).await? {
            return Ok(outcome);
        }
        if let Some(outcome) = more_at_once(run, session, &mut state).await? {
            return Ok(outcome);
        }
        // The first wave must know what a session leaves open.
        settle::settle(run, session).await?;
        state.learn(session, most_descriptors(session));
    }
    loop {
        state.known.left = time_share::for_waves(run, &state);
        if wave_size::is_small(&state.known) && state.known.waves_run >= state.known.waves.unwrap_or(1) {
            return Ok(Outcome::Done(ScenarioStop::AllRun));
        }
        let wave = match wave_size::is_whole(&state.known) {
            true => Wave { count: state.known.total, parallel: parallel.min(state.known.total).max(1) },
            false => match wave_size::next(&state.known) {
                Some(wave) => wave,
                None if state.known.exact => return Ok(Outcome::Done(ScenarioStop::AllRun)),
                None => return Ok(Outcome::Done(ScenarioStop::BudgetUsed)),
            },
        };
        let number = state.known.waves_run + 1;
        let begun = run.elapsed();
        if let Some(outcome) = run_wave(run, session, &mut state, number, wave).await? {
            return Ok(outcome);
        }
        // What a wave costs beside its messages: connections that the server leaves open, above all.
        let beside = (run.elapsed() - begun - state.loaded).max(0.0);
        state.known.waves_run = number;
        let mut settled = settle::settle(run, session).await?;
        let wanted = match run.recorder.cells.wish(&scenario.name) {
            Wish::Rest { seconds, .. } if number > 1 => Some(seconds),
            _ => time_share::rest_now(run, &state, wave),
        };
        if let Some(seconds) = wanted {
            if !time_share::make_room(run, &mut state, seconds, wave) {
                // The floor is worth having all the same.
                floor_of(run, session, &mut state, number, settled).await?;
                return Ok(Outcome::Done(ScenarioStop::NoRoomForRest { seconds }));
            }
            keep_rest(run, session, &mut state, number, seconds).await?;
            settled.rested = true;
            state.rested = true;
        }
        state.known.settle = settled.seconds.max(0.2) + beside;
        let processes = floor_of(run, session, &mut state, number, settled).await?;
        state.learn(session, descriptors(&processes));
        if looks(run, &state, number)? {
            return Ok(Outcome::Done(ScenarioStop::Decided));
        }
    }
}

/// Where a server only waits, and would wait beyond the time there is, more sessions at once shorten the waiting. Step by
/// step, and only as far as it takes them and is faster with them.
async fn more_at_once(
    run: &mut Context<'_>,
    session: &mut Session,
    state: &mut ScenarioRun<'_>,
) -> Result<Option<Outcome>, Halt> {
    let asked = state.known.parallel;
    state.known.left = time_share::left(run, state);
    while let Some(wanted) = wave_size::more_at_once(&state.known, state.busy) {
        let (before, each) = (state.known.parallel, state.known.seconds_each);
        let parallel = wanted.min(before * 4);
        state.known.parallel = parallel;
        let wave = Wave { count: parallel.min(state.known.total), parallel: parallel.min(state.known.total) };
        if let Some(outcome) = run_wave(run, session, state, 0, wave).await? {
            return Ok(Some(outcome));
        }
        let expected = each * before as f64 / parallel as f64;
        if state.known.seconds_each * FASTER > expected || !state.went_as_meant {
            state.known.parallel = before;
            state.known.seconds_each = each;
            break;
        }
        if wave.count < parallel {
            break;
        }
        state.known.left = time_share::left(run, state);
    }
    if state.known.parallel > asked {
        run.patient = true;
        run.recorder.write(Event::Warning(Warning {
            kind: WarningKind::MoreAtOnce,
            text: format!(
                "The server mostly waits: {} runs with {} at once instead of {}.",
                state.scenario.name,
                plural(state.known.parallel, "session"),
                asked
            ),
            advice: format!(
                "Give it a longer --budget to run {} as it is meant, or find what the server waits for.",
                state.scenario.name
            ),
        }))?;
    }
    Ok(None)
}

/// Runs one wave; gives back how the scenario ends where the server did not go on.
async fn run_wave(
    run: &mut Context<'_>,
    session: &mut Session,
    state: &mut ScenarioRun<'_>,
    number: u32,
    wave: Wave,
) -> Result<Option<Outcome>, Halt> {
    let label = match number {
        0 => format!("measure   {:<11} warm-up", state.scenario.name),
        number => format!("measure   {:<11} wave {number}", state.scenario.name),
    };
    let asked = Asked {
        scenario: state.scenario,
        count: wave.count,
        parallel: wave.parallel,
        sessions_before: state.work.sessions,
        done: state.part_done(),
        label: &label,
        deadline: run.deadline(Pass::Measure),
        at_most: wave_size::at_most(&state.known, wave).map(Duration::from_secs_f64),
    };
    let attended = wave::run_load(run, session, &state.scene(number), asked).await?;
    state.take(&attended.tally, attended.server_cpu);
    run.patient |= waits_for_many(run, state, wave);
    let Some(seen) = attended.trouble else { return Ok(None) };
    let diagnosis = diagnosis::fell(run, session, &state.scene(number), &seen)?;
    // What it held once it may hold again: half of those that were open.
    let fewer = (diagnosis.from_sessions.is_some() && state.known.waves_run == 0)
        .then_some(attended.tally.peak_open / 2)
        .filter(|fewer| *fewer >= 4);
    Ok(Some(Outcome::Fell(fewer)))
}

/// Whether a server that is slow with one conversation has shown that it is not with several, as it only waits.
fn waits_for_many(run: &Context<'_>, state: &ScenarioRun<'_>, wave: Wave) -> bool {
    let Some(reply) = run.reply.filter(|reply| *reply > SLOW) else { return false };
    let each = state.known.seconds_each * wave.parallel as f64;
    wave.parallel > 1 && state.went_as_meant && state.busy < wave_size::WAITS && each * FASTER <= reply
}

async fn floor_of(
    run: &mut Context<'_>,
    session: &mut Session,
    state: &mut ScenarioRun<'_>,
    number: u32,
    settled: Settled,
) -> Result<Vec<ProcessFloor>, Halt> {
    if let Some(command) = &run.plan.settle {
        let command = command.replace("{pid}", &session.server.to_string());
        hooks::run_hook(run, "--settle", Some(command)).await?;
        settle::settle(run, session).await?;
    }
    let scene = state.scene(number);
    let processes = floors::measure(run, &mut state.floors, session, &scene, state.work, settled)?;
    state.live(&processes);
    Ok(processes)
}

async fn keep_rest(
    run: &mut Context<'_>,
    session: &mut Session,
    state: &mut ScenarioRun<'_>,
    number: u32,
    seconds: f64,
) -> Result<(), Halt> {
    let before = state.floors.measure(session, &run.sample_log.load, number, &run.plan.library);
    let label = format!("measure   {:<11} rest", state.scenario.name);
    run.recorder.write(Event::Rest(Rest {
        scene: state.scene(number),
        seconds,
        tree: Some(before.tree),
        before: before.processes,
    }))?;
    settle::rest(run, session, &label, seconds, run.deadline(Pass::Measure)).await
}

/// Writes down what the looks say; true where no further wave is wanted.
fn looks(run: &mut Context<'_>, state: &ScenarioRun, number: u32) -> Result<bool, Halt> {
    let scene = state.scene(number);
    let cells = &run.recorder.cells;
    let looks: Vec<Event> = cells
        .of(&state.scenario.name)
        .map(|cell| {
            let judgement = cells.outcome(cell);
            Event::Look(Look {
                scene: scene.clone(),
                metric: cell.metric,
                state: judgement.state,
                reason: judgement.reason,
                growth: judgement.growth,
            })
        })
        .collect();
    for look in looks {
        run.recorder.write(look)?;
    }
    let least = run.plan.waves.unwrap_or(wave_size::WAVES);
    let wanted = run.recorder.cells.wish(&state.scenario.name);
    Ok(number >= least && wanted == Wish::Nothing && !state.known.exact)
}
