//! A server that restarts its worker: each process is a life of its own, and a leak ends with it.

use super::floor::{Case, Floor, Per};
use super::rule::judge;
use super::thresholds::Bounds;
use crate::model::{Decides, Growth, GrowthPer, Judgement, Reason, State, Why};

/// Floors of the longest life, at least: its first wave is its warm-up, and growth wants two steps after it.
const SHORTEST_LIFE: usize = 4;

/// Of the growth inside lives, what must be given back at their ends for restarts to bound it: a life is met somewhere
/// within its first wave, of four or more.
const RETURNED: f64 = 0.75;

/// Growth from life to life worth a word, as a share of that inside them: lives are met up to a wave apart.
const SHARE: f64 = 0.1;

/// Lives that show whether something rises from one to the next.
const LIVES: usize = 4;

/// So many times as long as each life before it is one that no restart bounds: it is judged alone.
const OUTLIVES: usize = 3;

/// Judges floors life by life where their processes differ, and as ever where they do not.
///
/// The lives are laid end to end without the jumps between them and without the first wave of each (its warm-up), so
/// that growth inside a life can be seen though no life is long. Such growth is a `plateau`: bounded by restarts. Only
/// when no life grows is it `clean`.
pub fn judge_lives(case: &Case, bounds: &Bounds) -> Judgement {
    let lives: Vec<&[Floor]> = case.floors.chunk_by(|a, b| a.pid == b.pid).collect();
    // Wave 0 of the first life is no life without work.
    if lives.len() < 2 {
        return judge(case, bounds);
    }
    if let Some(alone) = outlived(&lives, bounds) {
        return judge(&Case { floors: alone, ..*case }, bounds);
    }
    let garbage = case.counts_garbage();
    let stitched = stitch(&lives, case.per);
    let count = lives.len();
    // A life of one wave or two shows no growth of its own, whatever the lives together look like.
    let longest = lives.iter().map(|life| life.len()).max().unwrap_or(0);
    let usable = stitched.iter().filter(|floor| floor.wave > 0).count();
    if longest < SHORTEST_LIFE || usable < bounds.waves.least {
        let waves = case.floors.iter().filter(|floor| floor.wave > 0).count();
        let short = Judgement::not_judged(Reason::TooShort, Why::ShortLives { replaced: count - 1, waves });
        let long = Decides::LongLife { waves: SHORTEST_LIFE + 1 };
        return Judgement { would_decide: (longest < SHORTEST_LIFE).then_some(long), ..short };
    }
    let mut judgement = Judgement { lives: true, ..judge(&Case { floors: &stitched, ..*case }, bounds) };
    let limits = bounds.for_case(case);
    if judgement.state.holds() || judgement.state == State::Leak {
        if let Some(rate) = stands_higher(&lives, case, limits.clean) {
            // What is inside the lives is not what grows.
            let value = rate * 1000.0;
            let inside = judgement.growth.filter(|growth| growth.value > value);
            judgement.growth =
                inside.or(Some(Growth { value, unit: case.metric.unit(), per: GrowthPer::from(case.per) }));
            judgement.ci95 = judgement.ci95.filter(|_| inside.is_some());
            return from_life_to_life(judgement, count);
        }
        let inside = judgement.growth.filter(|_| judgement.steady).map_or(0.0, |growth| growth.value / 1000.0);
        if (judgement.steady && returned(&lives, garbage) < RETURNED)
            || rise(&lives, case.per, garbage) > limits.leak.max(inside * SHARE)
        {
            return from_life_to_life(judgement, count);
        }
    }
    judgement.why.push(Why::Lives { lives: count });
    if judgement.state == State::Leak {
        judgement.state = State::Plateau;
        judgement.why.insert(0, Why::EndsWithLives);
    }
    judgement
}

/// The last life, where it is long enough to be judged and by far longer than each before it: whatever it keeps, no restart
/// has bounded it.
fn outlived<'a>(lives: &[&'a [Floor]], bounds: &Bounds) -> Option<&'a [Floor]> {
    let (last, before) = lives.split_last()?;
    let longest = before.iter().map(|life| life.len()).max().unwrap_or(0);
    (last.len() > bounds.waves.least && last.len() > OUTLIVES * longest).then_some(*last)
}

