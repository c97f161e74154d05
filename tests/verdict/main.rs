//! The verdict against series whose truth is known: made up in the shapes that servers have, and recorded ones.
//!
//! `PROFILE_RUN_TRUTH=N` makes N series of each shape and leak instead of the few that a quick test can afford.

mod shapes;

use std::collections::BTreeMap;

use profile_run::analysis::csv::look_by_look;
use profile_run::verdict::{Bounds, Case, Metric, State};
use shapes::{Leak, Random, Shape};

#[derive(Default)]
struct Row {
    n: u32,
    states: [u32; 5],
    wrong_leak: u32,
    wrong_clean: u32,
    interval_missed: u32,
    waves: Vec<u32>,
}

#[test]
fn simulated_series_are_never_judged_wrongly() {
    let n: u32 = std::env::var("PROFILE_RUN_TRUTH").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let bounds = Bounds::default();
    let mut table: BTreeMap<(String, Leak, Shape), Row> = BTreeMap::new();
    for metric in [Metric::Heap, Metric::RssAnon] {
        for (i, shape) in Shape::ALL.into_iter().enumerate() {
            for leak in [Leak::None, Leak::Each, Leak::Lumps, Leak::Doubling, Leak::Eighth] {
                for seed in 0..n {
                    let mut random = Random::new(u64::from(seed) << 20 | (i as u64) << 8 | leak as u64);
                    let series = shapes::series(&mut random, metric, shape, leak, 60);
                    let parallel = (seed % 2 == 0).then_some(10);
                    let case = Case { parallel, ..Case::new(metric, &series.floors) };
                    let (judgement, wave) = look_by_look(&case, &bounds);
                    let row = table.entry((format!("{metric:?}"), leak, shape)).or_default();
                    row.n += 1;
                    row.states[judgement.state as usize] += 1;
                    row.waves.extend(wave);
                    let mut why = "";
                    if judgement.state == State::Leak {
                        if leak == Leak::None {
                            row.wrong_leak += 1;
                            why = "LEAK";
                        } else {
                            let [low, high] = judgement.ci95.unwrap();
                            if series.rate < low || series.rate > high {
                                row.interval_missed += 1;
                            }
                        }
                    }
                    if judgement.state.holds() && series.rate > judgement.could_have_missed.unwrap() {
                        row.wrong_clean += 1;
                        why = "CLEAN";
                    }
                    if !why.is_empty() {
                        println!(
                            "wrong {why}: {metric:?} {shape:?} {leak:?} seed {seed} rate {:.0} missed {:?} ci {:?} w{} at {wave:?}: {}",
                            series.rate, judgement.could_have_missed, judgement.ci95, series.wave, judgement.evidence
                        );
                    }
                }
            }
        }
    }
    println!("metric   leak      shape               n  leak clean plateau inconcl none  !leak !clean  ci- waves");
    let mut wrong = 0;
    for ((metric, leak, shape), row) in &mut table {
        row.waves.sort_unstable();
        let median = row.waves.get(row.waves.len() / 2).copied().unwrap_or(0);
        let [l, c, p, i, j] = row.states;
        println!(
            "{metric:<8} {:<9} {:<16} {:>4} {l:>5} {c:>5} {p:>7} {i:>7} {j:>4} {:>6} {:>6} {:>4} {median:>5}",
            format!("{leak:?}"),
            format!("{shape:?}"),
            row.n,
            row.wrong_leak,
            row.wrong_clean,
            row.interval_missed
        );
        // A random walk is no server's: it may hide a leak from everybody, but must not be called one.
        wrong += row.wrong_leak + if *shape == Shape::RandomWalk { 0 } else { row.wrong_clean };
    }
    assert_eq!(wrong, 0);
}
