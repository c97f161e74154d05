//! The rule: all floors of one metric of one scenario, judged at once. `docs/verdict.md` explains it.
//!
//! First whether they rise as a leak does; then whether they are at rest, and how much growth that leaves room for; what
//! is neither is not decided. Growth that is seen above the bound of a leak is never clean.

use super::contents;
use super::counts;
use super::floor::{Case, Collected};
use super::over_time;
use super::rests;
use super::rises::{Rise, growth, rises, stands_still};
use super::series::Series;
use super::thresholds::{Bounds, Limits, Rest};
use crate::model::{Decides, Growth, GrowthPer, Judgement, Missed, Reason, State, Why};

/// Things left behind from which on they are a fact and no chance.
const LEAST_FACTS: u64 = 100;

/// Judges all floors of one metric.
pub fn judge(case: &Case, bounds: &Bounds) -> Judgement {
    let series = Series::of(case);
    // The floor before the load is none that followed work.
    let waves = case.floors.iter().filter(|floor| floor.wave > 0).count().min(series.len());
    if let Some(fact) = fact(case, bounds, &series, waves) {
        return fact;
    }
    if waves < bounds.waves.least {
        let wave = if waves > 0 { series.end() / waves as f64 } else { 0.0 };
        // Memory wants this much work, however many waves it comes in; of large mails the waves alone count.
        let least = if case.metric.is_memory() && case.large_mail.is_none() { bounds.waves.clean_work } else { 0.0 };
        let missing =
            ((bounds.waves.least - waves) as f64 * wave).max(if waves > 0 { least - series.end() } else { 0.0 });
        return Judgement {
            would_decide: (missing > 0.0).then_some(Decides::Work { more: missing.ceil() as u64 }),
            work: series.end() as u64,
            waves,
            ..Judgement::not_judged(Reason::TooShort, Why::FewFloors { have: waves, need: bounds.waves.least })
        };
    }
    let (series, with_time) = over_time::without_time(case, bounds, series);
    let rule = Rule::new(case, bounds, bounds.for_case(case), series, waves);
    let judgement = rule.judge();
    if let Some(timed) = with_time
        && judgement.state != State::Leak
    {
        return rule.grows_with_time(judgement, &timed);
    }
    let judgement = match judgement.state {
        State::Leak => judgement,
        _ => rule.contents().unwrap_or(judgement),
    };
    contents::explained(case, bounds, &rule.series, judgement)
}

/// Restates a judgement where the floors, those before each rest among them, grow with time and not with the work.
pub(super) fn with_time(case: &Case, bounds: &Bounds, judgement: Judgement) -> Judgement {
    let series = Series::of(case);
    let waves = judgement.waves;
    match over_time::without_time(case, bounds, series) {
        (worked, Some(timed)) => {
            Rule::new(case, bounds, bounds.for_case(case), worked, waves).grows_with_time(judgement, &timed)
        }
        _ => judgement,
    }
}

/// A judgement under way.
struct Rule<'a> {
    case: &'a Case<'a>,
    bounds: &'a Bounds,
    limits: Limits,
    series: Series,
    waves: usize,
    /// The steps in which the figure comes.
    grain: f64,
    /// What can grow unseen: such a step, or the unit in which the kernel hands this memory out.
    unseen: f64,
}

/// What was found before it is put into words of a judgement: rates for a unit of work.
struct Found {
    state: State,
    rise: Option<Rise>,
    limit: f64,
    why: Vec<Why>,
}

impl<'a> Rule<'a> {
    fn new(case: &'a Case<'a>, bounds: &'a Bounds, limits: Limits, series: Series, waves: usize) -> Self {
        let grain = grain(case, &series);
        let unseen = case.floors.iter().filter_map(|floor| floor.grain).fold(grain, f64::max);
        Rule { case, bounds, limits, series, waves, grain, unseen }
    }

