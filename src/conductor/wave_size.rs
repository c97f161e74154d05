//! How large the next wave is. Pure: what is known of speed and growth in, a count out.

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

/// Mails above this many bytes are large: few of them make a wave.
pub const LARGE: u64 = 100_000;

/// A scenario that asks for fewer small mails than this is one wave: too few to judge in any case.
const WHOLE: u64 = 100;

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
}

impl Known {
    /// The server's process was replaced after so many floors.
    pub fn replaced_after(&mut self, floors: u64) {
        if floors < FLOORS_OF_A_LIFE {
            self.cut = (self.cut * FLOORS_OF_A_LIFE.div_ceil(floors.max(1))).min(LARGEST / SMALLEST_OF_A_LIFE);
        }
    }
}

/// The next wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wave {
    /// Messages or sessions.
    pub count: u64,
    /// Sessions in flight at once.
    pub parallel: u64,
}

/// A scenario so small that it is run as one wave, without a warm-up.
pub fn is_whole(known: &Known) -> bool {
    known.total < WHOLE && known.length < LARGE && known.waves.is_none()
}

/// The size of the warm-up: few, as nobody knows yet what a message costs or keeps.
pub fn warm_up(known: &Known) -> Wave {
    let count = if known.length >= LARGE { 2 } else { 50 }.min(known.total.div_ceil(20)).max(1);
    fit_descriptors(known, Wave { count, parallel: known.parallel.min(count) })
}

/// The size of the next wave; `None` when the time is used or nothing is left to ask for.
pub fn next(known: &Known) -> Option<Wave> {
    let waves = known.waves.unwrap_or(WAVES).max(1);
    let equal = known.total.saturating_sub(known.done.min(known.total / 20)).div_ceil(u64::from(waves)).max(1);
    let mut count = equal.min(LARGEST);
    if known.exact {
        // The recipe's counts: what is left, in equal parts.
        let left = known.total.saturating_sub(known.done);
        if left == 0 {
            return None;
        }
        count = left.div_ceil(u64::from(waves.saturating_sub(known.waves_run).max(1))).max(1);
    } else if known.length < LARGE && known.waves.is_none() && known.total >= SMALLEST {
        count = count.max(SMALLEST);
        count = (count / known.cut.max(1)).max(SMALLEST_OF_A_LIFE);
    }
    if let Some(left) = known.left {
        let still = f64::from(waves.saturating_sub(known.waves_run).max(1));
        let for_each = left / still - known.settle;
        let affordable = (for_each / known.seconds_each.max(1e-6)).floor();
        if affordable < 1.0 {
            // Not even one fits into its part: one more if the time as a whole still allows it.
            if left < known.settle + known.seconds_each {
                return None;
            }
            count = 1;
        } else {
            count = count.min(affordable as u64);
        }
    }
    let wave = fit_descriptors(known, Wave { count, parallel: known.parallel.min(count) });
    Some(wave)
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
        }
    }

    #[test]
    fn the_recipe_in_ten_equal_waves_where_the_time_allows() {
        assert_eq!(next(&known()), Some(Wave { count: 995, parallel: 1 }));
    }

    #[test]
    fn shortened_by_the_speed_that_was_measured() {
        // 60 s for ten waves: 6 s each, 0.3 of them for settling, 20 ms a message.
        assert_eq!(next(&Known { seconds_each: 0.02, ..known() }).unwrap().count, 285);
        assert_eq!(next(&Known { left: Some(0.2), ..known() }), None);
    }

    #[test]
    fn short_lives_get_waves_that_fit_into_them() {
        let mut short = known();
        short.replaced_after(1);
        assert_eq!(next(&short).unwrap().count, 165, "a life of a wave has six of them then");
        short.replaced_after(4);
        assert_eq!(next(&short).unwrap().count, 82);
        short.replaced_after(1);
        assert_eq!(next(&short).unwrap().count, 50);
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
        assert_eq!(next(&Known { length: 5_000_000, total: 200, done: 2, ..known() }).unwrap().count, 20);
    }
}
