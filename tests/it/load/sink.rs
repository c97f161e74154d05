//! Postfix's smtp-sink as the server: with its own switches, and stopped for a while.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::tools::missing;

const SINK: &str = "/usr/sbin/smtp-sink";

/// smtp-sink on a port of its own; dropping it ends it.
struct Sink {
    child: Child,
    target: String,
}

impl Sink {
    fn start(switches: &[&str]) -> Option<Self> {
        if missing(Path::new(SINK).is_file(), "smtp-sink", "postfix") {
            return None;
        }
        let target = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").to_string();
        let mut command = Command::new(SINK);
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let child = command.args(switches).args([&target, "1000"]).stderr(Stdio::null()).spawn().expect("it runs");
        let sink = Self { child, target };
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(&sink.target).is_err() {
            assert!(Instant::now() < until, "smtp-sink does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sink)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(args: &[&str], target: &str) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let output = command.args(["load", "--json"]).args(args).arg(target).output().expect("profile-run runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let result: Value = serde_json::from_str(last).expect("JSON");
    (output.status.code().expect("an exit code"), result["result"]["load"][0].clone())
}

fn errors(load: &Value) -> Vec<(String, u64)> {
    let errors = load["errors"].as_object().expect("errors");
    errors.iter().map(|(kind, count)| (kind.clone(), count.as_u64().expect("a count"))).collect()
}

#[test]
fn the_sinks_switches_give_their_counts() {
    // -q: disconnect, -r: reject for now, -f: reject for good (smtp-sink(1)).
    for (switches, kind, accepted) in [
        (&["-q", "mail"][..], "closed_mail", 0),
        (&["-q", "quit"], "closed_quit", 6),
        (&["-r", "rcpt"], "rcpt_450", 0),
        (&["-f", "data"], "data_500", 0),
        (&["-f", "."], "message_500", 0),
        (&["-r", "mail"], "mail_450", 0),
    ] {
        let Some(sink) = Sink::start(switches) else { return };
        let (code, load) = load(&["-s", "2", "-m", "6", "-l", "100"], &sink.target);
        assert_eq!((code, &load["messages_accepted"]), (1, &Value::from(accepted)), "{switches:?}: {load}");
        assert_eq!(errors(&load), [(kind.to_owned(), 6)], "{switches:?}");
    }
    // No ESMTP and no 8BITMIME change nothing for HELO; a wait for each DATA is time, not an error.
    for (switches, least) in [(&["-e"][..], 0.0), (&["-8"], 0.0), (&["-w", "1"], 2.0)] {
        let Some(sink) = Sink::start(switches) else { return };
        let (code, load) = load(&["-s", "1", "-m", "2", "-l", "100"], &sink.target);
        assert_eq!((code, errors(&load)), (0, vec![]), "{switches:?}: {load}");
        assert!(load["seconds"].as_f64().expect("seconds") >= least, "{switches:?}: {load}");
    }
}

#[test]
fn an_open_loop_shows_a_server_that_stopped() {
    let Some(sink) = Sink::start(&[]) else { return };
    let pid = sink.pid();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        kill(pid, Signal::SIGSTOP).expect("stopped");
        std::thread::sleep(Duration::from_secs(5));
        kill(pid, Signal::SIGCONT).expect("goes on");
    });
    let (code, load) = load(&["--rate", "100/s", "--duration", "9s", "-s", "50", "-l", "100"], &sink.target);
    stopper.join().expect("no panic");
    assert_eq!((code, errors(&load)), (0, vec![]), "{load}");
    assert_eq!(load["loop"], "open");
    let latency = |what: &str| load["latency_ms"][what].as_f64().expect("ms");
    // Five of nine messages were due while it stood; a closed loop would show fifty slow ones at most.
    assert!(latency("p90") > 3_000.0 && latency("max") > 4_500.0, "{load}");
    assert!(latency("p50") > 100.0, "{load}");
    let sent = load["messages_accepted"].as_u64().expect("a count");
    assert!((800..=900).contains(&sent), "{sent}");
    assert!(load["lateness_ms"]["p50"].as_f64().expect("ms") < latency("p50"), "{load}");
}

/// System calls a message as strace counts them: a long run less a short one, so that the start does not count.
fn system_calls(program: &str, args: &[&str], target: &str) -> Option<f64> {
    let count = |messages: u32| -> Option<f64> {
        let counts = tempfile::NamedTempFile::new().ok()?;
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-o"]).arg(counts.path()).arg(program).args(args);
        command.args(["-m", &messages.to_string(), target]).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().ok()?.success(), "{program} under strace failed");
        let text = std::fs::read_to_string(counts.path()).ok()?;
        text.lines().find(|line| line.ends_with(" total"))?.split_whitespace().nth(3)?.parse().ok()
    };
    Some((count(500)? - count(100)?) / 400.0)
}

#[test]
fn a_message_costs_at_most_seven_tenths_of_smtp_sources_system_calls() {
    let traces = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    match traces {
        Ok(status) if !status.success() => {
            println!("left out: this machine lets nobody trace");
            return;
        }
        traces if missing(traces.is_ok(), "strace", "strace") => return,
        _ => {}
    }
    let Some(sink) = Sink::start(&[]) else { return };
    // The close: ours waits for the server's, smtp-source's is a reset, so ours has the more work.
    for (ours, theirs) in [
        (&["load", "-s", "20", "-l", "200"][..], &["-s", "20", "-l", "200"][..]),
        (&["load", "-s", "20", "-l", "200", "--keep-open"], &["-d", "-s", "20", "-l", "200"]),
    ] {
        let ours = system_calls(env!("CARGO_BIN_EXE_profile-run"), ours, &sink.target).expect("a count");
        let theirs = system_calls("/usr/sbin/smtp-source", theirs, &sink.target).expect("a count");
        assert!(ours <= 0.7 * theirs, "{ours} system calls a message against {theirs}");
    }
}
