//! Small files that each stand for a kind of file that was once read wrong: what comes out of them, and that every
//! export of every fixture says the same when it is read again.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use profile_run::profile::export::{callgrind, folded, pprof, speedscope};
use profile_run::profile::{DefectKind, Dialect, FunctionCost, Metric, Options, Profile, read_bytes, read_paths};

use crate::support::files::gzip;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles").join(name)
}

fn read(name: &str) -> Profile {
    read_paths(&[fixture(name)], &Options::default()).unwrap()
}

/// Self time, inclusive time, calls and allocation of a function.
fn figures(profile: &Profile, name: &str) -> (i64, i64, u64, i64) {
    let mut found = profile.functions.iter().filter(|function| function.name == name);
    let function = found.next().unwrap_or_else(|| panic!("{name} is in it"));
    assert!(found.next().is_none(), "{name} is there once");
    (function.own.time, function.inclusive.time, function.calls, function.own.memory)
}

fn folded_text(profile: &Profile, metric: Metric) -> String {
    let mut text = Vec::new();
    folded::write(profile, &profile.tree, metric, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_claim_without_a_file_is_met_by_name() {
    let profile = read("xdebug/callee-without-file.out");
    assert!(profile.complete() && profile.recovered_share() == 1.0);
    assert_eq!(folded_text(&profile, Metric::Time), "{main} 5\n{main};pause 5\n{main};pause;php::usleep 90\n");
    assert_eq!(figures(&profile, "pause"), (5, 95, 1, 0));
}

#[test]
fn a_daemons_child_goes_on_behind_its_parents_end() {
    let profile = read("xdebug/daemon.out");
    assert!(profile.complete(), "{:?}", profile.files[0]);
    assert_eq!(profile.files[0].writers, 2);
    assert_eq!(figures(&profile, "work").2, 400);
    // What was called before the fork, and the fork itself, stand in both parts and happened once.
    for (name, calls) in [("boot", 1), ("php::md5", 30), ("php::pcntl_fork", 1), ("serve", 1), ("{main}", 1)] {
        assert_eq!(figures(&profile, name).2, calls, "{name}");
    }
}

#[test]
fn children_that_were_waited_for_are_told_from_their_parent() {
    let profile = read("xdebug/waited.out");
    assert!(profile.complete(), "{:?}", profile.files[0]);
    assert_eq!((profile.files[0].writers, profile.recovered_share()), (6, 1.0));
    let rounds = 2 + (3 + 200 + 5) + 3 * 4 + 20 + 2 * 7;
    let forks = [("php::pcntl_fork", 5), ("php::pcntl_waitpid", 5), ("start", 1), ("serve", 4), ("{main}", 1)];
    for (name, calls) in forks.into_iter().chain([("work", 1 + 3 + 3 + 1 + 2), ("php::abs", rounds)]) {
        assert_eq!(figures(&profile, name).2, calls, "{name}");
    }
    let said = profile.files[0].warnings.join("; ");
    assert!(said.contains("written by 6 processes") && !said.contains("not certain"), "{said}");
    // Whatever is cut off, nothing is counted that was not there.
    let text = std::fs::read(fixture("xdebug/waited.out")).unwrap();
    for end in (0..text.len()).step_by(211) {
        let Ok(cut) = read_bytes(Path::new("cut"), &text[..end], &Options::default()) else { continue };
        assert!(!cut.complete());
        for function in &cut.functions {
            let whole = profile.functions.iter().find(|whole| whole.name == function.name);
            assert!(whole.map_or(1, |whole| whole.calls) >= function.calls, "cut at {end}: {function:?}");
        }
    }
}

/// What a file tells of its processes, however it was packed.
fn told(bytes: &[u8]) -> (Vec<FunctionCost>, u64, bool, f64) {
    let profile = read_bytes(Path::new("w"), bytes, &Options::default()).unwrap();
    let file = &profile.files[0];
    (profile.functions.clone(), file.writers, file.complete, file.recovered_share)
}

#[test]
fn processes_are_told_apart_in_a_compressed_file_as_in_a_plain_one() {
    for (name, writers) in [("xdebug/daemon.out", 2), ("xdebug/waited.out", 6)] {
        let text = std::fs::read(fixture(name)).unwrap();
        let plain = told(&text);
        assert_eq!((plain.1, plain.2), (writers, true), "{name}");
        assert_eq!(told(&gzip(&text)), plain, "{name}");
        let half = [gzip(&text[..text.len() / 2]), gzip(&text[text.len() / 2..])].concat();
        assert_eq!(told(&half), plain, "{name} in two members");
        for end in [text.len() / 2, text.len() * 2 / 3, text.len() - 300, text.len() - 20] {
            let packed = gzip(&text[..end]);
            assert_eq!(told(&packed), told(&text[..end]), "{name}, {end}");
            // All of it is there but what tells that it is all.
            let cut = &packed[..packed.len() - 8];
            assert_eq!(told(cut), told(&text[..end]), "{name}, {end}, archive cut");
        }
        let packed = gzip(&text);
        let cut = read_bytes(Path::new("w"), &packed[..packed.len() - 8], &Options::default()).unwrap();
        let found = &cut.files[0];
        let defect = found.first_defect.as_ref().unwrap();
        assert_eq!((&cut.functions, found.complete, found.defects), (&plain.0, false, 1));
        assert_eq!((&defect.kind, defect.offset), (&DefectKind::CutCompression, text.len() as u64));
    }
}

/// Where the bytes do not tell the processes apart, what stands behind the first one's end is not counted.
#[test]
fn what_is_no_processes_is_left_out_and_said() {
    let text = std::fs::read_to_string(fixture("xdebug/waited.out")).unwrap();
    // What a call costs is not what its caller claims: no block fits.
    let strange = text.replacen("\ncalls=1 0 0\n27 ", "\ncalls=1 0 0\n27 9", 1);
    assert_ne!(strange, text);
    let profile = read_bytes(Path::new("w"), strange.as_bytes(), &Options::default()).unwrap();
    assert!(!profile.complete() && profile.recovered_share() < 0.7, "{:?}", profile.files[0]);
    let whole = read("xdebug/waited.out");
    for function in &profile.functions {
        let whole = whole.functions.iter().find(|whole| whole.name == function.name);
        assert!(whole.map_or(1, |whole| whole.calls) >= function.calls, "{function:?}");
    }
    assert!(profile.files[0].warnings.iter().any(|said| said.contains("are credited to functions")));
}

/// The parts of the daemon's file, however many children went on in it.
#[test]
fn several_processes_one_behind_the_other_are_told_apart() {
    let text = std::fs::read_to_string(fixture("xdebug/daemon.out")).unwrap();
    let end = text.find("\nsummary: 75698").unwrap();
    let child = end + text[end..].find("\n\n").unwrap() + 2;
    for children in [1, 2, 5] {
        let mut whole = text[..child].to_owned();
        for number in 0..children {
            // No two of them took as long over their fork.
            whole += &text[child..].replace("2 72694 0", &format!("2 7269{number} 0"));
        }
        let profile = read_bytes(Path::new("d"), whole.as_bytes(), &Options::default()).unwrap();
        assert!(profile.complete(), "{:?}", profile.files[0]);
        assert_eq!(profile.files[0].writers, 1 + children as u64);
        assert_eq!(figures(&profile, "work").2, 400 * children as u64);
        assert_eq!(figures(&profile, "php::md5").2, 30);
    }
    // A child that was killed: what had ended counts, and the file is not whole.
    let cut = text.len() - 3000;
    let profile = read_bytes(Path::new("d"), &text.as_bytes()[..cut], &Options::default()).unwrap();
    assert!(!profile.complete() && figures(&profile, "php::md5").2 == 30);
    assert!((300..=400).contains(&figures(&profile, "work").2));
    let place = profile.files[0].first_defect.clone().unwrap();
    assert!(place.offset > child as u64 && place.offset <= cut as u64, "{place:?}");
}

#[test]
fn a_time_that_wrapped_is_what_its_caller_claims() {
    let profile = read("xdebug/wrapped-time.out");
    assert_eq!(figures(&profile, "a"), (206, 206, 1, 0));
    assert_eq!(profile.total(Metric::Time), 212);
    assert_eq!(profile.files[0].first_defect.as_ref().map(|defect| defect.line), Some(9));
    // A claim that wrapped is held against what it claims, and costs nobody anything.
    let text = std::fs::read_to_string(fixture("xdebug/wrapped-time.out")).unwrap();
    let claimed = text.replace("3 4293967300", "3 206").replace("0 0\n3 206", "0 0\n3 4293967300");
    let profile = read_bytes(Path::new("w"), claimed.as_bytes(), &Options::default()).unwrap();
    assert_eq!(profile.total(Metric::Time), 212);
}

#[test]
fn the_last_record_counts_without_what_stands_behind_it() {
    for name in ["xdebug/no-blank-line.out", "xdebug/no-line-end.out"] {
        let profile = read(name);
        assert_eq!((figures(&profile, "a").0, figures(&profile, "b").0), (90, 6), "{name}");
        assert!(!profile.complete(), "{name}: there is no summary");
    }
    let profile = read("xdebug/summary-without-line-end.out");
    assert!(profile.complete() && profile.total(Metric::Time) == 30);
}

#[test]
fn what_costs_less_than_nothing_keeps_its_sign() {
    let profile = read("callgrind/difference.out");
    assert_eq!((figures(&profile, "slower").0, figures(&profile, "faster").0), (500, -200));
    assert_eq!((profile.total(Metric::Time), figures(&profile, "faster").1), (300, -200));
    assert_eq!(figures(&read("xdebug/negative-memory.out"), "free").3, -400);
}

/// Sums by frame, outermost first, of what was written.
type Stacks = BTreeMap<String, i64>;

fn stacks_of_folded(text: &str) -> Stacks {
    let mut stacks = Stacks::new();
    for line in text.lines() {
        let (stack, value) = line.rsplit_once(' ').unwrap();
        *stacks.entry(stack.to_owned()).or_default() += value.parse::<i64>().unwrap();
    }
    stacks.retain(|_, value| *value != 0);
    stacks
}

fn stacks_of_speedscope(profile: &Profile, metric: Metric) -> Stacks {
    let mut text = Vec::new();
    speedscope::write(profile, metric, &mut text).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let frames = file["shared"]["frames"].as_array().unwrap();
    let mut stacks = Stacks::new();
    for (profile, sign) in file["profiles"].as_array().unwrap().iter().zip([1, -1]) {
        let samples = profile["samples"].as_array().unwrap();
        for (sample, weight) in samples.iter().zip(profile["weights"].as_array().unwrap()) {
            let name =
                |at: &serde_json::Value| folded::frame(frames[at.as_u64().unwrap() as usize]["name"].as_str().unwrap());
            let stack: Vec<String> = sample.as_array().unwrap().iter().map(name).collect();
            let weight = weight.as_i64().filter(|weight| *weight > 0).expect("speedscope knows no others");
            *stacks.entry(stack.join(";")).or_default() += sign * weight;
        }
    }
    stacks.retain(|_, value| *value != 0);
    stacks
}

/// A number of a message, and what follows it.
fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for at in 0.. {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 127) << (7 * at);
        if *byte < 128 {
            return value;
        }
    }
    value
}

