//! The count pass: how many instructions the server needs for a message, counted by valgrind's callgrind. Each scenario is
//! played one session at a time, so that nothing goes by who is served when; a load and one three times as large are each
//! counted on a server of their own, so that its start and its stop cancel out; and that is tried three times, so that
//! the figure says how exact it is.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::context::Context;
use super::count_files::{self, Left};
use super::session::Session;
use super::stop_reason::Halt;
use super::supervise;
use super::wave::{self, Asked, WaveOutcome};
use super::{launch, stop};
use crate::journal::{Counted, Counter, Event, Scene};
use crate::model::plan::scenario::{Scenario, Unit, single, smaller_load};
use crate::model::plan::{Engine, Pass};
use crate::model::{Build, CountConditions, CountStatus, CountedPer, EarlyEnd, TRIES, Uncounted};
use crate::proc::Process;
use crate::server::valgrind::{NoValgrind, Valgrind};

/// How long the server may take to write its files.
const STOP: Duration = Duration::from_secs(30);

/// Of the budget, what the pass may take beside it, and how many seconds at least.
const PART: f64 = 2.0 / 3.0;
const LEAST: f64 = 60.0;

/// Between two looks whether the server waits, how many of them in a row must find it so, and how many there are.
const LOOK: Duration = Duration::from_millis(20);
const STILL: u32 = 5;
const LOOKS: u32 = 150;

/// What one load cost.
struct Cost {
    left: Left,
    /// Connections that looked for the banner: each costs instructions.
    probes: u64,
}

/// What is found out while the pass goes on.
#[derive(Default)]
struct Seen {
    builds: BTreeSet<Build>,
    /// Files that the journal names.
    kept: BTreeSet<String>,
}

/// The count pass, or why there is none. What fails in it takes nothing from the other passes.
pub(super) async fn count_pass(run: &mut Context<'_>) -> Result<(), Halt> {
    run.interrupt.check()?;
    let scenarios = single(&run.plan.scenarios);
    if let Some(status) = refusal(run, &scenarios) {
        return run.recorder.write(Event::Counter(Counter { status, conditions: None }));
    }
    let cwd = run.cwd.clone();
    let found = supervise::on_thread("valgrind", move || Valgrind::find(&cwd))?;
    let valgrind = match run.interrupt.unless(found).await? {
        Some(Ok(valgrind)) => valgrind,
        Some(Err(NoValgrind::NotThere)) => return without(run, CountStatus::NoValgrind),
        Some(Err(NoValgrind::Fails(why))) => return without(run, CountStatus::ValgrindFails(why)),
        None => return Err(Halt::early(EarlyEnd::Environment, "the trial of valgrind panicked")),
    };
    run.count_until = run.plan.budget.map(|budget| run.elapsed() + (budget.as_secs_f64() * PART).max(LEAST));
    run.folder.make_count()?;
    run.valgrind = Some(valgrind);
    let mut seen = Seen::default();
    let done = count_scenarios(run, &scenarios, &mut seen).await;
    run.valgrind = None;
    run.folder.remove_counts(|name| !std::str::from_utf8(name).is_ok_and(|name| seen.kept.contains(name)))?;
    match done {
        Err(halt @ (Halt::Early { .. } | Halt::Target(_))) if run.plan.passes.contains(&Pass::Measure) => {
            run.recorder.not_measured(format!("Instructions: {halt}"))
        }
        done => done,
    }
}

fn without(run: &mut Context<'_>, status: CountStatus) -> Result<(), Halt> {
    run.recorder.write(Event::Counter(Counter { status, conditions: None }))
}

/// Why nothing can be counted, as far as it is known beforehand.
fn refusal(run: &Context<'_>, scenarios: &[Scenario]) -> Option<CountStatus> {
    match run.runtime {
        _ if run.invocation.running.is_some() => Some(CountStatus::Attached),
        _ if run.invocation.client.is_some() => Some(CountStatus::Container),
        _ if run.plan.engine != Engine::Builtin => Some(CountStatus::OtherEngine),
        Some(runtime) => Some(CountStatus::OtherRuntime(runtime)),
        None if scenarios.is_empty() => Some(CountStatus::NothingToCount),
        None => None,
    }
}

async fn count_scenarios(run: &mut Context<'_>, scenarios: &[Scenario], seen: &mut Seen) -> Result<(), Halt> {
    for scenario in scenarios {
        let why = count_scenario(run, scenario, seen).await;
        let conditions = Some(conditions(run, &seen.builds));
        run.recorder.write(Event::Counter(Counter { status: CountStatus::Counted, conditions }))?;
        // What did not start once does not start for the next one either.
        if why? == Some(Uncounted::Fell) {
            break;
        }
    }
    Ok(())
}

