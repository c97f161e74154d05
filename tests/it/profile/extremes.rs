//! Profiles that no picture and no format has room for: recursion by the thousand, costs below zero, costs of more digits
//! than readers keep, metrics that are not there. Nothing may be left out without a word.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::chromium::{Browser, Screen};

const HEADER: &str = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                      events: Time_(10ns) Memory_(bytes)\n\n";

/// `step` calls itself so many times deep, and then `leaf`.
pub(super) fn recursion(levels: usize) -> String {
    let mut text = format!("{HEADER}fl=(1) /srv/a.php\nfn=(2) leaf\n3 1000 8\n\n");
    let mut inclusive = 1000;
    for level in 0..levels {
        let name = if level == 0 { "(1) step" } else { "(1)" };
        let callee = if level == 0 { 2 } else { 1 };
        let _ = write!(text, "fl=(1)\nfn={name}\n3 5 8\ncfl=(1)\ncfn=({callee})\ncalls=1 0 0\n3 {inclusive} 0\n\n");
        inclusive += 5;
    }
    let _ = write!(text, "summary: {inclusive} 0\n\n");
    text
}

fn put(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("cachegrind.out.1");
    std::fs::write(&path, text).unwrap();
    path
}

fn analyze(path: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .arg("analyze")
        .args(arguments)
        .arg(path)
        .output()
        .expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What was written, of a run that succeeded.
fn written(path: &Path, arguments: &[&str]) -> (Vec<u8>, String) {
    let output = analyze(path, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    let said = said(&output);
    (output.stdout, said)
}

#[test]
fn every_format_of_a_deep_recursion_is_small_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &recursion(300_000));
    for format in ["html", "json", "callgrind", "speedscope"] {
        let (bytes, _) = written(&path, &["--format", format]);
        assert!(bytes.len() < 40_000_000, "{format}: {}", bytes.len());
        if format == "speedscope" {
            let file: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(file["profiles"][0]["type"], "evented");
            assert_eq!(file["profiles"][0]["events"].as_array().map(Vec::len), Some(2 * 300_001));
            assert_eq!(file["profiles"][0]["endValue"], 10 * (1000 + 5 * 300_000));
        }
    }
    let mut asked = vec![];
    for format in ["folded", "pprof"] {
        let output = analyze(&path, &["--format", format]);
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{format}");
        let said = said(&output);
        for part in ["GiB", "300,001 paths of up to 300,001 levels", "--format html, speedscope", "--max-output"] {
            assert!(said.contains(part), "{format}: {part} in {said}");
        }
        asked.push(said);
    }
    assert_ne!(asked[0], asked[1]);
    // The bound is the user's.
    let path = put(&folder, &recursion(300));
    assert_eq!(analyze(&path, &["--format", "folded", "--max-output", "100kB"]).status.code(), Some(2));
    let (bytes, _) = written(&path, &["--format", "folded", "--max-output", "300kB"]);
    assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 301);
}

#[test]
fn the_page_of_a_deep_recursion_says_what_it_does_not_draw() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &recursion(3000));
    let (html, _) = written(&path, &["--format", "html"]);
    let html = String::from_utf8(html).unwrap();
    assert!(html.contains("At most 250 levels are drawn"), "the note says it");
    let Some(mut browser) = Browser::start() else { return };
    let page = folder.path().join("page.html");
    std::fs::write(&page, html).unwrap();
    let mut page = browser.open(&page, Screen::wide(1280));
    let texts = page.eval("[...document.querySelectorAll('#flame text')].map((text) => text.textContent)");
    let texts: Vec<&str> = texts.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let bars: Vec<&&str> = texts.iter().filter(|text| text.contains("not drawn")).collect();
    assert!(texts.len() == 251 && bars.len() == 1, "{} {bars:?}", texts.len());
    assert!(bars[0].starts_with("2,751 levels deeper are not drawn, "), "{bars:?}");
    let found = page.eval(
        "(() => { const search = document.querySelector('#flame-search'); search.value = 'leaf';
          search.dispatchEvent(new Event('input')); return document.querySelector('#flame-aside').textContent; })()",
    );
    assert_eq!(found, "1 function that is not drawn matches: 6.25%");
}

