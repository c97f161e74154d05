//! Two profiles as one call tree: what each path was called and cost for each message then and now. Calls are exact; times
//! are shown. Knows nothing of how it is drawn.

use std::sync::Arc;

use super::both_trees::BothTrees;
use super::call_paths::CallPaths;
use super::flame::Cost;
use super::laid::{Frame, Laid};
use crate::model::{Change, CountedPer, Side};
use crate::verdict::baseline;

/// Of what a message costs, the part by which a frame's own cost changes that is called a change ...
const LEAST: f64 = 0.0001;

/// ... and those from which on it is a larger one.
const SHADES: [f64; 2] = [0.002, 0.01];

/// Why there is no differential flamegraph, and what would give it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDrawn {
    /// Only its result is there.
    #[error("of {} only the result is there, which has no stacks: give the run's folder", run(*.0))]
    ResultAlone(Side),
    /// It recorded none.
    #[error("{} has no profile: run it with the profile pass, on a server in PHP with Xdebug", run(*.0))]
    NoProfile(Side),
    /// Its files cannot be read any more.
    #[error("the profile of {} cannot be read any more ({}): run it anew", run(*.0), .1)]
    Unreadable(Side, String),
    /// There is nothing that its cost could be divided by.
    #[error("the profile of {} holds no message and no session: run it with more load", run(*.0))]
    NothingServed(Side),
    /// One counts messages, the other sessions.
    #[error("the profile of {} holds no message, the other one does: run both with the same scenarios", run(*.0))]
    OtherWork(Side),
}

fn run(side: Side) -> &'static str {
    match side {
        Side::Base => "the base run",
        Side::New => "the new run",
    }
}

/// What became of a frame's own cost for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameChange {
    /// Only the later profile has this path.
    New,
    /// Only the earlier one has it.
    Gone,
    /// Only one has it, and the other could not keep all paths.
    Unknown,
    /// It waits; how long depends on the load.
    Waits,
    /// It costs more: a small, a middling, or a large part of the whole.
    More(u8),
    /// It costs less.
    Less(u8),
    /// Three digits show no difference, or it is a ten-thousandth of the whole.
    Same,
    /// No function: what was still running, what was left out.
    Note,
}

/// One frame in both profiles; sums over the whole recording, then and now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Both {
    /// Whether the profile has it.
    pub there: [bool; 2],
    /// Calls.
    pub calls: [u64; 2],
    /// Cost of its own.
    pub own: [u64; 2],
    /// Cost with all that it called; by function, what of the function's own cost came by this path.
    pub inclusive: [u64; 2],
}

/// Frames in one order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered {
    /// As wide as what a message cost then, and what it costs now. A frame that one of them lacks has its width in the
    /// other, so that nothing is out of sight. Both have the same frames.
    pub laid: [Laid; 2],
    /// The figures of each frame.
    pub both: Vec<Both>,
    /// What became of each.
    pub changes: Vec<FrameChange>,
    /// What became of the calls of each: known where they are a whole number for each message in both profiles.
    pub calls: Vec<Change>,
}

/// One cost of both profiles.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Which cost.
    pub cost: Cost,
    /// Waiting was taken out.
    pub busy: bool,
    /// Cost of the whole recording then and now.
    pub total: [u64; 2],
    /// Who called whom.
    pub stacks: Ordered,
    /// By function.
    pub by_function: Ordered,
    /// Width of each function by its own cost, by name, the widest first, then and now.
    pub own: [Vec<(u32, u64)>; 2],
}

/// Two profiles, ready to be drawn as one.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What costs are counted for.
    pub per: CountedPer,
    /// How many of them were served then and now.
    pub work: [u64; 2],
    /// Names of the functions, as both profiles have them.
    pub names: Arc<Vec<String>>,
    /// Time, time without waiting, allocation; those that there are.
    pub costs: Vec<Compared>,
    /// Both profiles are whole.
    pub complete: bool,
    /// One of them could not keep all paths.
    pub cut: bool,
}

