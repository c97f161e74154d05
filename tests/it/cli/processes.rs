//! Servers that fork, under full load: each process's profile has as many calls of each function as the process counted
//! itself, and the result has the processes by role.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use profile_run::profile::{Options, read_paths};
use serde_json::Value;

use super::main_job::{Run, port, text};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/forks.php");

/// What was counted of one process, or of several.
type Counts = BTreeMap<String, u64>;

const COUNTED: [&str; 3] = ["line", "message", "job"];

struct Profiled {
    run: Run,
    result: Value,
    said: String,
    /// By `PID.START`.
    counted: BTreeMap<String, Counts>,
}

fn profiled(form: &str, more: &[&str]) -> Profiled {
    let run = Run::new();
    let counts = run.folder.path().join("counts");
    fs::create_dir(&counts).unwrap();
    let port = port();
    let server = [&["php", SERVER, form, &port, counts.to_str().unwrap()], more].concat();
    let output = run.run(&["--passes", "profile", "--load", "churn,sequential", "--full"], &server);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{form}: {said}");
    let counted = fs::read_dir(&counts).unwrap().flatten().map(|entry| {
        let text = fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), serde_json::from_slice(&text).unwrap())
    });
    Profiled { counted: counted.collect(), result: run.result(), said, run }
}

impl Profiled {
    fn rows(&self) -> &[Value] {
        self.result["profile"]["processes"].as_array().map_or(&[], Vec::as_slice)
    }

    fn row(&self, role: &str) -> &Value {
        let mut rows = self.rows().iter().filter(|row| row["role"] == role);
        let row = rows.next().unwrap_or_else(|| panic!("no {role}: {}", self.said));
        assert!(rows.next().is_none(), "{role} stands twice: {:#?}", self.shape());
        row
    }

    /// What is there, for a test that fails.
    fn shape(&self) -> Vec<String> {
        let row = |row: &Value| format!("{} {} {} {}", row["role"], row["entry"], row["count"], row["complete"]);
        self.rows().iter().map(row).collect()
    }

    /// Every process has its own profile with the calls that it counted, and the rows are their sums.
    fn agrees(&self, form: &str) {
        let folder = self.run.out().join("profile");
        let mut compared = 0;
        for row in self.rows() {
            let mut sum = Counts::new();
            for process in row["processes"].as_array().unwrap() {
                let file = process["profile"].as_str().unwrap();
                let calls = calls_in(&folder.join(file));
                let name = format!("{}.{}", process["pid"], process["started"]);
                match self.counted.get(&name) {
                    Some(counted) => assert_eq!(calls, *counted, "{form}, {file}, {}", row["role"]),
                    // The first two of a daemon had ended before anybody looked.
                    None => assert_eq!(row["role"], "launcher", "{form}, {name}: {:?}", self.counted.keys()),
                }
                compared += 1;
                calls.into_iter().for_each(|(name, calls)| *sum.entry(name).or_default() += calls);
            }
            if row["count"].as_u64().unwrap() <= 100 {
                assert_eq!(sum, calls_of(&row["functions"]), "{form}, {}", row["role"]);
            }
        }
        assert!(compared > 0, "{form}: {}", self.said);
        let all = self.counted.values().fold(Counts::new(), |mut all, counted| {
            counted.iter().for_each(|(name, calls)| *all.entry(name.clone()).or_default() += calls);
            all
        });
        assert_eq!(calls_of(&self.result["profile"]["functions"]), all, "{form}: {}", self.said);
        assert!(all["message"] >= 40, "{form}: {all:?}");
    }
}

fn calls_in(file: &Path) -> Counts {
    let profile = read_paths(&[file.to_owned()], &Options::default()).unwrap();
    let calls = |name: &str| profile.functions.iter().filter(|f| f.name == name).map(|f| f.calls).sum();
    COUNTED.iter().map(|name| ((*name).to_owned(), calls(name))).collect()
}

