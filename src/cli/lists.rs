//! Lists of names as typed: what may stand in them is known to help and completions.

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};

use crate::model::plan::scenario::BUILT_IN;
use crate::model::plan::{Engine, FailOn, Pass};

/// Names, what help says of them, and what they mean; an old name has no help.
type Names<T> = &'static [(&'static str, &'static str, T)];

/// Who makes the load.
const ENGINES: Names<Engine> = &[
    ("builtin", "This program", Engine::Builtin),
    ("smtp-source", "Postfix's smtp-source, with its limits", Engine::SmtpSource),
    ("command", "What --load-command says, once for each message or session", Engine::Command),
    ("locust", "Locust, in several processes, also on other machines", Engine::Locust),
];

const PASSES: Names<Pass> = &[
    ("measure", "The server as it is: all verdicts come from here", Pass::Measure),
    ("profile", "With Xdebug's profiler on: the flamegraph comes from here", Pass::Profile),
    ("count", "Under valgrind's callgrind: instructions per message; --count adds it", Pass::Count),
    ("clean", "", Pass::Measure),
];

/// Whether the ledger is kept.
const LEDGER: Names<bool> =
    &[("auto", "Where PHP's heap can be read and the budget is a minute or more", true), ("off", "Never", false)];

/// What may make the exit code non-zero.
const FAIL_ON: Names<Option<FailOn>> = &[
    ("leak", "The verdict is leak", Some(FailOn::Leak)),
    ("failed", "The verdict is failed", Some(FailOn::Failed)),
    ("inconclusive", "The verdict is inconclusive", Some(FailOn::Inconclusive)),
    ("errors", "Any refusal or failure under load", Some(FailOn::Errors)),
    ("threshold", "A threshold of the configuration was crossed", Some(FailOn::Threshold)),
    ("regression", "Worse than the baseline", Some(FailOn::Regression)),
    ("none", "Nothing", None),
];

/// The parser of one name of a table.
fn named<T: Copy + Send + Sync + 'static>(table: Names<T>) -> impl TypedValueParser<Value = T> {
    let shown = |(name, help, _): &(&'static str, &'static str, T)| {
        let value = PossibleValue::new(*name);
        if help.is_empty() { value.hide(true) } else { value.help(*help) }
    };
    PossibleValuesParser::new(table.iter().map(shown)).map(|typed| {
        let known = table.iter().find(|(name, ..)| *name == typed);
        known.map(|(.., value)| *value).expect("the parser takes no other name")
    })
}

/// The parser of an engine's name.
pub fn engine() -> impl TypedValueParser<Value = Engine> {
    named(ENGINES)
}

/// The parser of a pass's name.
pub fn pass() -> impl TypedValueParser<Value = Pass> {
    named(PASSES)
}

/// The parser of whether the ledger is kept.
pub fn ledger() -> impl TypedValueParser<Value = bool> {
    named(LEDGER)
}

/// The parser of a word of `--fail-on`; `none` is none.
pub fn fail_on_word() -> impl TypedValueParser<Value = Option<FailOn>> {
    named(FAIL_ON)
}

/// The passes named, each once, in the order in which they run.
pub fn passes(named: &[Pass]) -> Vec<Pass> {
    Pass::ALL.into_iter().filter(|pass| named.contains(pass)).collect()
}

/// What was named; `none` stands alone.
///
/// # Errors
/// `none` beside another.
pub fn fail_on(named: &[Option<FailOn>]) -> Result<Vec<FailOn>, String> {
    if named.contains(&None) && named.len() > 1 {
        return Err("--fail-on: `none` stands alone".to_owned());
    }
    Ok(named.iter().copied().flatten().collect())
}

/// A scenario's name: the built-in ones are shown, those of the configuration are known only when it is read.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioName;

impl TypedValueParser for ScenarioName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value).map(|name| name.trim().to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(["recipe"].into_iter().chain(BUILT_IN).map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_run_in_their_order() {
        assert_eq!(passes(&[Pass::Count, Pass::Profile, Pass::Measure]), Pass::ALL);
    }

    #[test]
    fn none_stands_alone() {
        assert_eq!(fail_on(&[None]), Ok(Vec::new()));
        assert!(fail_on(&[None, Some(FailOn::Leak)]).is_err());
    }
}
