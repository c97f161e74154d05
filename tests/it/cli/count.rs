//! Instructions per message in whole runs under valgrind: exact from run to run, a change found, what cannot be counted said.
//! The long form stands in tests/truth/count.rs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::main_job::{Run, text};
use super::recorded::{Recorded, profile_run};
use crate::support::tools::missing;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server");

/// A server that serves each connection in a process of its own; `hard` has itself killed where it is asked to end.
const FORKING: &str = r"<?php
$server = stream_socket_server('tcp://127.0.0.1:0');
pcntl_signal(SIGCHLD, SIG_IGN);
if (($argv[1] ?? '') === 'hard') {
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, fn () => exec('kill -9 ' . posix_getpid()));
}
for ($i = 0, $past = 0; $i < 500000; $i++) { $past += $i; }
while (true) {
    $client = @stream_socket_accept($server, 3600);
    if (!$client) { continue; }
    if (pcntl_fork() === 0) {
        fwrite($client, $said = '220 x' . chr(13) . chr(10));
        while (($line = fgets($client)) !== false) {
            $quit = strncasecmp($line, 'QUIT', 4) === 0;
            fwrite($client, ($quit ? '221' : '250') . ' x' . chr(13) . chr(10));
            if ($quit) { break; }
        }
        exit(0);
    }
    fclose($client);
}
";

fn there() -> bool {
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok_and(|it| it.success());
    !missing(found, "valgrind", "valgrind")
}

