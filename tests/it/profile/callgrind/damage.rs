//! Files cut and changed in every way: read as far as they are known, refused otherwise, never a panic.

use std::fmt::Write as _;

use profile_run::analysis::analyze_json::Analyzed;
use profile_run::analysis::waiting::Waiting;
use profile_run::profile::export::{callgrind, folded, pprof, speedscope};
use profile_run::profile::{Metric, Pattern, Profile};
use proptest::prelude::*;

use super::{fixture, fixtures, gzip, put, read};

/// Files that can be read, with the text of each.
fn readable() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".out") && read(&path).is_some() {
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    assert!(found.len() > 10, "the fixtures are found");
    found
}

/// Sum of all self costs, which every way of showing the profile has to keep.
fn total(profile: &Profile) -> i64 {
    profile.functions.iter().map(|function| function.own.time).fold(0, i64::saturating_add)
}

/// The text ends with the line that ends a part.
fn ends(text: &[u8]) -> bool {
    let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    last.starts_with(b"totals:") || last.starts_with(b"summary:")
}

/// Shows a profile in every way.
fn show(profile: Profile) {
    let own = total(&profile);
    assert_eq!(profile.total(Metric::Time), own, "the tree keeps every self cost");
    let mut sink = Vec::new();
    folded::write(&profile, &profile.tree, Metric::Time, &mut sink).unwrap();
    speedscope::write(&profile, Metric::Time, &mut sink).unwrap();
    pprof::write(&profile, Metric::Time, &mut sink).unwrap();
    callgrind::write(&profile, &mut sink).unwrap();
    serde_json::to_vec(&Analyzed::of(&profile, 0, &Waiting::default())).unwrap();
    let last = profile.events().last().cloned().unwrap_or_default();
    let profile = profile.by_event(&last).unwrap();
    profile.hide(&Pattern::new("a")).focus(&Pattern::new("m"));
}

/// What is said of a file's text.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    read(&put(folder.path(), "said", text.as_bytes())).unwrap().files[0].warnings.join("; ")
}

#[test]
fn what_a_part_declares_is_held_against_its_own_lines() {
    let part = |number: u32, cost: u32, end: &str| format!("part: {number}\nevents: Ir\nfn=(1) main\n1 {cost}\n{end}");
    let whole = part(1, 10, "totals: 10\n");
    assert_eq!(said(&(whole.clone() + &part(2, 7, "totals: 7\n"))), "");
    // The second one is cut: it is of the second that something is missing.
    let lacks = "part 2 of 2 has no `totals:`: lines of it may be missing";
    for cut in
        [whole.clone() + &part(2, 7, ""), whole.replace("part: 1\n", "") + &part(2, 7, "").replace("part: 2\n", "")]
    {
        assert_eq!(said(&cut), lacks);
    }
    assert_eq!(said(&(part(1, 10, "") + &part(2, 7, "totals: 7\n"))), lacks.replacen('2', "1", 1));
    // Its summary stands before its lines.
    let text = whole + "part: 2\nevents: Ir\nsummary: 9\nfn=(1)\n1 7\n";
    assert!(said(&text).starts_with("its `summary:` of part 2 declares 9, its cost lines of part 2 sum up to 7"));
    // Differences that cancel out are two.
    let text = part(1, 10, "totals: 11\n") + &part(2, 7, "totals: 6\n");
    assert!(
        said(&text).contains("`totals:` of part 1 declares 11") && said(&text).contains("(and 1 more parts differ)")
    );
    // Most writers declare nothing.
    assert_eq!(said(&(part(1, 10, "") + &part(2, 7, ""))), "");
}

