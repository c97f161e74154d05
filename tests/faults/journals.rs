//! Journals that were damaged: the report is written from what can be read, and what cannot is counted and said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Count, Place, long, text};

const RUNS: [&str; 5] = ["clean", "failed", "interrupted", "leak", "schema-1"];

/// A way to damage a journal, at this line of it; the first line says what it is.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// The line is gone: nobody can know.
    Dropped,
    /// It was written twice.
    Twice,
    /// Its second half is missing, and with it the end of the line.
    Torn,
    /// All after its middle is missing: the machine went down.
    CutOff,
    /// It is a run of zeros, as after a crash of the file system.
    Zeros,
    /// It is no UTF-8.
    Bytes,
    /// It is JSON, and nothing that a journal knows.
    Stranger,
    /// Another line is between its halves.
    Mixed,
    /// It is followed by empty lines.
    Blank,
    /// A value of another type.
    Type,
    /// A number beyond all bounds.
    Huge,
    /// Nested deeper than any reader likes.
    Deep,
}

const ALL: [Damage; 12] = [
    Damage::Dropped,
    Damage::Twice,
    Damage::Torn,
    Damage::CutOff,
    Damage::Zeros,
    Damage::Bytes,
    Damage::Stranger,
    Damage::Mixed,
    Damage::Blank,
    Damage::Type,
    Damage::Huge,
    Damage::Deep,
];

fn damaged(journal: &[u8], damage: Damage, at: usize) -> Vec<u8> {
    let lines: Vec<&[u8]> = journal.split_inclusive(|byte| *byte == b'\n').collect();
    let (before, line, after) = (lines[..at].concat(), lines[at], lines[at + 1..].concat());
    let half = line.len() / 2;
    let changed = match damage {
        Damage::Dropped => Vec::new(),
        Damage::Twice => [line, line].concat(),
        Damage::Torn => line[..half].to_vec(),
        Damage::CutOff => return [&before, &line[..half]].concat(),
        Damage::Zeros => [&vec![0; line.len() - 1], &b"\n"[..]].concat(),
        Damage::Bytes => [&line[..half], b"\xff\xfe\xc3\x28", &line[half..]].concat(),
        Damage::Stranger => b"{\"event\":\"eclipse\",\"t\":1,\"sun\":[]}\n".to_vec(),
        Damage::Mixed => [&line[..half], b"{\"event\":\"ready\"}\n", &line[half..]].concat(),
        Damage::Blank => [line, b"\n\n  \n"].concat(),
        Damage::Type => String::from_utf8_lossy(line).replacen(":", ":[null],\"x\":", 1).into_bytes(),
        Damage::Huge => String::from_utf8_lossy(line).replacen("\"t\":", "\"t\":1e308", 1).into_bytes(),
        Damage::Deep => [&b"[".repeat(100_000)[..], b"\n", line].concat(),
    };
    [before, changed, after].concat()
}

fn recorded(run: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runs").join(run)
}

/// What `report` makes of it: a whole report, or a sentence of why there is none.
fn tried(run: &str, damage: Damage, at: usize) -> Result<(), String> {
    let place = Place::new();
    fs::create_dir(place.out()).unwrap();
    let journal = fs::read(recorded(run).join("journal.jsonl")).unwrap();
    fs::copy(recorded(run).join("samples.jsonl"), place.out().join("samples.jsonl")).unwrap();
    fs::write(place.out().join("journal.jsonl"), damaged(&journal, damage, at)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(place.out()).output().unwrap();
    let said = text(&output);
    if said.contains("panicked") {
        return Err(said);
    }
    // A last line without its end is one that was being written when the machine stopped.
    let last = journal.iter().filter(|byte| **byte == b'\n').count() - 1;
    let torn = matches!(damage, Damage::Torn) && at < last;
    let lost = torn || matches!(damage, Damage::Zeros | Damage::Bytes | Damage::Stranger | Damage::Mixed);
    match output.status.code() {
        Some(0..=4) if place.out().join("report.html").is_file() => {
            let result = place.result();
            let counted =
                result["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one["kind"] == "damaged_journal"));
            let is_said = !lost || counted;
            if is_said { Ok(()) } else { Err(format!("nothing was said of the lost line: {}", result["warnings"])) }
        }
        // Without its first line nobody knows what a journal is of.
        Some(2) if at == 0 && said.contains("journal.jsonl") => Ok(()),
        code => Err(format!("exit {code:?}: {said}")),
    }
}

#[test]
fn no_damaged_journal_takes_its_report_away() {
    let mut count = Count::new("journals");
    for (number, run) in RUNS.into_iter().enumerate() {
        let lines = fs::read_to_string(recorded(run).join("journal.jsonl")).unwrap().lines().count();
        for (of, damage) in ALL.into_iter().enumerate() {
            if !long() && of % RUNS.len() != number {
                continue;
            }
            // The first line, one in the middle, the last; in turn, so that each damage meets each place.
            let at = [0, lines / 2, lines - 1, lines / 3][(of + number) % 4];
            count.take(&format!("{run}, {damage:?} at line {}", at + 1), tried(run, damage, at));
        }
    }
    count.end();
}
