//! What may stand around a profile in its file, and lines of its header that are damaged: the calls are read all the same.

use profile_run::profile::{FileSummary, Options, Profile, STILL_RUNNING_NAME, read_bytes};
use std::path::Path;

use crate::support::files::gzip;

const XDEBUG: &str = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
    events: Time_(10ns) Memory_(bytes)\n\nfl=(1) /srv/a.php\nfn=(2) leaf\n3 7 0\n\nfl=(1)\nfn=(1) {main}\n1 9 0\n\
    cfl=(1)\ncfn=(2)\ncalls=1 0 0\n2 7 0\n\nsummary: 16 0\n\n";
const CALLGRIND: &str =
    "version: 1\ncreator: callgrind-3.19.0\nevents: Ir\n\nfn=(1) {main}\n1 9\nfn=(2) leaf\n1 7\n\ntotals: 16\n";

fn read(bytes: &[u8]) -> Profile {
    read_bytes(Path::new("edge"), bytes, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The calls are all there, and what is said of the file is given back.
fn whole(bytes: &[u8]) -> FileSummary {
    let profile = read(bytes);
    let mut found: Vec<_> = profile.functions.iter().map(|f| (f.name.as_str(), f.own.time)).collect();
    found.sort_unstable();
    assert_eq!(found, [("leaf", 7), ("{main}", 9)], "{:?}", String::from_utf8_lossy(bytes));
    assert_eq!(profile.units.nanoseconds_per_tick.unwrap_or(10), 10);
    profile.files[0].clone()
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for text in [XDEBUG, CALLGRIND] {
        let marked = format!("\u{feff}{text}");
        for bytes in [marked.as_bytes(), &gzip(marked.as_bytes())] {
            let file = whole(bytes);
            assert!(file.complete && file.warnings.is_empty(), "{file:?}");
        }
        // Offsets are those of the file.
        let damaged = format!("\u{feff}@@@\n{text}");
        assert_eq!(whole(damaged.as_bytes()).first_defect.unwrap().offset, 0);
        let damaged = format!("\u{feff}{}", text.replace("creator:", "@@@\ncreator:"));
        assert_eq!(whole(damaged.as_bytes()).first_defect.unwrap().offset, 3 + 11);
    }
}

#[test]
fn a_damaged_line_of_a_header_is_said_with_its_place_and_costs_no_call_its_caller() {
    for (text, lines) in [(XDEBUG, 6), (CALLGRIND, 2)] {
        let begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        for at in begins.take(lines) {
            let damaged = format!("{}@ damaged @\n{}", &text[..at], &text[at..]);
            let file = whole(damaged.as_bytes());
            let defect = file.first_defect.expect("it is said");
            assert_eq!((file.complete, defect.offset), (false, at as u64), "{damaged}");
        }
    }
    // The line that would have told the unit.
    let file = whole(XDEBUG.replace("events:", "ev\u{0}nts:").as_bytes());
    assert!(file.warnings.iter().any(|said| said.contains("units of 10 ns")), "{:?}", file.warnings);
}

#[test]
fn nul_bytes_at_the_end_are_said_and_passed_over() {
    for text in [XDEBUG, CALLGRIND] {
        // More than any buffer and any line has.
        for count in [1, 4096, 9 << 20] {
            let padded = [text.as_bytes(), &vec![0; count]].concat();
            for bytes in [padded.clone(), gzip(&padded)] {
                let file = whole(&bytes);
                assert!(file.complete, "{:?}", file.first_defect);
                let said = file.warnings.join("; ");
                assert!(said.contains(&format!("NUL bytes, {count} of them")), "{said}");
            }
        }
    }
    let end = XDEBUG.find("\ncfl").unwrap();
    let cut = [&XDEBUG.as_bytes()[..end], &[0; 5000]].concat();
    let profile = read(&cut);
    let file = &profile.files[0];
    assert!(!file.complete && file.first_defect.as_ref().unwrap().to_string().contains("ends"), "{file:?}");
    assert!(profile.functions.iter().any(|function| function.name == STILL_RUNNING_NAME));
    let nothing = read_bytes(Path::new("edge"), &[0; 5000], &Options::default()).unwrap_err().to_string();
    assert!(nothing.contains("nothing but NUL bytes") && !nothing.contains("is empty"), "{nothing}");
}

#[test]
fn nul_bytes_between_others_are_handed_on() {
    let strange = XDEBUG.replace("leaf", "l\u{0}\u{0}f");
    for bytes in [strange.as_bytes(), &gzip(strange.as_bytes())] {
        assert!(read(bytes).functions.iter().any(|function| function.name == "l\u{0}\u{0}f"));
    }
}

#[test]
fn a_run_that_has_its_end_is_not_called_still_running_whatever_is_damaged_in_it() {
    for damage in ["@@@\n", "\u{0}\u{0}\u{0}\n"] {
        let damaged = XDEBUG.replace("fl=(1)\nfn=(1)", &format!("{damage}fl=(1)\nfn=(1)"));
        let profile = read(damaged.as_bytes());
        assert!(!profile.complete());
        assert!(
            profile.functions.iter().all(|function| function.name != STILL_RUNNING_NAME),
            "{:?}",
            profile.functions
        );
    }
}
