//! Runs that earlier versions recorded, runs of newer ones, and journals that were damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A copy of the recorded run of schema 1.
fn recorded() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a folder");
    let run = place.path().join("run");
    fs::create_dir(&run).expect("a folder");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runs/schema-1");
    for entry in fs::read_dir(fixture).expect("the fixture") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), run.join(entry.file_name())).expect("a copy");
    }
    (place, run)
}

fn profile_run(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run")).args(arguments).args(paths).output().expect("profile-run runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn result(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("result.json")).expect("a result")).expect("JSON")
}

#[test]
fn a_journal_of_schema_1_is_reported_anew_and_judged_as_it_was() {
    let (_place, run) = recorded();
    let before = result(&run);
    let output = profile_run(&["report"], &[&run]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let after = result(&run);
    assert_eq!((&before["schema"], &after["schema"]), (&1.into(), &2.into()));
    assert_eq!(before["verdict"], after["verdict"]);
    let states = |result: &Value| -> Vec<(Value, Value, Value)> {
        let findings = result["findings"].as_array().expect("findings");
        // Schema 1 did not judge processes.
        let judged = findings.iter().filter(|finding| finding["metric"] != "processes");
        judged.map(|f| (f["metric"].clone(), f["scenario"].clone(), f["state"].clone())).collect()
    };
    assert_eq!(states(&before), states(&after));
    assert_eq!(after["load"][0]["pass"], "measure", "the pass has its new name");
    assert!(fs::read_to_string(run.join("report.html")).expect("a report").contains("profile-run-result"));
}

#[test]
fn runs_of_schema_1_are_compared_from_folder_and_from_result() {
    let (_place, run) = recorded();
    let (_other, anew) = recorded();
    assert!(profile_run(&["report"], &[&anew]).status.success());
    for (base, new) in [(run.clone(), anew.clone()), (run.join("result.json"), anew.join("report.html"))] {
        let output = profile_run(&["compare", "--json"], &[&base, &new]);
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(comparison["worse"], false, "{comparison}");
        assert!(!comparison["growth"].as_array().expect("growth").is_empty());
    }
    let output = profile_run(&["report", "--baseline"], &[&run.join("result.json"), &anew]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn compare_and_baseline_give_one_answer_by_the_thresholds_of_the_new_run() {
    let (_place, run) = recorded();
    let (_other, anew) = recorded();
    // The later run was configured with another bound; both ways of asking must obey it.
    let journal = fs::read_to_string(anew.join("journal.jsonl")).expect("a journal");
    let mut lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let plan = lines.iter_mut().find(|line| line["event"] == "plan").expect("a plan");
    plan["settings"]["bounds"] = serde_json::json!({ "heap": { "leak": 12_345.0 } });
    let written: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(anew.join("journal.jsonl"), written).expect("a journal");
    let base = run.join("result.json");
    assert!(profile_run(&["report", "--baseline"], &[&base, &anew]).status.success());
    let new = result(&anew);
    assert_eq!(new["bounds"]["heap"]["leak"], 12_345.0);
    let output = profile_run(&["compare", "--json"], &[&base, &anew]);
    let compared: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for key in ["growth", "speed", "functions", "differences", "worse"] {
        assert_eq!(compared[key], new["baseline"][key], "{key}");
    }
}

#[test]
fn a_newer_journal_is_refused_as_newer() {
    let (_place, run) = recorded();
    let journal = fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    let newer =
        journal.replacen("\"schema\":1", "\"schema\":99", 1).replace("\"event\":\"look\"", "\"event\":\"glance\"");
    fs::write(run.join("journal.jsonl"), newer).expect("a journal");
    let output = profile_run(&["report"], &[&run]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("schema 99") && error.contains("use the version that wrote it"), "{error}");
}

#[test]
fn damage_before_the_last_line_is_said_and_the_run_is_read_all_the_same() {
    let (_place, run) = recorded();
    let mut journal = fs::read(run.join("journal.jsonl")).expect("a journal");
    let header = journal.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let plan = header + journal[header..].iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    journal.splice(plan..plan, b"\0\0\0\0\n\xff\xfe\n".iter().copied());
    fs::write(run.join("journal.jsonl"), journal).expect("a journal");
    let output = profile_run(&["report"], &[&run]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result = result(&run);
    let warning = result["warnings"].as_array().expect("warnings").iter().find(|w| w["kind"] == "damaged_journal");
    let said = warning.expect("it is said")["text"].as_str().expect("text").to_owned();
    assert!(said.contains("2 lines") && said.contains("line 3"), "{said}");
}
