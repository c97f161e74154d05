//! The load against smtp-source, each run of ours between two of smtp-source's, on the same smtp-sink.
//!
//! CPU is what the operating system accounts (wait4 for the clients, /proc for the sink); a ratio is ours
//! divided by the mean of the two runs beside it; the noise is smtp-source's run divided by the one before.
//! System calls are counted by strace in runs of their own. Raw results go to benches/results/.
//!
//!     cargo bench --bench load -- [--pairs N] [--quick] [LINE...]

#[path = "support/measure.rs"]
mod measure;
#[path = "support/tokio_client.rs"]
mod tokio_client;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use measure::{quartiles, wait, which};
use serde_json::{Value, json};

/// A line of the comparison: what both get, and what is aimed at.
struct Line {
    name: &'static str,
    sessions: u64,
    messages: u64,
    length: u64,
    kept: bool,
    /// The most CPU a message, of smtp-source's.
    cpu: f64,
    /// The least speed, of smtp-source's.
    speed: f64,
}

const LINES: [Line; 6] = [
    Line { name: "one", sessions: 1, messages: 10_000, length: 100, kept: false, cpu: 0.85, speed: 1.0 },
    Line { name: "one-kept", sessions: 1, messages: 10_000, length: 100, kept: true, cpu: 0.80, speed: 1.0 },
    Line { name: "twenty", sessions: 20, messages: 20_000, length: 200, kept: false, cpu: 0.68, speed: 1.1 },
    Line { name: "twenty-kept", sessions: 20, messages: 20_000, length: 200, kept: true, cpu: 0.85, speed: 1.0 },
    Line { name: "churn", sessions: 5_000, messages: 5_000, length: 200, kept: false, cpu: 0.65, speed: 1.0 },
    Line { name: "large", sessions: 20, messages: 200, length: 5_000_000, kept: false, cpu: 0.60, speed: 0.95 },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    SmtpSource,
    ProfileRun,
    /// The comparison: a tokio task a session.
    Tokio,
}

impl Client {
    fn command(self, line: &Line, messages: u64, target: SocketAddr) -> Command {
        let mut command = match self {
            Client::SmtpSource => Command::new("smtp-source"),
            Client::ProfileRun => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
                command.args(["load", "-q"]);
                command
            }
            Client::Tokio => {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.arg("--tokio-client");
                command
            }
        };
        command.args(["-f", "test@localhost", "-t", "test@localhost"]);
        command.args(["-s", &line.sessions.to_string(), "-m", &messages.to_string(), "-l", &line.length.to_string()]);
        if line.kept {
            command.arg(if self == Client::SmtpSource { "-d" } else { "--keep-open" });
        }
        command.arg(target.to_string()).stdout(Stdio::null());
        command
    }
}

/// What one run cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    seconds: f64,
    cpu: f64,
    sink_cpu: f64,
    max_rss_kb: i64,
    switches: i64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.first().is_some_and(|a| a == "--tokio-client") {
        return tokio_client::main(&arguments[1..]);
    }
    let quick = arguments.iter().any(|a| a == "--quick");
    let with_tokio = arguments.iter().any(|a| a == "--tokio");
    let pairs =
        arguments.iter().position(|a| a == "--pairs").map_or(9, |at| arguments[at + 1].parse().expect("--pairs N"));
    let chosen = |line: &&Line| {
        let named: Vec<&String> = arguments.iter().filter(|a| LINES.iter().any(|l| l.name == a.as_str())).collect();
        named.is_empty() || named.iter().any(|name| *name == line.name)
    };
    for tool in ["smtp-source", "smtp-sink"] {
        if !which(tool) {
            println!("{tool} is missing (Debian: apt-get install postfix): nothing to compare with");
            return;
        }
    }
    let sink = Sink::start();
    let mut results = Vec::new();
    for line in LINES.iter().filter(chosen) {
        let messages = if quick { (line.messages / 10).max(20) } else { line.messages };
        for client in [Client::ProfileRun, Client::Tokio] {
            if client == Client::ProfileRun || with_tokio {
                results.push(compare(line, client, messages, pairs, &sink));
            }
        }
    }
    write_results(&results, pairs, quick);
}

