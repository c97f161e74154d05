//! All cells of a run, fed from its journal's events.

use std::collections::BTreeMap;

use super::cell::{Cell, Wish};
use super::facts::{Counted, fact};
use super::lives::Lives;
use crate::journal::{self, Event, ProcessFloor, WaveBegin, WaveEnd};
use crate::model::plan::scenario::{Scenario, Unit};
use crate::model::plan::{Pass, Plan};
use crate::model::{Decides, MetricKind, Runtime, State, TreeFloor, Why};
use crate::verdict::{Bounds, Budget, Collected, Collector, Floor, Judgement, Metric, Per, Reason};

/// Mails from this many bytes on are judged by the mail.
const LARGE_MAIL: u64 = 100_000;

/// Of the sessions of a wave, at least this share must go as the scenario means them to.
const AS_MEANT: f64 = 0.95;

/// Of the growth of resident memory, the part that garbage of the heap must explain before it is taken for its.
const GARBAGE_EXPLAINS: f64 = 0.5;

/// Floors of resident memory after which a clean heap decides that no further wave is worth its time.
const WEARY: usize = 20;

/// The cells of a run.
#[derive(Debug, Clone)]
pub struct Cells {
    bounds: Bounds,
    budget: Budget,
    scenarios: Vec<Scenario>,
    cells: Vec<Cell>,
    refused: BTreeMap<String, Why>,
    launches: u32,
    lives: Lives,
    /// What each scenario's first floor counted.
    first: BTreeMap<String, Counted>,
    /// The runtime of the server, where it frees memory by collections.
    runtime: Option<Runtime>,
    /// A collection is forced before each floor.
    forced: bool,
}

impl Cells {
    /// No floors yet.
    pub fn new(plan: &Plan, bounds: &Bounds) -> Self {
        let budget = Budget { rest: true, rest_seconds: plan.rest.as_secs_f64(), ..Budget::default() };
        Self {
            bounds: bounds.clone(),
            budget,
            scenarios: plan.scenarios.clone(),
            cells: Vec::new(),
            refused: BTreeMap::new(),
            launches: 0,
            lives: Lives::default(),
            first: BTreeMap::new(),
            runtime: None,
            forced: plan.settle.is_some(),
        }
    }

    /// Takes an event of the measure pass; others pass by.
    pub fn take(&mut self, event: &Event, t: f64) {
        match event {
            Event::Launch(launch) if launch.pass == Pass::Measure => self.launches += 1,
            Event::Ready(ready) if ready.pass == Pass::Measure => self.runtime = ready.runtime,
            Event::Scenario(begin) if begin.pass == Pass::Measure => self.begin(&begin.scenario),
            Event::WaveBegin(WaveBegin { scene, parallel, .. }) if scene.pass == Pass::Measure => {
                for cell in self.cells.iter_mut().filter(|cell| cell.scenario == scene.scenario) {
                    cell.parallel = cell.parallel.max(*parallel);
                }
            }
            Event::WaveEnd(WaveEnd { scene, tally, moved, .. }) if scene.pass == Pass::Measure && scene.wave > 0 => {
                let share = tally.as_meant_share();
                if share < AS_MEANT && !tally.interrupted && !moved {
                    self.refused.entry(scene.scenario.clone()).or_insert_with(|| {
                        let errors = tally.errors.iter().map(|(kind, n)| (kind.to_string(), *n)).collect();
                        Why::Refused { wave: scene.wave, as_meant: share, errors }
                    });
                }
            }
            Event::Rest(rest) if rest.scene.pass == Pass::Measure => {
                for cell in self.cells.iter_mut().filter(|cell| cell.scenario == rest.scene.scenario) {
                    if let Some(value) = judged(cell.metric, rest.tree.as_ref(), &rest.before) {
                        cell.before_rest(t, value);
                    }
                }
            }
            Event::Floor(at_rest) if at_rest.scene.pass == Pass::Measure => {
                self.floor(at_rest, t);
            }
            _ => {}
        }
    }

