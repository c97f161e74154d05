//! The speedscope export, opened by speedscope itself: its page from npm, in a browser with the network off.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::chromium::Browser;
use crate::support::speedscope;

/// Two roots, recursion, a name that is HTML: own times in ticks of 10 ns.
const PROFILE: &str = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
events: Time_(10ns) Memory_(bytes)\n\n\
fl=(1) /srv/a.php\nfn=(1) deep\n3 1000 0\n\n\
fl=(1)\nfn=(1)\n3 500 0\ncfl=(1)\ncfn=(1)\ncalls=1 0 0\n9 1000 0\n\n\
fl=(1)\nfn=(2) <b>bold</b>\n3 2500 0\n\n\
fl=(1)\nfn=(3) {main}\n3 4000 0\ncfl=(1)\ncfn=(1)\ncalls=1 0 0\n9 1500 0\ncfl=(1)\ncfn=(2)\ncalls=1 0 0\n9 2500 0\n\n\
fl=(1)\nfn=(4) at_exit\n3 2000 0\n\n\
summary: 10000 0\n\n";

#[test]
fn speedscope_shows_the_costs_that_the_file_holds() {
    let Some(page) = speedscope::page() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("cachegrind.out.1");
    std::fs::write(&profile, PROFILE).unwrap();
    let export = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["analyze", "--format", "speedscope"])
        .arg(&profile)
        .output()
        .expect("the program starts");
    assert!(export.status.success(), "{export:?}");
    let rows = speedscope::rows(&mut browser, &page, folder.path(), &export.stdout);
    let shown: BTreeMap<String, [String; 2]> =
        rows.into_iter().map(|[total, own, name]| (name, [total, own])).collect();
    for (name, total, own) in [
        ("{main}", "80.00µs (80%)", "40.00µs (40%)"),
        ("deep", "15.00µs (15%)", "15.00µs (15%)"),
        ("<b>bold</b>", "25.00µs (25%)", "25.00µs (25%)"),
        ("at_exit", "20.00µs (20%)", "20.00µs (20%)"),
    ] {
        assert_eq!(shown.get(name), Some(&[total.to_owned(), own.to_owned()]), "{name} in {shown:?}");
    }
}

#[test]
fn speedscope_opens_a_recursion_that_is_written_as_events() {
    let Some(page) = speedscope::page() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("cachegrind.out.1");
    std::fs::write(&profile, super::extremes::recursion(6000)).unwrap();
    let export = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["analyze", "--format", "speedscope"])
        .arg(&profile)
        .output()
        .expect("the program starts");
    assert!(export.stdout.len() < 1_000_000 && export.stdout.windows(9).any(|text| text == b"\"evented\""));
    let rows = speedscope::rows(&mut browser, &page, folder.path(), &export.stdout);
    let own: BTreeMap<String, String> = rows.into_iter().map(|[_, own, name]| (name, own)).collect();
    assert_eq!(own.get("step").map(String::as_str), Some("300.00µs (97%)"), "{own:?}");
    assert_eq!(own.get("leaf").map(String::as_str), Some("10.00µs (3.2%)"), "{own:?}");
}
