//! The few rules that keep the source readable: arrows between rooms, short files that say what they hold, nothing
//! left undone, nothing of the machine that it was written on.

#[path = "support/reach.rs"]
mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import. `cli` may import all, and nobody imports `cli`.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("phrase", &["model"]),
    ("proc", &[]),
    ("profile", &[]),
    ("verdict", &["model", "phrase"]),
    ("heap", &["model", "proc"]),
    ("sampler", &["proc", "model", "phrase"]),
    ("diagnose", &["model", "phrase", "proc"]),
    ("server", &["proc", "model"]),
    ("load", &["model"]),
    ("journal", &["model"]),
    ("matrix", &["journal", "model", "verdict"]),
    ("capture", &["proc", "profile"]),
    (
        "conductor",
        &[
            "capture", "diagnose", "heap", "journal", "load", "matrix", "model", "phrase", "proc", "sampler", "server",
            "verdict",
        ],
    ),
    ("console", &["journal", "model", "phrase"]),
    ("analysis", &["heap", "journal", "matrix", "model", "phrase", "profile", "verdict"]),
    ("report", &["analysis", "model", "phrase"]),
];

/// Longest file, in lines.
const LONGEST: usize = 500;

/// A longer one: a table of made-up results.
const LONG: &[&str] = &["tests/support/views.rs"];

/// A `mod.rs` that is more than docs and re-exports: where a command's arguments stand, where a loop's parts meet.
const FULL_MOD: &[&str] = &["src/cli/mod.rs", "src/cli/load/mod.rs", "src/cli/watch/mod.rs", "src/load/engine/mod.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository, relative, without what is built or written by runs.
fn files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name();
            if ["target", "dist", ".git", "profile-run-out", "var"].iter().any(|skipped| name == *skipped) {
                continue;
            }
            if entry.file_type().expect("a type").is_dir() {
                walk(&entry.path(), found);
            } else {
                found.push(entry.path().strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    assert!(found.len() > 100, "the repository's files are found");
    found
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).expect("a file")).into_owned()
}

/// The rooms that a file of `room` imports: by `crate::` or by enough `super::`.
fn imports(path: &Path, source: &str, rooms: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut depth = path.components().count() - 1;
    if path.ends_with("mod.rs") {
        depth -= 1;
    }
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect();
    let mut found = BTreeSet::new();
    let climb = "super::".repeat(depth);
    for prefix in ["crate::", climb.as_str()] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let names = match rest.strip_prefix('{') {
                Some(list) => top_level_names(list),
                None => vec![first_word(rest)],
            };
            found.extend(names.into_iter().filter(|name| rooms.contains(name)).map(str::to_owned));
        }
    }
    found
}

