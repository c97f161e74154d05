//! The sequence: look after every wave, believe a verdict on which looks running agree, rest before `leak`.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::floor::{Case, Floor, Per};
use super::judgement::{Judgement, State};
use super::rule::judge;

/// How long a run may go on for a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Waves at most.
    pub waves: usize,
    /// Messages (or sessions) at most: twice the work at which most shapes are decided.
    pub work: u64,
    /// Whether `leak` is said only after a rest (false for recorded floors: nobody can rest any more).
    pub rest: bool,
    /// Seconds of that rest: longer than the server's timers.
    pub rest_seconds: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { waves: 60, work: 60_000, rest: true, rest_seconds: 15.0 }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// The verdict stands.
    Decided(Judgement),
    /// More waves, and what they are for.
    MoreWaves {
        /// Work that may decide, a forecast.
        work: u64,
        /// What it is needed for.
        reason: String,
    },
    /// Rest before the next floor, then go on.
    Rest {
        /// How long.
        seconds: f64,
        /// Work after the rest.
        work: u64,
        /// Whether each later floor needs its rest too.
        each: bool,
    },
    /// The budget is used; this is what can be said.
    BudgetUsed(Judgement),
}

/// The looks at one metric of one scenario.
#[derive(Debug, Clone)]
pub struct Looks {
    bounds: Bounds,
    budget: Budget,
    floors: Vec<Floor>,
    agreed: Vec<Judgement>,
    last: Option<Judgement>,
    /// Work at which the rest before `leak` was taken.
    rested_at: Option<u64>,
    decided: Option<Judgement>,
}

impl Looks {
    /// No floors yet.
    pub fn new(bounds: Bounds, budget: Budget) -> Self {
        Looks { bounds, budget, floors: Vec::new(), agreed: Vec::new(), last: None, rested_at: None, decided: None }
    }

    /// The floors so far.
    pub fn floors(&self) -> &[Floor] {
        &self.floors
    }

    /// Takes one floor and says what to do next. `case` tells what the floors are of; its own floors are not used.
    /// Once decided, it stays decided.
    pub fn feed(&mut self, floor: Floor, case: &Case) -> Next {
        self.floors.push(floor);
        if let Some(decided) = &self.decided {
            return Next::Decided(decided.clone());
        }
        let look = judge(&Case { floors: &self.floors, ..*case }, &self.bounds);
        let same =
            look.state.is_decided() && self.agreed.last().is_none_or(|last: &Judgement| last.state.agrees(look.state));
        if !same {
            self.agreed.clear();
        }
        if look.state.is_decided() {
            self.agreed.push(look.clone());
        }
        self.last = Some(look.clone());
        let work = match case.per {
            Per::Messages => floor.messages,
            Per::Sessions => floor.sessions,
        };
        if self.agreed.len() >= self.bounds.waves.agree {
            match (look.state, self.rest_before_leak(&look, work)) {
                (State::Leak, Some(rest)) if !self.used(work) => return rest,
                (State::Leak, Some(_)) => {}
                _ => {
                    self.decided = Some(look.clone());
                    return Next::Decided(look);
                }
            }
        }
        if self.used(work) {
            return Next::BudgetUsed(self.outcome());
        }
        let (more, reason) = match &look.would_decide {
            Some(more) => (more.work, more.reason.clone()),
            None => (0, "a second look must agree".to_owned()),
        };
        Next::MoreWaves { work: more, reason }
    }

    fn used(&self, work: u64) -> bool {
        self.floors.iter().filter(|floor| floor.wave > 0).count() >= self.budget.waves || work >= self.budget.work
    }

    /// The rest that `leak` still needs, if any.
    fn rest_before_leak(&mut self, look: &Judgement, work: u64) -> Option<Next> {
        if !self.budget.rest {
            return None;
        }
        let seconds = self.budget.rest_seconds;
        let Some(rested_at) = self.rested_at.or_else(|| {
            // Floors that were rested from the first look's window on need no further one.
            None
        }) else {
            self.rested_at = Some(work);
            return Some(Next::Rest { seconds, work: work / 4, each: look.wants_rest });
        };
        let needed = rested_at + rested_at / 4;
        let since: Vec<&Floor> = self.floors.iter().filter(|floor| work_of(floor, work) > rested_at).collect();
        let rested = if look.wants_rest {
            !since.is_empty() && since.iter().all(|floor| floor.rested)
        } else {
            since.iter().any(|floor| floor.rested)
        };
        if work >= needed && rested {
            return None;
        }
        Some(Next::Rest { seconds, work: needed.saturating_sub(work), each: look.wants_rest })
    }

    /// What can be said now: the verdict, or the last look as undecided.
    pub fn outcome(&self) -> Judgement {
        if let Some(decided) = &self.decided {
            return decided.clone();
        }
        match &self.last {
            Some(look) => undecided(look.clone()),
            None => Judgement::not_judged(super::Reason::TooShort, "no floors"),
        }
    }
}

fn work_of(floor: &Floor, like: u64) -> u64 {
    if floor.messages == 0 && like > 0 { floor.sessions } else { floor.messages }
}

/// A look that no second one confirmed decides nothing.
fn undecided(mut look: Judgement) -> Judgement {
    if look.state.is_decided() {
        let condition = format!("one look says {}, a second must agree", name(look.state));
        look.evidence = format!("{}; {condition}", look.evidence);
        look.would_decide = Some(super::MoreWork { work: 0, reason: condition.clone() });
        look.failed_condition = Some(condition);
        if look.state == State::Leak {
            look.state = State::Inconclusive;
        } else {
            look.state = State::NotJudged;
            look.reason = Some(super::Reason::TooShort);
            look.ci95 = None;
        }
    }
    look
}

fn name(state: State) -> &'static str {
    match state {
        State::Leak => "leak",
        State::Clean => "clean",
        State::Plateau => "plateau",
        State::Inconclusive => "inconclusive",
        State::NotJudged => "not judged",
    }
}
