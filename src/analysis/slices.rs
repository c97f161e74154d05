//! A profile in parts: by wave of the load, in tenths, and what drifts from the first tenth to the last.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drift::{Course, DriftRow, Found, Grows, TENTHS, drifting};
use crate::profile::{Profile, ROOT, Span, split};

/// A part of the recording in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartRow {
    /// The scenario whose load it stood under; none for a part of the recording as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Wave of the scenario; 0 is the warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<u32>,
    /// Messages accepted meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Sessions that ended meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Calls that ended in it.
    pub records: u64,
    /// Their self time, in the unit of the object's times.
    pub time: i64,
    /// What of it was spent waiting.
    pub waiting: i64,
}

/// A wave of the load, which stands between two marks of the recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaveAt {
    /// Scenario.
    pub scenario: String,
    /// Wave; 0 is the warm-up.
    pub wave: u32,
    /// Messages accepted.
    pub messages: u64,
    /// Sessions that ended.
    pub sessions: u64,
    /// How often the sessions that were open at once were replaced by others.
    pub rounds: u64,
    /// Sessions that were open at once, at most.
    pub parallel: u32,
}

/// Rounds of a wave whose tenths are like each other. Sessions that begin together greet together and send their mail
/// together: in a wave of one round the first tenth is greetings, and all that handles mail looks ever dearer.
const LEAST_ROUNDS: u64 = 20;

/// Records of a tenth at least.
const LEAST_RECORDS: u64 = 16;

/// A stretch of the recording under one kind of load.
#[derive(Debug, Clone, Copy)]
struct Stretch<'a> {
    scenario: Option<&'a str>,
    parts: &'a [Span],
}

/// What functions did over the tenths of a stretch.
struct Courses {
    by_id: HashMap<u32, Course>,
    busy: [i64; TENTHS],
}

/// What drifts, and how far each function's cost of a call moved.
#[derive(Debug, Default)]
pub struct Drift {
    /// The functions that drift, the dearest first.
    pub rows: Vec<DriftRow>,
    /// Change of the self time of a call from the first tenth to the last, as a share, by function.
    pub change: HashMap<u32, f64>,
    /// Any stretch was long enough to be looked at.
    pub looked: bool,
}

/// Looks for drift in every wave of the load that has rounds enough, or in the recording as a whole where no waves are known. `messages` is
/// what was accepted meanwhile, 0 where that is not known; `tick` converts the file's times.
pub fn drift(profile: &Profile, waits: &[bool], waves: &[WaveAt], messages: u64, tick: i64) -> Drift {
    let all = [Stretch { scenario: None, parts: profile.slices.parts() }];
    let of_waves: Vec<Stretch> = waves
        .iter()
        .enumerate()
        .filter(|(_, wave)| wave.rounds >= LEAST_ROUNDS)
        .map(|(at, wave)| Stretch { scenario: Some(&wave.scenario), parts: profile.slices.segment(segment(at)) })
        .collect();
    let marker = marker(profile, messages);
    let mut drift = Drift::default();
    let mut best: HashMap<u32, u64> = HashMap::new();
    for stretch in if waves.is_empty() { &all[..] } else { &of_waves } {
        let Some(courses) = courses(profile, waits, stretch.parts) else { continue };
        drift.looked = true;
        let served = marker.and_then(|id| courses.by_id.get(&id)).map(|course| course.calls);
        let mut ids: Vec<u32> = courses.by_id.keys().copied().filter(|id| !waits[*id as usize]).collect();
        ids.sort_unstable();
        for id in &ids {
            let course = &courses.by_id[id];
            let calls = course.calls.iter().sum::<u64>();
            // A function's figure is that of the stretch with most of its calls.
            if let Some(cost) = course.cost()
                && best.get(id).is_none_or(|most| calls > *most)
                && cost[0] > 0.0
            {
                best.insert(*id, calls);
                drift.change.insert(*id, cost[TENTHS - 1] / cost[0] - 1.0);
            }
        }
        let rows: Vec<Course> = ids.iter().map(|id| courses.by_id[id]).collect();
        for found in drifting(&rows, &courses.busy, served.as_ref()) {
            drift.rows.push(row(profile, ids[found.at], &rows[found.at], &found, stretch, tick));
        }
    }
    drift.rows.sort_by(|a, b| b.share.total_cmp(&a.share));
    drift
}

/// The segment of a wave: a mark stands before it and one behind it.
pub fn segment(wave: usize) -> u32 {
    2 * wave as u32 + 1
}

fn row(profile: &Profile, id: u32, course: &Course, found: &Found, stretch: &Stretch<'_>, tick: i64) -> DriftRow {
    let function = profile.names.get(id);
    let tenths = match found.grows {
        Grows::CostPerCall => found.tenths.map(|cost| cost * tick as f64),
        Grows::CallsPerMessage => found.tenths,
    };
    DriftRow {
        name: function.name.clone(),
        file: function.file.clone(),
        caller: caller(profile, id, stretch.parts),
        grows: found.grows,
        scenario: stretch.scenario.map(str::to_owned),
        first: tenths[0],
        last: tenths[TENTHS - 1],
        tenths: tenths.to_vec(),
        calls: [course.calls[0], course.calls[TENTHS - 1]],
        share: found.share,
    }
}

