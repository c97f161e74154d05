//! What it costs a server that each forked process has a profile of its own: a master with two workers under load, its
//! files followed, beside one under Xdebug that writes plain files, in alternating pairs with the noise of plain against
//! plain; and the price of one fork.
//!
//! `cargo bench --bench forks -- [--pairs N] [--messages N]`

#[path = "support/measure.rs"]
#[allow(dead_code)]
mod measure;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use measure::quartiles;
use profile_run::capture::{Followed, Follower, Separate};
use serde_json::json;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/forks.php");
const PORT: u16 = 2587;
const FORKS: u32 = 300;

/// Forks children that end at once, and says how long one took with its end, in microseconds.
const FORKING: &str = "$n = (int) $argv[1]; $t = hrtime(true); for ($i = 0; $i < $n; $i++) { if (($p = pcntl_fork()) === 0) \
                       { exit(0); } pcntl_waitpid($p, $s); } echo (hrtime(true) - $t) / 1000 / $n;";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str, other: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(other, |text| text.parse().expect("a number"))
    };
    let (pairs, messages) = (value("--pairs", 12), value("--messages", 2_000));
    let folder = tempfile::tempdir()?;
    let library = Separate::profiles(&folder.path().join("php"), Path::new("php"), None).map_err(io::Error::other)?;
    let preload = Some(library.preload.as_str());
    served(folder.path(), None, messages)?;
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    let (mut noise_rates, mut noise_cpus) = (Vec::new(), Vec::new());
    let (mut raw, mut forks) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        // Each goes first as often as the other.
        let (before, own, after) = (
            served(folder.path(), None, messages)?,
            served(folder.path(), preload, messages)?,
            served(folder.path(), None, messages)?,
        );
        rates.push(own.0 / ((before.0 + after.0) / 2.0));
        cpus.push(own.1 / ((before.1 + after.1) / 2.0));
        noise_rates.push(after.0 / before.0);
        noise_cpus.push(after.1 / before.1);
        raw.push(json!({"plain": before, "own_files": own, "plain_again": after}));
        forks.push([
            fork(folder.path(), None, false)?,
            fork(folder.path(), None, true)?,
            fork(folder.path(), preload, true)?,
        ]);
        println!(
            "pair {pair}: {:.3} of the rate, {:.3} of the CPU, noise {:.3}, {:.3}; fork {:?} us",
            rates[pair], cpus[pair], noise_rates[pair], noise_cpus[pair], forks[pair]
        );
    }
    let of = |at: usize| quartiles(&mut forks.iter().map(|three| three[at]).collect::<Vec<_>>());
    let fork_us = json!({"without_xdebug": of(0), "plain": of(1), "own_files": of(2), "raw": forks});
    let figures = json!({
        "messages_a_second": {"ratio": quartiles(&mut rates), "noise": quartiles(&mut noise_rates)},
        "server_cpu": {"ratio": quartiles(&mut cpus), "noise": quartiles(&mut noise_cpus)},
        "microseconds_a_fork": fork_us,
        "raw": raw,
    });
    println!(
        "rate {} CPU {} fork {}",
        figures["messages_a_second"], figures["server_cpu"], figures["microseconds_a_fork"]
    );
    let asked = json!({"pairs": pairs, "messages": messages, "workers": 2, "forks": FORKS});
    measure::keep("forks", asked, json!({"php": measure::version("php", "--version")}), figures);
    Ok(())
}

/// A php under Xdebug's profiler that writes into a folder.
fn php(profiles: &Path, preload: Option<&str>, xdebug: bool) -> Command {
    let mut command = Command::new("php");
    command.args(["-d", "xdebug.start_with_request=yes", "-d", "xdebug.use_compression=0"]);
    command.args(["-d", "xdebug.profiler_output_name=cachegrind.out.%p"]);
    command.arg("-d").arg(format!("xdebug.output_dir={}", profiles.display()));
    command.env("XDEBUG_MODE", if xdebug { "profile" } else { "off" });
    if let Some(preload) = preload {
        command.env("LD_PRELOAD", preload);
    }
    command
}

/// Messages a second and CPU seconds of a server under load. With the library its files are followed, too.
fn served(folder: &Path, preload: Option<&str>, messages: usize) -> io::Result<(f64, f64)> {
    let (profiles, counts) = (folder.join("profiles"), folder.join("counts"));
    [&profiles, &counts].iter().try_for_each(fs::create_dir_all)?;
    let mut command = php(&profiles, preload, true);
    command.args([SERVER, "workers", &PORT.to_string()]).arg(&counts).args(["2", "1000000"]);
    let mut server = command.stdin(Stdio::null()).spawn()?;
    let follower = preload.map(|_| follow(&profiles)).transpose()?;
    while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let begun = Instant::now();
    let load = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["load", "-s", "20", "-m", &messages.to_string(), "-l", "1000", &format!("127.0.0.1:{PORT}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let seconds = begun.elapsed().as_secs_f64();
    assert!(load.success(), "all messages are taken");
    let cpu = stop(&mut server)?;
    drop(follower.map(Follower::finish));
    fs::remove_dir_all(&profiles)?;
    Ok((messages as f64 / seconds, cpu))
}

fn follow(profiles: &Path) -> io::Result<Follower> {
    let place = profiles.to_path_buf();
    Follower::start(Followed {
        folder: profiles.to_path_buf(),
        before: Vec::new(),
        run: profiles.to_path_buf(),
        most: 2_000_000_000,
        keep_raw: false,
        make: Box::new(move |name: &OsStr| File::create_new(place.join(name))),
        process: None,
    })
}

/// CPU seconds of a server and its workers, which it ends.
fn stop(server: &mut Child) -> io::Result<f64> {
    let id = server.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let all: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([id]).collect();
    let ran = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    let cpu = all.iter().filter_map(ran).sum::<f64>() / 1e9;
    // The master first: it would replace its workers.
    for pid in all.iter().rev() {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid as i32), nix::sys::signal::Signal::SIGTERM);
    }
    server.wait()?;
    while all.iter().any(|pid| PathBuf::from(format!("/proc/{pid}")).exists()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(cpu)
}

/// Microseconds of a fork with the child's end.
fn fork(folder: &Path, preload: Option<&str>, xdebug: bool) -> io::Result<f64> {
    let profiles = folder.join("profiles");
    fs::create_dir_all(&profiles)?;
    let output = php(&profiles, preload, xdebug).args(["-r", FORKING, "--", &FORKS.to_string()]).output()?;
    fs::remove_dir_all(&profiles)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().map_err(|_| io::Error::other(format!("{text}{}", String::from_utf8_lossy(&output.stderr))))
}
