//! Lines of code in words: where a container is filled, and where it is emptied.

use crate::model::{Holder, Role};

/// Lines of one role that a sentence names; the rest are counted.
const MOST: usize = 3;

/// `SessionFault.php:18`
pub fn place(file: &str, line: u32) -> String {
    format!("{}:{line}", file.rsplit('/').next().unwrap_or(file))
}

/// `a.php:1, a.php:7 and 3 more`
fn list(places: &[String]) -> String {
    let named = places.iter().take(MOST).map(|place| format!("`{place}`")).collect::<Vec<_>>().join(", ");
    match places.len().saturating_sub(MOST) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Which lines fill a container and which empty it. `by_reference`: other code may empty it by another name, so that
/// "nowhere" is more than is known. Empty where no line fills it.
pub fn filled_and_emptied(filled: &[String], called: &[String], emptied: &[String], by_reference: bool) -> String {
    if filled.is_empty() {
        return String::new();
    }
    let through = match called.is_empty() {
        true => String::new(),
        false => format!(", called from {}", list(called)),
    };
    let emptied = match (emptied.is_empty(), by_reference) {
        (true, false) => "no line empties it".to_owned(),
        (true, true) => "no line that names it empties it, though it may also be emptied by reference".to_owned(),
        (false, false) => format!("emptied at {}", list(emptied)),
        (false, true) => format!("emptied at {}, perhaps also by reference", list(emptied)),
    };
    format!("filled at {}{through}; {emptied}", list(filled))
}

/// Which lines fill a holder and which empty it; empty where that is not known.
pub fn holder_lines(holder: &Holder) -> String {
    let of = |role: Role| -> Vec<String> {
        let those = holder.locations.iter().filter(|at| at.role == role);
        those.map(|at| place(&at.file, at.line)).collect()
    };
    filled_and_emptied(&of(Role::PutsIn), &of(Role::Calls), &of(Role::TakesOut), holder.by_reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nowhere_is_said_only_where_it_is_known() {
        let at = |line| place("/srv/app/SessionFault.php", line);
        assert_eq!(
            filled_and_emptied(&[at(18)], &[], &[], false),
            "filled at `SessionFault.php:18`; no line empties it"
        );
        let unsure = filled_and_emptied(&[at(18)], &[], &[], true);
        assert!(unsure.ends_with("no line that names it empties it, though it may also be emptied by reference"));
        let all = filled_and_emptied(&[at(1), at(2), at(3), at(4)], &[at(9)], &[at(7)], false);
        assert!(
            all.contains(" and 1 more, called from `SessionFault.php:9`; emptied at `SessionFault.php:7`"),
            "{all}"
        );
        assert_eq!(filled_and_emptied(&[], &[], &[at(7)], true), "");
    }
}
