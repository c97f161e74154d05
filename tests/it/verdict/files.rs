//! `analyze FILE.csv`: whole files whose truth is known, each of which a rule that stops early, or looks at one kind of growth
//! alone, calls wrongly.

use std::path::Path;

use profile_run::analysis::csv::{ByteUnit, ColumnFinding, FloorTable};
use profile_run::model::{Reason, State, Why};
use profile_run::verdict::Bounds;

fn judged(text: &str, unit: Option<ByteUnit>) -> Vec<ColumnFinding> {
    FloorTable::parse(Path::new("floors.csv"), text).unwrap().judge(unit, &Bounds::default())
}

/// So many equal waves.
fn file(metric: &str, waves: u32, wave: f64, value: impl Fn(f64) -> f64) -> ColumnFinding {
    let mut text = format!("wave,messages,{metric}\n");
    for k in 0..=waves {
        let x = f64::from(k) * wave;
        text.push_str(&format!("{k},{x},{}\n", value(x).trunc()));
    }
    judged(&text, None).remove(0)
}

/// Nothing false is said of a file with this growth per 1,000 messages.
fn is_right(finding: &ColumnFinding, truth: f64) {
    match finding.state {
        State::Leak => {
            let [low, high] = finding.ci95.unwrap();
            assert!(truth > 0.0 && low <= truth && truth <= high, "{finding:?}");
        }
        State::Clean | State::Plateau => assert!(finding.could_have_missed.unwrap() >= truth, "{finding:?}"),
        State::Inconclusive | State::NotJudged => {}
    }
}

#[test]
fn the_rest_of_a_file_is_read() {
    let still_later = file("heap", 100, 1000.0, |x| 460_000.0 + 1000.0 * x.min(15_000.0));
    assert!(still_later.state.holds(), "{still_later:?}");
    let leaks_later = file("heap", 100, 1000.0, |x| 460_000.0 + 1000.0 * (x - 10_000.0).max(0.0));
    assert_eq!(leaks_later.state, State::Leak, "{leaks_later:?}");
    is_right(&leaks_later, 1e6);
    is_right(&file("heap", 60, 1000.0, |x| 460_000.0 + 300.0 * (x % 20_000.0)), 0.0);
}

#[test]
fn buffers_in_step_with_equal_waves_are_no_leak() {
    let in_step = file("heap", 14, 1000.0, |x| 460_000.0 + 300.0 * (x % 990.0));
    assert_eq!(in_step.state, State::Inconclusive, "{in_step:?}");
    assert!(in_step.why.contains(&Why::EqualWaves), "{in_step:?}");
    is_right(&file("heap", 60, 950.0, |x| 460_000.0 + 1300.0 * (x % 1000.0) + 66.0 * x), 66_000.0);
}

#[test]
fn powers_of_the_work_are_no_leak() {
    assert_ne!(file("heap", 60, 1000.0, |x| 460_000.0 + 20_000.0 * x.sqrt()).state, State::Leak);
    assert_ne!(file("heap", 60, 1000.0, |x| 460_000.0 + 1000.0 * x.powf(0.62)).state, State::Leak);
}

#[test]
fn what_falls_hides_no_leak_under_a_limit() {
    is_right(&file("heap", 20, 1000.0, |x| 460_000.0 + 310.0 * (100_000.0 - x) + 300.0 * x), 300_000.0);
    is_right(&file("rss_bytes", 20, 1000.0, |x| 14e6 + 500.0 * (40_000.0 - x) + 480.0 * x), 480_000.0);
}

#[test]
fn large_pages_and_containers_that_double_have_honest_limits() {
    is_right(
        &file("rss_anon", 12, 1000.0, |x| 2_097_152.0 * ((14e6 + 250.0 * x) / 2_097_152.0 + 1.0).trunc()),
        250_000.0,
    );
    is_right(&file("heap", 20, 500.0, |x| 32.0 * (2100.0 + x).log2().ceil().exp2()), 32_000.0);
    is_right(&file("heap", 44, 1000.0, |x| 460_000.0 + 2e6 * (x / 11_000.0).trunc()), 2e9 / 11_000.0);
}

#[test]
fn garbage_that_comes_rarely_is_no_leak() {
    is_right(&file("heap", 60, 1000.0, |x| 460_000.0 + 150.0 * (x % 20_000.0)), 0.0);
}

#[test]
fn a_pool_that_fills_is_no_leak_and_few_sessions_leave_room() {
    let count = |counts: &[u32]| {
        let mut text = "wave,sessions,fds\n".to_owned();
        counts.iter().enumerate().for_each(|(k, n)| text.push_str(&format!("{k},{},{n}\n", 20 * k)));
        judged(&text, None).remove(0)
    };
    is_right(&count(&[7, 7, 8, 8, 9, 9, 9, 9, 9, 9]), 30.0);
    assert_ne!(count(&[5, 9, 12, 16, 19, 23, 26, 28, 31, 33]).state, State::Leak);
    let seen = count(&(8..48).collect::<Vec<u32>>());
    assert_eq!(seen.state, State::Leak, "one in twenty sessions: {seen:?}");
}

#[test]
fn units_are_asked_for_and_never_guessed() {
    let file = |name: &str| {
        let mut text = format!("wave;messages;{name}\n");
        (0..30).for_each(|k| text.push_str(&format!("{k};{};{}\n", 1000 * k, 14_001 + 4 * (k % 2))));
        text
    };
    let asked = &judged(&file("VmRSS"), None)[0];
    assert_eq!((asked.state, asked.reason), (State::NotJudged, Some(Reason::NotReadable)));
    assert!(matches!(asked.why[0], Why::WrongUnit { odd: 30 }), "{asked:?}");
    assert!(judged(&file("VmRSS"), Some(ByteUnit::Kilobytes))[0].state.holds());
    assert!(judged(&file("rss_kb"), None)[0].state.holds());
    assert!(
        matches!(&judged(&file("temperature"), None)[0].why[0], Why::UnknownFigure { name } if name == "temperature")
    );
}

#[test]
fn what_is_0_throughout_was_not_measured() {
    let file = |name: &str| {
        let mut text = format!("wave,messages,{name}\n");
        (0..30).for_each(|k| text.push_str(&format!("{k},{},0\n", 1000 * k)));
        text
    };
    for name in ["heap", "heap_bytes", "rss_kb", "mem_mb", "fds", "threads"] {
        for unit in [None, Some(ByteUnit::Bytes), Some(ByteUnit::Kilobytes)] {
            let nothing = &judged(&file(name), unit)[0];
            assert_eq!((nothing.state, nothing.reason), (State::NotJudged, Some(Reason::NotReadable)), "{nothing:?}");
            assert_eq!(nothing.why, [Why::NoFloor]);
        }
    }
    assert!(judged(&file("sockets"), None)[0].state.holds(), "a server may have none");
}

#[test]
fn separators_capitals_and_empty_cells() {
    let mut text = "# recorded elsewhere\nWave\tMessages\tHeap\n".to_owned();
    for k in 0..30_u64 {
        let value = if k % 7 == 3 { "NA".to_owned() } else { "460000".to_owned() };
        text.push_str(&format!("{k}\t{}\t{value}\n", 1_000_000_000 + 1000 * k));
    }
    let still = &judged(&text, None)[0];
    assert_eq!(still.state, State::Clean, "{still:?}");
}
