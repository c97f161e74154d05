//! `--against REV`: the project as it is and at another revision, launched in turn, so that their times can be tested.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::config::Config;
use super::run::{self, Show};
use super::stdout::errln;
use super::worktree::{Project, Worktree};
use crate::analysis;
use crate::analysis::Earlier;
use crate::analysis::result::RunResult;
use crate::conductor::Interrupt;
use crate::journal::{Event, Folder, Journal};
use crate::model::plan::scenario::Scenario;
use crate::model::plan::{Engine, Pass, Plan};
use crate::model::{Against, ProfiledLoad, Side, TimedLoad, TimedPart};
use crate::phrase;

/// The folder of its runs, below the run's own.
pub const FOLDER: &str = "against";

/// The run of the other revision, in there.
pub const BASE: &str = "base";

/// Of the budget, what the run of the other revision has, and what the launches in turn have; the rest is the run's own.
const BASE_PART: f64 = 0.25;
const TURNS_PART: f64 = 0.45;

/// Without a budget: how long the launches in turn go on.
const WITHOUT_BUDGET: Duration = Duration::from_secs(120);

/// Seconds that a load is to take, and messages that it has at least and at most.
const LOAD: f64 = 1.5;
const MESSAGES: (f64, f64) = (200.0, 50_000.0);

/// Time of a launch under the profiler.
const PROFILED: Duration = Duration::from_secs(6);

/// Launches of servers as they are in each round, and then as many under the profiler.
const TURNS: usize = 4;

/// The other revision, checked out.
pub struct Other {
    revision: String,
    commit: String,
    tree: Worktree,
    project: Project,
}

impl Other {
    /// Checks it out.
    ///
    /// # Errors
    /// There is none, or it cannot be checked out.
    pub fn check_out(revision: &str, plan: &Plan) -> anyhow::Result<Self> {
        if plan.engine == Engine::Command {
            bail!(
                "--against: the load command is counted in runs, which have no times per message: leave --engine out"
            );
        }
        if !plan.passes.contains(&Pass::Measure) {
            bail!("--against needs the measure pass");
        }
        let project = Project::of(plan.cwd.as_deref().unwrap_or(Path::new(".")))?;
        project.is_relative(&plan.command)?;
        let commit = project.commit(revision)?;
        let tree = Worktree::add(&project, &commit)?;
        Ok(Self { revision: revision.to_owned(), commit, tree, project })
    }
}

/// What is known when both were run.
pub struct Compared {
    /// The run of the other revision, to judge growth and calls against.
    pub base: Earlier,
    /// The launches in turn.
    pub against: Against,
}

/// Runs the other revision, then both in turn. What is left of the budget is the run's own. None where it was interrupted.
///
/// # Errors
/// The other revision cannot be run.
pub fn run(
    other: &Other,
    plan: &mut Plan,
    prepare: Option<String>,
    config: &Config,
    show: &Show,
    (folder, interrupt): (&Folder, &Interrupt),
) -> anyhow::Result<Option<Compared>> {
    let began = Instant::now();
    let place = folder.root().join(FOLDER);
    let below = other.tree.place().join(&other.project.below);
    let whole = plan.budget;
    let base_plan = Plan {
        cwd: Some(below.clone()),
        prepare,
        ledger: false,
        budget: whole.map(|budget| budget.mul_f64(BASE_PART)),
        baseline: None,
        ..plan.clone()
    };
    let quiet = |name: &str| Show {
        out: Some(place.join(name)),
        progress_alone: true,
        json: show.json,
        no_redact: show.no_redact,
        ..Show::default()
    };
    let say = |text: &str| {
        if !show.quiet {
            errln!("  {:<9} {text}", FOLDER)
        }
    };
    let title = other.project.title(&other.commit);
    say(&format!("{title}: run as the base"));
    let (_, view) = run::judged(base_plan.clone(), config, &quiet(BASE), interrupt)
        .with_context(|| format!("--against {}: {title} cannot be run", other.revision))?;
    if interrupt.came().is_some() {
        return Ok(None);
    }
    let base = view.filter(|view| analysis::bisection::started(&view.result)).map(|view| Earlier::of(view, Side::Base));
    let Some(base) = base else {
        bail!(
            "--against {}: {title} cannot be loaded; its report is {}",
            other.revision,
            place.join(BASE).join("report.html").display()
        );
    };
    let mut against = Against {
        revision: other.revision.clone(),
        commit: other.commit.clone(),
        scenario: String::new(),
        loads: Vec::new(),
        profiles: Vec::new(),
    };
    if let Some((scenario, count)) = to_compare(plan, &base.result) {
        against.scenario.clone_from(&scenario.name);
        let end = began + whole.map_or(WITHOUT_BUDGET, |budget| budget.mul_f64(BASE_PART + TURNS_PART));
        say(&format!("{} in turn, {}", phrase::plural(count, "message"), scenario.name));
        let turns = Turns {
            plan: Plan { scenarios: vec![scenario.clone()], ledger: false, baseline: None, ..plan.clone() },
            below: &below,
            count,
            profiled: base.result.profile.is_some() && plan.passes.contains(&Pass::Profile),
            config,
            interrupt,
            show: &quiet,
        };
        turns.play(&mut against, end)?;
        if interrupt.came().is_some() {
            return Ok(None);
        }
        say(&format!(
            "{}, {} under the profiler",
            phrase::plural(against.loads.len() as u64, "launch"),
            against.profiles.len()
        ));
    }
    plan.budget = whole.map(|budget| budget.saturating_sub(began.elapsed()).max(budget.mul_f64(BASE_PART)));
    Ok(Some(Compared { base, against }))
}

