//! The page of a run that has more of everything than a page shows.

use std::path::PathBuf;

use profile_run::analysis::flame::Flame;
use profile_run::report::html;

use crate::support::chromium::{Browser, Screen};
use crate::support::views;

use super::page::{number, quiet};

#[test]
fn a_large_run_makes_no_large_report() {
    let view = views::large();
    let rest = |flame: &Flame| flame.stacks.rest() + flame.stacks.rests().iter().sum::<u64>();
    assert!(view.flames.iter().all(|flame| rest(flame) > 0), "more stacks than are drawn");
    let html = html(&view).expect("a report");
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report-large.html");
    std::fs::write(&path, &html).expect("the folder is writable");
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&path, Screen::wide(1280));
    quiet(&page, "large");
    // A page opens and moves as fast as it has elements.
    let [all, frames, narrow] = [
        "document.querySelectorAll('*').length",
        "document.querySelectorAll('#flame g').length",
        "[...document.querySelectorAll('#flame rect')].filter((rect) => rect.getAttribute('width') < 1).length",
    ]
    .map(|count| number(&mut page, count));
    assert!(all < 10_000.0 && narrow == 0.0, "{all} elements, {narrow} frames that nobody sees");
    assert!((100.0..2000.0).contains(&frames), "{frames} frames");
}
