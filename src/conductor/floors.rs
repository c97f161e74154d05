//! The figures of a server at rest: from /proc, from the socket tables, from PHP's heap.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde_json::to_value;

use super::context::Context;
use super::sample_log::LiveLoad;
use super::session::Session;
use super::settle::Settled;
use super::source;
use super::stop_reason::Halt;
use crate::heap::{Census, Code, CopyMode, Error, Holder, Inspector};
use crate::journal::{self, CensusTaken, CodeRead, Event, HolderCount, ProcessFloor, Scene, Warning};
use crate::model::{Library, TreeFloor, WarningKind};
use crate::proc::Meminfo;
use crate::sampler::{Floor, Reader};

/// The PHP stack of a process, the innermost call first; empty where it cannot be read.
pub fn stack(pid: i32) -> Vec<String> {
    let frames = Inspector::attach(pid).and_then(|inspector| inspector.stack(CopyMode::MayStop)).unwrap_or_default();
    frames.into_iter().map(|frame| frame.function).collect()
}

/// Reads floors; keeps what can be used again.
#[derive(Debug, Default)]
pub struct Floors {
    reader: Option<Reader>,
    inspectors: BTreeMap<i32, Result<Inspector, Error>>,
    /// Containers at the scenario's first census.
    first: BTreeMap<i32, BTreeMap<String, u64>>,
    told: Option<String>,
    /// Bytes of the machine's memory.
    machine: Option<u64>,
    /// Processes whose census was refused, and how.
    refused: BTreeSet<(i32, &'static str)>,
    /// Processes whose code was read in this scenario.
    read: BTreeSet<i32>,
}

/// What was read at one floor.
#[derive(Debug, Default)]
pub struct Measured {
    /// The whole tree in sum.
    pub tree: TreeFloor,
    /// One entry a process.
    pub processes: Vec<ProcessFloor>,
    /// Descriptors of the server, by name.
    pub holders: Vec<HolderCount>,
    /// Censuses, by process.
    pub censuses: Vec<(i32, Census)>,
    /// What code does to the containers, by process.
    pub codes: Vec<(i32, Code)>,
    /// Why a heap could not be read, said once.
    pub unreadable: Option<String>,
}

impl Floors {
    /// Reads all processes of a session.
    pub fn measure(&mut self, session: &Session, load: &LiveLoad, wave: u32, library: &Library) -> Measured {
        let pids = session.pids();
        let servers = session.servers(&pids);
        let reader = self.reader.get_or_insert_with(Reader::of_loaded_server);
        let (floors, tree) = reader.tree(&pids).unwrap_or_default();
        let mut measured = Measured { tree, ..Measured::default() };
        for floor in floors {
            let pid = floor.pid;
            let server = servers.contains(&pid);
            let mut figures = figures(&floor);
            let machine = *self.machine.get_or_insert_with(|| Meminfo::read().map_or(u64::MAX, |memory| memory.total));
            let group = floor.cgroup.as_ref().and_then(|group| group.max);
            figures.insert("limit".to_owned(), machine.min(group.unwrap_or(u64::MAX)) as f64);
            if let Some(peak) = load.peak(pid) {
                figures.insert("rss_anon_peak".to_owned(), peak as f64);
            }
            if server {
                measured.holders.extend(floor.descriptors.iter().map(|group| HolderCount {
                    path: group.name.clone(),
                    kind: group.kind.name().to_owned(),
                    count: u64::from(group.count),
                    bytes: None,
                }));
            }
            self.read_heap(pid, server, (wave, library), &mut figures, &mut measured);
            measured.processes.push(ProcessFloor { pid, server, figures });
        }
        measured
    }

