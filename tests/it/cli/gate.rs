//! Exit codes and settings, on recorded runs: what the configuration asked for is obeyed when a report is written anew.

use serde_json::{Value, json};

use super::recorded::{Recorded, profile_run, text};

/// The exit code of a recorded run where only this makes it fail.
#[track_caller]
fn code(name: &str, fail_on: Value, settings: Value) -> (i64, Value) {
    let run = Recorded::run(name).with_plan(|line| {
        line["plan"]["fail_on"] = fail_on;
        for (key, value) in settings.as_object().expect("settings") {
            line["settings"][key] = value.clone();
        }
    });
    let result = run.report();
    (result["exit_code"].as_i64().expect("a code"), result)
}

#[test]
fn each_exit_code_follows_from_what_fails_the_run() {
    let all = json!(["leak", "failed", "inconclusive", "threshold", "regression"]);
    for (name, fail_on, expected) in [
        ("clean", all.clone(), 0),
        ("leak", all.clone(), 1),
        ("leak", json!(["failed"]), 0),
        ("leak", json!([]), 0),
        ("failed", all.clone(), 3),
        ("failed", json!(["leak"]), 0),
        ("failed", json!(["errors"]), 1),
        ("clean", json!(["errors"]), 0),
        ("interrupted", all.clone(), 130),
        ("interrupted", json!([]), 130),
    ] {
        assert_eq!(code(name, fail_on.clone(), json!({})).0, expected, "{name} {fail_on}");
    }
    // Bounds under which nothing can be decided.
    let never = json!({ "bounds": { "waves": { "least": 1000 } } });
    for (fail_on, expected) in [(all, 4), (json!(["leak", "failed"]), 0)] {
        let (code, result) = code("clean", fail_on, never.clone());
        assert_eq!((&result["verdict"], code), (&"inconclusive".into(), expected), "{}", result["sentence"]);
    }
}

#[test]
fn an_empty_list_of_what_fails_a_run_is_a_slip() {
    for list in ["", ",", "leak,", "lek", "none,leak"] {
        let output = profile_run(&["--fail-on", list, "--", "true"], &[]);
        assert_eq!(output.status.code(), Some(2), "{list}: {}", text(&output));
    }
}

#[test]
fn a_bisection_skips_what_tells_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    for (name, command, code) in [("gone", "nowhere/to/be/found", 125), ("fell", "false", 125)] {
        let out = place.path().join(name);
        let output = profile_run(
            &["--bisect", "--load", "smoke", "--budget", "5s", "--out"],
            &[&out, "--".as_ref(), command.as_ref()],
        );
        assert_eq!(output.status.code(), Some(code), "{name}: {}", text(&output));
    }
}

#[test]
fn settings_of_schema_1_are_kept_with_the_old_bounds_beside_them() {
    let accepted = json!([{ "metric": "heap", "limit": 2e6, "reason": "ticket 12", "expires": "2999-01-01" }]);
    let held = json!([{ "figure": "p99_ms", "scenario": "sequential", "most": 0.001 }]);
    let run = Recorded::run("schema-1").with_plan(|line| {
        line["settings"]["accepted"] = accepted.clone();
        line["settings"]["thresholds"] = held;
        line["settings"]["bounds"]["heap"]["leak"] = json!(700.0);
        line["settings"]["bounds"]["waves"]["swings"] = json!(9);
    });
    let result = run.report();
    assert_eq!(result["bounds"]["heap"]["leak"], 700.0);
    assert_eq!(result["exit_code"], 1, "the threshold is held: {}", result["sentence"]);
    assert!(
        result["sentence"].as_str().expect("text").contains("p99")
            || result["sentence"].as_str().expect("text").contains("99th"),
        "{}",
        result["sentence"]
    );
    let said = result["warnings"].to_string();
    assert!(said.contains("waves.swings = 9") && !said.contains("waves.window"), "{said}");
    // The same list in a run that leaks: it is obeyed.
    let (_, leak) = code("leak", json!(["leak"]), json!({ "accepted": accepted }));
    let heap = leak["findings"].as_array().expect("findings").iter().find(|f| f["metric"] == "heap").expect("heap");
    let said = heap["accepted"].as_str().map(str::to_owned).unwrap_or_else(|| heap.to_string());
    assert!(said.contains("ticket 12") || said.contains("is not in the list of accepted leaks"), "{said}");
}

#[test]
fn a_setting_that_cannot_be_read_is_named_and_nothing_is_judged_without_it() {
    for (settings, key) in [
        (json!({ "bounds": { "heap": { "leak": null } } }), "settings.bounds.heap.leak"),
        (json!({ "bounds": { "heap": { "leek": 5 } } }), "settings.bounds.heap.leek"),
        (json!({ "accepted": [{ "metric": "heap" }] }), "settings.accepted[0]"),
        (json!({ "thresholds": [{ "figure": "p98_ms", "most": 1 }] }), "settings.thresholds[0]"),
    ] {
        for name in ["schema-1", "leak"] {
            let run = Recorded::run(name).with_plan(|line| {
                for (key, value) in settings.as_object().expect("settings") {
                    line["settings"][key] = value.clone();
                }
            });
            let output = profile_run(&["report"], &[&run.folder]);
            assert_eq!(output.status.code(), Some(2), "{}", text(&output));
            assert!(text(&output).contains(key) && text(&output).contains("journal.jsonl"), "{}", text(&output));
            assert!(!run.folder.join("report.html").exists());
        }
    }
}

