//! How a profile of edges is shown: its stacks as an estimate, its edges as they are.

use std::io::Read as _;

use super::{analyze, fixture, object, put};
use crate::support::chromium::{Browser, Screen};

const SAID: &str = "stacks are an estimate";

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn stacks_are_said_to_be_an_estimate_wherever_they_are_shown() {
    let path = fixture("recursion");
    for format in ["folded", "speedscope", "pprof", "html"] {
        let output = analyze(&["--format", format], &[&path]);
        assert!(output.status.success());
        assert!(text(output.stderr).contains(SAID), "{format}");
        let shown = match format {
            "pprof" => {
                let mut bytes = Vec::new();
                flate2::read::GzDecoder::new(output.stdout.as_slice()).read_to_end(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => text(output.stdout),
        };
        match format {
            // One stack a line, and nothing else, is what its readers expect.
            "folded" => assert!(shown.lines().all(|line| line.rsplit_once(' ').is_some()), "{shown}"),
            _ => assert!(shown.contains(SAID), "{format}"),
        }
    }
    assert_eq!(object(&[&path])["estimated"], true);
    let exact = analyze(&["--format", "callgrind"], &[&path]);
    assert!(exact.stderr.is_empty(), "edges are exact");
    let hidden = text(analyze(&["--format", "callgrind", "--hide", "odd"], &[&path]).stdout);
    assert!(hidden.contains("an estimate"), "edges of hidden frames are none of the file's: {hidden}");
}

#[test]
fn the_estimate_splits_costs_by_what_callers_were_charged() {
    let file = "# callgrind format\ncreator: hand\nevents: Ir\nfn=main\n1 10\ncfn=a\ncalls=1 1\n1 50\ncfn=b\ncalls=1 1\n1 50\n\
                fn=a\n1 20\ncfn=c\ncalls=3 1\n1 30\nfn=b\n1 40\ncfn=c\ncalls=9 1\n1 10\nfn=c\n1 40\n";
    let folder = tempfile::tempdir().unwrap();
    let output = analyze(&["--format", "folded"], &[&put(folder.path(), "a", file.as_bytes())]);
    let shown = text(output.stdout);
    let mut lines: Vec<&str> = shown.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["main 10", "main;a 20", "main;a;c 30", "main;b 40", "main;b;c 10"]);
}

#[test]
fn the_first_event_is_the_metric_and_others_go_by_their_names() {
    let path = fixture("short");
    let folded = |metric: &str| analyze(&["--format", "folded", "--metric", metric], &[&path]);
    for (metric, expected) in [("time", "a 16\n"), ("Ir", "a 16\n"), ("Dr", "a 3\n"), ("Dw", "a 3\n")] {
        assert_eq!(text(folded(metric).stdout), expected, "{metric}");
    }
    for metric in ["allocation", "Bogus"] {
        let output = folded(metric);
        assert_eq!(output.status.code(), Some(2));
        let error = text(output.stderr);
        assert!(error.contains(metric) && error.contains("Ir, Dr, Dw"), "{error}");
    }
}

#[test]
fn counts_are_not_shown_as_times() {
    let page = text(analyze(&["--format", "html"], &[&fixture("inlined")]).stdout);
    assert!(page.contains(r#""events":"Ir""#));
    assert!(!page.contains("Allocated</button>"), "nothing counted allocation");
    assert!(!page.contains("hatched: waiting"), "nothing told what waited");
    // inferno writes the unit into its titles.
    assert!(page.contains("Ir,") || page.contains("Ir)"), "the picture names the event");
    let timed = text(analyze(&["--format", "html"], &[&fixture("pprof")]).stdout);
    assert!(!timed.contains(r#""events":""#), "milliseconds are a time");
}

#[test]
fn the_page_counts_events_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("page.html");
    assert!(analyze(&["-o", out.to_str().unwrap()], &[&fixture("recursion")]).status.success());
    let mut page = browser.open(&out, Screen::wide(1280));
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    let figures = page.eval("document.getElementById('flame-figures').textContent");
    assert!(figures.as_str().unwrap().starts_with("60 Ir"), "{figures}");
    let widths = page.eval("[...document.querySelectorAll('#functions tr')].map((row) => row.cells.length)");
    assert_eq!(widths, serde_json::json!([5, 5, 5, 5]), "head and rows have as many cells");
    assert!(page.eval("document.body.textContent").as_str().unwrap().contains(SAID));
}

#[test]
fn the_export_keeps_every_edge() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "valgrind-0.10",
        "pprof",
        "ruby-prof",
        "lsprof",
        "erlang",
        "inlined",
        "parts",
        "contexts",
        "recursion",
        "large",
    ] {
        let out = folder.path().join(name);
        let path = fixture(name);
        assert!(analyze(&["--format", "callgrind", "-o", out.to_str().unwrap()], &[&path]).status.success(), "{name}");
        let (before, after) = (super::read(&path).unwrap(), super::read(&out).unwrap());
        let edges = |profile: &profile_run::profile::Profile| {
            let graph = profile.graph.clone().unwrap();
            let name = |id: u32| {
                let function = profile.names.get(id);
                let file = if function.file.is_empty() { "???" } else { &function.file };
                (function.object.clone(), file.to_owned(), function.name.clone())
            };
            let mut edges: Vec<_> = graph
                .calls
                .iter()
                .map(|((caller, callee), call)| (name(*caller), name(*callee), call.calls, call.costs.clone()))
                .collect();
            edges.sort();
            let mut own: Vec<_> = graph.functions.iter().map(|(id, detail)| (name(*id), detail.own.clone())).collect();
            own.sort();
            (edges, own)
        };
        assert_eq!(edges(&before), edges(&after), "{name}");
    }
}
