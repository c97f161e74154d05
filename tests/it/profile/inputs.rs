//! What stands where a file is asked for: standard input and output, one file under several names, files of several
//! units, archives that are damaged.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use profile_run::profile::{Options, read_bytes, read_paths};

use crate::support::files::{gzip, put};

fn profile(unit: &str, time: i64) -> String {
    format!(
        "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
         events: {unit} Memory_(bytes)\n\nfl=(1) /srv/a.php\nfn=(1) {{main}}\n1 {time} 0\n\nsummary: {time} 0\n\n"
    )
}

const FLOORS: &str = "wave,messages,heap\n0,0,400000\n1,500,400000\n2,1000,400000\n3,1500,400000\n4,2000,400000\n";

fn run(arguments: &[&str], input: &[u8], folder: &Path) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn standard_input_is_read_in_a_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = profile("Time_(10ns)", 70);
    let waited =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/xdebug/waited.out")).unwrap();
    let folded = |bytes: &[u8]| run(&["analyze", "--format", "folded", "-"], bytes, folder.path()).stdout;
    let told = folded(&waited);
    assert!(!told.is_empty() && told == folded(&gzip(&waited)), "several processes wrote it");
    for bytes in [text.as_bytes(), &gzip(text.as_bytes())] {
        for output in [&[][..], &["-o", "-"]] {
            let arguments = [&["analyze", "--format", "folded", "-"], output].concat();
            let output = run(&arguments, bytes, folder.path());
            assert_eq!(String::from_utf8_lossy(&output.stdout), "{main} 70\n", "{output:?}");
        }
    }
    let output = run(&["analyze", "--format", "json", "-o", "-", "-"], FLOORS.as_bytes(), folder.path());
    let object: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!(object["findings"][0]["metric"], "heap");
    let output = run(&["analyze", "-"], b"nothing of the kind", folder.path());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is called `-`");
}

#[test]
fn a_file_under_several_names_is_counted_once_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "cachegrind.out.1", profile("Time_(10ns)", 70).as_bytes());
    let (soft, hard) = (folder.path().join("soft"), folder.path().join("hard"));
    symlink(&path, &soft).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    let other = put(folder.path(), "other", profile("Time_(10ns)", 5).as_bytes());
    let paths = [path.clone(), soft, path.clone(), other, folder.path().to_owned()];
    let profile = read_paths(&paths, &Options::default()).unwrap();
    assert_eq!((profile.records(), profile.tree.total().time, profile.files.len()), (2, 75, 2));
    let said = profile.files[0].warnings.iter().filter(|said| said.contains("is the same file: it is counted once"));
    assert_eq!(said.count(), 4, "{:?}", profile.files[0].warnings);
    let floors = put(folder.path(), "floors.csv", FLOORS.as_bytes());
    let twice = run(&["analyze", "--format", "json", "floors.csv", floors.to_str().unwrap()], b"", folder.path());
    let object: serde_json::Value = serde_json::from_slice(&twice.stdout).unwrap();
    assert_eq!(object["findings"].as_array().map(Vec::len), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("is the same file: it is judged once"));
}

#[test]
fn the_file_whose_time_was_converted_is_the_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let coarse = put(folder.path(), "coarse", profile("Time", 3).as_bytes());
    let fine = put(folder.path(), "fine", profile("Time_(10ns)", 70).as_bytes());
    for paths in [[coarse.clone(), fine.clone()], [fine, coarse.clone()]] {
        let profile = read_paths(&paths, &Options::default()).unwrap();
        assert_eq!(profile.tree.total().time, 370);
        for file in &profile.files {
            let said = file.warnings.iter().any(|said| said.contains("converted"));
            assert_eq!(said, file.path == coarse, "{}: {:?}", file.path.display(), file.warnings);
        }
    }
}