/// The scenario whose times are compared: the first that sends more than a few small messages; and how many.
fn to_compare<'a>(plan: &'a Plan, base: &RunResult) -> Option<(&'a Scenario, u64)> {
    let rows: Vec<_> = base.measured_load().collect();
    let rate = |scenario: &Scenario| {
        let row = rows.iter().find(|row| row.scenario == scenario.name)?;
        row.rate().filter(|rate| row.messages_accepted > 0 && rate.is_finite() && *rate > 0.0)
    };
    let fit: Vec<(&Scenario, f64)> =
        plan.scenarios.iter().filter_map(|scenario| Some((scenario, rate(scenario)?))).collect();
    let one_at_a_time = fit.iter().find(|(scenario, _)| scenario.name != "smoke" && scenario.sessions == 1);
    let larger = || fit.iter().find(|(scenario, _)| scenario.name != "smoke");
    let (scenario, rate) = *one_at_a_time.or_else(larger).or_else(|| fit.first())?;
    Some((scenario, (rate * LOAD).clamp(MESSAGES.0, MESSAGES.1) as u64))
}

struct Turns<'a> {
    plan: Plan,
    below: &'a Path,
    count: u64,
    profiled: bool,
    config: &'a Config,
    interrupt: &'a Interrupt,
    show: &'a dyn Fn(&str) -> Show,
}

impl Turns<'_> {
    /// Launches both in turn until the time is over; whole rounds alone count.
    fn play(&self, against: &mut Against, end: Instant) -> anyhow::Result<()> {
        let mut longest = Duration::ZERO;
        for round in 0.. {
            let begun = Instant::now();
            let turns = round * TURNS..(round + 1) * TURNS;
            whole_round(&mut against.loads, turns.map(|turn| self.timed(turn)).collect::<anyhow::Result<_>>()?);
            // Two rounds of plain loads to one under the profiler: there a function's time is a large part of all.
            if self.profiled && round % 2 == 1 {
                let turns = (round / 2) * TURNS..(round / 2 + 1) * TURNS;
                let loads = turns.map(|turn| self.profile(turn)).collect::<anyhow::Result<_>>()?;
                whole_round(&mut against.profiles, loads);
            }
            longest = longest.max(begun.elapsed());
            if self.interrupt.came().is_some() || Instant::now() + longest > end {
                break;
            }
        }
        Ok(())
    }

    fn plan_of(&self, side: Side) -> Plan {
        let cwd = match side {
            Side::Base => Some(self.below.to_path_buf()),
            Side::New => self.plan.cwd.clone(),
        };
        Plan { cwd, ..self.plan.clone() }
    }

    /// One launch without the profiler; none where it could not be loaded as asked.
    fn timed(&self, turn: usize) -> anyhow::Result<Option<TimedLoad>> {
        let side = Side::of_turn(turn);
        let plan = Plan { passes: vec![Pass::Measure], timed: Some(self.count), ..self.plan_of(side) };
        let name = format!("{:03}-{}", turn + 1, side.name());
        let folder = run::conducted(&plan, self.config, &(self.show)(&name), self.interrupt)?;
        let journal = Journal::of(&folder)?;
        let waves = journal.events().filter_map(|event| match event {
            Event::WaveEnd(end) if end.scene.wave > 0 => Some(TimedPart {
                messages: end.tally.messages_accepted,
                seconds: end.tally.seconds,
                server_cpu: end.server_cpu,
            }),
            _ => None,
        });
        let load = TimedLoad { side, parts: waves.collect() };
        let whole = load.parts.len() > 1
            && load.parts.iter().all(|part| part.messages > 0 && part.messages == load.parts[0].messages);
        Ok(read(&folder, whole.then_some(load)))
    }

    /// One launch under the profiler; none where it left no whole profile.
    fn profile(&self, turn: usize) -> anyhow::Result<Option<ProfiledLoad>> {
        let side = Side::of_turn(turn);
        let plan = Plan { passes: vec![Pass::Profile], budget: Some(PROFILED), ..self.plan_of(side) };
        let name = format!("{:03}-{}-profile", turn + 1, side.name());
        let folder = run::conducted(&plan, self.config, &(self.show)(&name), self.interrupt)?;
        let view = analysis::analyse(&folder, None, true)?;
        let profile = view.result.profile.filter(|profile| profile.figures.complete && profile.figures.messages > 0);
        let load = profile.map(|profile| {
            let mut functions = std::collections::BTreeMap::new();
            for function in profile.figures.functions.iter().filter(|function| !function.waiting) {
                *functions.entry(function.name.clone()).or_default() += function.own.max(0) as u64;
            }
            ProfiledLoad { side, messages: profile.figures.messages, functions }
        });
        Ok(read(&folder, load))
    }
}

/// What was read of a launch stands in the run's journal: its folder stays only where it tells why there is nothing.
fn read<T>(folder: &Folder, value: Option<T>) -> Option<T> {
    if value.is_some() {
        let _ = std::fs::remove_dir_all(folder.root());
    }
    value
}

/// Takes a round in which every launch could be read: else neighbours would be no pairs any more.
fn whole_round<T>(all: &mut Vec<T>, round: Vec<Option<T>>) {
    all.extend(round.into_iter().collect::<Option<Vec<T>>>().unwrap_or_default());
}
