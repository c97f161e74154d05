//! Locust in the built-in engine's place: the same verdicts by one, two and four workers, with the server's own counts; and
//! workers on another host, one of which is lost. Long: only with `PROFILE_RUN_TRUTH`.

#[path = "../support/locust.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use support::Fleet;

const PROGRAM: &str = env!("CARGO_BIN_EXE_profile-run");
const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");
const TWO_HOSTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/truth/two-hosts.sh");

fn is_asked_for() -> bool {
    let only = std::env::var("PROFILE_RUN_CASES").unwrap_or_default();
    std::env::var_os("PROFILE_RUN_TRUTH").is_some() && "locust".contains(&only)
}

fn result(run: &Path) -> Value {
    let bytes = std::fs::read(run.join("result.json")).expect("a result");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Accepted messages and opened sessions of rows.
fn counts<'a>(rows: impl Iterator<Item = &'a Value>) -> [u64; 2] {
    let of = |value: &Value| value.as_u64().expect("a number");
    rows.fold([0, 0], |sum, row| {
        [sum[0] + of(&row["messages_accepted"]), sum[1] + of(&row["sessions_by_end"]["asked"])]
    })
}

/// The same as the server wrote them down.
fn logged(log: &Path) -> [u64; 2] {
    let log = String::from_utf8_lossy(&std::fs::read(log).expect("the server's log")).into_owned();
    [" accepted id=", " connected session="].map(|words| log.matches(words).count() as u64)
}

fn main_job(fleet: &Fleet, fault: &str, engine: &[&str], run: &Path) -> Command {
    let mut command = fleet.command(PROGRAM);
    command
        .args(engine)
        .args(["--load", "sequential,churn,handshake", "--budget", "75s", "--rest", "3s", "--passes", "measure"])
        .args(["--ledger", "off", "--env", &format!("SMTP_FAULT={fault}"), "--out"])
        .arg(run)
        .args(["--", "php", CONSOLE, "smtp:serve", "--port", "0", "-vv"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

#[test]
fn verdicts_are_those_of_the_built_in_engine() {
    if !is_asked_for() {
        return;
    }
    let mut wrong = Vec::new();
    for (fault, verdict, code) in [("session", "leak", 1), ("socket", "leak", 1), ("", "clean", 0)] {
        for workers in [0, 1, 2, 4] {
            let folder = tempfile::tempdir().expect("a folder");
            let fleet = Fleet::new(&format!("verdict-{fault}-{workers}"));
            let many = workers.to_string();
            let engine = ["--engine", "locust", "--locust-workers", &many];
            let run = folder.path().join("run");
            let engine: &[&str] = if workers == 0 { &[] } else { &engine };
            let ended = main_job(&fleet, fault, engine, &run).status().expect("it runs");
            fleet.assert_gone();
            let said = result(&run)["verdict"].clone();
            println!("{:<9} {workers} workers: {said}", format!("{fault:?}"));
            if said != verdict || ended.code() != Some(code) {
                wrong.push(format!("{fault:?} by {workers}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn counts_of_the_recipe_are_the_servers_own() {
    if !is_asked_for() {
        return;
    }
    for workers in ["1", "2", "4"] {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut server = Command::new("php")
            .args([CONSOLE, "smtp:serve", "--port", "0", "-vv"])
            .stdout(std::fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("php is there");
        let until = Instant::now() + Duration::from_secs(60);
        let port = loop {
            let said = std::fs::read_to_string(&log).expect("the log");
            let place = said.split_once("listening on 127.0.0.1:").and_then(|(_, rest)| rest.split_once(' '));
            if let Some((port, _)) = place {
                break port.to_owned();
            }
            assert!(Instant::now() < until, "the server greets");
            std::thread::sleep(Duration::from_millis(20));
        };
        let fleet = Fleet::new(&format!("counts-{workers}"));
        let output = fleet
            .command(PROGRAM)
            .args(["load", "--json", "--engine", "locust", "--locust-workers", workers])
            .args(["--scenario", "recipe", "--scale", "0.3", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        fleet.assert_gone();
        kill(Pid::from_raw(server.id() as i32), Signal::SIGTERM).expect("our server");
        server.wait().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last: Value = serde_json::from_str(text.lines().last().expect("a result")).expect("JSON");
        let rows = counts(last["result"]["load"].as_array().expect("rows").iter());
        println!("{workers} workers: rows {rows:?}, server {:?}", logged(&log));
        assert_eq!(rows, logged(&log));
        assert_eq!(rows, [4563, 4863], "what was asked for");
    }
}

#[test]
fn ctrl_c_in_a_wave_leaves_a_report_and_no_process() {
    if !is_asked_for() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (fleet, run) = (Fleet::new("interrupt"), folder.path().join("run"));
    let mut child =
        main_job(&fleet, "", &["--engine", "locust", "--locust-workers", "2"], &run).spawn().expect("it runs");
    let until = Instant::now() + Duration::from_secs(90);
    let begun = || std::fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default().contains(r#""wave":2"#);
    while !begun() {
        assert!(Instant::now() < until, "no second wave");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("our child");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    fleet.assert_gone();
    assert!(run.join("report.html").is_file());
}

#[test]
fn workers_of_another_host_load_it_and_one_may_be_lost() {
    if !is_asked_for() {
        return;
    }
    for kills in ["", "worker", "run"] {
        let folder = tempfile::tempdir().expect("a folder");
        let fleet = Fleet::new("hosts");
        let mut command = fleet.command("sh");
        let bin = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/locust/bin");
        command.args([TWO_HOSTS, PROGRAM, bin]).arg(folder.path()).arg(kills);
        let output = command.stdin(Stdio::null()).output().expect("unshare is there");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stderr), read("said"));
        fleet.assert_gone();
        assert_eq!(read("left").trim(), "0", "workers end with their master");
        let code = read("code").trim().to_owned();
        if kills == "run" {
            assert_eq!(code, "137");
            continue;
        }
        let run = folder.path().join("run");
        let result = result(&run);
        let rows = counts(result["load"].as_array().expect("rows").iter().filter(|row| row["wave"].is_null()));
        let log = logged(&run.join("target.measure.log"));
        let warnings: Vec<&str> =
            result["warnings"].as_array().expect("warnings").iter().filter_map(|of| of["kind"].as_str()).collect();
        println!("{kills:<6} exit {code} {}: rows {rows:?}, server {log:?}, {warnings:?}", result["verdict"]);
        assert!(["0", "4"].contains(&code.as_str()), "the server is sound: {}", read("said"));
        assert_eq!(warnings.contains(&"lost_worker"), kills == "worker", "{}", read("said"));
        if kills.is_empty() {
            assert_eq!(rows[0], log[0], "{}", read("said"));
        }
        // What a lost worker did after its last word is not told.
        assert!(rows[0] <= log[0] && rows[0] > 0, "{rows:?} {log:?}");
    }
}
