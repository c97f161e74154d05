//! Parts of a recording, waiting apart from work, and what grows dearer: on profiles that are written here, so that
//! every figure is known, and on the embedded server under Xdebug.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::files::{gzip, put};
use profile_run::analysis::slices::{self, WaveAt};
use profile_run::analysis::waiting::Waiting;
use profile_run::profile::{Marks, Options, Profile, Slices, Span, Wanted, read_sliced};
use serde_json::Value;

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

/// An event loop that serves messages, as Xdebug writes it.
#[derive(Default)]
struct Server {
    text: String,
    seen: Vec<&'static str>,
    /// What the loop has called: function and inclusive time.
    claims: Vec<(&'static str, i64)>,
    total: i64,
    random: u64,
}

impl Server {
    fn new() -> Self {
        let header = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                      events: Time_(10ns) Memory_(bytes)\n\n";
        Server { text: header.to_owned(), random: 7, ..Server::default() }
    }

    /// From 0.8 to 1.2 times a time.
    fn about(&mut self, time: i64) -> i64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        time * (80 + (self.random >> 33) as i64 % 41) / 100
    }

    fn name(&mut self, prefix: &str, name: &'static str) {
        let known = self.seen.contains(&name);
        if !known {
            self.seen.push(name);
        }
        let id = 1 + self.seen.iter().position(|seen| *seen == name).unwrap();
        let (file, file_name) = if name.starts_with("php::") { (1, "php:internal") } else { (2, "/srv/a.php") };
        let file_field = if prefix.starts_with('c') { "cfl" } else { "fl" };
        let (file_text, text) =
            if known { (String::new(), String::new()) } else { (format!(" {file_name}"), format!(" {name}")) };
        let _ = write!(self.text, "{file_field}=({file}){file_text}\n{prefix}=({id}){text}\n");
    }

    /// A call with its callees, each a function and its inclusive time; gives its own inclusive time.
    fn call(&mut self, name: &'static str, time: i64, memory: i64, callees: &[(&'static str, i64)]) -> i64 {
        self.name("fn", name);
        let _ = writeln!(self.text, "3 {time} {memory}");
        for (callee, inclusive) in callees {
            self.name("cfn", callee);
            let _ = write!(self.text, "calls=1 0 0\n9 {inclusive} 0\n");
        }
        self.text.push('\n');
        self.total += time;
        time + callees.iter().map(|(_, inclusive)| inclusive).sum::<i64>()
    }

    /// One message: its search takes `search`, and its match is called `matches` times.
    fn message(&mut self, search: i64, matches: usize) {
        let wait = self.about(400_000);
        let wait = self.call("php::stream_select", wait, 0, &[]);
        self.claims.push(("php::stream_select", wait));
        let mut callees = Vec::new();
        for name in ["php::fread", "Session->parse", "php::strlen", "php::fwrite", "Session->reply", "Log->write"] {
            let time = self.about(3000);
            callees.push((name, self.call(name, time, 16, &[])));
        }
        let mut below = Vec::new();
        for _ in 0..matches {
            let time = self.about(500);
            below.push(("Entry->matches", self.call("Entry->matches", time, 0, &[])));
        }
        let find = self.about(search);
        callees.push(("Registry->find", self.call("Registry->find", find, 0, &below)));
        let time = self.about(2000);
        let inclusive = self.call("Server->handle", time, 8, &callees);
        self.claims.push(("Server->handle", inclusive));
    }

    fn end(mut self) -> String {
        let claims = std::mem::take(&mut self.claims);
        let time = self.call("Server->run", 5000, 0, &claims);
        self.call("{main}", 900, 0, &[("Server->run", time)]);
        let _ = write!(self.text, "summary: {} 4096\n\n", self.total);
        self.text
    }
}

fn served(messages: usize, search: impl Fn(usize) -> i64, matches: impl Fn(usize) -> usize) -> String {
    let mut server = Server::new();
    (0..messages).for_each(|at| server.message(search(at), matches(at)));
    server.end()
}

fn read(path: &Path, threads: usize, marks: &[u64]) -> Profile {
    let marks = Marks::from([(path.to_owned(), marks.to_vec())]);
    let wanted = Wanted { marks, ..Wanted::default() };
    read_sliced(&[path.to_owned()], &Options { threads, streamed: false, ..Options::default() }, &wanted).unwrap()
}

fn analyze(folder: &Path, arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.current_dir(folder).arg("analyze").args(arguments).arg(path).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str], path: &Path) -> Value {
    let output = analyze(folder, &[&["--format", "json"], arguments].concat(), path);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["profile"].take()
}

/// Names and kinds of what drifts.
fn named(profile: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    profile["drift"].as_array().unwrap().iter().map(|row| (text(&row["name"]), text(&row["grows"]))).collect()
}

