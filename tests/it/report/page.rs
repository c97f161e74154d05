//! The report as its readers get it: opened in a browser with the network off.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::support::chromium::{Browser, Page, Screen};
use crate::support::views;
use profile_run::analysis::flame::Cost;
use profile_run::analysis::profile::Shown;
use profile_run::analysis::result::{Grows, Per, Reason, State, Unit, Verdict};
use profile_run::model::{CountStatus, ThresholdUnit, Uncounted, Unmeasured};
use profile_run::report::{html, markdown, profile_html, read_result};
use serde_json::Value;

/// Writes a run's report beside the tests' other files and returns its path.
fn written(name: &str) -> PathBuf {
    let (_, view) = views::all().into_iter().find(|(known, _)| *known == name).expect("a known run");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}.html"));
    std::fs::write(&path, html(&view).expect("a report")).expect("the folder is writable");
    path
}

/// Nothing was asked for but the file, and nothing was complained about.
pub(super) fn quiet(page: &Page<'_>, name: &str) {
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

#[test]
fn hostile_names_stay_harmless_in_the_summary() {
    let (_, view) = views::all().into_iter().find(|(known, _)| *known == "hostile").expect("a known run");
    let text = markdown(&view);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/report/hostile.md");
    if std::env::var_os("PROFILE_RUN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the fixture is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = text.lines().zip(expected.lines()).find(|(now, then)| now != then);
    assert!(text == expected, "{line:?}");
}

/// All keys of a value, at any depth; those of free maps are their own business.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    const FREE: [&str; 10] = [
        "bounds",
        "errors",
        "samples_summary",
        "host",
        "versions",
        "exit",
        "environment",
        "baseline",
        "each_message",
        "each_session",
    ];
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                into.insert(key.clone());
                if key == "settings" {
                    below.as_object().into_iter().flat_map(|passes| passes.values()).for_each(|pass| keys(pass, into));
                } else if !FREE.contains(&key.as_str()) {
                    keys(below, into);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

#[test]
fn the_document_names_every_key_and_no_other() {
    let document = include_str!("../../../docs/result.md");
    let mut known = BTreeSet::new();
    keys(&serde_json::to_value(&views::full().result).unwrap(), &mut known);
    for key in &known {
        assert!(document.contains(&format!("`{key}`")), "docs/result.md says nothing of {key}");
    }
    // The first cell of each table row names a key.
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let key = line.split('`').nth(1).unwrap_or_default();
        assert!(known.contains(key), "docs/result.md describes {key}, which is no key");
    }
    // Words that a value may take are all there.
    let words = [
        serde_json::to_value([Verdict::Leak, Verdict::Failed, Verdict::Inconclusive, Verdict::Clean]).unwrap(),
        serde_json::to_value([State::Leak, State::Clean, State::Plateau, State::Inconclusive, State::NotJudged])
            .unwrap(),
        serde_json::to_value([Reason::TooShort, Reason::Refused, Reason::NotReadable, Reason::NotRunning]).unwrap(),
        serde_json::to_value([Per::Messages, Per::Sessions, Per::Hour]).unwrap(),
        serde_json::to_value([Unmeasured::NotMeasured, Unmeasured::NothingDone, Unmeasured::NotInBaseline]).unwrap(),
        serde_json::to_value([ThresholdUnit::Share, ThresholdUnit::Change, ThresholdUnit::BytesPerHour]).unwrap(),
        serde_json::to_value([Grows::CostPerCall, Grows::CallsPerMessage]).unwrap(),
        serde_json::to_value([Unit::Bytes, Unit::Descriptors, Unit::Sockets, Unit::Threads]).unwrap(),
    ];
    let words = words.into_iter().chain([
        serde_json::to_value([Unmeasured::OtherConditions, Unmeasured::Unsteady]).unwrap(),
        serde_json::to_value([CountStatus::NoValgrind, CountStatus::NotReached, CountStatus::NothingToCount]).unwrap(),
        serde_json::to_value([Uncounted::TimeUsed, Uncounted::NoFile, Uncounted::Forks, Uncounted::Unsteady]).unwrap(),
    ]);
    let words: Vec<Value> = words.collect();
    for word in words.iter().flat_map(|list| list.as_array().unwrap()).filter_map(Value::as_str) {
        assert!(document.contains(&format!("`{word}`")), "docs/result.md says nothing of {word}");
    }
}

/// Frames of the flamegraph that hold a name, as [left, width] in shares of the graph.
fn frame(page: &mut Page<'_>, name: &str) -> Vec<f64> {
    let value = page.eval(&format!(
        "(() => {{ const all = document.querySelector('#flame svg').getBoundingClientRect();
           const text = [...document.querySelectorAll('#flame text')].find((t) => t.textContent.startsWith({name:?}));
           if (!text) return [];
           const r = text.parentNode.querySelector('rect').getBoundingClientRect();
           return [(r.left - all.left) / all.width, r.width / all.width]; }})()"
    ));
    value.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).collect()
}

