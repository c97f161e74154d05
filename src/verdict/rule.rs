//! The rule: one look at the floors of one metric. `docs/verdict.md` explains it and names the data behind it.

use super::detectable;
use super::floor::{Case, Floor, Metric};
use super::judgement::{Growth, Judgement, MoreWork, Reason, State};
use super::series::{Noise, Series};
use super::stats::{LogFit, Slope, slope};
use super::thresholds::{Bounds, Limits};
use crate::phrase::{grouped, plural, significant};

/// A condition that failed, and the work in all at which it may hold.
#[derive(Debug, Clone, PartialEq)]
struct Failed {
    what: String,
    at: f64,
}

/// Looks once at the floors of one metric.
pub fn judge(case: &Case, bounds: &Bounds) -> Judgement {
    let series = Series::of(case);
    let limits = bounds.for_case(case);
    if series.len() < bounds.waves.least {
        let wave = if series.len() > 0 { series.work() / series.len() as f64 } else { 0.0 };
        let missing = (bounds.waves.least - series.len()) as f64 * wave;
        let mut out = Judgement::not_judged(
            Reason::TooShort,
            format!(
                "{} with work, {} are needed",
                plural(series.len() as u64, "wave"),
                grouped(bounds.waves.least as u64)
            ),
        );
        out.failed_condition = Some("too few waves".to_owned());
        out.would_decide = Some(MoreWork { work: missing.ceil() as u64, reason: "too few waves".to_owned() });
        return out;
    }
    let judgement = Look::new(case, bounds, limits, series.clone()).judge();
    match judgement.state {
        State::Leak => judgement,
        _ => elements(case, bounds, limits, &series).unwrap_or(judgement),
    }
}

/// A container whose memory doubles grows in leaps, and its totals never show a leak; the elements that a census counts
/// in it show it at once. They are no garbage, so a collector need not be waited for.
fn elements(case: &Case, bounds: &Bounds, limits: Limits, series: &Series) -> Option<Judgement> {
    let counts: Option<Vec<Floor>> = case
        .floors
        .iter()
        .map(|floor| Some(Floor { value: floor.elements? as f64, garbage: None, elements: None, ..*floor }))
        .collect();
    let counts = counts.filter(|_| case.metric == Metric::Heap)?;
    let counted = Case { floors: &counts, ..*case };
    let leak = bounds.heap.elements / 1000.0;
    let limits = Limits { leak, leak_work: limits.leak_work.min(bounds.heap.leak_work), ..limits };
    let look = Look::new(&counted, bounds, limits, Series::of(&counted));
    let held = counts.last()?.value;
    let grew = series.growth();
    if look.leak().is_some() || grew <= 0.0 {
        return None;
    }
    let rate = 1000.0 * grew / series.span();
    let per = super::GrowthPer::from(case.per);
    Some(Judgement {
        state: State::Leak,
        reason: None,
        growth: Some(Growth { value: rate, unit: case.metric.unit(), per }),
        // Between two doublings the totals lie between what the elements need and twice that.
        ci95: Some([rate / 2.0, rate * 2.0]),
        could_have_missed: Some(rate * 2.0),
        evidence: format!(
            "a container grew by {} elements {}, steadily, and holds {}; its memory grows in leaps, {} in {} {}",
            significant(1000.0 * look.slope.value),
            per.phrase(),
            grouped(held as u64),
            case.metric.amount(grew),
            grouped(series.span() as u64),
            case.per.noun(),
        ),
        failed_condition: None,
        would_decide: None,
        wants_rest: look.fell(),
        steady: true,
        lives: false,
    })
}

/// What a look computes once and its conditions share.
struct Look<'a> {
    case: &'a Case<'a>,
    bounds: &'a Bounds,
    limits: Limits,
    series: Series,
    window: Series,
    noise: Noise,
    slope: Slope,
    fit: Option<LogFit>,
}

impl<'a> Look<'a> {
    fn new(case: &'a Case<'a>, bounds: &'a Bounds, limits: Limits, series: Series) -> Self {
        let leak_series = match case.metric.is_resident() {
            true => series.without_largest_step_from(bounds.waves.window),
            false => series.clone(),
        };
        let window = leak_series.from(bounds.waves.window);
        let noise = window.noise();
        let flat = Slope { value: 0.0, low: 0.0, high: f64::INFINITY };
        let slope = slope(&window.x, &window.y).unwrap_or(flat);
        let fit = leak_series.log_fit(bounds.waves.window);
        Look { case, bounds, limits, series, window, noise, slope, fit }
    }

