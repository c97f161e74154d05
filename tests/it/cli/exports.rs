//! A run for other programs: JUnit, SARIF, annotations, metrics, a picture.

use serde_json::{Value, json};

use super::recorded::{Recorded, profile_run, text};

/// A recorded run with all its exports; the project's root is where its scripts were.
fn exported(name: &str, thresholds: &[&str]) -> Recorded {
    let run = Recorded::run(name).with_plan(|line| line["settings"]["thresholds"] = json!(thresholds));
    let journal = run.folder.join("journal.jsonl");
    let lines = std::fs::read_to_string(&journal).expect("a journal");
    let (first, rest) = lines.split_once('\n').expect("a header");
    let mut header: Value = serde_json::from_str(first).expect("JSON");
    header["root"] = json!("/srv/smtp-server");
    std::fs::write(&journal, format!("{header}\n{rest}")).expect("a journal");
    let output = profile_run(&["report", "--export", "junit,sarif,github,metrics,plot,firefox"], &[&run.folder]);
    assert!(output.status.success(), "{}", text(&output));
    run
}

fn read(run: &Recorded, file: &str) -> String {
    std::fs::read_to_string(run.folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The value of an attribute of the first element of this name.
fn attribute(xml: &str, element: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{element} ")).unwrap_or_else(|| panic!("{element}: {xml}"));
    let tag = rest.split_once('>').expect("an end").0;
    let (_, value) = tag.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{name}: {tag}"));
    value.split_once('"').expect("an end").0.to_owned()
}

#[test]
fn a_leak_fails_its_test_case_and_stands_on_its_line() {
    let run = exported("leak", &["p99 > 50s", "rss_peak > 1MB", "errors > 0.1% in <b>"]);
    let result = run.result();
    let leaks = result["findings"].as_array().expect("findings").iter().filter(|f| f["state"] == "leak").count();
    assert!(leaks > 0);
    let broken = result["thresholds"].as_array().expect("thresholds").iter().filter(|t| t["held"] == false).count();

    let junit = read(&run, "junit.xml");
    assert_eq!(attribute(&junit, "testsuites", "failures"), (leaks + broken).to_string(), "{junit}");
    assert_eq!(junit.matches("<testcase ").count().to_string(), attribute(&junit, "testsuites", "tests"));
    assert!(junit.contains("<failure type=\"leak\" message=\"It leaks"), "{junit}");
    assert!(junit.contains("name=\"errors &gt; 0.1% in &lt;b&gt;\"") && !junit.contains("<b>"), "{junit}");

    let sarif: Value = serde_json::from_str(&read(&run, "profile-run.sarif")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let heap = results.iter().find(|r| r["ruleId"] == "leak/heap").expect("the leak");
    let place = &heap["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "src/Faults/SessionFault.php", "{heap}");
    assert_eq!(place["artifactLocation"]["uriBaseId"], "SRCROOT");
    let line = place["region"]["startLine"].as_u64().expect("a line");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    assert!(results.iter().all(|r| rules.iter().any(|rule| rule["id"] == r["ruleId"])), "{rules:?}");
    assert_eq!(results.iter().filter(|r| r["ruleId"] == "threshold").count(), broken);

    let annotations = read(&run, "annotations.txt");
    let wanted =
        format!("::error file=src/Faults/SessionFault.php,line={line},title=profile-run%3A leak/heap::It leaks");
    assert!(annotations.contains(&wanted), "{annotations}");
    assert!(annotations.lines().all(|line| line.starts_with("::error ")), "{annotations}");
}

#[test]
fn a_sound_run_passes_every_case_and_says_so() {
    let run = exported("clean", &["errors > 0.1%"]);
    let junit = read(&run, "junit.xml");
    assert_eq!(
        (attribute(&junit, "testsuites", "failures"), attribute(&junit, "testsuites", "errors")),
        ("0".into(), "0".into())
    );
    let sarif: Value = serde_json::from_str(&read(&run, "profile-run.sarif")).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"], json!([]));
    assert!(read(&run, "annotations.txt").starts_with("::notice title=profile-run::"));
    let metrics = read(&run, "metrics.txt");
    for line in metrics.lines() {
        let (name, value) = line.rsplit_once(' ').expect("name and value");
        assert!(name.starts_with("profile_run_") && value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(
        metrics.contains("profile_run_growth_bytes_per_message{metric=\"heap\",scenario=\"sequential\"} 0\n"),
        "{metrics}"
    );
    let peak = run.result()["samples_summary"]["rss_peak"].as_f64().expect("a peak");
    assert!(metrics.contains(&format!("profile_run_rss_peak_bytes {peak}\n")), "{metrics}");
    let plot = read(&run, "plot.svg");
    assert!(
        plot.starts_with("<svg xmlns=") && plot.contains("prefers-color-scheme: dark") && plot.ends_with("</svg>\n")
    );
    assert_eq!(plot.matches("<svg").count(), plot.matches("</svg>").count());
}

/// Markers of a type: when each began and ended (if it did), in milliseconds, and what it has.
fn markers<'a>(profile: &'a Value, of: &str) -> Vec<(f64, Option<f64>, &'a Value)> {
    let table = &profile["threads"][0]["markers"];
    let data = table["data"].as_array().expect("markers").iter().enumerate();
    data.filter(|(_, data)| data["type"] == of)
        .map(|(at, data)| (table["startTime"][at].as_f64().expect("a start"), table["endTime"][at].as_f64(), data))
        .collect()
}

#[test]
fn the_firefox_profiler_gets_the_waves_and_the_figures_over_time() {
    let run = exported("leak", &[]);
    let profile: Value = serde_json::from_str(&read(&run, "firefox-profile.json")).expect("JSON");
    let result = run.result();
    let started: jiff::Timestamp = result["started"].as_str().expect("a time").parse().expect("RFC 3339");
    let begins = profile["meta"]["startTime"].as_f64().expect("a time");
    assert!((begins - started.as_duration().as_secs_f64() * 1000.0).abs() < 0.5, "{begins} {started}");

    let waves = result["waves"].as_array().expect("waves");
    let told = markers(&profile, "Wave");
    assert_eq!(told.len(), waves.len());
    for (wave, (begin, end, data)) in waves.iter().zip(&told) {
        let near = |key: &str, value: f64| (wave[key].as_f64().expect("a time") * 1000.0 - value).abs() < 0.01;
        assert!(near("begin", *begin) && near("end", end.expect("an end")), "{wave} {data}");
        assert_eq!(data["messages"].as_f64(), wave["messages"].as_f64());
        assert_eq!(data["sessions"].as_f64(), wave["sessions"].as_f64());
    }
    let rests = waves.iter().filter(|wave| wave["settle"].as_f64() > Some(0.0)).count();
    assert_eq!(markers(&profile, "Rest").len(), rests);
    assert!(!markers(&profile, "Count").is_empty());

    let counters = profile["counters"].as_array().expect("counters");
    let names: Vec<&str> = counters.iter().filter_map(|counter| counter["name"].as_str()).collect();
    assert_eq!(names, ["RSS", "PHP heap", "Descriptors"]);
    let deltas = |at: usize| {
        let all = counters[at]["samples"]["count"].as_array().expect("values");
        all.iter().map(|value| value.as_f64().expect("a value"))
    };
    let highest = |at: usize| {
        deltas(at)
            .scan(0.0, |sum, delta| {
                *sum += delta;
                Some(*sum)
            })
            .fold(0.0, f64::max)
    };
    assert_eq!(Some(highest(0)), result["samples_summary"]["rss_peak"].as_f64());
    assert_eq!(Some(highest(2)), result["samples_summary"]["fd_peak"].as_f64());
    let mut floors = result["floors"].as_array().expect("floors").iter();
    let last = floors.rfind(|floor| floor["metric"] == "heap").expect("a heap");
    assert_eq!(Some(deltas(1).sum()), last["value"].as_f64());
}

#[test]
fn a_server_that_failed_fails_its_case_and_an_export_may_go_to_stdout() {
    let run = exported("failed", &[]);
    let junit = read(&run, "junit.xml");
    assert!(junit.contains("classname=\"profile-run.server\" name=\"stays up\" time=\"0\"><failure"), "{junit}");
    let output = profile_run(&["report", "--export", "github=-"], &[&run.folder]);
    assert!(text(&output).contains("::error title=profile-run%3A failed::"), "{}", text(&output));
    let output = profile_run(&["report", "--export", "junit=/nowhere/junit.xml"], &[&run.folder]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert_eq!(profile_run(&["report", "--export", "xml"], &[&run.folder]).status.code(), Some(2));
}
