//! Profiles in callgrind's format: of each dialect, of valgrind itself, and damaged in every way.

mod damage;
mod dialects;
mod shown;
mod valgrind;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::files::{gzip, put};
use profile_run::profile::{Options, Profile, read_paths};
use serde_json::Value;

/// The handwritten files.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/callgrind")
}

fn fixture(name: &str) -> PathBuf {
    fixtures().join(format!("{name}.out"))
}

fn analyze(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("analyze").args(arguments).args(paths).output().unwrap()
}

/// The `profile` object.
fn object(paths: &[&Path]) -> Value {
    let output = analyze(&["--format", "json"], paths);
    assert!(output.status.success(), "{paths:?}: {output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["profile"].take()
}

/// Reads a file as a library does.
fn read(path: &Path) -> Option<Profile> {
    read_paths(&[path.to_owned()], &Options { threads: 1, streamed: false, ..Options::default() }).ok()
}

/// Self costs of all events by function's name.
fn by_name(profile: &Value) -> BTreeMap<String, Vec<i64>> {
    let mut sums: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for function in profile["functions"].as_array().unwrap() {
        let costs = function["costs"].as_array().unwrap();
        let sum = sums.entry(function["name"].as_str().unwrap().to_owned()).or_default();
        sum.resize(costs.len(), 0);
        sum.iter_mut().zip(costs).for_each(|(sum, cost)| *sum += cost.as_i64().unwrap());
    }
    sums
}
