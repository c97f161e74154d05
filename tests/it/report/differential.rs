//! The differential flamegraph in a browser: two profiles whose truth is known.

use std::path::PathBuf;

use crate::support::chromium::{Browser, Page, Screen};
use crate::support::views;
use profile_run::analysis::CallPaths;
use profile_run::analysis::compare::compare;
use profile_run::analysis::difference::{Difference, NotDrawn, difference};
use profile_run::model::Side;
use profile_run::report::{comparison_html, html};

use super::page::quiet;

type Stack<'a> = (&'a [&'a str], u64, i64);

/// Of 100 messages: 2.3 ms each without waiting, 1 ms of it under the function that will be gone.
const WAS: &[Stack<'_>] = &[
    (&["main"], 1, 0),
    (&["main", "serve"], 100, 10_000_000),
    (&["main", "serve", "same"], 100, 20_000_000),
    (&["main", "serve", "slower"], 100, 20_000_000),
    (&["main", "serve", "faster"], 100, 40_000_000),
    (&["main", "serve", "twice"], 200, 40_000_000),
    (&["main", "serve", "gone"], 123_456_789, 61_200_000),
    (&["main", "serve", "gone", "below"], 100, 40_000_000),
    (&["main", "php::usleep"], 41, 90_000_000),
];

/// Of 200 messages: 1.8 ms each.
const IS: &[Stack<'_>] = &[
    (&["main"], 1, 0),
    (&["main", "serve"], 200, 20_000_000),
    (&["main", "serve", "same"], 200, 40_000_000),
    (&["main", "serve", "slower"], 200, 120_000_000),
    (&["main", "serve", "faster"], 200, 20_000_000),
    (&["main", "serve", "twice"], 600, 120_000_000),
    (&["main", "serve", "new"], 200, 40_000_000),
    (&["main", "php::usleep"], 77, 500_000_000),
];

fn profiles() -> Result<Difference, NotDrawn> {
    difference(&CallPaths::of_stacks(WAS, 100), &CallPaths::of_stacks(IS, 200))
}

/// Profiles of functions that are named after everything that could hurt.
pub(super) fn hostile_profiles() -> Result<Difference, NotDrawn> {
    let [a, b, c] = [0, 1, 2].map(|name: usize| views::HOSTILE[name]);
    let was = CallPaths::of_stacks(&[(&[a], 100, 5_000_000), (&[a, b], 200, 3_000_000)], 100);
    difference(&was, &CallPaths::of_stacks(&[(&[a], 100, 5_000_000), (&[a, c], 200, 4_000_000)], 100))
}

fn write(name: &str, page: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("differential-{name}.html"));
    std::fs::write(&path, page).expect("the folder is writable");
    path
}

/// The page of a comparison.
fn page(name: &str, profiles: &Result<Difference, NotDrawn>) -> PathBuf {
    let result = views::full().result;
    write(name, &comparison_html(&compare(&result, &result), profiles).expect("a page"))
}

fn text(page: &mut Page<'_>, selector: &str) -> String {
    page.eval(&format!("document.querySelector({selector:?}).textContent")).as_str().unwrap_or_default().to_owned()
}

fn number(page: &mut Page<'_>, expression: &str) -> f64 {
    page.eval(expression).as_f64().unwrap_or_else(|| panic!("{expression} is no number"))
}

/// Of the frame whose label holds `label`: its class, its left edge and its width in shares of the graph, in hundredths.
fn frame(page: &mut Page<'_>, label: &str) -> (String, i64, i64) {
    let found = page.eval(&format!(
        "(() => {{ const all = document.querySelector('#difference svg').getBoundingClientRect();
           const text = [...document.querySelectorAll('#difference text')].find((t) => t.textContent.includes({label:?}));
           if (!text) return ['', 0, 0];
           const rect = text.parentNode.querySelector('rect'); const box = rect.getBoundingClientRect();
           const part = (pixels) => Math.round(pixels / all.width * 100);
           return [rect.getAttribute('class'), part(box.left - all.left), part(box.width)]; }})()"
    ));
    (found[0].as_str().unwrap().to_owned(), found[1].as_i64().unwrap(), found[2].as_i64().unwrap())
}

/// Points at a frame and reads what is said of it.
fn said(page: &mut Page<'_>, label: &str) -> Vec<String> {
    let parts = page.eval(&format!(
        "(() => {{ const text = [...document.querySelectorAll('#difference text')].find((t) => t.textContent.includes({label:?}));
           text.parentNode.dispatchEvent(new PointerEvent('pointerenter'));
           return [document.querySelector('#difference-name'), ...document.querySelectorAll('#difference-figures span')].map((e) => e.textContent); }})()"
    ));
    parts.as_array().unwrap().iter().map(|part| part.as_str().unwrap().to_owned()).collect()
}

fn press(page: &mut Page<'_>, set: &str, value: &str) {
    page.click(&format!("#difference-controls button[data-set=\"{set}\"][data-value=\"{value}\"]"));
}

