//! Trees of processes and ways to end: whatever the server is made of and however the run ends, nothing is left running.

use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::support::{Busy, Count, Place, SERVER, end_of, long, port, send, watchdog, words};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Ordinary,
    Interrupt,
    Terminate,
    HangUp,
    Kill,
    Twice,
    WatchdogFirst,
    ServerKilled,
}

const ENDINGS: [Ending; 8] = [
    Ending::Ordinary,
    Ending::Interrupt,
    Ending::Terminate,
    Ending::HangUp,
    Ending::Kill,
    Ending::Twice,
    Ending::WatchdogFirst,
    Ending::ServerKilled,
];

const FORMS: [&str; 13] = [
    "plain", "shell", "env", "left", "daemon", "titled", "bare", "prefork", "stubborn", "fork", "dropped", "spawner",
    "headless",
];

/// A server in C, compiled once: its first thread ends, and another one serves.
fn headless() -> &'static str {
    static BUILT: OnceLock<(tempfile::TempDir, String)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kinds").display().to_string();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/kinds.c");
        assert!(Command::new("cc").args(["-O1", "-pthread", "-o", &path, source]).status().unwrap().success());
        (folder, path)
    });
    path
}

/// The command of a form.
fn server(form: &str, port: &str) -> Vec<String> {
    let shell = |line: String| words(&["sh", "-c", &line]);
    match form {
        "shell" => shell(format!("php {SERVER} plain {port}; true")),
        "env" => words(&["env", "A=1", "php", SERVER, "plain", port]),
        // The shell is gone before the server greets.
        "left" => shell(format!("setsid php {SERVER} plain {port} & exit 0")),
        "bare" => shell(format!("env -i PATH=\"$PATH\" setsid php {SERVER} plain {port} & exit 0")),
        "headless" => words(&[headless(), port, "headless"]),
        form => words(&["php", SERVER, form, port]),
    }
}

const OPTIONS: [&str; 8] =
    ["--passes", "measure", "--load", "smoke,sequential", "--budget", "12s", "--ready-timeout", "60s"];

fn server_of(place: &Place) -> Option<i32> {
    let journal = place.journal();
    let ready = journal.lines().find(|line| line.contains("\"event\":\"ready\""))?;
    serde_json::from_str::<serde_json::Value>(ready).ok()?["pid"].as_i64().map(|pid| pid as i32)
}

fn end(run: &mut Child, place: &Place, ending: Ending) -> Result<(), String> {
    let pid = run.id() as i32;
    let mut expected = vec![130];
    match ending {
        Ending::Ordinary => expected = vec![0, 4],
        Ending::Interrupt => send(pid, Signal::SIGINT),
        Ending::Terminate => send(pid, Signal::SIGTERM),
        Ending::HangUp => send(pid, Signal::SIGHUP),
        Ending::Kill => send(pid, Signal::SIGKILL),
        Ending::Twice => {
            send(pid, Signal::SIGINT);
            std::thread::sleep(Duration::from_millis(60));
            send(pid, Signal::SIGINT);
        }
        Ending::WatchdogFirst => {
            send(watchdog(run).ok_or("no watchdog")?, Signal::SIGKILL);
            std::thread::sleep(Duration::from_millis(400));
            send(pid, Signal::SIGINT);
        }
        Ending::ServerKilled => {
            if let Some(server) = server_of(place) {
                send(server, Signal::SIGKILL);
            }
            // One worker of several is no loss of the server.
            expected = vec![0, 3, 4];
        }
    }
    let status = end_of(run, Duration::from_secs(90))?;
    match status.code() {
        None if ending == Ending::Kill => Ok(()),
        Some(code) if expected.contains(&code) => Ok(()),
        _ => Err(format!("{status}: {}", place.console())),
    }
}

fn tried(form: &str, ending: Ending, moment: Option<Duration>) -> Result<(), String> {
    let place = Place::new();
    let mut run = place.start(&OPTIONS, &server(form, &port()));
    match moment {
        None => place.wait_for("wave_begin", &mut run)?,
        Some(moment) => std::thread::sleep(moment),
    }
    let ended = end(&mut run, &place, ending);
    let left = place.is_left_empty();
    left.and(ended.or_else(|why| match moment {
        // Before the launch, or after the end, a signal finds other things to end; only that nothing is left counts.
        Some(_) => Ok(()),
        None => Err(why),
    }))
}

