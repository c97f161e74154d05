//! The main job on a server in a container, by a stand-in for its engine (fixtures/engine): the server is found by its mark,
//! judged, profiled and stopped, and its container is removed, however the run ends. The real engines are
//! tests/truth/containers.sh's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::main_job::{Run, nothing_is_left, port, text};

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");
const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/engine/docker");

/// A daemon with its clients, ended with the test.
struct Engine {
    folder: tempfile::TempDir,
    daemon: Child,
}

impl Engine {
    fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["docker", "podman", "docker-compose"] {
            symlink(STAND_IN, folder.path().join(name)).unwrap();
        }
        let mut command = Command::new(STAND_IN);
        command.arg("serve").env("STANDIN", folder.path()).envs(variables.iter().copied());
        let daemon = command.stdin(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while !folder.path().join("socket").exists() {
            assert!(Instant::now() < end, "the daemon does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { folder, daemon }
    }

    fn command(&self, run: &Run, options: &[&str], server: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("--out").arg(run.out()).args(options).arg("--").args(server);
        command.current_dir(run.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.folder.path().display())).env("STANDIN", self.folder.path());
        command.env_remove("SMTP_FAULT").env_remove("DOCKER_HOST").env_remove("CONTAINER_HOST");
        command
    }

    fn run(&self, run: &Run, options: &[&str], server: &[&str]) -> Output {
        self.command(run, options, server).output().unwrap()
    }

    /// Containers of the run that there are now.
    fn containers(&self, run: &Run) -> String {
        let journal = fs::read_to_string(run.out().join("journal.jsonl")).unwrap_or_default();
        let labels = journal.split('"').filter(|word| word.starts_with("profile-run=")).map(str::to_owned);
        let ask = |label: String| {
            let mut command = Command::new(self.folder.path().join("docker"));
            command.args(["ps", "--all", "--quiet", "--no-trunc", "--filter", &format!("label={label}")]);
            String::from_utf8(command.env("STANDIN", self.folder.path()).output().unwrap().stdout).unwrap()
        };
        labels.map(ask).collect::<String>().trim().to_owned()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn events(run: &Run, kind: &str) -> Vec<Value> {
    let journal = fs::read_to_string(run.out().join("journal.jsonl")).unwrap();
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == kind).collect()
}

#[test]
fn the_server_is_found_by_its_mark_judged_profiled_and_stopped_with_its_client() {
    for client in ["docker --context x run -it", "docker compose -f y run", "docker-compose run", "podman run --rm"] {
        let (engine, run, port) = (Engine::start(&[]), Run::new(), port());
        let words: Vec<&str> = client.split(' ').chain(["-e", "XDEBUG_MODE=debug", "x"]).collect();
        let server = [&words[..], &["php", CONSOLE, "smtp:serve", "--port", &port]].concat();
        let options = ["--load", "smoke", "--budget", "60s", "--env", "SMTP_FAULT=session"];
        let output = engine.run(&run, &options, &server);
        let (result, ready) = (run.result(), events(&run, "ready"));
        assert_eq!(ready.len(), 2, "{client}: {}", text(&output));
        assert_eq!(result["profile"]["complete"], true, "{client}: {}", text(&output));
        assert_eq!(result["profile"]["served"], true, "{client}: {}", text(&output));
        for (launch, ready) in events(&run, "launch").iter().zip(&ready) {
            // The client's pid, and the server's.
            assert_ne!(launch["pid"], ready["pid"], "{client}");
            let variables: Vec<&str> =
                launch["command"].as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
            assert!(variables.contains(&"SMTP_FAULT=session") && !variables.contains(&"XDEBUG_MODE=debug"), "{client}");
        }
        // The client is no part of it.
        let floors = result["floors"].as_array().unwrap();
        let processes = floors.iter().filter(|floor| floor["metric"] == "processes");
        assert!(processes.map(|floor| floor["value"].as_f64().unwrap()).all(|count| count == 1.0), "{client}");
        assert!(nothing_is_left(&port) && engine.containers(&run).is_empty(), "{client}");
    }
}

#[test]
fn a_profile_alone_is_taken_of_what_a_container_turns_out_to_run() {
    let (engine, run, port) = (Engine::start(&[]), Run::new(), port());
    let server = ["docker", "run", "x", "php", CONSOLE, "smtp:serve", "--port", &port];
    let output = engine.run(&run, &["--load", "smoke", "--passes", "profile"], &server);
    assert_eq!(run.result()["profile"]["complete"], true, "{}", text(&output));
    let (run, port) = (Run::new(), super::main_job::port());
    let server = ["docker", "run", "x", "php", "-n", CONSOLE, "smtp:serve", "--port", &port];
    let output = engine.run(&run, &["--load", "smoke", "--passes", "profile"], &server);
    assert!(run.result()["not_measured"].to_string().contains("Xdebug"), "{}", text(&output));
    assert!(run.result()["profile"].is_null() && nothing_is_left(&port), "{}", text(&output));
}

#[test]
fn an_interrupted_run_leaves_no_container() {
    for (delay, after) in [("0", 400), ("0", 1_500), ("0", 5_000), ("3", 1_000)] {
        let (engine, run, port) = (Engine::start(&[("STANDIN_DELAY", delay)]), Run::new(), port());
        let server = ["docker", "run", "x", "php", CONSOLE, "smtp:serve", "--port", &port];
        let child = engine.command(&run, &["--load", "sequential", "--passes", "measure"], &server).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{delay} {after}: {}", text(&output));
        assert!(nothing_is_left(&port) && engine.containers(&run).is_empty(), "{delay} {after}");
    }
}

#[test]
fn a_run_that_is_killed_leaves_no_container() {
    for (delay, after) in [("0", 1_500), ("2", 1_000)] {
        let (engine, run, port) = (Engine::start(&[("STANDIN_DELAY", delay)]), Run::new(), port());
        let server = ["podman", "run", "x", "php", CONSOLE, "smtp:serve", "--port", &port];
        let mut child =
            engine.command(&run, &["--load", "sequential", "--passes", "measure"], &server).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        let watchdog = watchdog_of(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        let end = Instant::now() + Duration::from_secs(40);
        while watchdog.as_ref().is_some_and(|path| path.exists()) {
            assert!(Instant::now() < end, "the watchdog goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(nothing_is_left(&port) && engine.containers(&run).is_empty(), "{delay} {after}");
    }
}

/// The folder of a run's watchdog in /proc.
fn watchdog_of(run: u32) -> Option<std::path::PathBuf> {
    let begin = format!("profile-run-watchdog\0--watchdog\0{run}-");
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.into_iter().find(|path| fs::read_to_string(path.join("cmdline")).is_ok_and(|line| line.starts_with(&begin)))
}

#[test]
fn a_container_that_cannot_be_seen_is_told_with_the_line_that_runs_inside() {
    let (engine, run, port) = (Engine::start(&[("STANDIN_FAR", "1")]), Run::new(), port());
    let server = ["docker", "run", "-e", "A=b c", "x", "php", CONSOLE, "smtp:serve", "--port", &port];
    let output = engine.run(&run, &["--load", "smoke"], &server);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("on another machine than this one"), "{said}");
    let line = format!("-e 'A=b c' x profile-run -- php {CONSOLE} smtp:serve --port {port}");
    assert!(said.replace('\n', " ").contains(&line), "{said}");
    assert!(nothing_is_left(&port) && engine.containers(&run).is_empty());
}

#[test]
fn what_starts_no_container_of_its_own_is_refused_before_anything_is_begun() {
    let engine = Engine::start(&[]);
    for (server, part) in [
        ("docker exec smtp php x", "docker exec smtp profile-run -- php x"),
        ("docker start -a smtp", "profile-run --attach CONTAINER"),
        ("docker compose up smtp", "compose run SERVICE"),
        ("podman run -d x php y", "Leave -d out"),
        ("kubectl exec smtp -- php x", "inside the container"),
    ] {
        let run = Run::new();
        let output = engine.run(&run, &[], &server.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{server}: {}", text(&output));
        assert!(text(&output).replace('\n', " ").contains(part), "{server}: {}", text(&output));
        assert!(!Path::new(&run.out()).exists(), "{server}: nothing was begun");
    }
}