#[test]
fn slices_are_equal_by_every_way_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The loop's record is longer than a chunk, as that of a server is.
    let text = served(9000, |_| 900, |_| 1);
    assert!(text.len() - text.rfind("fn=(").unwrap() < 200 && text.len() > 4 << 20);
    let plain = put(folder.path(), "plain", text.as_bytes());
    let packed = put(folder.path(), "packed", &gzip(text.as_bytes()));
    let one = read(&plain, 1, &[]);
    for other in [read(&plain, 2, &[]), read(&packed, 1, &[])] {
        assert_eq!(other.tree.nodes().len(), one.tree.nodes().len());
        let parts = |profile: &Profile| -> Vec<_> {
            let sum = |part: &Span| (part.records, Slices::tree(&profile.tree, [part]).total());
            profile.slices.parts().iter().map(sum).collect()
        };
        assert_eq!(parts(&other), parts(&one));
    }
    assert_eq!(one.slices.records(), one.records());
    assert_eq!(Slices::tree(&one.tree, one.slices.parts()).nodes(), one.tree.nodes());
}

#[test]
fn a_last_record_longer_than_any_chunk_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let callees: Vec<_> = (0..20_000).map(|_| ("php::strlen", server.call("php::strlen", 5, 0, &[]))).collect();
    server.call("{main}", 100, 0, &callees);
    let text = format!("{}summary: {} 4096\n\n", server.text, server.total);
    let profile = read(&put(folder.path(), "cachegrind.out.1", text.as_bytes()), 2, &[]);
    assert_eq!((profile.records(), profile.tree.total().time, profile.complete()), (20_001, 100_100, true));
}

#[test]
fn marks_divide_the_records_where_the_file_was_that_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let mut marks = vec![0];
    for messages in [300, 20, 4000] {
        (0..messages).for_each(|_| server.message(900, 1));
        marks.push(server.text.len() as u64);
    }
    let text = server.end();
    let plain = put(folder.path(), "plain", text.as_bytes());
    // The tolerant way: a line end that Xdebug does not write sends the file there.
    let crlf = text.replace('\n', "\r\n");
    let lines = |at: &u64| *at + text[..*at as usize].matches('\n').count() as u64;
    let crlf_marks: Vec<u64> = marks.iter().map(lines).collect();
    let crlf = put(folder.path(), "crlf", crlf.as_bytes());
    for profile in [read(&plain, 1, &marks), read(&plain, 2, &marks), read(&crlf, 1, &crlf_marks)] {
        let records = |segment| profile.slices.segment(segment).iter().map(|part| part.records).sum::<u64>();
        assert_eq!([0, 1, 2, 3, 4].map(records), [0, 300 * 10, 20 * 10, 4000 * 10, 2]);
    }
}

#[test]
fn the_search_is_named_with_its_figures_and_a_sound_server_names_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let grows = served(2000, |at| 200 + at as i64, |_| 1);
    let profile = json(folder.path(), &[], &put(folder.path(), "grows", grows.as_bytes()));
    assert_eq!(named(&profile), [("Registry->find".to_owned(), "cost_per_call".to_owned())]);
    let drift = &profile["drift"][0];
    let (first, last) = (drift["first"].as_f64().unwrap(), drift["last"].as_f64().unwrap());
    assert!((280.0..320.0).contains(&first) && (2000.0..2200.0).contains(&last), "{drift}");
    assert_eq!(drift["caller"], "Server->handle");
    let sound = served(2000, |_| 900, |_| 1);
    let profile = json(folder.path(), &[], &put(folder.path(), "sound", sound.as_bytes()));
    assert_eq!(named(&profile), []);
    assert_eq!(profile["drift_looked_for"], true);
    assert_eq!(profile["tenths"].as_array().unwrap().len(), 10);
}

#[test]
fn a_load_of_too_few_rounds_is_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let text = served(2000, |at| 200 + at as i64, |_| 1);
    let path = put(folder.path(), "grows", text.as_bytes());
    let profile = read(&path, 1, &[200, text.len() as u64]);
    let waits = Waiting::default().of(&profile);
    let drift = |rounds| {
        let wave = WaveAt { scenario: "churn".into(), wave: 1, messages: 2000, sessions: 2000, rounds, parallel: 50 };
        slices::drift(&profile, &waits, &[wave], 2000, 10)
    };
    let found = drift(20);
    assert_eq!(found.rows.len(), 1);
    assert_eq!((found.rows[0].scenario.as_deref(), found.looked), (Some("churn"), true));
    assert!((2800.0..3200.0).contains(&found.rows[0].first), "in nanoseconds: {}", found.rows[0].first);
    let none = drift(19);
    assert!(none.rows.is_empty() && !none.looked);
}

#[test]
fn calls_a_message_are_exact_and_their_growth_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "grows", served(1000, |_| 900, |at| 1 + at / 50).as_bytes());
    let profile = json(folder.path(), &["--messages", "1000"], &path);
    assert_eq!(named(&profile), [("Entry->matches".to_owned(), "calls_per_message".to_owned())]);
    let each = |name: &str| {
        let functions = profile["functions"].as_array().unwrap();
        functions.iter().find(|function| function["name"] == name).unwrap()["calls_per_message"].as_f64().unwrap()
    };
    assert_eq!((each("Registry->find"), each("Entry->matches")), (1.0, 10.5));
    assert_eq!(named(&json(folder.path(), &[], &path)), [], "without the messages nothing can be said of them");
}

