//! `profile-run watch`: its arguments and what it does with them.

mod heap;

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::exit::Exit;
use super::parse;
use super::stdout::errln;
use crate::sampler::{Floor, Reader, Watcher};
use crate::{phrase, proc};
use heap::{HeapLook, HeapWatch};

/// Arguments of `profile-run watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  profile-run watch --pid 4242                  a table that refreshes until Ctrl-C
  profile-run watch --pid 4242 --once --json    one JSON object
  profile-run watch --pid 4242 --heap           what a running PHP holds in memory
  profile-run watch --pid 4242 --json | jq .rss one object a second, a line each

Exit: 0 the process was read (or ended while it was watched), 2 there is no such process.")]
pub struct Args {
    /// The process to watch
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: i32,
    /// Read once and end
    #[arg(long)]
    pub once: bool,
    /// Print JSON: one object a reading, a line each
    #[arg(long)]
    pub json: bool,
    /// Read PHP's heap too: figures, classes, containers, stack
    #[arg(long)]
    pub heap: bool,
    /// Time between readings (500ms, 1s, 2m; a number alone is seconds)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    match parse::duration(text)? {
        time if time >= Duration::from_millis(10) => Ok(time),
        _ => Err("expected at least 10ms".to_owned()),
    }
}

/// One look at the process, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Look<'a> {
    /// Seconds since the watch began.
    seconds: f64,
    #[serde(flatten)]
    floor: &'a Floor,
    /// Share of one processor since the look before, percent; since its start at the first look.
    cpu: f64,
    /// The census of a PHP process, where it was asked for.
    #[serde(flatten)]
    heap: Option<HeapLook>,
}

/// Runs `profile-run watch`.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let mut php = args.heap.then(|| HeapWatch::new(args.pid));
    if args.once {
        // One look can afford to be thorough.
        let floor = Reader::default().floor(args.pid)?;
        let look =
            Look { seconds: 0.0, cpu: since_start(&floor), floor: &floor, heap: php.as_mut().map(HeapWatch::look) };
        show(&look, &args, 0)?;
        return Ok(Exit::Held);
    }
    let begin = Instant::now();
    let mut watcher = Watcher::begin(args.pid)?;
    let mut before: Option<(Instant, f64)> = None;
    for looks in 0.. {
        let now = Instant::now();
        let floor = match watcher.look() {
            Ok(floor) if floor.state == 'Z' && looks > 0 => break,
            Ok(floor) => floor,
            Err(e) if e.is_gone() && looks > 0 => break,
            Err(e) => return Err(e.into()),
        };
        let cpu = match before {
            Some((then, used)) => (floor.cpu_seconds - used) / (now - then).as_secs_f64() * 100.0,
            None => since_start(floor),
        };
        before = Some((now, floor.cpu_seconds));
        let look = Look { seconds: (now - begin).as_secs_f64(), cpu, floor, heap: php.as_mut().map(HeapWatch::look) };
        if show(&look, &args, looks)? == Shown::NobodyLooks {
            return Ok(Exit::Held);
        }
        let next = begin + args.interval.mul_f64((looks + 1) as f64);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    errln!("profile-run: process {} has ended", args.pid);
    Ok(Exit::Held)
}

#[derive(PartialEq, Eq)]
enum Shown {
    Yes,
    /// Whoever read us has had enough.
    NobodyLooks,
}

fn show(look: &Look, args: &Args, looks: u64) -> anyhow::Result<Shown> {
    let mut out = std::io::stdout().lock();
    let refresh = !args.once && out.is_terminal();
    let written = if args.json {
        serde_json::to_string(look).map_err(std::io::Error::from).and_then(|text| writeln!(out, "{text}"))
    } else if args.once || refresh {
        table(&mut out, look, refresh.then_some(looks))
    } else {
        line(&mut out, look, looks)
    };
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(Shown::Yes),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(Shown::NobodyLooks),
        Err(e) => Err(e.into()),
    }
}