    fn judge(&self) -> Judgement {
        let leak = self.leak();
        let seen = self.slope.low > self.limits.leak;
        let limit = detectable::later_half(self.case, self.bounds, &self.series);
        if leak.is_none() {
            return self.say(State::Leak, None, limit);
        }
        // Growth that is a leak but for the least work must not be called clean before that work is done.
        let only_short = seen && self.leak_shape().is_none() && self.limits.leak_work > self.series.work();
        let clean = self.clean(limit);
        if clean.is_none() && !only_short {
            let state = if self.warmed_up(limit) { State::Plateau } else { State::Clean };
            return self.say(state, None, limit);
        }
        if !only_short && let Some(slowed) = detectable::slowing(self.case, self.bounds, &self.limits, &self.series) {
            return self.say(State::Plateau, None, slowed);
        }
        let failed = if seen { leak } else { clean.or(leak) };
        self.say(if seen { State::Inconclusive } else { State::NotJudged }, failed, limit)
    }

    /// The first condition of `leak` that fails.
    fn leak(&self) -> Option<Failed> {
        let Limits { leak, leak_work, .. } = self.limits;
        if self.slope.low <= leak {
            return Some(Failed {
                what: "the interval of growth reaches below the bound of a leak".to_owned(),
                at: self.series.work() * 2.0,
            });
        }
        if self.series.work() < leak_work {
            let noun = self.case.per.noun();
            return Some(Failed { what: format!("fewer than {} {noun}", grouped(leak_work as u64)), at: leak_work });
        }
        self.leak_shape()
    }

    /// The first condition on the shape of a leak that fails.
    fn leak_shape(&self) -> Option<Failed> {
        let waves = &self.bounds.waves;
        let (noise, growth, work) = (self.noise.total(), self.window.growth(), self.series.work());
        let amount = |value: f64| self.case.metric.amount(value);
        if growth <= waves.over_noise * noise {
            return Some(Failed {
                what: format!("growth of {} within falls and steps of {}", amount(growth), amount(noise)),
                at: waves.over_noise * noise / ((1.0 - waves.window) * self.slope.value.max(f64::MIN_POSITIVE)),
            });
        }
        if self.noise.grew < waves.grew {
            return Some(Failed {
                what: format!("{} that grew", plural(self.noise.grew as u64, "wave")),
                at: work * waves.grew as f64 / (self.noise.grew.max(1)) as f64,
            });
        }
        let least = waves.steady * growth / 3.0 - noise / 2.0;
        let thirds: [f64; 3] = self.window.parts();
        if thirds.iter().any(|&third| third < least) {
            return Some(Failed {
                what: format!("not steady: thirds of the window grew by {}", thirds.map(amount).join(", ")),
                at: work * 1.5,
            });
        }
        let left = self.fit.map_or(f64::NEG_INFINITY, |fit| fit.linear - noise * fit.weight);
        if left <= self.limits.leak {
            return Some(Failed { what: "growth as the logarithm would explain it".to_owned(), at: work * 2.0 });
        }
        if self.slows() {
            return Some(Failed {
                what: "each of the last waves grew by less than the one before".to_owned(),
                at: work * 1.5,
            });
        }
        None
    }

    /// Whether the last waves slow smoothly, as a logarithm does that began late (a second cache, a second table), and
    /// would not keep half of their rate.
    fn slows(&self) -> bool {
        let waves = &self.bounds.waves;
        let end = self.series.slowing_end();
        let last = end.last_rate();
        end.len() > waves.slowing_waves
            && end.log_fit(0.0).is_some_and(|fit| {
                fit.linear <= self.limits.leak.max(last / 2.0) && end.distance(&fit) <= waves.slowing_smooth
            })
    }

    /// The first condition of `clean` that fails.
    fn clean(&self, limit: f64) -> Option<Failed> {
        let Limits { clean, clean_work, clean_half, .. } = self.limits;
        let work = self.series.work();
        let noun = self.case.per.noun();
        if work < clean_work {
            return Some(Failed { what: format!("fewer than {} {noun}", grouped(clean_work as u64)), at: clean_work });
        }
        if self.series.from(0.5).span() < clean_half {
            let what = format!("fewer than {} {noun} in the later half", grouped(clean_half as u64));
            return Some(Failed { what, at: work * 1.25 });
        }
        if limit >= clean {
            let what = format!(
                "a leak of up to {} {} is not ruled out",
                self.case.metric.amount(limit * 1000.0),
                super::GrowthPer::from(self.case.per).phrase()
            );
            return Some(Failed { what, at: work * limit / clean });
        }
        None
    }

