//! Lists of names as typed: what may stand in them is known to help and completions.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};

use crate::model::plan::scenario::BUILT_IN;
use crate::model::plan::{Engine, FailOn, Pass};

/// Who makes the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineName {
    /// This program
    Builtin,
    /// Postfix's smtp-source, with its limits
    SmtpSource,
    /// What --load-command says, once for each message or session
    Command,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Builtin => Engine::Builtin,
            EngineName::SmtpSource => Engine::SmtpSource,
            EngineName::Command => Engine::Command,
        }
    }
}

/// A pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum PassName {
    /// The server as it is: all verdicts come from here
    #[value(alias = "clean")]
    Measure,
    /// With Xdebug's profiler on: the flamegraph comes from here
    Profile,
}

/// The passes named, each once, in the order in which they run.
pub fn passes(names: &[PassName]) -> Vec<Pass> {
    let has = |name| names.contains(&name);
    let pass = |name, pass| has(name).then_some(pass);
    [pass(PassName::Measure, Pass::Measure), pass(PassName::Profile, Pass::Profile)].into_iter().flatten().collect()
}

/// What may make the exit code non-zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOnName {
    /// The verdict is leak
    Leak,
    /// The verdict is failed
    Failed,
    /// The verdict is inconclusive
    Inconclusive,
    /// Any refusal or failure under load
    Errors,
    /// A threshold of the configuration was crossed
    Threshold,
    /// Worse than the baseline
    Regression,
    /// Nothing
    None,
}

/// What was named; `none` stands alone.
///
/// # Errors
/// `none` beside another.
pub fn fail_on(names: &[FailOnName]) -> Result<Vec<FailOn>, String> {
    if names.contains(&FailOnName::None) && names.len() > 1 {
        return Err("--fail-on: `none` stands alone".to_owned());
    }
    let meant = |name: &FailOnName| match name {
        FailOnName::Leak => Some(FailOn::Leak),
        FailOnName::Failed => Some(FailOn::Failed),
        FailOnName::Inconclusive => Some(FailOn::Inconclusive),
        FailOnName::Errors => Some(FailOn::Errors),
        FailOnName::Threshold => Some(FailOn::Threshold),
        FailOnName::Regression => Some(FailOn::Regression),
        FailOnName::None => None,
    };
    Ok(names.iter().filter_map(meant).collect())
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
        assert_eq!(passes(&[PassName::Profile, PassName::Measure]), [Pass::Measure, Pass::Profile]);
    }

    #[test]
    fn none_stands_alone() {
        assert_eq!(fail_on(&[FailOnName::None]), Ok(Vec::new()));
        assert!(fail_on(&[FailOnName::None, FailOnName::Leak]).is_err());
    }
}
