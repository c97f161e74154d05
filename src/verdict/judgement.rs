//! What a look says: the state, the growth with its interval, the limit, and what would decide.

use serde::{Deserialize, Serialize};

use super::floor::Per;
pub use crate::model::{Growth, GrowthPer, Reason, State};

impl State {
    /// How it is written for people.
    pub fn word(self) -> &'static str {
        match self {
            State::Leak => "leak",
            State::Clean => "clean",
            State::Plateau => "plateau",
            State::Inconclusive => "inconclusive",
            State::NotJudged => "not judged",
        }
    }
}

impl GrowthPer {
    /// How a sentence says it.
    pub fn phrase(self) -> &'static str {
        match self {
            GrowthPer::Messages => "per 1,000 messages",
            GrowthPer::Sessions => "per 1,000 sessions",
            GrowthPer::Hour => "per hour",
        }
    }
}

impl From<Per> for GrowthPer {
    fn from(per: Per) -> Self {
        match per {
            Per::Messages => GrowthPer::Messages,
            Per::Sessions => GrowthPer::Sessions,
        }
    }
}

/// Work that would decide what is not decided. A forecast from the figures so far, not a promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoreWork {
    /// Further messages or sessions (as the case counts).
    pub work: u64,
    /// What they are needed for.
    pub reason: String,
}

/// What one look says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the floors show.
    pub state: State,
    /// Why nothing was said, for `not_judged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The growth in the window, where there is one.
    pub growth: Option<Growth>,
    /// The growth's 95% interval, the wider of Sen's and the bootstrap's, in the growth's unit; none for `not_judged`.
    pub ci95: Option<[f64; 2]>,
    /// A leak below this could have been missed, in the growth's unit.
    pub could_have_missed: Option<f64>,
    /// What was seen, for people.
    pub evidence: String,
    /// For an undecided look, the condition that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_condition: Option<String>,
    /// For an undecided look, the work that would decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_decide: Option<MoreWork>,
    /// Whether the floors fell somewhere, so that `leak` needs a rest before each floor.
    pub wants_rest: bool,
    /// It grows as a leak does: what is missing, if anything, is work, a second look or a rest. A plateau that does is
    /// bounded by restarts.
    pub steady: bool,
    /// It was judged over several lives of a process that is replaced.
    pub lives: bool,
}

impl Judgement {
    /// It grows inside the lives of a worker, and each is replaced before that shows.
    pub fn is_bounded_by_restarts(&self) -> bool {
        self.state == State::Plateau && self.steady
    }

    /// A cell of which nothing can be said.
    pub fn not_judged(reason: Reason, evidence: impl Into<String>) -> Self {
        Judgement {
            state: State::NotJudged,
            reason: Some(reason),
            growth: None,
            ci95: None,
            could_have_missed: None,
            evidence: evidence.into(),
            failed_condition: None,
            would_decide: None,
            wants_rest: false,
            steady: false,
            lives: false,
        }
    }
}
