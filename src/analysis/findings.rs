//! Every metric in every scenario, judged: the cells of the journal, replayed, with holders and causes added.

use super::history::RunHistory;
use super::holders::{garbage_holders, heap_growths, holders};
use super::result::{Finding, GrowthSource, State};
use crate::journal::Journal;
use crate::matrix::{Cell, Cells};
use crate::model::Why;
use crate::model::plan::Plan;
use crate::phrase;
use crate::verdict::accepted::{Acceptance, acceptance};
use crate::verdict::{GrowthPer, Judgement, Metric, until};

/// Of a growth of memory, the share that the heap must explain before it is said to be the heap's.
const HEAP_EXPLAINS: f64 = 0.5;

/// Replays a journal's events and judges each cell.
pub fn findings(journal: &Journal, plan: &Plan, history: &RunHistory, today: &str) -> Vec<Finding> {
    let bounds = &history.settings.bounds;
    let mut cells = Cells::new(plan, bounds);
    for line in &journal.lines {
        cells.take(&line.event, line.t);
    }
    // PHP's heap is no figure of a server that is not PHP.
    let php = history.versions.contains_key("php") || cells.all().iter().any(Cell::is_php);
    cells
        .all()
        .iter()
        .filter(|cell| php || cell.metric != Metric::Heap)
        .map(|cell| finding(cell, cells.outcome(cell), history, today))
        .collect()
}

fn finding(cell: &Cell, judgement: Judgement, history: &RunHistory, today: &str) -> Finding {
    let grew = matches!(judgement.state, State::Leak | State::Inconclusive) || judgement.is_bounded_by_restarts();
    let source = if grew { source(cell, &judgement, history) } else { None };
    let holders = match source {
        _ if !grew => Vec::new(),
        Some(GrowthSource::Garbage) => garbage_holders(history, &cell.scenario),
        _ => holders(history, &cell.scenario, cell.metric, cell.per),
    };
    let mut evidence = phrase::evidence(cell.metric, &judgement);
    if cell.metric.is_resident() && source == Some(GrowthSource::OutsideHeap) {
        evidence.push_str(phrase::OUTSIDE_HEAP_EVIDENCE);
    }
    if judgement.state == State::Leak
        && let Some(text) = what_it_means(cell, &judgement, history)
    {
        evidence.push_str(&text);
    }
    let paths: Vec<String> = holders.iter().map(|holder| holder.path.clone()).collect();
    let accepted = match acceptance(&history.settings.accepted, cell.metric.name(), &paths, &judgement, today) {
        Acceptance::Accepted(reasons) => Some(reasons.join("; ")),
        Acceptance::Refused(why) => {
            evidence.push_str(&format!("; not accepted: {why}"));
            None
        }
        Acceptance::Unlisted => None,
    };
    let named = holders.iter().find(|holder| !holder.locations.is_empty());
    let locations = named.map(|holder| holder.locations.clone()).unwrap_or_default();
    Finding {
        metric: cell.metric,
        scenario: cell.scenario.clone(),
        state: judgement.state,
        reason: judgement.reason,
        growth: judgement.growth,
        ci95: judgement.ci95,
        could_have_missed: judgement.could_have_missed,
        steady: judgement.steady,
        lives: judgement.lives,
        source,
        evidence,
        would_decide: phrase::would_decide(&judgement),
        holders,
        locations,
        accepted,
    }
}

/// Where memory grows; none where no heap could be read that would tell.
fn source(cell: &Cell, judgement: &Judgement, history: &RunHistory) -> Option<GrowthSource> {
    if judgement.why.iter().any(|why| matches!(why, Why::CollectorOff | Why::CollectorLate { .. } | Why::Garbage)) {
        return Some(GrowthSource::Garbage);
    }
    match cell.metric {
        Metric::Heap => return Some(GrowthSource::Heap),
        Metric::Rss => {}
        _ => return None,
    }
    let heaps = heap_growths(history, &cell.scenario);
    let growth = judgement.growth.filter(|growth| growth.per != GrowthPer::Hour)?;
    let work = || heaps.iter().flat_map(|(_, work)| work.iter().copied());
    let done = work().max()?.saturating_sub(work().min()?);
    if done == 0 {
        return None;
    }
    let sum = |of: &dyn Fn(&crate::heap::Growth) -> i64| heaps.iter().map(|(heap, _)| of(heap) as f64).sum::<f64>();
    let explains = |bytes: f64| bytes / done as f64 * 1000.0 >= growth.value * HEAP_EXPLAINS;
    Some(match explains(sum(&|heap| heap.without_garbage())) {
        true => GrowthSource::Heap,
        false if explains(sum(&|heap| heap.heap)) => GrowthSource::Garbage,
        false => GrowthSource::OutsideHeap,
    })
}

/// How long until the limit.
fn what_it_means(cell: &Cell, judgement: &Judgement, history: &RunHistory) -> Option<String> {
    let now = cell.floors().last()?.value;
    let (name, limit) = match cell.metric {
        Metric::Heap => ("memory_limit", history.versions.get("memory_limit")?.parse::<f64>().ok()?),
        Metric::Rss => ("the container's memory limit", history.memory_limit? as f64),
        Metric::Fd => ("the limit of descriptors", *history.descriptor_limits.last()? as f64),
        _ => return None,
    };
    let left = until(judgement, now, limit)?;
    Some(format!("; at this rate {name} is reached after {}", left.phrase()))
}