#[test]
fn frames_too_narrow_for_the_screen_stand_as_one_grey_bar() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = HEADER.to_owned();
    let mut claims = String::new();
    for at in 1..=2000 {
        let _ = write!(text, "fl=({at}) /srv/a.php\nfn=({at}) f{at}\n3 10 0\n\n");
        let _ = write!(claims, "cfl=({at})\ncfn=({at})\ncalls=1 0 0\n3 10 0\n");
    }
    let _ = write!(text, "fl=(1)\nfn=(9999) main\n1 20000 0\n{claims}\nsummary: 40000 0\n\n");
    let path = put(&folder, &text);
    let (html, _) = written(&path, &["--format", "html"]);
    let Some(mut browser) = Browser::start() else { return };
    let page = folder.path().join("page.html");
    std::fs::write(&page, html).unwrap();
    let mut page = browser.open(&page, Screen::wide(1280));
    let texts = page.eval("[...document.querySelectorAll('#flame text')].map((text) => text.textContent)");
    assert_eq!(texts, serde_json::json!(["main", "Not drawn one by one, 50.0%"]));
    // Each of them is a frame of the page, as whoever zooms will see.
    assert!(
        page.eval("document.querySelector('#flame-figures').textContent").as_str().unwrap().contains("2,001 frames")
    );
}

#[test]
fn by_function_is_never_empty_and_the_search_knows_what_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = HEADER.to_owned();
    let mut claims = String::new();
    for at in 1..=12_000 {
        let _ = write!(text, "fl=({at}) /srv/a.php\nfn=({at}) f{at}\n3 10 {at}\n\n");
        let _ = write!(claims, "cfl=({at})\ncfn=({at})\ncalls=1 0 0\n3 10 0\n");
    }
    let _ = write!(text, "fl=(1)\nfn=(99999) main\n1 0 0\n{claims}\nsummary: 120000 0\n\n");
    let path = put(&folder, &text);
    let (html, _) = written(&path, &["--format", "html", "--metric", "allocation"]);
    let Some(mut browser) = Browser::start() else { return };
    let page = folder.path().join("page.html");
    std::fs::write(&page, html).unwrap();
    let mut page = browser.open(&page, Screen::wide(1280));
    let pressed = "document.querySelector('button[data-set=cost][data-value=allocation]').getAttribute('aria-pressed')";
    assert_eq!(page.eval(pressed), "true", "--metric is what the page opens with");
    let search = |text: &str| {
        format!(
            "(() => {{ const search = document.querySelector('#flame-search'); search.value = '{text}';
               search.dispatchEvent(new Event('input')); return document.querySelector('#flame-aside').textContent; }})()"
        )
    };
    let bars = "[...document.querySelectorAll('#flame text')].map((text) => text.textContent)";
    let press = |set: &str, value: &str| {
        format!("document.querySelector('button[data-set={set}][data-value={value}]').click()")
    };
    page.eval(&press("cost", "time"));
    page.eval(&press("order", "function"));
    assert_eq!(page.eval(bars), serde_json::json!(["Not drawn one by one, 100.0%"]));
    let unknown = "9,601 more that are not drawn are not searched";
    assert_eq!(page.eval(&search("f1000")), format!("11 functions that are not drawn match: 0.09%; {unknown}"));
    assert!(page.eval(&search("nothing")).as_str().unwrap().ends_with(&format!("0.00% of wall time; {unknown}")));
}

#[test]
fn costs_below_zero_are_in_every_format_and_said() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/xdebug/negative-memory.out");
    let (bytes, told) = written(&path, &["--format", "speedscope", "--metric", "allocation"]);
    assert!(told.contains("-400 of Memory in 1 path are below zero") && told.contains("second profile"), "{told}");
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(file["profiles"][1]["name"].as_str().unwrap().ends_with("negative-memory.out: below zero"));
    assert_eq!(file["profiles"][1]["weights"], serde_json::json!([400]));
    for format in ["folded", "pprof"] {
        let (_, told) = written(&path, &["--format", format, "--metric", "allocation"]);
        assert!(told.contains("with their sign"), "{format}: {told}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/callgrind/difference.out");
    let (bytes, _) = written(&path, &["--format", "html"]);
    let html = String::from_utf8(bytes).unwrap();
    assert!(html.contains("sums up to 300; in it are 200 below zero"), "the page says it");
}

