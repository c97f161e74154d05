//! What a scenario asks for and why it ended, in words.

use super::amount::{grouped, plural, significant};
use crate::model::ScenarioStop;
use crate::model::plan::scenario::Unit;

/// `10,000 messages, 30 at once`, `5,000 sessions at once`.
pub fn asked(total: u64, parallel: u64, unit: Unit) -> String {
    match unit {
        Unit::Sessions if parallel > 1 => format!("{} sessions at once", grouped(total)),
        Unit::Messages if parallel > 1 => format!("{} messages, {} at once", grouped(total), grouped(parallel)),
        unit => plural(total, unit.noun()),
    }
}

/// Why a scenario got no further wave.
pub fn scenario_stop(why: ScenarioStop) -> String {
    match why {
        ScenarioStop::Decided => "decided".to_owned(),
        ScenarioStop::AllRun => "everything asked for was run".to_owned(),
        ScenarioStop::BudgetUsed => "stopped early: out of budget".to_owned(),
        ScenarioStop::TimeUsed => "ran for as long as its time allowed".to_owned(),
        ScenarioStop::NeverBegan => "not run: the budget has no room for it".to_owned(),
        ScenarioStop::NoRoomForRest { seconds } => {
            format!("stopped early: no time was left for a pause of {} s", significant(seconds))
        }
        ScenarioStop::RunAgain { parallel, fewer } => {
            format!("the server did not hold {} sessions at once; run again with {}", grouped(parallel), grouped(fewer))
        }
        ScenarioStop::DiskUsed => "stopped early: out of disk for profiles".to_owned(),
        ScenarioStop::Fell => "the server stalled or crashed".to_owned(),
        ScenarioStop::AlreadyGone => "not run: the server had crashed".to_owned(),
    }
}

/// What of a journal could not be read.
pub fn damaged_journal(lines: u64, first_line: usize, first_byte: usize) -> String {
    format!(
        "{} of journal.jsonl could not be read and {} left out; the first is line {first_line} (byte {first_byte}).",
        plural(lines, "line"),
        if lines == 1 { "was" } else { "were" }
    )
}

/// What to do about it.
pub const DAMAGED_JOURNAL_ADVICE: &str = "What those lines held is missing from this report. Run again if it matters.";

/// Why a pause without load is kept.
pub const REST: &str = "growth seen; checking that it is not freed by a timer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked() {
        assert_eq!(asked(1, 1, Unit::Messages), "1 message");
        assert_eq!(asked(10_000, 30, Unit::Messages), "10,000 messages, 30 at once");
        assert_eq!(asked(5_000, 5_000, Unit::Sessions), "5,000 sessions at once");
    }

    #[test]
    fn reasons_name_their_figures() {
        let text = scenario_stop(ScenarioStop::RunAgain { parallel: 1200, fewer: 600 });
        assert!(text.contains("1,200") && text.contains("600"), "{text}");
    }
}