/// The fields of a message: number, value or content.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = varint(&mut bytes);
        let content = if tag & 7 == 2 { bytes.split_off(..value as usize).unwrap() } else { &[] };
        found.push((tag >> 3, value, content));
    }
    found
}

fn numbers(mut bytes: &[u8]) -> Vec<u64> {
    std::iter::from_fn(|| (!bytes.is_empty()).then(|| varint(&mut bytes))).collect()
}

fn stacks_of_pprof(profile: &Profile, column: usize) -> Stacks {
    let (mut packed, mut message) = (Vec::new(), Vec::new());
    pprof::write(profile, Metric::Time, &mut packed).unwrap();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut message).unwrap();
    let all = fields(&message);
    let strings: Vec<&[u8]> = all.iter().filter(|field| field.0 == 6).map(|field| field.2).collect();
    let functions: Vec<String> = all
        .iter()
        .filter(|field| field.0 == 5)
        .map(|field| fields(field.2).iter().find(|field| field.0 == 2).unwrap().1)
        .map(|name| folded::frame(&String::from_utf8_lossy(strings[name as usize])))
        .collect();
    let mut stacks = Stacks::new();
    for (_, _, sample) in all.iter().filter(|field| field.0 == 2) {
        let of = |number: u64| numbers(fields(sample).iter().find(|field| field.0 == number).unwrap().2);
        let stack: Vec<&str> = of(1).iter().rev().map(|id| functions[*id as usize - 1].as_str()).collect();
        *stacks.entry(stack.join(";")).or_default() += of(2)[column] as i64;
    }
    stacks.retain(|_, value| *value != 0);
    stacks
}

