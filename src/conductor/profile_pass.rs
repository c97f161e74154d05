//! The profile pass: a fresh start under Xdebug, a smaller load of every scenario, and the files that it leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::Context;
use super::disk;
use super::profile_files::Served;
use super::session::Session;
use super::stop_reason::Halt;
use super::wave::{self, Asked};
use super::wave_size::LARGE;
use super::{diagnosis, launch, preflight, profile_files, restarted, stop};
use crate::capture::{FindProcess, Followed, Follower};
use crate::journal::{Event, Marked, ScenarioBegin, ScenarioEnd, Scene};
use crate::model::plan::scenario::Scenario;
use crate::model::{Pass, ScenarioStop};
use crate::proc::Process;
use crate::server::tree::Family;

/// How long the target may take to write its profile's end.
const STOP: Duration = Duration::from_secs(10);

/// Seconds that a scenario gets without a budget.
const WITHOUT_BUDGET: f64 = 20.0;

/// Seconds kept for the stop: Xdebug writes the rest of its file then.
const FOR_STOP: f64 = 3.0;

/// Small mails of the warm-up, by which the profiler's speed is measured.
const WARM_UP: u64 = 20;

/// Small mails that tell all that more would: a profile is exact, not sampled.
const ENOUGH: u64 = 2_000;

/// Sessions at once; the profiler makes the server slow, not patient.
const PARALLEL: u64 = 100;

/// The profile pass, or why there is none.
pub(super) async fn profile_pass(run: &mut Context<'_>) -> Result<(), Halt> {
    // Seen in the measure pass.
    run.allow_xdebug = run.left_xdebug.as_mut().and_then(|left| left.variable.take());
    if let Some(why) = no_profile(run) {
        return run.recorder.not_measured(why);
    }
    let mut session = launch::launch(run, Pass::Profile).await?;
    if let Some(why) = no_profile(run).filter(|_| run.invocation.client.is_some()) {
        // What a container runs is not known before.
        stop::stop_session(run, session, STOP).await?;
        return run.recorder.not_measured(why);
    }
    if let Some(variable) = restarted::variable(session.server).filter(|_| run.allow_xdebug.is_none()) {
        let place = session.profiles.take();
        stop::stop_session(run, session, STOP).await?;
        // They are of those that stayed behind.
        if let Some((folder, before)) = place {
            disk::remove(&folder, &before);
        }
        run.allow_xdebug = Some(variable);
        session = launch::launch(run, Pass::Profile).await?;
    }
    session.follower = follow(run, &session)?;
    let server =
        (session.server, Process::open(session.server).and_then(|process| process.stat()).ok().map(|stat| stat.start));
    let outcome = profile_scenarios(run, &mut session).await;
    let reached = session.disk_bound().map(|bound| disk::reached(bound, run.plan.max_disk));
    if let Some(warning) = reached.or_else(|| session.cut.then(|| disk::cut(run.plan.max_disk))) {
        run.recorder.write(Event::Warning(warning))?;
    }
    let place = session.profiles.take();
    let full = outcome.as_ref().err().and_then(Halt::of_disk);
    if let (Some(_), Some((folder, before))) = (&full, &place) {
        disk::empty(folder, before);
    }
    let users = session.target.users();
    let follower = session.follower.take();
    let stopped = stop::stop_session(run, session, STOP).await;
    let followed = follower.map(Follower::finish).unwrap_or_default();
    let messages = *outcome.as_ref().unwrap_or(&0);
    if let Some((folder, before)) = &place
        && let Some(why) =
            full.or_else(|| stopped.as_ref().err().and_then(Halt::of_disk)).or_else(|| disk::over(run, folder, before))
    {
        // The measure pass has its verdict; the profile is what is given up.
        disk::remove(folder, before);
        profile_files::remove_unfinished(run)?;
        return run
            .recorder
            .not_measured(format!("The profile: {why}. It was removed, so that the rest could be kept."));
    }
    if let Some((folder, before)) = place {
        profile_files::collect(run, &folder, &before, users, Served { messages, server, followed })?;
    }
    stopped?;
    outcome.map(drop)
}

/// Begins to follow what the server's processes write.
fn follow(run: &Context<'_>, session: &Session) -> Result<Option<Follower>, Halt> {
    let Some((folder, before)) = &session.profiles else { return Ok(None) };
    let place = run.folder.clone();
    let followed = Followed {
        folder: folder.clone(),
        before: before.clone(),
        run: run.folder.root().to_path_buf(),
        most: run.plan.max_disk,
        keep_raw: run.plan.keep_raw,
        make: Box::new(move |name| place.new_profile(name)),
        process: session.target.engine().map(|_| by_own_number(session.target.family())),
    };
    Ok(Some(Follower::start(followed)?))
}

/// Finds a process of a container by the number that it has there, which names its profile.
fn by_own_number(family: Family) -> FindProcess {
    let own = |pid: i32| Process::open(pid).and_then(|process| process.status()).map(|status| status.own_pid);
    Box::new(move |number| family.members().into_iter().find(|pid| own(*pid).is_ok_and(|own| own == number)))
}

