//! How a run ended, where that decides more than its floors.

use super::capital;
use crate::model::Pass;

/// Only the profile pass was asked for.
pub const NO_VERDICT_ASKED: &str = "No verdict was asked for: this run only took a profile.";

/// Said of a run that counted instructions and was not asked for a verdict.
pub const ONLY_COUNTED: &str = "No verdict was asked for: this run only counted instructions.";

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

/// The lines below a sentence that show what a program printed last; nothing where it printed nothing.
pub fn last_output<S: AsRef<str>>(lines: &[S]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let shown: String = lines.iter().map(|line| format!("\n  {}", line.as_ref())).collect();
    format!("\nits last output:{shown}")
}

/// A run that could not go on, by what its journal says of it: the headline, which stands alone where little is shown,
/// and the lines below it.
pub fn ended_early(said: Option<&str>) -> (String, Vec<String>) {
    let said = said.unwrap_or("The run ended early.");
    let (first, rest) = said.split_once('\n').unwrap_or((said, ""));
    let end = if first.ends_with(|c: char| c.is_alphanumeric() || ")`\"'".contains(c)) { "." } else { "" };
    // What a program printed is indented; what is not is ours.
    let line = |line: &str| match line.strip_prefix("  ") {
        Some(printed) => format!("`{}`", printed.trim()),
        None => capital(line),
    };
    (capital(first) + end, rest.lines().map(line).collect())
}

/// Where a failure happened.
pub fn happened_in(scenario: &str, wave: u32, pass: Pass) -> String {
    format!("It happened in `{scenario}`, wave {wave}, of the {} pass.", pass.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_of_an_early_end_is_a_whole_sentence() {
        let said = format!("the server ended (exit code 1){}", last_output(&["boo:", "hoo"]));
        let (headline, lines) = ended_early(Some(&said));
        assert_eq!(headline, "The server ended (exit code 1).");
        assert_eq!(lines, ["Its last output:", "`boo:`", "`hoo`"]);
        let silent = format!("--before `false` failed (exit code 1){}", last_output::<&str>(&[]));
        assert_eq!(ended_early(Some(&silent)).1, Vec::<String>::new());
    }
}
