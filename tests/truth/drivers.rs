//! Growth by what drives it: scenarios with and without messages tell a leak of each session from one of each message. The
//! short form has one; `PROFILE_RUN_TRUTH` runs all.

use std::process::{Command, Stdio};

use serde_json::Value;

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

struct Case {
    fault: &'static str,
    /// What drives the growth, and the bytes for each: of a message a block of 1,024 and a slot of an array.
    driver: &'static str,
    bytes: [f64; 2],
    /// Nothing else does. A session that is kept holds its commands, which are more where it sends a message.
    alone: bool,
}

const CASES: [Case; 3] = [
    Case { fault: "message", driver: "message", bytes: [1024.0, 1056.0], alone: true },
    Case { fault: "session", driver: "session", bytes: [400.0, 2000.0], alone: false },
    Case { fault: "timer", driver: "hour", bytes: [3.4e7, 4.2e7], alone: true },
];

fn check(&Case { fault, driver, bytes, alone }: &Case) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--load", "sequential,handshake", "--budget", "120s", "--rest", "3s", "--passes", "measure"])
        .args(["--ledger", "off", "--out"])
        .arg(&run)
        .args(["--", "php", CONSOLE, "smtp:serve", "--port", "0"])
        .env("SMTP_FAULT", fault)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = std::fs::read(run.join("result.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    let by = result["drivers"]["by"].as_array().unwrap_or_else(|| panic!("{fault}: {said}"));
    let interval = |of: &Value| [0, 1].map(|at| of["ci95"][at].as_f64().expect("a limit"));
    for driven in by {
        let [low, high] = interval(driven);
        if driven["driver"] == driver {
            assert!(low > 0.0 && low < bytes[1] && high > bytes[0], "{fault}: {by:#?}");
        } else if alone {
            assert!(low <= 0.0, "{fault} is laid on {}: {by:#?}", driven["driver"]);
        }
    }
    assert!(by.iter().any(|driven| driven["driver"] == driver), "{fault}: {by:#?}");
    println!(
        "{fault:<10} {} in {} waves",
        by.iter().map(|d| d.to_string()).collect::<Vec<_>>().join(" "),
        result["drivers"]["waves"]
    );
}

#[test]
fn growth_is_laid_on_what_drives_it() {
    let all = std::env::var("PROFILE_RUN_TRUTH").is_ok();
    let only = std::env::var("PROFILE_RUN_CASES").unwrap_or_default();
    let many = if all { CASES.len() } else { 1 };
    CASES.iter().take(many).filter(|case| case.fault.contains(&only)).for_each(check);
}
