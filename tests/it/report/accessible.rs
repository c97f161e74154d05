//! Whether everyone can use the pages: axe-core's rules for WCAG 2.2 A and AA, in a browser.

use std::path::{Path, PathBuf};

use profile_run::report::html;

use crate::support::chromium::{Browser, Page, Screen};
use crate::support::views;

use super::compared;

/// What the page breaks, of the rules whose breach keeps people from using it.
fn violations(page: &mut Page<'_>) -> Vec<String> {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/axe/axe.min.js");
    let axe = std::fs::read_to_string(&axe)
        .unwrap_or_else(|error| panic!("{}: {error} (tests/install-tools.sh test fetches it)", axe.display()));
    page.eval(&format!("{axe}; 1"));
    let found = page.eval(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations']})\
           .then(found => found.violations.filter(v => ['serious', 'critical'].includes(v.impact))\
             .map(v => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')))",
    );
    found.as_array().expect("a list").iter().map(ToString::to_string).collect()
}

/// Looks at a page on screens of several widths, by day and by night.
pub(super) fn check(browser: &mut Browser, path: &Path, name: &str) {
    for (width, dark) in [(1280, false), (1280, true), (768, false), (390, true)] {
        let mut page = browser.open(path, Screen { dark, ..Screen::wide(width) });
        let found = violations(&mut page);
        assert!(found.is_empty(), "{name}, {width} wide, dark {dark}: {found:#?}");
    }
}

#[test]
fn no_page_keeps_anyone_from_using_it() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, view) in views::all() {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("accessible-{name}.html"));
        std::fs::write(&path, html(&view).expect("a report")).expect("the folder is writable");
        check(&mut browser, &path, name);
    }
}

#[test]
fn no_comparison_keeps_anyone_from_using_it() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, path) in compared::pages("accessible") {
        check(&mut browser, &path, name);
    }
}

#[test]
fn a_page_that_keeps_some_out_is_found() {
    let Some(mut browser) = Browser::start() else { return };
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("accessible-not.html");
    let page =
        "<!doctype html><html lang=en><title>x</title><img src='data:,'><p style='color:#ccc;background:#fff'>pale</p>";
    std::fs::write(&path, page).expect("the folder is writable");
    let mut page = browser.open(&path, Screen::wide(1280));
    let found = violations(&mut page).join("\n");
    assert!(found.contains("image-alt") && found.contains("color-contrast"), "{found}");
}
