//! Which source files a file reaches by the paths in its code: `crate::`, `super::` and its own children. A name that a
//! `mod.rs` hands on leads to the file behind it, not to the whole room.

use std::collections::{BTreeMap, BTreeSet};

/// Sources by path, `src/a/b.rs`.
pub type Sources = BTreeMap<String, String>;

/// Every file that `roots` reach, and the one that first led to it.
pub fn reached(sources: &Sources, roots: &[&str]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = roots.iter().map(|root| ((*root).to_owned(), String::new())).collect();
    let mut next: Vec<String> = found.keys().cloned().collect();
    while let Some(file) = next.pop() {
        for other in leads_to(sources, &file) {
            if !found.contains_key(&other) {
                found.insert(other.clone(), file.clone());
                next.push(other);
            }
        }
    }
    found
}

/// How a file was reached: from a root to it.
pub fn chain(found: &BTreeMap<String, String>, file: &str) -> String {
    let mut chain = vec![file];
    while let Some(from) = found.get(chain[chain.len() - 1]).filter(|from| !from.is_empty()) {
        chain.push(from);
    }
    chain.reverse();
    chain.join(" -> ")
}

/// The files that one file's paths lead to. Its tests may reach what they like.
fn leads_to(sources: &Sources, file: &str) -> BTreeSet<String> {
    let code = code(&sources[file]);
    let module = module_of(file);
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        paths.extend(expand(&code[at + "crate::".len()..]));
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| !code[..*at].ends_with("super::")) {
        let climbs = code[at..].match_indices("super::").take_while({
            let mut due = 0;
            move |(at, _)| std::mem::replace(&mut due, at + "super::".len()) == *at
        });
        let up = climbs.count();
        let base = &module[..module.len().saturating_sub(up)];
        let tail = expand(&code[at + up * "super::".len()..]);
        paths.extend(tail.into_iter().map(|path| [base, &path].concat()));
    }
    for child in children(&code) {
        let called = format!("{child}::");
        let handed_on = |line: &&str| line.starts_with("pub use") || line.starts_with("pub(crate) use");
        for line in code.lines().filter(|line| !handed_on(line)) {
            for (at, _) in line.match_indices(&called) {
                let before = line[..at].chars().next_back();
                if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
                    let tail = expand(&line[at + called.len()..]);
                    paths.extend(tail.into_iter().map(|path| [&module, &[child.clone()][..], &path].concat()));
                }
            }
        }
    }
    paths.iter().flat_map(|path| files_of(sources, path)).filter(|other| other != file).collect()
}

/// Without comments and without the tests at the end.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap_or("");
    code.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect()
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are both `a::b`.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

fn file_of(sources: &Sources, module: &[String]) -> Option<String> {
    let path = format!("src/{}", module.join("/"));
    [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|path| sources.contains_key(path))
}

/// Names of `mod NAME;`.
fn children(code: &str) -> Vec<String> {
    let name = |line: &str| Some(line.rsplit_once("mod ")?.1.strip_suffix(';')?.to_owned());
    code.lines().filter_map(|line| name(line.trim())).collect()
}

/// The file that a path leads to, and, where a `mod.rs` hands its name on, the one behind.
fn files_of(sources: &Sources, path: &[String]) -> BTreeSet<String> {
    let deepest = (1..=path.len()).rev().find_map(|length| Some((length, file_of(sources, &path[..length])?)));
    let Some((length, file)) = deepest else { return BTreeSet::new() };
    let Some(item) = path.get(length) else {
        // The module itself is named: all that it may hand on.
        return if file.ends_with("mod.rs") { below(sources, &path[..length]) } else { [file].into() };
    };
    if !file.ends_with("mod.rs") {
        return [file].into();
    }
    let code = code(&sources[&file]);
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("use ") {
        let from_here = expand(&code[at + "use ".len()..]);
        for handed in from_here.iter().filter(|handed| handed.last().is_some_and(|last| last == item || last == "*")) {
            let inside = match handed.split_first() {
                Some((first, rest)) if first == "crate" => rest.to_vec(),
                Some((first, rest)) if first == "super" => [&path[..length - 1], rest].concat(),
                _ => [&path[..length], &handed[..]].concat(),
            };
            found.extend(files_of(sources, &inside));
        }
    }
    // What is not handed on stands in the file itself.
    if found.is_empty() { [file].into() } else { found }
}

/// Every file of a room.
fn below(sources: &Sources, module: &[String]) -> BTreeSet<String> {
    let folder = format!("src/{}/", module.join("/"));
    sources.keys().filter(|path| path.starts_with(&folder)).cloned().collect()
}

/// The paths of a use tree that `text` begins with: `a::{b, c::d}` is `a::b` and `a::c::d`; a new name is left out.
fn expand(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        let (mut level, mut from, mut paths) = (0, 0, Vec::new());
        for (at, character) in list.char_indices() {
            match character {
                '{' => level += 1,
                '}' if level == 0 => {
                    paths.extend(expand(&list[from..at]));
                    return paths;
                }
                '}' => level -= 1,
                ',' if level == 0 => {
                    paths.extend(expand(&list[from..at]));
                    from = at + 1;
                }
                _ => {}
            }
        }
        return paths;
    }
    if text.starts_with('*') {
        return vec![vec!["*".to_owned()]];
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match (name, rest.strip_prefix("::")) {
        ("", _) => Vec::new(),
        ("self", None) => vec![Vec::new()],
        (name, Some(rest)) if !rest.starts_with('<') => {
            let deeper = expand(rest);
            deeper.into_iter().map(|path| [&[name.to_owned()][..], &path].concat()).collect()
        }
        (name, _) => vec![vec![name.to_owned()]],
    }
}
