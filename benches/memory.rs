//! The most memory that whole processes take: `analyze` of a profile of two million distinct paths, each a thousand calls
//! deep, in every form of its output, and `report` of a run whose journal has 25 MB.
//!
//! `cargo bench --bench memory -- [RUN]`: RUN is the folder of a real run, whose waves are repeated until its journal is
//! as long.

#[path = "support/measure.rs"]
#[allow(dead_code)]
mod measure;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use profile_run::profile::{Options, read_paths};
use serde_json::{Value, json};

const CHAINS: u64 = 2_000;
const DEPTH: u64 = 1_000;
const JOURNAL: u64 = 25_000_000;

fn main() -> io::Result<()> {
    let run = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cachegrind.out.1");
    chains(&file)?;
    let paths = json!({"chains": CHAINS, "depth": DEPTH, "bytes": file.metadata()?.len()});
    let mut measured = Vec::new();
    for form in ["html", "folded", "speedscope", "pprof", "callgrind", "json"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.args(["analyze", "--format", form]).arg(&file);
        measured.push(peak(form, &mut command)?);
    }
    let tree = read_paths(&[file], &Options::default()).map_err(io::Error::other)?.tree;
    println!("{} paths, a tree of {} bytes", tree.len(), tree.bytes());
    let journal = run.map(|run| report(Path::new(&run), folder.path())).transpose()?;
    let tree = json!({"paths": tree.len(), "bytes": tree.bytes()});
    measure::keep(
        "memory",
        json!({"profile": paths, "tree": tree}),
        json!({}),
        json!({"analyze": measured, "report": journal}),
    );
    Ok(())
}

/// Calls of the script, each of which goes down a way of its own.
fn chains(path: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(
        b"version: 1\ncreator: xdebug 3.2.0\ncmd: a\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\nfl=(1) /srv/a.php\nfn=(1) boot\n1 5 0\n\n",
    )?;
    let (mut mains, mut known, mut sum) = (String::new(), std::collections::HashSet::new(), 10);
    for chain in 0..CHAINS {
        let mut below: Option<(u64, u64)> = None;
        for level in (0..DEPTH).rev() {
            let id = if level == 0 { 1_000 + chain } else { 2 + (chain * 7 + level * 13) % 500 };
            let own = 10 + chain;
            let name = if known.insert(id) { format!("({id}) f{id}") } else { format!("({id})") };
            write!(out, "fl=(1)\nfn={name}\n2 {own} 0\n")?;
            if let Some((callee, time)) = below {
                write!(out, "cfl=(1)\ncfn=({callee})\ncalls=1 0 0\n3 {time} 0\n")?;
            }
            out.write_all(b"\n")?;
            below = Some((id, own + below.map_or(0, |(_, time)| time)));
        }
        let (id, time) = below.expect("a chain");
        mains.push_str(&format!("cfl=(1)\ncfn=({id})\ncalls=1 0 0\n4 {time} 0\n"));
        sum += time;
    }
    write!(out, "fl=(1)\nfn=(999999) {{main}}\n1 5 0\n{mains}\nsummary: {sum} 0\n\n")?;
    out.flush()
}

/// Runs a command; what it took at most, resident and of its own.
fn peak(what: &str, command: &mut Command) -> io::Result<Value> {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let (mut highest, mut private) = (0, 0);
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        highest = highest.max(field(&text, "VmHWM:").unwrap_or(0));
        private = private.max(field(&text, "RssAnon:").unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let (ended, seconds) = (child.wait()?.code(), begun.elapsed().as_secs_f64());
    println!("{what}: {} MB at most, {} MB of its own, {seconds:.1} s, exit {ended:?}", highest / 1024, private / 1024);
    Ok(json!({"what": what, "high_water_kb": highest, "private_kb": private, "seconds": seconds, "exit": ended}))
}

/// A run's folder with its waves repeated, reported anew.
fn report(run: &Path, folder: &Path) -> io::Result<Value> {
    let copy = folder.join("run");
    let copied = Command::new("cp").arg("-r").arg(run).arg(&copy).status()?;
    assert!(copied.success(), "the run is copied");
    let text = fs::read_to_string(run.join("journal.jsonl"))?;
    let lines: Vec<&str> = text.lines().collect();
    let wave = |line: &str| {
        serde_json::from_str::<Value>(line).is_ok_and(|event| {
            event["pass"] == "measure"
                && event["wave"].as_u64().is_some_and(|wave| wave > 0)
                && event["event"] != "census"
        })
    };
    let last = lines.iter().rposition(|line| wave(line)).ok_or_else(|| io::Error::other("a run without waves"))?;
    let of = serde_json::from_str::<Value>(lines[last])?;
    let repeated: Vec<Value> = lines
        .iter()
        .filter(|line| wave(line))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["scenario"] == of["scenario"])
        .collect();
    let most = repeated.iter().filter_map(|event| event["wave"].as_u64()).max().unwrap_or(1);
    let path = copy.join("journal.jsonl");
    let mut out = BufWriter::new(File::create(&path)?);
    let mut written = 0;
    let mut put = |line: &str| -> io::Result<u64> {
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        written += line.len() as u64 + 1;
        Ok(written)
    };
    lines[..=last].iter().try_for_each(|line| put(line).map(drop))?;
    let mut round = 1;
    let mut length = 0;
    while length < JOURNAL {
        for event in &repeated {
            let mut event = event.clone();
            event["wave"] = json!(event["wave"].as_u64().unwrap_or(1) + round * most);
            length = put(&event.to_string())?;
        }
        round += 1;
    }
    lines[last + 1..].iter().try_for_each(|line| put(line).map(drop))?;
    out.flush()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let took = peak("report", command.arg("report").arg(&copy))?;
    println!("a journal of {} bytes, {} waves", path.metadata()?.len(), round * most);
    Ok(json!({"journal": path.metadata()?.len(), "waves": round * most, "took": took}))
}
