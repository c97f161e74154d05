//! How large the next wave is. Pure: what is known of speed and growth in, a count out.
//!
//! Waves are unequal on purpose: each is 10 to 30% larger or smaller than the mean, by the run's seed. Whatever empties
//! itself after so many messages, or after so long, can then not walk in step with the floors.

use crate::model::Random;
use crate::model::plan::scenario::FEW;
pub use crate::model::plan::scenario::LARGE;

/// Floors that a process should live through: of one that is replaced sooner no growth of its own can be seen.
const FLOORS_OF_A_LIFE: u64 = 6;

/// Short lives make no wave smaller than this.
const SMALLEST_OF_A_LIFE: u64 = 50;

/// Waves that every scenario gets, so that two looks from the 8th on can agree.
pub const WAVES: u32 = 10;

/// A wave of small messages is at most this many.
const LARGEST: u64 = 2_000;

/// And at least this many, where the time allows.
const SMALLEST: u64 = 500;

/// The least part of the mean by which a wave differs from it, and the largest.
const SPREAD: (f64, f64) = (0.1, 0.3);

/// Fewer small mails (or sessions) than this tell nothing: no wave is cut further to fit into the time.
const LEAST: u64 = 20;

/// The same of large mails.
const LEAST_LARGE: u64 = 2;

/// A wave is at most this many times the one before: what a few messages cost may not be what many do.
const GROWTH: u64 = 20;

/// Small mails of the warm-up, where there is time for them.
const WARM_UP: u64 = 50;

/// The part of its time that a scenario spends on the warm-up, at most.
const WARM_UP_PART: f64 = 0.05;

/// A server that uses less than this part of one processor under load waits for something.
pub const WAITS: f64 = 0.25;

/// Most sessions at once where only waiting is to be shortened.
pub const MOST_WAITING: u64 = 100;

/// Share of the descriptor limit that no wave may pass.
const DESCRIPTORS: f64 = 0.8;

/// What is known when a wave is sized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// What the scenario asks for in all (messages or sessions).
    pub total: u64,
    /// Done so far, warm-up included.
    pub done: u64,
    /// Most sessions in flight that the scenario asks for.
    pub parallel: u64,
    /// Messages each connection carries, at most.
    pub per_connection: u64,
    /// Waves that the user set.
    pub waves: Option<u32>,
    /// Waves run so far.
    pub waves_run: u32,
    /// Seconds that one message (or session) took, measured.
    pub seconds_each: f64,
    /// Seconds that settling and a floor take, measured.
    pub settle: f64,
    /// Seconds that the scenario has left; none without a budget.
    pub left: Option<f64>,
    /// The recipe's counts, neither more nor fewer.
    pub exact: bool,
    /// Bytes of a message.
    pub length: u64,
    /// Descriptors open at rest, and the limit.
    pub descriptors: Option<(u64, u64)>,
    /// Descriptors kept for each session so far.
    pub kept_a_session: f64,
    /// A wave is cut into so many, as the server's process is replaced after few.
    pub cut: u64,
    /// Done in the last wave; none before the first.
    pub last: Option<u64>,
    /// The run's seed, mixed with the scenario.
    pub seed: u64,
}

impl Known {
    /// The server's process was replaced after so many floors.
    pub fn replaced_after(&mut self, floors: u64) {
        if floors < FLOORS_OF_A_LIFE {
            self.cut = (self.cut * FLOORS_OF_A_LIFE.div_ceil(floors.max(1))).min(LARGEST / SMALLEST_OF_A_LIFE);
        }
    }
}

impl Known {
    /// The fewest that make a wave.
    fn least(&self) -> u64 {
        let least = if self.length >= LARGE { LEAST_LARGE } else { LEAST };
        least.min(self.total).max(1)
    }

    /// Seconds that all waves take which a scenario needs, each with so many.
    fn seconds(&self, count: u64) -> f64 {
        f64::from(self.waves.unwrap_or(WAVES)) * (self.settle + count as f64 * self.seconds_each)
    }

    /// Seconds for the fewest waves of the fewest messages that can be judged at all.
    pub fn least_seconds(&self) -> f64 {
        self.seconds(self.least())
    }

    /// Seconds for the work after which memory can be judged.
    pub fn useful_seconds(&self) -> f64 {
        let each = if self.length >= LARGE { 10 * LEAST_LARGE } else { SMALLEST };
        self.seconds(each.min(self.total.div_ceil(u64::from(WAVES)).max(1)))
    }
}

/// Sessions at once with which a server that only waits gets its work done in the time that is left: `busy` is the part
/// of a processor that it used under the load so far. None where its waiting is short enough, or it does not only wait.
pub fn more_at_once(known: &Known, busy: f64) -> Option<u64> {
    let left = known.left.filter(|_| !known.exact && known.waves.is_none())?;
    let wanted = known.useful_seconds() / left.max(1e-3);
    if wanted <= 1.0 || busy >= WAITS {
        return None;
    }
    // As many as keep the processor half free, if it goes on like this.
    let room = 0.5 / busy.max(1e-3);
    let factor = wanted.min(room).ceil().max(1.0) as u64;
    let parallel = (known.parallel * factor).min(MOST_WAITING.max(known.parallel));
    let parallel = fit_descriptors(known, Wave { count: parallel, parallel }).parallel;
    (parallel > known.parallel).then_some(parallel)
}