/// The first words of the items of `{a::b, c::{d, e}}`, whose opening brace is already taken.
fn top_level_names(list: &str) -> Vec<&str> {
    let mut names = vec![first_word(list.trim_start())];
    let mut level = 0;
    for (at, character) in list.char_indices() {
        match character {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => names.push(first_word(list[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn first_word(text: &str) -> &str {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap_or("")
}

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with the imports of each room: those that ARROWS does not allow, and those that it allows and nobody uses.
fn wrong_arrows(arrows: &[(&str, &[&str])], imported: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (room, imports) in imported {
        match arrows.iter().find(|(name, _)| name == room) {
            None => wrong.push(format!("room `{room}` has no line in ARROWS")),
            Some((_, allowed)) => wrong.extend(
                imports
                    .iter()
                    .filter(|import| *import != room && !allowed.contains(&import.as_str()))
                    .map(|import| format!("`{room}` may not import `{import}`")),
            ),
        }
    }
    for (room, allowed) in arrows {
        let unused = |import: &&&str| !imported.get(*room).is_some_and(|imports| imports.contains(**import));
        wrong.extend(
            allowed.iter().filter(unused).map(|import| format!("`{room}` never imports `{import}`: strike it")),
        );
    }
    wrong
}

#[test]
fn the_arrows_between_rooms_hold_both_ways() {
    let files = files();
    let rooms: BTreeSet<&str> =
        files.iter().filter_map(|path| path.strip_prefix("src").ok()?.parent()?.iter().next()?.to_str()).collect();
    let mut imported: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files.iter().filter(|path| is_rust(path)) {
        let Ok(inside) = path.strip_prefix("src") else { continue };
        let Some(room) = inside.parent().and_then(|parent| parent.iter().next()?.to_str()) else { continue };
        if room != "cli" {
            imported.entry(room.to_owned()).or_default().extend(imports(path, &read(path), &rooms));
        }
    }
    none(wrong_arrows(ARROWS, &imported));
}

#[test]
fn a_forbidden_arrow_and_a_stale_one_are_found() {
    let of = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        pairs.iter().map(|(room, names)| ((*room).to_owned(), set(names))).collect()
    };
    let arrows: &[(&str, &[&str])] = &[("load", &["model"]), ("model", &[])];
    assert!(wrong_arrows(arrows, &of(&[("load", &["model"]), ("model", &[])])).is_empty());
    assert_eq!(wrong_arrows(arrows, &of(&[("load", &["model", "proc"])])), ["`load` may not import `proc`"]);
    assert_eq!(wrong_arrows(arrows, &of(&[("load", &[])])), ["`load` never imports `model`: strike it"]);
}

/// What runs on Linux alone: rooms that read or steer processes.
const LINUX_ROOMS: [&str; 6] = ["capture", "conductor", "diagnose", "proc", "sampler", "server"];

/// Calls that Linux alone has. A file with one of them has another way for other systems.
const LINUX_CALLS: [&str; 8] =
    ["memfd_create", "timerfd", "prctl", "tcp_info", "sendfile", "/proc/", "pidfd", "process_vm_readv"];

/// The files that have none yet.
const LINUX_CALLS_IN: &[&str] = &["src/journal/folder.rs", "src/load/external/process.rs"];

/// What `roots` reach of the Linux-only rooms and calls.
fn linux_only(sources: &reach::Sources, roots: &[&str]) -> Vec<String> {
    let found = reach::reached(sources, roots);
    let mut wrong = Vec::new();
    for file in found.keys() {
        let code = sources[file].split("#[cfg(test)]").next().unwrap_or("");
        let call =
            LINUX_CALLS.iter().find(|call| code.contains(**call) && !code.contains("not(target_os = \"linux\")"));
        let room_of = |file: &str| LINUX_ROOMS.contains(&file.split('/').nth(1).unwrap_or(""));
        if room_of(file) {
            // Where the way enters is enough.
            if !room_of(&found[file]) {
                wrong.push(reach::chain(&found, file));
            }
        } else if let Some(call) = call.filter(|_| !LINUX_CALLS_IN.contains(&file.as_str())) {
            wrong.push(format!("{}: {call} has no other way", reach::chain(&found, file)));
        }
    }
    wrong
}

/// The load, and what `analyze` does, could run elsewhere: no path of their code leads to what Linux alone has.
#[test]
fn analyze_and_load_reach_nothing_that_linux_alone_has() {
    let sources: reach::Sources = files()
        .iter()
        .filter(|path| is_rust(path) && path.starts_with("src") && !path.ends_with("tests.rs"))
        .map(|path| (path.to_string_lossy().into_owned(), read(path)))
        .collect();
    let is_root = |path: &&String| {
        ["src/load/", "src/analysis/", "src/profile/", "src/report/", "src/verdict/", "src/cli/analyze"]
            .iter()
            .any(|root| path.starts_with(root))
    };
    let roots: Vec<&str> = sources.keys().filter(is_root).map(String::as_str).collect();
    let found = reach::reached(&sources, &roots);
    // The census's values are reached, through the names that the room hands on.
    assert!(found.contains_key("src/heap/census/values.rs") && found.contains_key("src/model/metric.rs"));
    none(linux_only(&sources, &roots));
    // The whole run reaches them, so they are found where they are reached.
    assert!(!linux_only(&sources, &["src/cli/run.rs"]).is_empty());
}

#[test]
fn a_planted_way_to_linux_is_found() {
    let plant = |value: &str, room: &str| -> reach::Sources {
        [
            ("src/load/mod.rs", "mod run;\npub use run::run;\n"),
            ("src/load/run.rs", "use super::super::model::{self, plan::Plan};\n"),
            ("src/model/mod.rs", "mod value;\npub mod plan;\npub use value::Value;\n"),
            ("src/model/plan.rs", "use crate::model::{Value};\n"),
            ("src/model/value.rs", value),
            ("src/heap/mod.rs", room),
            ("src/heap/census.rs", "pub struct Census;\n"),
            ("src/heap/read.rs", "use crate::proc::Process;\n"),
            ("src/proc/mod.rs", "pub struct Process;\n"),
        ]
        .map(|(path, source)| (path.to_owned(), source.to_owned()))
        .into()
    };
    let handed_on = "mod census;\nmod read;\npub use census::Census;\npub use read::Inspector;\n";
    let found = |value: &str| linux_only(&plant(value, handed_on), &["src/load/run.rs"]);
    assert!(found("pub struct Value;\n// crate::proc::Process\n").is_empty());
    assert!(found("use crate::heap::Census;\npub struct Value;\n").is_empty());
    assert_eq!(found("fn pid() { crate::proc::Process }\n").len(), 1);
    let way = &found("use crate::heap::{Census, Inspector};\n")[0];
    assert!(way.ends_with("src/model/value.rs -> src/heap/read.rs -> src/proc/mod.rs"), "{way}");
    assert_eq!(found("use crate::heap;\n").len(), 1, "all that the room hands on");
    assert_eq!(found("fn f() { nix::sys::memfd::memfd_create() }\n").len(), 1);
}

/// Where the text of others is read and has words with spaces between them: protocols, other programs' files and messages,
/// and the lines of schema 1. An entry that nothing needs any more fails.
const FOREIGN_TEXT: &[&str] = &[
    "src/conductor/environment.rs",
    "src/diagnose/output.rs",
    "src/heap/walk/roots.rs",
    "src/journal/schema_1.rs",
    "src/load/external/smtp_source.rs",
    "src/proc/socket_table.rs",
    "src/profile/xdebug/lexer.rs",
    "src/profile/xdebug/mapped.rs",
];

/// Branches on English sentences in Rust code: `contains("two words")` and its like, `== "two words"`, and arms of a match.
/// Tests and comments may.
fn branches_on_english(source: &str) -> Vec<(usize, String)> {
    const CALLS: [&str; 10] = [
        ".contains(",
        ".starts_with(",
        ".ends_with(",
        ".strip_prefix(",
        ".strip_suffix(",
        ".split_once(",
        ".find(",
        ".replace(",
        "== ",
        "!= ",
    ];
    let code = source.split("#[cfg(test)]").next().unwrap_or("");
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let after = CALLS.iter().flat_map(|call| {
            line.match_indices(call).filter_map(|(at, _)| literal(&line[at + call.len()..]).map(|(text, _)| text))
        });
        let arm = literal(line.trim_start()).filter(|(_, rest)| {
            let rest = rest.trim_start();
            rest.starts_with("=>") || rest.starts_with('|') || rest.starts_with("if ")
        });
        let texts = after.chain(arm.map(|(text, _)| text)).filter(|text| is_english(text));
        found.extend(texts.map(|text| (number + 1, text.to_owned())));
    }
    found
}

/// The string literal that `code` begins with, and what follows it.
fn literal(code: &str) -> Option<(&str, &str)> {
    let inside = code.strip_prefix('"')?;
    let end = inside.char_indices().find(|(at, c)| *c == '"' && !inside[..*at].ends_with('\\'))?.0;
    Some((&inside[..end], &inside[end + 1..]))
}

/// Words of letters with a space beside one: a piece of a sentence. A word alone is a name.
fn is_english(text: &str) -> bool {
    let words =
        text.split(' ').filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase() || c == '\''));
    words.count() > 0 && text.contains(' ')
}

#[test]
fn no_code_branches_on_our_own_english() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for path in files().iter().filter(|path| is_rust(path) && path.starts_with("src")) {
        let name = path.to_string_lossy();
        if path.ends_with("tests.rs") {
            continue;
        }
        let foreign = FOREIGN_TEXT.iter().find(|foreign| **foreign == name);
        for (line, text) in branches_on_english(&read(path)) {
            match foreign {
                Some(foreign) => _ = needed.insert(*foreign),
                None => {
                    wrong.push(format!("{name}:{line}: decides by the sentence {text:?}; give it a value of `model`"))
                }
            }
        }
    }
    let stale = FOREIGN_TEXT.iter().filter(|foreign| !needed.contains(*foreign));
    wrong.extend(stale.map(|foreign| format!("{foreign}: reads no sentences any more; strike it from FOREIGN_TEXT")));
    none(wrong);
}

#[test]
fn a_planted_branch_on_a_sentence_is_found() {
    let found = |source: &str| branches_on_english(source).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(found("if evidence.contains(\"outside PHP's heap\") {"), ["outside PHP's heap"]);
    assert_eq!(found("let rest = path.strip_prefix(\"sockets in \")?;"), ["sockets in "]);
    assert_eq!(found("if why == \"all that was asked was run\" {"), ["all that was asked was run"]);
    assert_eq!(found("    \"too short\" => 1,\n    \"b c\" | \"not readable\" => 2,"), ["too short"]);
    assert!(found("if name == \"sequential\" && text.contains(\"->\") {").is_empty());
    assert!(found("// why == \"not so\"\n#[cfg(test)]\nassert!(text.contains(\"line 2 of it\"));").is_empty());
}

#[test]
fn imports_are_found_in_each_form() {
    let rooms = BTreeSet::from(["model", "phrase", "proc", "load"]);
    let source = "use crate::model::plan::Plan;\n// crate::proc in a comment\nuse crate::{phrase::{bytes, rate}, Other, load};\n";
    let found = imports(Path::new("src/journal/event.rs"), source, &rooms);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["load", "model", "phrase"]);
    let climbing = imports(Path::new("src/journal/event.rs"), "use super::super::proc::Tree;\n", &rooms);
    assert_eq!(climbing.iter().map(String::as_str).collect::<Vec<_>>(), ["proc"]);
    assert!(imports(Path::new("src/journal/event.rs"), "use super::load;\n", &rooms).is_empty());
}

