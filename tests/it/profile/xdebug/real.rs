//! What Debian's PHP and Xdebug write, against what PHP itself says of the same run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use profile_run::profile::{Profile, ROOT};

use super::{folded, read};

/// Runs a script under Xdebug's profiler: what it printed, and the profile's text.
fn profiled(script: &str, arguments: &[&str]) -> (String, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/xdebug").join(script);
    let output = Command::new("php")
        .args(["-d", "xdebug.mode=profile", "-d", "xdebug.start_with_request=yes"])
        .args(["-d", "xdebug.use_compression=0", "-d", "xdebug.profiler_output_name=profile"])
        .args(["-d", &format!("xdebug.output_dir={}", folder.path().display())])
        .arg(script)
        .args(arguments)
        .env_remove("XDEBUG_MODE")
        .env_remove("XDEBUG_CONFIG")
        .output()
        .expect("php starts");
    assert!(output.status.success(), "{output:?}");
    let path: PathBuf = folder.path().join("profile");
    let text = std::fs::read(&path).expect("Xdebug (php-xdebug) has written a profile");
    (String::from_utf8(output.stdout).unwrap(), text)
}

/// Calls of a function by its callers, in order from the root; the script itself is nobody's caller here, as in PHP's
/// own backtraces.
fn calls_by_path(profile: &Profile, name: &str) -> BTreeMap<String, u64> {
    let nodes = profile.tree.nodes();
    let mut calls = BTreeMap::new();
    for (id, node) in nodes.iter().enumerate().skip(1).filter(|(_, node)| node.calls > 0) {
        let mut path = Vec::new();
        let mut at = id as u32;
        while at != ROOT {
            let frame = profile.function_at(at).name.as_str();
            if frame != "{main}" {
                path.insert(0, frame);
            }
            at = nodes[at as usize].parent;
        }
        if path.last() == Some(&name) {
            *calls.entry(path.join(";")).or_default() += node.calls;
        }
    }
    calls
}

#[test]
fn every_path_of_a_real_run_with_fibers_has_the_calls_that_php_counted() {
    // What others take of the processor between the last call and the end of the request is nobody's time in the file,
    // and can be more than that: a few tries for the sum, none for the calls.
    let near = |_| {
        let (said, text) = profiled("paths.php", &["60"]);
        let mut counted: BTreeMap<String, u64> = serde_json::from_str(&said).unwrap();
        // Behind the last word of the script.
        counted.insert("Last->__destruct;leaf".to_owned(), 1);
        [false, true].into_iter().all(|streamed| {
            let profile = read(&text, streamed).unwrap();
            assert!(profile.complete(), "{:?}", profile.files[0]);
            assert_eq!(calls_by_path(&profile, "leaf"), counted);
            let declared = profile.files[0].declared.unwrap().time;
            let total: i64 = folded(&profile).values().sum();
            total.abs_diff(declared) < declared.unsigned_abs() / 100
        })
    };
    assert!((0..8).any(near), "the total of self times is not within 1% of the summary in any of eight runs");
}

#[test]
fn of_two_forked_workers_none_is_credited_with_the_waiting_of_the_other() {
    let (_, text) = profiled("workers.php", &[]);
    let profile = read(&text, false).unwrap();
    let file = &profile.files[0];
    assert!(file.writers > 1, "{file:?}");
    // Where one had ended before the other wrote its first block, both are whole.
    if file.complete {
        let calls = |name: &str| profile.functions.iter().find(|function| function.name == name).map(|f| f.calls);
        assert_eq!((calls("Busy->hashes"), calls("Waiting->pause")), (Some(3000), Some(1500)));
    } else {
        assert!(file.recovered_share < 1.0, "{file:?}");
        assert!(file.warnings.iter().any(|warning| warning.contains("written by")), "{:?}", file.warnings);
    }
    for path in folded(&profile).keys() {
        let of = |name: &str| path.contains(name);
        assert!(!(of("Busy") && (of("Waiting") || of("usleep"))), "{path}");
        assert!(!(of("Waiting") && (of("Busy") || of("md5") || of("str_repeat"))), "{path}");
        assert!(!of("usleep") || path.ends_with("Waiting->run;Waiting->pause;php::usleep"), "{path}");
    }
}
