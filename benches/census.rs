//! What a census of a PHP's heap costs: the copy, in which the process must rest, and the walk over it, by the number of
//! objects; then what it costs the server: the same load on the embedded PHP server in alternating bursts, with censuses
//! in the rests between them and without. The noise is a burst without divided by the one before.
//!
//!     cargo bench --bench census -- [--pairs N] [--quick]

#[path = "support/measure.rs"]
#[allow(dead_code)] // The benches use different parts of it.
mod measure;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use measure::{quartiles, version};
use profile_run::heap::{Census, CopyMode, Error, Inspector};
use serde_json::{Value, json};

/// Milliseconds that a census of 100,000 objects, and its copy, may take.
const MOST: [f64; 2] = [100.0, 20.0];
/// Messages of a burst.
const BURST: u64 = 3000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let quick = arguments.iter().any(|a| a == "--quick");
    let pairs = arguments.iter().position(|a| a == "--pairs").map(|at| arguments[at + 1].parse().expect("--pairs N"));
    let pairs: usize = pairs.unwrap_or(if quick { 2 } else { 25 });
    let sizes: &[u64] = if quick { &[1_000] } else { &[1_000, 100_000] };
    let costs: Vec<Value> = sizes.iter().map(|objects| cost(*objects, if quick { 5 } else { 50 })).collect();
    let server = throughput(pairs);
    let peers = json!({"php": version("php", "--version")});
    measure::keep("census", json!({"pairs": pairs, "quick": quick}), peers, json!({"costs": costs, "server": server}));
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A census once the process rests.
fn census(inspector: &Inspector) -> Census {
    loop {
        match inspector.census(CopyMode::IdleOnly) {
            Err(Error::Busy) => std::thread::sleep(Duration::from_millis(2)),
            other => return other.expect("a census"),
        }
    }
}

fn attach(pid: u32) -> Inspector {
    loop {
        match Inspector::attach(pid as i32) {
            Err(Error::Busy | Error::NotPhp) => std::thread::sleep(Duration::from_millis(5)),
            other => return other.expect("a PHP whose heap can be read"),
        }
    }
}

fn cost(objects: u64, rounds: usize) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/heap/leaks.php");
    let mut command = Command::new("php");
    command.args(["-n", "-d", "memory_limit=1G"]).arg(script).args(["array", &objects.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("php starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let child = Ended(child);
    writeln!(input, "0").and_then(|()| output.read_line(&mut String::new())).expect("it grows and waits");
    let inspector = attach(child.0.id());
    let (mut copies, mut walks, mut all, mut bytes) = (vec![], vec![], vec![], 0);
    for _ in 0..rounds {
        let begun = Instant::now();
        let census = census(&inspector);
        all.push(begun.elapsed().as_secs_f64() * 1e3);
        copies.push(census.cost.copy_ms);
        walks.push(census.cost.walk_ms);
        bytes = census.cost.bytes;
        assert!(census.classes.iter().any(|class| class.name == "Session" && class.count == objects));
    }
    let [all, copy, walk] = [&mut all, &mut copies, &mut walks].map(|values| quartiles(values));
    println!(
        "{objects:>7} objects, {:.1} MB copied: census {:.1} ms [{:.1} {:.1}] (at most {} at 100,000), copy {:.1} ms \
         [{:.1} {:.1}] (at most {}), walk {:.1} ms",
        bytes as f64 / 1e6,
        all[1],
        all[0],
        all[2],
        MOST[0],
        copy[1],
        copy[0],
        copy[2],
        MOST[1],
        walk[1],
    );
    json!({"objects": objects, "bytes": bytes, "census_ms": all, "copy_ms": copy, "walk_ms": walk, "at_most": MOST})
}

/// Seconds that a burst takes.
fn burst(address: &str) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["load", "-q", "-s", "4", "-m", &BURST.to_string(), address]).stdout(Stdio::null());
    let begun = Instant::now();
    assert!(command.status().expect("it runs").success());
    begun.elapsed().as_secs_f64()
}

fn throughput(pairs: usize) -> Value {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/smtp-server/bin/console");
    let mut command = Command::new("php");
    command.arg("-d").arg("xdebug.mode=off").arg(console).args(["smtp:serve", "--port", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("php starts");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let server = Ended(child);
    let mut line = String::new();
    while !line.contains("listening on ") {
        line.clear();
        assert!(output.read_line(&mut line).expect("its output") > 0, "it listens");
    }
    let address =
        line.split("listening on ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let inspector = attach(server.0.id());
    burst(address);
    let (mut ratios, mut noise, mut raw, mut censuses) = (vec![], vec![], vec![], 0);
    let mut before = burst(address);
    for _ in 0..pairs {
        for _ in 0..40 {
            census(&inspector);
            censuses += 1;
        }
        let with = burst(address);
        std::thread::sleep(Duration::from_millis(200));
        let after = burst(address);
        ratios.push((before + after) / 2.0 / with);
        noise.push(before / after);
        raw.push(json!([before, with, after]));
        before = after;
    }
    let [ratio, noise] = [&mut ratios, &mut noise].map(|values| quartiles(values));
    println!(
        "{censuses} censuses between bursts of {BURST} messages: throughput {:.3} [{:.3} {:.3}] of that without, noise \
         {:.3} [{:.3} {:.3}]",
        ratio[1], ratio[0], ratio[2], noise[1], noise[0], noise[2],
    );
    json!({"censuses": censuses, "messages": BURST, "throughput_ratio": ratio, "noise": noise, "raw": raw})
}
