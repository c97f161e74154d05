//! The sequence: look after every wave, believe a verdict on which looks running agree, rest before `leak`.

use serde::{Deserialize, Serialize};

use super::floor::{Case, Floor, Per};
use super::judgement::{Judgement, MoreWork, Reason, State};
use super::restarts::judge_lives;
use super::thresholds::Bounds;

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

/// Waves of a server whose process is replaced are smaller, for several must fit into a life: so many times as many of them.
const WAVES_OF_LIVES: usize = 3;

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
    /// Looks running that agree so far.
    agreed: usize,
    last: Option<Judgement>,
    rest: Option<Rest>,
    decided: Option<Judgement>,
}

/// The rest that was asked for before `leak` may be said.
#[derive(Debug, Clone, Copy)]
struct Rest {
    /// Work done when it was asked for.
    at: u64,
    /// Before each floor from then on, because floors fell.
    each: bool,
}

impl Looks {
    /// No floors yet.
    pub fn new(bounds: Bounds, budget: Budget) -> Self {
        Looks { bounds, budget, floors: Vec::new(), agreed: 0, last: None, rest: None, decided: None }
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
        if self.skips() {
            return Next::MoreWaves { work: 0, reason: "long series are looked at less often".to_owned() };
        }
        self.notice_fall(case.per);
        let look = self.look(case);
        let agrees = self.last.as_ref().is_some_and(|last| last.state.agrees(look.state));
        self.agreed = match look.state.is_decided() {
            true if agrees => self.agreed + 1,
            decided => usize::from(decided),
        };
        self.last = Some(look.clone());
        let used = self.used(floor.work(case.per));
        if self.agreed >= self.bounds.waves.agree {
            match (look.state == State::Leak).then(|| self.rest_before_leak(&look, case)).flatten() {
                None => {
                    self.decided = Some(look.clone());
                    return Next::Decided(look);
                }
                Some(rest) if !used => return rest,
                Some(_) => {}
            }
        }
        if used {
            return Next::BudgetUsed(self.outcome());
        }
        match self.rest {
            Some(Rest { each: true, .. }) => Next::Rest {
                seconds: self.budget.rest_seconds,
                work: look.would_decide.map_or(0, |more| more.work),
                each: true,
            },
            _ => match look.would_decide {
                Some(more) => Next::MoreWaves { work: more.work, reason: more.reason },
                None => Next::MoreWaves { work: 0, reason: "a second look must agree".to_owned() },
            },
        }
    }

    /// A look costs the square of the waves: beyond some hundred of them, each looks at one per cent more.
    fn skips(&self) -> bool {
        let waves = self.floors.len();
        waves > 300 && !waves.is_multiple_of(waves / 100)
    }

    /// A rest that brought a fall shows that something is freed late: each floor needs its rest from then on.
    fn notice_fall(&mut self, per: Per) {
        let (Some(rest), [.., before, floor]) = (&mut self.rest, &self.floors[..]) else { return };
        if floor.rested && !rest.each && floor.own() < before.own() {
            *rest = Rest { at: before.work(per), each: true };
        }
    }

    /// Looks at all floors; at the rested ones alone once there are enough, where each floor is to be rested.
    fn look(&self, case: &Case) -> Judgement {
        if let Some(Rest { at, each: true }) = self.rest {
            let since = |floor: &&Floor| floor.wave == 0 || (floor.rested && floor.work(case.per) > at);
            let rested: Vec<Floor> = self.floors.iter().filter(since).copied().collect();
            if rested.iter().filter(|floor| floor.wave > 0).count() >= self.bounds.waves.least {
                return judge_lives(&Case { floors: &rested, ..*case }, &self.bounds);
            }
        }
        judge_lives(&Case { floors: &self.floors, ..*case }, &self.bounds)
    }

    fn used(&self, work: u64) -> bool {
        let replaced = self.floors.windows(2).any(|pair| pair[0].pid != pair[1].pid && pair[0].wave > 0);
        let waves = self.budget.waves.saturating_mul(if replaced { WAVES_OF_LIVES } else { 1 });
        self.floors.iter().filter(|floor| floor.wave > 0).count() >= waves || work >= self.budget.work
    }

    /// The rest that `leak` still needs, if any: one before a floor, and waves worth a quarter of the work before it,
    /// through which the rate holds; a rest before each of those floors where floors fell.
    fn rest_before_leak(&mut self, look: &Judgement, case: &Case) -> Option<Next> {
        if !self.budget.rest {
            return None;
        }
        let done = self.floors.last().map_or(0, |floor| floor.work(case.per));
        let rest = self.rest.get_or_insert(Rest { at: done, each: look.wants_rest });
        if look.wants_rest && !rest.each {
            *rest = Rest { at: done, each: true };
        }
        let Rest { at, each } = *rest;
        let since: Vec<&Floor> = self.floors.iter().filter(|floor| floor.work(case.per) > at).collect();
        let rested = since.iter().filter(|floor| floor.rested).count();
        let enough = if each { rested == since.len() && rested >= self.bounds.waves.grew } else { rested > 0 };
        let needed = at + at / 4;
        if enough && done >= needed && self.holds(look, &since, case) {
            return None;
        }
        Some(Next::Rest { seconds: self.budget.rest_seconds, work: needed.saturating_sub(done), each })
    }

