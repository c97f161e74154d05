//! Servers that are not easy to reach at first: each comes to a true report, by the options that a first run names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/first.py");

/// A run, and what came of it.
struct Ran {
    folder: tempfile::TempDir,
    output: Output,
    result: Value,
}

impl Ran {
    fn out(folder: &Path) -> PathBuf {
        folder.join("run")
    }

    fn text(&self) -> String {
        let said = [&self.output.stdout, &self.output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        said.concat()
    }

    fn code(&self) -> i32 {
        self.output.status.code().unwrap()
    }

    /// The row that sums up a scenario.
    fn sum(&self, scenario: &str) -> &Value {
        let mut rows = self.result["load"].as_array().unwrap().iter();
        rows.find(|row| row["scenario"] == scenario && row["wave"].is_null())
            .unwrap_or_else(|| panic!("{}", self.text()))
    }

    fn warned(&self, kind: &str) -> bool {
        self.result["warnings"].as_array().unwrap().iter().any(|warning| warning["kind"] == kind)
    }

    /// All that was sent was accepted, and nothing blames the server.
    #[track_caller]
    fn is_true(&self, scenario: &str, least: u64) {
        let row = self.sum(scenario);
        assert!(matches!(self.code(), 0 | 4), "{}", self.text());
        assert!(row["messages_accepted"].as_u64().unwrap() >= least, "{row}\n{}", self.text());
        assert_eq!(row["errors"].as_object().unwrap().len(), 0, "{row}");
        assert!(!self.text().contains("PHP"), "{}", self.text());
    }
}

fn port() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    (21_000 + (std::process::id() % 250) as u16 * 32 + NEXT.fetch_add(1, Ordering::Relaxed) % 32).to_string()
}

fn run(kind: &[&str], options: &[&str]) -> Ran {
    run_in(tempfile::tempdir().unwrap(), kind, options)
}

fn run_in(folder: tempfile::TempDir, kind: &[&str], options: &[&str]) -> Ran {
    let port = port();
    let server = [&["python3", SERVER, &port], kind].concat();
    run_server(folder, &server, options)
}

fn run_server(folder: tempfile::TempDir, server: &[&str], options: &[&str]) -> Ran {
    let out = Ran::out(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .arg("--out")
        .arg(&out)
        .args(options)
        .arg("--")
        .args(server)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let result = std::fs::read(out.join("result.json")).unwrap_or_default();
    Ran { folder, output, result: serde_json::from_slice(&result).unwrap_or_default() }
}

/// A tenth of the recipe's counts, however fast this machine is.
const COUNTED: [&str; 5] = ["--load", "smoke,sequential", "--full", "--scale", "0.1"];

const SMOKE: [&str; 4] = ["--load", "smoke", "--budget", "30s"];

#[test]
fn a_late_greeting_and_two_seconds_a_message_are_waited_for() {
    std::thread::scope(|scope| {
        scope.spawn(|| run(&["late"], &SMOKE).is_true("smoke", 10));
        scope.spawn(|| {
            // Ten at once take no longer than one: so the next scenario is not given up.
            let ran = run(&["waiting"], &["--load", "smoke,sequential", "--budget", "40s"]);
            ran.is_true("sequential", 100);
            assert!(ran.warned("more_at_once"), "{}", ran.text());
        });
    });
}

#[test]
fn a_greylist_puts_off_the_first_conversation_alone() {
    for kind in ["greylist", "second"] {
        let ran = run(&[kind], &COUNTED);
        ran.is_true("sequential", 1000);
        // Each new address would be put off anew.
        assert!(ran.warned("one_address"), "{}", ran.text());
        assert!(ran.text().contains("greylisted"), "{}", ran.text());
    }
}

#[test]
fn what_is_too_small_to_be_judged_takes_no_time_from_what_comes_after_it() {
    for waves in ["1", "3"] {
        let options = ["--passes", "measure", "--load", "smoke,sequential", "--waves", waves, "--budget", "10s"];
        let ran = run(&["sound"], &options);
        ran.is_true("sequential", 100);
        let smoke = ran.result["waves"].as_array().unwrap().iter().filter(|wave| wave["scenario"] == "smoke");
        assert!(smoke.count() <= 1 + waves.parse::<usize>().unwrap(), "{}", ran.text());
    }
}

#[test]
fn a_server_that_is_slower_with_each_new_address_is_loaded_from_one() {
    let ran = run(&["lookup"], &COUNTED);
    ran.is_true("sequential", 1000);
    assert!(ran.warned("one_address"), "{}", ran.text());
}

#[test]
fn a_login_is_asked_for_and_made_in_the_way_that_is_offered() {
    for kind in ["plain", "login", "cram"] {
        let ran = run(&[kind], &[&SMOKE[..], &["--export", "junit"]].concat());
        assert_eq!(ran.code(), 2, "{}", ran.text());
        assert!(ran.text().contains("it asks for a login: --auth USER:PASS"), "{}", ran.text());
        // The server did not fail.
        assert!(ran.result["verdict"].is_null(), "{}", ran.result["verdict"]);
        let junit = std::fs::read_to_string(Ran::out(ran.folder.path()).join("junit.xml")).unwrap();
        assert!(junit.contains("<error type=\"not_run\"") && !junit.contains("<failure"), "{junit}");
        run(&[kind], &[&SMOKE[..], &["--auth", "me:secret"]].concat()).is_true("smoke", 10);
        let ran = run(&[kind], &[&SMOKE[..], &["--auth", "me:wrong"]].concat());
        assert!(ran.code() == 2 && ran.text().contains("check --auth USER:PASS"), "{}", ran.text());
    }
}

#[test]
fn encryption_is_asked_for_and_begun() {
    let folder = tempfile::tempdir().unwrap();
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.path().join(name).display().to_string());
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success());
    let kind = ["starttls", &certificate, &key];
    let ran = run(&kind, &SMOKE);
    assert!(ran.code() == 2 && ran.text().contains("it asks for encryption: --starttls"), "{}", ran.text());
    run(&kind, &[&SMOKE[..], &["--starttls"]].concat()).is_true("smoke", 10);
}

