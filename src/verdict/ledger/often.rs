//! Whether a step keeps its bytes each time that it comes or once a connection: it is made to come again within one
//! connection, and what counts is what the server answers to it.

use std::collections::BTreeSet;

use crate::model::{Act, Conversation, Neither};

use super::conversations::SHORT;
use super::readings::median;
use super::{Bench, Played, Stop};

/// So often it comes again, where the server takes as many.
const AGAIN: usize = 4;
/// Readings whose median counts.
const READINGS: usize = 3;
/// Of the time, after which nothing more is tried.
const LATEST: f64 = 0.85;

/// What is known of the step: the last one of the shortest conversation that keeps bytes.
pub(super) struct Step<'a> {
    /// That conversation.
    pub shortest: &'a Conversation,
    /// What it keeps, all in all.
    pub kept: i64,
    /// What of that is the step's.
    pub own: i64,
    /// Bytes of a conversation that are other steps'.
    pub others: &'a dyn Fn(&Conversation) -> i64,
}

/// What came of repetitions in one way.
enum Outcome {
    EachTime,
    Once,
    Differs,
    Refused,
    Unanswered,
}

/// What came of repetitions so many times.
enum Trial {
    /// All were taken, and it keeps so many bytes.
    Kept(i64),
    /// So many were taken.
    Taken(usize),
    Unanswered,
}

/// Whether it keeps them each time, by the first way to repeat it in which it does; once where no way that the server
/// takes keeps more.
///
/// # Errors
/// Nothing more can be played; the end of the time is none.
pub(super) fn each(bench: &mut dyn Bench, step: &Step) -> Result<Result<bool, Neither>, Stop> {
    if matches!(step.shortest.acts.last(), None | Some(Act::Quit)) {
        return Ok(Ok(false));
    }
    let comes_again = |way: &[Act]| way.iter().filter(|act| step.shortest.acts.contains(act)).count();
    // Acts that came again where it was kept once.
    let mut once = None;
    let mut neither = Neither::NotTried;
    for way in ways(step.shortest) {
        let acts = comes_again(&way);
        // It was taken without what only makes way for it.
        if once.is_some_and(|once| acts <= once) {
            continue;
        }
        let outcome = match outcome(bench, step, &way) {
            // Another way might have shown something else.
            Err(Stop::Time) => return Ok(Err(Neither::NotTried)),
            outcome => outcome?,
        };
        match outcome {
            Outcome::EachTime if once.is_none() => return Ok(Ok(true)),
            Outcome::EachTime => return Ok(Err(Neither::WithStepsBefore)),
            Outcome::Differs => return Ok(Err(Neither::Differs)),
            Outcome::Once => once = Some(acts),
            Outcome::Refused => neither = Neither::Refused,
            // The others would take as long.
            Outcome::Unanswered => {
                neither = Neither::Refused;
                break;
            }
        }
    }
    Ok(once.map_or(Err(neither), |_| Ok(false)))
}

/// Whether it keeps them each time in this way: as often as the server takes it.
fn outcome(bench: &mut dyn Bench, step: &Step, way: &[Act]) -> Result<Outcome, Stop> {
    let mut times = AGAIN;
    let whole = loop {
        match trial(bench, step.shortest, way, times, way.len())? {
            Trial::Kept(whole) => break whole,
            Trial::Taken(0) => return Ok(Outcome::Refused),
            Trial::Taken(fewer) => times = fewer,
            Trial::Unanswered => return Ok(Outcome::Unanswered),
        }
    };
    let others = |acts: usize| {
        let played = repeated(step.shortest, way, times, acts);
        (step.others)(&played) - (step.others)(step.shortest)
    };
    let all = whole - step.kept - others(way.len());
    let without = way.len() - last_unit(way);
    let last = if without == 0 {
        all / times as i64
    } else {
        // The same without the last step: what makes way for it is no part of it.
        let Trial::Kept(control) = trial(bench, step.shortest, way, times, without)? else {
            return Ok(Outcome::Differs);
        };
        whole - control - (others(way.len()) - others(without))
    };
    // An array that is made for the first one and grows for others is part of it; one of four that keeps nothing is not.
    let is_about = |bytes: i64, times: i64| 5 * (bytes - times * step.own).abs() <= step.own.max(1) * times.max(1);
    Ok(if is_about(last, 1) && is_about(all, times as i64) {
        Outcome::EachTime
    } else if is_about(last, 0) && is_about(all, 0) {
        Outcome::Once
    } else {
        Outcome::Differs
    })
}

/// What it keeps with repetitions, the last of them so many acts long: the median, where the server takes them all.
fn trial(
    bench: &mut dyn Bench,
    shortest: &Conversation,
    way: &[Act],
    times: usize,
    acts: usize,
) -> Result<Trial, Stop> {
    let conversation = repeated(shortest, way, times, acts);
    let mut readings = Vec::new();
    for _ in 0..READINGS {
        if bench.used() > LATEST {
            return Err(Stop::Time);
        }
        let whole = match bench.play(&conversation)? {
            Played::Whole(whole) => whole,
            Played::Broken(_) => return Ok(Trial::Taken(usize::from(times > 1))),
            Played::Unanswered(_) => return Ok(Trial::Unanswered),
        };
        let (first, rest) = whole.answers.split_at(shortest.acts.len().min(whole.answers.len()));
        let rounds = conversation.acts[shortest.acts.len()..].chunks(way.len()).zip(rest.chunks(way.len()));
        let taken = rounds.take_while(|(acts, answers)| is_taken((&shortest.acts, first), (acts, answers))).count();
        if taken < times {
            return Ok(Trial::Taken(taken));
        }
        readings.push(whole.reading.kept);
    }
    Ok(Trial::Kept(median(readings.into_iter())))
}

