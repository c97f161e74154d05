//! Leaks through a library: the line of the program itself that calls into it is named by its rate, or several are listed
//! with theirs. The short form has one; `PROFILE_RUN_TRUTH` runs all.

use std::process::{Command, Stdio};

use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/library-server/server.php");

struct Case {
    leak: &'static str,
    /// Where the library puts it in.
    file: &'static str,
    /// One line alone has the leak's rate.
    sole: bool,
    short: bool,
}

const CASES: [Case; 4] = [
    Case { leak: "timer", file: "events/Timers.php", sole: true, short: true },
    Case { leak: "listener", file: "events/Emitter.php", sole: true, short: false },
    Case { leak: "entity", file: "orm/UnitOfWork.php", sole: true, short: false },
    Case { leak: "logger", file: "log/BufferHandler.php", sole: false, short: false },
];

/// The lines of a script that end in a comment, by number.
fn told(script: &str, comment: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(script).expect("a script");
    text.lines().zip(1..).filter(|(line, _)| line.ends_with(&format!("// {comment}"))).map(|(_, at)| at).collect()
}

fn check(case: &Case) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--load", "sequential", "--budget", "80s", "--rest", "3s", "--ledger", "off", "--out"])
        .arg(folder.path().join("run"))
        .args(["--", "php", SERVER, "0"])
        .env("LEAK", case.leak)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let result = std::fs::read(folder.path().join("run/result.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    let findings = result["findings"].as_array().expect("findings");
    let heap = findings.iter().find(|finding| finding["metric"] == "heap" && finding["state"] == "leak");
    let heap = heap.unwrap_or_else(|| panic!("{}: no leak: {said}", case.leak));
    let of = |role: &'static str| {
        let all = heap["locations"].as_array().expect("locations");
        all.iter().filter(move |at| at["role"] == role).collect::<Vec<_>>()
    };
    let script = SERVER.replace("server.php", &format!("vendor/{}", case.file));
    let puts: Vec<u64> = of("puts_in").iter().map(|at| at["line"].as_u64().expect("a line")).collect();
    assert_eq!(puts, told(&script, &format!("{} puts", case.leak)), "{}: {heap:#}", case.leak);
    assert!(of("puts_in").iter().all(|at| at["file"].as_str().is_some_and(|file| file.ends_with(case.file))), "{said}");
    let calls = of("calls");
    let rate = |at: &Value| at["per_1000"].as_f64().unwrap_or_else(|| panic!("no rate: {heap:#}"));
    let kept = heap["holders"][0]["per_1000"].as_f64().expect("a rate");
    assert!(calls.iter().all(|at| at["file"].as_str().is_some_and(|file| file.ends_with("/server.php"))), "{heap:#}");
    if case.sole {
        let blamed = told(SERVER, &format!("{} calls", case.leak));
        assert_eq!(calls[0]["line"].as_u64(), blamed.first().copied(), "{}: {heap:#}", case.leak);
        assert!((rate(calls[0]) - kept).abs() < 0.05 * kept, "{}: {} and {kept}", case.leak, rate(calls[0]));
        let named = format!("called from server.php:{}", blamed[0]);
        assert!(said.contains(&named) && said.contains(", as often as it grows"), "{}: {said}", case.leak);
    } else {
        // What several lines put in together none of them does alone.
        assert!(calls.len() > 1 && !said.contains("as often as it grows"), "{}: {said}", case.leak);
        let sum: f64 = calls.iter().map(|at| rate(at)).sum();
        assert!((sum - kept).abs() < 0.05 * kept, "{}: {sum} and {kept}", case.leak);
    }
    println!("{:<10} {} in {} calls of server.php", case.leak, calls[0]["line"], calls.len());
}

#[test]
fn the_line_that_calls_into_a_library_is_named_by_its_rate() {
    let all = std::env::var("PROFILE_RUN_TRUTH").is_ok();
    let only = std::env::var("PROFILE_RUN_CASES").unwrap_or_default();
    let chosen = |case: &&Case| (all || case.short) && (only.is_empty() || case.leak.contains(&only));
    CASES.iter().filter(chosen).for_each(check);
}