#[test]
fn no_tree_outlives_its_run() {
    let mut count = Count::new("trees and endings");
    for (at, form) in FORMS.into_iter().enumerate() {
        for (number, ending) in ENDINGS.into_iter().enumerate() {
            if long() || at % ENDINGS.len() == number {
                count.take(&format!("{form}, {ending:?}"), tried(form, ending, None));
            }
        }
    }
    count.end();
}

#[test]
fn no_moment_of_a_run_is_too_early_or_too_late_to_end_it() {
    if !long() {
        return;
    }
    let mut count = Count::new("random moments");
    let mut state: u64 = 7;
    for number in 0..20 {
        for ending in &ENDINGS[1..7] {
            // The generator of Numerical Recipes; which moments they are does not matter, only that they differ.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let moment = Duration::from_millis((state >> 33) % 9_000);
            let form = FORMS[number % FORMS.len()];
            count.take(&format!("{form}, {ending:?} after {moment:?}"), tried(form, *ending, Some(moment)));
        }
    }
    count.end();
}

#[test]
fn a_daemon_is_never_called_dead_because_its_parent_is() {
    let starts = if long() { 40 } else { 2 };
    let _busy = Busy::new(if long() { 10 } else { 0 });
    let mut count = Count::new("starts of daemons");
    for form in ["left", "daemon", "titled", "bare"] {
        for start in 0..starts {
            let place = Place::new();
            let mut run = place.start(&OPTIONS, &server(form, &port()));
            let ready = place.wait_for("ready", &mut run);
            send(run.id() as i32, Signal::SIGTERM);
            let ended = end_of(&mut run, Duration::from_secs(60)).map(drop);
            count.take(&format!("{form}, start {start}"), ready.and(ended).and(place.is_left_empty()));
        }
    }
    count.end();
}

#[test]
fn what_hooks_leave_running_is_stopped_too() {
    let mut count = Count::new("hooks");
    let leaves = "env -i setsid sleep 300 > /dev/null 2>&1 & sleep 0.1";
    for (hook, ending) in [
        ("--before", Ending::Ordinary),
        ("--after", Ending::Ordinary),
        ("--before", Ending::Interrupt),
        ("--before", Ending::Kill),
        ("--before", Ending::Terminate),
    ] {
        let place = Place::new();
        let options = [&OPTIONS[..], &[hook, leaves]].concat();
        let mut run = place.start(&options, &server("plain", &port()));
        let outcome = place.wait_for("wave_begin", &mut run);
        let outcome = outcome.and_then(|()| end(&mut run, &place, ending)).and(place.is_left_empty());
        count.take(&format!("{hook}, {ending:?}"), outcome);
    }
    count.end();
}

#[test]
fn what_a_killed_run_left_is_found_and_what_a_living_one_runs_is_not() {
    let place = Place::new();
    // Another copy of the program is looked by, as one that was installed meanwhile.
    let copy = place.path().join("profile-run");
    std::fs::copy(env!("CARGO_BIN_EXE_profile-run"), &copy).unwrap();
    let left = || {
        let said = super::support::text(&Command::new(&copy).arg("doctor").current_dir("/").output().unwrap());
        let pids = said.lines().find_map(|line| line.split_once("has left processes behind: ")).map(|(_, pids)| pids);
        pids.unwrap_or_default().split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
    };
    let mut run = place.start(&OPTIONS, &server("plain", &port()));
    place.wait_for("wave_begin", &mut run).unwrap();
    let server = server_of(&place).unwrap();
    assert!(!left().contains(&server), "its run goes on: {}", place.console());
    send(watchdog(&run).unwrap(), Signal::SIGKILL);
    send(run.id() as i32, Signal::SIGKILL);
    run.wait().unwrap();
    let found = left();
    let was_left = place.processes().contains(&server);
    place.processes().into_iter().for_each(|pid| send(pid, Signal::SIGKILL));
    assert!(!was_left || found.contains(&server), "{found:?}");
}
