//! Profiles that somebody changes while they are read.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::files::{gzip, put};

/// A profile of so many calls of one function, in the dialect of Xdebug 3.
fn many(calls: usize) -> String {
    let mut text = String::from(
        "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
         events: Time_(10ns) Memory_(bytes)\n\nfl=(1) /srv/a.php\nfn=(2) leaf\n3 7 0\n\n",
    );
    for _ in 1..calls {
        text.push_str("fl=(1)\nfn=(2)\n3 7 0\n\n");
    }
    text.push_str("fl=(1)\nfn=(1) {main}\n1 9 0\n");
    for _ in 0..calls {
        text.push_str("cfl=(1)\ncfn=(2)\ncalls=1 0 0\n2 7 0\n");
    }
    let _ = write!(text, "\nsummary: {} 0\n\n", 9 + 7 * calls);
    text
}

/// The same calls as callgrind's own tool would write them.
fn callgrinds(calls: usize) -> String {
    let mut text = String::from("version: 1\ncreator: callgrind-3.19.0\nevents: Ir\n\nfn=(1) main\n");
    (0..calls).for_each(|_| text.push_str("1 7\n"));
    let _ = writeln!(text, "\ntotals: {}", 7 * calls);
    text
}

/// How it ended, and what it said; after `pause` the file is cut to `left` bytes.
fn cut_while_read(path: &Path, pause: Duration, left: u64) -> (std::process::ExitStatus, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["analyze", "--format", "folded"])
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(pause);
    File::options().write(true).open(path).unwrap().set_len(left).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_file_that_is_cut_short_while_it_is_read_ends_nobody_by_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let xdebugs = many(30_000);
    for (name, bytes) in [
        ("cachegrind.out.1", xdebugs.as_bytes()),
        ("cachegrind.out.1.gz", &gzip(xdebugs.as_bytes())),
        ("callgrind.out.1", callgrinds(150_000).as_bytes()),
    ] {
        let path = put(folder.path(), name, bytes);
        let whole = bytes.len() as u64;
        let begun = Instant::now();
        let (status, said) = cut_while_read(&path, Duration::ZERO, whole);
        assert!(status.success() && !said.contains("cut"), "{name}: {said}");
        let lasts = begun.elapsed();
        let mut seen = 0;
        for attempt in 0..8u32 {
            std::fs::write(&path, bytes).unwrap();
            let left = [0, whole / 3, whole - 5000, whole - 3][attempt as usize % 4];
            let (status, said) = cut_while_read(&path, lasts * attempt / 8, left);
            assert_eq!(status.signal(), None, "{name}, attempt {attempt}: {said}");
            assert!(matches!(status.code(), Some(0 | 2)), "{name}, attempt {attempt}: {status}: {said}");
            let cut = format!("it was cut short while it was read, from {whole} to {left} bytes");
            seen += usize::from(said.contains(&cut));
        }
        assert!(seen > 0, "{name}: no attempt came while it was read");
    }
}