/// Who called a function for most of its time in a stretch.
fn caller(profile: &Profile, id: u32, parts: &[Span]) -> Option<String> {
    let nodes = profile.tree.nodes();
    let mut callers: HashMap<u64, i64> = HashMap::new();
    for cell in parts.iter().flat_map(|part| &part.cells) {
        let node = &nodes[cell.node as usize];
        if node.key == u64::from(id) && node.parent != ROOT {
            *callers.entry(nodes[node.parent as usize].key).or_default() += cell.cost.time;
        }
    }
    let (key, _) = callers.into_iter().max_by_key(|(key, time)| (*time, std::cmp::Reverse(*key)))?;
    Some(profile.names.get(key as u32).name.clone())
}

/// The function that was called exactly once for each message: its calls say how many were served in a part.
fn marker(profile: &Profile, messages: u64) -> Option<u32> {
    let once = profile.functions.iter().filter(|function| messages > 0 && function.calls == messages);
    once.map(|function| function.id).min()
}

/// A stretch in tenths of equally many records. None where one would have so few that it is chance.
pub fn in_tenths(parts: &[Span]) -> Option<Vec<&[Span]>> {
    let tenths = split(parts, TENTHS);
    let enough = |tenth: &&[Span]| tenth.iter().map(|part| part.records).sum::<u64>() >= LEAST_RECORDS;
    tenths.iter().all(enough).then_some(tenths)
}

/// None where the stretch is too short.
fn courses(profile: &Profile, waits: &[bool], parts: &[Span]) -> Option<Courses> {
    let nodes = profile.tree.nodes();
    let mut courses = Courses { by_id: HashMap::new(), busy: [0; TENTHS] };
    for (tenth, parts) in in_tenths(parts)?.into_iter().enumerate() {
        for cell in parts.iter().flat_map(|part| &part.cells) {
            let id = nodes[cell.node as usize].key as u32;
            let course = courses.by_id.entry(id).or_default();
            course.calls[tenth] += cell.calls;
            course.time[tenth] = course.time[tenth].saturating_add(cell.cost.time);
            if !waits[id as usize] {
                courses.busy[tenth] = courses.busy[tenth].saturating_add(cell.cost.time);
            }
        }
    }
    Some(courses)
}

/// The recording in tenths of equally many records; empty where it is too short or has no order.
pub fn tenths(profile: &Profile, waits: &[bool], tick: i64) -> Vec<PartRow> {
    let tenths = in_tenths(profile.slices.parts()).unwrap_or_default();
    tenths.into_iter().map(|parts| part_row(profile, waits, parts, tick)).collect()
}

/// The waves of the load, each with what fell into it.
pub fn waves(profile: &Profile, waits: &[bool], waves: &[WaveAt], tick: i64) -> Vec<PartRow> {
    let row = |(at, wave): (usize, &WaveAt)| PartRow {
        scenario: Some(wave.scenario.clone()),
        wave: Some(wave.wave),
        messages: Some(wave.messages),
        sessions: Some(wave.sessions),
        ..part_row(profile, waits, profile.slices.segment(segment(at)), tick)
    };
    waves.iter().enumerate().map(row).collect()
}

/// What was recorded under each scenario's load, its waves together; in order of the scenarios. None where there is
/// but one: that is the recording.
pub fn loads<'a>(profile: &'a Profile, waves: &'a [WaveAt]) -> Vec<(&'a str, Vec<&'a Span>)> {
    let mut loads: Vec<(&str, Vec<&Span>)> = Vec::new();
    for (at, wave) in waves.iter().enumerate() {
        let parts = profile.slices.segment(segment(at));
        match loads.iter_mut().find(|(name, _)| *name == wave.scenario) {
            Some((_, known)) => known.extend(parts),
            None => loads.push((&wave.scenario, parts.iter().collect())),
        }
    }
    if loads.len() > 1 { loads } else { Vec::new() }
}

fn part_row(profile: &Profile, waits: &[bool], parts: &[Span], tick: i64) -> PartRow {
    let nodes = profile.tree.nodes();
    let (mut time, mut waiting) = (0i64, 0i64);
    for cell in parts.iter().flat_map(|part| &part.cells) {
        time = time.saturating_add(cell.cost.time);
        if cell.node != ROOT && waits[nodes[cell.node as usize].key as usize] {
            waiting = waiting.saturating_add(cell.cost.time);
        }
    }
    PartRow {
        scenario: None,
        wave: None,
        messages: None,
        sessions: None,
        records: parts.iter().map(|part| part.records).sum(),
        time: time.saturating_mul(tick),
        waiting: waiting.saturating_mul(tick),
    }
}