fn no_profile(run: &Context<'_>) -> Option<String> {
    if run.invocation.without_configuration() {
        return Some("The profile: php runs with -n, so that Xdebug is not loaded. Leave -n out.".to_owned());
    }
    match &run.php {
        None if run.php_asked => Some(
            "The profile: none can be recorded of what this server runs in; time by function is not known.".to_owned(),
        ),
        None if run.invocation.client.is_some() => None,
        None => Some(
            "The profile: the server is not PHP (or its php could not be asked), so that Xdebug cannot profile it."
                .to_owned(),
        ),
        Some(php) if php.xdebug.is_none() && run.allow_xdebug.is_none() => Some(match &run.left_xdebug {
            Some(left) => format!(
                "The profile: the process that serves (`{}`) was started without Xdebug, which {} loads otherwise. {}",
                left.line,
                php.binary.display(),
                left.advice()
            ),
            None => format!(
                "The profile: PHP {} has no Xdebug. Install it (Debian: apt install php-xdebug; elsewhere: pecl install xdebug) and run again.",
                php.version
            ),
        }),
        Some(_) => None,
    }
}

/// Runs every scenario once, as large as its time allows; gives back the messages that were accepted.
async fn profile_scenarios(run: &mut Context<'_>, session: &mut Session) -> Result<u64, Halt> {
    let mut messages = preflight::hold(run, session).await?;
    let scenarios = &run.plan.scenarios;
    for (at, scenario) in scenarios.iter().enumerate() {
        let rest = (scenarios.len() - at) as f64;
        let share = match run.deadline(Pass::Profile) {
            Some(deadline) => (deadline - FOR_STOP - run.elapsed()) / rest,
            None => WITHOUT_BUDGET,
        };
        run.recorder.write(Event::Scenario(ScenarioBegin {
            pass: Pass::Profile,
            scenario: scenario.name.clone(),
            asked: scenario.into(),
            share: share.max(0.0),
        }))?;
        let why = if session.disk_bound().is_some() {
            ScenarioStop::DiskUsed
        } else if share < 0.2 {
            ScenarioStop::NeverBegan
        } else if session.spoilt {
            ScenarioStop::AlreadyGone
        } else {
            profile_scenario(run, session, scenario, share, &mut messages).await?
        };
        run.recorder.write(Event::ScenarioEnd(ScenarioEnd {
            pass: Pass::Profile,
            scenario: scenario.name.clone(),
            why,
        }))?;
    }
    Ok(messages)
}

async fn profile_scenario(
    run: &mut Context<'_>,
    session: &mut Session,
    scenario: &Scenario,
    share: f64,
    messages: &mut u64,
) -> Result<ScenarioStop, Halt> {
    let large = scenario.mail_length() >= LARGE;
    let warm_up = if large { 1 } else { WARM_UP }.min(scenario.total);
    let began = run.elapsed();
    let mut left = scenario.total;
    let mut fits = u64::MAX;
    for (wave, label) in [(0, "warm-up"), (1, "wave 1")] {
        let count = match wave {
            0 => warm_up,
            _ => {
                // The warm-up told the speed; half of the time is kept as a margin for a server that slows down.
                let spent = (run.elapsed() - began).max(1e-3);
                let affordable = ((share - spent) * 0.5 / (spent / warm_up as f64)) as u64;
                let wanted = affordable.min(left).min(if large { ENOUGH / 20 } else { ENOUGH });
                session.cut |= fits < wanted;
                wanted.min(fits)
            }
        };
        if count == 0 {
            break;
        }
        let name = format!("profile   {:<11} {label}", scenario.name);
        let scene = Scene { pass: Pass::Profile, scenario: scenario.name.clone(), wave };
        let asked = Asked {
            scenario,
            count,
            parallel: scenario.sessions.min(PARALLEL).min(count),
            sessions_before: if wave == 0 { 0 } else { warm_up },
            done: f64::from(wave) * 0.1,
            label: &name,
            deadline: run.deadline(Pass::Profile),
            at_most: Some(Duration::from_secs_f64((share - (run.elapsed() - began)).max(1.0))),
        };
        let begin = profile_files::lengths(session);
        let attended = wave::run_load(run, session, &scene, asked).await?;
        let end = profile_files::lengths(session);
        fits = that_fit(session, &begin, &end, count);
        run.recorder.write(Event::Marked(Marked { scene: scene.clone(), begin, end }))?;
        left = left.saturating_sub(count);
        *messages += attended.tally.messages_accepted;
        if session.disk_bound().is_some() {
            return Ok(ScenarioStop::DiskUsed);
        }
        if let Some(seen) = attended.trouble {
            diagnosis::fell(run, session, &scene, &seen)?;
            return Ok(ScenarioStop::Fell);
        }
    }
    Ok(match left {
        0 => ScenarioStop::AllRun,
        _ if session.cut => ScenarioStop::DiskUsed,
        _ => ScenarioStop::TimeUsed,
    })
}

/// Messages whose profiles the disk has room for, by what `count` of them took.
fn that_fit(session: &Session, begin: &BTreeMap<String, u64>, end: &BTreeMap<String, u64>, count: u64) -> u64 {
    let Some(room) = session.follower.as_ref().and_then(Follower::left) else { return u64::MAX };
    let grown = end.values().sum::<u64>().saturating_sub(begin.values().sum());
    room / (grown / count).max(1)
}
