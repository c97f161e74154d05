//! The sequence: look after every wave at all floors so far; two looks that agree may end a scenario, and rest before `leak`.
//! They never close the books: what can be said in the end is said of all floors.

use serde::{Deserialize, Serialize};

use super::floor::{Case, Floor};
use super::restarts::judge_lives;
use super::rule::with_time;
use super::thresholds::Bounds;
use crate::model::{Decides, Judgement, Reason, State, Why};

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

/// So many rests long is one in which growth with time is watched, unless less is missing: a minute or two without load are
/// wanted in all, and two such rests have room in most runs where a dozen waves had it.
const IDLE_RESTS: f64 = 4.0;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Looks agree: the scenario may end here.
    Decided(Judgement),
    /// More waves, and what would decide; none where a second look must agree.
    MoreWaves {
        /// A forecast.
        would_decide: Option<Decides>,
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
    /// What stood before each rest, and before which floor it belongs.
    before_rests: Vec<(usize, Floor)>,
    /// Looks running that agree so far.
    agreed: usize,
    last: Option<Judgement>,
    rest: Option<Rest>,
    /// The last look said `leak`, and it went through its rest or needs none.
    rested: bool,
}

/// Things counted since a rest from which on they tell that it freed none.
const LEAST_COUNTED: f64 = 10.0;

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
        Looks {
            bounds,
            budget,
            floors: Vec::new(),
            before_rests: Vec::new(),
            agreed: 0,
            last: None,
            rest: None,
            rested: false,
        }
    }

    /// The floors so far.
    pub fn floors(&self) -> &[Floor] {
        &self.floors
    }

    /// Takes what stood before a rest, in front of the floor that comes after it: no floor of its own, as no load lies
    /// between them, but the beginning of a stretch of time without any.
    pub fn before_rest(&mut self, floor: Floor) {
        self.before_rests.push((self.floors.len(), floor));
    }

    /// Takes one floor and says what to do next. `case` tells what the floors are of; its own floors are not used. It may
    /// be fed on after it was decided: what it says then is of all floors again.
    pub fn feed(&mut self, floor: Floor, case: &Case) -> Next {
        if floor.rested && self.rest.is_none() {
            // Kept before anybody asked, as later there would have been no time for it: it counts all the same.
            let at = self.floors.last().map_or(0, |before| before.work(case.per));
            self.rest = Some(Rest { at, each: false });
        }
        self.floors.push(floor);
        if self.skips() {
            return Next::MoreWaves { would_decide: None };
        }
        self.notice_fall(case);
        let look = self.look(case);
        let agrees = self.last.as_ref().is_some_and(|last| last.state.agrees(look.state));
        self.agreed = match look.state.is_decided() {
            true if agrees => self.agreed + 1,
            decided => usize::from(decided),
        };
        self.last = Some(look.clone());
        let used = self.used(floor.work(case.per));
        let agreed = self.agreed >= self.bounds.waves.agree;
        // Two looks ask for a rest; where one was kept, what a single last look says goes through it as well.
        let leaks = look.state == State::Leak && (agreed || self.rest.is_some());
        let rest = if leaks { self.rest_before_leak(&look, case) } else { None };
        self.rested = leaks && rest.is_none();
        if agreed {
            match rest {
                None => return Next::Decided(look),
                Some(rest) if !used => return rest,
                Some(_) => {}
            }
        }
        if used {
            return Next::BudgetUsed(self.outcome());
        }
        // What grows with time is watched without load, rest by rest.
        if let (Some(Decides::Idle { seconds }), true) = (&look.would_decide, self.budget.rest) {
            // What is missing, or half of it where that is long.
            let watched = IDLE_RESTS * self.budget.rest_seconds;
            let half = if *seconds > 1.5 * watched { seconds / 2.0 } else { *seconds };
            return Next::Rest { seconds: half.max(self.budget.rest_seconds), work: 0, each: true };
        }
        match (self.rest, look.would_decide) {
            (Some(Rest { each: true, .. }), more) => Next::Rest {
                seconds: self.budget.rest_seconds,
                work: if let Some(Decides::Work { more }) = more { more } else { 0 },
                each: true,
            },
            (_, would_decide) => Next::MoreWaves { would_decide },
        }
    }

    /// A look costs the square of the waves: beyond some hundred of them, each looks at one per cent more.
    fn skips(&self) -> bool {
        let waves = self.floors.len();
        waves > 300 && !waves.is_multiple_of(waves / 100)
    }

    /// A rest that brought a fall shows that something is freed late: each floor needs its rest from then on.
    fn notice_fall(&mut self, case: &Case) {
        let (per, garbage) = (case.per, Case { floors: &self.floors, ..*case }.counts_garbage());
        let (Some(rest), [.., before, floor]) = (&mut self.rest, &self.floors[..]) else { return };
        if floor.rested && !rest.each && floor.own(garbage) < before.own(garbage) {
            *rest = Rest { at: before.work(per), each: true };
        }
    }

    /// Looks at all floors, and once more over time where there were rests: what grows with time alone is told by the hour.
    fn look(&self, case: &Case) -> Judgement {
        let judgement = self.look_at_work(case);
        if self.before_rests.is_empty() || judgement.state.holds() || judgement.waves < self.bounds.waves.least {
            return judgement;
        }
        let mut floors = self.floors.clone();
        for (at, before) in self.before_rests.iter().rev().filter(|(at, _)| *at <= self.floors.len()) {
            floors.insert(*at, *before);
        }
        with_time(&Case { floors: &floors, ..*case }, &self.bounds, judgement)
    }

    /// Looks at all floors; at the rested ones alone once there are enough, where each floor is to be rested.
    fn look_at_work(&self, case: &Case) -> Judgement {
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
        if !self.budget.rest || needs_no_rest(look) {
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
        let enough = if each { rested == since.len() && rested >= self.bounds.waves.after_rest } else { rested > 0 };
        // What is counted one by one is exact: some more of them in a few waves tell that the rest freed none, also where a
        // limit of descriptors leaves no room for a quarter of the work.
        let counted = case.metric.is_count() && since.len() > self.bounds.waves.after_rest && {
            let rested = since.iter().find(|floor| floor.rested);
            rested.zip(since.last()).is_some_and(|(from, to)| to.value - from.value >= LEAST_COUNTED)
        };
        let needed = if counted { at } else { at + at / 4 };
        if enough && done >= needed && self.holds(look, &since, case) {
            return None;
        }
        Some(Next::Rest { seconds: self.budget.rest_seconds, work: needed.saturating_sub(done), each })
    }

    /// Whether the floors since the rest grew at the rate that the look found.
    fn holds(&self, look: &Judgement, since: &[&Floor], case: &Case) -> bool {
        let garbage = Case { floors: &self.floors, ..*case }.counts_garbage();
        let Some(first) = since.iter().position(|floor| floor.rested) else { return false };
        let (Some(from), Some(to)) = (since.get(first), since.last()) else { return false };
        let span = to.work(case.per).saturating_sub(from.work(case.per));
        // A single floor since the rest: the look itself, which took it in, is all there is to go by.
        let found = look.growth.map_or(0.0, |growth| growth.value / 1000.0);
        span == 0 || to.own(garbage) - from.own(garbage) >= self.bounds.waves.after_rest_share * found * span as f64
    }

    /// What can be said now, of all floors: `leak` only where it went through its rest, or none can be held any more.
    pub fn outcome(&self) -> Judgement {
        match &self.last {
            None => Judgement::not_judged(Reason::TooShort, Why::NoFloor),
            Some(look) if look.state == State::Leak && self.budget.rest && !self.rested && !needs_no_rest(look) => {
                let rested = self.floors.iter().any(|floor| floor.rested);
                let mut why = vec![if rested { Why::LittleAfterRest } else { Why::NoRest }];
                why.extend(look.why.iter().cloned());
                Judgement { state: State::Inconclusive, why, would_decide: Some(Decides::Rest), ..look.clone() }
            }
            Some(look) => look.clone(),
        }
    }
}

