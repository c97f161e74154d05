//! Each dialect's handwritten file gives the sums of its lines, worked out by hand.

use std::path::Path;

use super::{analyze, fixture, fixtures, gzip, object, put};

/// Object, file, name, self, inclusive, calls.
type Row = (&'static str, &'static str, &'static str, i64, i64, u64);

struct Case {
    name: &'static str,
    dialect: &'static str,
    rows: &'static [Row],
    /// What stands in one of its warnings.
    said: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "valgrind-0.10",
        dialect: "callgrind",
        // The line behind `jump=` is no cost, and neither `summary:` nor `totals:` fits.
        rows: &[
            ("[undefined (8)]", "lib.c", "helper", 4_294_967_000 + 300, 4_294_967_300, 2),
            ("/opt/old", "old.c", "main", 4_294_967_296, 4_294_967_296 + 4_294_967_300, 0),
            ("", "", "(below main)", 4, 4, 0),
        ],
        said: "declares 8589934601",
    },
    Case {
        name: "pprof",
        dialect: "callgrind",
        // Calls are not counted, and the callee's object is left out.
        rows: &[
            ("/srv/app", "/src/work.go", "main.(*Pool).run", 30 + 20, 90, 0),
            ("/lib/libc.so.6", "/lib/libc.so.6", "memmove [1/2]", 40, 40, 0),
            ("/srv/app", "/usr/local/go/src/runtime/proc.go", "runtime.mcall", 10, 10, 0),
            ("/srv/app", "/src/main.go", "main.main", 0, 100, 0),
        ],
        said: "",
    },
    Case {
        name: "ruby-prof",
        dialect: "callgrind",
        rows: &[
            ("", "/srv/app.rb", "Tree::walk'2", 30, 30, 2),
            ("", "ruby_runtime", "Hash::[]=", 12, 12, 3),
            ("", "/srv/app.rb", "Tree::walk", 10, 40, 1),
            ("", "/srv/app.rb", "Object::main", 5, 57, 0),
        ],
        said: "",
    },
    Case {
        name: "lsprof",
        dialect: "callgrind",
        // Files stand in `fi=` before the function, and in `cfi=` behind the callee.
        rows: &[
            ("", "/srv/app.py", "load app.py:9", 71, 71, 1),
            ("", "/srv/app.py", "run app.py:3", 20, 98, 0),
            ("", "~", "<len>", 7, 7, 5),
        ],
        said: "declares 100, its cost lines sum up to 98",
    },
    Case {
        name: "erlang",
        dialect: "callgrind",
        // One function in two processes; in one of them it calls itself.
        rows: &[
            ("<0.34.0>", "sort.erl", "sort:quicksort/1", 50, 50, 0),
            ("<0.33.0>", "sort.erl", "sort:quicksort/1", 6, 9, 4),
            ("<0.33.0>", "sort.erl", "sort:'split, {a,b}'/4", 3, 3, 0),
        ],
        said: "",
    },
    Case {
        name: "fprof",
        dialect: "callgrind",
        // It counts `Time` as Xdebug does, without a header as Xdebug's.
        rows: &[("<0.33.0>", "sort", "{sort,quicksort,1}", 4, 4 + 2, 0), ("<0.33.0>", "pseudo", "suspend", 2, 2, 1)],
        said: "declares 9, its cost lines sum up to 6",
    },
    Case {
        name: "perl",
        dialect: "callgrind",
        // The second call is of the function of the first, without its file.
        rows: &[
            ("", "/srv/app.pl", "main::run(int, std::map<int, char>)", 100, 100 + 60 + 1, 0),
            ("", "lib/X.pm", "X::new", 60, 61, 2 + 1),
            ("", "/srv/app.pl", "main::BEGIN@3", 4, 4, 0),
        ],
        said: "",
    },
    Case {
        name: "inlined",
        dialect: "callgrind",
        // Code of a.h is part of main; the callee is in the file of the code that calls it; the next
        // function is back in a.c.
        rows: &[
            ("/bin/inlined", "a.h", "helper", 30, 30, 1),
            ("/bin/inlined", "a.c", "other", 21, 21, 0),
            ("/bin/inlined", "a.c", "main", 5 + 7 + 2 + 1, 15 + 30, 0),
        ],
        said: "",
    },
    Case {
        name: "jumps",
        dialect: "callgrind",
        rows: &[("", "", "leaf", 30, 30, 10), ("", "", "loop", 30, 60, 0)],
        said: "",
    },
    Case { name: "positions", dialect: "callgrind", rows: &[("", "p.c", "scan", 100 + 50 + 1, 151, 0)], said: "" },
    Case {
        name: "parts",
        dialect: "callgrind",
        // The second part has its events in another order, and names from the first.
        rows: &[("", "p.c", "f", 1 + 20, 21, 1), ("", "p.c", "main", 10 + 5, 15 + 1 + 20, 0)],
        said: "",
    },
    Case {
        name: "contexts",
        dialect: "callgrind",
        rows: &[
            ("", "c.c", "fib'2'main", 18, 18, 2),
            ("", "c.c", "main", 10, 31, 0),
            ("", "c.c", "fib'main", 3, 21, 1),
        ],
        said: "",
    },
    Case {
        name: "recursion",
        dialect: "callgrind",
        // The edges into even charge 50, 5 and 90; it and odd cost 50 together.
        rows: &[("", "r.c", "even", 30, 50, 6), ("", "r.c", "odd", 20, 50, 5), ("", "r.c", "main", 10, 60, 0)],
        said: "",
    },
    Case {
        name: "large",
        dialect: "callgrind",
        rows: &[
            ("", "", "b", 0x7000_0000_0000_0000, 0x7000_0000_0000_0000, 0),
            ("", "", "a", 9_007_199_254_740_993 + 4_294_967_297, 9_007_203_549_708_290, 0),
        ],
        said: "",
    },
    Case {
        name: "difference",
        dialect: "cachegrind",
        rows: &[("", "a.c", "slower", 500, 500, 0), ("", "a.c", "faster", -200, -200, 0)],
        said: "hold no calls",
    },
    Case { name: "short", dialect: "callgrind", rows: &[("", "", "a", 10 + 5 + 1, 16, 0)], said: "" },
    Case { name: "manual", dialect: "callgrind", rows: &[("", "file.f", "main", 90 + 20, 110, 0)], said: "" },
    Case {
        name: "cachegrind",
        dialect: "cachegrind",
        rows: &[
            ("", "/src/a.c", "main", 10 + 20, 30, 0),
            ("", "/src/a.h", "main", 7, 7, 0),
            ("", "/src/a.c", "walk(int (*)[4])", 5, 5, 0),
        ],
        said: "hold no calls",
    },
];

