//! Two runs side by side: what is exact is judged on any host, times never, and nothing judged is not "held".

use serde_json::{Value, json};

use super::recorded::{Recorded, profile_run, text};

fn pair(name: &str) -> (Recorded, Recorded) {
    let (base, new) = (Recorded::run(name), Recorded::run(name));
    base.report();
    new.report();
    (base, new)
}

#[track_caller]
fn compared(base: &Recorded, new: &Recorded, code: i32) -> (String, Value) {
    let paths = [base.folder.as_path(), new.folder.as_path()];
    let said = profile_run(&["compare"], &paths);
    let json = profile_run(&["compare", "--json"], &paths);
    assert_eq!((said.status.code(), json.status.code()), (Some(code), Some(code)), "{}", text(&said));
    (text(&said), serde_json::from_slice(&json.stdout).expect("JSON"))
}

/// Another machine, twice as slow, with another kernel.
fn elsewhere(result: &mut Value) {
    result["host"]["memory"] = json!(4096);
    result["host"]["kernel"] = json!("another");
    result["host"]["load_average"] = json!([0.01, 0.01, 0.01]);
    for row in result["load"].as_array_mut().expect("load") {
        row["seconds"] = json!(row["seconds"].as_f64().expect("seconds") * 2.0);
        row["latency_ms"]["p99"] = json!(400.0);
        row["server_cpu_seconds"] = json!(99.0);
    }
}

fn grow(result: &mut Value, metric: &str, by: f64) {
    for finding in result["findings"].as_array_mut().expect("findings").iter_mut().filter(|f| f["metric"] == metric) {
        let more = |value: &Value| json!(value.as_f64().expect("a number") + by);
        finding["growth"]["value"] = more(&finding["growth"]["value"]);
        finding["ci95"] = json!([more(&finding["ci95"][0]), more(&finding["ci95"][1])]);
        finding["state"] = json!("leak");
    }
}

#[test]
fn the_same_build_elsewhere_is_neither_worse_nor_better() {
    for name in ["clean", "leak"] {
        let (base, new) = pair(name);
        new.edit(elsewhere);
        for (one, other) in [(&base, &new), (&new, &base)] {
            let (said, json) = compared(one, other, 0);
            let of = |change: &str| {
                json["growth"].as_array().expect("growth").iter().filter(|g| g["change"] == change).count()
            };
            assert_eq!((of("worse"), of("better"), of("unknown")), (0, 0, 0), "{said}");
            assert!(!said.contains("worse") && !said.contains("better"), "{said}");
            assert!(
                said.starts_with("differs")
                    && said.contains("kernel: ")
                    && said.contains("not judged: there is one run"),
                "{said}"
            );
            assert!(json["speed"][0].get("change").is_none(), "{json}");
        }
    }
}

#[test]
fn a_hundred_bytes_per_message_are_found_from_another_hosts_baseline() {
    let (base, new) = pair("clean");
    new.edit(|result| {
        elsewhere(result);
        grow(result, "heap", 100_000.0);
    });
    let (said, json) = compared(&base, &new, 1);
    assert_eq!(json["worse"], true);
    assert!(said.contains("heap         sequential   0 B per message -> 100 B per message  worse"), "{said}");
    let (said, _) = compared(&new, &base, 0);
    assert!(said.contains("better"), "{said}");
}

#[test]
fn one_more_call_per_message_is_found_and_turns_of_a_loop_are_not() {
    let (base, new) = pair("clean");
    let function = |name: &str, calls: u64| json!({ "name": name, "file": "/srv/a.php", "self": 1000, "inclusive": 1000, "calls": calls, "allocation": 0 });
    let profile = |messages: u64, functions: Vec<Value>| json!({ "files": [], "records": 1, "complete": true, "recovered_share": 1.0, "top": [], "messages": messages, "functions": functions });
    base.edit(|r| r["profile"] = profile(100, vec![function("put", 200), function("tick", 317)]));
    new.edit(|r| {
        elsewhere(r);
        r["profile"] = profile(150, vec![function("put", 450), function("tick", 901), function("added", 150)]);
    });
    let (said, json) = compared(&base, &new, 1);
    let named: Vec<&Value> = json["functions"].as_array().expect("functions").iter().map(|f| &f["name"]).collect();
    assert_eq!(named, ["added", "put"], "{said}");
    assert!(said.contains("put  2 -> 3 per message"), "{said}");
    // Another PHP compiles other calls.
    new.edit(|r| r["target"]["versions"]["php"] = json!("9.0.0"));
    let (said, json) = compared(&base, &new, 0);
    assert!(json["functions"] == json!([]) && said.contains("PHP: "), "{said}");
}

