//! The differential flamegraph as `compare` and `report --baseline` write it, of profiles that were written by hand.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::recorded::{Recorded, profile_run, text};

/// A call: its function, nanoseconds of its own, what it called.
struct Call(&'static str, i64, Vec<Call>);

/// A file of Xdebug's of these calls; `@` in a name stands for the folder of the project.
struct Written {
    text: String,
    names: Vec<String>,
    seen: HashSet<usize>,
    root: &'static str,
}

impl Written {
    fn of(main: &Call, root: &'static str) -> String {
        let text = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\n";
        let mut written = Written { text: text.to_owned(), names: Vec::new(), seen: HashSet::new(), root };
        let total = written.call(main);
        let _ = write!(written.text, "summary: {total} 0\n\n");
        written.text
    }

    fn function(&mut self, prefix: &str, name: &str) {
        let name = name.replace('@', self.root);
        let id = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        });
        let word = if self.seen.insert(id) { format!(" {name}") } else { String::new() };
        let _ = writeln!(self.text, "{prefix}=({}){word}", id + 1);
    }

    /// Writes a call behind those that it made, and gives back its ticks.
    fn call(&mut self, Call(name, own, calls): &Call) -> i64 {
        let ticks: Vec<i64> = calls.iter().map(|call| self.call(call)).collect();
        self.text.push_str("fl=(1) /srv/a.php\n");
        self.function("fn", name);
        let _ = writeln!(self.text, "1 {} 0", own / 10);
        for (Call(name, ..), ticks) in calls.iter().zip(&ticks) {
            self.text.push_str("cfl=(1)\n");
            self.function("cfn", name);
            let _ = writeln!(self.text, "calls=1 0 0\n2 {ticks} 0");
        }
        self.text.push('\n');
        own / 10 + ticks.iter().sum::<i64>()
    }
}

/// A recorded run with a profile of so many messages.
fn profiled(messages: u64, root: &'static str, message: impl Fn() -> Vec<Call>) -> Recorded {
    let run = Recorded::run("clean");
    let main = Call("{main}", 1000, (0..messages).map(|_| Call("Server->serve", 2000, message())).collect());
    fs::create_dir(run.folder.join("profile")).expect("a folder");
    fs::write(run.folder.join("profile/cachegrind.out.7"), Written::of(&main, root)).expect("a profile");
    let path = run.folder.join("journal.jsonl");
    let journal = fs::read_to_string(&path).expect("a journal");
    let (before, end) = journal.trim_end().rsplit_once('\n').expect("lines");
    let event =
        json!({ "event": "profiled", "files": ["cachegrind.out.7"], "bytes": 1, "messages": messages, "t": 36.5 });
    fs::write(&path, format!("{before}\n{event}\n{end}\n")).expect("a journal");
    run.report();
    run
}

fn pair() -> (Recorded, Recorded) {
    let put = || Call("Mailbox->put", 10_000, Vec::new());
    let base = profiled(100, "/srv/app", || {
        vec![put(), Call("{closure:@/src/Mail.php:3-5}", 5000, Vec::new()), Call("Mailbox->old", 4000, Vec::new())]
    });
    let new = profiled(200, "/tmp/other/app", || {
        vec![
            put(),
            put(),
            Call("{closure:@/src/Mail.php:9-11}", 5000, Vec::new()),
            Call("Mailbox->new", 40_000, Vec::new()),
        ]
    });
    (base, new)
}

/// The data of the graph in a page, where there is one.
fn data(page: &str) -> Option<Value> {
    let (_, data) = page.split_once("id=\"difference-data\">")?;
    Some(serde_json::from_str(data.split_once("</script>")?.0).expect("JSON"))
}

/// By name of each frame of the first graph: what became of it, what of its calls, and calls and own cost then and now.
fn frames(data: &Value) -> Vec<(String, String, String, [u64; 4])> {
    let figures = &data["difference"]["figures"][0];
    let letter = |key: &str, at: usize| figures[key].as_str().expect(key)[at..=at].to_owned();
    let frames = data["graphs"][0]["frames"].as_array().expect("frames");
    let name = |id: &Value| data["names"][id.as_u64().expect("a number") as usize].as_str().expect("a name").to_owned();
    let both = |at: usize, part: usize| figures["both"][at * 6 + part].as_u64().expect("a figure");
    let frame = |(at, frame): (usize, &[Value])| {
        (name(&frame[1]), letter("changes", at), letter("calls", at), [0, 1, 2, 3].map(|part| both(at, part)))
    };
    frames.chunks(4).enumerate().map(frame).collect()
}

