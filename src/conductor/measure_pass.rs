//! The clean pass: every scenario in waves, a floor after each, until the verdict is decided or the time is used.

use std::time::Duration;

use super::floors::Settled;
use super::run::Run;
use super::scenario_run::{Course, descriptors};
use super::session::Session;
use super::stop_reason::Halt;
use super::wave::Asked;
use super::wave_size::{self, Wave};
use crate::diagnose::{Diagnosis, Observations};
use crate::journal::{Event, ProcessFloor, Scene};
use crate::matrix::Wish;
use crate::model::plan::Pass;
use crate::model::plan::scenario::{Scenario, Unit};
use crate::server::{log, stop};
use crate::verdict::{GrowthPer, Judgement, Metric, Reason, State};

/// How long the target may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(5);

/// The same where the run was interrupted: somebody waits for the prompt.
const STOP_INTERRUPTED: Duration = Duration::from_secs(3);

/// Lines of the target's output that the journal keeps.
pub const LAST_WORDS: usize = 12;

/// Of the descriptor limit, what a scenario may find used when it begins.
const HALF: f64 = 0.5;

/// Waves that a rest is followed by before a leak is said, with one to spare.
const AFTER_REST: f64 = 4.0;

/// Of the time that is left, what a scenario may take while the run has no verdict.
const FIRST: f64 = 0.8;

/// Seconds in which nothing can be measured any more.
const TOO_LITTLE: f64 = 1.5;

/// How a scenario ended.
enum Outcome {
    /// In order, for this reason.
    Done(String),
    /// The server stalled or fell; at fewer sessions at once it may hold.
    Fell(Option<u64>),
}

