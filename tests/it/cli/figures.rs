//! The figures of one real run: console, page, Markdown, JSON and comparison say the same.

use std::fs;
use std::process::Command;

use profile_run::analysis::result::LoadRow;
use profile_run::phrase::{self, bytes, grouped, plural, significant};
use serde_json::Value;

use super::main_job::{Run, port, text};

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

#[test]
fn all_five_outputs_of_a_run_have_the_same_figures() {
    let (run, port) = (Run::new(), port());
    let options = ["--load", "sequential,churn,handshake", "--scale", "0.1", "--budget", "40s"];
    let output = run.run(&options, &["php", CONSOLE, "smtp:serve", "--port", &port]);
    let said = text(&output);
    let read = |file: &str| fs::read_to_string(run.out().join(file)).unwrap();
    let (page, summary, result) = (read("report.html"), read("summary.md"), run.result());
    let compare = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["compare", "--json"])
        .args([run.out(), run.out()])
        .output()
        .unwrap();
    let compared: Value = serde_json::from_slice(&compare.stdout).unwrap();

    let sentence = result["sentence"].as_str().unwrap();
    assert!(said.contains(&sentence.replace('`', "")), "{sentence}\n{said}");
    assert!(summary.contains(sentence.split('`').next().unwrap()), "{sentence}\n{summary}");
    assert_eq!(compared["verdict"], serde_json::json!([result["verdict"], result["verdict"]]));

    let rows: Vec<LoadRow> = serde_json::from_value(result["load"].clone()).unwrap();
    let rows: Vec<&LoadRow> = rows.iter().filter(|row| row.is_measured_total()).collect();
    // A busy machine leaves no time for all of them.
    assert!(!rows.is_empty(), "{said}");
    for row in &rows {
        let name = &row.scenario;
        let line =
            said.lines().find(|line| line.trim_start().starts_with(&format!("measure   {name}"))).expect("a line");
        let (_, cells) = page.split_once(&format!("<tr><th class=\"l\" scope=\"row\">{name}</th>")).expect("a row");
        let cells = cells.split_once("</tr>").unwrap().0;
        let (_, table) = summary.split_once("<summary>Load</summary>").expect("the load");
        let table = table.lines().find(|line| line.starts_with(&format!("| {name} |"))).expect("a row");
        let speed = compared["speed"].as_array().unwrap().iter().find(|speed| speed["scenario"] == **name).unwrap();
        let per_second = row.rate().unwrap();
        let noun = if row.messages_accepted > 0 { "msg" } else { "sessions" };
        assert!(line.contains(&phrase::rate(per_second, noun)), "{name}, {per_second}: {line}");
        for (what, figure, key) in [
            ("per second", per_second, "is"),
            ("p50", row.latency_ms.p50, "p50_ms"),
            ("p99", row.latency_ms.p99, "p99_ms"),
        ] {
            let shown = significant(figure);
            assert!(cells.contains(&format!("<td data-of=\"{what}\">{shown}</td>")), "{name}, {what} {shown}: {cells}");
            assert!(table.contains(&format!("| {shown} ")), "{name}, {what} {shown}: {table}");
            let other = if key == "is" { &speed[key] } else { &speed[key][1] };
            assert_eq!(other.as_f64(), Some(figure), "{name}, {what}");
        }
        assert!(table.contains(&format!("| {} |", row.refused_or_failed())), "{name}: {table}");
    }
    let sum = |of: fn(&LoadRow) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
    let load = format!(
        "{} accepted, {}, {} refused or failed",
        plural(sum(|row| row.messages_accepted), "message"),
        plural(sum(|row| row.sessions), "session"),
        grouped(sum(LoadRow::refused_or_failed))
    );
    assert!(said.contains(&load), "{load}\n{said}");
    let peak = bytes(result["samples_summary"]["rss_peak"].as_f64().unwrap());
    assert!(said.contains(&format!("RSS {peak}, ")), "{peak}\n{said}");
    assert!(page.contains(&format!("<dt>Peak RSS</dt><dd><b>{peak}</b>")), "{peak}");
    let calls = plural(result["profile"]["records"].as_u64().expect("a profile"), "call");
    assert!(said.contains(&calls) && page.contains(calls.split(' ').next().unwrap()), "{calls}\n{said}");
    for (finding, change) in result["findings"].as_array().unwrap().iter().zip(compared["growth"].as_array().unwrap()) {
        assert_eq!(finding["growth"]["value"], change["is"]);
    }
}