fn compared(base: &Path, new: &Path) -> String {
    text(&profile_run(&["compare", "--format", "html"], &[base, new]))
}

#[test]
fn two_runs_are_one_graph_exact_in_calls_and_for_each_message() {
    let (base, new) = pair();
    let page = compared(&base.folder, &new.folder);
    let data = data(&page).expect("a graph");
    assert_eq!((&data["difference"]["per"], &data["difference"]["work"]), (&json!("message"), &json!([100, 200])));
    let of = |name: &str, change: &str, calls: &str, figures| (name.to_owned(), change.into(), calls.into(), figures);
    assert_eq!(
        frames(&data),
        [
            of("{main}", "0", "?", [1, 1, 1000, 1000]),
            of("Server->serve", "0", "=", [100, 200, 200_000, 400_000]),
            of("Mailbox->new", "n", "+", [0, 200, 0, 8_000_000]),
            of("Mailbox->old", "g", "-", [100, 0, 400_000, 0]),
            of("Mailbox->put", "3", "+", [100, 400, 1_000_000, 4_000_000]),
            // Elsewhere, and on other lines of the file.
            of("{closure:app/src/Mail.php}", "0", "=", [100, 200, 500_000, 1_000_000]),
        ]
    );
    // The same in the report of a run with a baseline.
    assert!(profile_run(&["report", "--baseline"], &[&base.folder, &new.folder]).status.success());
    let report = fs::read_to_string(new.folder.join("report.html")).expect("a report");
    assert_eq!(self::data(&report), Some(data));
    // A run against itself differs in nothing.
    let same = self::data(&compared(&new.folder, &new.folder)).expect("a graph");
    assert!(frames(&same).iter().all(|(_, change, _, [was, is, own, now])| change == "0" && was == is && own == now));
}

#[test]
fn a_result_in_its_folder_has_the_folders_profile_and_one_alone_has_none() {
    let (base, new) = pair();
    let beside = compared(&base.folder.join("result.json"), &new.folder.join("report.html"));
    assert!(data(&beside).is_some(), "its folder is there");
    let alone = tempfile::tempdir().expect("a folder");
    for file in ["result.json", "report.html"] {
        let moved = alone.path().join(file);
        fs::copy(base.folder.join(file), &moved).expect("a copy");
        let page = compared(&moved, &new.folder);
        assert!(data(&page).is_none());
        assert!(page.contains("Not drawn: of the base run only the result is there"), "{file}");
        assert!(page.contains("<h3>New functions</h3>"), "the tables are there");
        let page = compared(&new.folder, &moved);
        assert!(page.contains("Not drawn: of the new run only the result is there"), "{file}");
    }
    // Where another run's journal lies beside it, that is not its profile.
    fs::copy(new.folder.join("result.json"), alone.path().join("result.json")).expect("a copy");
    let other = Recorded::run("leak");
    fs::copy(alone.path().join("result.json"), other.folder.join("result.json")).expect("a copy");
    assert!(compared(&other.folder.join("result.json"), &new.folder).contains("only the result is there"));
    // Its files were taken away, or there never were any.
    fs::remove_dir_all(base.folder.join("profile")).expect("a folder");
    let page = compared(&base.folder, &new.folder);
    assert!(page.contains("Not drawn: the profile of the base run cannot be read any more"), "{page}");
    let none = Recorded::run("clean");
    none.report();
    assert!(compared(&new.folder, &none.folder).contains("Not drawn: the new run has no profile"));
}

#[test]
fn conditions_that_differ_stand_above_the_graph() {
    let (base, new) = pair();
    new.edit(|result| result["target"]["versions"]["php"] = json!("9.0.0"));
    let page = compared(&base.folder, &new.folder);
    let (above, _) = page.split_once("Differential flamegraph").expect("a graph");
    assert!(above.contains("<b>Differs</b> PHP: "), "{above}");
    assert!(data(&page).is_some());
}