fn check(case: &Case, path: &Path) {
    let profile = object(&[path]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = profile["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            let figures = (f["self"].as_i64().unwrap(), f["inclusive"].as_i64().unwrap(), f["calls"].as_u64().unwrap());
            (text(&f["object"]), text(&f["file"]), text(&f["name"]), figures.0, figures.1, figures.2)
        })
        .collect();
    let expected: Vec<_> =
        case.rows.iter().map(|r| (r.0.to_owned(), r.1.to_owned(), r.2.to_owned(), r.3, r.4, r.5)).collect();
    assert_eq!(rows, expected, "{}", path.display());
    assert_eq!(profile["dialect"], case.dialect, "{}", case.name);
    assert_eq!(profile["estimated"], case.dialect == "callgrind", "{}", case.name);
    assert_eq!(profile["complete"], true, "{}: {}", case.name, profile["files"]);
    assert_eq!(profile["total"], case.rows.iter().map(|row| row.3).sum::<i64>(), "{}", case.name);
    let warnings = profile["files"][0]["warnings"].to_string();
    match case.said {
        "" => assert_eq!(warnings, "[]", "{}", case.name),
        said => assert!(warnings.contains(said), "{}: {warnings}", case.name),
    }
}

#[test]
fn every_dialect_gives_the_sums_of_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    for case in CASES {
        let text = std::fs::read_to_string(fixture(case.name)).unwrap();
        check(case, &fixture(case.name));
        check(case, &put(folder.path(), "packed", &gzip(text.as_bytes())));
        check(case, &put(folder.path(), "crlf", text.replace('\n', "\r\n").as_bytes()));
        check(case, &put(folder.path(), "bom", format!("\u{feff}{text}").as_bytes()));
    }
}