/// Clicks the frame that starts with a name.
fn click_frame(page: &mut Page<'_>, name: &str) {
    page.eval(&format!(
        "[...document.querySelectorAll('#flame text')].find((t) => t.textContent.startsWith({name:?})).parentNode.id = 'wanted'"
    ));
    page.click("#wanted rect");
}

fn press_toggle(page: &mut Page<'_>, set: &str, value: &str) {
    page.click(&format!("#flame-controls button[data-set={set}][data-value={value}]"));
    let pressed = format!("document.querySelector('button[data-set={set}][data-value={value}]').ariaPressed");
    assert_eq!(page.eval(&pressed), "true", "{set} {value}");
}

fn text(page: &mut Page<'_>, selector: &str) -> String {
    let text = page.eval(&format!("document.querySelector({selector:?}).textContent.trim()"));
    text.as_str().unwrap_or_default().to_owned()
}

pub(super) fn number(page: &mut Page<'_>, expression: &str) -> f64 {
    page.eval(expression).as_f64().unwrap_or_else(|| panic!("{expression} is no number"))
}

#[test]
fn charts_and_flamegraph_are_drawn_for_each_width() {
    let Some(mut browser) = Browser::start() else { return };
    let path = written("leak");
    for (width, shown, hidden) in [(1280, "wide", "narrow"), (390, "narrow", "wide")] {
        let mut page = browser.open(&path, Screen::wide(width));
        let height = |page: &mut Page<'_>, selector: &str| {
            number(page, &format!("document.querySelector({selector:?}).getBoundingClientRect().height"))
        };
        assert!(height(&mut page, &format!("#timeline-card > .{shown} svg")) > 200.0, "{width}");
        assert_eq!(height(&mut page, &format!("#timeline-card > .{hidden} svg")), 0.0, "{width}");
        assert!(height(&mut page, ".floor svg.plot") > 100.0, "{width}");
        assert!(height(&mut page, "#flame svg") > 150.0, "{width}");
        assert_eq!(height(&mut page, ".static-flame"), 0.0, "{width}");
        // Lettering keeps its size: nothing is a large drawing made small.
        let letters = number(
            &mut page,
            "Math.min(...[...document.querySelectorAll('svg.plot text')].map((t) => t.getBoundingClientRect().height).filter((h) => h > 0))",
        );
        assert!(letters > 9.0, "{width}: letters of {letters} pixels");
    }
}

#[test]
fn the_cursor_reads_every_line() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&written("leak"), Screen::wide(1280));
    assert!(text(&mut page, "#timeline-said").contains("large, wave"), "it stands where RSS is highest");
    page.point("#timeline-card > .wide", 0.1, 0.5);
    let said = text(&mut page, "#timeline-said");
    assert!(said.contains("sequential, wave") || said.contains("at rest"), "{said}");
    let values = number(
        &mut page,
        "[...document.querySelectorAll('#timeline-card .key b')].filter((b) => b.textContent).length",
    );
    assert_eq!(values, 6.0);
    page.eval("document.querySelector('#timeline-card > .wide').focus()");
    page.press("ArrowRight");
    assert_ne!(text(&mut page, "#timeline-said"), said);
    quiet(&page, "leak");
}

