//! How a run ended, where that decides more than its floors.

use super::capital;
use crate::model::Pass;

/// Only the profile pass was asked for.
pub const NO_VERDICT_ASKED: &str = "No verdict was asked for: this run only took a profile.";

/// Of all that was sent nothing was taken.
pub const ACCEPTED_NOTHING: &str =
    "The server accepted nothing: no session of the run was completed as its scenario expects.";

/// The run stopped before its end: by this signal, or without a word.
pub fn interrupted(signal: Option<&str>) -> String {
    let how = signal.map_or("cut off".to_owned(), |signal| format!("interrupted by {signal}"));
    format!("The run was {how}; this is what there was by then.")
}

/// The verdict of a run that stopped before its end.
pub fn not_carried_to_its_end(clean_so_far: bool) -> &'static str {
    match clean_so_far {
        true => "Not decided: the run was not carried to its end. What was judged by then is clean.",
        false => "Not decided: the run was not carried to its end.",
    }
}

/// A run that could not go on, by what its journal says of it: the headline, and the lines below it.
pub fn ended_early(said: Option<&str>) -> (String, Vec<String>) {
    let said = said.unwrap_or("The run ended early.");
    let (first, rest) = said.split_once('\n').unwrap_or((said, ""));
    (capital(first), rest.lines().map(|line| format!("`{}`", line.trim())).collect())
}

/// Where a failure happened.
pub fn happened_in(scenario: &str, wave: u32, pass: Pass) -> String {
    format!("It happened in `{scenario}`, wave {wave}, of the {} pass.", pass.name())
}
