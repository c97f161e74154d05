//! Searches for the commit that brought a leak, in made-up projects of 64 commits of which a tenth do not start. Long:
//! only with `PROFILE_RUN_TRUTH`.

#[path = "../support/history.rs"]
mod history;

use history::{History, Leak, Plan, suspects};
use serde_json::Value;

/// Runs that start, the two ends included.
const MOST: u64 = 8;

/// A random choice that is the same each time.
fn chosen(seed: u64, below: usize) -> usize {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D;
    state ^= state >> 33;
    state = state.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    state ^= state >> 33;
    (state % below as u64) as usize
}

#[test]
fn the_commit_that_brought_a_leak_is_found_in_64() {
    if std::env::var_os("PROFILE_RUN_TRUTH").is_none() {
        return;
    }
    let leaks = [Leak::Property, Leak::Static, Leak::NeverRemoved, Leak::Descriptor];
    let mut wrong = Vec::new();
    for number in 0..10u64 {
        let broken: Vec<usize> = (0..6).map(|n| 1 + chosen(number * 100 + n, 62)).collect();
        let culprit = 1 + chosen(number * 100 + 50, 63);
        let plan = Plan { commits: 64, culprit, broken: &broken, leak: leaks[number as usize % leaks.len()] };
        let history = History::new(&plan);
        let out = tempfile::tempdir().unwrap();
        let output =
            history.bisect(&history.commits[0], &history.commits[63], &out.path().join("runs"), &[]).output().unwrap();
        let lines = String::from_utf8_lossy(&output.stdout);
        let last: Value = lines.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let found = last["result"]["suspects"].as_array().cloned().unwrap_or_default();
        let right: Vec<&String> = suspects(&plan).into_iter().map(|at| &history.commits[at]).collect();
        let started = last["result"]["started"].as_u64().unwrap_or(0);
        let is_right = found.iter().map(Value::as_str).eq(right.iter().map(|commit| Some(commit.as_str())));
        println!(
            "{number}: {:?} in commit {culprit}, {broken:?} do not start: {} of {} suspects, {started} runs started, {} in all{}",
            plan.leak,
            found.len(),
            right.len(),
            last["result"]["runs"],
            if is_right { "" } else { ": WRONG" }
        );
        if !is_right || started > MOST {
            wrong.push(format!("{number}: {lines}{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
