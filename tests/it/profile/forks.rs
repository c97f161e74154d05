//! Real processes that fork under Xdebug, with the library that gives each a profile of its own: every function has as
//! many calls as the processes counted themselves, and what happened before a fork is counted once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use profile_run::capture::Separate;
use profile_run::profile::{Options, Profile, read_paths};

/// Runs the fixture; gives back its profile, and the sum of what its `children` counted.
fn run(folder: &Path, mode: &str, children: usize) -> (Profile, u64) {
    let php = PathBuf::from("php");
    let library = Separate::prepare(&folder.join("php"), &php, None).expect("the library is built and loads");
    let profiles = folder.join("profile");
    std::fs::create_dir(&profiles).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/xdebug/forks.php");
    let status = Command::new(&php)
        .args(["-d", "xdebug.mode=profile", "-d", "xdebug.start_with_request=yes", "-d", "xdebug.use_compression=0"])
        .args(["-d", &format!("xdebug.output_dir={}", profiles.display())])
        .args(["-d", "xdebug.profiler_output_name=cachegrind.out.%p"])
        .arg(script)
        .args([mode, folder.to_str().unwrap()])
        .env("LD_PRELOAD", library.preload)
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
        if let Ok(profile) = profile.as_ref().map(Clone::clone)
            && profile.complete()
            && counts().len() == children
        {
            return (profile, counts().iter().sum());
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}, {:?}", counts(), profile.map(|p| p.files));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_process_has_its_calls_and_what_was_before_a_fork_is_counted_once() {
    for (mode, children, boots) in [("workers", 12, 137), ("daemon", 1, 137), ("connections", 60, 137 + 60)] {
        let folder = tempfile::tempdir().unwrap();
        let (profile, counted) = run(folder.path(), mode, children);
        let calls = |name: &str| {
            let all = profile.functions.iter().filter(|function| function.name == name);
            all.map(|function| function.calls).sum::<u64>()
        };
        assert_eq!((calls("work"), calls("leaf"), calls("php::md5")), (counted, 2 * counted, 2 * counted), "{mode}");
        assert_eq!((calls("boot"), calls("{main}"), calls("child")), (boots, 1, children as u64), "{mode}");
        let forks = if mode == "daemon" { 2 } else { children as u64 };
        assert_eq!(calls("php::pcntl_fork"), forks, "{mode}");
    }
}
