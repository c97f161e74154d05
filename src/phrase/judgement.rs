//! What a judgement rests on, what kept it from being decided and what would decide it, in words.

use super::amount::{bytes, grouped, plural, significant};
use super::growth::{growth_interval, growth_of, limit_of};
use super::state::metric_noun;
use crate::model::{Decides, GrowthPer, Judgement, Metric, State, Why};

/// What was seen, as a sentence without its dot.
pub fn evidence(metric: Metric, judgement: &Judgement) -> String {
    let noun = metric_noun(metric);
    let grow = if metric.is_count() { "grow" } else { "grows" };
    let over = over(judgement);
    let why: Vec<String> = judgement.why.iter().map(|why| reason(metric, judgement.per(), why)).collect();
    let unit = metric.unit();
    let per = judgement.per();
    let rate = |value: f64| growth_of(value, unit, per);
    let grew = judgement.growth.map(|growth| match judgement.ci95 {
        Some(ci) => format!("{} ({})", rate(growth.value), growth_interval(ci, unit, per)),
        None => rate(growth.value),
    });
    let limit = judgement.could_have_missed.map(|limit| limit_of(limit, unit, per));
    let head = match (judgement.state, grew, limit) {
        (State::Leak, Some(grew), _) => format!("{noun} grew by {grew} over {over}"),
        (State::Clean, _, Some(limit)) => format!("{noun} grew by less than {limit} over {over}"),
        (State::Plateau, Some(grew), _) if judgement.steady => format!("{noun} grew by {grew} over {over}"),
        (State::Plateau, Some(grew), _) if judgement.why.contains(&Why::BelowLeak) => {
            format!("{noun} {grow} by {grew}, below what is called a leak, over {over}")
        }
        (State::Plateau, _, Some(limit)) => format!("{noun} grew by less than {limit} at the end of {over}"),
        (State::Inconclusive, Some(grew), _) => format!("{noun} grew by {grew} over {over}, not decided"),
        (State::NotJudged, _, Some(limit)) => format!("{noun} may grow by up to {limit}, after {over}"),
        _ if judgement.waves > 0 => format!("{noun} after {over}"),
        _ => return why.join("; "),
    };
    let why: Vec<&str> = why.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    if why.is_empty() { head } else { format!("{head}: {}", why.join("; ")) }
}

/// `12,000 messages in 24 waves`.
fn over(judgement: &Judgement) -> String {
    let waves = plural(judgement.waves as u64, "wave");
    match judgement.per() {
        GrowthPer::Messages => format!("{} in {waves}", plural(judgement.work, "message")),
        GrowthPer::Sessions => format!("{} in {waves}", plural(judgement.work, "session")),
        GrowthPer::Hour => waves,
    }
}