#[test]
fn the_other_loopback_and_a_daemon_with_a_pid_file_are_found() {
    let ran = run(&["ipv6"], &SMOKE);
    ran.is_true("smoke", 10);
    assert!(ran.text().contains("[::1]:"), "{}", ran.text());
    let ran = run(&["daemon", "pid"], &SMOKE);
    ran.is_true("smoke", 10);
    let pid = std::fs::read_to_string(ran.folder.path().join("pid")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "it is left running");
    // The file stayed, as its server was not asked to remove it.
    std::fs::remove_dir_all(Ran::out(ran.folder.path())).unwrap();
    let again = run_in(ran.folder, &["daemon", "pid"], &SMOKE);
    assert!(again.code() == 3 && again.text().contains("does it run already?"), "{}", again.text());
}

#[test]
fn what_a_port_refuses_that_the_server_left_is_not_held_against_it() {
    let other = port();
    let ran = run(&["moves", &other], &[&COUNTED[..], &["--passes", "measure"]].concat());
    assert!(matches!(ran.code(), 0 | 4) && ran.warned("port_moved"), "{}", ran.text());
    let row = ran.sum("sequential");
    assert!(row["messages_accepted"].as_u64().unwrap() > 500 && row["errors"]["connect_refused"].is_u64(), "{row}");
    let findings = ran.result["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["reason"] != "refused"), "{}", ran.text());
}

#[test]
fn a_short_backlog_under_five_hundred_at_once_is_no_fault() {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/accept.php");
    for form in ["select", "blocking", "fork"] {
        let options = ["--load", "churn,handshake", "--scale", "0.1", "--passes", "measure", "--budget", "25s"];
        let ran = run_server(tempfile::tempdir().unwrap(), &["php", server, &port(), form], &options);
        assert!(matches!(ran.code(), 0 | 4), "{form}: {}", ran.text());
        // A slow machine has no room for the second scenario where each connection takes a process.
        assert!(ran.sum("churn")["messages_accepted"].as_u64().unwrap() > 100, "{form}: {}", ran.text());
        for row in ran.result["load"].as_array().unwrap().iter().filter(|row| row["wave"].is_null()) {
            assert_eq!(row["errors"].as_object().unwrap().len(), 0, "{form}: {row}");
            assert!(row["lost"].is_u64(), "{form}: {row}");
        }
    }
}

#[test]
fn no_advice_names_the_option_that_was_given() {
    let timeout = ["-q", "--passes", "measure", "--ready-timeout", "1s", "--target", "127.0.0.1:1"];
    let elsewhere = run(&["plain"], &timeout);
    assert_eq!(elsewhere.code(), 3, "{}", elsewhere.text());
    assert!(elsewhere.text().contains("not at --target 127.0.0.1:1. Give it longer"), "{}", elsewhere.text());
    assert!(elsewhere.text().contains("or leave --target out."), "{}", elsewhere.text());
    let nowhere = run_server(tempfile::tempdir().unwrap(), &["sleep", "20"], &timeout);
    assert!(!nowhere.text().contains("--target"), "{}", nowhere.text());
}

#[test]
fn what_would_decide_is_not_what_was_asked_for_already() {
    let (php, port) = (concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/accept.php"), port());
    let options = ["--passes", "measure", "--load", "smoke,sequential", "--budget", "4s", "--env", "USE_ZEND_ALLOC=0"];
    let ran = run_server(tempfile::tempdir().unwrap(), &["php", php, &port, "select"], &options);
    assert_eq!(ran.code(), 4, "{}", ran.text());
    assert!(!ran.text().contains("--load sequential"), "{}", ran.text());
    // And what was not measured is said where it is read first, with its cause.
    assert!(ran.text().contains("USE_ZEND_ALLOC=0"), "{}", ran.text());
    assert!(ran.result["not_measured"].to_string().contains("USE_ZEND_ALLOC=0"), "{}", ran.result["not_measured"]);
}

#[test]
fn what_is_asked_to_be_quiet_says_whole_sentences() {
    let server = ["sh", "-c", "echo boo; exit 1"];
    let quiet = |before: &str| {
        let options = ["-q", "--passes", "measure", "--before", before];
        run_server(tempfile::tempdir().unwrap(), &server, &options).text()
    };
    assert!(quiet("true").contains("The server ended before it greeted (exit code 1).\n"), "{}", quiet("true"));
    let failed = quiet("echo boo; exit 3");
    assert!(failed.contains("failed (exit code 3).\n"), "{failed}");
}