    fn judge(&self) -> Judgement {
        let leak = self.leak();
        let growth = growth(&self.series, self.bounds.shape.windows[0], self.grain, &self.bounds.shape);
        let (no_leak, steady) = match leak {
            Ok((rise, why)) if self.series.end() >= self.limits.leak_work => {
                return self.say(Found { state: State::Leak, rise: Some(rise), limit: rise.high, why }, true);
            }
            Ok(_) => (Why::LittleWork { need: self.limits.leak_work as u64 }, true),
            Err(why) => (why, false),
        };
        let seen = growth.is_some_and(|rise| rise.low > self.limits.leak);
        let rest = self.at_rest();
        let enough = self.series.end() >= self.limits.clean_work;
        match rest {
            Some((limit, _)) if limit > self.limits.clean || seen || !enough => {
                let mut why = vec![no_leak];
                if seen {
                    why.insert(0, Why::Seen);
                } else if !enough {
                    why.insert(0, Why::LittleWork { need: self.limits.clean_work as u64 });
                } else if self.unseen > 0.5 * self.limits.clean * self.series.end() {
                    why.insert(0, Why::Coarse { grain: self.unseen });
                } else {
                    why.insert(0, Why::NotRuledOut { limit: limit * 1000.0 });
                }
                self.undecided(growth, limit, why, seen, steady)
            }
            Some((limit, at_rest)) => {
                let limit = limit.max(self.limits.resolution);
                let (state, why) = self.rose(growth, limit, at_rest);
                self.say(Found { state, rise: growth, limit, why }, false)
            }
            None => {
                let why = if seen { vec![Why::Seen, no_leak] } else { vec![no_leak] };
                self.undecided(growth, f64::INFINITY, why, seen, steady)
            }
        }
    }

    /// A steady rise, and how it shows; or the condition that comes nearest.
    fn leak(&self) -> Result<(Rise, Vec<Why>), Why> {
        let (shape, series) = (&self.bounds.shape, &self.series);
        let look = |of: &Series, from, thin| rises(of, from, thin, self.limits.leak, self.grain, shape);
        let mut nearest = None;
        // What a collector may take is judged from fall to fall.
        if self.case.collected != Some(Collected::AtWill) {
            for from in shape.windows {
                for thin in shape.thin {
                    match look(series, from, thin) {
                        Ok(rise) if self.in_step(rise, self.bounds.waves.in_step[0]) && self.even_steps(rise.slope) => {
                            return Err(Why::EqualWaves);
                        }
                        Ok(rise) => return Ok((rise, self.since(from))),
                        Err(why) => nearest = nearest.or(Some(why)),
                    }
                    if series.from(from * series.end()).len() <= thin {
                        break;
                    }
                }
            }
            for stretches in shape.means {
                if series.len() <= 3 * stretches || stands_still(&series.from(shape.windows[0] * series.end())) {
                    break;
                }
                if let Ok(rise) = look(&series.means(stretches), shape.windows[0], shape.thin[0])
                    && !self.in_step(rise, self.bounds.waves.in_step[1])
                {
                    return Ok((rise, self.since(shape.windows[0])));
                }
            }
        }
        for lows in self.lows() {
            if let Ok(rise) = look(&lows, shape.windows[0], shape.thin[0])
                && !self.in_step(rise, self.bounds.waves.in_step[2])
            {
                return Ok((rise, vec![Why::LowsRise { falls: lows.len() }]));
            }
        }
        if self.case.collected == Some(Collected::AtWill) {
            return Err(Why::FewFalls { falls: self.lows().first().map_or(0, Series::len) });
        }
        Err(nearest.unwrap_or(Why::WithinBound))
    }

    /// Where the window begins, or the wave from which on it rises if it stood still before.
    fn since(&self, from: f64) -> Vec<Why> {
        let begin = from * self.series.end();
        let steady = Why::Steady { since: begin as u64 };
        let before = self.series.before(begin);
        let still = before.range() < 0.1 * (self.series.highest() - before.highest());
        if from <= self.bounds.shape.windows[0] || !still {
            return vec![steady];
        }
        let last = before.highest();
        let at = self.series.x.iter().zip(&self.series.y).rfind(|(_, y)| **y <= last).map_or(0.0, |(x, _)| *x);
        let first = self.case.floors.first().map_or(0, |floor| floor.work(self.case.per)) as f64;
        let wave = self.case.floors.iter().rfind(|floor| floor.work(self.case.per) as f64 - first <= at);
        vec![steady, Why::StillUntil { wave: wave.map_or(0, |floor| floor.wave) }]
    }

    /// Small growth in waves of one size may be a buffer that walks in step with them. Pages are too coarse for that.
    fn in_step(&self, rise: Rise, record: f64) -> bool {
        self.case.metric.is_memory()
            && !self.case.metric.is_resident()
            && self.series.equal_waves()
            && rise.slope * (self.waves as f64) < record
    }