/// CPU use over the whole life of the process, percent of one processor.
fn since_start(floor: &Floor) -> f64 {
    let uptime = proc::uptime().unwrap_or(0.0);
    let age = uptime - floor.start as f64 / proc::clock_ticks() as f64;
    if age > 0.0 { floor.cpu_seconds / age * 100.0 } else { 0.0 }
}

/// The whole look; on a terminal it takes the place of the one before.
fn table(out: &mut impl Write, look: &Look, refresh: Option<u64>) -> std::io::Result<()> {
    let f = look.floor;
    let mib = |bytes: u64| phrase::bytes(bytes as f64);
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    row("process", format!("{} {} ({})", f.pid, f.name, state(f.state)));
    row("rss", format!("{}, highest {}", mib(f.rss), mib(f.rss_peak)));
    row("", format!("anonymous {}, files {}, shared {}", mib(f.rss_anon), mib(f.rss_file), mib(f.rss_shmem)));
    row("vsz", mib(f.vsz));
    row(
        "cpu",
        format!("{:.1}% of one processor, {} used", look.cpu, phrase::duration(Duration::from_secs_f64(f.cpu_seconds))),
    );
    row("threads", f.threads.to_string());
    let limit = f.nofile.map_or(String::new(), |n| format!(" of {}", phrase::grouped(n)));
    let kinds = counts(f.fds.kinds.iter().map(|(kind, n)| (kind.name(), *n)));
    row("fds", format!("{}{limit}{kinds}", phrase::grouped(u64::from(f.fds.total))));
    let sockets: u32 = f.sockets.values().sum();
    let states = counts(f.sockets.iter().map(|(state, n)| (state.name(), *n)));
    row("tcp sockets", format!("{}{states}", phrase::grouped(u64::from(sockets))));
    for (i, group) in f.descriptors.iter().take(8).enumerate() {
        row(if i == 0 { "open" } else { "" }, group.sentence());
    }
    for (name, value) in look.heap.iter().flat_map(HeapLook::rows) {
        row(name, value);
    }
    let Some(looks) = refresh else { return out.write_all(text.as_bytes()) };
    // The first look clears the screen. Later ones begin at its top, each line erases its own rest, and
    // what is below goes: nothing flickers.
    let begin = if looks == 0 { "\x1b[2J\x1b[H" } else { "\x1b[H" };
    write!(out, "{begin}{}\x1b[J", text.replace('\n', "\x1b[K\n"))
}

/// `: 3 file, 17 socket`, or nothing for none.
fn counts<'a>(counts: impl Iterator<Item = (&'a str, u32)>) -> String {
    let parts: Vec<String> = counts.map(|(name, n)| format!("{} {name}", phrase::grouped(u64::from(n)))).collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn state(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' => "sleeping",
        'D' => "waiting for a disk",
        'T' => "stopped",
        't' => "stopped by a tracer",
        'Z' => "ended, not yet waited for",
        'I' => "idle",
        _ => "ending",
    }
}

/// One line a look, for a pipe or a log: figures in columns under a header.
fn line(out: &mut impl Write, look: &Look, lines: u64) -> std::io::Result<()> {
    let f = look.floor;
    if lines == 0 {
        let heap = if look.heap.is_some() { format!(" {:>10}", "heap") } else { String::new() };
        writeln!(
            out,
            "{:>9} {:>10} {:>10} {:>10}{heap} {:>6} {:>7} {:>6}  sockets",
            "seconds", "rss", "anon", "vsz", "cpu%", "threads", "fds"
        )?;
    }
    let heap = look.heap.as_ref().map_or(String::new(), |heap| format!(" {:>10}", heap.size()));
    let states: Vec<String> = f.sockets.iter().map(|(state, n)| format!("{state}={n}")).collect();
    writeln!(
        out,
        "{:>9.1} {:>10} {:>10} {:>10}{heap} {:>6.1} {:>7} {:>6}  {}",
        look.seconds,
        phrase::bytes(f.rss as f64),
        phrase::bytes(f.rss_anon as f64),
        phrase::bytes(f.vsz as f64),
        look.cpu,
        f.threads,
        f.fds.total,
        states.join(" ")
    )
}
