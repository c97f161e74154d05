//! `analyze --format folded` against md5sum on the same cached file, whole processes in alternating pairs: a ratio is
//! our time divided by the mean of the two runs of md5sum beside it, the noise is a run of md5sum divided by the one
//! before. `wc -l` is the floor. The other readers of such files are run once, where they are installed. Then the parts
//! of the engine by themselves, in bytes of the file a second, and the most private memory for a file of any size.
//!
//!     cargo bench --bench calltree -- [--size 171MB] [--pairs N] [--memory 10GB] [--quick]

#[path = "support/measure.rs"]
mod measure;
#[path = "support/profile.rs"]
mod profile;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use measure::{quartiles, version, wait, which};
use profile_run::profile::{Options, Recorder, Vectors, read_bytes};
use serde_json::{Value, json};
use support::{chromium::Browser, speedscope};

/// Cores, with the most of md5sum's time that ours may take, and the aim beyond that.
const LINES: [(usize, f64, f64); 2] = [(1, 0.45, 0.4), (2, 0.25, 0.22)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let quick = arguments.iter().any(|a| a == "--quick");
    let value = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments[at + 1].as_str());
    let size = profile::size(value("--size").unwrap_or(if quick { "20MB" } else { "171MB" })).expect("--size as 171MB");
    let pairs = value("--pairs").map_or(if quick { 3 } else { 15 }, |pairs| pairs.parse().expect("--pairs N"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cachegrind.out.1");
    profile::write(&file, size).expect("the profile is written");
    let length = std::fs::metadata(&file).expect("it is there").len();
    println!("{length} bytes, {pairs} pairs");
    let lines: Vec<Value> = LINES.iter().map(|line| compare(*line, &file, pairs)).collect();
    let peers = if quick { Vec::new() } else { peers(&file, folder.path()) };
    let parts = parts(&file);
    let memory = value("--memory").map(|size| memory(profile::size(size).expect("--memory as 10GB"), folder.path()));
    let versions = json!({"md5sum": version("md5sum", "--version"), "wc": version("wc", "--version"),
        "valgrind": version("valgrind", "--version")});
    let asked = json!({"bytes": length, "pairs": pairs, "quick": quick});
    let measured = json!({"lines": lines, "peers": peers, "parts": parts, "memory": memory, "versions": versions});
    measure::keep("calltree", asked, json!({}), measured);
}

fn ours(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["analyze", "--format", "folded"]).arg(file);
    command
}

fn of(program: &str, arguments: &[&str], file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    command
}

/// Runs a command on some cores; wall time in seconds.
#[expect(clippy::zombie_processes, reason = "wait4 takes its end, for the usage that comes with it")]
fn time(mut command: Command, cores: usize) -> f64 {
    if cores == 1 {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
        command = pinned;
    }
    let begun = Instant::now();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let (status, _) = wait(&child);
    assert_eq!(status, 0, "{command:?}");
    begun.elapsed().as_secs_f64()
}

fn compare((cores, most, aim): (usize, f64, f64), file: &Path, pairs: usize) -> Value {
    let md5sum = || time(of("md5sum", &[], file), cores);
    let length = std::fs::metadata(file).map_or(0, |metadata| metadata.len()) as f64;
    time(ours(file), cores);
    let mut before = md5sum();
    let (mut ratios, mut noise, mut floor, mut seconds, mut theirs) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..pairs {
        let our = time(ours(file), cores);
        let after = md5sum();
        ratios.push(our / ((before + after) / 2.0));
        noise.push(after / before);
        floor.push(time(of("wc", &["-l"], file), cores));
        seconds.push(our);
        theirs.push(after);
        before = after;
    }
    let raw = json!({"ours": seconds, "md5sum": theirs, "wc": floor});
    let [ratio, noise, floor, seconds, theirs] =
        [&mut ratios, &mut noise, &mut floor, &mut seconds, &mut theirs].map(|values| quartiles(values));
    println!(
        "{cores} core{}  {:.2} [{:.2} {:.2}] of md5sum's time (at most {most}, the aim is {aim})  noise {:.2} [{:.2} {:.2}]  \
         {:.3} s, {:.2} GB/s; md5sum {:.3} s, wc -l {:.3} s",
        if cores == 1 { " " } else { "s" },
        ratio[1],
        ratio[0],
        ratio[2],
        noise[1],
        noise[0],
        noise[2],
        seconds[1],
        length / seconds[1] / 1e9,
        theirs[1],
        floor[1],
    );
    json!({"cores": cores, "ratio": ratio, "at_most": most, "aim": aim, "noise": noise, "seconds": seconds,
        "md5sum_seconds": theirs, "wc_seconds": floor, "raw": raw})
}