    /// A buffer in step with the waves is met a little later (or earlier) each time: each wave brings the same, from the first
    /// on, but for those in which it is emptied twice or not at all.
    fn even_steps(&self, slope: f64) -> bool {
        let end = self.series.end();
        let even = |of: &Series, apart: f64| {
            let beside = |(work, growth): (f64, f64)| (growth - slope * work).abs();
            let mut steps = of.steps();
            steps.all(|step| beside(step) <= 0.25 * slope.abs() * step.0 + self.grain || step.1 * slope < apart)
        };
        let window = self.series.from(self.bounds.shape.windows[0] * end);
        even(&window, f64::NEG_INFINITY) && even(&self.series.from(self.bounds.rest.first * end), 0.0)
    }

    /// What such a buffer takes away each wave may hide as much that stays.
    fn hidden_in_step(&self) -> f64 {
        let window = self.series.from(self.bounds.shape.windows[0] * self.series.end());
        let slope = window.growth() / window.span().max(1.0);
        let still = window.range() <= 2.0 * self.grain;
        let small = Rise { slope, low: slope, high: slope };
        if still || !self.in_step(small, f64::INFINITY) || !self.even_steps(slope) {
            return 0.0;
        }
        self.bounds.waves.in_step[0] / self.waves as f64
    }

    /// The lows between swings, and the lows among those, while they are late enough to speak for the end.
    fn lows(&self) -> Vec<Series> {
        let work = self.series.end();
        let mut found: Vec<Series> = Vec::new();
        for _ in 0..3 {
            let of = found.last().unwrap_or(&self.series);
            let fall = of.from(0.2 * work).fall();
            let lows = of.lows(fall / 2.0);
            if fall <= 0.0 || lows.len() < self.bounds.rest.lows {
                break;
            }
            found.push(lows);
        }
        found.retain(|lows| work - lows.end() < self.bounds.rest.since_low * work);
        found
    }

    /// The limit of the first way that rules enough out, or the least of all; none where the floors are too few.
    fn at_rest(&self) -> Option<(f64, Why)> {
        let rest = &self.bounds.rest;
        if self.case.metric.is_count() {
            return counts::limit(&self.series, rest).map(|limit| (limit, Why::AtRest));
        }
        let end = self.series.end().max(1.0);
        let extra = self.in_flight() / end + (self.unseen - self.grain) / (0.5 * end) + self.hidden_in_step();
        let mut least: Option<(f64, Why)> = None;
        for (limit, why) in self.ways(rest) {
            let limit = limit + extra;
            if limit <= self.limits.clean {
                return Some((limit, why));
            }
            if least.as_ref().is_none_or(|(least, _)| limit < *least) {
                least = Some((limit, why));
            }
        }
        least
    }

