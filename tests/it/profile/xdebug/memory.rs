//! Memory does not grow with the file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::written;

/// The most private memory of `analyze`, in kilobytes, and the bytes of the file.
fn most(folder: &Path, size: u64) -> (u64, u64) {
    let file = folder.join("cachegrind.out.1");
    written::write(&file, size).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["analyze", "--format", "folded"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let private = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?.trim().strip_suffix(" kB")?;
        line.trim().parse::<u64>().ok()
    };
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(std::fs::read_to_string(&status).ok().and_then(|text| private(&text)).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    (most, std::fs::metadata(&file).unwrap().len())
}

#[test]
fn a_file_of_four_times_the_size_takes_no_more_private_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (small, bytes) = most(folder.path(), 10 << 20);
    let (large, more) = most(folder.path(), 40 << 20);
    assert!(small > 0 && more > 3 * bytes);
    // Lists of a chunk grow a little with its largest one; the file itself would be 30 MB more.
    assert!(large < small + 8_000, "{small} kB for {bytes} bytes, {large} kB for {more}");
    assert!(large < 64_000, "{large} kB");
}