/// The next wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wave {
    /// Messages or sessions.
    pub count: u64,
    /// Sessions in flight at once.
    pub parallel: u64,
}

/// A scenario so small that nothing can be judged in it, however often it is run.
pub fn is_small(known: &Known) -> bool {
    known.total < FEW && known.length < LARGE
}

/// One that is run as a single wave therefore, without a warm-up.
pub fn is_whole(known: &Known) -> bool {
    is_small(known) && known.waves.is_none()
}

/// The size of the warm-up: few, as nobody knows yet what a message costs or keeps, and of a slow server fewer still.
pub fn warm_up(known: &Known) -> Wave {
    let wanted = if known.length >= LARGE { 2 } else { WARM_UP }.min(known.total.div_ceil(20)).max(1);
    let affordable = known.left.map_or(u64::MAX, |left| (left * WARM_UP_PART / known.seconds_each.max(1e-6)) as u64);
    let count = wanted.min(affordable.max(2)).min(known.total).max(1);
    fit_descriptors(known, Wave { count, parallel: known.parallel.min(count) })
}

/// The size of the next wave; `None` when the time is used or nothing is left to ask for.
pub fn next(known: &Known) -> Option<Wave> {
    let waves = known.waves.unwrap_or(WAVES).max(1);
    let mean = known.total.saturating_sub(known.done.min(known.total / 20)).div_ceil(u64::from(waves)).max(1);
    let mut count = mean.min(LARGEST);
    let still = u64::from(waves.saturating_sub(known.waves_run).max(1));
    if known.exact {
        // The recipe's counts: what is left, in as many parts as are still to come.
        let left = known.total.saturating_sub(known.done);
        if left == 0 {
            return None;
        }
        let wave = if still == 1 { left } else { unequal(known, left.div_ceil(still).max(1)).min(left) };
        return Some(fit_descriptors(known, Wave { count: wave, parallel: known.parallel.min(wave) }));
    }
    if known.length < LARGE && known.waves.is_none() && known.total >= SMALLEST {
        count = count.max(SMALLEST);
        count = (count / known.cut.max(1)).max(SMALLEST_OF_A_LIFE);
    }
    if let Some(last) = known.last {
        count = count.min(last.max(1).saturating_mul(GROWTH));
    }
    if let Some(left) = known.left {
        let for_each = left / still as f64 - known.settle;
        let affordable = (for_each / known.seconds_each.max(1e-6)).max(0.0) as u64;
        // Below the least a wave tells nothing: fewer of them then, for as long as one fits.
        count = count.min(affordable).max(known.least().min(count));
        if left < known.settle + count as f64 * known.seconds_each {
            return None;
        }
    }
    let count = unequal(known, count);
    Some(fit_descriptors(known, Wave { count, parallel: known.parallel.min(count) }))
}

/// A count that is 10 to 30% off, the same for the same seed and wave.
fn unequal(known: &Known, count: u64) -> u64 {
    let mut rng = Random::new(known.seed ^ u64::from(known.waves_run).wrapping_mul(0xd6e8_feb8_6659_fd93));
    let off = SPREAD.0 + rng.unit() * (SPREAD.1 - SPREAD.0);
    let factor = if rng.unit() < 0.5 { 1.0 - off } else { 1.0 + off };
    ((count as f64 * factor).round() as u64).max(1)
}

/// How long a wave may take: three times what it should, and never past what the scenario has left.
pub fn at_most(known: &Known, wave: Wave) -> Option<f64> {
    let left = known.left?;
    let planned = wave.count as f64 * known.seconds_each;
    Some((3.0 * planned + 2.0).min(left).max(0.2))
}

/// Keeps the target away from its descriptor limit: by those in flight, and by those that it keeps.
fn fit_descriptors(known: &Known, wave: Wave) -> Wave {
    let Some((open, limit)) = known.descriptors else { return wave };
    let room = ((limit as f64 * DESCRIPTORS) - open as f64).floor().max(1.0);
    let kept = known.kept_a_session.max(0.0);
    let mut count = wave.count;
    if kept > 0.001 {
        // What is kept must leave room for the waves that still have to come.
        let waves = f64::from(WAVES + 2).max(2.0) - f64::from(known.waves_run.min(WAVES));
        let sessions = (room / (kept * waves)).floor().max(1.0);
        count = count.min(sessions as u64 * known.per_connection.max(1)).max(1);
    }
    Wave { count, parallel: wave.parallel.min(room as u64).min(count).max(1) }
}

