//! Files made by valgrind here and now, against what its own annotators print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{by_name, object};

/// Threads, recursion of one and of two functions, inlined code, jumps. Its threads meet, for valgrind
/// gives the number of one that has ended to the next, and both to one file.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t both;
static inline int square(int x) { return x * x; }
int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int odd(int n);
int even(int n) { return n == 0 ? 1 : odd(n - 1); }
int odd(int n) { return n == 0 ? 0 : even(n - 1); }
void *work(void *unused) {
    long sum = 0;
    (void)unused;
    pthread_barrier_wait(&both);
    for (int i = 0; i < 1000; i++) sum += square(i) + (i & 1);
    return (void *)(sum + fib(12) + even(9));
}
int main(void) {
    pthread_t a, b;
    pthread_barrier_init(&both, 0, 2);
    pthread_create(&a, 0, work, 0);
    pthread_create(&b, 0, work, 0);
    pthread_join(a, 0);
    pthread_join(b, 0);
    printf("%d\n", fib(10));
    return 0;
}
"#;

fn installed() -> bool {
    let there = Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success());
    !crate::support::tools::missing(there, "valgrind", "valgrind")
}

fn program(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&source, PROGRAM).unwrap();
    let built = Command::new("cc")
        .args(["-g", "-O1", "-fno-optimize-sibling-calls", "-pthread", "-o"])
        .args([&program, &source])
        .status()
        .unwrap();
    assert!(built.success());
    program
}

/// Runs a command under a tool; gives the files that it wrote, empty ones left out.
fn record(folder: &Path, tool: &str, options: &[&str], command: &[&str]) -> Vec<PathBuf> {
    let out = folder.join("out");
    std::fs::create_dir_all(&out).unwrap();
    for old in std::fs::read_dir(&out).unwrap() {
        std::fs::remove_file(old.unwrap().path()).unwrap();
    }
    let output = Command::new("valgrind")
        .args([format!("--tool={tool}"), format!("--{tool}-out-file={}/profile", out.display())])
        .args(options)
        .args(command)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let files = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.metadata().unwrap().len() > 0).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Self costs of all events by function, as an annotator prints them. `files` keeps the file in the key.
fn annotated(tool: &str, arguments: &[&str], path: &Path, files: bool) -> BTreeMap<String, Vec<i64>> {
    let output = Command::new(tool).args(arguments).arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events = text.lines().find_map(|line| line.strip_prefix("Events shown:")).unwrap().split_whitespace().count();
    let mut costs: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let rows = text.lines().skip_while(|line| !line.ends_with("file:function")).skip(2);
    for line in rows.take_while(|line| !line.is_empty()) {
        let mut rest = line;
        let mut row = Vec::new();
        for _ in 0..events {
            let (figure, behind) = rest.trim_start().split_once(' ').unwrap();
            row.push(if figure == "." { 0 } else { figure.replace(',', "").parse().unwrap() });
            rest = behind.trim_start();
            if rest.starts_with('(')
                && let Some((share, behind)) = rest.split_once(')')
                && share.ends_with('%')
            {
                rest = behind;
            }
        }
        let name = rest.trim_start();
        let name = if name.ends_with(']') { name.rsplit_once(" [").map_or(name, |(name, _)| name) } else { name };
        let name = if files { name } else { name.split_once(':').unwrap().1 };
        let sum = costs.entry(name.to_owned()).or_insert_with(|| vec![0; events]);
        sum.iter_mut().zip(row).for_each(|(sum, cost)| *sum += cost);
    }
    assert!(!costs.is_empty(), "{text}");
    costs
}

/// The sums of a file of cachegrind's, by file and function.
fn summed(path: &Path) -> BTreeMap<String, Vec<i64>> {
    let mut sums: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let (mut file, mut name) = (String::new(), String::new());
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if let Some(text) = line.strip_prefix("fl=") {
            file = text.to_owned();
        } else if let Some(text) = line.strip_prefix("fn=") {
            name = text.to_owned();
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let costs: Vec<i64> = line.split_whitespace().skip(1).map(|cost| cost.parse().unwrap()).collect();
            let sum = sums.entry(format!("{file}:{name}")).or_insert_with(|| vec![0; costs.len()]);
            sum.iter_mut().zip(costs).for_each(|(sum, cost)| *sum += cost);
        }
    }
    sums
}

fn not_zero(mut costs: BTreeMap<String, Vec<i64>>) -> BTreeMap<String, Vec<i64>> {
    costs.retain(|_, costs| costs.iter().any(|cost| *cost != 0));
    costs
}