/// Every fixture that is a profile.
fn fixtures() -> Vec<(PathBuf, Profile)> {
    let mut found = Vec::new();
    for folder in ["xdebug", "callgrind"] {
        for entry in std::fs::read_dir(fixture(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "out")
                && let Ok(profile) = read_paths(std::slice::from_ref(&path), &Options::default())
            {
                found.push((path, profile));
            }
        }
    }
    assert!(found.len() > 20, "the fixtures are found");
    found
}

#[test]
fn every_export_of_every_fixture_says_the_same_when_it_is_read() {
    for (path, profile) in fixtures() {
        let file = path.display();
        let tick = profile.units.nanoseconds_per_tick.unwrap_or(1) as i64;
        let text = folded_text(&profile, Metric::Time);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{file}: folded");
        let stacks: Stacks = stacks_of_folded(&text).into_iter().map(|(stack, value)| (stack, value * tick)).collect();
        assert_eq!(stacks_of_pprof(&profile, 1), stacks, "{file}: pprof");
        assert_eq!(stacks_of_speedscope(&profile, Metric::Time), stacks, "{file}: speedscope");
        let memory = stacks_of_folded(&folded_text(&profile, Metric::Allocation));
        assert_eq!(stacks_of_pprof(&profile, 2), memory, "{file}: pprof, allocation");
        assert_eq!(stacks_of_speedscope(&profile, Metric::Allocation), memory, "{file}: speedscope, allocation");
        assert!(folded::size(&profile, &profile.tree, Metric::Time) >= text.len() as u64, "{file}: size");
    }
}