#[test]
fn each_frame_tells_what_became_of_it_in_width_colour_mark_and_words() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&page("known", &profiles()), Screen::wide(1280));
    // After: 1.8 ms for each message, and 1 ms that is gone.
    let figures = text(&mut page, "#difference-figures");
    assert!(figures.starts_with("per message 2.31 ms → 1.8 ms (−0.512 ms)"), "{figures}");
    let hundredths = |part: f64| (part / 2.8 * 100.0).round() as i64;
    for (label, class, width) in [
        ("same", "k k0", 0.2),
        ("▲ slower", "k k3", 0.6),
        ("▼ ", "k k6", 0.1),
        ("▲ twice  +1 call", "k k3", 0.6),
        ("new: new", "k kn", 0.2),
        ("gone: gone", "k kg", 1.0),
        ("gone: below", "k kg", 0.4),
    ] {
        let (found, _, wide) = frame(&mut page, label);
        assert_eq!((found.as_str(), wide), (class, hundredths(width)), "{label}");
    }
    assert_eq!(
        said(&mut page, "▲ slower"),
        [
            "slower",
            "slower",
            "calls per message 1 → 1 (no difference)",
            "self 0.2 ms → 0.6 ms (+0.4 ms)",
            "inclusive 0.2 ms → 0.6 ms (+0.4 ms)"
        ]
    );
    assert_eq!(said(&mut page, "▼ ")[1], "faster");
    assert_eq!(said(&mut page, "twice")[1..3], ["slower, called more", "calls per message 2 → 3 (+1)"]);
    assert_eq!(said(&mut page, "new: new")[1..3], ["new, called more", "calls per message 0 → 1 (+1)"]);
    let gone = said(&mut page, "gone: gone");
    assert_eq!(gone[1..3], ["gone", "calls per message 1,234,567.9 → 0 (−1,234,567.9); 123,456,789 in 100, 0 in 200"]);
    assert_eq!(gone[4], "inclusive 1.01 ms → 0 µs (−1.01 ms)");
    let same = said(&mut page, "same");
    assert_eq!(same[1..4], ["same", "calls per message 1 → 1 (no difference)", "self 0.2 ms → 0.2 ms (no difference)"]);
    // No whole number of calls: what was counted is said.
    assert!(said(&mut page, "main")[2].ends_with("; 1 in 100, 1 in 200"));
    quiet(&page, "known");
}

#[test]
fn its_controls_work_as_those_of_the_flamegraph_do() {
    let Some(mut browser) = Browser::start() else { return };
    let path = page("controls", &profiles());
    for width in [1280, 390] {
        let mut page = browser.open(&path, Screen::wide(width));
        let drawn = "document.querySelectorAll('#difference rect').length";
        let all = page.eval(drawn);
        // Before: 2.3 ms, and 0.2 ms that is new.
        press(&mut page, "side", "before");
        assert_eq!((frame(&mut page, "▲ tw").2, frame(&mut page, "gone: gone").2), (16, 40), "{width}");
        press(&mut page, "side", "after");
        assert_eq!((frame(&mut page, "▲ tw").2, frame(&mut page, "gone: gone").2), (21, 36), "{width}");
        press(&mut page, "busy", "false");
        assert_eq!(frame(&mut page, "php::usleep").0, "k kw", "waiting is not called slower");
        press(&mut page, "busy", "true");
        assert_eq!(frame(&mut page, "php::usleep").2, 0, "waiting is gone");
        press(&mut page, "order", "function");
        assert_eq!(frame(&mut page, "gone:").1, 0, "the widest first");
        press(&mut page, "order", "stacks");
        press(&mut page, "shape", "flame");
        assert_eq!(page.eval(drawn), all);
        press(&mut page, "shape", "icicle");
        // Zoom by pointer and by keyboard, search, and the way back.
        page.eval("document.querySelector('#difference').focus()");
        for key in ["ArrowDown", "ArrowDown", "ArrowDown", "Enter"] {
            page.press(key);
        }
        assert_eq!(text(&mut page, "#difference-name"), "gone", "the widest below");
        assert!(frame(&mut page, "gone: gone").2 >= 99, "{width}");
        // What is said of it ends above the graph.
        let overlap = "Math.max(...[...document.querySelectorAll('#difference-said span')].map((e) => e.getBoundingClientRect().bottom)) - document.querySelector('#difference svg').getBoundingClientRect().top";
        let overlap = number(&mut page, overlap);
        assert!(overlap <= 0.0, "{width}: {overlap}");
        page.click("#difference-reset");
        assert_eq!(page.eval(drawn), all);
        page.click("#difference-search");
        page.type_text("slower");
        assert_eq!(text(&mut page, "#difference-aside"), "matches 21.3% of the width", "0.6 of 2.812");
        assert_eq!(page.eval("location.hash"), "#difference?search=slower");
        quiet(&page, "controls");
    }
}

