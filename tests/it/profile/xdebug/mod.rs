//! Xdebug's files from machines whose truth is known, and from the real one.

mod declared;
mod fibers;
mod forms;
mod machine;
mod memory;
mod real;
#[path = "../../../../benches/support/profile.rs"]
#[allow(dead_code)]
mod written;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use profile_run::profile::{Error, Metric, Options, Profile, export, read_bytes};

fn read(text: &[u8], streamed: bool) -> Result<Profile, Error> {
    read_bytes(Path::new("cachegrind.out.1"), text, &Options { threads: 2, streamed, ..Options::default() })
}

/// Self time of each path.
fn folded(profile: &Profile) -> BTreeMap<String, i64> {
    let mut text = Vec::new();
    export::folded::write(profile, &profile.tree, Metric::Time, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines()
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(path, value)| (path.to_owned(), value.parse().unwrap()))
        .collect()
}

#[test]
fn a_file_that_grows_while_it_is_read_is_said_to() {
    let record = "fl=(1) /srv/a.php\nfn=(1) tick\n3 10 0\n\n";
    let header = "version: 1\ncreator: xdebug 3.2.0\ncmd: a\npart: 1\npositions: line\n\n\
                  events: Time_(10ns) Memory_(bytes)\n\n";
    let folder = tempfile::tempdir().unwrap();
    let path = crate::support::files::put(
        folder.path(),
        "cachegrind.out.1",
        (header.to_owned() + &record.repeat(50_000)).as_bytes(),
    );
    let done = std::sync::atomic::AtomicBool::new(false);
    let profile = std::thread::scope(|scope| {
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(record.as_bytes()).unwrap();
        let (begun, growing) = std::sync::mpsc::channel();
        let done = &done;
        scope.spawn(move || {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(record.as_bytes()).unwrap();
                let _ = begun.send(());
            }
        });
        growing.recv().unwrap();
        let profile = profile_run::profile::read_paths(
            std::slice::from_ref(&path),
            &Options { threads: 2, streamed: true, ..Options::default() },
        );
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        profile.unwrap()
    });
    assert!(!profile.complete());
    assert!(profile.records() > 50_000);
    assert!(profile.files[0].warnings[0].contains("still growing"), "{:?}", profile.files[0].warnings);
}

#[test]
fn ids_and_costs_of_any_length_are_read_alike() {
    let ids: Vec<u32> = (1..=9).flat_map(|digits| [10u32.pow(digits - 1), 10u32.pow(digits) - 1]).collect();
    let mut text = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: a\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\n"
        .to_owned();
    let (mut total, mut claims) = (0u64, String::new());
    for (at, id) in ids.iter().enumerate() {
        // The first time with their names, then without.
        for name in [format!(" /srv/{id}.php"), String::new()] {
            let function = if name.is_empty() { String::new() } else { format!(" work{id}") };
            let time = 10u64.pow(at as u32 % 12) + at as u64;
            total += time;
            text += &format!("fl=({id}){name}\nfn=({id}){function}\n{id} {time} {}\n\n", time / 3);
            claims += &format!("cfl=({id})\ncfn=({id})\ncalls=1 0 0\n{id} {time} {}\n", time / 3);
        }
    }
    text += &format!("fl=(1)\nfn=(500) {{main}}\n1 7 0\n{claims}\nsummary: {} 4096\n\n", total + 7);
    let whole = read(text.as_bytes(), false).unwrap();
    let streamed = read(text.as_bytes(), true).unwrap();
    assert!(whole.complete() && streamed.complete(), "{:?} {:?}", whole.files[0], streamed.files[0]);
    let paths = folded(&whole);
    assert_eq!(paths, folded(&streamed));
    assert_eq!(paths.len(), ids.len() + 1, "{paths:?}");
    assert_eq!(paths.values().sum::<i64>() as u64, total + 7);
}

#[test]
fn a_call_that_lacks_a_line_is_said_and_stays_a_call() {
    let head = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: a\npart: 1\npositions: line\n\n\
                events: Time_(10ns) Memory_(bytes)\n\n";
    let child = "fl=(1) /srv/a.php\nfn=(1) work\n1 50 0\n\n";
    let call = ["cfl=(1)\n", "cfn=(1)\n", "calls=1 0 0\n", "7 50 0\n"];
    for missing in 1..4 {
        let left: String = call.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, line)| *line).collect();
        for next in ["", "cfl=(1)\ncfn=(1)\ncalls=1 0 0\n7 50 0\n"] {
            let twice =
                if next.is_empty() { String::new() } else { child.replace(" /srv/a.php", "").replace(" work", "") };
            let calls = if next.is_empty() { 1 } else { 2 };
            let text = format!(
                "{head}{child}{twice}fl=(1)\nfn=(2) {{main}}\n1 7 0\n{left}{next}\nsummary: {} 4096\n\n",
                7 + 50 * calls
            );
            for streamed in [false, true] {
                let profile = read(text.as_bytes(), streamed).unwrap();
                assert!(!profile.complete() && profile.files[0].defects > 0, "{text}");
                assert_eq!(folded(&profile).values().sum::<i64>(), 7 + 50 * calls, "{text}");
                let own = profile.functions.iter().find(|function| function.own.time == 7);
                assert!(own.is_some(), "{text}\n{:?}", folded(&profile));
            }
        }
    }
}

#[test]
fn an_id_that_is_named_behind_its_use_is_undefined_however_the_file_is_read() {
    let head = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: a\npart: 1\npositions: line\n\n\
                events: Time_(10ns) Memory_(bytes)\n\n";
    let before = "fl=(1)\nfn=(1) early\n1 5 0\n\n";
    let main = "fl=(1)\nfn=(9) {main}\n1 7 0\n";
    // What stands between use and name: nothing, or more than a thread reads at one go.
    for between in [0, 40_000] {
        let filler = "fl=(1)\nfn=(1)\n1 5 0\n\n".repeat(between);
        let named = "fl=(1) /srv/a.php\nfn=(1)\n1 5 0\n\n";
        let calls = "cfl=(1)\ncfn=(1)\ncalls=1 0 0\n7 5 0\n".repeat(between + 2);
        let total = 7 + 5 * (between + 2);
        let text = format!("{head}{before}{filler}{named}{main}{calls}\nsummary: {total} 4096\n\n");
        let (whole, streamed) = (read(text.as_bytes(), false).unwrap(), read(text.as_bytes(), true).unwrap());
        assert_eq!(folded(&whole), folded(&streamed));
        assert!(!whole.complete() && !streamed.complete());
        let kinds = [&whole, &streamed].map(|profile| profile.files[0].first_defect.clone());
        assert!(kinds[0].is_some() && kinds[0] == kinds[1], "{kinds:?}");
    }
}