#[test]
fn the_flamegraph_zooms() {
    let Some(mut browser) = Browser::start() else { return };
    for width in [1280, 390] {
        let mut page = browser.open(&written("leak"), Screen::wide(width));
        let before = frame(&mut page, "App\\Smtp\\Server->read");
        assert!(before[1] > 0.5 && before[1] < 0.8, "{before:?}");
        click_frame(&mut page, "App\\Smtp\\Server->read");
        let after = frame(&mut page, "App\\Smtp\\Server->read");
        assert!(after[0].abs() < 0.01 && after[1] > 0.99, "{width}: {after:?}");
        assert_eq!(text(&mut page, "#flame-name"), "App\\Smtp\\Server->read", "{width}");
        assert!(!frame(&mut page, "{main}").is_empty(), "what called it stays in sight");
        page.click("#flame-reset");
        assert_eq!(frame(&mut page, "App\\Smtp\\Server->read"), before, "{width}");
        // The same without a mouse.
        page.eval("document.querySelector('#flame').focus()");
        for key in ["ArrowDown", "ArrowDown", "Enter"] {
            page.press(key);
        }
        let focused = frame(&mut page, "Symfony\\Component\\Console\\Application->run");
        assert!(focused[1] > 0.99, "{width}: {focused:?}");
        page.press("Escape");
        assert_eq!(frame(&mut page, "App\\Smtp\\Server->read"), before, "{width}");
        quiet(&page, "leak");
    }
}

#[test]
fn the_flamegraph_is_searched() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&written("leak"), Screen::wide(1280));
    page.click("#flame-search");
    page.type_text("parser");
    // 2,840 of 10,744: the parser with all that it calls, counted once.
    assert_eq!(text(&mut page, "#flame-aside"), "matches 26.4% of wall time");
    assert_eq!(number(&mut page, "document.querySelectorAll('#flame g.hit').length"), 1.0);
    let rows = "[...document.querySelectorAll('#functions tbody tr')].filter((r) => r.offsetHeight).length";
    assert_eq!(number(&mut page, rows), 1.0);
    page.eval("(() => { const s = document.querySelector('#flame-search'); s.value = '.*('; s.dispatchEvent(new Event('input')); })()");
    assert_eq!(text(&mut page, "#flame-aside"), "matches 0.00% of wall time");
    quiet(&page, "leak");
}

#[test]
fn toggles_show_other_graphs_and_shares_never_mix() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&written("leak"), Screen::wide(1280));
    assert!(!frame(&mut page, "php::stream_select").is_empty());
    assert_eq!(text(&mut page, "#functions tbody td.self .v"), "28.9%", "what waits most, of wall time");
    press_toggle(&mut page, "busy", "true");
    assert!(frame(&mut page, "php::stream_select").is_empty(), "waiting is gone");
    assert_eq!(text(&mut page, "#flame-shares"), "Shares are of busy time.");
    assert_eq!(text(&mut page, "#functions tbody td.self .v"), "13.5%", "1,030 of 7,644");
    press_toggle(&mut page, "cost", "allocation");
    assert!(text(&mut page, "#flame-figures").contains("iB · "), "allocation is in bytes");
    press_toggle(&mut page, "order", "function");
    press_toggle(&mut page, "cost", "time");
    let first = number(
        &mut page,
        "[...document.querySelectorAll('#flame rect')].filter((r) => r.getAttribute('y') === '0').length",
    );
    assert!(first > 10.0, "each function stands on the first level: {first}");
    let dearest = page.eval("document.querySelector('#flame text').textContent");
    assert!(dearest.as_str().is_some_and(|text| text.starts_with("App\\Smtp\\Parser")), "the dearest first: {dearest}");
    press_toggle(&mut page, "order", "stacks");
    press_toggle(&mut page, "slice", "first");
    let early = frame(&mut page, "App\\Smtp\\Session->command");
    press_toggle(&mut page, "slice", "last");
    let late = frame(&mut page, "App\\Smtp\\Session->command");
    assert!(late[1] > early[1] * 1.05, "what became slower is wider: {early:?} {late:?}");
    quiet(&page, "leak");
}

