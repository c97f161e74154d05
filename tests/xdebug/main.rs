//! Xdebug's files from machines whose truth is known, and from the real one.

#[path = "../support/files.rs"]
mod files;

mod fibers;
mod machine;
mod real;

use std::collections::BTreeMap;
use std::path::Path;

use profile_run::cachegrind::{Error, Metric, Options, Profile, export, read_bytes};

fn read(text: &[u8], streamed: bool) -> Result<Profile, Error> {
    read_bytes(Path::new("cachegrind.out.1"), text, &Options { threads: 2, streamed })
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
