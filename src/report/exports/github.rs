//! Workflow commands of GitHub Actions: `::error file=src/A.php,line=18,title=...::message`.

use std::fmt::Write as _;

use super::findings::{Level, plain, problems};
use crate::analysis::view::RunView;

/// A command for each thing that is wrong, or a notice where nothing is.
pub(super) fn github(view: &RunView) -> String {
    let mut out = String::new();
    let problems = problems(view);
    for problem in &problems {
        let level = match problem.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let at = problem.places.iter().find(|place| place.inside);
        let at = at.map_or(String::new(), |place| format!("file={},line={},", property(&place.file), place.line));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "::{level} {at}title={}::{}",
            property(&format!("profile-run: {}", problem.rule)),
            data(&problem.message)
        );
    }
    if problems.is_empty() {
        let _ = writeln!(out, "::notice title=profile-run::{}", data(&plain(&view.result.sentence)));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_a_command() {
        assert_eq!(property("a:b,c%d\n"), "a%3Ab%2Cc%25d%0A");
        assert_eq!(data("a:b\r\n::error::x"), "a:b%0D%0A::error::x");
    }
}
