//! Locust as the load: counts as the server has them, the same kinds of errors, and nothing left behind.

use std::collections::HashSet;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::locust::{Fleet, is_here};
use crate::support::smtp::{Act, End, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_profile-run");

/// The rows and the exit code of what `load --json` printed.
fn rows(output: &Output) -> (i32, Vec<Value>) {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let line: Value = serde_json::from_str(last).expect("JSON");
    (output.status.code().expect("an exit code"), line["result"]["load"].as_array().expect("rows").clone())
}

fn locust(fleet: &Fleet, args: &[&str], server: &Server) -> Command {
    let mut command = fleet.command(PROGRAM);
    command.args(["load", "--json", "--engine", "locust"]).args(args).arg(server.target());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_server_has_what_the_rows_say() {
    if !is_here() {
        return;
    }
    let (fleet, server) = (Fleet::new("counts"), Server::recording());
    let args = ["--locust-workers", "2", "--scenario", "smoke,churn,handshake,pipelined,abrupt", "--scale", "0.011"];
    let (code, rows) = rows(&locust(&fleet, &args, &server).output().expect("it runs"));
    fleet.assert_gone();
    assert_eq!(code, 0, "{rows:?}");
    let asked: Vec<u64> = rows.iter().map(|row| row["asked"].as_u64().expect("a number")).collect();
    assert_eq!(asked, [1, 55, 11, 55, 22]);
    let sum = |key: &str| rows.iter().map(|row| row[key].as_u64().expect("a number")).sum::<u64>();
    assert_eq!(sum("asked"), sum("finished"));
    let (sessions, messages) = (server.sessions(), server.messages());
    // Of 22 that vanish at ten points in turn, two are gone before the reply that their message got.
    let unheard = sessions.iter().filter(|session| session.end != End::Quit && !session.messages.is_empty()).count();
    assert_eq!(sum("messages_sent"), messages.len() as u64);
    assert!(sum("messages_accepted") >= messages.len() as u64 - unheard as u64);
    let opened: u64 = rows.iter().map(|row| row["sessions_by_end"]["asked"].as_u64().expect("a number")).sum();
    assert_eq!(opened, sessions.len() as u64);
    // Latencies are the workers' own, in full.
    assert_eq!(rows[1]["latency_ms"]["count"], 55);
    assert_eq!(rows[1]["steps_ms"]["mail"]["count"], 55);
    let ids: HashSet<&String> = messages.iter().flat_map(|message| &message.headers).collect();
    let ids = ids.into_iter().filter(|line| line.starts_with("Message-Id: ")).count();
    assert_eq!(ids, messages.len(), "no two messages are one");
    assert!(messages.iter().any(|message| message.body.len() == 200));
}

#[test]
fn what_goes_wrong_is_counted_as_by_the_built_in_engine() {
    if !is_here() {
        return;
    }
    let act = |moment: &str, number: usize| match (moment, number % 16) {
        ("RCPT", 1) => Act::say("550 no such user\r\n"),
        ("MAIL", 2) => Act::say("451 later\r\n"),
        ("BANNER", 3) => Act::say("554 no\r\n"),
        (".", 4) => Act::say("552 too big\r\n"),
        ("DATA", 5) => Act::Close,
        ("MAIL", 6) => Act::Reset,
        ("MAIL", 7) => Act::say("hello\r\n"),
        ("MAIL", 8) => Act::say("250 yes\r\n250 yes\r\n"),
        ("DATA", 9) => Act::say("250 no\r\n"),
        ("HELO", 10) => Act::SayAndClose(b"421 bye\r\n".to_vec()),
        ("QUIT", 11) => Act::Close,
        ("MAIL", 12) => Act::say(&format!("250 {}\r\n", "x".repeat(5000))),
        ("BANNER", 13) => Act::Pieces(vec![b"220-one\r\n22".to_vec(), b"0 two\r\n".to_vec()]),
        ("QUIT", 14) => Act::say("221 bye\r\nmore\r\n"),
        _ => Act::Normal,
    };
    let args = ["-s", "1", "-m", "32"];
    let fleet = Fleet::new("errors");
    let servers = [Server::acting(act), Server::acting(act)];
    let own = Command::new(PROGRAM).args(["load", "--json"]).args(args).arg(servers[0].target()).output();
    let (own_code, own) = rows(&own.expect("it runs"));
    let theirs = locust(&fleet, &[&args[..], &["--locust-workers", "1"]].concat(), &servers[1]).output();
    let (code, theirs) = rows(&theirs.expect("it runs"));
    fleet.assert_gone();
    assert_eq!(code, own_code);
    let keys = ["errors", "asked", "finished", "refused", "failed", "not_started", "sessions_by_end", "messages_sent"];
    for key in keys.into_iter().chain(["messages_accepted", "sessions"]) {
        assert_eq!(theirs[0][key], own[0][key], "{key}");
    }
    assert!(own[0]["errors"].as_object().is_some_and(|errors| errors.len() >= 12), "{}", own[0]["errors"]);
}

#[test]
fn a_mute_server_is_a_stall() {
    if !is_here() {
        return;
    }
    let (fleet, server) = (Fleet::new("stall"), Server::hostile("MAIL", Act::Mute));
    let args = ["--locust-workers", "2", "-s", "4", "-m", "10", "--stall-timeout", "1s"];
    let (code, rows) = rows(&locust(&fleet, &args, &server).output().expect("it runs"));
    fleet.assert_gone();
    assert_eq!((code, &rows[0]["stalled"]["stage"]), (3, &Value::from("mail")), "{}", rows[0]);
    assert_eq!(rows[0]["errors"], serde_json::json!({"timeout_mail": 4, "not_started": 6}));
    assert_eq!(rows[0]["stalled"]["open_sessions"], 4);
}

/// Runs a load that a mute server holds up, until its workers have sessions there.
fn held(name: &str) -> (Fleet, Server, std::process::Child) {
    let (fleet, server) = (Fleet::new(name), Server::hostile("MAIL", Act::Mute));
    let child = locust(&fleet, &["--locust-workers", "2", "-s", "4", "-m", "10"], &server).spawn().expect("it starts");
    let until = Instant::now() + Duration::from_secs(60);
    while server.peak() < 4 {
        assert!(Instant::now() < until, "no session came");
        std::thread::sleep(Duration::from_millis(20));
    }
    (fleet, server, child)
}

#[test]
fn a_lost_worker_is_said_and_ends_nothing_but_its_part() {
    if !is_here() {
        return;
    }
    let (fleet, _server, child) = held("lost");
    kill(Pid::from_raw(fleet.worker(2)), Signal::SIGKILL).expect("a worker");
    // The other one waits for the server; the whole is told to end as by Ctrl-C.
    std::thread::sleep(Duration::from_millis(500));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("our child");
    let output = child.wait_with_output().expect("it ends");
    fleet.assert_gone();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (code, rows) = rows(&output);
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("A worker of Locust's was lost"), "{said}");
    assert_eq!(rows[0]["errors"]["interrupted_mail"], 2, "those of the other one");
    // What the lost one had under way, as far as it had told.
    let of = |kind: &str| rows[0]["errors"][kind].as_u64().unwrap_or(0);
    assert_eq!(of("interrupted_worker") + of("not_started"), 8, "{}", rows[0]["errors"]);
}

#[test]
fn nothing_outlives_a_run_that_is_killed() {
    if !is_here() {
        return;
    }
    let (fleet, _server, mut child) = held("killed");
    assert_eq!(fleet.processes("locustfile.py").len(), 3, "a master and two workers");
    child.kill().expect("our child");
    child.wait().expect("it ends");
    fleet.assert_gone();
}

#[test]
fn what_cannot_be_is_said_before_anything_starts() {
    if !is_here() {
        return;
    }
    let refused = |program: &mut Command, words: &str| {
        let output = program.stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    let fleet = Fleet::new("refused");
    let load = |args: &[&str]| {
        let mut command = fleet.command(PROGRAM);
        command.args(["load", "--engine", "locust"]).args(args);
        command
    };
    refused(load(&["127.0.0.1:25"]).env("PATH", "/nowhere"), "pip install locust");
    refused(&mut load(&["--rate", "5/s", "127.0.0.1:25"]), "has no rate");
    refused(&mut load(&["-L", "127.0.0.1:25"]), "has no LMTP");
    refused(&mut load(&["unix:/nowhere"]), "TCP");
    refused(&mut load(&["--locust-workers", "0", "127.0.0.1:25"]), "at least one worker");
    refused(&mut load(&["--remote-workers", "1", "127.0.0.1:25"]), "--allow-remote");
    refused(&mut load(&["--remote-workers", "1", "--allow-remote", "127.0.0.1:25"]), "loopback");
    refused(&mut load(&["192.0.2.1:25"]), "--allow-remote");
    let job = |args: &[&str]| {
        let mut command = fleet.command(PROGRAM);
        command.args(args).args(["--", "true"]);
        command
    };
    refused(&mut job(&["--engine", "locust", "--remote-workers", "1", "--allow-remote"]), "--target");
    refused(&mut job(&["--locust-workers", "1"]), "--engine locust");
    refused(job(&["--engine", "locust"]).env("PATH", "/nowhere"), "pip install locust");
}