#[test]
fn a_damaged_archive_is_said_with_its_place_and_has_one_writer() {
    let mut text = profile("Time_(10ns)", 70);
    let at = text.find("fl=(1)").unwrap();
    let mut calls = String::new();
    for id in 2..30_000 {
        calls += &format!("fl=(1) /srv/a.php\nfn=({id}) f{}\n{} {} 0\n\n", id * 7919 % 30_011, id % 97, id * 31 % 1009);
    }
    text.insert_str(at, &calls);
    let whole = gzip(text.as_bytes());
    for share in [4, 2] {
        let mut damaged = whole.clone();
        let middle = whole.len() / share;
        damaged[middle..middle + 5000].fill(0);
        let profile = read_bytes(Path::new("damaged.gz"), &damaged, &Options::default()).unwrap();
        let file = &profile.files[0];
        assert!(!file.complete && file.writers == 1, "{file:?}");
        let said = file.warnings.join("; ");
        let place: usize = said.split("damaged at byte ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((middle..=whole.len()).contains(&place), "{middle}: {said}");
        assert!(!said.contains("written by"), "{said}");
    }
    let cut = read_bytes(Path::new("cut.gz"), &whole[..whole.len() / 2], &Options::default()).unwrap();
    let said = cut.files[0].warnings.join("; ");
    assert!(said.contains(&format!("ends too early, at byte {}", whole.len() / 2)), "{said}");
}

#[test]
fn what_is_behind_the_compressed_data_is_passed_over_and_said() {
    let packed = gzip(profile("Time_(10ns)", 70).as_bytes());
    for (behind, said) in
        [(&b"#"[..], true), (b"\x1f#", true), (b"garbage of some length", true), (&[0; 700], true), (b"", false)]
    {
        let bytes = [&packed, behind].concat();
        let profile = read_bytes(Path::new("trailing.gz"), &bytes, &Options::default()).unwrap();
        let file = &profile.files[0];
        assert!(file.complete && file.first_defect.is_none() && profile.records() == 1, "{file:?}");
        let place = format!("from byte {} of the compressed file on, is no gzip; it was passed over", packed.len());
        assert_eq!(
            (file.warnings.len(), file.warnings.iter().any(|all| all.contains(&place))),
            (usize::from(said), said)
        );
    }
    // The beginning of a further member is no such thing.
    let cut = [&packed[..], &packed[..9]].concat();
    let profile = read_bytes(Path::new("cut.gz"), &cut, &Options::default()).unwrap();
    assert!(!profile.complete() && profile.files[0].warnings[0].contains("ends too early"), "{:?}", profile.files[0]);
}

#[test]
fn costs_of_more_than_53_bits_are_kept_and_what_no_cost_can_be_is_said() {
    for time in [1i64 << 53, (1 << 53) + 1, i64::MAX - 10] {
        let text = profile("Time_(10ns)", time);
        for streamed in [false, true] {
            let options = Options { streamed, ..Options::default() };
            let profile = read_bytes(Path::new("large"), text.as_bytes(), &options).unwrap();
            assert_eq!((profile.tree.total().time, profile.files[0].warnings.len()), (time, 0));
        }
        let twice = format!("{text}==== NEW PROFILING FILE ====\n{text}");
        let sum = read_bytes(Path::new("twice"), twice.as_bytes(), &Options::default()).unwrap().tree.total().time;
        assert_eq!(sum, time.saturating_add(time));
    }
    let text = profile("Time_(10ns)", 9).replacen("\n1 9 0", "\n1 9 18446744073709551000", 1);
    let profile = read_bytes(Path::new("wrapped"), text.as_bytes(), &Options::default()).unwrap();
    let said = profile.files[0].warnings.join("; ");
    assert!(said.contains("line 11") && said.contains("a number that no cost can have, left out"), "{said}");
}

#[test]
fn every_event_that_callgrind_declares_is_compared_and_a_call_above_all_is_said() {
    let text = "version: 1\ncreator: callgrind-3.19.0\nevents: Ir Dr\n\nfn=(1) main\n1 10 3\ncfn=(2) leaf\ncalls=1 1\n\
                2 95 7\nfn=(2)\n3 5 7\n\ntotals: 15 11\n";
    let warnings = |text: &str| {
        let profile = read_bytes(Path::new("callgrind.out"), text.as_bytes(), &Options::default()).unwrap();
        profile.files[0].warnings.clone()
    };
    let said = warnings(text);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("`totals:` declares 11 Dr, its cost lines sum up to 10"), "{said:?}");
    assert!(said[1].contains("`leaf` by `main` are charged 95 Ir, more than the 15"), "{said:?}");
    let right = text.replace("15 11", "15 10").replace("2 95 7", "2 5 7");
    assert!(warnings(&right).is_empty());
    // A function that calls itself has one cost in several calls.
    let recursive = right.replace("3 5 7\n", "3 5 7\ncfn=(2)\ncalls=9 1\n3 500 500\n");
    assert!(warnings(&recursive).is_empty(), "{:?}", warnings(&recursive));
}