/// The growth for a unit of work from the first life to the last, where that is more than the bound, and more than a wave
/// brings: a life is met somewhere within its first. The first life began with the server and counts only where there is
/// but one more.
fn stands_higher(lives: &[&[Floor]], case: &Case, bound: f64) -> Option<f64> {
    let garbage = case.counts_garbage();
    let steps = lives.iter().flat_map(|life| life.windows(2)).map(|pair| pair[1].own(garbage) - pair[0].own(garbage));
    let wave = steps.fold(0.0, |most: f64, step| most.max(step.abs()));
    let worked = |life: &&[Floor]| {
        let floors = life.iter().filter(|floor| floor.wave > 0);
        floors.min_by(|a, b| a.own(garbage).total_cmp(&b.own(garbage))).copied()
    };
    let lowest: Vec<Floor> = lives.iter().filter_map(worked).collect();
    let later = if lowest.len() > 2 { &lowest[1..] } else { &lowest[..] };
    let (first, last) = (later.first()?, later.last()?);
    let work = last.work(case.per).saturating_sub(first.work(case.per)) as f64;
    let rise = last.own(garbage) - first.own(garbage);
    (rise > bound * work + 2.0 * wave.max(case.metric.grain())).then(|| rise / work.max(1.0))
}

/// A judgement of lives that do not bound what grows.
fn from_life_to_life(judgement: Judgement, count: usize) -> Judgement {
    let mut why = vec![Why::LifeToLife];
    why.extend(judgement.why);
    why.push(Why::Lives { lives: count });
    let would_decide = Some(Decides::LongLife { waves: SHORTEST_LIFE + 1 });
    Judgement { state: State::Inconclusive, reason: None, why, would_decide, ..judgement }
}

/// Of what the lives grew by, the share that was given back when each ended.
fn returned(lives: &[&[Floor]], garbage: bool) -> f64 {
    let ends = lives.windows(2).filter_map(|pair| Some((pair[0].first()?, pair[0].last()?, pair[1].first()?)));
    let (grew, fell) = ends.fold((0.0, 0.0), |(grew, fell), (first, last, next)| {
        (grew + last.own(garbage) - first.own(garbage), fell + last.own(garbage) - next.own(garbage))
    });
    if grew > 0.0 { fell / grew } else { 1.0 }
}