/// A copy of the embedded server that a test may write into.
fn copy(place: &Path) -> PathBuf {
    let copy = place.join("server");
    for entry in walkdir::WalkDir::new(FIXTURE) {
        let entry = entry.unwrap();
        let to = copy.join(entry.path().strip_prefix(FIXTURE).unwrap());
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(to).unwrap(),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
    copy
}

/// One more `preg_match` for each message.
fn match_once_more(server: &Path) {
    let file = server.join("src/Message.php");
    let code = fs::read_to_string(&file).unwrap();
    let line = "$this->content = $content;";
    let more = format!("{line}\n        preg_match('/^Subject: (.*)$/m', $content, $found);");
    assert!(code.contains(line));
    fs::write(file, code.replace(line, &more)).unwrap();
}

fn server(console: &Path) -> Vec<String> {
    ["php", console.to_str().unwrap(), "smtp:serve", "--port", "0", "-v"].map(str::to_owned).to_vec()
}

fn count(options: &[&str], server: &[String]) -> (Run, Output, Value) {
    let run = Run::new();
    let server: Vec<&str> = server.iter().map(String::as_str).collect();
    let output = run.run(&[&["--passes", "count", "--load", "sequential", "--full"], options].concat(), &server);
    let result = run.result();
    (run, output, result)
}

#[test]
fn a_count_is_exact_and_one_more_match_is_found() {
    if !there() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let console = copy(place.path()).join("bin/console");
    let (base, output, result) = count(&[], &server(&console));
    let counted = &result["instructions"];
    assert_eq!((output.status.code(), &counted["status"]), (Some(0), &json!("counted")), "{}", text(&output));
    let row = &counted["scenarios"][0];
    assert_eq!((&row["loads"], &row["per"], &row["limit"]), (&json!([50, 150]), &json!("message"), &json!(0.005)));
    assert!(row["spread"].as_f64().unwrap() < 0.001, "{row}");
    let value = row["value"].as_f64().unwrap();
    // What functions need is what all of it needs.
    let functions = row["functions"].as_array().unwrap();
    let sum: f64 = functions.iter().map(|function| function["instructions"].as_f64().unwrap()).sum();
    assert!(sum > 0.7 * value && sum <= value * 1.001, "{sum} of {value}");
    let builds = counted["conditions"]["builds"].as_array().unwrap();
    let has = |start: &str| builds.iter().any(|build| build["file"].as_str().unwrap().starts_with(start));
    assert!(has("php") && has("libc.so") && !has("profile-run") && !has("vgpreload"), "{builds:?}");
    // The file that is named is there, whole, and `analyze` reads it.
    let file = base.out().join(row["files"][0].as_str().unwrap());
    assert_eq!(fs::read_dir(base.out().join("count")).unwrap().count(), 2, "of both loads of the first try");
    let mut analyze = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let analyzed = analyze.args(["analyze", "--format", "json"]).arg(&file).output().unwrap();
    let analyzed: Value = serde_json::from_slice(&analyzed.stdout).unwrap();
    assert_eq!(analyzed["profile"]["complete"], true, "{}", file.display());

    fs::write(
        place.path().join("held.toml"),
        "thresholds = [\"instructions > +0.5%\", \"instructions > 900000 per message\"]",
    )
    .unwrap();
    let config = place.path().join("held.toml");
    let baseline = base.out();
    let against = ["--baseline", baseline.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let (_run, output, result) = count(&against, &server(&console));
    let same = &result["baseline"]["instructions"][0];
    assert_eq!((output.status.code(), &same["change"]), (Some(0), &json!("same")), "{}", text(&output));
    assert!(result["thresholds"].as_array().unwrap().iter().all(|row| row["held"] == true), "{}", result["thresholds"]);

    match_once_more(&place.path().join("server"));
    let (_run, output, result) = count(&against, &server(&console));
    let worse = &result["baseline"]["instructions"][0];
    assert_eq!((output.status.code(), &worse["change"]), (Some(1), &json!("worse")), "{}", text(&output));
    let held: Vec<&Value> = result["thresholds"].as_array().unwrap().iter().map(|row| &row["held"]).collect();
    assert_eq!(held, [&json!(false), &json!(true)], "{}", result["thresholds"]);
    let evidence = result["evidence"].to_string();
    assert!(evidence.contains("instructions per message of `sequential` went from"), "{evidence}");
}

#[test]
fn beside_the_other_passes_it_changes_nothing_of_theirs() {
    if !there() {
        return;
    }
    let run = Run::new();
    let server = server(&Path::new(FIXTURE).join("bin/console"));
    let server: Vec<&str> = server.iter().map(String::as_str).collect();
    let output = run.run(&["--load", "smoke", "--budget", "10s", "--count"], &server);
    let result = run.result();
    assert!(result["instructions"]["scenarios"][0]["limit"].is_number(), "{}", text(&output));
    assert!(result["profile"].is_object(), "{}", text(&output));
    let missing = result["not_measured"].to_string();
    assert!(!missing.contains("count pass") && !missing.contains("Instructions"), "{missing}");
    let passes = |list: &str| -> Vec<String> {
        let rows = result[list].as_array().unwrap().iter();
        let mut passes: Vec<String> = rows.map(|row| row["pass"].as_str().unwrap().to_owned()).collect();
        passes.sort();
        passes.dedup();
        passes
    };
    assert_eq!((passes("waves"), passes("load")), (vec!["measure".to_owned(), "profile".to_owned()], passes("waves")));
    // Under valgrind its memory is not its own.
    let journal = fs::read_to_string(run.out().join("journal.jsonl")).unwrap();
    let launched = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let counting = launched.into_iter().find(|line| line["event"] == "launch" && line["pass"] == "count").unwrap();
    let samples = fs::read_to_string(run.out().join("samples.jsonl")).unwrap();
    let last: Value = serde_json::from_str(samples.lines().last().unwrap()).unwrap();
    assert!(last[0].as_f64().unwrap() < counting["t"].as_f64().unwrap(), "{last}");
}

#[test]
fn forked_processes_begin_at_nothing_and_one_that_is_killed_is_missed() {
    // A start of PHP under valgrind for each fork: minutes on a busy machine.
    if std::env::var_os("PROFILE_RUN_TRUTH").is_none() {
        return;
    }
    if !there() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let script = place.path().join("forking.php");
    fs::write(&script, FORKING).unwrap();
    let command = |mode: &str| ["php", script.to_str().unwrap(), mode].map(str::to_owned).to_vec();
    let of = |mode: &str| {
        let run = Run::new();
        let command = command(mode);
        let server: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = run.run(&["--passes", "count", "--load", "handshake", "--full"], &server);
        (run.result()["instructions"]["scenarios"][0].clone(), text(&output))
    };
    let (row, said) = of("soft");
    // The parent has started a PHP, some 30 million instructions, and run its loop; a child only ends one.
    assert!(row["processes"].as_u64().unwrap() > 150, "{said}");
    assert!(row["value"].as_f64().unwrap() < 12_000_000.0 && row["limit"].as_f64().is_some(), "{}{said}", row["value"]);
    let (row, said) = of("hard");
    // callgrind makes its file at the start and fills it at the end.
    assert!(row["unjudged"]["file_cut"].is_i64() && row["limit"].is_null(), "{}{said}", row["unjudged"]);
}

#[test]
fn without_valgrind_the_run_goes_on_and_says_what_to_install() {
    let place = tempfile::tempdir().unwrap();
    let paths = std::env::var_os("PATH").unwrap();
    for tool in ["php", "sh", "git"] {
        let mut found = std::env::split_paths(&paths).map(|folder| folder.join(tool));
        let found = found.find(|path| path.is_file()).unwrap_or_else(|| panic!("{tool} is there"));
        symlink(found, place.path().join(tool)).unwrap();
    }
    let run = Run::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["--passes", "count", "--load", "smoke", "--out"]).arg(run.out()).arg("--");
    command.args(server(&Path::new(FIXTURE).join("bin/console"))).env("PATH", place.path());
    let output = command.current_dir(run.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("apt-get install valgrind"), "{}", text(&output));
    let result = run.result();
    assert_eq!(result["instructions"]["status"], "no_valgrind");
    assert!(fs::read_to_string(run.out().join("summary.md")).unwrap().contains("apt-get install valgrind"));
    assert!(!run.out().join("count").exists());
}

#[test]
fn an_interrupted_count_leaves_no_process_and_no_half_file() {
    if !there() {
        return;
    }
    let run = Run::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["--passes", "count", "--load", "sequential", "--out"]).arg(run.out()).arg("--");
    let mut server = server(&Path::new(FIXTURE).join("bin/console"));
    server.splice(1..1, ["-d".to_owned(), "user_agent=interrupted-count".to_owned()]);
    command.args(server);
    let mut child = command.current_dir(run.folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Its second launch has begun.
    let journal = run.out().join("journal.jsonl");
    let end = Instant::now() + Duration::from_secs(120);
    let launches = || fs::read_to_string(&journal).unwrap_or_default().matches("\"event\":\"launch\"").count();
    while launches() < 2 {
        assert!(Instant::now() < end, "it is launched twice");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(super::main_job::nothing_is_left("user_agent=interrupted-count"));
    let result = run.result();
    assert!(!run.out().join("count").exists(), "no try was complete");
    assert_eq!(result["instructions"]["scenarios"], json!([]));
    assert_eq!(result["exit_code"], 130);
}

/// A recorded run that has counted: tries of `sequential` around `value` that differ by `part` of it, on a libc of `build`.
fn recorded(value: f64, part: f64, build: &str, thresholds: &[&str]) -> Recorded {
    let run = Recorded::run("clean").with_plan(|line| {
        line["plan"]["passes"].as_array_mut().unwrap().push(json!("count"));
        line["settings"]["thresholds"] = json!(thresholds);
    });
    let tries = [value, value * (1.0 + part), value].map(|try_| try_.round() as u64);
    let mut added: Vec<Value> = vec![json!({ "event": "counter", "t": 40.0, "status": "counted", "conditions": {
        "valgrind": "3.19.0", "php": "8.2.36", "features": ["amd64", "avx2"],
        "builds": [{ "file": "libc.so.6", "build": build }] } })];
    added.extend(tries.iter().zip(1..).map(|(cost, number)| {
        json!({ "event": "counted", "t": 40.0, "scenario": "sequential", "number": number, "per": "message", "bytes": 100,
            "loads": [50, 150], "instructions": [40_000_000, 40_000_000 + 100 * cost], "processes": [1, 1] })
    }));
    let path = run.folder.join("journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    let (before, end) = journal.trim_end().rsplit_once('\n').unwrap();
    let added: Vec<String> = added.iter().map(Value::to_string).collect();
    fs::write(&path, format!("{before}\n{}\n{end}\n", added.join("\n"))).unwrap();
    run.report();
    run
}

/// What became of the instructions between two runs, the exit code of `compare`, and what it said.
fn compared(base: &Recorded, new: &Recorded) -> (Value, Option<i32>, String) {
    let paths = [base.folder.as_path(), new.folder.as_path()];
    let json: Value = serde_json::from_slice(&profile_run(&["compare", "--json"], &paths).stdout).unwrap();
    let said = profile_run(&["compare"], &paths);
    (json["instructions"][0]["change"].clone(), said.status.code(), text(&said))
}

#[test]
fn another_build_is_named_and_nothing_is_judged() {
    let base = recorded(160_000.0, 0.0, "aaaa", &[]);
    for (value, part, build, change, code) in [
        (160_500.0, 0.0, "aaaa", "same", 0),
        (161_000.0, 0.0, "aaaa", "worse", 1),
        (159_000.0, 0.0, "aaaa", "better", 0),
        // A server that polls: three times its spread is 2.7%.
        (163_000.0, 0.009, "aaaa", "same", 0),
        (166_000.0, 0.009, "aaaa", "worse", 1),
        (300_000.0, 0.05, "aaaa", "unknown", 0),
        (200_000.0, 0.0, "bbbb", "unknown", 0),
    ] {
        let (said, exit, text) = compared(&base, &recorded(value, part, build, &[]));
        assert_eq!((said, exit), (json!(change), Some(code)), "{value} {part} {build}: {text}");
        let named = text.contains("the build of libc.so.6: aaaa, now bbbb");
        assert_eq!(named, build == "bbbb", "{text}");
    }
}

#[test]
fn thresholds_hold_what_was_counted_and_nothing_else() {
    let base = recorded(160_000.0, 0.0, "aaaa", &[]);
    let relative = "instructions > +0.5%";
    for (value, part, build, condition, held, unmeasured) in [
        (160_500.0, 0.0, "aaaa", relative, true, Value::Null),
        (161_000.0, 0.0, "aaaa", relative, false, Value::Null),
        (160_000.0, 0.009, "aaaa", relative, false, json!("unsteady")),
        (160_000.0, 0.0, "bbbb", relative, false, json!("other_conditions")),
        (160_000.0, 0.0, "bbbb", "instructions > 160000 per message", true, Value::Null),
        (160_001.0, 0.0, "bbbb", "instructions > 160000 per message", false, Value::Null),
        (160_000.0, 0.0, "aaaa", "instructions > 160000 per message in large", false, json!("not_measured")),
    ] {
        let run = recorded(value, part, build, &[condition]);
        let output = profile_run(&["report", "--baseline"], &[&base.folder, &run.folder]);
        assert!(output.status.success(), "{}", text(&output));
        let row = run.result()["thresholds"][0].clone();
        assert_eq!((&row["held"], &row["unmeasured"]), (&json!(held), &unmeasured), "{value} {part} {build}: {row}");
    }
    let alone = recorded(160_000.0, 0.0, "aaaa", &[relative]).result()["thresholds"][0].clone();
    assert_eq!((&alone["held"], &alone["unmeasured"]), (&json!(false), &json!("no_baseline")));
}
