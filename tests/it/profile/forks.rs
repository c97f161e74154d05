//! Real processes that fork under Xdebug, with the library that gives each a profile of its own: every function has as
//! many calls as the processes counted themselves, and what happened before a fork is counted once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use profile_run::capture::Separate;
use profile_run::profile::{Options, Profile, read_bytes, read_paths};

use crate::support::files::gzip;

/// Runs the fixture with the library; gives back its profile, and the sum of what its `children` counted.
fn run(folder: &Path, mode: &str, children: usize) -> (Profile, u64) {
    let library = Separate::profiles(&folder.join("php"), Path::new("php"), None);
    let library = library.expect("the library is built and loads");
    run_with(folder, mode, children, Some(library.preload.into()))
}

/// The same with a library or without.
fn run_with(folder: &Path, mode: &str, children: usize, preload: Option<OsString>) -> (Profile, u64) {
    let profiles = folder.join("profile");
    std::fs::create_dir(&profiles).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/xdebug/forks.php");
    let status = Command::new("php")
        .args(["-d", "xdebug.mode=profile", "-d", "xdebug.start_with_request=yes", "-d", "xdebug.use_compression=0"])
        .args(["-d", &format!("xdebug.output_dir={}", profiles.display())])
        .args(["-d", "xdebug.profiler_output_name=cachegrind.out.%p"])
        .arg(script)
        .args([mode, folder.to_str().unwrap()])
        .envs(preload.iter().map(|library| ("LD_PRELOAD", library)))
        .status()
        .unwrap();
    assert!(status.success());
    let counts = || -> Vec<u64> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let counts = entries.filter(|path| path.file_stem().is_some_and(|stem| stem == "count"));
        counts.filter_map(|path| std::fs::read_to_string(path).ok()?.parse().ok()).collect()
    };
    // A daemon ends when nobody waits for it; its profile has its end when all are whole.
    let begun = Instant::now();
    loop {
        let profile = read_paths(std::slice::from_ref(&profiles), &Options::default());
        // Into one file they may write so that a block has no certain place: it is left out for good, and that is said.
        let stays = |profile: &Profile| {
            let share = profile.files.iter().map(|file| file.recovered_share).fold(1.0, f64::min);
            preload.is_none() && share < 1.0 && begun.elapsed() > Duration::from_secs(10)
        };
        if let Ok(profile) = profile.as_ref().map(Clone::clone)
            && (profile.complete() || stays(&profile))
            && counts().len() == children
        {
            return (profile, counts().iter().sum());
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}, {:?}", counts(), profile.map(|p| p.files));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Calls of a function, wherever it was called.
fn calls_of(profile: &Profile, name: &str) -> u64 {
    profile.functions.iter().filter(|function| function.name == name).map(|function| function.calls).sum()
}

#[test]
fn each_process_has_its_calls_and_what_was_before_a_fork_is_counted_once() {
    for (mode, children, boots) in [("workers", 12, 137), ("daemon", 1, 137), ("connections", 60, 137 + 60)] {
        let folder = tempfile::tempdir().unwrap();
        let (profile, counted) = run(folder.path(), mode, children);
        let calls = |name: &str| calls_of(&profile, name);
        assert_eq!((calls("work"), calls("leaf"), calls("php::md5")), (counted, 2 * counted, 2 * counted), "{mode}");
        assert_eq!((calls("boot"), calls("{main}"), calls("child")), (boots, 1, children as u64), "{mode}");
        let forks = if mode == "daemon" { 2 } else { children as u64 };
        assert_eq!(calls("php::pcntl_fork"), forks, "{mode}");
    }
}

/// Without the library they all write into one file, at the same time or in turn.
#[test]
fn processes_that_wrote_into_one_file_have_each_their_calls() {
    for (mode, children, boots) in [("workers", 12, 137), ("daemon", 1, 137), ("connections", 60, 137 + 60)] {
        // Where a block was left out no count is too high, and another try has all of them.
        let (_folder, profile, counted) = (0..3)
            .find_map(|_| {
                let folder = tempfile::tempdir().unwrap();
                let (profile, counted) = run_with(folder.path(), mode, children, None);
                assert!(calls_of(&profile, "work") <= counted, "{mode}");
                assert!(profile.complete() || profile.files[0].warnings.iter().any(|said| said.contains("not known")));
                profile.complete().then_some((folder, profile, counted))
            })
            .expect("one of three runs that is told whole");
        let calls = |name: &str| calls_of(&profile, name);
        assert_eq!((calls("work"), calls("leaf"), calls("php::md5")), (counted, 2 * counted, 2 * counted), "{mode}");
        assert_eq!((calls("boot"), calls("{main}"), calls("child")), (boots, 1, children as u64), "{mode}");
        let forks = if mode == "daemon" { 2 } else { children as u64 };
        assert_eq!((calls("php::pcntl_fork"), profile.files[0].writers), (forks, forks + 1), "{mode}");
        let packed = gzip(&std::fs::read(&profile.files[0].path).unwrap());
        let unpacked = read_bytes(Path::new("w.gz"), &packed, &Options::default()).unwrap();
        assert_eq!((&unpacked.functions, unpacked.files[0].writers), (&profile.functions, forks + 1), "{mode}");
    }
}

#[test]
fn time_of_an_open_frames_own_before_a_fork_is_the_parents_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, _) = run(folder.path(), "busy", 1);
    let own = |profile: &Profile| profile.functions.iter().find(|f| f.name == "{main}").unwrap().own.time;
    let parents = profile.files.iter().filter(|file| {
        let mut note = file.path.clone().into_os_string();
        note.push(".fork");
        !Path::new(&note).exists()
    });
    let parents: Vec<PathBuf> = parents.map(|file| file.path.clone()).collect();
    assert_eq!(parents.len(), 1);
    let alone = own(&read_paths(&parents, &Options::default()).unwrap());
    let both = own(&profile);
    assert!(both >= alone && both < alone + alone / 2, "{alone} of the parent, {both} of both");
}

