//! The fuzz targets on stable: the corpus, and files made of it by changes that nobody plans. A few seconds;
//! `PROFILE_RUN_FUZZ=SECONDS` goes on for longer, from another seed each time. With nightly and cargo-fuzz the same
//! targets run by coverage: `cargo +nightly fuzz run --fuzz-dir tests/fuzz xdebug` (or `callgrind`, `kept`).

mod checks;

use std::io::Write as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A target with the folders of its corpus and the pieces that its files are made of.
struct Target {
    check: fn(&[u8]),
    /// What is made of a file of the corpus first.
    made: fn(Vec<u8>) -> Vec<u8>,
    corpus: &'static [&'static str],
    tokens: &'static [&'static [u8]],
}

const XDEBUG: Target = Target {
    check: checks::xdebug,
    made: |bytes| bytes,
    corpus: &["tests/fuzz/corpus/xdebug"],
    tokens: &[
        b"\nfn=(1)\n",
        b"\nfl=(1) a\n",
        b"\nfn=(2) php::Fiber::suspend\n",
        b"\ncfn=(3) php::Fiber->start\n",
        b"\ncfn=(1)\n",
        b"\ncalls=1 0 0\n",
        b"\ncalls=18446744073709551615 0 0\n",
        b"\n7 18446744073709551615 0\n",
        b"\n7 9223372036854775807 -1\n",
        b"\nsummary: 1 1\n\n",
        b"\nversion: 1\ncreator: xdebug 3.2.0\n",
        b"\n==== NEW PROFILING FILE ====\n",
        b"\nevents: Time\n",
        b"\n\n",
        b"\r\n",
        b"-",
        b"(",
        b"\0",
        b"\xff\xfe",
    ],
};

const CALLGRIND: Target = Target {
    check: checks::callgrind,
    made: |bytes| bytes,
    corpus: &["tests/fuzz/corpus/callgrind", "fixtures/profiles/callgrind"],
    tokens: &[
        b"\nfn=(1)\n",
        b"\nfn=(1) (2)'(1)\n",
        b"\ncalls=1 -99\n",
        b"\n* *\n",
        b"\n0 18446744073709551615\n",
        b"\ncob=(8)\n",
        b"\nfi=\n",
        b"\njcnd=1/2 +3\n",
        b"\nevents: A B A\n",
        b"\npositions: instr line\n",
        b"-",
        b"*",
        b"0x",
        b"(",
        b"\0",
        b"\xff\xfe",
        b"\npositions:\n",
        b"\nevents:\n",
        b"\nsummary: x\n",
        b"\n1 9223372036854775807\n",
    ],
};

const KEPT: Target = Target {
    check: checks::kept,
    made: |bytes| checks::keep(&bytes),
    corpus: XDEBUG.corpus,
    tokens: &[b"\0\0\0\x80", b"\xff\xff\xff\xff", b"\0", b"\x80", b"\x89PRcall1", b"1llacRP\x89"],
};

fn files(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in target.corpus {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = (target.made)(std::fs::read(&path).unwrap());
            found.push((path, bytes));
        }
    }
    found.sort();
    assert!(found.len() > 10, "the corpus is found");
    found
}

/// Runs the target; where it fails the bytes are kept, and where they are is said.
fn hold(target: &Target, bytes: &[u8], from: &str) {
    let begun = Instant::now();
    let outcome = catch_unwind(|| (target.check)(bytes));
    let hung = begun.elapsed() > Duration::from_secs(20);
    if outcome.is_err() || hung {
        let path = std::env::temp_dir().join(format!("profile-run-fuzz.{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        panic!("{from}: {}, the bytes are in {}", if hung { "hung" } else { "failed" }, path.display());
    }
}

fn run(target: &Target) {
    let files = files(target);
    for (path, bytes) in &files {
        hold(target, bytes, &path.display().to_string());
    }
    let asked = std::env::var("PROFILE_RUN_FUZZ").ok().and_then(|seconds| seconds.parse().ok());
    let seed = asked.map_or(0x9E37_79B9_7F4A_7C15, |_: u64| u64::from(std::process::id()) << 32 | 0x9E37_79B9);
    let mut state = seed;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    let (begun, mut done) = (Instant::now(), 0u64);
    while done < 200 || begun.elapsed() < Duration::from_secs(asked.unwrap_or(3)) {
        let mut bytes = files[next(files.len())].1.clone();
        for _ in 0..1 + next(6) {
            let at = next(bytes.len());
            match next(6) {
                0 if at < bytes.len() => bytes[at] = next(256) as u8,
                1 => {
                    let token = target.tokens[next(target.tokens.len())];
                    bytes.splice(at..at, token.iter().copied()).for_each(drop);
                }
                2 => bytes.drain(at..(at + next(40)).min(bytes.len())).for_each(drop),
                3 => {
                    let part = bytes[at..(at + next(80)).min(bytes.len())].to_vec();
                    let to = next(bytes.len());
                    bytes.splice(to..to, part).for_each(drop);
                }
                4 => bytes.truncate(at),
                _ => {
                    let other = &files[next(files.len())].1;
                    bytes.extend_from_slice(&other[next(other.len())..]);
                }
            }
        }
        if next(20) == 0 {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        hold(target, &bytes, &format!("file {done} from seed {seed:#x}"));
        done += 1;
    }
    println!("{done} files from seed {seed:#x}");
}

#[test]
fn any_bytes_are_read_as_xdebugs_or_refused() {
    run(&XDEBUG);
}

#[test]
fn any_bytes_are_read_as_the_compact_form_or_refused() {
    run(&KEPT);
}

#[test]
fn any_bytes_are_read_as_callgrinds_or_refused() {
    run(&CALLGRIND);
}