impl Run<'_> {
    /// The clean pass. Whatever happens, the target is stopped.
    pub(super) fn clean_pass(&mut self) -> Result<(), Halt> {
        let mut session = Some(self.launch(Pass::Clean)?);
        let outcome = self.clean_scenarios(&mut session);
        if let Some(session) = session {
            self.stop(session, STOP)?;
        }
        outcome
    }

    fn clean_scenarios(&mut self, session: &mut Option<Session>) -> Result<(), Halt> {
        if let Some(first) = session {
            self.preflight(first)?;
        }
        let scenarios = &self.plan.scenarios;
        for (at, scenario) in scenarios.iter().enumerate() {
            let weights: f64 = scenarios[at..].iter().map(|s| wave_size::weight(&s.name)).sum();
            let left = self.deadline(Pass::Clean).map(|deadline| deadline - self.elapsed());
            let share = left.map(|left| left * wave_size::weight(&scenario.name) / weights);
            let mut parallel = scenario.sessions;
            for again in [false, true] {
                self.fresh_if_needed(session)?;
                let Some(running) = session else { break };
                match self.clean_scenario(running, scenario, share, parallel)? {
                    Outcome::Done(why) => {
                        self.scenario_end(scenario, why)?;
                        break;
                    }
                    Outcome::Fell(fewer) => match fewer.filter(|_| !again) {
                        Some(fewer) => {
                            let why = format!("it did not hold {parallel} at once; run again at {fewer}");
                            self.scenario_end(scenario, why)?;
                            parallel = fewer;
                        }
                        None => {
                            self.scenario_end(scenario, "the server did not go on".to_owned())?;
                            break;
                        }
                    },
                }
            }
        }
        Ok(())
    }

    fn scenario_end(&mut self, scenario: &Scenario, why: String) -> Result<(), Halt> {
        self.book.write(Event::ScenarioEnd { pass: Pass::Clean, scenario: scenario.name.clone(), why })
    }

    /// Launches the target anew where the last scenario left it fallen, or with many descriptors open.
    fn fresh_if_needed(&mut self, session: &mut Option<Session>) -> Result<(), Halt> {
        let Some(running) = session.as_mut() else { return Ok(()) };
        let open = most_descriptors(running);
        let full = running.descriptor_limit.is_some_and(|limit| open as f64 > limit as f64 * HALF);
        if !running.spoilt && !full && !running.is_gone() {
            return Ok(());
        }
        if let Some(old) = session.take() {
            self.stop(old, STOP)?;
        }
        *session = Some(self.launch(Pass::Clean)?);
        Ok(())
    }

    /// Stops a session, and writes down how it ended and what the sampling was.
    pub(super) fn stop(&mut self, session: Session, deadline: Duration) -> Result<(), Halt> {
        let Session { mut target, pass, sampler, .. } = session;
        let deadline = if self.interrupt.came().is_some() { deadline.min(STOP_INTERRUPTED) } else { deadline };
        let asked = target.exited().is_none() || !target.alive().is_empty();
        let stopped = stop::stop(&mut target, deadline);
        let effort = sampler.stop();
        let last_words = log::tail(&target.log, LAST_WORDS);
        self.book.write(Event::TargetExit { pass, pid: target.pid(), how: stopped.how, asked, last_words })?;
        self.book.write(Event::Sampled {
            pass,
            seconds: effort.seconds,
            rounds: effort.rounds,
            socket_rounds: effort.socket_rounds,
            cpu_seconds: effort.cpu_seconds,
            longest_gap: effort.longest_gap,
        })?;
        self.trace.flush();
        drop(target);
        self.run_hook("--after", self.plan.after.clone())
    }

    fn clean_scenario(
        &mut self,
        session: &mut Session,
        scenario: &Scenario,
        share: Option<f64>,
        parallel: u64,
    ) -> Result<Outcome, Halt> {
        self.book.write(Event::Scenario {
            pass: Pass::Clean,
            scenario: scenario.name.clone(),
            asked: asked(scenario),
            share: share.unwrap_or(0.0),
        })?;
        if share.is_some_and(|share| share < TOO_LITTLE / 4.0) {
            return Ok(Outcome::Done("the budget was used before it began".to_owned()));
        }
        let mut course = Course::new(scenario, self.plan.waves, self.plan.budget.is_none(), share, self.elapsed());
        course.known.parallel = parallel;
        let settled = self.settle(session)?;
        let processes = self.course_floor(session, &mut course, 0, settled)?;
        course.first_fd = descriptors(&processes);
        course.learn(session, course.first_fd);
        if !wave_size::is_whole(&course.known) {
            let wave = wave_size::warm_up(&course.known);
            if let Some(outcome) = self.wave(session, &mut course, 0, wave)? {
                return Ok(outcome);
            }
            // The first wave must know what a session leaves open.
            self.settle(session)?;
            course.learn(session, most_descriptors(session));
        }
        loop {
            course.known.left = self.left(&course);
            let wave = match wave_size::is_whole(&course.known) {
                true if course.known.waves_run > 0 => {
                    return Ok(Outcome::Done("all that was asked was run".to_owned()));
                }
                true => Wave { count: course.known.total, parallel: parallel.min(course.known.total).max(1) },
                false => match wave_size::next(&course.known) {
                    Some(wave) => wave,
                    None if course.known.exact => return Ok(Outcome::Done("all that was asked was run".to_owned())),
                    None => return Ok(Outcome::Done("its part of the budget was used".to_owned())),
                },
            };
            let number = course.known.waves_run + 1;
            let begun = self.elapsed();
            if let Some(outcome) = self.wave(session, &mut course, number, wave)? {
                return Ok(outcome);
            }
            // What a wave costs beside its messages: connections that the server leaves open, above all.
            let beside = (self.elapsed() - begun - course.loaded).max(0.0);
            course.known.waves_run = number;
            let mut settled = self.settle(session)?;
            if let Wish::Rest { seconds, .. } = self.book.cells.wish(&scenario.name)
                && number > 1
            {
                if !self.make_room(&mut course, seconds, wave) {
                    // The floor is worth having all the same.
                    self.course_floor(session, &mut course, number, settled)?;
                    return Ok(Outcome::Done(format!("a rest of {seconds:.0} s had no room in the budget")));
                }
                self.keep_rest(session, &mut course, number, seconds)?;
                settled.rested = true;
            }
            course.known.settle = settled.seconds.max(0.2) + beside;
            let processes = self.course_floor(session, &mut course, number, settled)?;
            course.learn(session, descriptors(&processes));
            if self.looks(&course, number)? {
                return Ok(Outcome::Done("decided".to_owned()));
            }
        }
    }

    /// Runs one wave; gives back how the scenario ends where the server did not go on.
    fn wave(
        &mut self,
        session: &mut Session,
        course: &mut Course,
        number: u32,
        wave: Wave,
    ) -> Result<Option<Outcome>, Halt> {
        let label = match number {
            0 => format!("clean     {:<11} warm-up", course.scenario.name),
            number => format!("clean     {:<11} wave {number}", course.scenario.name),
        };
        let asked = Asked {
            scenario: course.scenario,
            count: wave.count,
            parallel: wave.parallel,
            sessions_before: course.work.sessions,
            done: course.part_done(),
            label: &label,
            deadline: self.deadline(Pass::Clean),
            at_most: None,
        };
        let attended = self.load(session, &course.scene(number), asked)?;
        course.take(&attended.tally);
        let Some(seen) = attended.trouble else { return Ok(None) };
        let diagnosis = self.fell(session, &course.scene(number), &seen)?;
        // What it held once it may hold again: half of those that were open.
        let fewer = (diagnosis.from_sessions.is_some() && course.known.waves_run == 0)
            .then_some(attended.tally.peak_open / 2)
            .filter(|fewer| *fewer >= 4);
        Ok(Some(Outcome::Fell(fewer)))
    }

    /// Writes down what befell the server, and that another must be launched.
    pub(super) fn fell(
        &mut self,
        session: &mut Session,
        scene: &Scene,
        seen: &Observations,
    ) -> Result<Diagnosis, Halt> {
        session.spoilt = true;
        self.failure(scene, seen)
    }

    fn course_floor(
        &mut self,
        session: &mut Session,
        course: &mut Course,
        number: u32,
        settled: Settled,
    ) -> Result<Vec<ProcessFloor>, Halt> {
        let scene = course.scene(number);
        let processes = self.floor(&mut course.floors, session, &scene, course.work, settled)?;
        course.live(&processes);
        Ok(processes)
    }

    fn keep_rest(&mut self, session: &mut Session, course: &mut Course, number: u32, seconds: f64) -> Result<(), Halt> {
        let before = course.floors.measure(session, &self.trace.moving, number).processes;
        let label = format!("clean     {:<11} rest", course.scenario.name);
        self.book.write(Event::Rest {
            scene: course.scene(number),
            seconds,
            why: "growth was seen; what timers free must be gone before it is called a leak".to_owned(),
            before,
        })?;
        self.rest(session, &label, seconds, self.deadline(Pass::Clean))
    }

    /// Writes down what the looks say; true where no further wave is wanted.
    fn looks(&mut self, course: &Course, number: u32) -> Result<bool, Halt> {
        let scene = course.scene(number);
        let cells = &self.book.cells;
        let looks: Vec<Event> = cells
            .of(&course.scenario.name)
            .map(|cell| {
                let judgement = cells.outcome(cell);
                Event::Look {
                    scene: scene.clone(),
                    metric: cell.name.to_owned(),
                    state: state_in_words(&judgement).to_owned(),
                    growth: growth_in_words(&judgement, cell.metric),
                }
            })
            .collect();
        for look in looks {
            self.book.write(look)?;
        }
        let least = self.plan.waves.unwrap_or(wave_size::WAVES);
        let wanted = self.book.cells.wish(&course.scenario.name);
        Ok(number >= least && wanted == Wish::Nothing && !course.known.exact)
    }

    /// Seconds that a scenario has left; none without a budget.
    fn left(&self, course: &Course) -> Option<f64> {
        let deadline = self.deadline(Pass::Clean)?;
        let all = deadline - self.elapsed();
        let own = course.share? - (self.elapsed() - course.began);
        // Until the run can have a verdict at all, what is under way goes before what is still to come.
        let own = if self.is_secured() { own } else { own.max(all * FIRST) };
        Some(own.min(all))
    }

    /// The run has its verdict, whatever is still to come: a leak is proven, or memory, descriptors and sockets were each
    /// judged somewhere.
    fn is_secured(&self) -> bool {
        let cells = &self.book.cells;
        let states: Vec<(Metric, State)> =
            cells.all().iter().map(|cell| (cell.metric, cells.outcome(cell).state)).collect();
        let holds = |of: &dyn Fn(Metric) -> bool| states.iter().any(|(metric, state)| of(*metric) && state.holds());
        states.iter().any(|(_, state)| *state == State::Leak)
            || (holds(&|metric| metric == Metric::Heap || metric.is_resident())
                && holds(&|metric| metric == Metric::Descriptors)
                && holds(&|metric| metric == Metric::Sockets))
    }

    /// Whether a rest, and the waves through which the growth must hold after it, have room: in the scenario's part, or,
    /// while no leak is proven, in all that is left. What decides comes first.
    fn make_room(&self, course: &mut Course, seconds: f64, wave: Wave) -> bool {
        let Some(left) = self.left(course) else { return true };
        let each = course.known.settle + wave.count as f64 * course.known.seconds_each;
        let needed = seconds + AFTER_REST * each;
        if left > needed {
            return true;
        }
        let proven = self.book.cells.all().iter().any(|cell| self.book.cells.outcome(cell).state == State::Leak);
        let all = self.deadline(Pass::Clean).map_or(f64::INFINITY, |deadline| deadline - self.elapsed());
        if proven || all < seconds + each {
            return false;
        }
        course.share = course.share.map(|share| share + (needed - left));
        true
    }
}

