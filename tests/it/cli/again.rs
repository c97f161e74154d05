//! A threshold on a time that is broken is confirmed by another run of its scenario.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::recorded::text;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

/// The threshold's row, the exit code, the result of the second run if there was one, and what was said.
fn run(folder: &std::path::Path, server: &str, threshold: &str) -> (Value, Option<i32>, Option<Value>, String) {
    std::fs::write(folder.join("profile-run.toml"), format!("thresholds = ['{threshold}']\n")).unwrap();
    let out = folder.join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--load", "smoke,handshake", "--scale", "0.02", "--passes", "measure", "--ledger", "off", "--out"])
        .arg(&out)
        .args(["--", "sh", "-c", server, SERVER])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let read = |file: &str| std::fs::read(out.join(file)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let result: Value = read("result.json").unwrap_or_else(|| panic!("{}", text(&output)));
    // What the run's folder says later is what was said at once.
    let again = Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(&out).output().unwrap();
    assert!(again.status.success(), "{}", text(&again));
    let later: Value = read("result.json").unwrap();
    assert_eq!(later["thresholds"], result["thresholds"]);
    let second = out.join("again/journal.jsonl").is_file().then(|| {
        let shown =
            Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(out.join("again")).output().unwrap();
        assert!(shown.status.success(), "{}", text(&shown));
        read("again/result.json").unwrap()
    });
    (result["thresholds"][0].clone(), output.status.code(), second, text(&output))
}

#[test]
fn a_time_that_was_broken_once_holds() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    // Slow when it is first started alone.
    let server = format!(
        "if [ -e {0} ]; then exec php \"$0\" smtp:serve --port 0; fi; touch {0}; SMTP_FAULT=slow:200 exec php \"$0\" smtp:serve --port 0",
        first.display()
    );
    let (row, _, second, said) = run(folder.path(), &server, "p50 > 400ms in smoke");
    assert_eq!(row["held"], true, "{row} {said}");
    assert!(row["measured"].as_f64() > Some(400.0) && row["again"].as_f64() < Some(400.0), "{row}");
    let second = second.expect("a second run");
    let scenarios: Vec<&str> =
        second["load"].as_array().unwrap().iter().filter_map(|load| load["scenario"].as_str()).collect();
    assert!(scenarios.contains(&"smoke") && !scenarios.contains(&"handshake"), "{scenarios:?}");
    assert!(said.contains("when run again") && said.contains("it is run once more"), "{said}");
}

#[test]
fn a_time_that_is_broken_twice_is_broken_and_nothing_else_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "SMTP_FAULT=slow:200 exec php \"$0\" smtp:serve --port 0";
    let (row, code, second, said) = run(folder.path(), slow, "p50 > 400ms in smoke");
    assert_eq!((row["held"].as_bool(), code), (Some(false), Some(1)), "{row} {said}");
    assert!(row["again"].as_f64() > Some(400.0) && second.is_some(), "{row}");

    let folder = tempfile::tempdir().unwrap();
    let sound = "exec php \"$0\" smtp:serve --port 0";
    let (row, code, second, said) = run(folder.path(), sound, "fd_peak > 1");
    assert_eq!((row["held"].as_bool(), code), (Some(false), Some(1)), "{row} {said}");
    assert!(row.get("again").is_none() && second.is_none(), "{row}");
}