#[test]
fn costs_of_more_digits_than_readers_keep_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let callgrind = |cost: u64| {
        format!("# callgrind format\nversion: 1\ncreator: a\nevents: Ir\n\nfl=a\nfn=f\n1 {cost}\n\ntotals: {cost}\n")
    };
    let (below, above) = (callgrind((1 << 53) - 1), callgrind((1 << 53) + 1));
    for (text, rounded) in [(&below, false), (&above, true)] {
        let path = put(&folder, text);
        for format in ["json", "speedscope"] {
            let (bytes, told) = written(&path, &["--format", format]);
            assert_eq!(told.contains("9,007,199,254,740,992 (2^53) or more"), rounded, "{format}: {told}");
            let whole = if rounded { "9007199254740993" } else { "9007199254740991" };
            assert!(String::from_utf8(bytes).unwrap().contains(whole), "{format}");
        }
        let (html, _) = written(&path, &["--format", "html"]);
        let html = String::from_utf8(html).unwrap();
        assert_eq!(html.contains("to 15 digits"), rounded);
        let Some(mut browser) = Browser::start() else { return };
        let page = folder.path().join("page.html");
        std::fs::write(&page, html).unwrap();
        let mut page = browser.open(&page, Screen::wide(1280));
        let figures = page.eval("document.querySelector('#flame-figures').textContent");
        let figures = figures.as_str().unwrap();
        let wanted = if rounded { "about 9,007,199,254,740,990 Ir" } else { "9,007,199,254,740,991 Ir" };
        assert!(figures.starts_with(wanted), "{figures}");
    }
}

#[test]
fn a_metric_that_is_not_there_is_refused_and_one_without_cost_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let timed = HEADER.replace(" Memory_(bytes)", "") + "fl=(1) a.php\nfn=(1) f\n1 5\n\nsummary: 5\n\n";
    let both = HEADER.to_owned() + "fl=(1) a.php\nfn=(1) f\n1 5 0\n\nsummary: 5 0\n\n";
    let costs = HEADER.to_owned() + "fl=(1) a.php\nfn=(1) f\n1 5 30\n\nfl=(1)\nfn=(2) g\n1 9 7\n\nsummary: 14 37\n\n";
    for format in ["html", "json", "folded", "speedscope", "pprof"] {
        let path = put(&folder, &timed);
        for (metric, held) in [("allocation", "Time_(10ns)"), ("Memory_(bytes)", "Time_(10ns)"), ("Ir", "Time_(10ns)")]
        {
            let output = analyze(&path, &["--format", format, "--metric", metric]);
            assert_eq!(output.status.code(), Some(2), "{format}");
            assert!(
                said(&output).contains(&format!("no {metric} in these files: they hold {held}")),
                "{}",
                said(&output)
            );
        }
        let path = put(&folder, &both);
        let (_, told) = written(&path, &["--format", format, "--metric", "allocation"]);
        let without = "no call has any cost of Memory_(bytes); the files hold Time_(10ns), Memory_(bytes)";
        assert_eq!(told.contains(without), format != "html", "{format}: {told}");
    }
    let path = put(&folder, &costs);
    let json = |metric: &str| -> Value {
        let (bytes, _) = written(&path, &["--format", "json", "--metric", metric]);
        serde_json::from_slice::<Value>(&bytes).unwrap()["profile"].clone()
    };
    let (time, allocation) = (json("time"), json("allocation"));
    assert_eq!(
        (&time["metric"], &time["total"], &time["top"][0]["self"]),
        (&"Time_(10ns)".into(), &14.into(), &9.into())
    );
    assert_eq!(
        (&allocation["metric"], &allocation["total"], &allocation["top"][0]["self"]),
        (&"Memory_(bytes)".into(), &37.into(), &30.into())
    );
    assert_eq!(allocation["events"], time["events"]);
    assert_eq!(allocation["nanoseconds_per_tick"], Value::Null);
    assert_eq!(json("Memory_(bytes)"), allocation, "by the event's own name");
}

