//! The frames that were open when a process was forked. The child writes them with their whole history, as Xdebug counts
//! their time from their parent's start: what they did by themselves before the fork stands in the parent's profile too,
//! and is taken out of the child's.
//!
//! No file says how much that is. But from the script's start until the fork there was nothing but these frames and the
//! calls that they had made by then, which they claim with their times: what of the time until the fork no such call has
//! was their own.

/// The frames of one process.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// Time from the script's start to the fork, where it is known.
    pub until_fork: Option<i64>,
    /// Ordinals of the frames' records, and their own time, in order of their ends.
    frames: Vec<(u64, i64)>,
    /// Time of the calls that had ended before the fork.
    calls: i64,
}

impl Inherited {
    /// A frame has ended, with its own time and that of its calls from before the fork.
    pub(crate) fn frame(&mut self, ordinal: u64, own: i64, calls: i64) {
        self.frames.push((ordinal, own.max(0)));
        self.calls = self.calls.saturating_add(calls.max(0));
    }

    /// What is the parent's of each frame's own time. Of which frame it is cannot be told: of each by its own time.
    pub(crate) fn take(&mut self) -> Vec<(u64, i64)> {
        let frames = std::mem::take(&mut self.frames);
        let calls = std::mem::take(&mut self.calls);
        let all = frames.iter().fold(0i64, |sum, (_, own)| sum.saturating_add(*own));
        let before = self.until_fork.map_or(0, |until| until.saturating_sub(calls).clamp(0, all));
        if before == 0 {
            return Vec::new();
        }
        // Each gets its part of the sum so far, so that all parts together are the whole.
        let part = |sum: i64| (i128::from(sum) * i128::from(before) / i128::from(all)) as i64;
        let mut sum = 0i64;
        let shares = frames.into_iter().map(|(ordinal, own)| {
            let from = part(sum);
            sum = sum.saturating_add(own);
            (ordinal, part(sum) - from)
        });
        shares.filter(|(_, share)| *share > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_until_the_fork_that_no_call_has_is_the_frames_own() {
        let mut inherited = Inherited { until_fork: Some(1000), ..Inherited::default() };
        inherited.frame(3, 100, 0);
        inherited.frame(9, 700, 600);
        assert_eq!(inherited.take(), [(3, 50), (9, 350)]);
        assert_eq!(inherited.take(), [], "it is taken once");
        inherited.frame(1, 30, 0);
        inherited.frame(2, 20, 0);
        assert_eq!(inherited.take(), [(1, 30), (2, 20)], "no frame gives more than it has");
        inherited.frame(1, 30, 2000);
        assert_eq!(inherited.take(), [], "nothing is left of it");
        let mut unknown = Inherited::default();
        unknown.frame(1, 30, 5);
        assert_eq!(unknown.take(), []);
    }
}