const HEADER: &str = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
    events: Time_(10ns) Memory_(bytes)\n\n";

/// A call of a function, and the record of one that made such calls.
fn record(id: u32, name: &str, own: i64, calls: &[(u32, i64)]) -> String {
    let name = if name.is_empty() { String::new() } else { format!(" {name}") };
    let calls = calls.iter().map(|(id, time)| format!("cfl=(1)\ncfn=({id})\ncalls=1 0 0\n2 {time} 0\n"));
    format!("fl=(1)\nfn=({id}){name}\n1 {own} 0\n{}\n", calls.collect::<String>())
}

/// `{main}` is at work for 5,000 before it forks and 100 behind it; the child goes on for 40.
fn parent_and_child() -> (String, String, usize) {
    let boot = format!("fl=(1) /srv/a.php\n{}", &record(1, "boot", 300, &[])[7..]);
    let before = format!("{HEADER}{boot}");
    let parent = record(2, "pcntl_fork", 7, &[]) + &record(3, "{main}", 5100, &[(1, 300), (2, 7)]);
    let child = record(2, "pcntl_fork", 9, &[])
        + &record(4, "serve", 800, &[])
        + &record(3, "{main}", 5040, &[(1, 300), (2, 9), (4, 800)]);
    (format!("{before}{parent}summary: 5500 0\n\n"), format!("{child}summary: 6300 0\n\n"), before.len())
}

/// Self time by name, and what is said.
fn told(paths: &[PathBuf]) -> (Vec<(String, i64)>, Vec<String>) {
    let profile = read_paths(paths, &Options::default()).unwrap();
    let mut own: Vec<_> = profile.functions.iter().map(|f| (f.name.clone(), f.own.time)).collect();
    own.sort();
    (own, profile.files.iter().flat_map(|file| file.warnings.clone()).collect())
}

#[test]
fn what_was_before_a_fork_is_counted_once_where_the_note_tells_when_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (parent, child, written) = parent_and_child();
    let paths = [folder.path().join("cachegrind.out.1"), folder.path().join("cachegrind.out.2")];
    std::fs::write(&paths[0], &parent).unwrap();
    std::fs::write(&paths[1], &child).unwrap();
    let note = |rest: &str| {
        std::fs::write(folder.path().join("cachegrind.out.2.fork"), format!("{written} cachegrind.out.1\n{rest}"))
    };
    // 5,300 units of 10 ns: boot, and what `{main}` did itself.
    note("77\n53000\n").unwrap();
    let (own, said) = told(&paths);
    let expected = [("boot", 300), ("pcntl_fork", 7 + 9), ("serve", 800), ("{main}", 5100 + 40)];
    let sum = |own: &[(String, i64)]| own.iter().map(|(_, time)| time).sum::<i64>();
    assert_eq!(sum(&own), expected.iter().map(|(_, time)| time).sum::<i64>(), "{own:?}");
    // Of which frame it is cannot be told to the unit.
    let near = |(found, right): (&(String, i64), &(&str, i64))| found.0 == right.0 && (found.1 - right.1).abs() <= 9;
    assert!(own.iter().zip(&expected).all(near), "{own:?}");
    assert!(said.is_empty(), "{said:?}");
    // An old note does not tell it: nothing is taken away.
    for old in ["", "77\n", "77\n0\n"] {
        note(old).unwrap();
        assert_eq!(sum(&told(&paths).0), 300 + 16 + 800 + 5100 + 5040);
    }
}

#[test]
fn a_daemons_parent_ends_with_the_fork_and_has_what_was_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (parent, child, written) = parent_and_child();
    let in_hand = record(1, "", 20, &[]);
    let claimed = |text: String| text.replace("2 300 0\n", "2 300 0\ncfl=(1)\ncfn=(1)\ncalls=1 0 0\n2 20 0\n");
    let (parent, child) = (claimed(parent), claimed(child));
    // Both write what the parent had in hand, at a place where blocks end.
    let padding = "x".repeat(4096 - (written - HEADER.len()));
    let parent = parent.replacen("/srv/a.php\nfn", &format!("/srv/a.php{padding}\nfn"), 1);
    let at = HEADER.len() + 4096;
    let path = folder.path().join("cachegrind.out.1");
    std::fs::write(&path, format!("{}{in_hand}{}{in_hand}{child}", &parent[..at], &parent[at..])).unwrap();
    let (own, said) = told(&[path]);
    let main = own.iter().find(|(name, _)| name == "{main}").unwrap().1;
    assert!((5100..5100 + 5040 / 2).contains(&main), "{own:?}");
    assert!(said.iter().all(|said| !said.contains("declares a time")), "{said:?}");
}