#[test]
fn every_file_says_what_it_holds_and_is_short() {
    let mut wrong = Vec::new();
    for path in files().iter().filter(|path| is_rust(path)) {
        let source = read(path);
        if !source.starts_with("//!") {
            wrong.push(format!("{}: does not open with //!", path.display()));
        }
        let lines = source.lines().count();
        if lines > LONGEST && !LONG.iter().any(|long| path == Path::new(long)) {
            wrong.push(format!("{}: {lines} lines; look for the second noun in it", path.display()));
        }
    }
    none(wrong);
}

#[test]
fn mod_files_hold_docs_and_re_exports() {
    let mut wrong = Vec::new();
    for path in files().iter().filter(|path| path.starts_with("src") && path.ends_with("mod.rs")) {
        if FULL_MOD.iter().any(|full| path == Path::new(full)) {
            continue;
        }
        let source = read(path);
        let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for item in code.split(';').map(str::trim).filter(|item| !item.is_empty()) {
            let mut item = item;
            while let Some(rest) = item.strip_prefix("#[") {
                item = rest.split_once(']').map_or("", |(_, rest)| rest).trim_start();
            }
            let bare = item.strip_prefix("pub(crate) ").or_else(|| item.strip_prefix("pub(super) ")).unwrap_or(item);
            let bare = bare.strip_prefix("pub ").unwrap_or(bare);
            if !bare.starts_with("mod ") && !bare.starts_with("use ") {
                wrong.push(format!("{}: `{}` belongs in a file of its own", path.display(), first_line(item)));
            }
        }
    }
    none(wrong);
}