/// The other readers, once each.
fn peers(file: &Path, folder: &Path) -> Vec<Value> {
    let gprof2dot = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/gprof2dot");
    let commands = [
        ("callgrind_annotate", which("callgrind_annotate").then(|| of("callgrind_annotate", &[], file))),
        (
            "gprof2dot",
            gprof2dot
                .to_str()
                .filter(|program| Path::new(program).is_file())
                .map(|program| of(program, &["-f", "callgrind", "-o", "/dev/null"], file)),
        ),
    ];
    let mut results = Vec::new();
    for (name, command) in commands {
        let Some(command) = command else {
            println!("{name}: not installed");
            continue;
        };
        let (our, their) = (time(ours(file), 2), time(command, 2));
        println!("{name}: {their:.1} s, ours beside it {our:.2} s: {:.0} times", their / our);
        results.push(json!({"peer": name, "seconds": their, "ours": our}));
    }
    results.extend(in_a_browser(folder));
    results
}

/// speedscope's importer runs in a page, which takes no file as large as the others do.
fn in_a_browser(folder: &Path) -> Option<Value> {
    let small = folder.join("cachegrind.out.2");
    profile::write(&small, profile::size("20MB").expect("a size")).expect("the profile is written");
    let Some(page) = speedscope::page() else {
        println!("speedscope: not installed");
        return None;
    };
    let mut browser = Browser::start()?;
    let text = std::fs::read(&small).expect("the profile");
    let our = time(ours(&small), 2);
    let begun = Instant::now();
    let rows = speedscope::rows(&mut browser, &page, folder, &text);
    let their = begun.elapsed().as_secs_f64();
    assert!(!rows.is_empty(), "it shows functions");
    println!("speedscope: {their:.1} s for 20 MB, ours beside it {our:.3} s: {:.0} times", their / our);
    Some(json!({"peer": "speedscope", "bytes": text.len(), "seconds": their, "ours": our}))
}

/// The parts of the engine, each alone, the best of a few runs.
fn parts(file: &Path) -> Value {
    let text = std::fs::read(file).expect("the profile");
    let best = |work: &mut dyn FnMut() -> u64| {
        let run = |_| {
            let begun = Instant::now();
            std::hint::black_box(work());
            begun.elapsed().as_secs_f64()
        };
        let seconds = (0..5).map(run).fold(f64::MAX, f64::min);
        (seconds, text.len() as f64 / seconds / 1e9)
    };
    let with = |threads, streamed, vectors| {
        let options = Options { threads, streamed, vectors, ..Options::default() };
        read_bytes(Path::new("profile"), &text, &options).expect("it is a profile").records()
    };
    let whole = |threads, streamed| with(threads, streamed, Vectors::Widest);
    let mut lines: Vec<(&str, (f64, f64))> = Vec::new();
    lines.push(("ends of lines (memchr)", best(&mut || memchr::memchr_iter(b'\n', &text).count() as u64)));
    lines.push(("copy of the bytes", best(&mut || std::hint::black_box(text.clone()).len() as u64)));
    lines.push((
        "names, lexer and compact form, as bytes come",
        best(&mut || {
            let mut recorder = Recorder::new(Vec::new());
            text.chunks(1 << 16).for_each(|part| recorder.push(part).expect("memory"));
            recorder.finish().map_or(0, |_| 0)
        }),
    ));
    lines.push(("the same and the tree from its end", best(&mut || whole(1, true))));
    lines.push(("lexer and tree of a whole file, one thread", best(&mut || whole(1, false))));
    lines.push(("the same with SSE2 alone", best(&mut || with(1, false, Vectors::Common))));
    lines.push(("the same without vector instructions", best(&mut || with(1, false, Vectors::None))));
    lines.push(("the same with all, two threads", best(&mut || whole(2, false))));
    for (name, (seconds, speed)) in &lines {
        println!("{name:<46} {speed:>6.2} GB/s  {seconds:.3} s");
    }
    lines
        .iter()
        .map(|(name, (seconds, speed))| json!({"part": name, "seconds": seconds, "gb_a_second": speed}))
        .collect()
}

/// The most private memory while a file of this size is read.
#[expect(clippy::zombie_processes, reason = "wait4 takes its end")]
fn memory(size: u64, folder: &Path) -> Value {
    let file = folder.join("large");
    profile::write(&file, size).expect("room for the large profile");
    let length = std::fs::metadata(&file).expect("it is there").len();
    let begun = Instant::now();
    let child = ours(&file).stdout(Stdio::null()).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0u64;
    let private = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?.trim().strip_suffix(" kB")?;
        line.trim().parse::<u64>().ok()
    };
    while let Some(kilobytes) = std::fs::read_to_string(&status).ok().and_then(private) {
        most = most.max(kilobytes);
        std::thread::sleep(Duration::from_millis(2));
    }
    let (code, usage) = wait(&child);
    assert_eq!(code, 0);
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{length} bytes: at most {:.1} MB private memory (with mapped pages of the file {:.0} MB), {seconds:.1} s",
        most as f64 / 1e3,
        usage.ru_maxrss as f64 / 1e3
    );
    json!({"bytes": length, "private_kb": most, "resident_kb": usage.ru_maxrss, "seconds": seconds})
}
