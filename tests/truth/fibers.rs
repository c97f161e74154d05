//! A server on Revolt, whose loop and callbacks run in fibers: its leaks in whole runs, each with what holds it, the line
//! that puts it in, and the line of the server that calls into the library. `PROFILE_RUN_TRUTH` runs them, as Revolt is
//! no package of every Debian: `tests/install-tools.sh truth` unpacks sid's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use profile_run::heap::{CopyMode, Inspector};
use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/revolt.php");
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/revolt/tree/usr/share/php/Revolt");

struct Case {
    kind: &'static str,
    /// What the sentence says that it keeps.
    holder: &'static str,
    /// The file that puts it in: the server's own, or the library's.
    own: bool,
}

const CASES: [Case; 4] = [
    Case { kind: "list", holder: "`Server->list[]` keeps one `string` for every message.", own: true },
    Case {
        kind: "timer",
        holder: "`StreamSelectDriver->callbacks[]` keeps one `TimerCallback` for every message.",
        own: false,
    },
    Case {
        kind: "readable",
        holder: "`StreamSelectDriver->callbacks[]` keeps one `StreamReadableCallback` for every message.",
        own: false,
    },
    Case { kind: "waiting", holder: "`Server->waiting[]` keeps one `DriverSuspension` for every message.", own: true },
];

/// Lines of a script that hold a text.
fn lines_with(script: &Path, text: &str) -> Vec<u64> {
    let script = std::fs::read_to_string(script).expect("a script");
    script.lines().zip(1..).filter(|(line, _)| line.contains(text)).map(|(_, at)| at).collect()
}

/// Puts Revolt where Composer would.
fn vendor(folder: &Path) -> PathBuf {
    let to = folder.join("vendor/revolt");
    std::fs::create_dir_all(&to).expect("a folder");
    let copied = Command::new("cp").arg("-r").arg(PACKAGE).arg(&to).status().expect("cp");
    assert!(copied.success(), "Revolt is not here: `sh tests/install-tools.sh truth` unpacks it");
    to.join("Revolt/EventLoop")
}

fn run(kind: &str, folder: &Path, library: &Path) -> (Value, String) {
    let out = folder.join(kind);
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--load", "sequential", "--budget", "80s", "--rest", "3s", "--ledger", "off", "--out"])
        .arg(&out)
        .args(["--", "php", SERVER, "0", kind])
        .env("REVOLT", library.join("autoload.php"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let result = std::fs::read(out.join("result.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    (serde_json::from_slice(&result).expect("JSON"), said)
}

fn check(case: &Case, folder: &Path, library: &Path) {
    let (result, said) = run(case.kind, folder, library);
    assert_eq!(result["verdict"], "leak", "{}: {said}", case.kind);
    assert!(result["sentence"].as_str().is_some_and(|text| text.ends_with(case.holder)), "{}: {said}", case.kind);
    let findings = result["findings"].as_array().expect("findings");
    let heap = findings.iter().find(|finding| finding["metric"] == "heap").expect("a heap");
    let of = |role: &str| -> Vec<(String, u64)> {
        let all = heap["locations"].as_array().expect("locations").iter().filter(|at| at["role"] == role);
        let file = |at: &Value| at["file"].as_str().and_then(|file| file.rsplit('/').next()).unwrap_or("").to_owned();
        all.map(|at| (file(at), at["line"].as_u64().expect("a line"))).collect()
    };
    let in_server = |role: &str| {
        let lines = lines_with(Path::new(SERVER), &format!("// {} {role}", case.kind));
        lines.into_iter().map(|line| ("revolt.php".to_owned(), line)).collect::<Vec<_>>()
    };
    if case.own {
        assert_eq!(of("puts_in"), in_server("puts"), "{}: {heap:#}", case.kind);
        return;
    }
    let text = if case.kind == "timer" { "] = $timerCallback;" } else { "callbacks[$streamCallback->id] = $" };
    let mut lines = lines_with(&library.join("Internal/AbstractDriver.php"), text);
    let is_of_callbacks =
        |line: &u64| lines_with(&library.join("Internal/AbstractDriver.php"), "$this->callbacks[").contains(line);
    lines.retain(is_of_callbacks);
    if case.kind == "readable" {
        // The second one makes callbacks for writing.
        lines.truncate(1);
    }
    let puts: Vec<(String, u64)> = lines.into_iter().map(|line| ("AbstractDriver.php".to_owned(), line)).collect();
    assert_eq!(of("puts_in"), puts, "{}: {heap:#}", case.kind);
    assert_eq!(of("calls").first(), in_server("calls").first(), "{}: {heap:#}", case.kind);
    let named = format!("called from revolt.php:{} once per message, as often as it grows", in_server("calls")[0].1);
    assert!(said.contains(&named), "{}: {said}", case.kind);
}

#[test]
fn a_server_on_revolt_is_read_like_any_other() {
    let only = std::env::var("PROFILE_RUN_CASES").unwrap_or_default();
    if std::env::var("PROFILE_RUN_TRUTH").is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let library = vendor(folder.path());
    for case in CASES.iter().filter(|case| only.is_empty() || case.kind.contains(&only)) {
        check(case, folder.path(), &library);
        println!("{:<10} {}", case.kind, case.holder);
    }
    if only.is_empty() {
        let (result, said) = run("none", folder.path(), &library);
        assert_eq!(result["verdict"], "clean", "{said}");
    }
}

/// At rest the loop waits in its fiber, which the main script has started.
#[test]
fn the_stack_goes_through_the_loops_fiber() {
    if std::env::var("PROFILE_RUN_TRUTH").is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let library = vendor(folder.path());
    let php = std::env::var("PROFILE_RUN_PHP").unwrap_or_else(|_| "php".to_owned());
    let mut child = Command::new(php)
        .args(["-n", SERVER, "0", "none"])
        .env("REVOLT", library.join("autoload.php"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("php");
    let mut first = String::new();
    let mut said = std::io::BufReader::new(child.stdout.take().expect("its output"));
    std::io::BufRead::read_line(&mut said, &mut first).expect("a line");
    let stack = Inspector::attach(child.id() as i32).and_then(|php| php.stack(CopyMode::MayStop));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let stack = stack.expect("a stack");
    let functions: Vec<&str> = stack.iter().map(|frame| frame.function.rsplit('\\').next().unwrap_or("")).collect();
    assert_eq!(functions.first(), Some(&"stream_select"), "{functions:?}");
    for frame in ["StreamSelectDriver->dispatch", "Fiber->start", "EventLoop::run"] {
        assert!(functions.contains(&frame), "{frame}: {functions:?}");
    }
    assert_eq!(functions.last(), Some(&"{main}"), "{functions:?}");
}
