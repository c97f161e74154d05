//! Lines of code in words: where a container is filled, and where it is emptied.

use super::amount::significant;
use super::growth::work;
use crate::model::{GrowthPer, Holder, Location, Role};

/// Lines of one role that a sentence names; the rest are counted.
const MOST: usize = 3;

/// `SessionFault.php:18`
pub fn place(file: &str, line: u32) -> String {
    format!("{}:{line}", file.rsplit('/').next().unwrap_or(file))
}

/// `a.php:1, a.php:7 and 3 more`
fn list(places: &[String]) -> String {
    let named = places.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match places.len().saturating_sub(MOST) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Which lines fill a container and which empty it. `by_reference`: other code may empty it by another name, so that
/// "nowhere" is more than is known. Empty where nothing is known.
pub fn filled_and_emptied(filled: &[String], called: &[String], emptied: &[String], by_reference: bool) -> String {
    if filled.is_empty() {
        let unnamed = "filled by no line that names it, so by reference or by a name that is computed";
        return if by_reference { unnamed.to_owned() } else { String::new() };
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

/// Which lines fill a holder and which empty it; empty where that is not known. `per`: what its rates count.
pub fn holder_lines(holder: &Holder, per: GrowthPer) -> String {
    let of = |role: Role| -> Vec<String> {
        let those = holder.locations.iter().filter(|at| at.role == role);
        those.map(|at| format!("`{}`", place(&at.file, at.line))).collect()
    };
    let called: Vec<String> = match holder.culprit() {
        Some(culprit) => vec![format!("{}, as often as it grows", calls(culprit, per))],
        None => holder.locations.iter().filter(|at| at.role == Role::Calls).map(|at| calls(at, per)).collect(),
    };
    filled_and_emptied(&of(Role::PutsIn), &called, &of(Role::TakesOut), holder.by_reference)
}

/// `` `Handler.php:88` once per session ``
fn calls(at: &Location, per: GrowthPer) -> String {
    let place = format!("`{}`", place(&at.file, at.line));
    match at.per_1000.map(|rate| rate / 1000.0) {
        None => place,
        Some(rate) if (rate - 1.0).abs() < 0.02 => format!("{place} once per {}", work(per)),
        Some(rate) => format!("{place} {} times per {}", significant(rate), work(per)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nowhere_is_said_only_where_it_is_known() {
        let at = |line| format!("`{}`", place("/srv/app/SessionFault.php", line));
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
        assert_eq!(filled_and_emptied(&[], &[], &[at(7)], false), "");
        assert!(filled_and_emptied(&[], &[], &[], true).starts_with("filled by no line that names it"));
    }

    fn holder(rates: &[Option<f64>]) -> Holder {
        let at = |role, line, per_1000| Location {
            role,
            file: "/srv/App.php".to_owned(),
            line,
            function: "App->run".to_owned(),
            per_1000,
            class: None,
            excerpt: None,
        };
        let calls = (1..).zip(rates).map(|(line, rate)| at(Role::Calls, line, *rate));
        let locations = std::iter::once(at(Role::PutsIn, 90, None)).chain(calls).collect();
        Holder { per_1000: 1000.0, locations, ..Holder::default() }
    }

    #[test]
    fn one_call_that_alone_has_the_rate_is_named_and_several_are_listed() {
        let said = |rates: &[Option<f64>]| holder_lines(&holder(rates), GrowthPer::Sessions);
        let sole = said(&[Some(1001.0), Some(3000.0)]);
        assert_eq!(
            sole,
            "filled at `App.php:90`, called from `App.php:1` once per session, as often as it grows; no line empties it"
        );
        let both = said(&[Some(1001.0), Some(995.0), Some(500.0)]);
        assert!(
            both.contains("`App.php:1` once per session, `App.php:2` once per session, `App.php:3` 0.5 times"),
            "{both}"
        );
        assert!(said(&[Some(400.0), Some(2500.0)]).contains("0.4 times per session, `App.php:2` 2.5 times"));
        assert!(said(&[None]).contains("called from `App.php:1`; no line"));
    }
}
