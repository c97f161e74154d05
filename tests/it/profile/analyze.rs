//! Profiles written in Xdebug's format from trees that are known, read back by the public interface,
//! whole and damaged, and exported for readers that are not ours.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::calls::{Call, calls};
use crate::support::files::{gzip, put};
use crate::support::tools::missing;
use proptest::prelude::*;

/// A profile as text, with what must come out of it.
#[derive(Default)]
struct Written {
    text: String,
    folded: BTreeMap<String, i64>,
    /// Byte offset behind each record, its own time and allocation.
    records: Vec<(usize, i64, i64)>,
    seen: HashSet<String>,
}

const HEADER: &str = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                      events: Time_(10ns) Memory_(bytes)\n\n";

impl Written {
    fn profile(roots: &[Call]) -> Written {
        let mut written = Written { text: HEADER.to_owned(), ..Written::default() };
        let total: i64 = roots.iter().map(|root| written.call(root, "")).sum();
        let _ = write!(written.text, "summary: {total} 4096\n\n");
        written
    }

    fn name(&mut self, prefix: &str, id: u8, name: &str) {
        let first = self.seen.insert(name.to_owned());
        let _ =
            if first { writeln!(self.text, "{prefix}=({id}) {name}") } else { writeln!(self.text, "{prefix}=({id})") };
    }

    /// Writes a call's callees, then its own record; gives its inclusive time.
    fn call(&mut self, call: &Call, above: &str) -> i64 {
        let name = format!("f{}", call.function);
        let path = if above.is_empty() { name.clone() } else { format!("{above};{name}") };
        let times: Vec<i64> = call.calls.iter().map(|callee| self.call(callee, &path)).collect();
        self.name("fl", 1, "/srv/a.php");
        self.name("fn", call.function + 1, &name);
        let _ = writeln!(self.text, "{} {} {}", call.function + 3, call.time, call.memory);
        for (callee, time) in call.calls.iter().zip(&times) {
            self.name("cfl", 1, "/srv/a.php");
            self.name("cfn", callee.function + 1, &format!("f{}", callee.function));
            let _ = writeln!(self.text, "calls=1 0 0\n9 {time} 0");
        }
        self.text.push('\n');
        self.records.push((self.text.len(), call.time, call.memory));
        *self.folded.entry(path).or_default() += call.time;
        call.time + times.iter().sum::<i64>()
    }
}

fn analyze(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("analyze").args(arguments).args(paths).output().unwrap()
}

fn folded(paths: &[&Path]) -> BTreeMap<String, i64> {
    let output = analyze(&["--format", "folded"], paths);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|l| l.rsplit_once(' ').unwrap())
        .map(|(path, value)| (path.into(), value.parse().unwrap()))
        .collect()
}

fn times(tree: &BTreeMap<String, i64>, factor: i64) -> BTreeMap<String, i64> {
    tree.iter().map(|(path, value)| (path.clone(), value * factor)).collect()
}

fn read(path: &Path) -> Option<profile_run::profile::Profile> {
    let options = profile_run::profile::Options { threads: 1, ..Default::default() };
    profile_run::profile::read_paths(&[path.to_owned()], &options).ok()
}

fn example() -> Written {
    let call = |function, time, memory, calls| Call { function, time, memory, calls };
    let deep = call(1, 7, 0, vec![call(1, 3, 8, vec![call(2, 11, 0, vec![])]), call(2, 4, 1, vec![])]);
    Written::profile(&[call(0, 100, 5, vec![deep.clone(), call(3, 900, 0, vec![]), deep]), call(4, 2, 0, vec![])])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_trees_come_back_equal_by_every_way(roots in prop::collection::vec(calls(), 1..4)) {
        let written = Written::profile(&roots);
        let folder = tempfile::tempdir().unwrap();
        let plain = put(folder.path(), "cachegrind.out.1", written.text.as_bytes());
        let packed = put(folder.path(), "packed", &gzip(written.text.as_bytes()));
        let crlf = put(folder.path(), "crlf", written.text.replace('\n', "\r\n").as_bytes());
        for path in [&plain, &packed, &crlf] {
            prop_assert_eq!(&folded(&[path]), &written.folded, "{}", path.display());
        }
        let twice = format!("{}==== NEW PROFILING FILE ==============================================\n{}", written.text, written.text);
        let appended = put(folder.path(), "appended", twice.as_bytes());
        prop_assert_eq!(folded(&[&appended]), times(&written.folded, 2));
        prop_assert_eq!(folded(&[folder.path()]), times(&written.folded, 5));
    }
}