/// Every function's costs of every event are the annotator's.
fn equals_annotate(path: &Path) {
    let profile = object(&[path]);
    assert_eq!(profile["complete"], true, "{}", profile["files"]);
    let expected = annotated("callgrind_annotate", &["--threshold=100", "--auto=no"], path, false);
    assert_eq!(not_zero(by_name(&profile)), not_zero(expected), "{}", path.display());
    no_strangers(path);
}

/// No callee that cost something stands beside itself without any cost of its own or of its calls.
fn no_strangers(path: &Path) {
    let profile = super::read(path).unwrap();
    let graph = profile.graph.as_ref().unwrap();
    for ((_, callee), call) in &graph.calls {
        let empty = graph.functions[callee].own.iter().all(|cost| *cost == 0);
        let leaf = graph.calls.range((*callee, 0)..=(*callee, u32::MAX)).next().is_none();
        let cost = call.costs.first().copied().unwrap_or(0);
        assert!(!(empty && leaf && cost > 0), "{}: {:?}", path.display(), profile.names.get(*callee));
    }
}

fn totals(path: &Path) -> i64 {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("totals: ")).map(|sum| sum.parse::<i64>().unwrap()).sum()
}

#[test]
fn self_costs_are_callgrind_annotates() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for path in record(folder.path(), "callgrind", &[], &["ls", "/usr"]) {
        equals_annotate(&path);
    }
    let program = program(folder.path());
    let program = program.to_str().unwrap();
    for options in [
        &[][..],
        &["--dump-instr=yes", "--collect-jumps=yes"],
        &["--compress-strings=no", "--compress-pos=no"],
        &["--separate-recs=4"],
        &["--separate-recs=3", "--separate-callers=2"],
        &["--separate-threads=yes"],
        &["--cache-sim=yes", "--branch-sim=yes", "--dump-instr=yes"],
    ] {
        let files = record(folder.path(), "callgrind", options, &[program]);
        assert_eq!(files.len(), if options == ["--separate-threads=yes"] { 3 } else { 1 });
        files.iter().for_each(|path| equals_annotate(path));
        let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let sum: i64 = paths.iter().map(|path| object(&[path])["total"].as_i64().unwrap()).sum();
        assert_eq!(object(&paths)["total"], sum, "the parts of a process are summed");
    }
}

/// Behind a dump in the middle of calls the annotator takes edges for self cost; what each part's lines
/// sum up to is in its last line.
#[test]
fn parts_of_a_process_sum_up() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let program = program.to_str().unwrap();
    let parts = record(folder.path(), "callgrind", &["--dump-before=fib"], &[program]);
    assert!(parts.len() > 3, "{parts:?}");
    equals_annotate(&folder.path().join("out/profile.1"));
    for path in &parts {
        assert_eq!(object(&[path])["total"], totals(path), "{}", path.display());
    }
    let sum: i64 = parts.iter().map(|path| totals(path)).sum();
    assert_eq!(object(&[&folder.path().join("out")])["total"], sum);
    let whole = record(folder.path(), "callgrind", &["--dump-before=fib", "--combine-dumps=yes"], &[program]);
    let profile = object(&[&whole[0]]);
    assert_eq!(profile["total"], totals(&whole[0]));
    assert_eq!(profile["complete"], true, "{}", profile["files"]);
}

#[test]
fn cachegrinds_files_are_cg_annotates() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = record(folder.path(), "cachegrind", &["--cache-sim=yes"], &["ls", "/usr"]);
    let profile = object(&[&files[0]]);
    assert_eq!(profile["dialect"], "cachegrind");
    assert_eq!(profile["complete"], true, "{}", profile["files"]);
    let expected = summed(&files[0]);
    // Newer ones print their tables in another way.
    let version = Command::new("cg_annotate").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if minor.is_some_and(|minor| minor < 21) {
        let printed = annotated("cg_annotate", &["--threshold=0", "--auto=no"], &files[0], true);
        assert_eq!(not_zero(expected.clone()), not_zero(printed));
    }
    let mut ours: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for function in profile["functions"].as_array().unwrap() {
        let costs = |value: &serde_json::Value| -> Vec<i64> {
            value["costs"].as_array().unwrap().iter().map(|cost| cost.as_i64().unwrap()).collect()
        };
        let own = costs(function);
        let mut lines = vec![0; own.len()];
        for line in function["parts"].as_array().unwrap().iter().flat_map(|part| part["lines"].as_array().unwrap()) {
            lines.iter_mut().zip(costs(line)).for_each(|(sum, cost)| *sum += cost);
        }
        assert_eq!(lines, own, "the lines of {}", function["name"]);
        let key = format!("{}:{}", function["file"].as_str().unwrap(), function["name"].as_str().unwrap());
        ours.insert(key, own);
    }
    assert_eq!(not_zero(ours), not_zero(expected));
}
