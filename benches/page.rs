//! The page of a profile of two million calls in headless Chromium: how long it takes until it is there, and from a click
//! on a frame until the flamegraph is laid out anew, and shown. There is no peer: the bounds are what a reader takes for
//! at once. A browser shows 60 pictures a second, so that showing takes up to 17 ms whatever there is to be shown.
//!
//!     cargo bench --bench page -- [--size 190MB] [--rounds N]

#[path = "support/measure.rs"]
#[allow(dead_code)]
mod measure;
#[path = "support/profile.rs"]
mod profile;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::Command;

use measure::{quartiles, version};
use serde_json::{Value, json};
use support::chromium::{Browser, Screen};

/// Milliseconds until the page is there.
const OPENS: f64 = 500.0;
/// Milliseconds from a click to the new layout.
const ZOOMS: f64 = 20.0;

/// Clicks a frame, then goes back; milliseconds to the layout and to the picture of each click.
const ZOOM: &str = "(async () => {
    const picture = () => new Promise((done) => requestAnimationFrame(() => {
        const behind = new MessageChannel();
        behind.port1.onmessage = () => done(performance.now());
        behind.port2.postMessage(0);
    }));
    const times = [];
    const click = async (element) => {
        await picture();
        const begin = performance.now();
        element.dispatchEvent(new MouseEvent('click', { bubbles: true }));
        document.querySelector('#flame svg').getBoundingClientRect();
        const laid = performance.now();
        times.push([laid - begin, await picture() - begin]);
    };
    for (let round = 0; round < 10; round += 1) {
        const frames = [...document.querySelectorAll('#flame g')].filter((g) => g.querySelector('text') && !g.querySelector('.rest'));
        await click(frames[Math.min(2 + round, frames.length - 1)]);
        await click(document.querySelector('#flame-reset'));
    }
    return times;
})()";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments[at + 1].as_str());
    let size = profile::size(value("--size").unwrap_or("190MB")).expect("--size as 190MB");
    let rounds: usize = value("--rounds").map_or(10, |rounds| rounds.parse().expect("--rounds N"));
    let folder = tempfile::tempdir().expect("a folder");
    let (file, page) = (folder.path().join("cachegrind.out.1"), folder.path().join("page.html"));
    profile::write(&file, size).expect("the profile is written");
    let analyze = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.args(["analyze", "--format", format]).arg(&file);
        command
    };
    let told = analyze("json").output().expect("it starts").stdout;
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    let records = told["profile"]["records"].as_u64().expect("a count");
    assert!(analyze("html").arg("-o").arg(&page).status().expect("it starts").success());
    let bytes = std::fs::metadata(&page).expect("the page").len();
    let mut browser = Browser::start().expect("chromium");
    let mut measured = Vec::new();
    for (width, word) in [(1280, "wide"), (390, "narrow")] {
        let (mut opened, mut laid, mut shown, mut elements) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let mut page = browser.open(&page, Screen::wide(width));
            let there = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd";
            opened.extend(page.eval(there).as_f64());
            elements = page.eval("document.querySelectorAll('*').length").as_u64().expect("a count");
            for time in page.eval(ZOOM).as_array().expect("times") {
                laid.extend(time[0].as_f64());
                shown.extend(time[1].as_f64());
            }
        }
        let [opened, laid, shown] = [&mut opened, &mut laid, &mut shown].map(|times| quartiles(times));
        println!(
            "{word}: {records} calls, {bytes} bytes, {elements} elements: there after {:.0} ms (bound {OPENS}), \
             laid out {:.1} ms after a click (bound {ZOOMS}), shown after {:.1} ms",
            opened[1], laid[1], shown[1]
        );
        let holds = opened[1] <= OPENS && laid[1] <= ZOOMS;
        measured.push(json!({"width": width, "elements": elements, "opened_ms": opened, "laid_out_ms": laid,
            "shown_ms": shown, "holds": holds}));
    }
    let asked = json!({"bytes_of_profile": size, "records": records, "bytes": bytes, "rounds": rounds});
    let versions = json!({"versions": {"chromium": version("chromium", "--version")}});
    measure::keep("page", asked, versions, json!({"measured": measured, "bounds_ms": [OPENS, ZOOMS]}));
}
