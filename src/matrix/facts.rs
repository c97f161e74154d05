//! What is known one by one: each session left a socket whose other side has gone, each message left an element. Told as
//! counts; whether they are a leak is the verdict's.

use crate::model::Metric;

/// Of the work done, what must have left something behind for it to be each and not some.
const EACH: f64 = 0.98;

/// Elements of one container from which on each message's own are a fact: what is bounded is seldom bounded so late.
const ELEMENTS: u64 = 10_000;

/// What was counted at a floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counted {
    /// Second of the run.
    pub seconds: f64,
    /// Sessions ended in the scenario.
    pub sessions: u64,
    /// Messages accepted in the scenario.
    pub messages: u64,
    /// Sockets in CLOSE_WAIT.
    pub close_wait: u64,
    /// Elements of the container that grew most.
    pub elements: Option<u64>,
}

/// Things left behind and the work that left them, since the scenario's first floor; none where it is not each, or where
/// it is not yet longer than a timer of `rest` seconds.
pub(super) fn fact(metric: Metric, first: &Counted, now: &Counted, rest: f64) -> Option<(u64, u64)> {
    if now.seconds - first.seconds < rest {
        return None;
    }
    let (left, of) = match metric {
        Metric::Fd | Metric::Sockets => {
            (now.close_wait.saturating_sub(first.close_wait), now.sessions.saturating_sub(first.sessions))
        }
        Metric::Heap => {
            let left = now.elements?.saturating_sub(first.elements?);
            if left < ELEMENTS {
                return None;
            }
            (left, now.messages.saturating_sub(first.messages))
        }
        _ => return None,
    };
    // A few more than the work come from what stands between two scenarios.
    (of > 0 && left as f64 >= EACH * of as f64 && left <= of + of / 50).then_some((left.min(of), of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64, sessions: u64, close_wait: u64, elements: u64) -> Counted {
        Counted { seconds, sessions, messages: sessions, close_wait, elements: Some(elements) }
    }

    #[test]
    fn each_one_and_longer_than_a_timer() {
        let first = at(2.0, 0, 0, 5);
        assert_eq!(fact(Metric::Fd, &first, &at(60.0, 673, 673, 0), 15.0), Some((673, 673)));
        assert_eq!(fact(Metric::Sockets, &first, &at(60.0, 673, 300, 0), 15.0), None, "some are closed");
        assert_eq!(fact(Metric::Fd, &first, &at(10.0, 673, 673, 0), 15.0), None, "a timer may still close them");
        assert_eq!(fact(Metric::Heap, &first, &at(60.0, 12_000, 0, 12_005), 15.0), Some((12_000, 12_000)));
        assert_eq!(
            fact(Metric::Heap, &first, &at(60.0, 13_141, 0, 13_156), 15.0),
            Some((13_141, 13_141)),
            "never above"
        );
        assert_eq!(fact(Metric::Heap, &first, &at(60.0, 3_000, 0, 3_005), 15.0), None, "a cache may be as large");
        assert_eq!(fact(Metric::Rss, &first, &at(60.0, 673, 673, 0), 15.0), None);
    }
}
