//! A server that restarts its worker: each process is a life of its own, and a leak ends with it.

use super::bounds::Bounds;
use super::floor::{Case, Floor, Per};
use super::judgement::{Judgement, MoreWork, Reason, State};
use super::rule::judge;

/// Floors of the longest life, at least: its first wave is its warm-up, and growth wants two steps after it.
const SHORTEST_LIFE: usize = 4;

/// Judges floors life by life where their processes differ, and as ever where they do not.
///
/// The lives are laid end to end without the jumps between them and without the first wave of each (its warm-up), so
/// that growth inside a life can be seen though no life is long. Such growth is a `plateau`: bounded by restarts. Only
/// when no life grows is it `clean`.
pub fn judge_lives(case: &Case, bounds: &Bounds) -> Judgement {
    let lives: Vec<&[Floor]> = case.floors.chunk_by(|a, b| a.pid == b.pid).collect();
    // Wave 0 of the first life is no life without work.
    if lives.len() < 2 {
        return judge(case, bounds);
    }
    let stitched = stitch(&lives, case.per);
    let count = lives.len();
    // A life of one wave or two shows no growth of its own, whatever the lives together look like.
    let longest = lives.iter().map(|life| life.len()).max().unwrap_or(0);
    let usable = stitched.iter().filter(|floor| floor.wave > 0).count();
    if longest < SHORTEST_LIFE || usable < bounds.waves.least {
        let waves = case.floors.iter().filter(|floor| floor.wave > 0).count();
        let evidence = format!(
            "its process was replaced {} times in {waves} waves: no life is long enough to show growth inside it",
            count - 1
        );
        let reason = format!("a process that is not replaced for {} waves", SHORTEST_LIFE + 1);
        let would_decide = (longest < SHORTEST_LIFE).then_some(MoreWork { work: 0, reason });
        return Judgement { would_decide, ..Judgement::not_judged(Reason::TooShort, evidence) };
    }
    let mut judgement = judge(&Case { floors: &stitched, ..*case }, bounds);
    match judgement.state {
        State::Leak => {
            judgement.state = State::Plateau;
            judgement.evidence = format!("bounded by restarts ({count} lives): inside a life {}", judgement.evidence);
        }
        _ => judgement.evidence = format!("over {count} lives, laid end to end, {}", judgement.evidence),
    }
    judgement
}

/// The lives end to end: work goes on, and each life begins where the one before it ended.
fn stitch(lives: &[&[Floor]], per: Per) -> Vec<Floor> {
    let mut out: Vec<Floor> = Vec::new();
    let (mut skipped, mut lifted) = (0, 0.0);
    for life in lives {
        // A life after a restart starts somewhere within its first wave: that wave's floor is where it is met.
        let mut before: Option<&Floor> = None;
        for floor in *life {
            let Some(earlier) = before.replace(floor) else {
                let last = out.last().map_or((0, floor.value), |last| (work(last, per), last.value));
                skipped = work(floor, per) - last.0.min(work(floor, per));
                lifted = last.1 - floor.value;
                if out.is_empty() {
                    skipped = 0;
                    out.push(*floor);
                }
                continue;
            };
            debug_assert!(work(earlier, per) <= work(floor, per));
            let mut moved = Floor { value: floor.value + lifted, ..*floor };
            *work_mut(&mut moved, per) -= skipped;
            out.push(moved);
        }
    }
    out
}

fn work(floor: &Floor, per: Per) -> u64 {
    match per {
        Per::Messages => floor.messages,
        Per::Sessions => floor.sessions,
    }
}

fn work_mut(floor: &mut Floor, per: Per) -> &mut u64 {
    match per {
        Per::Messages => &mut floor.messages,
        Per::Sessions => &mut floor.sessions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Metric;

    /// Waves of 500 messages; the worker restarts after each 3,000.
    fn floors(per_message: f64) -> Vec<Floor> {
        let floor = |wave: u32| {
            let messages = u64::from(wave) * 500;
            let life = messages.saturating_sub(1) / 3000;
            let value = 458_264.0 + per_message * (messages - life * 3000) as f64;
            Floor { pid: Some(100 + life as u32), ..Floor::new(wave, messages, messages / 25, value) }
        };
        (0..=40).map(floor).collect()
    }

    #[test]
    fn a_leak_that_restarts_mask_is_no_clean_server() {
        let floors = floors(176.0);
        let judgement = judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default());
        assert_eq!(judgement.state, State::Plateau, "{}", judgement.evidence);
        assert!(judgement.evidence.contains("bounded by restarts") && judgement.steady);
        assert!((175_000.0..177_000.0).contains(&judgement.growth.unwrap().value));
    }

    #[test]
    fn lives_of_a_wave_show_nothing() {
        let floor = |wave: u32| {
            let value = 458_264.0 + 500_000.0 * f64::from(wave % 2);
            Floor { pid: Some(100 + wave / 2), ..Floor::new(wave, u64::from(wave) * 500, 0, value) }
        };
        let floors: Vec<Floor> = (0..=40).map(floor).collect();
        let judgement = judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default());
        assert_eq!(judgement.state, State::NotJudged, "{}", judgement.evidence);
        assert!(judgement.evidence.contains("replaced 20 times"), "{}", judgement.evidence);
    }

    #[test]
    fn flat_lives_are_clean() {
        let floors = floors(0.0);
        assert_eq!(judge_lives(&Case::new(Metric::Heap, &floors), &Bounds::default()).state, State::Clean);
    }
}