#[test]
fn busy_time_is_wall_time_without_the_self_time_of_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "cachegrind.out.1", served(50, |_| 900, |_| 2).as_bytes());
    let total = |arguments: &[&str]| -> i64 {
        let output = analyze(folder.path(), &[&["--format", "folded"], arguments].concat(), &path);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap()).sum()
    };
    let profile = json(folder.path(), &[], &path);
    let own = |name: &str| {
        let functions = profile["functions"].as_array().unwrap();
        functions.iter().find(|function| function["name"] == name).unwrap()["self"].as_i64().unwrap()
    };
    let wall = total(&[]);
    let select = own("php::stream_select");
    assert_eq!(profile["waiting"].as_i64(), Some(select));
    assert_eq!(total(&["--busy"]), wall - select);
    // What the loop calls is work, also where the loop itself is said to wait.
    assert_eq!(total(&["--busy", "--waiting", "Server->run"]), wall - select - own("Server->run"));
    put(folder.path(), "profile-run.toml", b"[profile]\nwaiting = [\"Registry->*\"]\n");
    assert_eq!(total(&["--busy"]), wall - select - own("Registry->find"));
    // Parts of the recording are the whole.
    let parts = ["0-30", "30-70", "70-100"].map(|part| total(&["--part", part]));
    assert_eq!(parts.iter().sum::<i64>(), wall, "{parts:?}");
    let refused = analyze(folder.path(), &["--part", "70-30"], &path);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn memory_that_calls_gave_back_stays_in_the_sums() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let call = server.call("frees", 10, -70_000, &[]);
    server.call("{main}", 5, 100_000, &[("frees", call)]);
    let text = format!("{}summary: {} 4096\n\n", server.text, server.total);
    let path = put(folder.path(), "cachegrind.out.1", text.as_bytes());
    assert_eq!(json(folder.path(), &[], &path)["total_allocation"], 30_000);
    let html = String::from_utf8(analyze(folder.path(), &[], &path).stdout).unwrap();
    assert!(html.contains("30,000 bytes") && html.contains("70,000 bytes"), "the note is there");
}

/// The profile pass of a real server, `messages` of one scenario.
fn profiled(fault: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["--passes", "profile", "--load", "smoke,sequential", "--scale", "0.1", "--out"]);
    command.arg(folder.path().join("run")).args(["--", "php", CONSOLE, "smtp:serve", "--port", "0", "-v"]);
    command.current_dir(folder.path()).stdin(Stdio::null()).env("SMTP_FAULT", fault);
    let output = command.output().unwrap();
    let result = std::fs::read(folder.path().join("run/result.json")).unwrap_or_else(|_| panic!("{output:?}"));
    let mut result = serde_json::from_slice::<Value>(&result).unwrap();
    let of_preflight = |row: &&Value| row["scenario"] == "preflight" && row["pass"] == "profile";
    let preflight = result["load"].as_array().unwrap().iter().find(of_preflight).unwrap()["messages_accepted"].clone();
    let mut profile = result["profile"].take();
    profile["preflight"] = preflight;
    profile
}

#[test]
fn on_a_real_server_the_planted_search_is_named_and_nothing_else() {
    // Where others take the processors now and then, nothing is named rather than the wrong function: a few tries.
    let looked = |_| {
        let profile = profiled("search");
        assert!(named(&profile).len() <= 1, "{}", profile["drift"]);
        (named(&profile).len() == 1).then_some(profile)
    };
    let profile = (0..5).find_map(looked).expect("the search is named in one of five runs");
    let names = named(&profile);
    assert!(names[0].0.ends_with("SearchFault->find") && names[0].1 == "cost_per_call", "{names:?}");
    assert_eq!(profile["drift"][0]["scenario"], "sequential");
    let calls = profile["functions"].as_array().unwrap().iter().find(|f| f["name"] == names[0].0.as_str()).unwrap();
    assert_eq!(calls["calls_per_message"], 1.0);
    let waves = profile["waves"].as_array().unwrap();
    let sum: u64 = waves.iter().map(|wave| wave["messages"].as_u64().unwrap()).sum();
    let before = profile["preflight"].as_u64().unwrap();
    assert!(before >= 1, "{before}");
    assert_eq!(Some(sum + before), profile["messages"].as_u64(), "the preflight's messages stand before the waves");
    assert!(waves.iter().all(|wave| wave["records"].as_u64().unwrap() > 0), "{waves:?}");
    let profile = profiled("none");
    assert_eq!(named(&profile), [], "{}", profile["drift"]);
    assert_eq!(profile["drift_looked_for"], true);
}