#[test]
fn equal_profiles_are_neutral_from_end_to_end() {
    let one = CallPaths::of_stacks(WAS, 100);
    let path = page("equal", &difference(&one, &one));
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&path, Screen::wide(1280));
    let classes = page
        .eval("[...new Set([...document.querySelectorAll('#difference rect')].map((r) => r.getAttribute('class')))]");
    assert_eq!(classes, serde_json::json!(["k k0"]));
    assert!(text(&mut page, "#difference-figures").starts_with("per message 2.31 ms → 2.31 ms (no difference)"));
}

#[test]
fn a_report_has_both_graphs_and_each_moves_alone() {
    let mut view = views::leak();
    view.difference = Some(profiles());
    view.result.baseline = serde_json::to_value(compare(&view.result, &view.result)).ok();
    let path = write("report", &html(&view).expect("a report"));
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&path, Screen::wide(1280));
    assert!(frame(&mut page, "slower").2 > 0);
    let other = page.eval("document.querySelector('#flame').innerHTML");
    press(&mut page, "order", "function");
    page.click("#difference-search");
    page.type_text("slow");
    assert!(page.eval("document.querySelector('#flame').innerHTML") == other, "the run's own graph stands still");
    let rows = "[...document.querySelectorAll('#functions tbody tr.gone')].length";
    assert_eq!(page.eval(rows), 0, "its table, too");
    assert_eq!(page.eval("document.querySelectorAll('#difference g.hit').length"), 1);
    quiet(&page, "report");
}

#[test]
fn without_scripts_and_on_paper_the_graph_is_there() {
    let path = page("still", &profiles());
    let Some(mut browser) = Browser::start() else { return };
    for (width, shown) in [(1280, "wide"), (390, "narrow")] {
        let mut page = browser.open(&path, Screen { scripts: false, ..Screen::wide(width) });
        let still = page.eval(&format!(
            "[...document.querySelectorAll('.static-flame .{shown} g')].filter((g) => g.getBoundingClientRect().height > 5).map((g) => [g.querySelector('title').textContent, g.querySelector('rect').getAttribute('class')].join(' '))"
        ));
        let still: Vec<&str> = still.as_array().unwrap().iter().filter_map(serde_json::Value::as_str).collect();
        assert_eq!(still.len(), 9, "{still:?}");
        for (begin, end) in
            [("new:\u{a0}new (200,000 ns per message", " k kn"), ("gone:\u{a0}gone (1,012,000 ns", " k kg")]
        {
            assert!(still.iter().any(|frame| frame.starts_with(begin) && frame.ends_with(end)), "{begin}: {still:?}");
        }
        assert!(still.iter().any(|frame| frame.starts_with('▲') && frame.ends_with(" k k3")), "{still:?}");
        assert_eq!(page.eval("document.querySelector('#difference-controls').offsetHeight"), 0);
        let wide = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{wide}");
    }
    let mut page = browser.open(&path, Screen::wide(1280));
    page.on_paper(703);
    assert!(number(&mut page, "document.querySelector('#difference svg').getBoundingClientRect().right") < 704.0);
    assert!(number(&mut page, "document.querySelector('.flame-legend').offsetHeight") > 10.0);
}

#[test]
fn where_there_is_none_a_line_says_why() {
    let view = views::no_profile();
    for (why, words) in [
        (NotDrawn::ResultAlone(Side::Base), "Not drawn: of the base run only the result is there"),
        (NotDrawn::NoProfile(Side::New), "Not drawn: the new run has no profile: run it with"),
        (NotDrawn::NothingServed(Side::New), "Not drawn: the profile of the new run holds no message"),
    ] {
        let comparison = compare(&view.result, &view.result);
        let page = comparison_html(&comparison, &Err(why.clone())).expect("a page");
        assert!(page.contains(words) && !page.contains("difference-data"), "{words}");
        let mut with_baseline = view.clone();
        with_baseline.difference = Some(Err(why));
        assert!(html(&with_baseline).expect("a report").contains(words));
    }
    assert!(!html(&view).expect("a report").contains("Differential"), "no baseline, no graph");
}

#[test]
fn a_large_difference_makes_no_large_page() {
    let names: Vec<String> = (0..9000).map(|n| format!("App\\Service{n}->method{n}")).collect();
    let side = |from: usize| {
        let stacks: Vec<[&str; 2]> = names[from..from + 6000].iter().map(|name| ["main", name.as_str()]).collect();
        let stacks: Vec<Stack<'_>> = stacks.iter().map(|stack| (&stack[..], 100, 1_000_000)).collect();
        CallPaths::of_stacks(&stacks, 100)
    };
    let difference = difference(&side(0), &side(3000)).expect("both served");
    assert!(difference.costs[0].stacks.both.len() <= 2000);
    let result = views::full().result;
    let page = comparison_html(&compare(&result, &result), &Ok(difference)).expect("a page");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}
