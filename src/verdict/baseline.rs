//! Growth against growth in an earlier run. Nothing here knows the host: what a message leaves behind does not depend on
//! how fast the machine was. Times do, and one run on each side says nothing of them; they are not judged.

use crate::model::{Change, Growth, State};

/// A growth as one of the runs decided it.
#[derive(Debug, Clone, Copy)]
pub struct Decided {
    growth: Growth,
    ci95: [f64; 2],
}

impl Decided {
    /// None where the run decided nothing: what still slows down differs with the length of the run alone.
    pub fn new(state: State, growth: Option<Growth>, ci95: Option<[f64; 2]>) -> Option<Self> {
        let decided = matches!(state, State::Leak | State::Clean | State::Plateau);
        decided.then_some(Self { growth: growth?, ci95: ci95? })
    }
}

/// Growth against earlier growth: `Worse` where the later one lies above `bound`, from which on it is a leak (in the
/// growth's unit), the intervals do not touch and the difference exceeds `bound`; `Better` the other way round.
pub fn growth(now: Option<Decided>, earlier: Option<Decided>, bound: f64) -> Change {
    let (Some(now), Some(earlier)) = (now, earlier) else { return Change::Unknown };
    let exceeds = |more: &Decided, less: &Decided| {
        more.ci95[0] > bound.max(less.ci95[1]) && more.growth.value - less.growth.value > bound
    };
    if (now.growth.per, now.growth.unit) != (earlier.growth.per, earlier.growth.unit) {
        Change::Unknown
    } else if exceeds(&now, &earlier) {
        Change::Worse
    } else if exceeds(&earlier, &now) {
        Change::Better
    } else {
        Change::Same
    }
}

/// Messages of a recording from which on calls per message are judged: of fewer, one that went another way makes the
/// difference, and many counts are divided by them by chance.
pub const LEAST_MESSAGES: u64 = 50;

/// Calls of a function in a recording of so many messages, against an earlier one. Only a count that is a whole multiple
/// of the messages in both belongs to the message; all else (turns of a loop, sessions, a mix of scenarios) differs from
/// run to run.
pub fn calls(now: (u64, u64), earlier: (u64, u64)) -> Change {
    let each = |(calls, messages): (u64, u64)| {
        (messages >= LEAST_MESSAGES && calls.is_multiple_of(messages)).then(|| calls / messages)
    };
    exact_calls(each(now), each(earlier))
}

/// Calls for each message or session, against earlier ones; none where they are no whole number.
pub fn exact_calls(now: Option<u64>, earlier: Option<u64>) -> Change {
    match (now, earlier) {
        (Some(now), Some(earlier)) if now > earlier => Change::Worse,
        (Some(now), Some(earlier)) if now < earlier => Change::Better,
        (Some(_), Some(_)) => Change::Same,
        _ => Change::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GrowthPer, Unit};

    fn decided(state: State, value: f64, around: f64) -> Option<Decided> {
        let growth = Growth { value, unit: Unit::Bytes, per: GrowthPer::Messages };
        Decided::new(state, Some(growth), Some([value - around, value + around]))
    }

    #[test]
    fn a_hundred_bytes_more_are_worse_and_noise_is_not() {
        let (still, more) = (decided(State::Clean, 0.0, 3.0), decided(State::Leak, 100_000.0, 3.0));
        assert_eq!(growth(more, still, 500.0), Change::Worse);
        assert_eq!(growth(still, more, 500.0), Change::Better);
        assert_eq!(growth(still, still, 500.0), Change::Same);
        let wide = decided(State::Leak, 100_000.0, 99_900.0);
        assert_eq!(growth(wide, still, 500.0), Change::Same, "its lower limit is no leak");
        let shrank = decided(State::Clean, -90_000.0, 10.0);
        assert_eq!(growth(still, shrank, 500.0), Change::Same, "what stands still is not worse than what fell");
    }

    #[test]
    fn what_is_undecided_is_not_compared() {
        let slowing = decided(State::Inconclusive, 90_000.0, 10.0);
        assert_eq!(growth(slowing, decided(State::Clean, 0.0, 1.0), 500.0), Change::Unknown);
        assert_eq!(growth(None, None, 500.0), Change::Unknown);
    }

    #[test]
    fn calls_that_belong_to_a_message_are_compared_and_others_are_not() {
        assert_eq!(calls((300, 100), (400, 200)), Change::Worse);
        assert_eq!(calls((200, 100), (600, 200)), Change::Better);
        assert_eq!(calls((200, 100), (400, 200)), Change::Same);
        assert_eq!(calls((301, 100), (400, 200)), Change::Unknown, "turns of a loop");
        assert_eq!(calls((30, 10), (40, 20)), Change::Unknown, "too few to tell chance from a multiple");
    }
}
