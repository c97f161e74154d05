//! Names that hold a path, without what differs between two places of one project. Xdebug calls the code of a file that is
//! included `require::/srv/app/src/Mail.php`, and a closure `App\{closure:/srv/app/src/Mail.php:12-14}`; the same commit
//! checked out elsewhere has other names for them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Where the files of a profile's names lie, as those of another profile lie elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder of the project, with its last slash.
    root: String,
    /// What files outside of it are called on both sides.
    outside: BTreeMap<String, String>,
}

/// A name taken apart: `App\{closure:`, `/srv/app/src/Mail.php`, `:12-14`, `}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// What stands before the path.
    pub before: &'a str,
    /// The file.
    pub path: &'a str,
    /// From which line to which, where it is called after them.
    pub lines: &'a str,
    /// What stands behind.
    pub after: &'a str,
}

/// How names begin that hold lines.
const WITH_LINES: [&str; 2] = ["{closure:", "{anonymous-class:"];

/// It is called after the lines that it stands on: one that moved has another name.
pub(super) fn is_called_after_lines(name: &str) -> bool {
    WITH_LINES.iter().any(|begin| name.contains(begin)) || name.contains("{closure")
}

/// The file in a name, or the function that a closure is called after, and what stands around it.
pub(super) fn parts(name: &str) -> Option<Parts<'_>> {
    if let Some((what, path)) = name.split_once("::")
        && matches!(what, "require" | "require_once" | "include" | "include_once")
    {
        return Some(Parts { before: &name[..name.len() - path.len()], path, lines: "", after: "" });
    }
    let begin = WITH_LINES.iter().find_map(|begin| Some(name.find(begin)? + begin.len()))?;
    let end = begin + name[begin..].find('}')?;
    let colon = begin + name[begin..end].rfind(':')?;
    let is_lines = name[colon + 1..end].split('-').all(|line| line.parse::<u32>().is_ok());
    let (path, lines) = (&name[begin..colon], &name[colon..end]);
    is_lines.then_some(Parts { before: &name[..begin], path, lines, after: &name[end..] })
}

/// Closures and classes without a name of two profiles, as both places call them. In a file in which one of them moved, a
/// name may be that of another function.
#[derive(Debug, Default)]
pub(super) struct Moved<'a>(BTreeSet<&'a str>);

impl<'a> Moved<'a> {
    /// The files of which the two profiles know other lines.
    pub fn between(was: impl Iterator<Item = &'a str>, is: impl Iterator<Item = &'a str>) -> Self {
        let [was, is] = [lines_by_file(was), lines_by_file(is)];
        let other = |path: &&'a str| was.get(*path) != is.get(*path);
        Self(was.keys().chain(is.keys()).copied().filter(other).collect())
    }

    /// The same name is the same function on both sides.
    pub fn is_certain(&self, name: &str) -> bool {
        !is_called_after_lines(name) || parts(name).is_some_and(|parts| !self.0.contains(parts.path))
    }
}

fn lines_by_file<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, BTreeSet<(&'a str, &'a str)>> {
    let mut files: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for parts in names.filter_map(parts).filter(|parts| !parts.lines.is_empty()) {
        files.entry(parts.path).or_default().insert((parts.before, parts.lines));
    }
    files
}

/// The files that names hold.
fn files<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.filter_map(parts).map(|parts| parts.path).filter(|path| path.starts_with('/')).collect()
}

/// How many bytes two paths have in common at their end, whole parts alone.
fn same_end(a: &str, b: &str) -> usize {
    let parts = a.rsplit('/').zip(b.rsplit('/')).take_while(|(a, b)| a == b);
    parts.map(|(part, _)| part.len() + 1).sum::<usize>().min(a.len()).min(b.len())
}

/// The folder that all of them lie in.
fn common_folder<'a>(mut files: impl Iterator<Item = &'a str>) -> String {
    let folder = |path: &'a str| &path[..=path.rfind('/').unwrap_or(0)];
    let first = files.next().map_or("", folder);
    let common = files.map(folder).fold(first, |common, folder| {
        let same = common.split_inclusive('/').zip(folder.split_inclusive('/')).take_while(|(a, b)| a == b);
        &common[..same.map(|(part, _)| part.len()).sum()]
    });
    common.to_owned()
}

