//! One scenario of the measure pass: waves and floors until the verdict is decided or the time is used.

use super::context::Context;
use super::diagnosis;
use super::floors;
use super::scenario_run::{ScenarioRun, descriptors, most_descriptors};
use super::session::Session;
use super::settle::{self, Settled};
use super::stop_reason::Halt;
use super::wave::{self, Asked};
use super::wave_size::{self, Wave};
use crate::journal::{Event, Look, ProcessFloor, Rest, ScenarioBegin};
use crate::matrix::Wish;
use crate::model::plan::scenario::Scenario;
use crate::model::{Metric, Pass, ScenarioStop, State};

/// Waves that a rest is followed by before a leak is said, with one to spare.
const AFTER_REST: f64 = 4.0;

/// Of the time that is left, what a scenario may take while the run has no verdict.
const FIRST: f64 = 0.8;

/// Seconds in which nothing can be measured any more.
const TOO_LITTLE: f64 = 1.5;

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
    run.recorder.write(Event::Scenario(ScenarioBegin {
        pass: Pass::Measure,
        scenario: scenario.name.clone(),
        asked: scenario.into(),
        share: share.unwrap_or(0.0),
    }))?;
    if share.is_some_and(|share| share < TOO_LITTLE / 4.0) {
        return Ok(Outcome::Done(ScenarioStop::NeverBegan));
    }
    let mut state = ScenarioRun::new(scenario, run.plan.waves, run.plan.budget.is_none(), share, run.elapsed());
    state.known.parallel = parallel;
    let settled = settle::settle(run, session).await?;
    let processes = floor_of(run, session, &mut state, 0, settled)?;
    state.first_fd = descriptors(&processes);
    state.learn(session, state.first_fd);
    if !wave_size::is_whole(&state.known) {
        let wave = wave_size::warm_up(&state.known);
        if let Some(outcome) = run_wave(run, session, &mut state, 0, wave).await? {
            return Ok(outcome);
        }
        // The first wave must know what a session leaves open.
        settle::settle(run, session).await?;
        state.learn(session, most_descriptors(session));
    }
    loop {
        state.known.left = left(run, &state);
        let wave = match wave_size::is_whole(&state.known) {
            true if state.known.waves_run > 0 => {
                return Ok(Outcome::Done(ScenarioStop::AllRun));
            }
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
        if let Wish::Rest { seconds, .. } = run.recorder.cells.wish(&scenario.name)
            && number > 1
        {
            if !make_room(run, &mut state, seconds, wave) {
                // The floor is worth having all the same.
                floor_of(run, session, &mut state, number, settled)?;
                return Ok(Outcome::Done(ScenarioStop::NoRoomForRest { seconds }));
            }
            keep_rest(run, session, &mut state, number, seconds).await?;
            settled.rested = true;
        }
        state.known.settle = settled.seconds.max(0.2) + beside;
        let processes = floor_of(run, session, &mut state, number, settled)?;
        state.learn(session, descriptors(&processes));
        if looks(run, &state, number)? {
            return Ok(Outcome::Done(ScenarioStop::Decided));
        }
    }
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
        at_most: None,
    };
    let attended = wave::run_load(run, session, &state.scene(number), asked).await?;
    state.take(&attended.tally);
    let Some(seen) = attended.trouble else { return Ok(None) };
    let diagnosis = diagnosis::fell(run, session, &state.scene(number), &seen)?;
    // What it held once it may hold again: half of those that were open.
    let fewer = (diagnosis.from_sessions.is_some() && state.known.waves_run == 0)
        .then_some(attended.tally.peak_open / 2)
        .filter(|fewer| *fewer >= 4);
    Ok(Some(Outcome::Fell(fewer)))
}

fn floor_of(
    run: &mut Context<'_>,
    session: &mut Session,
    state: &mut ScenarioRun<'_>,
    number: u32,
    settled: Settled,
) -> Result<Vec<ProcessFloor>, Halt> {
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
    let before = state.floors.measure(session, &run.sample_log.load, number).processes;
    let label = format!("measure   {:<11} rest", state.scenario.name);
    run.recorder.write(Event::Rest(Rest { scene: state.scene(number), seconds, before }))?;
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

/// Seconds that a scenario has left; none without a budget.
fn left(run: &Context<'_>, state: &ScenarioRun) -> Option<f64> {
    let deadline = run.deadline(Pass::Measure)?;
    let all = deadline - run.elapsed();
    let own = state.share? - (run.elapsed() - state.began);
    // Until the run can have a verdict at all, what is under way goes before what is still to come.
    let own = if is_secured(run) { own } else { own.max(all * FIRST) };
    Some(own.min(all))
}

/// The run has its verdict, whatever is still to come: a leak is proven, or memory, descriptors and sockets were each
/// judged somewhere.
fn is_secured(run: &Context<'_>) -> bool {
    let cells = &run.recorder.cells;
    let states: Vec<(Metric, State)> =
        cells.all().iter().map(|cell| (cell.metric, cells.outcome(cell).state)).collect();
    let holds = |of: &dyn Fn(Metric) -> bool| states.iter().any(|(metric, state)| of(*metric) && state.holds());
    states.iter().any(|(_, state)| *state == State::Leak)
        || (holds(&|metric| metric == Metric::Heap || metric.is_resident())
            && holds(&|metric| metric == Metric::Fd)
            && holds(&|metric| metric == Metric::Sockets))
}

/// Whether a rest, and the waves through which the growth must hold after it, have room: in the scenario's part, or,
/// while no leak is proven, in all that is left. What decides comes first.
fn make_room(run: &Context<'_>, state: &mut ScenarioRun<'_>, seconds: f64, wave: Wave) -> bool {
    let Some(left) = left(run, state) else { return true };
    let each = state.known.settle + wave.count as f64 * state.known.seconds_each;
    let needed = seconds + AFTER_REST * each;
    if left > needed {
        return true;
    }
    let proven = run.recorder.cells.all().iter().any(|cell| run.recorder.cells.outcome(cell).state == State::Leak);
    let all = run.deadline(Pass::Measure).map_or(f64::INFINITY, |deadline| deadline - run.elapsed());
    if proven || all < seconds + each {
        return false;
    }
    state.share = state.share.map(|share| share + (needed - left));
    true
}