/// Lays two profiles over each other.
///
/// # Errors
/// There is nothing that their costs could be divided by.
pub fn difference(was: &CallPaths, is: &CallPaths) -> Result<Difference, NotDrawn> {
    let (per, work) = work(was, is)?;
    let tree = BothTrees::of([was, is]);
    let costs = [(Cost::Time, true), (Cost::Time, false), (Cost::Allocation, false)];
    let waits = tree.waits.contains(&true);
    let wanted = costs.into_iter().filter(|(_, busy)| !busy || waits);
    Ok(Difference {
        per,
        work,
        costs: wanted.filter_map(|(cost, busy)| tree.compared(cost, busy, work)).collect(),
        names: Arc::new(tree.names),
        complete: was.complete && is.complete,
        cut: tree.cut.contains(&true),
    })
}

fn work(was: &CallPaths, is: &CallPaths) -> Result<(CountedPer, [u64; 2]), NotDrawn> {
    for (side, paths) in [(Side::Base, was), (Side::New, is)] {
        if paths.messages == 0 && paths.sessions == 0 {
            return Err(NotDrawn::NothingServed(side));
        }
    }
    match [was.messages, is.messages] {
        [0, 0] => Ok((CountedPer::Session, [was.sessions, is.sessions])),
        [0, _] => Err(NotDrawn::OtherWork(Side::Base)),
        [_, 0] => Err(NotDrawn::OtherWork(Side::New)),
        messages => Ok((CountedPer::Message, messages)),
    }
}

/// What became of frames.
pub(super) struct Judge<'a> {
    pub names: &'a [String],
    pub waits: &'a [bool],
    pub cut: [bool; 2],
    pub work: [u64; 2],
    pub total: [u64; 2],
}

