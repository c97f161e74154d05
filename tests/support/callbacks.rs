//! A server that gives the engine a callback of each message, in a whole run: a leak, whose holder is named in its sentence
//! by the function that adds to it.

use std::process::{Command, Stdio};

use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/callbacks.php");

/// Kinds of the server, the function that adds to what leaks, and what it keeps.
pub const KINDS: [(&str, &str, &str); 6] = [
    ("shutdown", "register_shutdown_function", "array"),
    ("error", "set_error_handler", "array"),
    ("exception", "set_exception_handler", "array"),
    ("autoload", "spl_autoload_register", "Session"),
    ("buffer", "ob_start", "output buffer"),
    ("tick", "register_tick_function", "array"),
];

/// Runs the server and holds its result against what is known of it.
#[track_caller]
pub fn check((kind, function, keeps): (&str, &str, &str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["--load", "sequential", "--budget", "90s", "--rest", "3s", "--passes", "measure", "--ledger", "off"])
        .arg("--out")
        .arg(&run)
        .args(["--", "php", SERVER, "0", kind])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let result = std::fs::read(run.join("result.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    assert_eq!(result["verdict"], "leak", "{kind}: {said}");
    let sentence = result["sentence"].as_str().expect("a sentence");
    let kept = if keeps == "array" { keeps.to_owned() } else { format!("`{keeps}`") };
    let holder = format!("`{function}()[]` keeps one {kept} for every message.");
    assert!(sentence.ends_with(&holder), "{kind}: {sentence}");
    // The one line of the server that calls it.
    let heap = result["findings"].as_array().expect("findings").iter().find(|finding| finding["metric"] == "heap");
    let locations = heap.expect("a heap")["locations"].as_array().cloned().unwrap_or_default();
    let script = std::fs::read_to_string(SERVER).expect("a script");
    let line = script.lines().position(|line| line.contains(&format!("{function}("))).expect("the call") + 1;
    let puts: Vec<&Value> = locations.iter().filter(|at| at["role"] == "puts_in").collect();
    assert_eq!(
        puts.iter().map(|at| at["line"].as_u64()).collect::<Vec<_>>(),
        [Some(line as u64)],
        "{kind}: {locations:?}"
    );
}