    /// Reads the heap of a process that is PHP, whether it listens or is a helper: what either keeps is kept.
    fn read_heap(
        &mut self,
        pid: i32,
        server: bool,
        (wave, library): (u32, &Library),
        figures: &mut BTreeMap<String, f64>,
        measured: &mut Measured,
    ) {
        let inspector = match self.inspectors.entry(pid).or_insert_with(|| Inspector::attach(pid)) {
            Ok(inspector) => inspector,
            // What was not yet started up may be by the next floor.
            Err(Error::Busy) => {
                self.inspectors.remove(&pid);
                figures.insert("heap_busy".to_owned(), 1.0);
                return;
            }
            Err(error) => {
                let why = Some(error).filter(|error| server && **error != Error::NotPhp).map(|error| error.to_string());
                self.tell(why, measured);
                return;
            }
        };
        // At every floor, however long it takes: floors with and without garbage are no one series, and what holds the
        // growth is asked of the last one.
        // By the end of a first wave what serves a message is compiled.
        let census = match wave > 0 && self.read.insert(pid) {
            true => inspector.census_with_code(CopyMode::MayStop, &|file| library.holds(file)).map(|(census, code)| {
                measured.codes.push((pid, code));
                census
            }),
            false => inspector.census(CopyMode::MayStop),
        };
        match census {
            Ok(census) => {
                figures.insert("heap_garbage".to_owned(), census.garbage.bytes as f64);
                if let Some(collector) = &census.collector {
                    figures.insert("gc_roots".to_owned(), f64::from(collector.roots));
                    figures.insert("gc_runs".to_owned(), f64::from(collector.runs));
                    figures.insert("gc_enabled".to_owned(), f64::from(u8::from(collector.enabled)));
                    figures.insert("gc_threshold".to_owned(), f64::from(collector.threshold));
                }
                if let Some(elements) = elements(self.first.entry(pid), &census.holders) {
                    figures.insert("heap_elements".to_owned(), elements as f64);
                }
                if let Some(heap) = &census.figures {
                    insert_heap(figures, heap);
                }
                measured.censuses.push((pid, census));
            }
            // Said once: the same reason at each floor after it says nothing more.
            Err(error) => {
                let text = Some(format!("A census of pid {pid} after wave {wave}: {error}."));
                if self.refused.insert((pid, error.word())) {
                    measured.unreadable = text;
                }
            }
        }
        if !figures.contains_key("heap") {
            match inspector.figures() {
                Ok(heap) => insert_heap(figures, &heap),
                Err(Error::Busy) => drop(figures.insert("heap_busy".to_owned(), 1.0)),
                Err(error) => self.tell(Some(error.to_string()).filter(|_| server), measured),
            }
        }
    }

