//! Instructions per message of one build and of a build that does one `preg_match` more for each message, on a quiet machine
//! and beside hogs; twenty pairs of the same build. Only with `PROFILE_RUN_TRUTH`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server");

/// Tries of one build differ by less.
const SPREAD: f64 = 0.001;

/// Processes that take every processor twice; they end with this.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Self {
        let hog = |_| Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().expect("sh");
        Self((0..2 * std::thread::available_parallelism().map_or(2, usize::from)).map(hog).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

fn copy(to: &Path) {
    for entry in walkdir::WalkDir::new(FIXTURE) {
        let entry = entry.expect("the fixture is readable");
        let to = to.join(entry.path().strip_prefix(FIXTURE).expect("below the fixture"));
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(to).expect("a folder"),
            false => drop(fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}

/// Counts, and gives back the run's folder.
fn count(place: &Path, server: &str, run: &str) -> PathBuf {
    let out = place.join(run);
    let console = place.join(server).join("bin/console");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--passes", "count", "--load", "sequential", "--full", "--quiet", "--out"])
        .arg(&out)
        .args(["--", "php"])
        .arg(console)
        .args(["smtp:serve", "--port", "0", "-v"])
        .env_remove("SMTP_FAULT")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{run}: {}", String::from_utf8_lossy(&output.stderr));
    out
}

fn row(run: &Path) -> Value {
    let text = fs::read(run.join("result.json")).expect("a result");
    let result: Value = serde_json::from_slice(&text).expect("JSON");
    result["instructions"]["scenarios"][0].clone()
}

/// The exit code of `compare`, and what became of the instructions.
fn compared(base: &Path, new: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["compare", "--json"])
        .args([base, new])
        .output()
        .expect("it runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code(), said["instructions"][0]["change"].as_str().unwrap_or("none").to_owned())
}

#[test]
fn a_build_counts_the_same_and_one_more_match_is_found() {
    // What is short stands in tests/it.
    if std::env::var_os("PROFILE_RUN_TRUTH").is_none() {
        return;
    }
    let runs = 10;
    let place = tempfile::tempdir().expect("a folder");
    // Paths of one length: a longer one costs instructions, too.
    for server in ["base", "more"] {
        copy(&place.path().join(server));
    }
    let file = place.path().join("more/src/Message.php");
    let code = fs::read_to_string(&file).expect("code");
    let line = "$this->content = $content;";
    assert!(code.contains(line));
    let more = format!("{line}\n        preg_match('/^Subject: (.*)$/m', $content, $found);");
    fs::write(file, code.replace(line, &more)).expect("code");

    let all = |server: &str, kind: &str| -> Vec<PathBuf> {
        (0..runs).map(|at| count(place.path(), server, &format!("{kind}-{at}"))).collect()
    };
    let quiet = all("base", "quiet");
    let hogs = Hogs::start();
    let beside = all("base", "beside");
    drop(hogs);
    let changed = all("more", "changed");
    for run in quiet.iter().chain(&beside).chain(&changed) {
        let row = row(run);
        println!(
            "{:>9}: {} spread {}",
            run.file_name().unwrap_or_default().to_string_lossy(),
            row["value"],
            row["spread"]
        );
        assert!(row["spread"].as_f64().expect("a spread") < SPREAD, "{row}");
    }
    let values: Vec<f64> =
        quiet.iter().chain(&beside).map(|run| row(run)["value"].as_f64().expect("a value")).collect();
    let (least, most) = values.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), value| (a.min(*value), b.max(*value)));
    println!("{} runs of one build: {least} to {most}, {:.4}%", values.len(), (most / least - 1.0) * 100.0);
    assert!(most / least - 1.0 < SPREAD, "{values:?}");

    let same: Vec<&PathBuf> = quiet.iter().chain(&beside).collect();
    for (at, base) in same.iter().enumerate() {
        let (code, change) = compared(base, same[(at + 1) % same.len()]);
        assert_eq!((code, change.as_str()), (Some(0), "same"), "pair {at}");
    }
    println!("{} pairs of one build: no claim", same.len());
    for (base, new) in quiet.iter().zip(&changed) {
        assert_eq!(compared(base, new), (Some(1), "worse".to_owned()));
        let (was, is) = (row(base)["value"].as_f64().unwrap_or(0.0), row(new)["value"].as_f64().unwrap_or(0.0));
        println!("one more preg_match: {was} to {is}, {:+.2}%", (is / was - 1.0) * 100.0);
    }
}