    fn floor(&mut self, at_rest: &journal::Floor, t: f64) {
        let journal::Floor { scene, messages, sessions, rested, processes, .. } = at_rest;
        let life = self.lives.take(processes);
        let counted = Counted {
            seconds: t,
            sessions: *sessions,
            messages: *messages,
            close_wait: at_rest.tree.map_or(0, |tree| tree.close_wait),
            elements: elements(processes, "heap"),
        };
        let first = *self.first.entry(scene.scenario.clone()).or_insert(counted);
        // One that was never on has set nothing up that could be found.
        let off = Collector { on: false, roots: 0, threshold: 0, runs: 0 };
        let collector = collector(processes).or(at_rest.tree.map(|_| off));
        let (forced, rest) = (self.forced, self.budget.rest_seconds);
        let grain = at_rest.tree.map(|tree| tree.grain as f64).filter(|grain| *grain > 0.0);
        let collected = self.runtime.map(|_| if forced { Collected::Forced } else { Collected::AtWill });
        for cell in self.cells.iter_mut().filter(|cell| cell.scenario == scene.scenario) {
            let read = match &at_rest.tree {
                Some(tree) => of_tree(cell.metric, tree, processes),
                None => of_servers(cell.metric, processes),
            };
            cell.fact = at_rest.tree.and_then(|_| fact(cell.metric, &first, &counted, rest));
            cell.collected = collected.filter(|_| cell.metric.is_resident());
            match read {
                Reading::Is(figure) => cell.feed(Some(Floor {
                    pid: Some(if at_rest.tree.is_some() { life } else { figure.lives }),
                    seconds: Some(t),
                    rested: *rested,
                    garbage: figure.garbage,
                    collector: collector.filter(|_| cell.metric == Metric::Heap && figure.garbage.is_some()),
                    elements: elements(processes, "heap").filter(|_| cell.metric == Metric::Heap),
                    peak_in_wave: figure.peak,
                    grain: grain.filter(|_| cell.metric.is_resident()),
                    limit: limit(processes).filter(|_| cell.metric == Metric::Heap),
                    ..Floor::new(scene.wave, *messages, *sessions, figure.value)
                })),
                Reading::None => cell.feed(None),
                // It could not be read at this moment: one floor fewer, not another kind of floor.
                Reading::Later => {}
            }
        }
    }

    fn begin(&mut self, name: &str) {
        let Some(scenario) = self.scenarios.iter().find(|s| s.name == name) else { return };
        // One that is run again, at fewer sessions, begins anew.
        self.cells.retain(|cell| cell.scenario != name);
        self.refused.remove(name);
        self.first.remove(name);
        let per_message = scenario.unit() == Unit::Messages;
        let length = scenario.mail_length();
        for metric in Metric::ALL {
            let per = if per_message && !metric.is_count() { Per::Messages } else { Per::Sessions };
            let large = (per_message && length >= LARGE_MAIL).then_some(length as f64);
            self.cells.push(Cell::new(metric, name, per, large, &self.bounds, &self.budget));
        }
    }

    /// The cells of a scenario.
    pub fn of<'a>(&'a self, scenario: &'a str) -> impl Iterator<Item = &'a Cell> {
        self.cells.iter().filter(move |cell| cell.scenario == scenario)
    }

    /// All cells.
    pub fn all(&self) -> &[Cell] {
        &self.cells
    }

    /// What the scenario's cells want next: a rest before a wave before nothing.
    pub fn wish(&self, scenario: &str) -> Wish {
        if self.refused.contains_key(scenario) {
            return Wish::Nothing;
        }
        let mut wish = Wish::Nothing;
        // Resident memory swings for long; where the heap is clean it alone keeps nobody waiting for ever.
        let heap_holds = self.of(scenario).any(|cell| cell.metric == Metric::Heap && cell.outcome().state.holds());
        let weary = |cell: &Cell| cell.metric.is_resident() && heap_holds && cell.floors().len() > WEARY;
        for cell in self.of(scenario).filter(|cell| !weary(cell)) {
            match (cell.wish(), &wish) {
                (rest @ Wish::Rest { .. }, _) => return rest,
                // Threads and processes that stand still are not waited for; those that grow are.
                (Wish::Wave, Wish::Nothing) if !cell.metric.is_beside() || cell.has_grown() => wish = Wish::Wave,
                _ => {}
            }
        }
        wish
    }

    /// What can be said of a cell.
    pub fn outcome(&self, cell: &Cell) -> Judgement {
        match self.refused.get(&cell.scenario) {
            Some(why) => Judgement::not_judged(Reason::Refused, why.clone()),
            None => self.without_garbage(cell, cell.outcome()),
        }
    }

    /// Resident memory that grows by what PHP's heap holds as garbage, and its collector will free, is no leak of it.
    fn without_garbage(&self, cell: &Cell, judgement: Judgement) -> Judgement {
        let grows = matches!(judgement.state, State::Leak | State::Inconclusive) && cell.metric.is_resident();
        let heap = || self.of(&cell.scenario).find(|cell| cell.metric == Metric::Heap);
        let Some(heap) = grows.then(heap).flatten().filter(|heap| heap.outcome().state.holds()) else {
            return judgement;
        };
        let late = |cell: &Cell, value: &dyn Fn(&Floor) -> Option<f64>| {
            let floors = cell.floors();
            Some(value(floors.last()?)? - value(floors.get(floors.len() / 4)?)?)
        };
        let (garbage, memory) = (late(heap, &|floor| floor.garbage), late(cell, &|floor| Some(floor.value)));
        match garbage.zip(memory) {
            Some((garbage, memory)) if garbage > GARBAGE_EXPLAINS * memory => {
                let why = [vec![Why::Garbage], judgement.why].concat();
                let would_decide = self.until_collected(heap).or(judgement.would_decide);
                Judgement { state: State::Inconclusive, why, would_decide, ..judgement }
            }
            _ => judgement,
        }
    }

