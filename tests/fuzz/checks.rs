//! What holds of any bytes at all, for each format.

use std::io::{Read, Seek};
use std::path::Path;

use profile_run::analysis::analyze_json::Analyzed;
use profile_run::analysis::waiting::Waiting;
use profile_run::profile::export::{callgrind as callgrind_file, folded, pprof, speedscope};
use profile_run::profile::{Dialect, Error, Keeper, Metric, Options, Pattern, Profile, Recorder, Vectors, read_bytes};

fn read(bytes: &[u8], streamed: bool) -> Option<Profile> {
    read_bytes(Path::new("bytes"), bytes, &Options { threads: 2, streamed, ..Options::default() }).ok()
}

/// Paths with their self times.
fn paths(profile: &Profile) -> Vec<u8> {
    let mut text = Vec::new();
    folded::write(profile, &profile.tree, Metric::Time, &mut text).unwrap();
    text
}

/// Shows a profile in every way. A file of a few bytes can declare costs near the limit of 64 bits, where sums stay.
fn show(profile: Profile) {
    let own = profile.functions.iter().map(|function| function.own.time).fold(0, i64::saturating_add);
    let small = |time: i64| time.unsigned_abs() < 1 << 40;
    if profile.functions.iter().all(|function| small(function.own.time)) {
        assert_eq!(profile.total(Metric::Time), own, "the tree keeps every self cost");
    }
    for file in &profile.files {
        assert!((0.0..=1.0).contains(&file.recovered_share), "{}", file.recovered_share);
        assert!(!file.complete || file.first_defect.is_none() || file.defects > 0);
    }
    let mut sink = Vec::new();
    speedscope::write(&profile, Metric::Time, &mut sink).unwrap();
    pprof::write(&profile, Metric::Time, &mut sink).unwrap();
    callgrind_file::write(&profile, &mut sink).unwrap();
    serde_json::to_vec(&Analyzed::of(&profile, 0, &Waiting::default())).unwrap();
    profile.hide(&Pattern::new("a")).focus(&Pattern::new("m"));
}

/// Xdebug's files: both ways of reading agree. They may differ in what they make of a last record that is cut: the short
/// way does not look into it.
pub fn xdebug(bytes: &[u8]) {
    let (whole, streamed) = (read(bytes, false), read(bytes, true));
    assert!(whole.is_some() || streamed.is_none(), "the short way refuses what the other reads");
    let Some(whole) = whole else { return };
    if let Some(streamed) = streamed.filter(|profile| profile.files[0].writers == 1) {
        let place =
            |profile: &Profile| profile.files[0].first_defect.as_ref().map(|defect| (defect.line, defect.offset));
        assert_eq!(String::from_utf8(paths(&whole)), String::from_utf8(paths(&streamed)));
        assert_eq!((whole.records(), whole.complete()), (streamed.records(), streamed.complete()));
        assert_eq!(place(&whole), place(&streamed));
        // Only Xdebug's are followed, and none that is compressed while it is written.
        if streamed.dialect == Dialect::Xdebug && !bytes.starts_with(&[0x1f, 0x8b]) {
            let options = Options { threads: 2, ..Options::default() };
            match read_bytes(Path::new("kept"), &keep(bytes), &options) {
                Ok(kept) => {
                    assert_eq!(String::from_utf8(paths(&kept)), String::from_utf8(paths(&streamed)));
                    assert_eq!((kept.records(), kept.complete()), (streamed.records(), streamed.complete()));
                    assert_eq!(kept.functions, streamed.functions);
                }
                // Refused where the file itself would tell which process wrote what.
                Err(error) => {
                    let whole = streamed.complete() && streamed.files[0].first_defect.is_none();
                    assert!(!whole && matches!(error, Error::NoProfile { .. }), "what was kept is read: {error}");
                }
            }
        }
        show(streamed);
    }
    // Fewer vector instructions read the same.
    for vectors in [Vectors::Common, Vectors::None] {
        let options = Options { threads: 1, vectors, ..Options::default() };
        let other = read_bytes(Path::new("bytes"), bytes, &options).expect("as with all instructions");
        assert_eq!(paths(&other), paths(&whole));
        assert_eq!((other.records(), other.complete()), (whole.records(), whole.complete()));
    }
    // Many records at once are what they are line by line: pieces so small leave nothing but lines.
    assert_eq!(recorded(bytes, bytes.len()), recorded(bytes, 60));
    let narrow = Options { threads: 2, max_tree: 400, ..Options::default() };
    let pruned = read_bytes(Path::new("bytes"), bytes, &narrow).expect("a tree that is pruned");
    assert_eq!(pruned.records(), whole.records());
    show(pruned);
    show(whole);
}

/// What a recorder found in bytes that come in pieces of a size.
fn recorded(bytes: &[u8], size: usize) -> String {
    let mut recorder = Recorder::new(Vec::new());
    bytes.chunks(size.max(1)).for_each(|piece| recorder.push(piece).unwrap());
    serde_json::to_string(&recorder.finish().unwrap()).unwrap()
}

/// A profile in the compact form, as it is kept of one that was followed while it was written.
pub fn keep(bytes: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    let mut keeper = Keeper::new(file.try_clone().unwrap()).unwrap();
    bytes.chunks(977).for_each(|part| keeper.push(part).unwrap());
    keeper.finish().unwrap();
    let mut kept = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut kept).unwrap();
    kept
}

/// The compact form.
pub fn kept(bytes: &[u8]) {
    if let Some(profile) = read(bytes, false) {
        show(profile);
    }
}

/// Callgrind's and cachegrind's.
pub fn callgrind(bytes: &[u8]) {
    let Some(profile) = read(bytes, false) else { return };
    // What turns out to be Xdebug's has its events by their roles, not by any name that a header gives them.
    let last = profile.events().last().cloned().filter(|_| profile.dialect != Dialect::Xdebug);
    match last {
        None => show(profile),
        Some(last) => show(profile.by_event(&last).expect("it is one of the profile's own events")),
    }
}