    /// The limits that the ways give, the most cautious first.
    fn ways<'b>(&'b self, rest: &'b Rest) -> impl Iterator<Item = (f64, Why)> + use<'a, 'b> {
        let range = move |of: &Series| rests::by_range(of, self.grain, rest);
        let steps = rests::steps(&self.series, rest);
        let fits = move |stretches: &usize| self.series.len() > 3 * stretches;
        let means = self.bounds.shape.means.into_iter().take_while(fits);
        let chance = rests::chance(&self.series);
        let means = means.filter_map(move |stretches| {
            let means = self.series.means(stretches);
            Some(range(&means)?.max(steps).max(chance).max(rests::steps(&means, rest)))
        });
        let line = rests::by_line(&self.series, self.grain, rest);
        let lows = if rests::peaks_rise(&self.series, rest) { Vec::new() } else { self.lows() };
        let lows: Vec<(f64, Why)> = lows
            .iter()
            .filter_map(|lows| {
                let limit = rests::by_lows(lows, &self.series, self.grain, rest)?;
                Some((limit, Why::LowsRest { falls: lows.len() }))
            })
            .collect();
        let slowing = rests::by_slowing(&self.series, self.grain, rest);
        range(&self.series)
            .into_iter()
            .chain(slowing)
            .chain(means)
            .chain(line)
            .map(|limit| (limit, Why::AtRest))
            .chain(lows)
    }

    /// Memory freed after the peak of a wave of large mails takes in what is kept, page by page, before anything rises.
    fn in_flight(&self) -> f64 {
        let Some(mail) = self.case.large_mail.filter(|&mail| mail >= self.bounds.heavy.from) else { return 0.0 };
        if !self.case.metric.is_resident() {
            return 0.0;
        }
        let peaks = self.case.floors.iter().filter_map(|floor| Some(floor.peak_in_wave? - floor.value));
        let measured = peaks.fold(0.0, f64::max);
        let asked =
            self.case.parallel.map_or(0.0, |parallel| f64::from(parallel) * (2.0 * mail + self.bounds.rss.session));
        if measured > 0.0 { measured } else { asked }
    }

    /// `clean` where nothing rose; `plateau` where it rose early, or rises by less than is called a leak.
    fn rose(&self, growth: Option<Rise>, limit: f64, at_rest: Why) -> (State, Vec<Why>) {
        let series = &self.series;
        // Below the least limit of memory a rise must be more than its grain; what is counted one by one is there or not.
        let beyond_grain = |rise: Rise| rise.low * series.end() > 4.0 * self.unseen;
        let told = limit > self.limits.resolution || self.case.metric.is_count() || growth.is_some_and(beyond_grain);
        if told && growth.is_some_and(|rise| rise.low > 0.0 && rise.slope > 0.0) {
            return (State::Plateau, vec![Why::BelowLeak, at_rest]);
        }
        let middle = series.at(0.5 * series.end());
        let early = middle - series.y[0];
        let swing = series.fall() > 4.0 * self.limits.step;
        // "It grew by less than the limit" must be so of the whole.
        let more = series.growth() > limit * series.end();
        if swing || more || (early > 4.0 * self.limits.step && early / (0.5 * series.end()) > 4.0 * limit) {
            return (State::Plateau, vec![Why::Rose { to: series.highest() }, at_rest]);
        }
        (State::Clean, vec![at_rest])
    }

    fn undecided(&self, rise: Option<Rise>, limit: f64, why: Vec<Why>, seen: bool, steady: bool) -> Judgement {
        let state = if seen { State::Inconclusive } else { State::NotJudged };
        self.say(Found { state, rise, limit, why }, steady)
    }

    fn say(&self, found: Found, steady: bool) -> Judgement {
        let per = GrowthPer::from(self.case.per);
        let judged = found.state != State::NotJudged;
        let work = self.series.end();
        let scaled = |rate: f64| rate * 1000.0;
        // Nothing is looked for below the resolution, whether it was decided or not.
        let limit = found.limit.is_finite().then(|| scaled(found.limit.max(self.limits.resolution)));
        let ci95 = found.rise.filter(|_| judged).map(|rise| {
            // What is stated of growth lies within what is stated of its limit.
            let bound = if found.state.holds() { found.limit } else { f64::INFINITY };
            [rise.low.clamp(-bound, bound), rise.high.clamp(-bound, bound)].map(scaled)
        });
        // Where it is at rest, what is stated is the growth at rest, and not that of a rise which has ended.
        let value = |rise: Rise| match ci95 {
            Some([low, high]) if found.state.holds() => scaled(rise.slope).clamp(low, high),
            _ => scaled(rise.slope),
        };
        Judgement {
            state: found.state,
            reason: (!judged).then_some(Reason::TooShort),
            growth: found.rise.map(|rise| Growth { value: value(rise), unit: self.case.metric.unit(), per }),
            ci95: ci95.or(judged.then_some([0.0, limit.unwrap_or(0.0)])),
            could_have_missed: limit,
            missed: limit.map(|even_below| Missed {
                even_below,
                rarer_than: (work / 3.0) as u64,
                longest_flat: self.series.longest_flat() as u64,
            }),
            would_decide: (!found.state.is_decided()).then(|| self.would_decide(&found)),
            why: found.why,
            work: work as u64,
            waves: self.waves,
            wants_rest: self.fell(),
            steady,
            lives: false,
        }
    }

    /// A forecast: limits fall as the work grows, and growth stands out of swings as it grows.
    fn would_decide(&self, found: &Found) -> Decides {
        let work = self.series.end();
        let times = |factor: f64| Decides::Work { more: (work * factor.clamp(0.1, 100.0)).ceil() as u64 };
        let rate = found.rise.map_or(0.0, |rise| rise.slope);
        if found.why.iter().any(|why| matches!(why, Why::FewFalls { .. })) {
            return Decides::ForcedCollection;
        }
        match found.why.first() {
            Some(Why::LittleWork { need }) => Decides::Work { more: need.saturating_sub(work as u64).max(1) },
            Some(Why::NotRuledOut { limit }) => times(limit / 1000.0 / self.limits.clean - 1.0),
            Some(Why::Coarse { grain }) => times(2.0 * grain / (self.limits.clean * work) - 1.0),
            Some(Why::EqualWaves) => Decides::UnequalWaves,
            _ => match found.why.get(1) {
                Some(Why::LittleWork { need }) => Decides::Work { more: need.saturating_sub(work as u64).max(1) },
                Some(Why::EqualWaves) => Decides::UnequalWaves,
                Some(Why::Swings { by }) if rate > 0.0 => {
                    times(self.bounds.shape.over_noise * by / (0.75 * rate * work) - 1.0)
                }
                _ => times(1.0),
            },
        }
    }

    /// Whether floors fell by half of what a wave brings or more: something is freed late.
    fn fell(&self) -> bool {
        let window = self.series.from(self.bounds.shape.windows[0] * self.series.end());
        window.fall() > 0.5 * (window.growth() / window.len().max(1) as f64).max(0.0)
    }

    /// What a census of the heap tells where its totals do not: garbage that stays, a container's elements.
    fn contents(&self) -> Option<Judgement> {
        let (rise, why) = contents::leak(self.case, self.bounds, &self.limits, &Series::of(self.case))?;
        Some(self.say(Found { state: State::Leak, rise: Some(rise), limit: rise.high, why: vec![why] }, true))
    }

    /// Growth that goes with time: a leak where it was watched without load for long enough, else not decided.
    fn grows_with_time(&self, judgement: Judgement, timed: &over_time::Timed) -> Judgement {
        let leaks = timed.idle >= self.bounds.idle(self.case.metric);
        let growth = Growth { value: timed.rise.slope, unit: self.case.metric.unit(), per: GrowthPer::Hour };
        let more = Decides::Idle { seconds: (self.bounds.idle(self.case.metric) - timed.idle).ceil() };
        Judgement {
            state: if leaks { State::Leak } else { State::Inconclusive },
            reason: None,
            growth: Some(growth),
            ci95: Some([timed.rise.low, timed.rise.high]),
            could_have_missed: Some(timed.rise.high),
            missed: None,
            why: vec![Why::WithTime { idle_seconds: timed.idle }],
            would_decide: (!leaks).then_some(more),
            steady: true,
            ..judgement
        }
    }
}

