//! Reports of recorded runs: what the program says of them, and that every output says the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use profile_run::analysis::{analyse, view::RunView};
use profile_run::journal::Folder;
use profile_run::model::load_stats::LoadRow;
use profile_run::phrase::{bytes, grouped, significant};
use profile_run::report::{html, markdown};
use serde_json::Value;

pub(super) const RUNS: [&str; 4] = ["leak", "clean", "failed", "interrupted"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runs").join(name)
}

pub(super) fn view(name: &str) -> RunView {
    analyse(&Folder::open(&folder(name)).expect("a run"), None, false).expect("a result")
}

#[test]
fn summaries_of_recorded_runs() {
    for name in RUNS {
        // The version is the program's and not the run's.
        let text =
            markdown(&view(name)).replace(concat!("profile-run ", env!("CARGO_PKG_VERSION")), "profile-run VERSION");
        let path = folder(name).join("summary.md");
        if std::env::var_os("PROFILE_RUN_BLESS").is_some() {
            std::fs::write(&path, &text).expect("the folder is writable");
        }
        let known = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, known, "{name}: PROFILE_RUN_BLESS=1 writes it anew");
    }
}

#[test]
fn the_colour_follows_the_exit_code() {
    for (name, code, class) in
        [("leak", 1, "leak"), ("clean", 0, "clean"), ("failed", 3, "failed"), ("interrupted", 130, "inconclusive")]
    {
        let view = view(name);
        assert_eq!(view.result.exit_code.code(), code, "{name}: {}", view.result.sentence);
        let page = html(&view).expect("a page");
        assert!(page.contains(&format!("<section class=\"verdict {class}\"")), "{name}");
    }
}

/// The figures of a scenario's row, as every output writes them.
fn figures(row: &LoadRow) -> [(&'static str, String); 5] {
    [
        ("accepted", if row.messages_sent == 0 { "none sent".to_owned() } else { grouped(row.messages_accepted) }),
        ("failed", grouped(row.errors.values().sum())),
        ("per second", significant(row.rate().expect("it ran"))),
        ("p50", significant(row.latency_ms.p50)),
        ("p99", significant(row.latency_ms.p99)),
    ]
}

/// Copies a run to where its reports may be written.
fn copied(name: &str) -> tempfile::TempDir {
    let room = tempfile::tempdir().expect("a folder");
    for file in ["journal.jsonl", "samples.jsonl"] {
        std::fs::copy(folder(name).join(file), room.path().join(file)).expect("a file of the run");
    }
    room
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run")).args(arguments).output().expect("the program");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_output_has_the_same_figures() {
    for name in ["leak", "clean"] {
        let room = copied(name);
        let root = room.path().to_str().expect("a path");
        let said = run(&["report", root]);
        let read = |file: &str| std::fs::read_to_string(room.path().join(file)).expect("a report");
        let (page, summary, json) = (read("report.html"), read("summary.md"), read("result.json"));
        let result: Value = serde_json::from_str(&json).expect("JSON");
        let compared: Value = serde_json::from_str(&run(&["compare", "--json", root, root])).expect("JSON");

        // The sentence: console, page (its words without markup), Markdown, JSON.
        let view = view(name);
        assert_eq!(said.lines().next(), Some(view.result.sentence.as_str()), "{name}");
        assert_eq!(result["sentence"], view.result.sentence, "{name}");
        let start = view.result.sentence.split('`').next().expect("words");
        assert!(summary.contains(start.trim_end()), "{name}: {summary}");
        assert_eq!(compared["verdict"][1], result["verdict"], "{name}");

        let rows: Vec<LoadRow> = serde_json::from_value(result["load"].clone()).expect("rows of load");
        let totals: Vec<&LoadRow> = rows.iter().filter(|row| row.is_measured_total()).collect();
        assert!(!totals.is_empty(), "{name}");
        for row in totals {
            let begin = format!("<tr><th class=\"l\" scope=\"row\">{}</th>", row.scenario);
            let (_, cells) = page.split_once(&begin).unwrap_or_else(|| panic!("{name}: {}", row.scenario));
            let cells = cells.split_once("</tr>").expect("a row").0;
            let line = summary.lines().find(|line| line.starts_with(&format!("| {} |", row.scenario))).expect("a line");
            for (what, figure) in figures(row) {
                assert!(cells.contains(&format!("<td data-of=\"{what}\">{figure}</td>")), "{name}, {what}: {cells}");
                assert!(line.contains(&format!("| {figure} ")), "{name}, {what} {figure}: {line}");
            }
        }
        let peak = bytes(result["samples_summary"]["rss_peak"].as_f64().expect("a peak"));
        assert!(page.contains(&format!("<dt>Peak RSS</dt><dd><b>{peak}</b>")), "{name}: {peak}");
        // Growth: one finding each in JSON, page, Markdown and comparison.
        for (finding, change) in
            result["findings"].as_array().expect("findings").iter().zip(compared["growth"].as_array().expect("growth"))
        {
            assert_eq!((&finding["metric"], &finding["scenario"]), (&change["metric"], &change["scenario"]), "{name}");
            assert_eq!(finding["growth"]["value"], change["is"], "{name}");
        }
    }
}

#[test]
fn the_timeline_shows_each_waves_own_speed() {
    let view = view("clean");
    let highest = |rows: &[LoadRow]| {
        let waves = rows
            .iter()
            .filter(|row| row.wave.is_some() && row.pass == profile_run::model::load_stats::RowPass::Measure);
        waves.filter_map(LoadRow::rate).fold(0.0, f64::max)
    };
    let track = view.timeline.tracks.iter().find(|track| track.name == "messages/s").expect("a track");
    let drawn = track.points.iter().map(|point| point.1).fold(0.0, f64::max);
    assert_eq!(drawn, highest(&view.result.load));
}
