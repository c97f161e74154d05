//! Two builds of one project, launched in turn: what each load cost each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The revision that is compared with.
    Base,
    /// The project as it is.
    New,
}

impl Side {
    /// Whose turn it is: base, new, new, base, and again, so that what drifts touches both alike.
    pub fn of_turn(turn: usize) -> Self {
        if matches!(turn % 4, 0 | 3) { Side::Base } else { Side::New }
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Side::Base => "base",
            Side::New => "new",
        }
    }
}

/// One launch and its load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedLoad {
    /// Which build.
    pub side: Side,
    /// Its load in equal parts, one after the other.
    pub parts: Vec<TimedPart>,
}

/// A part of a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimedPart {
    /// Messages that were accepted.
    pub messages: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// CPU seconds of the server's processes.
    pub server_cpu: f64,
}

/// One launch under the profiler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfiledLoad {
    /// Which build.
    pub side: Side,
    /// Messages of its profile.
    pub messages: u64,
    /// Self time of each function, nanoseconds, without those that wait.
    pub functions: BTreeMap<String, u64>,
}

/// The launches, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// The revision as it was typed.
    pub revision: String,
    /// Its commit.
    pub commit: String,
    /// The scenario that was run.
    pub scenario: String,
    /// Loads of the servers as they are.
    pub loads: Vec<TimedLoad>,
    /// Loads under the profiler.
    pub profiles: Vec<ProfiledLoad>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_first_and_last_as_often() {
        let turns: Vec<Side> = (0..8).map(Side::of_turn).collect();
        use Side::{Base, New};
        assert_eq!(turns, [Base, New, New, Base, Base, New, New, Base]);
    }
}