/// A leak that is known one by one: so many things stayed that nothing will take away. The figure must have grown with
/// them. No rest and no further wave tells more.
fn fact(case: &Case, bounds: &Bounds, series: &Series, waves: usize) -> Option<Judgement> {
    let (left, of) = case.fact.filter(|&(left, of)| left >= LEAST_FACTS && of > 0)?;
    let rate = series.growth() / series.span().max(1.0);
    let enough = left as f64 / of as f64 * 1000.0 > bounds.count.leak && rate > bounds.for_case(case).leak;
    let spread = 2.0 / (left as f64).sqrt();
    enough.then(|| Judgement {
        state: State::Leak,
        reason: None,
        growth: Some(Growth { value: rate * 1000.0, unit: case.metric.unit(), per: case.per.into() }),
        ci95: Some([rate * 1000.0 * (1.0 - spread), rate * 1000.0 * (1.0 + spread)]),
        could_have_missed: Some(rate * 1000.0 * (1.0 + spread)),
        work: series.end() as u64,
        waves,
        steady: true,
        ..Judgement::not_judged(Reason::TooShort, Why::Fact { left, of })
    })
}

/// The steps in which a figure comes: the largest power of two that divides every value of resident memory (a page of
/// 4 kB to 2 MB); one of what is counted; PHP's smallest block with its rounding.
fn grain(case: &Case, series: &Series) -> f64 {
    if !case.metric.is_resident() {
        return case.metric.grain();
    }
    let bits = series.y.iter().fold(1_u64 << 21, |bits, &y| bits | y as u64);
    let common = 1_u64 << bits.trailing_zeros().min(21);
    (common as f64).max(4096.0)
}
