//! Servers of one planted kind each: what they own must be counted, whoever of their tree owns it, and no run goes past its
//! time. Small loads: what the rule makes of many floors is tested with the rule.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/kinds.py");

/// A port of its own for each server, below those that the kernel gives out.
fn port() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    (13_000 + (std::process::id() % 500) as u16 * 16 + NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

/// A tenth of the recipe's counts, however fast this machine is.
const COUNTED: [&str; 3] = ["--full", "--scale", "0.1"];

/// Runs a server of a kind; gives back the result and what was printed.
fn run(kind: &str, options: &[&str]) -> (Value, Output) {
    run_by(&["python3", SERVER], kind, options)
}

fn run_by(server: &[&str], kind: &str, options: &[&str]) -> (Value, Output) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--load", "sequential", "--passes", "measure", "--out"])
        .arg(&out)
        .args(options)
        .arg("--")
        .args(server)
        .args([&port(), kind])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let result = std::fs::read(out.join("result.json")).unwrap_or_else(|_| panic!("{}", text(&output)));
    (serde_json::from_slice(&result).unwrap(), output)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The floors of a metric in `sequential`, as work done and value.
fn floors(result: &Value, metric: &str, per: &str) -> Vec<(f64, f64)> {
    let rows = result["floors"].as_array().unwrap().iter();
    let of = rows.filter(|row| row["scenario"] == "sequential" && row["metric"] == metric);
    of.map(|row| (row[per].as_f64().unwrap(), row["value"].as_f64().unwrap())).collect()
}

/// Growth from the first wave's floor to the last, per message or session.
#[track_caller]
fn growth(result: &Value, metric: &str, per: &str) -> f64 {
    let floors = floors(result, metric, per);
    let (first, last) = (floors[1], floors[floors.len() - 1]);
    assert!(last.0 > first.0 + 100.0, "{metric}: {floors:?}");
    (last.1 - first.1) / (last.0 - first.0)
}

fn seen(result: &Value, metric: &str) -> bool {
    let findings = result["findings"].as_array().unwrap();
    findings.iter().any(|finding| {
        finding["metric"] == metric && matches!(finding["state"].as_str(), Some("leak" | "inconclusive" | "not_judged"))
    })
}

#[test]
fn shared_memory_memfds_and_a_helper_that_does_not_listen_are_the_servers_own() {
    std::thread::scope(|scope| {
        for kind in ["shared", "memfd", "helper"] {
            scope.spawn(move || {
                let (result, output) = run(kind, &COUNTED);
                let each = growth(&result, "rss", "messages");
                assert!((3_900.0..4_700.0).contains(&each), "{kind}: {each} B a message\n{}", text(&output));
                assert!(seen(&result, "rss") && result["verdict"] != "clean", "{kind}: {}", text(&output));
            });
        }
    });
}

#[test]
fn children_that_are_never_waited_for_are_counted_as_processes() {
    let (result, output) = run("zombie", &COUNTED);
    let each = growth(&result, "processes", "sessions");
    assert!((0.045..0.055).contains(&each), "{each}\n{}", text(&output));
    assert!(seen(&result, "processes") && result["verdict"] != "clean", "{}", text(&output));
}

#[test]
fn a_connection_left_by_each_session_and_a_socket_by_each_hundredth_are_in_the_floors() {
    let (result, output) = run("close_wait", &COUNTED);
    let each = growth(&result, "sockets", "sessions");
    assert!((0.98..1.02).contains(&each), "{each}\n{}", text(&output));
    assert_ne!(result["verdict"], "clean", "{}", text(&output));
    let (result, output) = run("rare_socket", &["--full", "--scale", "0.2"]);
    let each = growth(&result, "fd", "sessions");
    assert!((0.005..0.015).contains(&each), "{each}\n{}", text(&output));
}

#[test]
fn a_server_that_waits_is_asked_by_more_sessions_at_once_and_no_run_goes_past_its_time() {
    let (result, output) = run("slow", &["--budget", "40s"]);
    // Two seconds of waiting in each conversation: one after the other there were twenty of them.
    let rows = result["load"].as_array().unwrap();
    let total = rows.iter().find(|row| row["scenario"] == "sequential" && row["wave"].is_null()).unwrap();
    assert!(total["messages_accepted"].as_u64().unwrap() > 100, "{}", text(&output));
    let warned = result["warnings"].as_array().unwrap().iter().any(|warning| warning["kind"] == "more_at_once");
    assert!(warned, "{}", text(&output));
    // A settling and a stop may follow; this machine may be busy.
    assert!(result["seconds"].as_f64().unwrap() < 70.0, "{}", result["seconds"]);
    let fd = result["findings"].as_array().unwrap().iter().find(|finding| finding["metric"] == "fd").unwrap();
    assert_ne!(fd["state"], "leak");
}

#[test]
fn a_server_whose_first_thread_has_ended_is_measured_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = folder.path().join("kinds");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/kinds.c");
    assert!(Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&server).arg(source).status().unwrap().success());
    let (result, output) = run_by(&[server.to_str().unwrap()], "headless_leak", &COUNTED);
    let each = growth(&result, "rss", "messages");
    assert!((900.0..1_300.0).contains(&each), "{each} B a message\n{}", text(&output));
    assert_eq!(floors(&result, "threads", "messages").last().map(|floor| floor.1), Some(2.0), "{}", text(&output));
    assert!(floors(&result, "fd", "messages").iter().all(|floor| floor.1 >= 4.0), "{}", text(&output));
    assert_ne!(result["verdict"], "failed", "{}", text(&output));
}

#[test]
fn waves_are_unequal_and_the_seed_decides_them() {
    let counts = |seed: &str| -> Vec<u64> {
        // The recipe's counts, so that no wave is sized by how fast this machine is.
        let (result, _) = run("sound", &["--full", "--scale", "0.06", "--seed", seed]);
        floors(&result, "fd", "sessions").windows(2).map(|pair| (pair[1].0 - pair[0].0) as u64).skip(1).collect()
    };
    let (one, again, other) = (counts("7"), counts("7"), counts("8"));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!(one.windows(2).any(|pair| pair[0] != pair[1]), "{one:?}");
}

#[test]
fn a_command_runs_before_each_floor() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let settle = format!("echo {{pid}} >> {}", told.display());
    let (result, output) = run("sound", &["--budget", "15s", "--settle", &settle]);
    let lines = std::fs::read_to_string(&told).unwrap_or_else(|_| panic!("{}", text(&output)));
    let pids: Vec<&str> = lines.lines().collect();
    assert!(pids.len() >= floors(&result, "fd", "sessions").len(), "{lines}");
    assert!(pids.iter().all(|pid| pid.parse::<u32>().is_ok() && *pid == pids[0]), "{lines}");
}
