//! What a look at the floors of one metric says, as values: the state, the growth, what could have been missed, why, and
//! what would decide. The words for them are `phrase`'s.

use serde::{Deserialize, Serialize};

use super::verdict::{Growth, GrowthPer, Reason, State};

/// What the state rests on, or what kept it from being decided. Rates are in the growth's unit, per 1,000 units of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Too few floors with work.
    FewFloors {
        /// Those there are.
        have: usize,
        /// Those that are needed.
        need: usize,
    },
    /// Too little work.
    LittleWork {
        /// Messages or sessions that are needed.
        need: u64,
    },
    /// The floors rise steadily through the window that was judged.
    Steady {
        /// Work at which that window begins.
        since: u64,
    },
    /// They stood still until then, and rise since.
    StillUntil {
        /// The wave.
        wave: u32,
    },
    /// What swings falls back each time to floors that rise.
    LowsRise {
        /// Falls that were seen.
        falls: usize,
    },
    /// A container's elements grow with the work, whatever its memory does between two doublings.
    Elements {
        /// More of them per 1,000 units of work.
        per_1000: f64,
        /// How many it holds.
        held: u64,
    },
    /// It is known one by one: each unit of work left one thing behind that nothing will take away.
    Fact {
        /// Things that are left.
        left: u64,
        /// Units of work that should have left none.
        of: u64,
    },
    /// The figure is at rest.
    AtRest,
    /// What swings falls back each time to the same level.
    LowsRest {
        /// Falls that were seen.
        falls: usize,
    },
    /// It rose early and is at rest since.
    Rose {
        /// Its highest floor, in the metric's unit.
        to: f64,
    },
    /// It grows by less than is called a leak.
    BelowLeak,
    /// Growth is seen, and not what a leak looks like.
    Seen,
    /// The interval of growth reaches below what is called a leak.
    WithinBound,
    /// The growth lies within the falls and steps of the figure.
    Swings {
        /// Largest fall and largest step together, in the metric's unit.
        by: f64,
    },
    /// Too few of the waves grew.
    FewRises,
    /// It does not grow evenly.
    Uneven,
    /// It slows: at the beginning and at the end of the window it grew by so much.
    Slows {
        /// The earlier rate.
        from: f64,
        /// The later rate.
        to: f64,
    },
    /// Its floors scatter too much to tell whether it slows.
    MaySlow,
    /// It stood as high before: no floor is above all earlier ones by much.
    StoodHigher,
    /// Growth up to the limit is not ruled out.
    NotRuledOut {
        /// That limit.
        limit: f64,
    },
    /// Too few whole cycles of what is collected: floors are compared from fall to fall.
    FewFalls {
        /// Falls that were seen.
        falls: usize,
    },
    /// The figure comes in steps of so many bytes, too coarse for this much work.
    Coarse {
        /// Bytes of a step.
        grain: f64,
    },
    /// All waves are equal: a buffer emptied each so many messages can walk in step with them and look like this.
    EqualWaves,
    /// A handful of floors far apart.
    FarApart,
    /// It grows with time, not with the work.
    WithTime {
        /// Seconds without load that were watched.
        idle_seconds: f64,
    },
    /// It is garbage, and the collector that would free it is off.
    CollectorOff,
    /// It is garbage, and memory is used up before its collector comes.
    CollectorLate {
        /// Bytes of garbage at the collector's next run.
        at_run: f64,
        /// Bytes at which the server is ended.
        limit: f64,
        /// Work until then.
        more: u64,
    },
    /// It is garbage of PHP that its collector will free.
    Garbage,
    /// A leak is not said before a rest through which it holds.
    NoRest,
    /// There was one, and too little work followed it.
    LittleAfterRest,
    /// It was judged over so many lives of a process that is replaced, laid end to end.
    Lives {
        /// Lives.
        lives: usize,
    },
    /// It grows inside each life and ends with it.
    EndsWithLives,
    /// It also grows from life to life: a process that is not replaced keeps something.
    LifeToLife,
    /// No life is long enough to show growth inside it.
    ShortLives {
        /// Times that the process was replaced.
        replaced: usize,
        /// Waves in all.
        waves: usize,
    },
    /// Not every floor could be read.
    NotEveryFloor,
    /// No floor was measured.
    NoFloor,
    /// Nothing is known of a figure of this name.
    UnknownFigure {
        /// The name.
        name: String,
    },
    /// The figures cannot be in the unit that the name says.
    WrongUnit {
        /// Of figures that should be whole pages, those that are not.
        odd: usize,
    },
    /// Too few sessions went as the scenario means them to.
    Refused {
        /// The wave.
        wave: u32,
        /// Share that went as meant, 0 to 1.
        as_meant: f64,
        /// What came instead, and how often.
        errors: Vec<(String, u64)>,
    },
}

/// What would decide what is not decided. A forecast from the figures so far, not a promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decides {
    /// So many more messages or sessions.
    Work {
        /// How many.
        more: u64,
    },
    /// A rest without load, then more waves.
    Rest,
    /// So many more seconds without load.
    Idle {
        /// How many.
        seconds: f64,
    },
    /// Waves of unequal size.
    UnequalWaves,
    /// A collection that is forced before each floor.
    ForcedCollection,
    /// A process that is not replaced for so many waves.
    LongLife {
        /// Waves.
        waves: usize,
    },
    /// The unit of the figures.
    Unit,
}

/// What could have been missed, each with the assumption that it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Even growth below this, in the growth's unit.
    pub even_below: f64,
    /// An event of any size that comes less often than once in so many units of work (the rule of three).
    pub rarer_than: u64,
    /// The longest stretch of work in which the figure did not rise: a container that doubles can hide in one.
    pub longest_flat: u64,
}

/// What one judgement of all floors says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the floors show.
    pub state: State,
    /// Why nothing was said, for `not_judged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The growth in the window, where there is one.
    pub growth: Option<Growth>,
    /// The growth's 95% interval, in the growth's unit; none for `not_judged`.
    pub ci95: Option<[f64; 2]>,
    /// Even growth below this could have been missed, in the growth's unit.
    pub could_have_missed: Option<f64>,
    /// The same with what else could have been missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    /// What it rests on, or what kept it from being decided; the first says most.
    pub why: Vec<Why>,
    /// What would decide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_decide: Option<Decides>,
    /// Work that was judged, in messages or sessions.
    pub work: u64,
    /// Waves that were judged.
    pub waves: usize,
    /// Whether the floors fell somewhere, so that `leak` needs a rest before each floor.
    pub wants_rest: bool,
    /// It grows as a leak does: what is missing, if anything, is work or a rest. A plateau that does is bounded by
    /// restarts.
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
    pub fn not_judged(reason: Reason, why: Why) -> Self {
        Judgement {
            state: State::NotJudged,
            reason: Some(reason),
            growth: None,
            ci95: None,
            could_have_missed: None,
            missed: None,
            why: vec![why],
            would_decide: None,
            work: 0,
            waves: 0,
            wants_rest: false,
            steady: false,
            lives: false,
        }
    }

    /// What its growth is counted against.
    pub fn per(&self) -> GrowthPer {
        self.growth.map_or(GrowthPer::Messages, |growth| growth.per)
    }
}