/// The conversation with repetitions, the last of them so many acts long.
fn repeated(shortest: &Conversation, way: &[Act], times: usize, acts: usize) -> Conversation {
    let more = way.iter().cycle().take((times - 1) * way.len() + acts);
    Conversation { acts: shortest.acts.iter().chain(more).copied().collect(), pipelined: shortest.pipelined }
}

/// Each act that comes again is answered as it was the first time.
fn is_taken(first: (&[Act], &[Option<u16>]), again: (&[Act], &[Option<u16>])) -> bool {
    let is_good = |code: Option<u16>| code.is_some_and(|code| code / 100 == 2);
    again.0.iter().zip(again.1).all(|(act, answer)| match first.0.iter().rposition(|other| other == act) {
        Some(at) => first.1[at].is_some() && (first.1[at] == *answer || is_good(first.1[at]) && is_good(*answer)),
        // It only makes way for the others.
        None => true,
    })
}

/// Acts at the end of a way that are the step: a message and its DATA go together.
fn last_unit(way: &[Act]) -> usize {
    match way {
        [.., Act::Data, Act::Message(_)] => 2,
        _ => 1,
    }
}

/// What may follow the shortest conversation so that its last step comes again, the plainest first.
fn ways(shortest: &Conversation) -> Vec<Vec<Act>> {
    use Act::{Data, Ehlo, Mail, Message, Noop, Rcpt, Rset};
    let all = shortest.acts.as_slice();
    let Some(last) = all.last() else { return Vec::new() };
    let base = transaction(all);
    let after = |before: &[Act], acts: &[Act]| [before, acts].concat();
    let mut ways = match last {
        // A write of its own has to be another one.
        _ if shortest.pipelined => vec![after(&[Noop, Rset], all), after(&[Noop], all)],
        Message(_) => {
            let full = [Mail, Rcpt, Data, *last];
            vec![
                base.to_vec(),
                after(&[Rset], base),
                after(&[Ehlo], base),
                full.to_vec(),
                after(&[Rset], &full),
                after(&[Ehlo], &full),
                all.to_vec(),
            ]
        }
        Data => [base, &[Mail, Rcpt, Data], all].map(|acts| after(&[Message(SHORT)], acts)).into(),
        Mail => [&[][..], &[Rset], &[Ehlo], &[Rcpt, Data, Message(SHORT)]].map(|before| after(before, &[Mail])).into(),
        Act::HalfMessage | Act::Starttls | Act::Quit => Vec::new(),
        _ => vec![vec![*last], after(&[Rset], base), after(&[Ehlo], base), all.to_vec()],
    };
    // There is no TLS within TLS.
    ways.retain(|way| !way.contains(&Act::Starttls));
    let mut seen = BTreeSet::new();
    ways.retain(|way| seen.insert(way.clone()));
    ways
}

/// What at the end belongs to one message.
fn transaction(acts: &[Act]) -> &[Act] {
    let belongs = |act: &Act| matches!(act, Act::Mail | Act::Rcpt | Act::RefusedRcpt | Act::Data);
    let before = acts.len().saturating_sub(1);
    let begin = acts[..before].iter().rposition(|act| !belongs(act)).map_or(0, |at| at + 1);
    &acts[begin..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Act::{Data, Ehlo, Mail, Message, Noop, Rcpt, RefusedRcpt, Rset, Starttls};

    #[test]
    fn a_message_comes_again_with_all_that_it_needs() {
        let bare = ways(&Conversation::of(&[Data, Message(100)]));
        assert_eq!(bare[0], [Data, Message(100)]);
        assert!(bare.contains(&vec![Ehlo, Mail, Rcpt, Data, Message(100)]));
        let twice = [Ehlo, Mail, Rcpt, Data, Message(100), Mail, Rcpt, Data, Message(100)];
        assert_eq!(ways(&Conversation::of(&twice))[0], [Mail, Rcpt, Data, Message(100)]);
        assert_eq!(ways(&Conversation::of(&[Noop])), [vec![Noop], vec![Rset, Noop], vec![Ehlo, Noop]]);
        assert_eq!(ways(&Conversation::of(&[Starttls])), Vec::<Vec<Act>>::new());
        for shortest in [&[Ehlo, Mail, RefusedRcpt][..], &[RefusedRcpt]] {
            // Nobody is sent a message.
            assert!(ways(&Conversation::of(shortest)).iter().all(|way| !way.contains(&Data)));
        }
        let piped = Conversation { pipelined: true, acts: vec![Mail, Rcpt] };
        assert_eq!(ways(&piped)[0], [Noop, Rset, Mail, Rcpt]);
    }

    #[test]
    fn a_step_is_taken_where_it_is_answered_as_before() {
        let taken = |first: &[Act], then: &[u16], again: &[Act], now: &[u16]| {
            let codes = |all: &[u16]| all.iter().map(|code| (*code > 0).then_some(*code)).collect::<Vec<_>>();
            is_taken((first, &codes(then)), (again, &codes(now)))
        };
        assert!(taken(&[Noop], &[250], &[Noop], &[250]));
        assert!(!taken(&[Noop], &[250], &[Noop], &[421]));
        let message = [Data, Message(100)];
        assert!(taken(&message, &[354, 250], &[Mail, Data, Message(100)], &[503, 354, 250]));
        assert!(!taken(&message, &[354, 250], &message, &[503, 0]));
        assert!(taken(&[RefusedRcpt], &[550], &[RefusedRcpt], &[550]));
        assert!(!taken(&[RefusedRcpt], &[550], &[RefusedRcpt], &[452]));
    }
}