    /// The work until the collector of cycles runs.
    fn until_collected(&self, heap: &Cell) -> Option<Decides> {
        let last = heap.floors().last()?;
        let collector = last.collector.filter(|collector| collector.roots > 0)?;
        let left = collector.threshold.saturating_sub(collector.roots) as f64;
        let more = left * last.work(heap.per) as f64 / collector.roots as f64;
        Some(Decides::Work { more: more.ceil() as u64 })
    }

    /// Why the scenario is not judged, where too few sessions went as meant.
    pub fn refused(&self, scenario: &str) -> Option<&Why> {
        self.refused.get(scenario)
    }
}

/// PHP's collector of cycles: of several processes the one that has the furthest to go, for all must collect.
fn collector(processes: &[ProcessFloor]) -> Option<Collector> {
    let of = |process: &ProcessFloor| {
        let figure = |name: &str| process.figures.get(name).copied();
        Some(Collector {
            on: figure("gc_enabled").is_none_or(|on| on > 0.0),
            roots: figure("gc_roots")? as u64,
            threshold: figure("gc_threshold")? as u64,
            runs: figure("gc_runs")? as u64,
        })
    };
    let all: Vec<Collector> = processes.iter().filter_map(of).collect();
    let off = all.iter().find(|collector| !collector.on);
    off.or_else(|| all.iter().max_by_key(|collector| collector.roots)).copied()
}

/// Bytes of PHP's heap at which the server is ended: `memory_limit` of all its processes that are PHP, or the memory of the
/// container or the machine that they share.
fn limit(processes: &[ProcessFloor]) -> Option<f64> {
    let php = || processes.iter().filter(|process| process.figures.contains_key("heap"));
    let own: Option<f64> = php().map(|process| process.figures.get("heap_limit")).sum();
    let shared = php().filter_map(|process| process.figures.get("limit").copied()).reduce(f64::min);
    own.into_iter().chain(shared).reduce(f64::min).filter(|_| php().next().is_some())
}

/// A figure of a floor, ready to be judged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figure {
    value: f64,
    garbage: Option<f64>,
    peak: Option<f64>,
    lives: u32,
}

/// What a floor says of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reading {
    /// This.
    Is(Figure),
    /// Nothing, and no other floor will.
    None,
    /// Nothing, but another floor may.
    Later,
}

/// The value of a metric that is judged at a floor, or before a rest: the whole tree's, or, where a journal has no sums, of
/// the processes that are the server.
pub fn judged(metric: Metric, tree: Option<&TreeFloor>, processes: &[ProcessFloor]) -> Option<f64> {
    let read = tree.map_or_else(|| of_servers(metric, processes), |tree| of_tree(metric, tree, processes));
    match read {
        Reading::Is(figure) => Some(figure.value),
        Reading::None | Reading::Later => None,
    }
}

/// What the whole tree owns: everything in sum, PHP's heap over all its processes that are PHP.
fn of_tree(metric: Metric, tree: &TreeFloor, processes: &[ProcessFloor]) -> Reading {
    if metric.kind() == MetricKind::Heap {
        return heap(processes);
    }
    let Some(value) = metric.of_tree(tree).map(|value| value as f64) else { return Reading::None };
    let peak = metric.is_resident().then(|| {
        // The most that was resident in the wave: what is now, and what each process had above that.
        let of = |process: &ProcessFloor, name: &str| process.figures.get(name).copied();
        let above = |process: &ProcessFloor| Some((of(process, "rss_anon_peak")? - of(process, "rss_anon")?).max(0.0));
        let above: f64 = processes.iter().filter_map(above).sum();
        value + above
    });
    Reading::Is(Figure { value, garbage: None, peak, lives: 0 })
}

/// PHP's heap over all processes that are PHP. Garbage counts where it is known of every one of them.
fn heap(processes: &[ProcessFloor]) -> Reading {
    if processes.iter().any(|process| process.figures.contains_key("heap_busy")) {
        return Reading::Later;
    }
    let php = || processes.iter().filter(|process| process.figures.contains_key("heap"));
    let sum = |name: &str| php().map(|process| process.figures.get(name).copied()).sum::<Option<f64>>();
    match sum("heap").filter(|_| php().next().is_some()) {
        Some(value) => Reading::Is(Figure { value, garbage: sum("heap_garbage"), peak: None, lives: 0 }),
        None => Reading::None,
    }
}

