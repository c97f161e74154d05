//! Two runs compared, and a run's exports, with hostile names wherever a name may stand.

use std::path::PathBuf;

use crate::support::chromium::{Browser, Screen};
use crate::support::views;
use profile_run::analysis::compare::compare;
use profile_run::analysis::view::RunView;
use profile_run::report::{Export, comparison_html, comparison_markdown, export, html};

use super::differential::hostile_profiles;
use super::page::quiet;

fn view(name: &str) -> RunView {
    views::all().into_iter().find(|(known, _)| *known == name).expect("a known run").1
}

/// A sound run, and one that leaks and is named after everything that could hurt.
fn pair() -> [RunView; 2] {
    let (mut base, mut new) = (view("clean"), view("hostile"));
    for (view, own) in [(&mut base, views::HOSTILE[1]), (&mut new, views::HOSTILE[2])] {
        let result = &mut view.result;
        result.target.versions.insert("php".to_owned(), "8.4".to_owned());
        let profile = result.profile.as_mut().expect("a profile");
        profile.waves.clear();
        let figures = &mut profile.figures;
        (figures.complete, figures.messages) = (true, 1000);
        let mut only_here = figures.functions[0].clone();
        (only_here.name, only_here.calls) = (format!("{own} alone"), 2000);
        figures.functions.push(only_here);
    }
    base.result.target.versions.insert("xdebug".to_owned(), views::HOSTILE[0].to_owned());
    // Both counted under the same conditions, and one takes more.
    let mut counted = new.result.instructions.clone().expect("instructions");
    let row = &mut counted.scenarios[0];
    row.value = row.value.map(|value| value / 2.0);
    row.functions.truncate(4);
    base.result.instructions = Some(counted);
    // The same scenario grows in one of them.
    for finding in &mut base.result.findings {
        if let Some(of_new) =
            new.result.findings.iter().find(|new| new.metric == finding.metric && new.growth.is_some())
        {
            finding.scenario = of_new.scenario.clone();
        }
    }
    [base, new]
}

fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the folder is writable");
    path
}

/// The page of a comparison, and a report with its baseline; `of` begins the names of their files.
pub(super) fn pages(of: &str) -> [(&'static str, PathBuf); 2] {
    let [base, mut new] = pair();
    let comparison = compare(&base.result, &new.result);
    new.result.baseline = serde_json::to_value(&comparison).ok();
    new.difference = Some(hostile_profiles());
    let page = comparison_html(&comparison, &hostile_profiles()).expect("a page");
    let report = html(&new).expect("a page");
    [
        ("comparison", file(&format!("{of}-comparison.html"), &page)),
        ("report", file(&format!("{of}-compared.html"), &report)),
    ]
}

/// Markdown without its code spans, in which nothing is markup.
fn without_code(markdown: &str) -> String {
    let (mut out, mut rest) = (String::new(), markdown);
    while let Some(at) = rest.find('`') {
        out.push_str(&rest[..at]);
        let width = rest[at..].bytes().take_while(|byte| *byte == b'`').count();
        let (fence, behind) = rest[at..].split_at(width);
        rest = behind.split_once(fence).unwrap_or_else(|| panic!("a code span that does not end: {behind}")).1;
    }
    out + rest
}

/// Cells of the tables that do not lie on the screen whole.
const HIDDEN: &str = "[...document.querySelectorAll('table.compared td')].filter((cell) => {
    const box = cell.closest('.scroll').getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(cell);
    return [...range.getClientRects()].some((part) => part.left < box.left || part.right > box.right + 0.5);
}).map((cell) => `${cell.closest('.scroll').getAttribute('aria-label')}: ${cell.textContent}`)";

#[test]
fn a_hostile_comparison_is_silent_and_fits_its_screens() {
    let [base, new] = pair();
    let comparison = compare(&base.result, &new.result);
    assert!(!comparison.instructions[0].functions.is_empty(), "{:?}", comparison.instructions);
    assert!(comparison.worse && !comparison.new_functions.is_empty() && !comparison.gone_functions.is_empty());
    let markdown = comparison_markdown(&comparison);
    let bare = without_code(&markdown);
    assert!(!bare.contains("<script") && !bare.contains("<img"), "{bare}");
    let Some(mut browser) = Browser::start() else { return };
    for (name, path) in pages("hostile") {
        for (width, dark) in [(1280, false), (800, false), (390, true), (390, false)] {
            let mut page = browser.open(&path, Screen { dark, ..Screen::wide(width) });
            quiet(&page, name);
            assert_ne!(page.eval("document.title"), "owned", "{name}");
            let wide = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= u64::from(width), "{name} at {width}: {wide} wide");
            assert!(
                page.eval("document.querySelectorAll('table.compared tbody tr').length").as_u64() > Some(2),
                "{name}"
            );
            let hidden = page.eval(HIDDEN);
            assert_eq!(hidden.as_array().map(Vec::len), Some(0), "{name} at {width}: {hidden}");
            if let Some(folder) = std::env::var_os("PROFILE_RUN_SCREENSHOTS").map(PathBuf::from) {
                std::fs::create_dir_all(&folder).expect("a folder for pictures");
                page.screenshot(&folder.join(format!("compared-{name}-{width}.png")));
            }
        }
    }
}

#[test]
fn exports_are_whole_whatever_the_names_are() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, view) in views::all() {
        for to in [Export::Junit, Export::Plot] {
            let text = export(&view, to).expect("an export");
            let data = serde_json::to_string(&text).expect("JSON").replace('<', "\\u003c");
            let path = file(
                "export.html",
                &format!(
                    "<!DOCTYPE html><title>export</title><script type=\"application/json\" id=\"export\">{data}</script>"
                ),
            );
            let mut page = browser.open(&path, Screen::wide(1280));
            let wrong = page.eval(
                "(() => { const text = JSON.parse(document.querySelector('#export').textContent);
                   const error = new DOMParser().parseFromString(text, 'text/xml').querySelector('parsererror');
                   return error ? error.textContent : ''; })()",
            );
            assert_eq!(wrong, "", "{name} {to:?}");
            drop(page);
            if to == Export::Plot {
                let path = file(&format!("plot-{name}.svg"), &text);
                let page = browser.open(&path, Screen::wide(720));
                quiet(&page, name);
            }
        }
        let sarif = export(&view, Export::Sarif).expect("an export");
        serde_json::from_str::<serde_json::Value>(&sarif).unwrap_or_else(|error| panic!("{name}: {error}"));
        let commands = export(&view, Export::Github).expect("an export");
        assert!(commands.lines().all(|line| line.starts_with("::")), "{name}: {commands}");
    }
}