#[test]
fn a_cut_at_every_byte_keeps_the_records_before_it() {
    let written = example();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    for cut in 0..written.text.len() {
        std::fs::write(&path, &written.text.as_bytes()[..cut]).unwrap();
        // A record counts from the end of its own cost line on, behind which its calls and a blank line stand.
        let begins = std::iter::once(written.text.find("\n\nfl=").unwrap() + 2);
        let begins = begins.chain(written.records.iter().map(|(end, ..)| *end));
        let costs = begins.map(|begin| {
            let rest = written.text[begin..].match_indices('\n').nth(2);
            begin + rest.map_or(usize::MAX - begin, |(at, _)| at + 1)
        });
        let records = written.records.iter().zip(costs);
        let before: Vec<_> = records.filter(|(_, costs)| *costs <= cut).map(|(record, _)| record).collect();
        let Some(profile) = read(&path) else {
            assert!(before.is_empty(), "nothing read of the first {cut} bytes");
            continue;
        };
        let total = profile.tree.total();
        assert_eq!(profile.records(), before.len() as u64, "cut at {cut}");
        assert_eq!(total.time, before.iter().map(|(_, time, _)| time).sum::<i64>(), "cut at {cut}");
        assert_eq!(total.memory, before.iter().map(|(_, _, memory)| memory).sum::<i64>(), "cut at {cut}");
    }
}

#[test]
fn what_is_no_profile_is_refused_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(300_000)
    .collect();
    for (name, bytes) in [("random", &random[..]), ("empty", b""), ("header", HEADER.as_bytes())] {
        let output = analyze(&[], &[&put(folder.path(), name, bytes)]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{name}: {said}");
        assert!(output.stdout.is_empty(), "{name}");
        assert_eq!(said.contains("a header without"), name == "header", "{name}: {said}");
    }
}

#[test]
fn hidden_frames_give_their_cost_to_the_caller_and_focus_keeps_whole_stacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "cachegrind.out.1", example().text.as_bytes());
    let lines = |arguments: &[&str]| {
        let output = analyze(&[&["--format", "folded"], arguments].concat(), &[&path]);
        let mut lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&["--hide", "f1", "--hide", "f4"]), ["[hidden] 2", "f0 120", "f0;f2 30", "f0;f3 900"]);
    assert_eq!(lines(&["--focus", "f2"]), ["f0;f1;f1;f2 22", "f0;f1;f2 8"]);
    let none = analyze(&["--focus", "nobody"], &[&path]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn the_callgrind_export_is_read_by_callgrind_annotate() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "cachegrind.out.1", example().text.as_bytes());
    let out = folder.path().join("small");
    assert!(analyze(&["--format", "callgrind", "-o", out.to_str().unwrap()], &[&path]).status.success());
    let output = Command::new("callgrind_annotate").args(["--threshold=100", "--auto=no"]).arg(&out).output();
    if missing(output.is_ok(), "callgrind_annotate", "valgrind") {
        return;
    }
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for (name, time) in [("f0", 100), ("f1", 20), ("f2", 30), ("f3", 900), ("f4", 2)] {
        let line = text.lines().find(|line| line.ends_with(&format!(":{name}"))).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(line.split_whitespace().next(), Some(time.to_string().as_str()), "{line}");
    }
}

