//! Who gets how much of the time: a scenario's part, what is kept for those after it, for a rest, and for one wave.

use super::context::Context;
use super::scenario_run::ScenarioRun;
use super::wave_size::{self, Wave};
use crate::model::plan::scenario::Scenario;
use crate::model::{Metric, Pass, State};

/// The fewest waves that a rest is followed by before a leak is said, with one to spare.
const AFTER_REST: f64 = 4.0;

/// Of the waves before it, the part that must follow a rest: the verdict wants a quarter of the work.
const AFTER_REST_PART: f64 = 0.3;

/// Of the time that is left, what a scenario may take while the run has no verdict.
const FIRST: f64 = 0.8;

/// Of what a scenario has left, what is kept for a rest at most.
const FOR_REST: f64 = 0.4;

/// Of the time that is left, what is kept for later scenarios at most.
const FOR_LATER: f64 = 0.5;

/// Waves after which growth may be told from a start.
const FEWEST: u32 = 5;

/// Waves after which what rises evenly gets its rest: a quarter of their work is still to come before two looks can agree.
const EARLY: u32 = 7;

/// Seconds between two waves where nothing was measured yet: settling and a floor.
const BETWEEN: f64 = 0.6;

/// Seconds of the first pass that are left; none without a budget.
pub(super) fn all_left(run: &Context<'_>) -> Option<f64> {
    Some(run.deadline(Pass::Measure)? - run.elapsed())
}

/// Seconds that a scenario which has not begun gets, among those that come with it and after it.
pub(super) fn share(run: &Context<'_>, coming: &[Scenario]) -> Option<f64> {
    let weights: f64 = coming.iter().map(|scenario| wave_size::weight(&scenario.name)).sum();
    Some(all_left(run)? * wave_size::weight(&coming[0].name) / weights)
}

/// Seconds that a scenario needs at the very least, before anything of it was measured.
fn least(run: &Context<'_>, scenario: &Scenario) -> f64 {
    let mut known = ScenarioRun::new(scenario, run.plan, None, 0.0, run.reply).known;
    known.settle = BETWEEN;
    if run.patient {
        known.seconds_each = known.seconds_each.min(run.reply.unwrap_or(0.0) / wave_size::MOST_WAITING as f64);
    }
    if wave_size::is_whole(&known) { BETWEEN + known.total as f64 * known.seconds_each } else { known.least_seconds() }
}

/// Whether what is left, beside what those after it need, is enough for a scenario to be judged at all.
pub(super) fn is_worth_it(run: &Context<'_>, coming: &[Scenario]) -> bool {
    all_left(run).is_none_or(|all| all >= least(run, &coming[0]))
}

/// Seconds that a scenario under way has left; none without a budget.
pub(super) fn left(run: &Context<'_>, state: &ScenarioRun<'_>) -> Option<f64> {
    let all = all_left(run)?;
    let own = state.share? - (run.elapsed() - state.began);
    let at = run.plan.scenarios.iter().position(|scenario| scenario.name == state.scenario.name).unwrap_or(0);
    let later: f64 = run.plan.scenarios.iter().skip(at + 1).map(|scenario| least(run, scenario)).sum();
    // After its rest a rise is a few waves from being proven: what decides comes first.
    let later = if state.rested && rises_evenly(run, state) { 0.0 } else { later.min(all * FOR_LATER) };
    let may = (all - later).max(0.0);
    let waves = f64::from(state.known.waves.unwrap_or(wave_size::WAVES)).max(1.0);
    let to_come = (1.0 - f64::from(state.known.waves_run) / waves).max(0.0);
    // What is too small to be judged ends by itself, after the waves that were asked for.
    if wave_size::is_small(&state.known) {
        return Some(may);
    }
    // Until the run can have a verdict at all, what is under way goes before what is still to come; but not where its
    // least work is out of reach.
    let reachable = state.known.useful_seconds() * to_come <= may;
    let own = if !is_secured(run) && reachable { own.max(may * FIRST) } else { own };
    Some(own.min(may))
}

/// Something of the scenario grows, and is not known to stop.
fn grows(run: &Context<'_>, state: &ScenarioRun<'_>) -> bool {
    let cells = &run.recorder.cells;
    cells.of(&state.scenario.name).any(|cell| {
        let judgement = cells.outcome(cell);
        !judgement.state.holds() && cell.has_grown()
    })
}

/// Of what is left, what the next waves may use: where growth is seen, a rest and the waves after it are kept.
pub(super) fn for_waves(run: &Context<'_>, state: &ScenarioRun<'_>) -> Option<f64> {
    let left = left(run, state)?;
    if state.rested || state.known.exact || !grows(run, state) {
        return Some(left);
    }
    let each = state.known.settle + state.known.last.unwrap_or(0) as f64 * state.known.seconds_each;
    let rest = run.plan.rest.as_secs_f64() + after_rest(state) * each;
    Some(left - rest.min(left * FOR_REST).max(0.0))
}

/// Something of the scenario rises wave by wave, as what it keeps of each message would.
fn rises_evenly(run: &Context<'_>, state: &ScenarioRun<'_>) -> bool {
    let cells = &run.recorder.cells;
    cells.of(&state.scenario.name).any(|cell| !cells.outcome(cell).state.holds() && cell.rises_evenly())
}

/// Seconds of a rest that must be kept now, as after another wave there would be no time for it: without one no growth
/// could be called a leak in the end. What rises evenly gets it early, so that the waves which are needed in any case are
/// those that follow it.
pub(super) fn rest_now(run: &Context<'_>, state: &ScenarioRun<'_>, wave: Wave) -> Option<f64> {
    let own = left(run, state).filter(|_| !state.rested && state.known.waves_run >= FEWEST && grows(run, state))?;
    // What rises evenly may have the time of the scenarios that come later.
    let evenly = rises_evenly(run, state);
    let left = if evenly { all_left(run)? } else { own };
    let each = state.known.settle + wave.count as f64 * state.known.seconds_each;
    let rest = run.plan.rest.as_secs_f64();
    // A wave may take twice as long as the last one did.
    let last_chance = left < rest + (after_rest(state) + 2.0) * each;
    let early = state.known.waves_run >= EARLY && evenly;
    if early && left > rest + (after_rest(state) + 2.0) * each {
        return Some(rest);
    }
    (last_chance && left > rest + state.known.settle).then_some(rest)
}

/// Waves that must follow a rest.
fn after_rest(state: &ScenarioRun<'_>) -> f64 {
    AFTER_REST.max(f64::from(state.known.waves_run) * AFTER_REST_PART)
}

/// The run has its verdict, whatever is still to come: a leak is proven, or memory, descriptors and sockets were each
/// judged somewhere.
pub(super) fn is_secured(run: &Context<'_>) -> bool {
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
pub(super) fn make_room(run: &Context<'_>, state: &mut ScenarioRun<'_>, seconds: f64, wave: Wave) -> bool {
    let Some(left) = left(run, state) else { return true };
    let each = state.known.settle + wave.count as f64 * state.known.seconds_each;
    let needed = seconds + after_rest(state) * each;
    if left > needed {
        return true;
    }
    let proven = run.recorder.cells.all().iter().any(|cell| run.recorder.cells.outcome(cell).state == State::Leak);
    let all = all_left(run).unwrap_or(f64::INFINITY);
    if proven || all < seconds + state.known.settle {
        return false;
    }
    state.share = state.share.map(|share| share + (needed - left));
    true
}