/// A reason in words. What the sentence says already is empty.
fn reason(metric: Metric, per: GrowthPer, why: &Why) -> String {
    let amount = |value: f64| if metric.is_count() { significant(value) } else { bytes(value) };
    let rate = |value: f64| growth_of(value, metric.unit(), per);
    let work = if per == GrowthPer::Sessions { "sessions" } else { "messages" };
    match why {
        Why::FewFloors { have, need } => format!("{} with work, {need} are needed", plural(*have as u64, "wave")),
        Why::LittleWork { need } => format!("fewer than {} {work}", grouped(*need)),
        Why::Steady { since } => format!("steadily since {work} {}", grouped(*since)),
        Why::StillUntil { wave } => format!("it stood still until wave {wave} and rises since"),
        Why::LowsRise { falls } => format!("it fell {falls} times, each time less far"),
        Why::Elements { per_1000, held } => format!(
            "a container gets {} more elements per 1,000 {work} and holds {}; its memory grows in leaps",
            significant(*per_1000),
            grouped(*held)
        ),
        Why::Fact { left, of } => {
            format!("{} of {} left something that nothing takes away", grouped(*left), grouped(*of))
        }
        Why::AtRest | Why::BelowLeak => String::new(),
        Why::LowsRest { falls } => format!("it fell back to one level {falls} times"),
        Why::Rose { to } => format!("it rose to {} before", amount(*to)),
        Why::Seen => "growth was seen".to_owned(),
        Why::WithinBound => "the interval of growth reaches below what is called a leak".to_owned(),
        Why::Swings { by } => format!("its falls and steps come to {}", amount(*by)),
        Why::FewRises => "too few of the waves grew".to_owned(),
        Why::Uneven => "it does not grow evenly".to_owned(),
        Why::Slows { from, to } => format!("it slows, from {} to {}", rate(*from), rate(*to)),
        Why::MaySlow => "its floors scatter too much to tell whether it slows".to_owned(),
        Why::StoodHigher => "it stood as high before".to_owned(),
        Why::NotRuledOut { .. } => "that is not ruled out".to_owned(),
        Why::FewFalls { falls } => {
            format!("its memory is freed by collections, and {} tell nothing yet", plural(*falls as u64, "fall"))
        }
        Why::Coarse { .. } if metric.is_count() => format!("in so few {work} a single one would be above the bound"),
        Why::Coarse { grain } => format!("it comes in steps of {}", bytes(*grain)),
        Why::EqualWaves => {
            "all waves are equal, and a buffer that is emptied each so many messages can look like this".to_owned()
        }
        Why::FarApart => "few floors far apart: a cache that filled between two would look the same".to_owned(),
        Why::WithTime { idle_seconds } => {
            format!("it grows with time, not with the work; {} s without load were watched", significant(*idle_seconds))
        }
        Why::CollectorOff => {
            "it is garbage in cycles, and PHP's collector is off or was not found (gc_disable(), zend.enable_gc)"
                .to_owned()
        }
        Why::CollectorLate { at_run, limit, more } => format!(
            "it is garbage in cycles, and {} are reached after {} more {work}, before PHP's collector comes at {}",
            bytes(*limit),
            grouped(*more),
            bytes(*at_run)
        ),
        Why::Garbage => "it is garbage in cycles that PHP's collector has still to free".to_owned(),
        Why::NoRest => "there was no rest through which it held".to_owned(),
        Why::LittleAfterRest => "too little work followed the rest for it to hold".to_owned(),
        Why::Lives { lives } => format!("over {lives} lives of its process, laid end to end"),
        Why::EndsWithLives => "it ends with each life of its process".to_owned(),
        Why::LifeToLife => "it also grows from life to life: a process that is not replaced keeps something".to_owned(),
        Why::ShortLives { replaced, waves } => format!(
            "its process was replaced {} in {}: no life is long enough to show growth inside it",
            if *replaced == 1 { "once".to_owned() } else { format!("{replaced} times") },
            plural(*waves as u64, "wave")
        ),
        Why::NotEveryFloor => format!("{} could not be read at every floor", metric_noun(metric)),
        Why::NoFloor => "no floor was measured".to_owned(),
        Why::UnknownFigure { name } => format!("nothing is known of a figure called `{name}`"),
        Why::WrongUnit { odd } => {
            format!(
                "{odd} of its figures can be no count of bytes (resident memory comes in pages of 4,096 bytes): its unit must be said"
            )
        }
        Why::Refused { wave, as_meant, errors } => {
            let kinds: Vec<String> = errors.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            format!(
                "in wave {wave} only {:.0}% of the sessions went as the scenario means them to ({})",
                as_meant * 100.0,
                kinds.join(", ")
            )
        }
    }
}

/// What would decide a judgement, as a phrase.
pub fn would_decide(judgement: &Judgement) -> Option<String> {
    let noun = if judgement.per() == GrowthPer::Sessions { "sessions" } else { "messages" };
    Some(match judgement.would_decide.as_ref()? {
        Decides::Work { more } => format!("about {} more {noun}", significant(*more as f64)),
        Decides::Rest => "a rest without load, and more waves after it".to_owned(),
        Decides::Idle { seconds } => format!("{} s more without load", significant(*seconds)),
        Decides::UnequalWaves => "waves of unequal size".to_owned(),
        Decides::ForcedCollection => "a collection that is forced before each floor (--settle)".to_owned(),
        Decides::LongLife { waves } => format!("a process that is not replaced for {waves} waves"),
        Decides::Unit => "the unit of its figures (--unit kB)".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Growth, Reason, Unit};

    #[test]
    fn a_leak_says_how_much_and_over_what() {
        let judgement = Judgement {
            state: State::Leak,
            reason: None,
            growth: Some(Growth { value: 16_000.0, unit: Unit::Bytes, per: GrowthPer::Messages }),
            ci95: Some([15_000.0, 17_000.0]),
            work: 12_000,
            waves: 24,
            ..Judgement::not_judged(Reason::TooShort, Why::Steady { since: 3_000 })
        };
        let said = evidence(Metric::Heap, &judgement);
        assert!(
            said.starts_with("PHP's heap grew by 16 B per message (15 to 17 B) over 12,000 messages in 24 waves"),
            "{said}"
        );
    }
}