fn first_line(text: &str) -> String {
    text.chars().take(60).collect()
}

#[test]
fn nothing_is_left_undone() {
    // Put together, so that this file does not hold them.
    let words: Vec<String> =
        [("to", "do!("), ("unimple", "mented!("), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"), ("#[ig", "nore")]
            .iter()
            .map(|(first, second)| format!("{first}{second}"))
            .collect();
    let mut wrong = Vec::new();
    let is_ours = |path: &Path| {
        path.extension()
            .is_some_and(|end| ["rs", "php", "py", "sh", "html", "js", "css"].iter().any(|ours| end == *ours))
    };
    for path in files().iter().filter(|path| is_ours(path)) {
        for (number, line) in read(path).lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                wrong.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    none(wrong);
}

#[test]
fn nothing_tells_the_machine_that_it_was_written_on() {
    let folders: Vec<String> = ["ho", "ro", "wo", "Use"]
        .iter()
        .zip(["me/", "ot/", "rk/", "rs/"])
        .map(|(first, second)| format!("/{first}{second}"))
        .collect();
    let mut wrong = Vec::new();
    for path in files() {
        for (number, line) in read(&path).lines().enumerate() {
            for folder in &folders {
                // Only where a path begins: `docs/work/` is none of this machine.
                let begins = line.match_indices(folder.as_str()).any(|(at, _)| {
                    !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-/}$".contains(before))
                });
                if begins {
                    wrong.push(format!("{}:{}: {folder}", path.display(), number + 1));
                }
            }
        }
    }
    let lock = read(Path::new("Cargo.lock"));
    let elsewhere =
        |line: &&str| line.starts_with("source = ") && !line.contains("github.com/rust-lang/crates.io-index");
    wrong.extend(lock.lines().filter(elsewhere).map(|line| format!("Cargo.lock: {line}")));
    none(wrong);
}

#[test]
fn the_notices_list_what_is_built_in() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let notices = read(Path::new("NOTICES.md"));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let crates: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some((name, rest.split(' ').next()?))
        })
        .filter(|(name, _)| *name != "profile-run")
        .collect();
    assert!(crates.len() > 20, "{tree}");
    let missing: Vec<String> = crates
        .iter()
        .filter(|(name, version)| !notices.contains(&format!("| {name} | {version} |")))
        .map(|(name, version)| format!("NOTICES.md lacks {name} {version}; docs/notices.sh writes it anew"))
        .collect();
    none(missing);
}

#[test]
fn composer_fetches_the_release_of_this_version() {
    let package = read(Path::new("packaging/composer/composer.json"));
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    assert!(package.contains(version), "packaging/composer/composer.json has no {version}");
}