/// Seconds of the measure pass that each scenario may take: by weight, the small ones first.
pub fn weight(name: &str) -> f64 {
    match name {
        "smoke" => 0.2,
        "sequential" => 3.0,
        "churn" => 2.0,
        "large" => 2.0,
        _ => 1.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            total: 10_000,
            done: 50,
            parallel: 1,
            per_connection: 1,
            waves: None,
            waves_run: 0,
            seconds_each: 0.001,
            settle: 0.3,
            left: Some(60.0),
            exact: false,
            length: 100,
            descriptors: Some((10, 1024)),
            kept_a_session: 0.0,
            cut: 1,
            last: None,
            seed: 7,
        }
    }

    /// Within what a seeded choice may make of `mean`.
    fn about(count: u64, mean: u64) -> bool {
        let off = (count as f64 / mean as f64 - 1.0).abs();
        (0.09..=0.31).contains(&off)
    }

    #[test]
    fn the_recipe_in_ten_waves_of_unequal_size_where_the_time_allows() {
        let of = |seed| -> Vec<u64> {
            (0..10).map(|waves_run| next(&Known { waves_run, seed, ..known() }).unwrap().count).collect()
        };
        let counts = of(7);
        assert!(counts.iter().all(|count| about(*count, 995)), "{counts:?}");
        assert!(counts.iter().collect::<std::collections::BTreeSet<_>>().len() > 5, "{counts:?}");
        assert_eq!(counts, of(7), "the seed decides");
        assert_ne!(counts, of(8));
        let sum: u64 = counts.iter().sum();
        assert!((7_000..13_000).contains(&sum), "{sum}");
    }

    #[test]
    fn shortened_by_the_speed_that_was_measured() {
        // 60 s for ten waves: 6 s each, 0.3 of them for settling, 20 ms a message.
        let wave = next(&Known { seconds_each: 0.02, ..known() }).unwrap();
        assert!(about(wave.count, 285), "{wave:?}");
        assert_eq!(next(&Known { left: Some(0.2), ..known() }), None);
    }

    #[test]
    fn a_slow_server_gets_fewer_waves_of_the_least_size_and_none_past_its_time() {
        let slow = Known { seconds_each: 0.5, left: Some(40.0), ..known() };
        let wave = next(&slow).unwrap();
        assert!(about(wave.count, LEAST), "{wave:?}");
        assert_eq!(next(&Known { left: Some(8.0), ..slow }), None, "the least does not fit");
        assert!(at_most(&slow, wave).unwrap() <= 40.0);
        assert_eq!(warm_up(&slow).count, 4, "two seconds of forty");
        assert_eq!(at_most(&Known { left: None, ..slow }, wave), None);
    }

    #[test]
    fn a_few_messages_do_not_make_a_huge_wave() {
        let wave = next(&Known { last: Some(8), ..known() }).unwrap();
        assert!(about(wave.count, 160), "{wave:?}");
    }

    #[test]
    fn waiting_is_shortened_by_more_sessions_at_once_and_work_is_not() {
        let slow = Known { seconds_each: 2.0, left: Some(40.0), ..known() };
        assert_eq!(more_at_once(&slow, 0.01), Some(50));
        assert_eq!(more_at_once(&slow, 0.001), Some(100), "and no more than these");
        assert_eq!(more_at_once(&slow, 0.9), None);
        assert_eq!(more_at_once(&known(), 0.01), None, "fast enough");
        assert_eq!(more_at_once(&Known { exact: true, ..slow }, 0.01), None);
    }

    #[test]
    fn short_lives_get_waves_that_fit_into_them() {
        let mut short = known();
        short.replaced_after(1);
        assert!(about(next(&short).unwrap().count, 165), "a life of a wave has six of them then");
        short.replaced_after(4);
        assert!(about(next(&short).unwrap().count, 82));
        short.replaced_after(1);
        assert!(about(next(&short).unwrap().count, 50));
        let mut long = known();
        long.replaced_after(6);
        assert_eq!(next(&long), next(&known()));
        let exact = Known { exact: true, cut: 6, ..known() };
        assert_eq!(next(&exact), next(&Known { cut: 1, ..exact }), "what was asked for by number stays");
    }

    #[test]
    fn no_wave_comes_near_the_descriptor_limit() {
        let churn = Known { total: 5_000, parallel: 5_000, ..known() };
        assert!(next(&churn).unwrap().parallel <= 809);
        // Every session keeps one: the room of 809 is shared by 12 waves.
        let leaking = Known { kept_a_session: 1.0, ..known() };
        assert_eq!(next(&leaking).unwrap().count, 67);
        let nearly = Known { kept_a_session: 1.0, descriptors: Some((800, 1024)), waves_run: 9, ..known() };
        assert!(next(&nearly).unwrap().count <= 7);
    }

    #[test]
    fn exactly_what_was_asked_with_full() {
        let mut full = Known { exact: true, left: None, total: 1_000, done: 50, parallel: 1_000, ..known() };
        let mut sum = full.done;
        while let Some(wave) = next(&full) {
            sum += wave.count;
            full.done += wave.count;
            full.waves_run += 1;
        }
        assert_eq!(sum, 1_000);
        assert!(full.waves_run <= WAVES + 1, "{}", full.waves_run);
    }

    #[test]
    fn large_mails_are_few() {
        assert_eq!(warm_up(&Known { length: 5_000_000, total: 200, ..known() }).count, 2);
        assert!(about(next(&Known { length: 5_000_000, total: 200, done: 2, ..known() }).unwrap().count, 20));
    }
}