/// How the lowest floors of the lives rise, for a unit of work, if all of the later lives lie above all of the earlier. The
/// first life is left out: it began with the server.
fn rise(lives: &[&[Floor]], per: Per, garbage: bool) -> f64 {
    let lowest = |life: &&[Floor]| life.iter().min_by(|a, b| a.own(garbage).total_cmp(&b.own(garbage))).copied();
    let lowest: Vec<Floor> = lives.iter().skip(1).filter_map(lowest).collect();
    let (early, late) = lowest.split_at(lowest.len() / 2);
    let values = |floors: &[Floor]| floors.iter().map(|floor| floor.own(garbage)).collect::<Vec<f64>>();
    let highest = values(early).into_iter().fold(f64::NEG_INFINITY, f64::max);
    if lowest.len() < LIVES || values(late).into_iter().any(|value| value <= highest) {
        return 0.0;
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let done = |floors: &[Floor]| floors.iter().map(|floor| floor.work(per) as f64).collect::<Vec<f64>>();
    (mean(values(late)) - mean(values(early))) / (mean(done(late)) - mean(done(early))).max(1.0)
}

/// The lives end to end: work goes on, and each life begins where the one before it ended.
fn stitch(lives: &[&[Floor]], per: Per) -> Vec<Floor> {
    let mut out: Vec<Floor> = Vec::new();
    let (mut skipped, mut lifted) = (0, 0.0);
    for life in lives {
        // A life after a restart starts somewhere within its first wave: that wave's floor is where it is met.
        let mut before: Option<&Floor> = None;
        for floor in *life {
            let Some(earlier) = before.replace(floor) else {
                let last = out.last().map_or((0, floor.value), |last| (last.work(per), last.value));
                skipped = floor.work(per) - last.0.min(floor.work(per));
                lifted = last.1 - floor.value;
                if out.is_empty() {
                    skipped = 0;
                    out.push(*floor);
                }
                continue;
            };
            debug_assert!(earlier.work(per) <= floor.work(per));
            let mut moved = Floor { value: floor.value + lifted, ..*floor };
            *work_mut(&mut moved, per) -= skipped;
            out.push(moved);
        }
    }
    out
}

fn work_mut(floor: &mut Floor, per: Per) -> &mut u64 {
    match per {
        Per::Messages => &mut floor.messages,
        Per::Sessions => &mut floor.sessions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Metric;

    /// Waves of 500 messages; the worker restarts after each 3,000.
    fn floors(per_message: f64) -> Vec<Floor> {
        let floor = |wave: u32| {
            let messages = u64::from(wave) * 500;
            let life = messages.saturating_sub(1) / 3000;
            let value = 458_264.0 + per_message * (messages - life * 3000) as f64;
            Floor { pid: Some(100 + life as u32), ..Floor::new(wave, messages, messages / 25, value) }
        };
        (0..=40).map(floor).collect()
    }

    #[test]
    fn a_leak_that_restarts_mask_is_no_clean_server() {
        let floors = floors(176.0);
        let judgement = judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default());
        assert_eq!(judgement.state, State::Plateau, "{:?}", judgement.why);
        assert!(judgement.why.contains(&Why::EndsWithLives) && judgement.steady);
        assert!((175_000.0..177_000.0).contains(&judgement.growth.unwrap().value));
    }

    #[test]
    fn what_a_master_keeps_is_not_bounded_by_its_workers_restarts() {
        // The floors are sums: the workers come and go, and what grows stays.
        for per_message in [300.0, 1024.0] {
            let mut floors = floors(0.0);
            floors.iter_mut().for_each(|floor| floor.value += per_message * floor.messages as f64);
            let judgement = judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default());
            assert_eq!(judgement.state, State::Inconclusive, "{:?}", judgement.why);
            assert!(judgement.steady && judgement.why.contains(&Why::LifeToLife), "{:?}", judgement.why);
        }
        // Something is kept at each restart alone.
        let mut restarted = floors(0.0);
        restarted.iter_mut().for_each(|floor| floor.value += 40_000.0 * f64::from(floor.pid.unwrap() - 100));
        assert_eq!(judge_lives(&Case::new(Metric::Heap, &restarted), &Bounds::default()).state, State::Inconclusive);
        // Both leak, the master less.
        let mut floors = floors(600.0);
        floors.iter_mut().for_each(|floor| floor.value += 400.0 * floor.messages as f64);
        assert_eq!(judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default()).state, State::Inconclusive);
    }

    #[test]
    fn few_lives_that_begin_higher_each_time_are_not_clean() {
        for (metric, carried) in [(Metric::Rss, 5e6), (Metric::Heap, 240_000.0), (Metric::Fd, 900.0)] {
            for lives in [2, 3, 4] {
                let floor = |wave: u32| {
                    let life = wave.saturating_sub(1) / 5;
                    let value = 192_512.0 + carried * f64::from(life);
                    let work = u64::from(wave) * 500;
                    Floor { pid: Some(100 + life), ..Floor::new(wave, work, work, value) }
                };
                let floors: Vec<Floor> = (0..=lives * 5).map(floor).collect();
                let judgement = judge_lives(&Case::new(metric, &floors), &Bounds::default());
                assert!(!judgement.state.holds(), "{metric:?}, {lives} lives: {:?}", judgement.why);
            }
        }
    }

    #[test]
    fn one_early_restart_excuses_no_leak() {
        let floor = |kept: f64| {
            move |wave: u32| {
                let work = u64::from(wave) * 500 + u64::from(wave * 7919 % 100);
                let value = 2_000_000.0 + kept * work as f64;
                Floor { pid: Some(100 + u32::from(wave > 1)), ..Floor::new(wave, work, work, value) }
            }
        };
        let judged = |kept: f64| {
            let floors: Vec<Floor> = (0..=40).map(floor(kept)).collect();
            judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default())
        };
        assert_eq!(judged(100.0).state, State::Leak, "{:?}", judged(100.0).why);
        assert_eq!(judged(0.0).state, State::Clean);
    }

    #[test]
    fn lives_of_a_wave_show_nothing() {
        let floor = |wave: u32| {
            let value = 458_264.0 + 500_000.0 * f64::from(wave % 2);
            Floor { pid: Some(100 + wave / 2), ..Floor::new(wave, u64::from(wave) * 500, 0, value) }
        };
        let floors: Vec<Floor> = (0..=40).map(floor).collect();
        let judgement = judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default());
        assert_eq!(judgement.state, State::NotJudged, "{:?}", judgement.why);
        assert!(matches!(judgement.why[0], Why::ShortLives { replaced: 20, .. }), "{:?}", judgement.why);
    }

    #[test]
    fn flat_lives_are_clean() {
        let floors = floors(0.0);
        assert_eq!(judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default()).state, State::Clean);
    }
}