/// The same of a journal that recorded no sums: the processes that are the server.
fn of_servers(metric: Metric, processes: &[ProcessFloor]) -> Reading {
    match sum(processes, metric.figure()) {
        Some((value, garbage, peak, lives)) => Reading::Is(Figure { value, garbage, peak, lives }),
        // Not recorded then; nothing is judged by it.
        None => Reading::None,
    }
}

/// A figure over the processes that are the server, its garbage, its peak, and a number for this set of lives.
fn sum(processes: &[ProcessFloor], figure: &str) -> Option<(f64, Option<f64>, Option<f64>, u32)> {
    let mut value = 0.0;
    let mut garbage = Some(0.0);
    let mut peak = None;
    let mut lives: u32 = 0;
    let mut any = false;
    for process in processes.iter().filter(|process| process.server) {
        value += process.figures.get(figure)?;
        any = true;
        garbage = garbage.zip(process.figures.get(&format!("{figure}_garbage"))).map(|(sum, own)| sum + own);
        if let Some(own) = process.figures.get(&format!("{figure}_peak")) {
            peak = Some(peak.unwrap_or(0.0) + own);
        }
        // One process: its pid. Several: a number that changes when any of them is replaced.
        lives = lives.wrapping_mul(31).wrapping_add(process.pid as u32);
    }
    any.then_some((value, garbage, peak, lives))
}

/// A figure summed over the processes that are the server; none where one of them could not be read.
pub fn server_figure(processes: &[ProcessFloor], figure: &str) -> Option<f64> {
    sum(processes, figure).map(|(value, ..)| value)
}

/// Elements of the container that grew most, where a census counted them.
fn elements(processes: &[ProcessFloor], figure: &str) -> Option<u64> {
    let name = format!("{figure}_elements");
    let counted = processes.iter().filter(|process| process.server).map(|process| process.figures.get(&name));
    counted.sum::<Option<f64>>().map(|sum| sum as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, server: bool, heap: Option<f64>) -> ProcessFloor {
        let figures = heap.map(|heap| ("heap".to_owned(), heap)).into_iter().collect();
        ProcessFloor { pid, server, figures }
    }

    #[test]
    fn memory_that_grows_by_garbage_alone_is_no_leak() {
        let bounds = Bounds::default();
        let cell = |metric| Cell::new(metric, "sequential", Per::Messages, None, &bounds, &Budget::default());
        let mut cells = Cells {
            bounds: bounds.clone(),
            budget: Budget::default(),
            scenarios: Vec::new(),
            cells: vec![cell(Metric::Heap), cell(Metric::Rss)],
            refused: BTreeMap::new(),
            launches: 1,
            lives: Lives::default(),
            first: BTreeMap::new(),
            runtime: None,
            forced: false,
        };
        for wave in 0..=24 {
            let messages = u64::from(wave) * 600;
            let garbage = 4_000.0 * messages as f64;
            let floor = |value| Floor { rested: wave == 8, ..Floor::new(wave, messages, messages, value) };
            // A root for each second message: the collector has still to come.
            let collector = Some(Collector { on: true, roots: messages / 2, threshold: 10_001, runs: 0 });
            let heap = Floor { garbage: Some(garbage), collector, ..floor(458_000.0 + garbage) };
            cells.cells[0].feed(Some(heap));
            cells.cells[1].feed(Some(floor(9e6 + garbage)));
        }
        let [heap, memory] = [0, 1].map(|i| cells.outcome(&cells.cells[i]));
        assert!(heap.state.holds(), "{:?}", heap.why);
        assert_eq!(cells.cells[1].outcome().state, State::Leak, "by itself it looks like one");
        assert_eq!((memory.state, &memory.why[0]), (State::Inconclusive, &Why::Garbage));
        assert_eq!(memory.would_decide, Some(Decides::Work { more: 5_602 }));
    }

    #[test]
    fn the_server_is_what_listens_and_every_one_of_it_must_be_readable() {
        let both = [process(7, true, Some(10.0)), process(8, true, Some(5.0)), process(9, false, Some(99.0))];
        let (value, garbage, peak, lives) = sum(&both, "heap").unwrap();
        assert_eq!((value, garbage, peak), (15.0, None, None));
        let replaced = [process(7, true, Some(10.0)), process(10, true, Some(5.0))];
        assert_ne!(sum(&replaced, "heap").unwrap().3, lives);
        assert_eq!(sum(&[process(7, true, Some(1.0)), process(8, true, None)], "heap"), None);
        assert_eq!(sum(&[process(7, true, Some(1.0))], "heap").unwrap().3, 7);
        assert_eq!(sum(&[], "heap"), None);
    }
}