#[test]
fn speedscope_holds_every_unit_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "cachegrind.out.1", example().text.as_bytes());
    let speedscope: serde_json::Value =
        serde_json::from_slice(&analyze(&["--format", "speedscope"], &[&path]).stdout).unwrap();
    let weights = speedscope["profiles"][0]["weights"].as_array().unwrap();
    assert_eq!(weights.iter().map(|weight| weight.as_i64().unwrap()).sum::<i64>(), 1052 * 10);
    assert_eq!(speedscope["profiles"][0]["endValue"], 1052 * 10);
}

/// What protoc (of protobuf-compiler) reads of a message, one line a field: its path and its value.
fn decoded(message: &Path) -> Vec<(String, String)> {
    let output = Command::new("protoc")
        .args(["--decode=Profile", "--proto_path=tests/support", "pprof.proto"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(std::fs::File::open(message).unwrap())
        .output()
        .expect("protoc starts (Debian: protobuf-compiler)");
    assert!(output.status.success(), "{output:?}");
    let mut open: Vec<String> = Vec::new();
    let mut fields = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines().map(str::trim) {
        match line.split_once(": ") {
            Some((name, value)) => {
                fields.push((format!("{}{name}", open.concat()), value.trim_matches('"').to_owned()))
            }
            None if line == "}" => drop(open.pop()),
            None => open.push(line.replace(" {", ".")),
        }
    }
    fields
}

#[test]
fn the_pprof_export_is_read_by_protoc() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "cachegrind.out.1", example().text.as_bytes());
    let mut message = Vec::new();
    let pprof = analyze(&["--format", "pprof"], &[&path]).stdout;
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&pprof[..]), &mut message).unwrap();
    let fields = decoded(&put(folder.path(), "message", &message));
    let of = |name: &str| -> Vec<&str> {
        fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    };
    let strings = of("string_table");
    let named: Vec<&str> = of("function.name").iter().map(|at| strings[at.parse::<usize>().unwrap()]).collect();
    assert_eq!(strings[0], "", "the first string is the empty one");
    for name in ["f0", "f1", "f2", "f3", "f4"] {
        assert_eq!(named.iter().filter(|known| **known == name).count(), 1, "{named:?}");
    }
    let types = of("sample_type.type").len();
    let time = of("sample_type.unit").iter().position(|at| strings[at.parse::<usize>().unwrap()] == "nanoseconds");
    let values: Vec<i64> = of("sample.value").iter().map(|value| value.parse().unwrap()).collect();
    let sum: i64 = values.chunks(types).map(|values| values[time.unwrap()]).sum();
    assert_eq!(sum, 1052 * 10);
    let locations = of("location.id");
    assert!(of("sample.location_id").iter().all(|id| locations.contains(id)));
}

#[test]
fn records_behind_the_place_where_two_writers_mix_are_credited_to_nobody() {
    let block = example().text;
    let body = &block[HEADER.len()..];
    let other = body.replace("f1", "g1").replace("f3", "g3");
    let (first, rest) = body.split_at(body.match_indices("\n\n").nth(1).unwrap().0 + 2);
    let folder = tempfile::tempdir().unwrap();
    let filler = "fl=(1) /srv/a.php\nfn=(99) before\n3 1 0\n\n".to_owned() + &"fl=(1)\nfn=(99)\n3 1 0\n\n".repeat(300);
    let path = put(folder.path(), "cachegrind.out.1", format!("{HEADER}{filler}{first}{other}{rest}").as_bytes());
    let output = analyze(&["--format", "folded"], &[&path]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.contains("before ")), "{text}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("processes into one file"));
}

#[test]
fn files_of_other_programs_are_not_taken_for_exact_trees() {
    let folder = tempfile::tempdir().unwrap();
    let text = example().text.replace("creator: xdebug 3.2.0 (PHP 8.2.36)", "creator: callgrind-3.19.0");
    let output = analyze(&["--format", "json"], &[&put(folder.path(), "callgrind.out.1", text.as_bytes())]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["profile"]["dialect"], "callgrind");
    assert_eq!(object["profile"]["estimated"], true);
    assert_eq!(object["profile"]["total"], 1052, "self costs are the same");
}