#[test]
fn sums_that_64_bits_do_not_hold_are_said_to_be_inexact() {
    let max = i64::MAX;
    let inexact =
        |said: &str, event: &str| said.contains(&format!("costs of {event} add up to more than a sum can hold"));
    for costs in [[max, max, 0], [max, max, -max]] {
        let lines = costs.map(|cost| format!("1 5 {cost}\n")).concat();
        let text = format!("events: Ir Dr\nfn=(1) main\n{lines}totals: 15 7\n");
        assert!(inexact(&said(&text), "Dr") && !inexact(&said(&text), "Ir"), "{}", said(&text));
        assert!(!said(&text).contains("declares"), "a sum that was cut off is held against nothing");
    }
    assert!(!inexact(&said(&format!("events: Ir\nfn=(1) main\n1 {max}\n")), "Ir"));
    // Xdebug's: the short way, and the other.
    for memory in ["0", "-1"] {
        let record = |name: &str| format!("fl=(1) a.php\nfn=({name}\n1 {max} {memory}\n\n");
        let text = format!(
            "version: 1\ncreator: xdebug 3.2.0\nevents: Time_(10ns) Memory_(bytes)\n\n{}{}summary: 9 9\n\n",
            record("1) f"),
            record("2) g")
        );
        assert!(inexact(&said(&text), "Time_(10ns)"), "{}", said(&text));
    }
    // Two files that are exact, and their sum is not.
    let folder = tempfile::tempdir().unwrap();
    let text = format!("events: Ir\nfn=(1) main\n1 {max}\n");
    let paths = ["a", "b"].map(|name| put(folder.path(), name, text.as_bytes()));
    let profile = profile_run::profile::read_paths(&paths, &Default::default()).unwrap();
    let said: Vec<String> = profile.files.iter().flat_map(|file| file.warnings.clone()).collect();
    assert!(said.len() == 1 && said[0].starts_with("with the files before it, its costs of Ir"), "{said:?}");
}

#[test]
fn a_cut_at_every_byte_never_loses_what_was_known() {
    let folder = tempfile::tempdir().unwrap();
    // Where costs may be below zero, a part can be more than the whole.
    for (name, text) in readable().into_iter().filter(|(name, _)| !name.contains("difference")) {
        let whole = read(&put(folder.path(), "cut", &text)).map_or(0, |profile| total(&profile));
        // With its end marked, a file that lacks a part is told.
        let marked = ends(&text);
        let mut before = 0;
        for cut in 0..=text.len() {
            let Some(profile) = read(&put(folder.path(), "cut", &text[..cut])) else {
                assert_eq!(before, 0, "{name} cut at {cut} is not read any more");
                continue;
            };
            let now = total(&profile);
            assert!(now >= before, "{name} cut at {cut}: {now} after {before}");
            assert!(now <= whole, "{name} cut at {cut}");
            if marked && profile.complete() && now < whole {
                // Nothing tells a file from its first parts, nor where all that is declared is there.
                let known = &text[..cut];
                let declared = format!("summary: {now}");
                let all = known.windows(declared.len()).any(|part| part == declared.as_bytes());
                assert!(ends(known) || all, "{name} cut at {cut} is called complete");
            }
            let file = &profile.files[0];
            assert_eq!(file.complete, file.first_defect.is_none(), "{name} cut at {cut}");
            if let Some(defect) = &file.first_defect {
                assert!(defect.offset <= cut as u64, "{name} cut at {cut}: {defect}");
            }
            before = now;
            if cut % 7 == 0 {
                show(profile);
            }
        }
        assert_eq!(before, whole);
    }
}

