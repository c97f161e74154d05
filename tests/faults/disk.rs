//! Disks that fill, and folders that cannot be written: the verdict is said all the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::support::{Count, Place, SERVER, long, port, text, words};

/// A small file system of its own, gone with this.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// None where mounting is not allowed.
    fn new(at: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

const LONG_SIZES: [&str; 15] =
    ["2m", "2500k", "3m", "3500k", "4m", "4500k", "5m", "6m", "7m", "8m", "10m", "12m", "16m", "24m", "32m"];

fn verdict_is_said(console: &str) -> Result<(), String> {
    let said = ["clean  ", "inconclusive  ", "leak  "].iter().any(|word| console.contains(word));
    if said { Ok(()) } else { Err(format!("no verdict: {console}")) }
}

#[test]
fn a_disk_that_fills_takes_no_verdict_away() {
    let mut count = Count::new("disks");
    let sizes: &[&str] = if long() { &LONG_SIZES } else { &["5m", "16m"] };
    for size in sizes {
        let place = Place::new();
        let at = place.path().join("disk");
        let Some(_disk) = Disk::new(&at, size) else {
            println!("disks: not tried, as nothing can be mounted here");
            return;
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("--out").arg(at.join("run")).args(["--load", "sequential", "--budget", "24s", "--"]);
        let output =
            command.args(words(&["php", SERVER, "plain", &port()])).current_dir(place.path()).output().unwrap();
        let console = text(&output);
        // Where there is no room to begin with, nothing is measured that could be lost: that is said instead.
        let refused = console.contains("are free at") && console.contains("make room");
        let code = match output.status.code() {
            Some(0 | 4) => Ok(()),
            Some(2) if refused => Ok(()),
            code => Err(format!("exit {code:?}: {console}")),
        };
        let report = console.lines().rev().find_map(|line| line.trim().strip_prefix("report")).map(str::trim);
        let there = report.is_some_and(|report| Path::new(report).is_file());
        let there = if there { Ok(()) } else { Err(format!("no report: {console}")) };
        let said = if refused { Ok(()) } else { verdict_is_said(&console) };
        count.take(size, code.and(said).and(there).and(place.is_left_empty()));
        if let Some(fallback) = report.filter(|report| report.contains("profile-run-report-")) {
            let _ = fs::remove_dir_all(Path::new(fallback).parent().unwrap());
        }
    }
    count.end();
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_elsewhere() {
    let place = Place::new();
    let output = place
        .run(&["--passes", "measure", "--load", "smoke", "--budget", "8s"], &words(&["php", SERVER, "plain", &port()]));
    assert!(place.out().join("report.html").is_file(), "{}", text(&output));
    let elsewhere = place.path().join("elsewhere");
    fs::remove_file(place.out().join("report.html")).unwrap();
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("report").arg(place.out());
        command
    };
    let output = program().arg("--out").arg(&elsewhere).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(elsewhere.join("report.html").is_file() && !place.out().join("report.html").exists());
    // One file that cannot take its place keeps no other back.
    fs::create_dir(place.out().join("summary.md.d")).unwrap();
    fs::remove_file(place.out().join("summary.md")).unwrap();
    fs::create_dir_all(place.out().join("summary.md/inside")).unwrap();
    let output = program().output().unwrap();
    assert!(text(&output).contains("summary.md could not be written"), "{}", text(&output));
    assert!(place.out().join("report.html").is_file() && place.out().join("result.json").is_file());
}
