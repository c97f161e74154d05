//! Settings that mean nothing: each is refused with exit code 2, before anything is started.

use std::fs;

use super::support::{Count, Place, text, words};

/// Every bound of `[verdict]` by its table, with its default.
fn bounds() -> Vec<(String, String, serde_json::Value)> {
    let all = serde_json::to_value(profile_run::verdict::Bounds::default()).unwrap();
    let tables = all.as_object().unwrap().iter();
    tables
        .flat_map(|(table, keys)| {
            keys.as_object().unwrap().iter().map(move |(key, value)| (table.clone(), key.clone(), value.clone()))
        })
        .collect()
}

/// The numbers of a value in order, lists opened.
fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(numbers).collect(),
        None => value.as_f64().into_iter().collect(),
    }
}

fn refused(config: &str, options: &[&str]) -> Result<(), String> {
    let place = Place::new();
    if !config.is_empty() {
        fs::write(place.path().join("profile-run.toml"), config).unwrap();
    }
    let output = place.run(options, &words(&["true"]));
    match output.status.code() {
        Some(2) if !place.out().exists() => Ok(()),
        code => Err(format!("exit {code:?}: {}", text(&output))),
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let mut count = Count::new("settings");
    for (table, key, _) in bounds() {
        for value in ["inf", "-inf", "nan", "-1", "\"much\""] {
            let config = format!("[verdict.{table}]\n{key} = {value}\n");
            count.take(&config.replace('\n', " "), refused(&config, &[]));
        }
        let config = format!("[verdict.{table}]\n{key}x = 1\n");
        count.take(&config.replace('\n', " "), refused(&config, &[]));
    }
    let accept = |metric: &str, limit: &str, expires: &str| {
        format!("[[accept]]\nmetric = {metric}\nlimit = {limit}\nreason = \"\"\nexpires = {expires}\n")
    };
    let day = "\"2027-01-01\"";
    for config in [
        accept("\"heep\"", "1", day),
        accept("\"\"", "1", day),
        accept("\"heap\"", "inf", day),
        accept("\"heap\"", "nan", day),
        accept("\"heap\"", "-1", day),
        accept("\"heap\"", "1", "\"tomorrow\""),
        accept("\"heap\"", "1", "\"2027-02-30\""),
        accept("\"heap\"", "1", "\"\""),
        "[[accept]]\nmetric = \"heap\"\n".to_owned(),
        "[[threshold]]\nfigure = \"p99_ms\"\n".to_owned(),
        "[[threshold]]\nfigure = \"p98_ms\"\nmost = 1\n".to_owned(),
        "[[threshold]]\nfigure = \"p99_ms\"\nscenario = \"chrun\"\nmost = 1\n".to_owned(),
        "[[threshold]]\nfigure = \"p99_ms\"\nmost = inf\n".to_owned(),
        "[[threshold]]\nfigure = \"p99_ms\"\nmost = nan\n".to_owned(),
        "[[threshold]]\nfigure = \"p99_ms\"\nleast = -1\n".to_owned(),
        "[[threshold]]\nfigure = \"rss_peak\"\nscenario = \"churn\"\nmost = 1\n".to_owned(),
        "[verdict.waves]\nleast = 0\n".to_owned(),
        "[verdict.waves]\nagree = 0\n".to_owned(),
        "[verdikt]\n".to_owned(),
        "[thresholds]\n".to_owned(),
        "[scenario.mine]\nlike = \"chrun\"\n".to_owned(),
        "[scenario.mine]\nmesages = 5\n".to_owned(),
        "[profile]\nwating = []\n".to_owned(),
        "not a table".to_owned(),
    ] {
        count.take(&config.replace('\n', " "), refused(&config, &[]));
    }
    for options in [
        &["--fail-on", ""][..],
        &["--fail-on", "leak,"],
        &["--fail-on", "leek"],
        &["--scale", "1e308"],
        &["--scale", "1e9"],
        &["--scale", "inf"],
        &["--scale", "nan"],
        &["--scale", "0"],
        &["--scale", "-1"],
        &["--budget", "1e19"],
        &["--budget", "nan"],
        &["--budget", "soon"],
        &["--ready-timeout", "1e19"],
        &["--stall-timeout", "-1s"],
        &["--load", "chrun"],
        &["--load", ""],
        &["--passes", "prof"],
        &["--passes", ""],
        &["--waves", "0"],
        &["--seed", "-1"],
        &["--engine", "none"],
        &["--auth", "nobody"],
        &["--env", "=x"],
        &["--config", "nowhere.toml"],
        &["--cwd", "nowhere"],
    ] {
        count.take(&options.join(" "), refused("", options));
    }
    count.end();
}

/// The page that names every table and key.
const PAGE: &str = include_str!("../../docs/configuration.md");

#[test]
fn the_page_of_the_configuration_names_every_key_and_its_examples_are_read() {
    for (table, key, default) in bounds() {
        let heading = format!("### `[verdict.{table}]`");
        let section =
            PAGE.split("\n### ").find(|section| heading.ends_with(section.lines().next().unwrap_or_default()));
        let section = section.unwrap_or_else(|| panic!("docs/configuration.md has no {heading}"));
        let row = section.split(&format!("| `{key}` | ")).nth(1);
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md: {heading} does not name `{key}`"));
        let shown = serde_json::from_str(row.split(" |").next().unwrap_or_default()).ok();
        assert_eq!(shown.as_ref().map(numbers), Some(numbers(&default)), "docs/configuration.md: {heading} `{key}`");
    }
    let examples = PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    for example in examples {
        let place = Place::new();
        fs::write(place.path().join("profile-run.toml"), example).unwrap();
        let output = place.run(&["--load", "smoke"], &words(&["true"]));
        // It is read: what fails then is the server.
        assert_eq!(output.status.code(), Some(3), "{example}\n{}", text(&output));
    }
    // A key that the page does not have is one that the program does not know, and says so with those that it does.
    for (table, shown) in
        [("[[accept]]", "[[accept]]"), ("[[threshold]]", "[[threshold]]"), ("[scenario.x]", "[scenario.NAME]")]
    {
        let place = Place::new();
        fs::write(place.path().join("profile-run.toml"), format!("{table}\nno-such-key = 1\n")).unwrap();
        let said = text(&place.run(&[], &words(&["true"])));
        let keys = said.split("expected one of").nth(1).unwrap_or_else(|| panic!("{said}"));
        for key in keys.lines().next().unwrap_or_default().split('`').skip(1).step_by(2) {
            assert!(PAGE.contains(&format!("| `{key}` |")), "docs/configuration.md: {shown} does not name `{key}`");
        }
    }
}

#[test]
fn doctor_looks_at_script_port_and_room() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let doctor = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_profile-run"));
        let output = command.arg("doctor").args(more).current_dir(place.path()).output().unwrap();
        (output.status.code(), text(&output))
    };
    let (code, said) = doctor(&["--target", &target, "--", "php", "nowhere.php"]);
    assert_eq!(code, Some(2), "{said}");
    for part in ["there is no nowhere.php", "answers already", "of disk free", "of memory available"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    fs::write(place.path().join("serve.php"), "<?php").unwrap();
    drop(listener);
    // A run would not write into what is there.
    let (code, said) = doctor(&["--out", ".", "--", "php", "serve.php"]);
    assert!(code == Some(2) && said.contains("is not an empty folder"), "{said}");
    let (code, said) = doctor(&["--target", &target, "--", "php", "serve.php"]);
    // It is started too, and this one ends at once.
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("serve.php is there") && said.contains("is free"), "{said}");
    assert!(said.contains("ended before it greeted"), "{said}");
}

#[test]
fn standard_error_that_nobody_reads_ends_nothing() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = place.command(&["--json"], &words(&["no-such-program-anywhere"]));
    let status = command.stderr(writer).stdout(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}