    /// Whether the floors since the rest grew at the rate that the look found.
    fn holds(&self, look: &Judgement, since: &[&Floor], case: &Case) -> bool {
        let Some(first) = since.iter().position(|floor| floor.rested) else { return false };
        let (Some(from), Some(to)) = (since.get(first), since.last()) else { return false };
        let span = to.work(case.per).saturating_sub(from.work(case.per));
        // A single floor since the rest: the look itself, which took it in, is all there is to go by.
        let found = look.growth.map_or(0.0, |growth| growth.value / 1000.0);
        span == 0 || to.own() - from.own() >= self.bounds.waves.steady * found * span as f64
    }

    /// What can be said now: the verdict, or the last look as undecided.
    pub fn outcome(&self) -> Judgement {
        match (&self.decided, &self.last) {
            (Some(decided), _) => decided.clone(),
            (None, Some(look)) if self.agreed >= self.bounds.waves.agree => {
                undecided(look, "leak is not said before a rest, and the rate after it must hold".to_owned())
            }
            (None, Some(look)) => undecided(look, format!("one look says {}, a second must agree", look.state.word())),
            (None, None) => Judgement::not_judged(Reason::TooShort, "no floors"),
        }
    }
}

/// A look that no second one, or no rest, confirmed decides nothing.
fn undecided(look: &Judgement, condition: String) -> Judgement {
    let mut look = look.clone();
    if look.state.is_decided() {
        look.evidence = format!("{}; {condition}", look.evidence);
        look.would_decide = Some(MoreWork { work: 0, reason: condition.clone() });
        look.failed_condition = Some(condition);
        if look.state == State::Leak {
            look.state = State::Inconclusive;
        } else {
            look.state = State::NotJudged;
            look.reason = Some(Reason::TooShort);
            look.ci95 = None;
        }
    }
    look
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Metric;

    /// Feeds waves of 500 messages until it is decided or the budget is used; rests when told to.
    fn run(value: impl Fn(u64, bool) -> f64) -> (Judgement, usize, usize) {
        let mut looks = Looks::new(Bounds::default(), Budget::default());
        let case = Case { garbage_known: true, ..Case::new(Metric::Heap, &[]) };
        let (mut rest, mut rests) = (false, 0);
        for wave in 0..=60 {
            let messages = u64::from(wave) * 500;
            let floor = Floor { rested: rest, ..Floor::new(wave, messages, messages / 25, value(messages, rest)) };
            rests += usize::from(rest);
            match looks.feed(floor, &case) {
                Next::Decided(judgement) | Next::BudgetUsed(judgement) => return (judgement, wave as usize, rests),
                Next::Rest { .. } => rest = true,
                Next::MoreWaves { .. } => rest = false,
            }
        }
        unreachable!("the budget is 60 waves")
    }

    #[test]
    fn a_leak_is_said_after_one_rest() {
        let (judgement, wave, rests) = run(|messages, _| 450_000.0 + 16.0 * messages as f64);
        assert_eq!(judgement.state, State::Leak, "{}", judgement.evidence);
        assert!(rests >= 1 && wave <= 14, "{rests} rests, {wave} waves: 7,000 messages are enough");
    }

    #[test]
    fn what_a_timer_frees_in_a_rest_is_no_leak() {
        let (judgement, ..) = run(|messages, rested| 450_000.0 + if rested { 0.0 } else { 280.0 * messages as f64 });
        assert_ne!(judgement.state, State::Leak, "{}", judgement.evidence);
    }

    #[test]
    fn a_leak_among_swings_is_said_of_rested_floors() {
        let (judgement, _, rests) = run(|messages, rested| {
            let kept = if rested { 0.0 } else { 100_000.0 * (messages / 500 % 3) as f64 };
            450_000.0 + 200.0 * messages as f64 + kept
        });
        assert_eq!(judgement.state, State::Leak, "{}", judgement.evidence);
        assert!(rests >= 4, "{rests} rests");
    }

    #[test]
    fn a_still_heap_needs_no_rest() {
        let (judgement, wave, rests) = run(|_, _| 450_000.0);
        assert_eq!((judgement.state, wave, rests), (State::Clean, 11, 0));
    }
}
