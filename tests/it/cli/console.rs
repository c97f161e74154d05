//! What the commands print: JSON lines for programs, the console beside them, the doctor's list.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::recorded::{profile_run, text};

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

#[test]
fn json_lines_begin_with_their_event_and_end_with_the_result() {
    let place = tempfile::tempdir().expect("a folder");
    let out = place.path().join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--json", "--load", "smoke", "--passes", "measure", "--budget", "30s", "--out"])
        .arg(&out)
        .args(["--", "php", CONSOLE, "smtp:serve", "--port", "0"])
        .current_dir(place.path())
        .env_remove("SMTP_FAULT")
        .stdin(Stdio::null())
        .output()
        .expect("profile-run runs");
    let stdout = String::from_utf8(output.stdout.clone()).expect("text");
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    for (line, event) in stdout.lines().zip(&lines) {
        let first = event.as_object().and_then(|keys| keys.keys().next());
        assert_eq!(first.map(String::as_str), Some("event"), "{line}");
    }
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!((events[0], events[1]), ("header", "plan"), "{events:?}");
    assert_eq!(events.iter().filter(|event| **event == "result").count(), 1);
    let last = lines.last().expect("lines");
    assert_eq!(last["event"], "result", "{}", text(&output));
    let written = std::fs::read(out.join("result.json")).expect("a result");
    assert_eq!(last["result"], serde_json::from_slice::<Value>(&written).expect("JSON"));
    let rows = last["result"]["load"].as_array().expect("rows");
    assert!(rows.iter().any(|row| row["scenario"] == "smoke" && row["messages_accepted"] != 0), "{rows:?}");
    // What was printed before it is what the journal holds, in its order.
    let journal = std::fs::read_to_string(out.join("journal.jsonl")).expect("a journal");
    let kept: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kept: Vec<&str> = kept.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events[..events.len() - 1], kept);
    // People read the other stream: the verdict's sentence, the report last.
    let said = String::from_utf8(output.stderr.clone()).expect("text");
    let sentence = last["result"]["sentence"].as_str().expect("a sentence").replace('`', "");
    assert!(said.contains(&sentence), "{said}");
    let end = said.lines().last().expect("lines");
    assert!(end.trim_start().starts_with("report") && end.ends_with("report.html"), "{end}");
    assert!(!said.contains('{') && !said.contains('\u{1b}'), "no JSON and no colour off a terminal: {said}");
}

#[test]
fn doctor_says_what_would_spoil_a_run_and_fails_where_none_could_start() {
    let doctor = |arguments: &[&str]| profile_run(&[&["doctor"], arguments].concat(), &[]);
    let bare = doctor(&[]);
    assert_eq!(bare.status.code(), Some(0), "{}", text(&bare));
    let said = String::from_utf8(bare.stdout).expect("text");
    let (mut found, mut advice) = (0, 0);
    for line in said.lines() {
        match line.split_whitespace().next() {
            Some("ok" | "warning") if !line.starts_with("    ") => found += 1,
            _ if line.starts_with("           ") => advice += 1,
            _ => panic!("neither a finding nor its advice: {line:?}"),
        }
    }
    assert!(found > 3 && advice > 0, "{said}");
    assert!(said.contains("descriptor limit") && said.contains("no command was given"), "{said}");
    let whole = doctor(&["--", "php", CONSOLE, "smtp:serve", "--port", "0"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    assert!(
        text(&whole).contains("Xdebug")
            && text(&whole).contains("it takes a message")
            && !text(&whole).contains("no command was given"),
        "{}",
        text(&whole)
    );
    for command in [&["no-such-program-anywhere"][..], &["php", "no-such-script.php"]] {
        let broken = doctor(&[&["--"], command].concat());
        let said = text(&broken);
        assert_eq!(broken.status.code(), Some(2), "{said}");
        let failed = said.lines().find(|line| line.trim_start().starts_with("failed"));
        assert!(failed.is_some_and(|line| line.contains("no-such-")), "{said}");
    }
}