impl Judge<'_> {
    /// Frames with their figures, their widths with and without callees, and the width of the whole.
    pub fn ordered(&self, laid: Laid, both: Vec<Both>, width: [Vec<(u64, u64)>; 2], totals: [u64; 2]) -> Ordered {
        // A frame was left out by its part of the wider of both; of one side alone that part may be larger.
        let least = laid.least * laid.total as f64 / totals[0].min(totals[1]).max(1) as f64;
        let side = |side: usize| {
            let frame = |(frame, (value, own)): (&Frame, &(u64, u64))| Frame { value: *value, own: *own, ..*frame };
            let frames = laid.frames.iter().zip(&width[side]).map(frame).collect();
            Laid { frames, total: totals[side], least, levels: laid.levels, deepest: laid.deepest }
        };
        let named = || laid.frames.iter().map(|frame| frame.name as usize).zip(&both);
        Ordered {
            laid: [side(0), side(1)],
            changes: named().map(|(name, both)| self.change(name, both)).collect(),
            calls: both.iter().map(|both| self.calls(both)).collect(),
            both,
        }
    }

    fn each(&self, figures: [u64; 2]) -> [f64; 2] {
        [0, 1].map(|side: usize| figures[side] as f64 / self.work[side] as f64)
    }

    fn change(&self, name: usize, both: &Both) -> FrameChange {
        let [was, is] = self.each(both.own);
        let whole = self.each(self.total).into_iter().fold(0.0, f64::max);
        let part = (is - was).abs() / whole;
        let larger = SHADES.iter().filter(|shade| part >= **shade).count() as u8;
        match both.there {
            _ if self.names[name].starts_with('[') => FrameChange::Note,
            [false, _] if self.cut[0] => FrameChange::Unknown,
            [_, false] if self.cut[1] => FrameChange::Unknown,
            [false, _] => FrameChange::New,
            [_, false] => FrameChange::Gone,
            _ if self.waits[name] => FrameChange::Waits,
            // Where nothing costs anything on either side, the part is no number.
            _ if part.is_nan() || part < LEAST || format!("{was:.2e}") == format!("{is:.2e}") => FrameChange::Same,
            _ if is > was => FrameChange::More(larger),
            _ => FrameChange::Less(larger),
        }
    }

    fn calls(&self, both: &Both) -> Change {
        baseline::calls((both.calls[1], self.work[1]), (both.calls[0], self.work[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Stack = (&'static [&'static str], u64, i64);

    fn paths(stacks: &[Stack], messages: u64) -> CallPaths {
        CallPaths::of_stacks(stacks, messages)
    }

    /// Each frame of the stacks: its path, what became of it and of its calls, calls and own cost then and now, and its
    /// widths for each message.
    type Row = (String, FrameChange, Change, [u64; 2], [u64; 2], [u64; 2]);

    fn rows(difference: &Difference, by_function: bool) -> Vec<Row> {
        let cost = &difference.costs[0];
        let frames = if by_function { &cost.by_function } else { &cost.stacks };
        let mut open: Vec<&str> = Vec::new();
        let mut rows = Vec::new();
        for (at, frame) in frames.laid[1].frames.iter().enumerate() {
            open.truncate(frame.depth);
            open.push(&difference.names[frame.name as usize]);
            let widths = [0, 1].map(|side: usize| frames.laid[side].frames[at].value / super::super::SCALE);
            let both = &frames.both[at];
            rows.push((open.join(";"), frames.changes[at], frames.calls[at], both.calls, both.own, widths));
        }
        rows
    }

    fn row<'a>(rows: &'a [Row], path: &str) -> &'a Row {
        rows.iter().find(|row| row.0 == path).unwrap_or_else(|| panic!("no {path} in {rows:#?}"))
    }

    fn servers() -> [CallPaths; 2] {
        let was: &[Stack] = &[
            (&["main"], 1, 0),
            (&["main", "read"], 100, 100_000),
            (&["main", "slow"], 100, 100_000),
            (&["main", "fast"], 100, 200_000),
            (&["main", "twice"], 200, 200_000),
            (&["main", "old"], 100, 100_000),
            (&["main", "old", "below"], 100, 300_000),
        ];
        // Twice as many messages.
        let is: &[Stack] = &[
            (&["main"], 1, 0),
            (&["main", "read"], 200, 200_000),
            (&["main", "slow"], 200, 800_000),
            (&["main", "fast"], 200, 100_000),
            (&["main", "twice"], 600, 600_000),
            (&["main", "added"], 200, 1_000_000),
        ];
        [paths(was, 100), paths(is, 200)]
    }

    #[test]
    fn a_function_is_slower_faster_new_gone_or_the_same_for_each_message() {
        let [was, is] = servers();
        let difference = difference(&was, &is).unwrap();
        assert_eq!((difference.per, difference.work), (CountedPer::Message, [100, 200]));
        assert_eq!(difference.costs[0].total, [1_000_000, 2_700_000]);
        let rows = rows(&difference, false);
        let of = |path: &str| row(&rows, path).clone();
        let path = |name: &str| format!("main;{name}");
        let told = |name: &str, change, calls, counts, own, widths| {
            assert_eq!(of(&path(name)), (path(name), change, calls, counts, own, widths));
        };
        use FrameChange::{Gone, Less, More, New, Same};
        told("read", Same, Change::Same, [100, 200], [100_000, 200_000], [1000, 1000]);
        told("slow", More(2), Change::Same, [100, 200], [100_000, 800_000], [1000, 4000]);
        told("fast", Less(2), Change::Same, [100, 200], [200_000, 100_000], [2000, 500]);
        told("twice", More(2), Change::Worse, [200, 600], [200_000, 600_000], [2000, 3000]);
        told("added", New, Change::Worse, [0, 200], [0, 1_000_000], [5000, 5000]);
        told("old", Gone, Change::Better, [100, 0], [100_000, 0], [4000, 4000]);
        told("old;below", Gone, Change::Better, [100, 0], [300_000, 0], [3000, 3000]);
        // What one side lacks stands under the frame that called it.
        assert_eq!(of("main").5, [1000 + 1000 + 2000 + 2000 + 4000 + 5000, 1000 + 4000 + 500 + 3000 + 5000 + 4000]);
    }

    #[test]
    fn equal_profiles_differ_in_nothing() {
        let [was, _] = servers();
        let difference = difference(&was, &was).unwrap();
        for cost in &difference.costs {
            for frames in [&cost.stacks, &cost.by_function] {
                assert!(frames.changes.iter().all(|change| *change == FrameChange::Same), "{:?}", frames.changes);
                assert!(frames.both.iter().all(|both| both.calls[0] == both.calls[1] && both.own[0] == both.own[1]));
                assert_eq!(frames.laid[0], frames.laid[1]);
            }
            assert_eq!(cost.total[0], cost.total[1]);
        }
    }

    #[test]
    fn the_frames_of_a_recursion_are_compared_level_by_level() {
        let was = paths(&[(&["f"], 100, 10_000), (&["f", "f"], 100, 20_000)], 100);
        let is = paths(&[(&["f"], 100, 10_000), (&["f", "f"], 100, 20_000), (&["f", "f", "f"], 100, 50_000)], 100);
        let difference = difference(&was, &is).unwrap();
        let stacks = rows(&difference, false);
        assert_eq!((row(&stacks, "f").1, row(&stacks, "f").5), (FrameChange::Same, [800, 800]));
        assert_eq!((row(&stacks, "f;f").1, row(&stacks, "f;f;f").1), (FrameChange::Same, FrameChange::New));
        assert_eq!(difference.costs[0].stacks.both[0].inclusive, [30_000, 80_000]);
        // By function, the function has one frame with all its calls.
        let by_function = rows(&difference, true);
        let first = row(&by_function, "f");
        assert_eq!(
            (first.1, first.2, first.3, first.4),
            (FrameChange::More(2), Change::Worse, [200, 300], [30_000, 80_000])
        );
        assert_eq!(row(&by_function, "f;f;f").1, FrameChange::New);
    }

    #[test]
    fn by_function_its_paths_are_summed_and_what_waits_is_not_judged() {
        let was = paths(&[(&["a", "x"], 100, 9000), (&["b", "x"], 100, 1000), (&["a", "php::usleep"], 7, 900)], 100);
        let is = paths(&[(&["a", "x"], 100, 9000), (&["c", "x"], 100, 1000), (&["a", "php::usleep"], 9, 70_000)], 100);
        let difference = difference(&was, &is).unwrap();
        assert_eq!(difference.costs.iter().map(|cost| cost.busy).collect::<Vec<_>>(), [true, false]);
        let busy = rows(&difference, true);
        let x = row(&busy, "x");
        assert_eq!((x.1, x.2, x.4), (FrameChange::Same, Change::Same, [10_000, 10_000]));
        assert_eq!((row(&busy, "x;b").1, row(&busy, "x;c").1), (FrameChange::Gone, FrameChange::New));
        let wall = Difference { costs: vec![difference.costs[1].clone()], ..difference };
        assert_eq!(row(&rows(&wall, false), "a;php::usleep").1, FrameChange::Waits);
    }

    #[test]
    fn what_three_digits_do_not_show_is_no_change() {
        let of = |own: i64| paths(&[(&["x"], 100, own), (&["rest"], 100, 900_000)], 100);
        let change = |was, is| row(&rows(&difference(&of(was), &of(is)).unwrap(), false), "x").1;
        assert_eq!(change(100_000, 100_400), FrameChange::Same);
        assert_eq!(change(100_000, 101_000), FrameChange::More(0));
        assert_eq!(change(101_000, 100_000), FrameChange::Less(0));
        assert_eq!(change(100_000, 103_000), FrameChange::More(1));
        assert_eq!(change(100, 190), FrameChange::Same, "a ten-thousandth of the whole");
    }

    #[test]
    fn what_a_profile_could_not_keep_is_not_called_gone() {
        let [mut was, mut is] = servers();
        is.names.push(crate::profile::LEFT_OUT_NAME.to_owned());
        is.waits.push(false);
        let cut = rows(&difference(&was, &is).unwrap(), false);
        assert_eq!((row(&cut, "main;old").1, row(&cut, "main;added").1), (FrameChange::Unknown, FrameChange::New));
        std::mem::swap(&mut was, &mut is);
        let cut = rows(&difference(&was, &is).unwrap(), false);
        assert_eq!((row(&cut, "main;old").1, row(&cut, "main;added").1), (FrameChange::Unknown, FrameChange::Gone));
    }

    #[test]
    fn costs_are_divided_by_what_both_served() {
        let of = |messages, sessions| CallPaths { messages, sessions, ..paths(&[(&["x"], 100, 1000)], 0) };
        let work = |was, is| difference(&was, &is).map(|difference| (difference.per, difference.work));
        assert_eq!(work(of(0, 50), of(0, 60)), Ok((CountedPer::Session, [50, 60])));
        assert_eq!(work(of(0, 50), of(9, 60)), Err(NotDrawn::OtherWork(Side::Base)));
        assert_eq!(work(of(9, 50), of(0, 60)), Err(NotDrawn::OtherWork(Side::New)));
        assert_eq!(work(of(9, 50), of(0, 0)), Err(NotDrawn::NothingServed(Side::New)));
    }
}