#[test]
fn bounds_that_are_none_are_refused_before_anything_is_started() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("profile-run.toml");
    for slip in ["[verdict.heap]\nleak = inf\n", "[verdict.rss]\nhour = nan\n", "[verdict.count]\nleak = -1\n"] {
        std::fs::write(&file, slip).expect("a file");
        let out = place.path().join("run");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_profile-run"))
            .arg("--config")
            .arg(&file)
            .arg("--out")
            .arg(&out)
            .args(["--", "true"])
            .output()
            .expect("profile-run runs");
        assert_eq!(output.status.code(), Some(2), "{slip}: {}", text(&output));
        assert!(text(&output).contains("[verdict."), "{slip}: {}", text(&output));
        assert!(!out.join("journal.jsonl").exists(), "{slip}");
    }
}

#[test]
fn a_threshold_that_breaks_or_was_never_measured_fails_the_run_and_no_page_is_green() {
    for (figure, scenario, most, expected) in [
        ("p99_ms", "sequential", 1e6, 0),
        ("p99_ms", "sequential", 0.001, 1),
        ("p99_ms", "churn", 1e6, 1),
        ("server_cpu_ms", "handshake", 1e6, 0),
    ] {
        let held = json!([{ "figure": figure, "scenario": scenario, "most": most }]);
        let run = Recorded::run("clean").with_plan(|line| line["settings"]["thresholds"] = held);
        assert_eq!(run.report()["exit_code"], expected, "{figure} {scenario} {most}");
        let page = std::fs::read_to_string(run.folder.join("report.html")).expect("a page");
        let class = if expected == 0 { "clean" } else { "failed" };
        assert!(page.contains(&format!("<section class=\"verdict {class}\"")), "{figure} {scenario} {most}");
    }
}

/// The heap's finding of the recorded leak, under these settings.
fn heap_of_the_leak(settings: Value, length: u64) -> Value {
    let run = Recorded::run("leak").with_plan(|line| {
        for (key, value) in settings.as_object().expect("settings") {
            line["settings"][key] = value.clone();
        }
        if length > 0 {
            line["plan"]["scenarios"][0]["payload"] = json!({ "generated": { "fixed": length } });
        }
    });
    let result = run.report();
    let mut heap =
        result["findings"].as_array().expect("findings").iter().find(|f| f["metric"] == "heap").expect("heap").clone();
    heap["started"] = result["started"].clone();
    heap
}

#[test]
fn a_leak_is_accepted_until_the_end_of_its_last_day_whenever_the_report_is_written() {
    let plain = heap_of_the_leak(json!({}), 0);
    assert_eq!((&plain["state"], &plain["accepted"]), (&"leak".into(), &Value::Null));
    let holders: Vec<&str> =
        plain["holders"].as_array().expect("holders").iter().filter_map(|holder| holder["path"].as_str()).collect();
    assert!(!holders.is_empty(), "{plain}");
    let day: jiff::civil::Date = plain["started"].as_str().expect("a time")[..10].parse().expect("a day");
    let entries = |limit: f64, expires: jiff::civil::Date| {
        let entry = |holder: &&str| {
            json!({ "metric": "heap", "holder": holder, "limit": limit, "reason": "ticket 12",
                "expires": expires.to_string() })
        };
        json!({ "accepted": holders.iter().map(entry).collect::<Vec<Value>>() })
    };
    // Today is the day of the run: one that ended long ago is judged by what was accepted then.
    for (expires, accepted) in [
        (day, true),
        (day.tomorrow().expect("a day"), true),
        (day.yesterday().expect("a day"), false),
        ("2000-02-29".parse().expect("a day"), false),
    ] {
        let heap = heap_of_the_leak(entries(1e9, expires), 0);
        let reason = heap["accepted"].as_str().is_some_and(|reason| reason.contains("ticket 12"));
        assert_eq!(reason, accepted, "{expires}, the run is of {day}: {heap}");
    }
    // Less than it grows by is not enough, however long.
    let heap = heap_of_the_leak(entries(1.0 / holders.len() as f64, day), 0);
    assert!(heap["accepted"].is_null(), "{heap}");
}