/// Descriptors of the process that has most of them, as the sampler saw it last.
fn most_descriptors(session: &Session) -> u64 {
    session.sampler.latest().iter().map(|sample| u64::from(sample.fds)).max().unwrap_or(0)
}

/// The state as the console has it: why nothing was said is a state too.
fn state_in_words(judgement: &Judgement) -> &'static str {
    match judgement.reason {
        Some(Reason::TooShort) => "too short",
        Some(Reason::Refused) => "refused",
        Some(Reason::NotReadable) => "not readable",
        Some(Reason::NotRunning) => "not running",
        None => judgement.state.word(),
    }
}

/// `+412 B a message`, for what leaks.
fn growth_in_words(judgement: &Judgement, metric: Metric) -> Option<String> {
    let growth = judgement.growth.filter(|_| judgement.state == State::Leak)?;
    let (value, per) = match growth.per {
        GrowthPer::Messages => (growth.value / 1000.0, "a message"),
        GrowthPer::Sessions => (growth.value / 1000.0, "a session"),
        GrowthPer::Hour => (growth.value, "an hour"),
    };
    Some(format!("+{} {per}", metric.amount(value)))
}

/// What a scenario asks for, in words.
pub fn asked(scenario: &Scenario) -> String {
    let total = crate::phrase::grouped(scenario.total);
    match scenario.unit() {
        Unit::Sessions if scenario.sessions > 1 => format!("{total} sessions at once"),
        Unit::Messages if scenario.sessions > 1 => {
            format!("{total} messages, {} at once", crate::phrase::grouped(scenario.sessions))
        }
        unit => crate::phrase::plural(scenario.total, unit.noun()),
    }
}
