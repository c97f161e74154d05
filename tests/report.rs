//! The report as its readers get it: opened in a browser with the network off.

mod support;

use std::path::PathBuf;

use profile_run::report::{html, markdown, read_result};
use support::chromium::{Browser, Page, Screen};
use support::views;

/// Writes a run's report beside the tests' other files and returns its path.
fn written(name: &str) -> PathBuf {
    let (_, view) = views::all().into_iter().find(|(known, _)| *known == name).expect("a known run");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}.html"));
    std::fs::write(&path, html(&view).expect("a report")).expect("the folder is writable");
    path
}

/// Nothing was asked for but the file, and nothing was complained about.
fn quiet(page: &Page<'_>, name: &str) {
    assert_eq!(page.requests.len(), 1, "{name}: {:?}", page.requests);
    assert!(page.requests[0].starts_with("file://"), "{name}: {:?}", page.requests);
    assert!(page.complaints.is_empty(), "{name}: {:?}", page.complaints);
}

#[test]
fn every_run_has_a_report_that_carries_its_result() {
    for (name, view) in views::all() {
        let html = html(&view).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(html.len() < 2_000_000, "{name}: {} bytes", html.len());
        assert_eq!(html.matches("application/json").count(), 1, "{name}");
        let carried = read_result(&html).unwrap_or_else(|| panic!("{name}: carries no result"));
        let json = serde_json::to_string(&view.result).unwrap();
        assert!(html.contains(&json.replace('<', "\\u003c")), "{name}: carries another result");
        assert_eq!(carried["sentence"], view.result.sentence, "{name}");
        assert!(carried == serde_json::from_str::<serde_json::Value>(&json).unwrap(), "{name}: reads back otherwise");
        assert!(!markdown(&view).trim().is_empty(), "{name}");
    }
}

#[test]
fn pages_are_silent_and_fit_their_screens() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, _) in views::all() {
        let path = written(name);
        for (width, dark) in [(1280, false), (390, true)] {
            let screen = Screen { dark, ..Screen::wide(width) };
            let mut page = browser.open(&path, screen);
            quiet(&page, name);
            let wide = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            let beyond = page.eval(BEYOND);
            assert!(wide <= u64::from(width), "{name} at {width}: the page is {wide} wide: {beyond}");
            assert_ne!(page.eval("document.title"), "owned", "{name}");
            let clipped = page.eval(CLIPPED);
            assert_eq!(clipped.as_array().map(Vec::len), Some(0), "{name} at {width}: {clipped}");
        }
    }
}

/// What reaches beyond the screen and does not scroll in itself.
const BEYOND: &str =
    "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 &&
    !e.closest('.scroll, pre, svg')).map((e) => e.tagName + '.' + e.className).slice(0, 8)";

/// Words of charts that stick out of their chart.
const CLIPPED: &str = "[...document.querySelectorAll('svg.plot text')].filter((text) => {
    const box = text.getBoundingClientRect();
    const sheet = text.ownerSVGElement.getBoundingClientRect();
    return box.width > 0 && (box.left < sheet.left - 1 || box.right > sheet.right + 1 || box.top < sheet.top - 1 || box.bottom > sheet.bottom + 1);
}).map((text) => text.textContent)";

/// For people to look at: `PROFILE_RUN_SCREENSHOTS=FOLDER cargo test --test report pictures`.
#[test]
fn pictures() {
    let Some(folder) = std::env::var_os("PROFILE_RUN_SCREENSHOTS").map(PathBuf::from) else {
        println!("skipped: PROFILE_RUN_SCREENSHOTS names no folder");
        return;
    };
    let Some(mut browser) = Browser::start() else { return };
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    for (name, _) in views::all() {
        let path = written(name);
        for (kind, width, dark) in
            [("light", 1280, false), ("dark", 1280, true), ("phone", 390, false), ("night", 390, true)]
        {
            let mut page = browser.open(&path, Screen { dark, ..Screen::wide(width) });
            page.screenshot(&folder.join(format!("{name}-{kind}.png")));
        }
        let mut page = browser.open(&path, Screen::wide(1280));
        std::fs::write(folder.join(format!("{name}.pdf")), page.print()).expect("the folder is writable");
    }
}
