//! One metric in one scenario.

use crate::model::Why;
use crate::verdict::{Bounds, Budget, Case, Collected, Floor, Judgement, Looks, Metric, Next, Per, Reason};

/// Floors running that rise evenly where a rest will be asked for.
const EVEN_FLOORS: usize = 6;

/// Of their mean growth, what each of them brings at least: a leak of a block for each message brings nearly all.
const EVEN: f64 = 0.7;

/// What a cell wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Nothing: it is decided, or nothing can decide it.
    Nothing,
    /// One more wave.
    Wave,
    /// A rest without load, then more waves.
    Rest {
        /// How long, in seconds.
        seconds: f64,
        /// Before each floor from now on.
        each: bool,
    },
}

/// One metric in one scenario: its floors, and what the looks at them said.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What is judged.
    pub metric: Metric,
    /// The scenario.
    pub scenario: String,
    /// What its growth is counted against.
    pub per: Per,
    /// Bytes of a mail, where the mails are large.
    pub large_mail: Option<f64>,
    /// Sessions in flight at once.
    pub parallel: u32,
    /// How the runtime frees its memory, where that is by collections.
    pub collected: Option<Collected>,
    /// What is known one by one at its last floor.
    pub fact: Option<(u64, u64)>,
    before_rest: Option<(f64, f64)>,
    looks: Looks,
    bounds: Bounds,
    unreadable: bool,
    garbage_known: bool,
    rested: bool,
    last: Option<Next>,
}

impl Cell {
    /// A cell without floors.
    pub fn new(
        metric: Metric,
        scenario: &str,
        per: Per,
        large_mail: Option<f64>,
        bounds: &Bounds,
        budget: &Budget,
    ) -> Self {
        Self {
            metric,
            scenario: scenario.to_owned(),
            per,
            large_mail,
            parallel: 1,
            collected: None,
            fact: None,
            before_rest: None,
            looks: Looks::new(bounds.clone(), budget.clone()),
            bounds: bounds.clone(),
            unreadable: false,
            garbage_known: true,
            rested: false,
            last: None,
        }
    }

    /// Takes what stood before a rest that began at this second: with the floor after it, a stretch of time without load.
    pub fn before_rest(&mut self, seconds: f64, value: f64) {
        self.before_rest = Some((seconds, value));
    }

    /// Takes one floor; `None` where the figure could not be read.
    pub fn feed(&mut self, floor: Option<Floor>) {
        let Some(floor) = floor else {
            self.unreadable = true;
            return;
        };
        // A rest is kept for all cells of the scenario, whoever asked for it.
        self.rested |= floor.rested;
        // Of a collector that was not found nobody knows that it is off.
        let found = floor.collector.is_none_or(|collector| collector.threshold > 0);
        self.garbage_known &= (floor.garbage.is_some() && found) || self.metric.is_count();
        if let Some((seconds, value)) = self.before_rest.take() {
            self.looks.before_rest(Floor { seconds: Some(seconds), value, rested: false, ..floor });
        }
        let case = self.case();
        self.last = Some(self.looks.feed(floor, &case));
    }

    /// What is known of it beside its floors.
    fn case(&self) -> Case<'static> {
        Case {
            metric: self.metric,
            floors: &[],
            per: self.per,
            large_mail: self.large_mail,
            parallel: Some(self.parallel),
            garbage_known: self.garbage_known && self.metric == Metric::Heap,
            collected: self.collected,
            fact: self.fact,
        }
    }

    /// Its floors so far.
    pub fn floors(&self) -> &[Floor] {
        self.looks.floors()
    }

    /// Over the later half of its floors it grew by more than what a leak may be, and by more than two of its steps.
    pub fn has_grown(&self) -> bool {
        let floors = self.looks.floors();
        let (Some(last), Some(middle)) = (floors.last(), floors.get(floors.len() / 2)) else { return false };
        let (grown, work) = (last.value - middle.value, last.work(self.per) as f64 - middle.work(self.per) as f64);
        grown > 2.0 * self.metric.grain() && grown > work * self.bounds.for_case(&self.case()).leak
    }

    /// It rose at each of its last floors, evenly and by more than what a leak may be: a rest will be asked for.
    pub fn rises_evenly(&self) -> bool {
        let floors = self.looks.floors();
        let Some(late) = floors.len().checked_sub(EVEN_FLOORS).map(|from| &floors[from..]) else { return false };
        let rate = |from: &Floor, to: &Floor| {
            let work = to.work(self.per) as f64 - from.work(self.per) as f64;
            (to.value - from.value) / work.max(1.0)
        };
        let mean = rate(&late[0], &late[EVEN_FLOORS - 1]);
        let least = late.windows(2).map(|pair| rate(&pair[0], &pair[1])).fold(f64::INFINITY, f64::min);
        mean > self.bounds.for_case(&self.case()).leak && least > EVEN * mean && self.has_grown()
    }

    /// PHP's heap was read at one of its floors.
    pub fn is_php(&self) -> bool {
        self.metric == Metric::Heap && !self.floors().is_empty()
    }

    /// What it wants next.
    pub fn wish(&self) -> Wish {
        if self.unreadable {
            return Wish::Nothing;
        }
        match &self.last {
            None => Wish::Wave,
            Some(Next::MoreWaves { .. }) => Wish::Wave,
            // One rest is enough, unless floors fell: what is wanted then is work through which the growth holds.
            Some(Next::Rest { each: false, .. }) if self.rested => Wish::Wave,
            Some(Next::Rest { seconds, each, .. }) => Wish::Rest { seconds: *seconds, each: *each },
            Some(Next::Decided(_) | Next::BudgetUsed(_)) => Wish::Nothing,
        }
    }

    /// What can be said of it.
    pub fn outcome(&self) -> Judgement {
        if self.unreadable {
            return Judgement::not_judged(Reason::NotReadable, Why::NotEveryFloor);
        }
        if self.looks.floors().is_empty() {
            return Judgement::not_judged(Reason::NotRunning, Why::NoFloor);
        }
        self.looks.outcome()
    }
}
