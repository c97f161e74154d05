//! Why a run ended early, and why a scenario got no further wave.

use serde::{Deserialize, Serialize};

/// Why a run ended before its plan was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyEnd {
    /// This machine or what was typed: a taken port, a hook that failed, a load that cannot run.
    Environment,
    /// The command could not be started.
    Launch,
    /// The server refused the first conversation.
    Preflight,
    /// The first conversation broke off.
    PreflightBroken,
    /// The server ended before it greeted.
    Exited,
    /// It did not greet in time.
    NeverReady,
    /// It delivered mail to another machine.
    Forward,
    /// A signal.
    Interrupted,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl EarlyEnd {
    /// It is the environment's, not the server's: the run could not be run.
    pub fn could_not_run(self) -> bool {
        matches!(self, EarlyEnd::Environment | EarlyEnd::Launch | EarlyEnd::Preflight)
    }
}

/// Why a scenario got no further wave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioStop {
    /// Every cell is decided.
    Decided,
    /// All that was asked was run.
    AllRun,
    /// Its part of the budget was used.
    BudgetUsed,
    /// The profile pass ran as much of it as its time allowed.
    TimeUsed,
    /// What was left of the budget had no room for it.
    NeverBegan,
    /// A pause without load had no room in the budget.
    NoRoomForRest {
        /// How long it would have been.
        seconds: f64,
    },
    /// The server did not hold so many sessions at once; the scenario is run again with fewer.
    RunAgain {
        /// Sessions at once that it did not hold.
        parallel: u64,
        /// Those that are tried next.
        fewer: u64,
    },
    /// The profiles had taken all the disk that they may.
    DiskUsed,
    /// The server stalled or crashed during it.
    Fell,
    /// The server had crashed before it began.
    AlreadyGone,
}

impl ScenarioStop {
    /// It ended as planned: nothing that a reader must be told.
    pub fn is_as_planned(self) -> bool {
        matches!(self, ScenarioStop::Decided | ScenarioStop::AllRun | ScenarioStop::TimeUsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_words_stay() {
        let written = |why: EarlyEnd| serde_json::to_value(why).unwrap();
        assert_eq!(written(EarlyEnd::PreflightBroken), "preflight_broken");
        assert_eq!(written(EarlyEnd::NeverReady), "never_ready");
        assert_eq!(serde_json::from_str::<EarlyEnd>(r#""from_the_future""#).unwrap(), EarlyEnd::Other);
        let rest = ScenarioStop::NoRoomForRest { seconds: 15.0 };
        assert_eq!(serde_json::to_string(&rest).unwrap(), r#"{"no_room_for_rest":{"seconds":15.0}}"#);
        assert_eq!(serde_json::to_string(&ScenarioStop::Decided).unwrap(), r#""decided""#);
    }
}