#[test]
fn a_cut_archive_gives_what_it_still_holds() {
    let mut text = String::from("# callgrind format\ncreator: hand\nevents: Ir\n");
    for n in 0..4000u32 {
        let _ = write!(text, "fn=f{}\n{n} {}\n", n % 50, n.wrapping_mul(2_654_435_761) >> 20);
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = gzip(text.as_bytes());
    let full = total(&read(&put(folder.path(), "whole", &whole)).unwrap());
    let mut before = 0;
    for cut in (0..whole.len()).step_by(97) {
        let Some(profile) = read(&put(folder.path(), "cut", &whole[..cut])) else { continue };
        assert!(!profile.complete(), "cut at {cut}");
        assert!((before..=full).contains(&total(&profile)), "cut at {cut}");
        before = total(&profile);
    }
    assert!(before > full / 2, "{before} of {full}");
}

#[test]
fn the_first_defect_is_told_with_its_place() {
    let text = "# callgrind format\ncreator: hand\nevents: Ir\nfn=a\n1 5\nwhat is this\n2 x\nfn=(9)\n3 4\ncfn=b\ncalls=1 1\n\
                fn=c\n1 1\n";
    let folder = tempfile::tempdir().unwrap();
    let profile = read(&put(folder.path(), "a", text.as_bytes())).unwrap();
    let file = &profile.files[0];
    assert_eq!(total(&profile), 10);
    assert!(!file.complete && file.recovered_share < 1.0);
    let defect = file.first_defect.as_ref().unwrap();
    assert_eq!(
        (defect.line, defect.offset, defect.kind.to_string().as_str()),
        (6, 53, "a line that belongs to no profile")
    );
    assert_eq!(file.defects, 4, "a strange line, a bad cost, an unknown id, a call without its cost");
}

/// A call of the graph: caller, callee, calls, cost.
type Call = (u8, u8, u16, u32);

fn written(own: &[u32], calls: &[Call]) -> String {
    let mut text = String::from("# callgrind format\ncreator: hand\nevents: Ir\n");
    for (f, cost) in own.iter().enumerate() {
        let _ = write!(text, "fn=f{f}\n1 {cost}\n");
        for (_, callee, calls, cost) in calls.iter().filter(|call| usize::from(call.0) % own.len() == f) {
            let _ = write!(text, "cfn=f{}\ncalls={calls} 1\n2 {cost}\n", usize::from(*callee) % own.len());
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_graphs_keep_their_costs_and_calls(
        own in prop::collection::vec(any::<u32>(), 1..12),
        calls in prop::collection::vec(any::<Call>(), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = put(folder.path(), "graph", written(&own, &calls).as_bytes());
        let profile = read(&path).unwrap();
        prop_assert!(profile.complete());
        let mut in_tree = vec![(0i64, 0u64); own.len()];
        for node in profile.tree.nodes().iter().skip(1) {
            let name = &profile.names.get(node.key as u32).name;
            let Some(f) = name.strip_prefix('f').and_then(|f| f.parse::<usize>().ok()) else { continue };
            prop_assert!(node.cost.time >= 0);
            in_tree[f].0 += node.cost.time;
            in_tree[f].1 += node.calls;
        }
        let whole: i64 = own.iter().map(|cost| i64::from(*cost)).sum();
        for function in &profile.functions {
            let f: usize = function.name[1..].parse().unwrap();
            let called: u64 =
                calls.iter().filter(|c| usize::from(c.1) % own.len() == f).map(|c| u64::from(c.2)).sum();
            prop_assert_eq!(function.own.time, i64::from(own[f]));
            prop_assert_eq!(function.calls, called);
            prop_assert_eq!(in_tree[f], (i64::from(own[f]), called), "{}", function.name);
            prop_assert!(function.inclusive.time >= function.own.time);
        }
        prop_assert_eq!(profile.total(Metric::Time), whole);
        let out = folder.path().join("again");
        let mut bytes = Vec::new();
        callgrind::write(&profile, &mut bytes).unwrap();
        std::fs::write(&out, bytes).unwrap();
        let again = read(&out).unwrap();
        prop_assert!(again.complete());
        let calls_of = |profile: &Profile| {
            let name = |id: u32| profile.names.get(id).name.clone();
            let calls = profile.graph.as_ref().unwrap().calls.iter();
            let mut all: Vec<_> = calls.map(|((a, b), call)| (name(*a), name(*b), call.clone())).collect();
            all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            all
        };
        prop_assert_eq!(calls_of(&profile), calls_of(&again));
    }
}

#[test]
fn many_paths_and_long_chains_stay_bounded() {
    let folder = tempfile::tempdir().unwrap();
    // Each layer calls all of the next: 10^12 paths.
    let mut dense = String::from("# callgrind format\ncreator: hand\nevents: Ir\n");
    for layer in 0..12 {
        for f in 0..10 {
            let _ = write!(dense, "fn=l{layer}f{f}\n1 1000\n");
            for g in 0..10 {
                let cost = 1000 * (11 - layer);
                if layer < 11 {
                    let _ = write!(dense, "cfn=l{}f{g}\ncalls=1 1\n1 {cost}\n", layer + 1);
                }
            }
        }
    }
    let mut chain = String::from("# callgrind format\ncreator: hand\nevents: Ir\n");
    for f in 0..50_000 {
        let _ = write!(chain, "fn=f{f}\n1 3\ncfn=f{}\ncalls=1 1\n1 {}\n", f + 1, 3 * (50_000 - f));
    }
    for text in [dense, chain] {
        let profile = read(&put(folder.path(), "graph", text.as_bytes())).unwrap();
        assert!(profile.tree.len() < 200_000, "{}", profile.tree.len());
        show(profile);
    }
    assert!(read(&fixture("recursion")).is_some());
}