    /// Whether the early work brought growth worth a word, or the floors swing by as much: a mark was reached.
    fn warmed_up(&self, limit: f64) -> bool {
        let (half, middle) = self.series.at(0.5);
        let first = self.series.start.map_or(self.series.y[0], |(_, before)| before);
        let swing = self.series.noise().fall > 4.0 * self.limits.step;
        let early = middle - first;
        swing || (early > 4.0 * self.limits.step && early / half > 4.0 * limit)
    }

    /// Whether floors fell by half of what a wave brings or more: something is freed late.
    fn fell(&self) -> bool {
        let series = self.series.from(self.bounds.waves.window);
        series.noise().fall > 0.5 * (series.growth() / series.len() as f64).max(0.0)
    }

    /// The interval that is stated: that of the window with and without its largest step, wider by the grain of the
    /// metric. It reaches down to what is left when growth as the logarithm is taken away, and by a quarter of the
    /// difference beyond, for what still slows may slow on, and a logarithm seldom starts at nought.
    fn interval(&self) -> [f64; 2] {
        let window = self.series.from(self.bounds.waves.window);
        let whole = slope(&window.x, &window.y).unwrap_or(self.slope);
        let grain = self.case.metric.grain() / window.span();
        let left = self.fit.map_or(f64::INFINITY, |fit| fit.linear - 0.25 * (self.slope.value - fit.linear).max(0.0));
        [self.slope.low.min(whole.low).min(left) - grain, self.slope.high.max(whole.high) + grain]
    }