fn compare(line: &Line, client: Client, messages: u64, pairs: usize, sink: &Sink) -> Value {
    let run = |client: Client| run(client.command(line, messages, sink.address), sink);
    run(client);
    let mut before = run(Client::SmtpSource);
    let (mut cpu, mut speed, mut sink_cpu, mut noise_cpu, mut noise_speed) = (vec![], vec![], vec![], vec![], vec![]);
    let mut raw = Vec::new();
    let mut rss = 0;
    let mut ours_us = vec![];
    let mut sink_us = vec![];
    for _ in 0..pairs {
        let ours = run(client);
        let after = run(Client::SmtpSource);
        cpu.push(ours.cpu / ((before.cpu + after.cpu) / 2.0));
        speed.push((before.seconds + after.seconds) / 2.0 / ours.seconds);
        sink_cpu.push(ours.sink_cpu / ((before.sink_cpu + after.sink_cpu) / 2.0));
        noise_cpu.push(after.cpu / before.cpu);
        noise_speed.push(before.seconds / after.seconds);
        rss = rss.max(ours.max_rss_kb);
        ours_us.push(ours.cpu / messages as f64 * 1e6);
        sink_us.push(ours.sink_cpu / messages as f64 * 1e6);
        raw.push(json!({"before": show(before), "ours": show(ours), "after": show(after)}));
        before = after;
    }
    let calls = [client, Client::SmtpSource].map(|client| system_calls(line, client, sink));
    let calls_ratio = match calls {
        [Some(ours), Some(theirs)] => Some(ours / theirs),
        _ => None,
    };
    let name = format!("{}{}", line.name, if client == Client::Tokio { " (tokio)" } else { "" });
    let [cpu_q, speed_q, sink_q, noise_q, noise_speed_q] =
        [&mut cpu, &mut speed, &mut sink_cpu, &mut noise_cpu, &mut noise_speed].map(|v| quartiles(v));
    let ours_us = quartiles(&mut ours_us)[1];
    let sink_us = quartiles(&mut sink_us)[1];
    println!(
        "{name:<20} CPU {:.2} [{:.2} {:.2}] (at most {:.2})  speed {:.2} [{:.2} {:.2}] (at least {:.2})  sink's CPU {:.2}  \
         noise CPU {:.2} [{:.2} {:.2}] speed [{:.2} {:.2}]",
        cpu_q[1],
        cpu_q[0],
        cpu_q[2],
        line.cpu,
        speed_q[1],
        speed_q[0],
        speed_q[2],
        line.speed,
        sink_q[1],
        noise_q[1],
        noise_q[0],
        noise_q[2],
        noise_speed_q[0],
        noise_speed_q[2],
    );
    println!(
        "{:<20} {ours_us:.1} µs a message, the sink {sink_us:.1}; peak memory {} kB; system calls a message {} against {} ({})",
        "",
        rss,
        show_calls(calls[0]),
        show_calls(calls[1]),
        show_calls(calls_ratio),
    );
    json!({
        "line": name, "sessions": line.sessions, "messages": messages, "length": line.length, "kept": line.kept,
        "cpu_ratio": cpu_q, "speed_ratio": speed_q, "sink_cpu_ratio": sink_q,
        "noise_cpu": noise_q, "noise_speed": noise_speed_q,
        "cpu_at_most": line.cpu, "speed_at_least": line.speed,
        "client_us": ours_us, "sink_us": sink_us, "peak_memory_kb": rss,
        "system_calls": calls[0], "system_calls_smtp_source": calls[1], "system_calls_ratio": calls_ratio,
        "raw": raw,
    })
}

fn show_calls(calls: Option<f64>) -> String {
    calls.map_or("-".into(), |calls| format!("{calls:.2}"))
}

fn show(cost: Cost) -> Value {
    json!({"seconds": cost.seconds, "cpu": cost.cpu, "sink_cpu": cost.sink_cpu,
        "max_rss_kb": cost.max_rss_kb, "switches": cost.switches})
}

#[expect(clippy::zombie_processes, reason = "wait4 takes its end, for the usage that comes with it")]
fn run(mut command: Command, sink: &Sink) -> Cost {
    let sink_before = sink.cpu();
    let began = Instant::now();
    let child = command.spawn().expect("the client runs");
    let (status, usage) = wait(&child);
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(status, 0, "{command:?}");
    let time = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    Cost {
        seconds,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        sink_cpu: sink.cpu() - sink_before,
        max_rss_kb: usage.ru_maxrss,
        switches: usage.ru_nvcsw,
    }
}

/// System calls a message: strace's count of a long run less that of a short one, so that the start does not count.
fn system_calls(line: &Line, client: Client, sink: &Sink) -> Option<f64> {
    let (few, many) =
        if line.length > 1_000_000 { (20, 60) } else { (line.sessions.min(500), line.sessions.min(500) + 1000) };
    let count = |messages: u64| -> Option<f64> {
        let counts = tempfile::NamedTempFile::new().ok()?;
        let plain = client.command(line, messages, sink.address);
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-o"]).arg(counts.path()).arg(plain.get_program()).args(plain.get_args());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        status.success().then_some(())?;
        let text = std::fs::read_to_string(counts.path()).ok()?;
        let total = text.lines().find(|line| line.ends_with(" total"))?;
        total.split_whitespace().nth(3)?.parse().ok()
    };
    Some((count(many)? - count(few)?) / (many - few) as f64)
}

/// smtp-sink on a port of its own.
struct Sink {
    child: Child,
    address: SocketAddr,
}

impl Sink {
    fn start() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let mut command = Command::new("smtp-sink");
        // SAFETY: geteuid has no preconditions and cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            command.args(["-u", "nobody"]);
        }
        let child = command.args(["-m", "20000", &address.to_string(), "2000"]).spawn().expect("smtp-sink runs");
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "smtp-sink does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, address }
    }

    /// CPU seconds so far.
    fn cpu(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).expect("the sink lives");
        text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).expect("ns") / 1e9
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_results(results: &[Value], pairs: usize, quick: bool) {
    let peers = json!({"postfix": measure::version("postconf", "mail_version")});
    measure::keep("load", json!({"pairs": pairs, "quick": quick}), peers, json!({"lines": results}));
}