fn calls_of(functions: &Value) -> Counts {
    let all = functions.as_array().unwrap();
    let calls = |name: &str| all.iter().filter(|f| f["name"] == name).map(|f| f["calls"].as_u64().unwrap()).sum();
    COUNTED.iter().map(|name| ((*name).to_owned(), calls(name))).collect()
}

#[test]
fn workers_that_are_replaced_have_all_their_calls() {
    // Forty messages are more than all workers together take before one of them is replaced.
    for (workers, most) in [("1", "32"), ("2", "16"), ("4", "8")] {
        let profiled = profiled("workers", &[workers, most]);
        profiled.agrees(workers);
        let (master, worker) = (profiled.row("master"), profiled.row("worker"));
        assert_eq!((&master["count"], &master["served"]), (&1.into(), &true.into()));
        assert_eq!(worker["entry"], "serve");
        assert!(worker["count"].as_u64().unwrap() > workers.parse().unwrap(), "{:?}", profiled.shape());
        assert_eq!(calls_of(&master["functions"])["line"], 0);
        let summary = fs::read_to_string(profiled.run.out().join("summary.md")).unwrap();
        assert!(summary.contains("Processes under the profiler"), "{summary}");
        let page = fs::read_to_string(profiled.run.out().join("report.html")).unwrap();
        assert!(page.contains("id=\"processes\""));
    }
}

#[test]
fn a_process_for_each_connection_is_counted() {
    let profiled = profiled("connections", &[]);
    profiled.agrees("connections");
    let worker = profiled.row("worker");
    assert_eq!(worker["entry"], "converse");
    let count = worker["count"].as_u64().unwrap();
    assert!(count >= 40, "{:?}", profiled.shape());
    assert_eq!(worker["processes"].as_array().unwrap().len() as u64, count.min(100));
}

#[test]
fn a_daemon_is_the_master_and_what_started_it_is_not() {
    for form in ["daemon", "titled"] {
        let profiled = profiled(form, &[]);
        profiled.agrees(form);
        assert_eq!(profiled.row("master")["served"], true);
        assert_eq!(profiled.row("launcher")["count"], 2);
        assert_eq!(profiled.rows().len(), 2);
    }
}

#[test]
fn a_php_below_the_server_is_a_helper() {
    let profiled = profiled("below", &[]);
    profiled.agrees("below");
    assert_eq!(profiled.row("master")["served"], true);
    let helper = profiled.row("helper");
    assert_eq!(calls_of(&helper["functions"])["job"], 25 * helper["count"].as_u64().unwrap());
    assert!(helper["count"].as_u64().unwrap() >= 1);
}

#[test]
fn a_server_that_throws_xdebug_out_stays_with_it() {
    let profiled = profiled("restart", &[]);
    // What stayed behind in the first start left counts of its own.
    profiled.agrees("restart");
    assert_eq!(profiled.row("master")["served"], true, "{}", profiled.said);
    let warnings = profiled.result["warnings"].to_string();
    assert!(warnings.contains("FORKS_ALLOW_XDEBUG=1"), "{warnings}");
}

#[test]
fn where_the_server_left_no_profile_no_other_stands_for_it() {
    let run = Run::new();
    let counts = run.folder.path().to_str().unwrap();
    let line = format!("php {SERVER} job 5 {counts}; exec php -n {SERVER} single {} {counts}", port());
    let output = run.run(&["--passes", "profile", "--load", "smoke", "--budget", "20s"], &["sh", "-c", &line]);
    let (said, result) = (text(&output), run.result());
    let profile = &result["profile"];
    assert_eq!(profile["served"], false, "{said}");
    let rows = profile["processes"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["role"] == "helper" && row["served"] == false), "{rows:?}");
    assert_eq!(profile["messages"], 0, "what others called is not counted for each message");
    assert!(said.contains("The profile of the process that served"), "{said}");
    let page = fs::read_to_string(run.out().join("report.html")).unwrap();
    assert!(page.contains("The process that served left no profile"), "{said}");
}