#[test]
fn every_file_has_its_case() {
    let refused = ["no-record", "relative-costs", "version-2"];
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".out") else { continue };
        assert!(refused.contains(&name) || CASES.iter().any(|case| case.name == name), "{name} has no case");
    }
}

#[test]
fn all_events_are_kept_short_lists_end_in_zeros() {
    let costs = |name: &str| object(&[&fixture(name)])["functions"][0]["costs"].clone();
    assert_eq!(costs("short"), serde_json::json!([16, 3, 3]));
    assert_eq!(costs("manual"), serde_json::json!([110, 26, 2]));
    assert_eq!(costs("parts"), serde_json::json!([21, 4]), "named, not by column");
    assert_eq!(costs("positions"), serde_json::json!([151, 5]));
}

#[test]
fn cachegrinds_costs_are_kept_by_line_and_inlined_code_by_file() {
    let profile = object(&[&fixture("cachegrind")]);
    let lines = &profile["functions"][0]["parts"][0]["lines"];
    assert_eq!(lines, &serde_json::json!([{"line": 1, "costs": [10, 2]}, {"line": 2, "costs": [20, 0]}]));
    let main = &object(&[&fixture("inlined")])["functions"][2];
    assert_eq!(main["parts"], serde_json::json!([{"file": "a.c", "costs": [7]}, {"file": "a.h", "costs": [8]}]));
}

#[test]
fn what_cannot_be_read_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let garbage: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let headed = [b"# callgrind format\nevents: Ir\n".as_slice(), &garbage].concat();
    let no_events = "# callgrind format\ncreator: hand\nfn=a\n1 2\n";
    for (path, said) in [
        (fixture("version-2"), "version 2"),
        (fixture("no-record"), "a header without any cost line"),
        (fixture("relative-costs"), "line 6, byte 59: a cost that is relative"),
        (put(folder.path(), "empty", b""), "the file is empty"),
        (put(folder.path(), "garbage", &headed), "no cost could be read"),
        (put(folder.path(), "no-events", no_events.as_bytes()), "line 4, byte 38: a cost line before any `events:`"),
        (put(folder.path(), "header", b"version: 1\ncreator: callgrind-3.19.0\n"), "no `events:`"),
    ] {
        let output = analyze(&[], &[&path]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{}: {error}", path.display());
        assert!(error.contains(said) && error.lines().count() == 1, "{}: {error}", path.display());
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn parts_of_one_process_are_summed_and_empty_ones_said() {
    let folder = tempfile::tempdir().unwrap();
    let other = put(folder.path(), "other", &std::fs::read(fixture("parts")).unwrap());
    let profile = object(&[&fixture("parts"), &fixture("no-record"), &other]);
    assert_eq!(profile["total"], 72);
    assert_eq!(profile["functions"].as_array().unwrap().len(), 2);
    assert!(profile["files"][0]["warnings"].to_string().contains("passed over"), "{}", profile["files"]);
    let mixed = analyze(&[], &[&fixture("parts"), &fixture("pprof")]);
    assert_eq!(mixed.status.code(), Some(2));
    let error = String::from_utf8(mixed.stderr).unwrap();
    assert!(error.contains("cpu(ms)") && error.contains("Ir"), "{error}");
}
