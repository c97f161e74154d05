//! Names that hold a path, without what differs between two places of one project. Xdebug calls the code of a file that is
//! included `require::/srv/app/src/Mail.php`; the same commit checked out elsewhere has another name for it.

use std::borrow::Cow;

/// The folder that all files lie in which a profile's names hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place(String);

/// The path in a name.
fn path(name: &str) -> Option<(&str, &str)> {
    let (what, path) = name.split_once("::")?;
    (matches!(what, "require" | "require_once" | "include" | "include_once") && path.starts_with('/'))
        .then_some((what, path))
}

impl Place {
    /// The place of a profile by the names of its functions.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut folders = names.filter_map(path).map(|(_, path)| &path[..=path.rfind('/').unwrap_or(0)]);
        let Some(first) = folders.next() else { return Self::default() };
        let common = folders.fold(first, |common, folder| {
            let same = common.split_inclusive('/').zip(folder.split_inclusive('/')).take_while(|(a, b)| a == b);
            &common[..same.map(|(part, _)| part.len()).sum()]
        });
        Self(common.to_owned())
    }

    /// A name as any other place of the project has it, too.
    pub fn without<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match path(name).and_then(|(what, path)| Some((what, path.strip_prefix(&self.0)?))) {
            Some((what, below)) if !below.is_empty() => Cow::Owned(format!("{what}::{below}")),
            _ => Cow::Borrowed(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name_in_two_places() {
        let at = |root: &str| {
            let names =
                ["src/autoload.php", "src/Mail.php", "vendor/a/b.php"].map(|file| format!("require::{root}{file}"));
            let all = names.iter().map(String::as_str).chain(["App\\Mail->send", "php::strlen"]);
            let place = Place::of(all.clone());
            all.map(|name| place.without(name).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(at("/srv/app/"), at("/tmp/tree.x/app/"));
        assert_eq!(at("/srv/app/")[1], "require::src/Mail.php");
        assert_eq!(at("/srv/app/")[3], "App\\Mail->send");
        assert_eq!(Place::of(["php::strlen"].into_iter()).without("require::/a/b.php"), "require::/a/b.php");
    }
}