    /// Says why a server's heap is not known, each reason once.
    fn tell(&mut self, why: Option<String>, measured: &mut Measured) {
        let text = why.map(|why| format!("PHP's heap: {why}."));
        if text.is_some() && text != self.told {
            self.told.clone_from(&text);
            measured.unreadable = text;
        }
    }
}

/// Elements of the container that grew most since the scenario's first census. What lies in one that grew itself is as
/// many containers as that one has elements, and no single one.
fn elements(first: Entry<'_, i32, BTreeMap<String, u64>>, holders: &[Holder]) -> Option<u64> {
    let counts = || holders.iter().map(|holder| (holder.path.clone(), holder.count)).collect();
    let first: &BTreeMap<String, u64> = first.or_insert_with(counts);
    let grew = |holder: &Holder| holder.count.saturating_sub(first.get(&holder.path).copied().unwrap_or(0));
    let growing: BTreeSet<&str> =
        holders.iter().filter(|holder| grew(holder) > 0).map(|holder| holder.path.as_str()).collect();
    let is_single = |holder: &&Holder| holder.within.as_deref().is_none_or(|within| !growing.contains(within));
    holders.iter().filter(is_single).max_by_key(|holder| grew(holder)).map(|holder| holder.count)
}

fn insert_heap(figures: &mut BTreeMap<String, f64>, heap: &crate::heap::Figures) {
    figures.insert("heap".to_owned(), heap.size as f64);
    figures.insert("heap_real".to_owned(), heap.real_size as f64);
    figures.insert("heap_max".to_owned(), heap.peak as f64);
    if let Some(limit) = heap.limit {
        figures.insert("heap_limit".to_owned(), limit as f64);
    }
}

/// Everything that /proc tells of a process, by name.
fn figures(floor: &Floor) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, f64> = [
        ("rss", floor.rss as f64),
        ("rss_anon", floor.rss_anon as f64),
        ("rss_file", floor.rss_file as f64),
        ("rss_shmem", floor.rss_shmem as f64),
        ("vsz", floor.vsz as f64),
        ("threads", f64::from(floor.threads)),
        ("children", f64::from(floor.children)),
        ("swap", floor.swap as f64),
        ("fd", f64::from(floor.fds.total)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (kind, count) in &floor.fds.kinds {
        all.insert(format!("fd_{}", kind.name()), f64::from(*count));
    }
    let mut sockets = 0;
    for (state, count) in &floor.sockets {
        if *state != crate::proc::State::Listen {
            sockets += count;
        }
        all.insert(format!("sockets_{}", state.name()), f64::from(*count));
    }
    all.insert("sockets".to_owned(), f64::from(sockets));
    if let Some(group) = &floor.cgroup {
        all.insert("cgroup".to_owned(), group.current as f64);
    }
    all
}

/// Work done in a scenario up to a floor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Messages accepted.
    pub messages: u64,
    /// Sessions ended.
    pub sessions: u64,
}

/// Measures a floor and writes it down; gives back what was measured.
pub(super) fn measure(
    run: &mut Context<'_>,
    floors: &mut Floors,
    session: &mut Session,
    scene: &Scene,
    work: Work,
    settled: Settled,
) -> Result<Vec<ProcessFloor>, Halt> {
    let measured = floors.measure(session, &run.sample_log.load, scene.wave, &run.plan.library);
    if let Some(text) = measured.unreadable {
        run.recorder.not_measured(text)?;
    }
    let messages = run
        .plan
        .scenarios
        .iter()
        .any(|s| s.name == scene.scenario && s.unit() == crate::model::plan::scenario::Unit::Messages);
    for (pid, census) in measured.censuses {
        let census = to_value(census).map_err(std::io::Error::from)?;
        let work = if messages { work.messages } else { work.sessions };
        run.recorder.write(Event::Census(CensusTaken { scene: scene.clone(), pid, work, census }))?;
    }
    for (pid, mut code) in measured.codes {
        if run.plan.source {
            source::excerpts(&mut code, pid);
        }
        let code = to_value(code).map_err(std::io::Error::from)?;
        run.recorder.write(Event::Code(CodeRead { scene: scene.clone(), pid, code }))?;
    }
    if measured.tree.unaccounted > 0 && !std::mem::replace(&mut run.told_unaccounted, true) {
        run.recorder.write(Event::Warning(Warning {
            kind: WarningKind::Unaccounted,
            text: format!(
                "The kernel counts {} of the server's memory otherwise than the sum of its mappings.",
                crate::phrase::bytes(measured.tree.unaccounted as f64)
            ),
            advice: "Memory is judged by the mappings; what lies outside of them (a driver's, a device's) is not seen."
                .to_owned(),
        }))?;
    }
    session.idle.connections = session.moment().connections;
    run.recorder.write(Event::Floor(journal::Floor {
        scene: scene.clone(),
        messages: work.messages,
        sessions: work.sessions,
        settle: settled.seconds,
        deadline: settled.deadline,
        rested: settled.rested,
        tree: Some(measured.tree),
        processes: measured.processes.clone(),
        holders: measured.holders,
    }))?;
    run.sample_log.load.open.store(0, Ordering::Relaxed);
    Ok(measured.processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(path: &str, count: u64, within: Option<&str>) -> Holder {
        let within = within.map(str::to_owned);
        Holder {
            path: path.to_owned(),
            count,
            bytes: 0,
            element_type: String::new(),
            classes: Vec::new(),
            within,
            shared: 0,
            weak: false,
        }
    }

    #[test]
    fn a_list_that_grows_is_counted_and_not_the_lists_of_its_elements() {
        let floor = |sessions: u64| {
            [
                holder("faults[]", 1, None),
                holder("sessions[]", sessions, Some("faults[]")),
                // Five lines of each session.
                holder("sessions[]->history[]", 5 * sessions, Some("sessions[]")),
            ]
        };
        let mut first = BTreeMap::new();
        elements(first.entry(1), &floor(10));
        assert_eq!(elements(first.entry(1), &floor(1010)), Some(1010));
        // What lies in a list that stands still may be the one that grows.
        let lines = [holder("sessions[]", 10, None), holder("sessions[]->history[]", 900, Some("sessions[]"))];
        assert_eq!(elements(first.entry(1), &lines), Some(900));
    }
}