#[test]
fn where_nothing_was_decided_the_exit_code_says_so() {
    let (base, new) = pair("failed");
    let (said, json) = compared(&base, &new, 4);
    assert_eq!((&json["judged"], &json["worse"]), (&false.into(), &false.into()));
    assert!(said.contains("Nothing could be judged"), "{said}");
    // Growth that slows down differs with the length of a run.
    let (base, new) = pair("clean");
    for run in [&base, &new] {
        run.edit(|result| {
            result["findings"]
                .as_array_mut()
                .expect("findings")
                .iter_mut()
                .for_each(|f| f["state"] = json!("inconclusive"));
        });
    }
    new.edit(|result| result["findings"][0]["growth"]["value"] = json!(1e9));
    compared(&base, &new, 4);
}

#[test]
fn the_baseline_in_a_report_knows_the_verdict_that_was_reached() {
    let (base, new) = pair("clean");
    let output = profile_run(&["report", "--baseline"], &[&base.folder, &new.folder]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(new.result()["baseline"]["verdict"], json!(["clean", "clean"]));
    let summary = std::fs::read_to_string(new.folder.join("summary.md")).expect("a summary");
    assert!(summary.contains("nothing is worse than in the baseline; its verdict was clean, now clean"), "{summary}");
    // What leaks now and did not then fails the run, and is said first.
    let leak = Recorded::run("leak");
    assert!(profile_run(&["report", "--baseline"], &[&base.folder, &leak.folder]).status.success());
    let result = leak.result();
    assert_eq!(result["baseline"]["verdict"], json!(["clean", "leak"]));
    assert_eq!((&result["baseline"]["worse"], &result["exit_code"]), (&true.into(), &1.into()));
}

#[test]
fn functions_that_are_new_or_gone_are_named_with_their_cost_in_every_format() {
    let (base, new) = pair("clean");
    let function = |name: &str, calls: u64, own: u64, inclusive: u64, waiting: bool| json!({ "name": name, "file": "/srv/a.php", "self": own, "inclusive": inclusive, "calls": calls, "allocation": 0, "waiting": waiting });
    let profile = |functions: Vec<Value>| json!({ "files": [], "records": 1, "complete": true, "recovered_share": 1.0, "top": [], "messages": 100, "total_ns": 50_000_000, "functions": functions });
    base.edit(|r| {
        r["profile"] =
            profile(vec![function("A->put", 100, 1000, 38_000, false), function("A->old", 170, 5, 5, false)]);
    });
    new.edit(|r| {
        elsewhere(r);
        r["profile"] = profile(vec![
            function("A->put", 100, 1000, 39_400_000, false),
            function("php::usleep", 100, 20_000_000, 20_000_000, true),
            function("A->loop", 33, 10, 10, false),
        ]);
    });
    let (said, json) = compared(&base, &new, 1);
    let names = |key: &str| -> Vec<String> {
        json[key].as_array().expect(key).iter().map(|f| f["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("functions"), ["php::usleep"]);
    assert_eq!(names("new_functions"), ["php::usleep", "A->loop"]);
    assert_eq!(names("gone_functions"), ["A->old"]);
    assert_eq!(names("function_times"), ["A->put"]);
    assert!(
        said.contains("php::usleep  1 call per message, 200 µs of its own, 200 µs with all that it calls, waits"),
        "{said}"
    );
    assert_eq!(said.matches("php::usleep").count(), 1, "listed once: {said}");
    assert!(said.contains("time         A->put  0 -> 394 µs per message"), "{said}");
    let paths = [base.folder.as_path(), new.folder.as_path()];
    let markdown = text(&profile_run(&["compare", "--format", "markdown"], &paths));
    assert!(
        markdown.starts_with(
            "**compare** · Worse than the baseline: the calls of `php::usleep` per message went from 0 to 1."
        ),
        "{markdown}"
    );
    assert!(markdown.contains("- Differs: kernel: ") && markdown.contains("| `A->loop` | 0.33 |"), "{markdown}");
    let page = base.folder.join("comparison.html");
    let wanted = ["compare", "--format", "html", "-o", page.to_str().expect("a path")];
    assert_eq!(profile_run(&wanted, &paths).status.code(), Some(1));
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("<section class=\"verdict leak\""));
    for part in
        ["<b>Differs</b> kernel: ", "<h3>Growth</h3>", "<h3>New functions</h3>", "<h3>Functions that are gone</h3>"]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn of_few_messages_no_function_is_called_new_or_gone() {
    let profile = |messages: u64, names: &[(&str, u64)]| {
        let function = |(name, calls): &(&str, u64)| json!({ "name": name, "file": "/srv/a.php", "self": 9000, "inclusive": 9000, "calls": calls, "allocation": 0, "waiting": false });
        let functions: Vec<Value> = names.iter().map(function).collect();
        json!({ "files": [], "records": 1, "complete": true, "recovered_share": 1.0, "top": [], "messages": messages, "total_ns": 50_000, "functions": functions })
    };
    for (was, is, few) in [(49, 200, true), (200, 10, true), (1, 1, true), (50, 50, false)] {
        let (base, new) = pair("clean");
        base.edit(|r| r["profile"] = profile(was, &[("A->put", was), ("A->old", 2 * was), ("A->once", 1)]));
        new.edit(|r| {
            elsewhere(r);
            r["profile"] = profile(is, &[("A->put", 2 * is), ("A->refused", is), ("A->collect", 1)]);
        });
        let (said, json) = compared(&base, &new, if few { 0 } else { 1 });
        for list in ["functions", "new_functions", "gone_functions", "function_times"] {
            let empty = json[list].as_array().expect(list).is_empty();
            assert!(empty == few || list == "function_times", "{was} and {is}: {list}");
        }
        let reason = format!("not compared: the profiles hold {was} and {is} message");
        assert_eq!(said.contains(&reason), few, "{said}");
        assert_eq!(json.get("few_messages"), few.then(|| json!([was, is])).as_ref());
        assert_eq!(said.contains("A->collect") && said.contains("not judged"), !few, "{said}");
        let paths = [base.folder.as_path(), new.folder.as_path()];
        for format in ["markdown", "html"] {
            assert_eq!(text(&profile_run(&["compare", "--format", format], &paths)).contains(&reason), few, "{format}");
        }
    }
}

#[test]
fn a_new_leak_is_named_with_its_holder_by_page_summary_and_comparison() {
    let (base, leak) = (Recorded::run("clean"), Recorded::run("leak"));
    base.report();
    assert!(profile_run(&["report", "--baseline"], &[&base.folder, &leak.folder]).status.success());
    let result = leak.result();
    let worse = |g: &&Value| g["change"] == "worse" && g["metric"] == "heap";
    let holder =
        result["baseline"]["growth"].as_array().expect("growth").iter().find(worse).expect("heap")["holder"].clone();
    assert!(holder.as_str().expect("a holder").ends_with("SessionFault}->sessions[]"), "{holder}");
    let read = |file: &str| std::fs::read_to_string(leak.folder.join(file)).expect("a report");
    assert!(read("report.html").contains("<h2>Compared with the baseline</h2>"));
    assert!(read("summary.md").contains("<details><summary>Compared with the baseline</summary>"));
    // From the page alone, as from the folder.
    let pages = [&base, &leak].map(|run| run.folder.join("report.html"));
    let output = profile_run(&["compare"], &[&pages[0], &pages[1]]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

#[test]
fn a_result_of_a_later_version_is_not_guessed_at() {
    let (base, new) = pair("clean");
    let path = new.folder.join("result.json");
    let mut result: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    result["schema"] = json!(99);
    // What it has become in the meantime is not known either.
    result["findings"] = json!({ "by": "scenario" });
    std::fs::write(&path, result.to_string()).unwrap();
    let said = profile_run(&["compare"], &[&base.folder, &path]);
    assert_eq!(said.status.code(), Some(2), "{}", text(&said));
    assert!(
        text(&said).contains("schema 99") && text(&said).contains("use the version that wrote it"),
        "{}",
        text(&said)
    );
}