/// `first` is called so many times, then `second` as often.
fn halves(calls: usize) -> String {
    let mut text = HEADER.to_owned();
    let mut claims = String::new();
    for at in 0..2 * calls {
        let (id, name) = if at < calls { (1, "first") } else { (2, "second") };
        let name = if at % calls == 0 { format!("({id}) {name}") } else { format!("({id})") };
        let file = if at == 0 { "(1) /srv/a.php" } else { "(1)" };
        let _ = write!(text, "fl={file}\nfn={name}\n3 10 0\n\n");
        let _ = write!(claims, "cfl=(1)\ncfn=({id})\ncalls=1 0 0\n3 10 0\n");
    }
    let total = 20 * calls + 7;
    let _ = write!(text, "fl=(1)\nfn=(3) main\n1 7 0\n{claims}\nsummary: {total} 0\n\n");
    text
}

#[test]
fn a_part_is_as_fine_as_the_records_and_says_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let calls = |path: &Path, part: &str| {
        let (bytes, told) = written(path, &["--format", "json", "--part", part]);
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        let rows = json["profile"]["functions"].as_array().unwrap().clone();
        let of =
            |name: &str| rows.iter().find(|row| row["name"] == name).map_or(0, |row| row["calls"].as_u64().unwrap());
        ([of("first"), of("second")], told)
    };
    // 101 calls, the last one is main: a percent is a call.
    let path = put(&folder, &halves(50));
    assert_eq!(calls(&path, "0-2").0, [2, 0]);
    assert_eq!(calls(&path, "48-52").0, [2, 3]);
    let (few, told) = calls(&path, "0-0.1");
    assert_eq!(few, [1, 0], "never none");
    assert!(told.contains("shown are the calls from 0-0.99 percent of the recording"), "{told}");
    // Deep trees of many paths have parts as small.
    let path = put(&folder, &recursion(20_000));
    let (bytes, told) = written(&path, &["--format", "json", "--part", "50-51"]);
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    let step =
        json["profile"]["functions"].as_array().unwrap().iter().find(|row| row["name"] == "step").unwrap().clone();
    let count = step["calls"].as_u64().unwrap();
    assert!((120..=280).contains(&count), "{count}: {told}");
}

#[test]
fn messages_of_the_whole_recording_are_not_those_of_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &halves(500));
    let profile = |arguments: &[&str]| -> (Value, String) {
        let arguments = [&["--format", "json", "--messages", "500"], arguments].concat();
        let (bytes, told) = written(&path, &arguments);
        (serde_json::from_slice::<Value>(&bytes).unwrap()["profile"].clone(), told)
    };
    let (whole, told) = profile(&[]);
    assert!(whole["functions"][0]["calls_per_message"] == 1.0 && !told.contains("--messages"), "{told}");
    let (part, told) = profile(&["--part", "0-25"]);
    assert_eq!((&part["functions"][0]["calls_per_message"], &part["messages"]), (&Value::Null, &0.into()));
    assert!(told.contains("calls per message are left out"), "{told}");
}

#[test]
fn a_name_of_white_space_costs_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["work\u{a0}", "\u{3000}work\u{3000}", "work ", "work\t", " ", "\u{a0}\u{a0}"] {
        let text = format!(
            "{HEADER}fl=(1) /srv/a.php\nfn=(1) {name}\n3 1000 8\n\nfl=(1)\nfn=(2) {{main}}\n1 50 0\ncfl=(1)\ncfn=(1)\n\
             calls=1 0 0\n3 1000 0\n\nsummary: 1050 0\n\n"
        );
        let path = put(&folder, &text);
        let page = folder.path().join("page.html");
        let output = analyze(&path, &["--format", "html", "-o", page.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{name:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read_to_string(&page).unwrap().contains("flame-static"), "{name:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_looked_into_takes_nothing_from_its_neighbours() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    put(&folder, &recursion(3));
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    command.args(["analyze", "--format", "json"]).arg(folder.path());
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(65_534).gid(65_534);
    }
    let output = command.output();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