#[test]
fn functions_sort_by_any_column() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&written("leak"), Screen::wide(1280));
    let top = "document.querySelector('#functions tbody tr td code').textContent";
    let rows = "[...document.querySelectorAll('#functions tbody tr')].filter((r) => r.offsetHeight).length";
    assert_eq!(number(&mut page, rows), 12.0);
    page.click("#functions th:nth-child(3) button");
    assert_eq!(page.eval(top), "{main}", "inclusive, largest first");
    page.click("#functions th:nth-child(1) button");
    assert_eq!(page.eval(top), "App\\Command\\SmtpServeCommand->execute", "by name");
    page.click("#functions th:nth-child(8) button");
    assert_eq!(page.eval(top), "php::in_array", "by drift");
    page.click("#functions-more");
    assert_eq!(number(&mut page, rows), 22.0);
    quiet(&page, "leak");
}

#[test]
fn any_two_censuses_are_compared() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&written("leak"), Screen::wide(1280));
    // Heading, then rows: what, difference, bytes, bars, before, after.
    let cells = |page: &mut Page<'_>, group: usize, row: usize| -> Vec<String> {
        let row = format!("document.querySelector('#census-table').tBodies[{group}].rows[{row}].cells");
        let texts = page.eval(&format!("[...{row}].map((cell) => cell.textContent)"));
        texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let choose = |page: &mut Page<'_>, end: &str, at: usize| {
        page.eval(&format!(
            "(() => {{ const s = document.querySelector('#census-{end}'); s.selectedIndex = {at}; s.dispatchEvent(new Event('change')); }})()"
        ));
    };
    let class = ["App\\Smtp\\Session", "+12,000", "+1.37 MiB", "", "0", "12,000"];
    assert_eq!(cells(&mut page, 1, 1), class, "from the first to the last census of what leaks");
    assert_eq!(cells(&mut page, 0, 1)[2], "+4.71 MiB", "the heap");
    choose(&mut page, "from", 4);
    choose(&mut page, "to", 6);
    assert_eq!(cells(&mut page, 1, 1)[1..3], ["+2,000", "+234 KiB"]);
    assert_eq!(cells(&mut page, 2, 1)[0], "App\\Smtp\\Server->sessions[] of App\\Smtp\\Session");
    assert_eq!(cells(&mut page, 3, 1), ["nothing differs"]);
    let rows =
        "[...document.querySelectorAll('#census-table tbody:nth-of-type(2) tr')].filter((r) => r.offsetHeight).length";
    choose(&mut page, "to", 5);
    assert_eq!(number(&mut page, rows), 9.0, "a heading and the first eight");
    page.click("#census-more");
    assert_eq!(number(&mut page, rows), 12.0);
    choose(&mut page, "from", 12);
    choose(&mut page, "to", 3);
    assert_eq!(cells(&mut page, 1, 1)[1..3], ["-9,000", "-1.03 MiB"], "backwards too");
    choose(&mut page, "to", 13);
    assert!(text(&mut page, "#census-note").starts_with("Two processes"));
    quiet(&page, "leak");
}

#[test]
fn without_scripts_all_is_still_there() {
    let Some(mut browser) = Browser::start() else { return };
    for (width, shown) in [(1280, "wide"), (390, "narrow")] {
        let mut page = browser.open(&written("leak"), Screen { scripts: false, ..Screen::wide(width) });
        let frames = format!(
            "[...document.querySelectorAll('.static-flame .{shown} rect')].filter((r) => r.getBoundingClientRect().height > 5).length"
        );
        assert!(number(&mut page, &frames) > 15.0, "{width}");
        let rows = "[...document.querySelectorAll('#functions tbody tr')].filter((r) => r.offsetHeight).length";
        assert_eq!(number(&mut page, rows), 22.0);
        assert_eq!(number(&mut page, "document.querySelector('#flame-controls').offsetHeight"), 0.0);
        assert_eq!(number(&mut page, "document.querySelector('#census-controls').offsetHeight"), 0.0);
        assert!(text(&mut page, "#census-note").contains("sequential, wave 12, after 12,000 messages"));
        assert!(text(&mut page, "#census-table").contains("+12,000"));
        let wide = number(&mut page, "document.documentElement.scrollWidth");
        assert!(wide <= f64::from(width), "{wide}");
    }
}