/// All tries of a scenario, or up to the first that cannot be counted.
async fn count_scenario(
    run: &mut Context<'_>,
    scenario: &Scenario,
    seen: &mut Seen,
) -> Result<Option<Uncounted>, Halt> {
    let mut smaller = smaller_load(scenario, None);
    let mut number = 1;
    while number <= TRIES as u32 {
        let first = cost_of(run, scenario, smaller, number, seen).await?;
        // Dearer than was thought: as many messages would take too long. That is told by what was counted, so that it is
        // the same on every machine.
        if let Ok(cost) = &first
            && number == 1
            && smaller_load(scenario, Some(cost.left.instructions)) < smaller
        {
            smaller = smaller_load(scenario, Some(cost.left.instructions));
            continue;
        }
        let costs = match first {
            Err(why) => Err(why),
            Ok(first) => cost_of(run, scenario, 3 * smaller, number, seen).await?.map(|second| [first, second]),
        };
        let costs = costs.and_then(|costs| comparable(run, costs));
        let (why, costs) = match costs {
            Ok(costs) => (None, Some(costs)),
            Err(why) => (Some(why), None),
        };
        let files = costs.as_ref().map(|costs| [0, 1].map(|at| costs[at].left.files.clone())).unwrap_or_default();
        seen.kept.extend(files.iter().flatten().cloned());
        run.recorder.write(Event::Counted(Counted {
            scenario: scenario.name.clone(),
            number,
            per: if scenario.unit() == Unit::Messages { CountedPer::Message } else { CountedPer::Session },
            bytes: if scenario.unit() == Unit::Messages { scenario.mail_length() } else { 0 },
            loads: [smaller, 3 * smaller],
            instructions: costs.as_ref().map(|costs| [0, 1].map(|at| costs[at].left.instructions)),
            why: why.clone(),
            processes: costs.as_ref().map(|costs| [0, 1].map(|at| costs[at].left.processes)).unwrap_or_default(),
            files,
        }))?;
        if why.is_some() {
            return Ok(why);
        }
        number += 1;
    }
    Ok(None)
}

/// Two loads whose difference is that of their messages.
fn comparable(run: &Context<'_>, costs: [Cost; 2]) -> Result<[Cost; 2], Uncounted> {
    let differ = |of: &dyn Fn(&Cost) -> u64| of(&costs[0]) != of(&costs[1]);
    match () {
        () if differ(&|cost| cost.probes) => Err(Uncounted::Probed),
        // With the library each forked process begins at nothing.
        () if differ(&|cost| u64::from(cost.left.processes)) && !run.counts_forks => Err(Uncounted::Forks),
        () => Ok(costs),
    }
}

/// What a load costs a server of its own, from its start to its stop.
async fn cost_of(
    run: &mut Context<'_>,
    scenario: &Scenario,
    load: u64,
    number: u32,
    seen: &mut Seen,
) -> Result<Result<Cost, Uncounted>, Halt> {
    if run.count_until.is_some_and(|until| run.elapsed() >= until) {
        return Ok(Err(Uncounted::TimeUsed));
    }
    let mut session = match launch::launch(run, Pass::Count).await {
        Err(halt @ Halt::Early { why: EarlyEnd::Exited | EarlyEnd::NeverReady, .. }) => {
            run.recorder.not_measured(format!("Instructions: under valgrind {halt}"))?;
            return Ok(Err(Uncounted::Fell));
        }
        launched => launched?,
    };
    let loaded = play(run, &mut session, scenario, load, number).await;
    seen.builds.extend(count_files::builds(&session.pids(), run.private.root()));
    let probes = session.probes;
    let (alive, users) = (session.pids(), session.target.users());
    let stopped = stop::stop_session(run, session, STOP).await;
    let outcome = loaded?;
    stopped?;
    let left = count_files::collect(run, scenario, load, number, &alive, users)?;
    let done = outcome.tally.sessions.finished.min(outcome.tally.asked.finished);
    Ok(match (outcome.trouble, left) {
        (Some(_), _) => Err(Uncounted::Fell),
        _ if outcome.tally.asked.finished < load || !outcome.tally.errors.is_empty() => {
            match run.count_until.is_some_and(|until| run.elapsed() >= until) {
                true => Err(Uncounted::TimeUsed),
                false => Err(Uncounted::NotAsMeant { done, asked: load }),
            }
        }
        (None, left) => left.map(|left| Cost { left, probes }),
    })
}

/// The load itself, and the wait until the server has done with it.
async fn play(
    run: &mut Context<'_>,
    session: &mut Session,
    scenario: &Scenario,
    load: u64,
    number: u32,
) -> Result<WaveOutcome, Halt> {
    let left = run.count_until.map(|until| Duration::from_secs_f64((until - run.elapsed()).max(1.0)));
    let label = format!("count     {:<11} try {number}: {load}", scenario.name);
    let asked = Asked {
        scenario,
        count: load,
        parallel: 1,
        sessions_before: 0,
        done: 0.0,
        label: &label,
        deadline: run.count_until,
        at_most: left,
    };
    let scene = Scene { pass: Pass::Count, scenario: scenario.name.clone(), wave: number };
    let outcome = wave::run_load(run, session, &scene, asked).await?;
    let mut still = 0;
    for _ in 0..LOOKS {
        still = if sleeps(&session.pids()) { still + 1 } else { 0 };
        if still == STILL {
            break;
        }
        run.interrupt.unless(sleep(LOOK)).await?;
    }
    Ok(outcome)
}

fn sleeps(pids: &[i32]) -> bool {
    let state = |pid: &i32| Process::open(*pid).and_then(|process| process.stat()).map(|stat| stat.state);
    pids.iter().all(|pid| matches!(state(pid), Ok('S' | 'Z') | Err(_)))
}

/// What the figures hold for.
fn conditions(run: &Context<'_>, builds: &BTreeSet<Build>) -> CountConditions {
    let mail = &run.plan.mail;
    let added = [("auth", mail.auth.is_some()), ("starttls", mail.starttls), ("tls", mail.tls)];
    CountConditions {
        valgrind: run.valgrind.as_ref().map(|valgrind| valgrind.version.clone()).unwrap_or_default(),
        php: run.php.as_ref().map(|php| php.version.clone()).filter(|version| !version.is_empty()),
        builds: builds.iter().cloned().collect(),
        features: run.valgrind.as_ref().map(|valgrind| valgrind.features.clone()).unwrap_or_default(),
        tunables: run.environment().get("GLIBC_TUNABLES").filter(|value| !value.is_empty()).cloned(),
        mail: added.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect(),
    }
}
