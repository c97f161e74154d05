//! Calls by scenario, of two builds that differ by one call for each session or message. Real PHP, real Xdebug.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::main_job::text;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server");

/// Profiles the practice server of a folder.
fn profiled(server: &Path, out: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--passes", "profile", "--load", "sequential,greet,churn", "--scale", "0.2", "--quiet"])
        .arg("--config")
        .arg(out.with_file_name("profile-run.toml"))
        .arg("--out")
        .arg(out)
        .args(["--", "php"])
        .arg(server.join("bin/console"))
        .args(["smtp:serve", "--port", "0"])
        .env_remove("SMTP_FAULT")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", text(&output));
}

fn compared(base: &Path, new: &Path) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["compare", "--json"])
        .args([base, new])
        .output()
        .expect("it runs");
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn one_more_call_for_each_session_is_found_where_there_are_sessions_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let [base, new] = ["base", "new"].map(|name| place.path().join(name));
    for server in [&base, &new] {
        assert!(Command::new("cp").arg("-r").args([Path::new(FIXTURE), server]).status().expect("cp").success());
    }
    // Each session greets, also those without mail: no whole number for the messages of the whole recording.
    let session = new.join("src/Session.php");
    let code = fs::read_to_string(&session).expect("code");
    let hello = "private function hello(";
    let body = code.find(hello).and_then(|at| Some(at + code[at..].find('{')? + 1)).expect("the greeting's method");
    let more = format!("{}\n        \\strrev('one more');{}", &code[..body], &code[body..]);
    fs::write(&session, more).expect("code");
    let runs = ["base-1", "base-2", "new-1"].map(|name| place.path().join("runs").join(name));
    fs::create_dir(place.path().join("runs")).expect("a folder");
    // One session at a time that greets and goes.
    let greet = "[scenario.greet]\nsessions = 1\nmessages = 1000\nuntil = \"helo\"\n";
    fs::write(place.path().join("runs/profile-run.toml"), greet).expect("a configuration");
    for (server, run) in [&base, &base, &new].into_iter().zip(&runs) {
        profiled(server, run);
    }
    let (code, same) = compared(&runs[0], &runs[1]);
    assert_eq!((code, &same["scenario_calls"]), (Some(0), &Value::Null), "{same}");
    let (code, more) = compared(&runs[0], &runs[2]);
    assert_eq!((code, &more["functions"]), (Some(1), &json!([])), "{more}");
    let row = |scenario: &str, per: &str| json!({ "name": "php::strrev", "scenario": scenario, "per": per, "calls": [0, 1], "change": "worse" });
    assert_eq!(more["scenario_calls"], json!([row("sequential", "message"), row("greet", "session")]), "{more}");
}