/// Self cost, allocation and calls by function; calls of roots stand in no edge.
fn by_function(profile: &Profile) -> BTreeMap<String, (i64, i64, u64)> {
    let mut roots: BTreeMap<u32, u64> = BTreeMap::new();
    for edge in profile.edges.iter().filter(|edge| edge.caller.is_none()) {
        *roots.entry(edge.callee).or_default() += edge.calls;
    }
    let mut sums: BTreeMap<String, (i64, i64, u64)> = BTreeMap::new();
    for function in &profile.functions {
        let sum = sums.entry(folded::frame(&function.name)).or_default();
        let calls = function.calls - roots.get(&function.id).copied().unwrap_or(0);
        *sum = (sum.0 + function.own.time, sum.1 + function.own.memory, sum.2 + calls);
    }
    sums
}

/// Functions that reach themselves by calls.
fn recurses(profile: &Profile) -> bool {
    let mut reached: Vec<(u32, u32)> = profile.edges.iter().filter_map(|e| Some((e.caller?, e.callee))).collect();
    let edges = reached.clone();
    let mut at = 0;
    while at < reached.len() {
        let (from, to) = reached[at];
        if from == to {
            return true;
        }
        let further: Vec<_> = edges.iter().filter(|edge| edge.0 == to).map(|edge| (from, edge.1)).collect();
        reached.extend(further.into_iter().filter(|pair| !reached.contains(pair)).collect::<Vec<_>>());
        at += 1;
    }
    false
}

#[test]
fn the_callgrind_export_of_every_fixture_is_read_again() {
    for (path, profile) in fixtures() {
        let file = path.display();
        let mut text = Vec::new();
        callgrind::write(&profile, &mut text).unwrap();
        let shown = String::from_utf8(text.clone()).unwrap();
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{file}");
        let again = read_bytes(&path, &text, &Options::default()).unwrap_or_else(|e| panic!("{file}: {e}\n{shown}"));
        assert_eq!(by_function(&again), by_function(&profile), "{file}\n{shown}");
        assert!(again.complete(), "{file}: {:?}", again.files[0]);
        if profile.dialect == Dialect::Xdebug && !recurses(&profile) {
            let inclusive = |profile: &Profile| -> BTreeMap<String, i64> {
                let all = profile.functions.iter();
                all.map(|function| (folded::frame(&function.name), function.inclusive.time)).collect()
            };
            assert_eq!(inclusive(&again), inclusive(&profile), "{file}");
        }
    }
}