impl Place {
    /// The places of two profiles by the names of their functions. The project lies where most of the files do whose
    /// paths end alike.
    pub fn of_both<'a>(was: impl Iterator<Item = &'a str>, is: impl Iterator<Item = &'a str>) -> [Self; 2] {
        let (was, is) = (files(was), files(is));
        let mut called: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in &is {
            called.entry(path.rsplit('/').next().unwrap_or(path)).or_default().push(path);
        }
        let mut pairs: BTreeMap<(&str, &str), Vec<(&str, &str)>> = BTreeMap::new();
        for path in &was {
            let others = called.get(path.rsplit('/').next().unwrap_or(path)).into_iter().flatten();
            if let Some(other) = others.max_by_key(|other| same_end(path, other)) {
                let same = same_end(path, other).saturating_sub(usize::from(path != other));
                let before = |path: &'a str| &path[..path.len() - same];
                pairs.entry((before(path), before(other))).or_default().push((path, other));
            }
        }
        let below = |(a, b): (&str, &str)| {
            was.iter().filter(|path| path.starts_with(a)).count() + is.iter().filter(|path| path.starts_with(b)).count()
        };
        let most = pairs.iter().max_by_key(|(roots, found)| (found.len(), below(**roots)));
        let Some((roots, found)) = most else { return Default::default() };
        // In one place what both call so is called after the folder of the project, too.
        let roots = match *roots {
            (a, b) if a == b => {
                let root = common_folder(found.iter().map(|(path, _)| *path));
                let root = if root == "/" { String::new() } else { root };
                [root.clone(), root]
            }
            (a, b) => [a.to_owned(), b.to_owned()],
        };
        let mut places = roots.map(|root| Self { root, outside: BTreeMap::new() });
        for (path, other) in pairs.values().flatten() {
            let (path, other) = (*path, *other);
            let end = &path[path.len() - same_end(path, other).saturating_sub(1)..];
            let inside = path.starts_with(&places[0].root) || other.starts_with(&places[1].root);
            if path != other && !inside && end.contains('/') {
                places[0].outside.insert(path.to_owned(), end.to_owned());
                places[1].outside.insert(other.to_owned(), end.to_owned());
            }
        }
        places
    }

    /// A name as the other place has it, too.
    pub fn without<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let Some(parts) = parts(name) else { return Cow::Borrowed(name) };
        let outside = self.outside.get(parts.path).map(String::as_str);
        match outside.or_else(|| parts.path.strip_prefix(&self.root)) {
            Some(below) if !below.is_empty() => {
                Cow::Owned(format!("{}{below}{}{}", parts.before, parts.lines, parts.after))
            }
            _ => Cow::Borrowed(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(was: &[&str], is: &[&str]) -> [Vec<String>; 2] {
        let places = Place::of_both(was.iter().copied(), is.iter().copied());
        let bare = |place: &Place, names: &[&str]| names.iter().map(|name| place.without(name).into_owned()).collect();
        [bare(&places[0], was), bare(&places[1], is)]
    }

    #[test]
    fn where_one_closure_moved_no_closure_of_the_file_is_certain() {
        let at = |lines: &str| format!("{{closure:src/lib.php:{lines}}}");
        let other = "{closure:src/other.php:3-4}";
        let (was, is) = ([at("35-35"), at("36-36"), other.to_owned()], [at("36-36"), at("37-37"), other.to_owned()]);
        let moved = Moved::between(was.iter().map(String::as_str), is.iter().map(String::as_str));
        assert!(!moved.is_certain(&was[1]) && moved.is_certain(other) && moved.is_certain("App\\Mail->send"));
        let same = Moved::between(was.iter().map(String::as_str), was.iter().map(String::as_str));
        assert!(was.iter().all(|name| same.is_certain(name)));
    }

    #[test]
    fn a_file_has_one_name_in_two_places() {
        let at = |root: &str| {
            [
                format!("require::{root}src/autoload.php"),
                format!("App\\F->App\\{{closure:{root}src/Mail.php:3-14}}"),
                format!("{{anonymous-class:{root}vendor/a/b.php:4-4}}->run"),
                "App\\Mail->send".to_owned(),
            ]
        };
        let (a, b) = (at("/srv/app/"), at("/tmp/tree.x/app/"));
        let [was, is] = both(&a.each_ref().map(String::as_str), &b.each_ref().map(String::as_str));
        assert_eq!(was, is);
        assert!(was[0].ends_with("src/autoload.php") && !was[0].contains("srv"), "{was:?}");
        assert!(was[1].ends_with("src/Mail.php:3-14}") && was[2].ends_with("vendor/a/b.php:4-4}->run"), "{was:?}");
        assert_eq!(was[3], "App\\Mail->send");
    }

    #[test]
    fn files_that_one_side_alone_has_move_no_other() {
        let was = ["require::/a/src/x.php", "require::/a/src/y.php", "{closure:/tmp/run-1/php/pre.php:1-2}"];
        let is = ["require::/b/src/x.php", "require::/b/vendor/v.php", "{closure:/tmp/run-2/php/pre.php:1-2}"];
        let [was, is] = both(&was, &is);
        assert_eq!(was, ["require::src/x.php", "require::src/y.php", "{closure:php/pre.php:1-2}"]);
        assert_eq!(is, ["require::src/x.php", "require::vendor/v.php", "{closure:php/pre.php:1-2}"]);
    }

    #[test]
    fn in_one_place_files_are_called_after_it() {
        let was = ["require::/a/src/x.php", "require::/a/lib/y.php", "require::/usr/share/php/p.php"];
        let is = ["require::/a/src/x.php", "require::/a/lib/y.php", "include::/a/lib/new.php"];
        let [was, is] = both(&was, &is);
        assert_eq!(was, ["require::src/x.php", "require::lib/y.php", "require::/usr/share/php/p.php"]);
        assert_eq!(is, ["require::src/x.php", "require::lib/y.php", "include::lib/new.php"]);
        assert_eq!(both(&["php::strlen"], &["require::/a/b.php"])[1], ["require::/a/b.php"]);
    }

    #[test]
    fn lines_are_told_apart_from_the_rest_of_a_name() {
        let lines = |name| parts(name).map(|parts| (parts.path, parts.lines, parts.after));
        assert_eq!(lines("{closure:/srv/a:b.php:3-14}"), Some(("/srv/a:b.php", ":3-14", "}")));
        assert_eq!(lines("{closure:App\\F::r():12}"), Some(("App\\F::r()", ":12", "}")), "PHP 8.4 and later");
        assert_eq!(lines("{anonymous-class:/a.php:4-4}->run"), Some(("/a.php", ":4-4", "}->run")));
        for name in ["{closure}", "{closure:/a.php:x-3}", "{closure:/a.php", "{main}", "a::b"] {
            assert_eq!(lines(name), None, "{name}");
        }
    }
}