/// What is known one by one no timer takes back; what grows with time was watched without load already.
fn needs_no_rest(look: &Judgement) -> bool {
    look.why.iter().any(|why| matches!(why, Why::Fact { .. } | Why::WithTime { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Metric;

    /// Feeds waves of some 500 messages until it is decided or the budget is used; rests when told to.
    fn run(value: impl Fn(u64, bool) -> f64) -> (Judgement, usize, usize) {
        let mut looks = Looks::new(Bounds::default(), Budget::default());
        let case = Case { garbage_known: true, ..Case::new(Metric::Heap, &[]) };
        let (mut rest, mut rests) = (false, 0);
        for wave in 0..=60 {
            let messages = u64::from(wave) * 500 + u64::from(wave * 37 % 11) * 12;
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
        assert_eq!(judgement.state, State::Leak, "{:?}", judgement.why);
        assert!(rests >= 1 && wave <= 14, "{rests} rests, {wave} waves: 7,000 messages are enough");
    }

    #[test]
    fn the_last_look_alone_says_leak_where_a_rest_was_kept_before_it() {
        let mut looks = Looks::new(Bounds::default(), Budget::default());
        let case = Case::new(Metric::Rss, &[]);
        // Resident memory wants 11,500 messages: the last floor is the first that has them.
        for wave in 0..=13 {
            let messages = u64::from(wave) * 890;
            let value = 9e6 + 4096.0 * messages as f64;
            let floor = Floor { rested: wave == 8, ..Floor::new(wave, messages, messages, value) };
            assert!(matches!(looks.feed(floor, &case), Next::MoreWaves { .. }), "wave {wave}");
        }
        assert_eq!(looks.outcome().state, State::Leak, "{:?}", looks.outcome().why);
    }

    #[test]
    fn descriptors_need_few_waves_after_the_rest() {
        let mut looks = Looks::new(Bounds::default(), Budget::default());
        let case = Case { per: crate::verdict::Per::Sessions, ..Case::new(Metric::Fd, &[]) };
        let mut rest = false;
        let mut decided = None;
        for wave in 0..=40_u32 {
            // Waves of 70, then of 3: the server's limit is near.
            let sessions = u64::from(wave.min(11)) * 70 + u64::from(wave.saturating_sub(11)) * 3;
            let floor = Floor { rested: rest, ..Floor::new(wave, sessions, sessions, 7.0 + sessions as f64) };
            match looks.feed(floor, &case) {
                Next::Decided(judgement) => {
                    decided = Some((judgement.state, wave));
                    break;
                }
                next => rest = matches!(next, Next::Rest { .. }),
            }
        }
        assert!(matches!(decided, Some((State::Leak, wave)) if wave <= 20), "{decided:?}");
    }

    #[test]
    fn growth_with_time_gets_the_two_minutes_without_load_that_it_needs() {
        let mut looks = Looks::new(Bounds::default(), Budget::default());
        let case = Case::new(Metric::Rss, &[]);
        let (mut seconds, mut messages, mut idle, mut rests) = (0.0, 0, 0.0, Vec::new());
        for wave in 0..=40_u32 {
            // 40 kB a second in pages, and waves of unequal size at 700 messages a second.
            let value = 4096.0 * ((9e6 + 40_960.0 * seconds) / 4096.0_f64).floor();
            let floor = Floor { seconds: Some(seconds), ..Floor::new(wave, messages, messages, value) };
            match looks.feed(Floor { rested: idle > 0.0, ..floor }, &case) {
                Next::Decided(judgement) => {
                    assert_eq!(judgement.state, State::Leak, "{:?}", judgement.why);
                    assert!(rests.iter().sum::<f64>() < 150.0 && wave < 30, "wave {wave}, rests of {rests:?}");
                    return;
                }
                Next::Rest { seconds, .. } => idle = seconds,
                next => {
                    idle = 0.0;
                    assert!(matches!(next, Next::MoreWaves { .. }), "{next:?}");
                }
            }
            rests.extend(Some(idle).filter(|idle| *idle > 0.0));
            let count = 700 + u64::from(wave * 7919 % 500);
            messages += count;
            seconds += 1.0 + count as f64 / 700.0 + idle;
        }
        panic!("not decided after rests of {rests:?}: {:?}", looks.outcome().why);
    }

    #[test]
    fn what_a_timer_frees_in_a_rest_is_no_leak() {
        let (judgement, ..) = run(|messages, rested| 450_000.0 + if rested { 0.0 } else { 280.0 * messages as f64 });
        assert_ne!(judgement.state, State::Leak, "{:?}", judgement.why);
    }

    #[test]
    fn a_leak_among_swings_is_said_of_rested_floors() {
        let (judgement, _, rests) = run(|messages, rested| {
            let kept = if rested { 0.0 } else { 100_000.0 * (messages / 500 % 3) as f64 };
            450_000.0 + 200.0 * messages as f64 + kept
        });
        assert_eq!(judgement.state, State::Leak, "{:?}", judgement.why);
        assert!(rests >= 4, "{rests} rests");
    }

    #[test]
    fn a_still_heap_needs_no_rest() {
        let (judgement, wave, rests) = run(|_, _| 450_000.0);
        assert_eq!((judgement.state, wave, rests), (State::Clean, 11, 0));
    }
}
