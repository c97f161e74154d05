//! What must hold of the rule for any series: its principles, whatever its thresholds are.

use profile_run::model::Why;
use profile_run::verdict::{Bounds, Case, Floor, Judgement, Metric, State, judge};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Waves of 500 to 1,500 messages, and what stands after each.
fn floors(sizes: &[u64], value: impl Fn(f64) -> f64) -> Vec<Floor> {
    let mut messages = 0;
    let mut floors = vec![Floor::new(0, 0, 0, value(0.0))];
    for (wave, size) in sizes.iter().enumerate() {
        messages += size;
        floors.push(Floor::new(wave as u32 + 1, messages, messages / 25, value(messages as f64)));
    }
    floors
}

fn heap(floors: &[Floor]) -> Judgement {
    judge(&Case { garbage_known: true, ..Case::new(Metric::Heap, floors) }, &Bounds::default())
}

/// A made-up server: a leak, a cache, a tooth and start-up memory that is given back.
fn server(leak: f64, cache: f64, tooth: f64, given_back: f64) -> impl Fn(f64) -> f64 {
    move |x| {
        let bounded = cache * x.min(4_000.0) + tooth * (x % 3_700.0) + given_back * (8_000.0 - x).max(0.0);
        ((460_000.0 + leak * x + bounded) / 8.0).round() * 8.0
    }
}

fn sizes() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(500_u64..1_500, 20..50)
}

/// Two hundred cases, the same each time.
fn always<S: Strategy>(strategy: S, holds: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(&strategy, holds).unwrap();
}

#[test]
fn a_state_never_contradicts_its_limit() {
    always(
        (sizes(), 0.0..400.0_f64, 0.0..400.0_f64, 0.0..50.0_f64, 0.0..300.0_f64),
        |(sizes, leak, cache, tooth, back)| {
            let judgement = heap(&floors(&sizes, server(leak, cache, tooth, back)));
            if judgement.state.holds() {
                let limit = judgement.could_have_missed.unwrap();
                prop_assert!(limit <= Bounds::default().heap.clean, "{judgement:?}");
                prop_assert!(leak * 1000.0 <= limit, "{leak}: {judgement:?}");
                let [low, high] = judgement.ci95.unwrap();
                prop_assert!(-limit <= low && low <= high && high <= limit, "{judgement:?}");
            }
            if judgement.state == State::Leak {
                prop_assert!(leak > 0.0, "{judgement:?}");
            }
            Ok(())
        },
    );
}

#[test]
fn no_limit_is_stated_that_is_not_looked_for() {
    let undecided = std::cell::Cell::new(0);
    let sizes = proptest::collection::vec(20_u64..200, 10..30);
    always((sizes, 0.0..0.02_f64, 0..2_u8), |(sizes, leak, resident)| {
        let floors = floors(&sizes, server(leak, 0.0, 0.0, 0.0));
        let (judgement, resolution) = match resident {
            0 => (heap(&floors), Bounds::default().heap.resolution),
            _ => (judge(&Case::new(Metric::Rss, &floors), &Bounds::default()), Bounds::default().rss.resolution),
        };
        undecided.set(undecided.get() + u32::from(judgement.state == State::NotJudged));
        if let Some(limit) = judgement.could_have_missed {
            prop_assert!(limit >= resolution, "{limit}: {judgement:?}");
        }
        Ok(())
    });
    assert!(undecided.get() > 20, "{} were too short", undecided.get());
}

#[test]
fn rows_after_a_clean_file_never_hide_growth() {
    always((sizes(), 40.0..2_000.0_f64), |(sizes, leak)| {
        // Still through the first half, and a leak since: whatever the first half would have been called.
        let half: u64 = sizes.iter().sum::<u64>() / 2;
        let judgement = heap(&floors(&sizes, |x| 460_000.0 + leak * (x - half as f64).max(0.0)));
        prop_assert!(!judgement.state.holds(), "{judgement:?}");
        if judgement.state == State::Leak {
            let still = judgement.why.iter().any(|why| matches!(why, Why::StillUntil { .. }));
            prop_assert!(still, "a change within the floors is said: {judgement:?}");
        }
        Ok(())
    });
}

#[test]
fn what_falls_as_another_rises_is_neither_leak_nor_clean() {
    always((sizes(), 40.0..2_000.0_f64), |(sizes, leak)| {
        let total: u64 = sizes.iter().sum();
        let mirrored = heap(&floors(&sizes, |x| 460_000.0 + leak * (total as f64 - x)));
        prop_assert!(mirrored.state != State::Leak && !mirrored.state.holds(), "{mirrored:?}");
        Ok(())
    });
}

#[test]
fn a_rise_and_the_same_fall_are_no_leak() {
    always((sizes(), 1.0..2_000.0_f64), |(sizes, leak)| {
        let total: u64 = sizes.iter().sum();
        let judgement = heap(&floors(&sizes, |x| 460_000.0 + leak * x.min(total as f64 - x)));
        prop_assert!(judgement.state != State::Leak, "{judgement:?}");
        Ok(())
    });
}

#[test]
fn a_counter_that_ran_before_changes_nothing() {
    always((sizes(), 0.0..400.0_f64, 0.0..400.0_f64), |(sizes, leak, cache)| {
        let here = floors(&sizes, server(leak, cache, 0.0, 0.0));
        let shifted: Vec<Floor> =
            here.iter().map(|floor| Floor { messages: floor.messages + 1_000_000_000, ..*floor }).collect();
        prop_assert_eq!(heap(&here), heap(&shifted));
        Ok(())
    });
}

#[test]
fn bounds_in_another_unit_judge_the_same() {
    always((sizes(), 0.0..400.0_f64, 0.0..50.0_f64), |(sizes, leak, tooth)| {
        let here = floors(&sizes, server(leak, 0.0, tooth, 0.0));
        let scaled: Vec<Floor> = here.iter().map(|floor| Floor { value: floor.value * 64.0, ..*floor }).collect();
        let mut bounds = Bounds::default();
        bounds.heap.leak *= 64.0;
        bounds.heap.clean *= 64.0;
        bounds.heap.resolution *= 64.0;
        bounds.heap.step *= 64.0;
        bounds.waves.in_step = bounds.waves.in_step.map(|record| record * 64.0);
        let scaled = judge(&Case { garbage_known: true, ..Case::new(Metric::Heap, &scaled) }, &bounds);
        prop_assert_eq!(heap(&here).state, scaled.state);
        Ok(())
    });
}

#[test]
fn a_wave_split_in_two_is_the_same_wave() {
    always((sizes(), 20.0..400.0_f64), |(sizes, leak)| {
        let halved: Vec<u64> = sizes.iter().flat_map(|size| [size / 2, size - size / 2]).collect();
        let value = |x: f64| 460_000.0 + leak * x;
        let (whole, split) = (heap(&floors(&sizes, value)), heap(&floors(&halved, value)));
        prop_assert_eq!(whole.state, split.state);
        let [low, high] = split.ci95.unwrap();
        prop_assert!(low <= leak * 1000.0 && leak * 1000.0 <= high);
        Ok(())
    });
}
