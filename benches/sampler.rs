//! What watching costs: the sampler at 20 readings a second, `profile-run watch`, and `ps` with `lsof`
//! in a loop, one after the other on the same server with 5,000 connections open.
//!
//! `cargo bench --bench sampler` prints a table; `benches/results/` keeps runs of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use profile_run::model::Clock;
use profile_run::model::Sample;
use profile_run::sampler::{Effort, Rates, Sampler, Sink, SocketSample};

const CONNECTIONS: usize = 5000;
const SECONDS: u64 = 30;

fn main() {
    match std::env::var("SAMPLER_BENCH").as_deref() {
        Ok("server") => return server(),
        Ok("clients") => return clients(),
        Ok("sampler") => return sampler_alone(),
        _ => {}
    }
    let mut server = start("server", None);
    let port = line(&mut server);
    let mut clients = start("clients", Some(&port));
    assert_eq!(line(&mut clients), "connected");
    assert_eq!(line(&mut server), "full");
    let pid = server.id();

    println!("A server with {CONNECTIONS} connections open, each watched for {SECONDS} s.\n");
    println!("{:<52} {:>9} {:>12} {:>10}", "", "looks/s", "ms CPU/look", "% of core");
    sampler_row("sampler, 20 a second, while no segment is sent", pid);
    let traffic = Traffic::start();
    sampler_row("sampler, 20 a second, while segments are sent", pid);
    drop(traffic);
    let binary = env!("CARGO_BIN_EXE_profile-run");
    for interval in ["50ms", "1s"] {
        let name = format!("profile-run watch --json --interval {interval}");
        let mut looks = 0;
        let (seconds, cpu) = used_by_children(|| {
            let mut watch = Command::new(binary)
                .args(["watch", "--json", "--interval", interval, "--pid", &pid.to_string()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let output = watch.stdout.take().unwrap();
            let reader = std::thread::spawn(move || std::io::read_to_string(output).unwrap().lines().count() as u64);
            std::thread::sleep(Duration::from_secs(SECONDS));
            let _ = watch.kill();
            watch.wait().unwrap();
            looks = reader.join().unwrap();
        });
        row(&name, looks, seconds, cpu);
    }
    // The commands that people type, in the loop that `watch` makes of them, without its pauses.
    let script = format!(
        "ps -o pid,rss,vsz,command -p {pid}; lsof -p {pid} | wc -l; lsof -i TCP:{port} -sTCP:ESTABLISHED | wc -l"
    );
    let mut looks = 0;
    let (seconds, cpu) = used_by_children(|| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(SECONDS) {
            let done = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(done.unwrap().success());
            looks += 1;
        }
    });
    row("ps + lsof + lsof, without a pause", looks, seconds, cpu);
    let each = cpu / looks as f64;
    println!("{:<52} {:>9.1} {:>12.1} {:>10.2}", "  the same each 2 s (reckoned)", 0.5, each * 1e3, each / 2.0 * 100.0);
    system_calls(pid);
    for child in [&mut clients, &mut server] {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn sampler_row(name: &str, pid: u32) {
    let (first, effort) = sample(pid as i32);
    row(name, effort.rounds, effort.seconds, effort.cpu_seconds);
    let (rounds, seconds) = (effort.rounds - first.rounds, effort.seconds - first.seconds);
    row("  without its first second, which reads all", rounds, seconds, effort.cpu_seconds - first.cpu_seconds);
}

/// A connection on which a byte goes over every 20 ms: the sampler may then not take it that no state
/// has changed, and reads the socket table each second.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Traffic {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut receiver = listener.accept().unwrap().0;
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Relaxed) {
                sender.write_all(b".").unwrap();
                receiver.read_exact(&mut [0]).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn row(name: &str, looks: u64, seconds: f64, cpu: f64) {
    let (rate, each) = (looks as f64 / seconds, cpu / looks as f64 * 1e3);
    println!("{name:<52} {rate:>9.1} {each:>12.3} {:>10.2}", cpu / seconds * 100.0);
}

struct Nowhere;

impl Sink for Nowhere {
    fn sample(&mut self, _: &Sample) {}
    fn sockets(&mut self, sample: &SocketSample) {
        let open: u32 = sample.states.values().sum();
        assert_eq!(open as usize, CONNECTIONS + 1, "the listener and each connection");
    }
}

/// What the sampler had used after its first second, and in all.
fn sample(pid: i32) -> (Effort, Effort) {
    let handle = Sampler::spawn(move |_| vec![pid], Clock::start(), Rates::default(), Nowhere).unwrap();
    std::thread::sleep(Duration::from_millis(900));
    let first = handle.effort();
    std::thread::sleep(Duration::from_secs(SECONDS) - Duration::from_millis(900));
    (first, handle.stop())
}

fn sampler_alone() {
    sample(std::env::var("SAMPLER_PID").unwrap().parse().unwrap());
}

/// System calls a second of the sampler, counted by strace where it is installed.
fn system_calls(pid: u32) {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name"]).arg(std::env::current_exe().unwrap());
    let Ok(output) = strace.env("SAMPLER_BENCH", "sampler").env("SAMPLER_PID", pid.to_string()).output() else {
        println!("\n(strace is not installed: system calls are not counted)");
        return;
    };
    println!(
        "\nSystem calls of the sampler in {SECONDS} s, its start and its first full reading included (strace -c):"
    );
    for line in String::from_utf8_lossy(&output.stderr).lines().filter(|l| !l.contains("attached") && !l.contains('<'))
    {
        println!("  {line}");
    }
}

/// Wall time and CPU time of the children that `work` ran and waited for, seconds.
fn used_by_children(work: impl FnOnce()) -> (f64, f64) {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    };
    let (begin, before) = (Instant::now(), used());
    work();
    (begin.elapsed().as_secs_f64(), used() - before)
}

fn start(role: &str, port: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("SAMPLER_BENCH", role).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("SAMPLER_PORT", port.unwrap_or_default()).spawn().unwrap()
}

fn line(child: &mut Child) -> String {
    let mut out = String::new();
    let mut byte = [0];
    while child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        out.push(byte[0] as char);
    }
    out
}

fn say(text: &str) {
    println!("{text}");
    std::io::stdout().flush().unwrap();
}

fn raise_limit() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

/// Both ends wait until their input ends, which it does when the bench does.
fn wait_for_the_end() {
    let _ = std::io::stdin().read(&mut [0]);
}

fn server() {
    raise_limit();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    say(&listener.local_addr().unwrap().port().to_string());
    let held: Vec<TcpStream> = (0..CONNECTIONS).map(|_| listener.accept().unwrap().0).collect();
    say("full");
    wait_for_the_end();
    drop(held);
}

fn clients() {
    raise_limit();
    let port: u16 = std::env::var("SAMPLER_PORT").unwrap().parse().unwrap();
    let held: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    say("connected");
    wait_for_the_end();
    drop(held);
}