#[test]
fn a_mail_is_as_long_when_a_report_is_written_anew_as_it_was_in_the_run() {
    // For long mails a bound that nothing can break: a leak then only where the mail is short of `from`.
    // Its containers, which are counted and not measured, are left out.
    let heavy = json!({ "from": 262_144.0, "heap_leak": 1e9, "heap_clean": 1e9 });
    let settings = json!({ "bounds": { "heavy": heavy, "heap": { "elements": 1e9 } } });
    for (length, leaks) in [(0, true), (262_143, true), (262_144, false), (5_000_000, false)] {
        let heap = heap_of_the_leak(settings.clone(), length);
        assert_eq!(heap["state"] == "leak", leaks, "{length} bytes: {heap}");
    }
}

/// Each condition of the configuration is shown with its figure by every output, held or broken.
#[test]
fn thresholds_stand_in_every_output() {
    let conditions = [
        ("errors > 0.1%", true, "0%"),
        ("p99 > 50s in sequential", true, " ms"),
        ("rss_peak > 1MB", false, "MiB"),
        ("heap > 100 B per message", true, "0 B per message"),
        ("fd > 20 per 1000 sessions", true, "0 per session"),
        ("throughput < -10% in sequential", false, "no baseline to hold it against"),
        ("instructions > +0.5%", false, "not measured"),
        ("calls \"App\\\\Parser::parse\" > 2 per message", false, "not measured"),
    ];
    let texts: Vec<&str> = conditions.iter().map(|(text, ..)| *text).collect();
    let run = Recorded::run("clean").with_plan(|line| line["settings"]["thresholds"] = json!(texts));
    let output = profile_run(&["report"], &[&run.folder]);
    assert!(output.status.success(), "{}", text(&output));
    let result = run.result();
    let read = |file: &str| std::fs::read_to_string(run.folder.join(file)).expect("a report");
    let (page, summary) = (read("report.html"), read("summary.md"));
    let rows = result["thresholds"].as_array().expect("thresholds");
    for (condition, held, figure) in conditions {
        let of: Vec<&Value> = rows.iter().filter(|row| row["text"] == condition).collect();
        assert!(!of.is_empty() && of.iter().all(|row| row["held"] == held), "{condition}: {of:?}");
        assert_eq!(of[0]["measured"].is_null(), of[0].get("unmeasured").is_some(), "{condition}: {of:?}");
        let escaped = condition.replace('>', "&#62;").replace('<', "&#60;").replace('"', "&#34;");
        let (_, row) = page.split_once(&format!("<code>{escaped}</code>")).unwrap_or_else(|| panic!("{condition}"));
        let row = row.split_once("</tr>").expect("a row").0;
        assert!(row.contains(figure) && row.contains(if held { ">held<" } else { ">broken<" }), "{condition}: {row}");
        let line = summary.lines().find(|line| line.starts_with(&format!("| `{condition}`"))).expect("a line");
        assert!(line.contains(figure) && line.contains(if held { "held" } else { "**broken**" }), "{line}");
    }
    assert_eq!(result["exit_code"], 1);
    let broken = rows.iter().filter(|row| row["held"] == false).count();
    let sentence = result["sentence"].as_str().expect("text");
    assert!(sentence.starts_with(&format!("{broken} of {} thresholds are broken", rows.len())), "{sentence}");
    assert!(page.contains("<section class=\"verdict failed\""));
}

/// Changes against a baseline, and `::` for `->`.
#[test]
fn relative_thresholds_are_held_against_the_baseline() {
    let base = Recorded::run("clean");
    base.report();
    let function = |name: &str, calls: u64, own: u64| json!({ "name": name, "file": "/srv/a.php", "self": own, "inclusive": own, "calls": calls, "allocation": 0 });
    base.edit(|result| {
        let row = result["load"]
            .as_array_mut()
            .expect("load")
            .iter_mut()
            .find(|row| row["scenario"] == "sequential" && row["wave"].is_null() && row["pass"] == "measure");
        let row = row.expect("a row");
        row["seconds"] = json!(row["seconds"].as_f64().expect("seconds") / 2.0);
        result["profile"] = json!({ "files": [], "records": 1, "complete": true, "recovered_share": 1.0, "top": [],
            "messages": 100, "total_ns": 100, "functions": [function("A->b", 100, 100)] });
    });
    let texts = [
        "throughput < -10% in sequential",
        "throughput < -60% in sequential",
        "p50 > +0% in sequential",
        "calls \"A::b\" > 1 per message",
    ];
    let run = Recorded::run("clean").with_plan(|line| line["settings"]["thresholds"] = json!(texts));
    let output = profile_run(&["report", "--baseline"], &[&base.folder, &run.folder]);
    assert!(output.status.success(), "{}", text(&output));
    let result = run.result();
    let rows = result["thresholds"].as_array().expect("thresholds");
    let held: Vec<&Value> = rows.iter().map(|row| &row["held"]).collect();
    assert_eq!(held, [&json!(false), &json!(true), &json!(true), &json!(false)], "{rows:?}");
    assert_eq!(rows[0]["measured"], -0.5);
    assert_eq!((&rows[3]["measured"], &rows[3]["unmeasured"]), (&Value::Null, &json!("not_measured")));
}