    fn say(&self, state: State, failed: Option<Failed>, limit: f64) -> Judgement {
        let metric = self.case.metric;
        let per = super::GrowthPer::from(self.case.per);
        let limit = detectable::stated(self.case, &self.limits, &self.series, limit);
        let work = self.series.work();
        let rate = |value: f64| format!("{} {}", metric.amount(value * 1000.0), per.phrase());
        let over = format!("{} {} in {} waves", grouped(work as u64), self.case.per.noun(), self.series.len());
        let [low, high] = self.interval();
        let evidence = match state {
            State::Leak => format!(
                "{} grew by {} [{}, {}], steadily, over {over}",
                metric.noun(),
                rate(self.slope.value),
                metric.amount(low * 1000.0),
                metric.amount(high * 1000.0),
            ),
            State::Clean => format!("{} stayed below {} over {over}", metric.noun(), rate(limit)),
            State::Plateau => format!(
                "{} reached {} and since grew by less than {} over {over}",
                metric.noun(),
                metric.amount(self.series.y.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                rate(limit),
            ),
            State::Inconclusive => format!(
                "{} grew by {} over {over}, not decided: {}",
                metric.noun(),
                rate(self.slope.value),
                failed.as_ref().map_or("", |failed| &failed.what),
            ),
            State::NotJudged => {
                format!("too short over {over}: {}", failed.as_ref().map_or("", |failed| &failed.what),)
            }
        };
        let judged = state != State::NotJudged;
        Judgement {
            state,
            reason: (!judged).then_some(Reason::TooShort),
            growth: Some(Growth { value: self.slope.value * 1000.0, unit: metric.unit(), per }),
            ci95: judged.then_some([low * 1000.0, high * 1000.0]),
            could_have_missed: Some(limit * 1000.0),
            evidence,
            would_decide: failed.as_ref().map(|failed| MoreWork {
                work: (failed.at - work).max(work / self.series.len() as f64).min(1e15).ceil() as u64,
                reason: failed.what.clone(),
            }),
            failed_condition: failed.map(|failed| failed.what),
            wants_rest: self.fell(),
            steady: self.slope.low > self.limits.leak && self.leak_shape().is_none(),
            lives: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge_heap(waves: u32, garbage_known: bool, value: impl Fn(u64) -> f64, elements: Option<u64>) -> Judgement {
        let floor = |wave: u32| {
            let messages = u64::from(wave) * 500;
            let elements = elements.map(|per_message| per_message * messages);
            Floor { elements, ..Floor::new(wave, messages, messages / 25, value(messages)) }
        };
        let floors: Vec<Floor> = (0..=waves).map(floor).collect();
        judge(&Case { garbage_known, ..Case::new(Metric::Heap, &floors) }, &Bounds::default())
    }

    #[test]
    fn sixteen_bytes_a_message_are_found_within_the_least_work() {
        let value = |messages| 458_000.0 + 16.0 * messages as f64;
        assert_eq!(judge_heap(13, true, value, None).state, State::Leak);
        assert_eq!(judge_heap(13, false, value, None).state, State::Inconclusive);
        assert_eq!(judge_heap(23, false, value, None).state, State::Leak);
    }

    #[test]
    fn an_array_that_doubles_is_decided_by_its_elements() {
        let value = |messages: u64| 458_000.0 + 16.0 * messages.next_power_of_two() as f64;
        assert!(!judge_heap(40, true, value, None).state.is_decided());
        let judgement = judge_heap(12, true, value, Some(1));
        assert_eq!(judgement.state, State::Leak);
        let [low, high] = judgement.ci95.unwrap();
        assert!(low <= 16_000.0 && 16_000.0 <= high, "{low} to {high}");
        // The same memory with a container that does not grow is nobody's leak yet.
        assert!(!judge_heap(40, true, value, Some(0)).state.is_decided());
    }

    #[test]
    fn garbage_that_waits_for_the_collector_is_taken_out() {
        let floor = |wave: u32| {
            let messages = u64::from(wave) * 500;
            let garbage = 320.0 * messages as f64;
            Floor { garbage: Some(garbage), ..Floor::new(wave, messages, 0, 458_000.0 + garbage) }
        };
        let floors: Vec<Floor> = (0..=12).map(floor).collect();
        let judgement = judge(&Case { garbage_known: true, ..Case::new(Metric::Heap, &floors) }, &Bounds::default());
        assert_eq!(judgement.state, State::Clean, "{}", judgement.evidence);
    }

    /// The floors that shlink published (69, 95, 166, 209, 359, 375, 428 MB at 0, 1, 10, ... 100,000 requests), drawn
    /// through by the logarithm: at 10,000 it begins to grow faster anew, and slows anew.
    #[test]
    fn a_logarithm_that_begins_late_is_no_leak_and_one_with_a_leak_beside_it_is() {
        let published = [95.0, 166.0, 209.0, 359.0, 375.0, 428.0];
        let megabytes = |requests: u64| {
            let decade = (requests.max(1) as f64).log10();
            let at = (decade as usize).min(4);
            published[at] + (published[at + 1] - published[at]) * (decade - at as f64)
        };
        for (wave, extra) in [500, 1000, 2500, 5000].into_iter().flat_map(|wave| [(wave, 0.0), (wave, 6000.0)]) {
            let floors: Vec<Floor> = (0..=100_000 / wave)
                .map(|n| (n, n * wave))
                .map(|(n, requests)| {
                    let page = (megabytes(requests) * 1e6 + extra * requests as f64) / 4096.0;
                    Floor::new(n as u32, requests, requests, page.round() * 4096.0)
                })
                .collect();
            let called = (9..floors.len()).any(|to| {
                let looks =
                    [to, to + 1].map(|to| judge(&Case::new(Metric::Rss, &floors[..to]), &Bounds::default()).state);
                looks == [State::Leak; 2]
            });
            assert_eq!(called, extra > 0.0, "waves of {wave}, {extra} bytes a request beside it");
        }
    }

    #[test]
    fn few_waves_are_too_short_and_say_what_is_missing() {
        let judgement = judge_heap(5, true, |_| 458_000.0, None);
        assert_eq!((judgement.state, judgement.reason), (State::NotJudged, Some(Reason::TooShort)));
        assert_eq!(judgement.would_decide.unwrap().work, 1500);
    }

    #[test]
    fn nothing_breaks_on_odd_series() {
        for floors in [
            vec![],
            vec![Floor::new(0, 0, 0, 1.0)],
            (0..20).map(|wave| Floor::new(wave, 0, 0, 1.0)).collect(),
            (0..20).map(|wave| Floor::new(wave, 7, 0, f64::from(wave))).collect(),
            (0..20).map(|wave| Floor::new(wave, u64::from(wave) * (u64::MAX / 32), 0, 1e18)).collect(),
        ] {
            for metric in [Metric::Heap, Metric::Rss, Metric::Fd] {
                assert_ne!(judge(&Case::new(metric, &floors), &Bounds::default()).state, State::Leak);
            }
        }
    }
}
