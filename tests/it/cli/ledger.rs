//! The ledger in whole runs: the step that keeps bytes, on paths that have to be asked for. The whole table stands in
//! tests/truth/ledger.rs.

use std::process::Command;

use serde_json::{Value, json};

use super::main_job::{Run, text};

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

/// The ledger of a server with one fault; on a busy machine its time may end, and it is kept once more.
fn ledger(fault: &str, options: &[&str], server: &[&str]) -> Value {
    for _ in 0..3 {
        let run = Run::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.args(["--passes", "measure", "--load", "smoke", "--full", "--out"]).arg(run.out()).args(options);
        command.args(["--", "php", CONSOLE, "smtp:serve", "--port", "0"]).args(server).env("SMTP_FAULT", fault);
        let output = command.current_dir(run.folder.path()).output().unwrap();
        let result: Value = serde_json::from_slice(&std::fs::read(run.out().join("result.json")).unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
        if result["ledger"]["status"] != "time_used" {
            return result["ledger"].clone();
        }
    }
    panic!("the machine is too busy for a ledger")
}

#[track_caller]
fn names(ledger: &Value, at: &Value, nth: u64, acts: &Value) {
    assert_eq!(ledger["status"], "named", "{ledger:#}");
    let kept = ledger["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "{ledger:#}");
    let kept = &kept[0];
    assert_eq!((&kept["at"], kept["nth"].as_u64(), &kept["shortest"]["acts"]), (at, Some(nth), acts), "{ledger:#}");
    // A payload of 992 bytes is a block of 1,024.
    assert_eq!(kept["bytes"], 1024, "{ledger:#}");
}

#[test]
fn a_further_message_of_a_connection_is_told_from_the_first() {
    let message = ["mail", "rcpt", "data"].map(|act| json!(act));
    let twice: Vec<Value> =
        [&[json!("ehlo")][..], &message, &[json!({"message": 100})], &message, &[json!({"message": 100})]].concat();
    names(&ledger("reused", &[], &[]), &json!({"step": {"message": 100}}), 2, &json!(twice));
}

#[test]
fn a_login_is_told_from_the_connection_that_makes_it() {
    let login = ["--auth", "me:secret-word"];
    names(&ledger("auth", &login, &login), &json!({"step": "auth"}), 1, &json!(["auth"]));
}
