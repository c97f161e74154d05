//! Other programs as the load: a command counted in runs, and postfix's smtp-source.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::smtp::{Act, Server};
use crate::support::tools::missing;
use profile_run::load::{Address, Control, Job, LoadStats, SessionOptions, Tool, run_external};
use profile_run::model::plan::scenario::{Length, Payload, Scenario, Unit};
use serde_json::Value;

fn job(target: &str, parallel: u64, count: u64) -> Job {
    Job {
        scenario: Scenario::plain("test", parallel, count),
        target: Address::parse(target).expect("an address"),
        count,
        stall_timeout: Duration::from_secs(2),
        seed: 1,
        options: SessionOptions::default(),
    }
}

fn run(job: &Job, command: &str) -> LoadStats {
    let tool = Tool::Command(command.into());
    let job = Job { scenario: tool.scenario(&job.scenario), ..job.clone() };
    assert_eq!(job.scenario.unit(), Unit::Sessions);
    let tally = run_external(&job, &tool, &Control::new()).expect("it starts");
    assert!(tally.adds_up(), "{tally:?}");
    tally
}

fn cli(args: &[&str], target: &str) -> (Output, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let output = command.args(["load", "--json"]).args(args).arg(target).output().expect("profile-run runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
    (output, last["result"]["load"][0].clone())
}

#[test]
fn a_command_is_counted_in_runs_with_its_places_filled_in() {
    let server = Server::recording();
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let command = format!("echo {{host}} {{port}} {{from}} {{number}} >> {}", log.display());
    let tally = run(&job(&server.target(), 3, 7), &command);
    assert_eq!((tally.sessions.finished, tally.as_meant, tally.messages_accepted), (7, 7, 0));
    assert!(tally.is_whole() && tally.peak_open <= 3 && tally.whole.len() == 7);
    let text = std::fs::read_to_string(log).expect("the log");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let (host, port) = (server.address.ip(), server.address.port());
    let wanted: Vec<String> = (1..=7).map(|n| format!("{host} {port} test@localhost {n}")).collect();
    assert_eq!(lines, wanted);
}

#[test]
fn runs_that_fail_are_counted_by_how() {
    let command = "case {number} in 2) echo why >&2; exit 3;; 3) kill -9 $$;; esac";
    let tally = run(&job("127.0.0.1:1", 1, 4), command);
    let errors: Vec<(&str, u64)> = tally.errors.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(errors, [("run_exit_3", 1), ("run_signal_9", 1)]);
    assert_eq!((tally.sessions.finished, tally.sessions.failed), (2, 2));
    assert!(
        tally.transcript[0].contains("run_exit_3") && tally.transcript[0].contains("why"),
        "{:?}",
        tally.transcript
    );
}

#[test]
fn runs_that_never_end_are_a_stall_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    // A child of the shell's own: the whole group must go.
    let command = format!("sleep 60 & echo $! >> {}; wait", pids.display());
    let began = Instant::now();
    let tally = run(&job("127.0.0.1:1", 2, 5), &command);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(tally.errors.get("timeout_run"), Some(&2));
    assert_eq!((tally.stalled.expect("stalled").open_sessions, tally.asked.not_started), (2, 3));
    for pid in std::fs::read_to_string(pids).expect("pids").lines() {
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_gone = |stat: &str| {
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            matches!(state, None | Some('Z' | 'X'))
        };
        // A killed process dies when it is next scheduled.
        let until = Instant::now() + Duration::from_secs(20);
        while !is_gone(&stat()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(is_gone(&stat()), "{pid} lives: {}", stat());
    }
}

#[test]
fn a_rate_and_a_duration_hold_for_runs_too() {
    let mut job = job("127.0.0.1:1", 10, 1_000);
    job.options.rate = Some(profile_run::load::Rate { per_second: 20.0, ramp: Duration::ZERO });
    job.options.duration = Some(Duration::from_secs(1));
    let tally = run(&job, "true");
    assert!((15..=21).contains(&tally.sessions.finished), "{}", tally.sessions.finished);
    assert!(tally.is_whole() && tally.open_loop && tally.lateness.len() >= 15);
}

#[test]
fn what_the_command_line_says() {
    let (output, load) = cli(&["--engine", "command", "--load-command", "true", "-s", "2", "-m", "5"], "127.0.0.1:1");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((&load["sessions"], &load["unit"]), (&Value::from(5), &Value::from("sessions")));
    let (output, _) = cli(&["--engine", "command", "--load-command", "exit 1"], "127.0.0.1:1");
    assert_eq!(output.status.code(), Some(1));
    for args in [&["--engine", "command"][..], &["--load-command", "true"], &["--engine", "postal"]] {
        assert_eq!(cli(args, "127.0.0.1:1").0.status.code(), Some(2), "{args:?}");
    }
    let (output, _) = cli(&["--engine", "command", "--load-command", "true"], "192.0.2.7:25");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-remote"));
}

fn has_smtp_source() -> bool {
    !missing(Path::new("/usr/sbin/smtp-source").is_file(), "smtp-source", "postfix")
}

fn source(job: &Job) -> LoadStats {
    let tally = run_external(job, &Tool::SmtpSource, &Control::new()).expect("it starts");
    assert!(tally.adds_up(), "{tally:?}");
    tally
}

#[test]
fn smtp_source_sends_what_is_asked() {
    if !has_smtp_source() {
        return;
    }
    let server = Server::recording();
    let mut job = job(&server.target(), 3, 20);
    job.scenario.payload = Payload::Generated(Length::Fixed(200));
    job.options.from = String::new();
    let tally = source(&job);
    let messages = server.messages();
    assert_eq!((tally.messages_accepted, messages.len(), tally.is_whole()), (20, 20, true));
    assert!(messages.iter().all(|m| m.from.is_empty() && m.recipients == ["test@localhost"]));
    assert!(tally.client_cpu_seconds > 0.0 && tally.whole.is_empty());
}

#[test]
fn smtp_source_ends_at_the_first_refusal_and_its_words_are_understood() {
    if !has_smtp_source() {
        return;
    }
    for (moment, act, kind) in [
        ("RCPT", Act::say("550 no such user\r\n"), "rcpt_550"),
        ("MAIL", Act::say("451 later\r\n"), "mail_451"),
        ("BANNER", Act::say("554 no\r\n"), "banner_554"),
        (".", Act::say("552 too big\r\n"), "message_552"),
        ("DATA", Act::Close, "closed_data"),
    ] {
        let server =
            Server::acting(move |at, number| if at == moment && number == 4 { act.clone() } else { Act::Normal });
        let tally = source(&job(&server.target(), 1, 10));
        assert_eq!(tally.errors.keys().collect::<Vec<_>>(), [kind], "{moment}: {:?}", tally.transcript);
        assert_eq!((tally.messages_accepted, tally.asked.not_started), (4, 5), "{moment}");
    }
    let tally = source(&job("127.0.0.1:1", 1, 10));
    assert_eq!(tally.errors.get("connect_refused"), Some(&1), "{:?}", tally.transcript);
}

#[test]
fn smtp_source_against_a_mute_server_is_a_stall() {
    if !has_smtp_source() {
        return;
    }
    let server = Server::hostile("MAIL", Act::Mute);
    let began = Instant::now();
    let tally = source(&job(&server.target(), 2, 10));
    assert!(began.elapsed() < Duration::from_secs(8));
    assert!(tally.stalled.is_some() && tally.errors.contains_key("timeout_run"), "{tally:?}");
}