#[test]
fn the_first_printed_page_tells_the_verdict_and_its_evidence() {
    let Some(mut browser) = Browser::start() else { return };
    // A4 without its margins, at 96 pixels an inch.
    let (width, height) = (703, 1031.0);
    for name in ["leak", "clean", "plateau", "inconclusive", "leak-fd"] {
        let mut page = browser.open(&written(name), Screen::wide(1280));
        page.on_paper(width);
        let below =
            number(&mut page, "document.querySelector('#floors > .floors').getBoundingClientRect().bottom + scrollY");
        assert!(below <= height, "{name}: the floors end at {below} of {height}");
        let order = number(
            &mut page,
            "document.querySelector('#leaks').getBoundingClientRect().top - document.querySelector('.figures').getBoundingClientRect().top",
        );
        assert!(order > 0.0, "{name}");
    }
}

/// Text whose contrast with what is behind it is below 4.5 (WCAG AA).
const FAINT: &str = "(() => {
    const parse = (colour) => { const n = colour.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
    const faint = new Set();
    for (const e of document.querySelectorAll('main *')) {
        if (e.closest('svg') || !e.offsetHeight || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
        const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.add(`${e.tagName}.${e.className} ${contrast.toFixed(2)}`);
    }
    return [...faint];
})()";

#[test]
fn text_is_legible_by_day_and_by_night() {
    let Some(mut browser) = Browser::start() else { return };
    for name in ["leak", "clean", "inconclusive", "failed"] {
        for dark in [false, true] {
            let mut page = browser.open(&written(name), Screen { dark, ..Screen::wide(1280) });
            let faint = page.eval(FAINT);
            assert_eq!(faint.as_array().map(Vec::len), Some(0), "{name}, dark {dark}: {faint}");
        }
    }
}

#[test]
fn the_profile_part_stands_alone() {
    let (_, view) = views::all().remove(0);
    let mut shown = Shown {
        first: Cost::Time,
        summary: view.result.profile.expect("a profile"),
        flames: view.flames,
        busy: view.busy,
        waiting: view.waiting,
        notes: vec!["Two processes wrote into one file; `61%` could be attributed.".to_owned()],
        callers: Vec::new(),
        messages: None,
        paths: None,
    };
    let html = profile_html("cachegrind.out.4711", &shown).expect("a page");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("profile.html");
    std::fs::write(&path, &html).expect("the folder is writable");
    assert!(html.contains("Functions that get slower") && html.contains("19.8 µs"), "the drift");
    shown.flames.clear();
    shown.summary.figures.functions.clear();
    assert!(profile_html("nothing", &shown).expect("a page").contains("No profile was recorded"));
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&path, Screen::wide(1280));
    quiet(&page, "profile");
    assert!(!frame(&mut page, "{main}").is_empty());
    press_toggle(&mut page, "busy", "true");
    assert!(frame(&mut page, "php::stream_select").is_empty());
    quiet(&page, "profile");
}

/// For people to look at: `PROFILE_RUN_SCREENSHOTS=FOLDER cargo test --test it report::page::pictures`.
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
        if name == "leak" {
            click_frame(&mut page, "App\\Smtp\\Server->read");
            page.screenshot(&folder.join("leak-zoom.png"));
            press_toggle(&mut page, "order", "function");
            page.click("#flame-search");
            page.type_text("sub");
            page.screenshot(&folder.join("leak-search.png"));
        }
        std::fs::write(folder.join(format!("{name}.pdf")), page.print()).expect("the folder is writable");
    }
}
