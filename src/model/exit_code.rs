//! The exit codes, documented where they are defined.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the program ends. Scripts rely on these numbers; result.json carries the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: all held.
    #[default]
    Held,
    /// 1: a verdict failed (leak, threshold, regression); `load`: some or all was refused or failed.
    Failed,
    /// 2: could not run (usage, environment, preflight refused, command not found, nothing readable).
    CouldNotRun,
    /// 3: the target failed (exited at once, never ready, crashed, stalled, accepted nothing).
    TargetFailed,
    /// 4: not decided.
    Inconclusive,
    /// 125: of a bisection, this commit tells nothing. No result carries it.
    Skipped,
    /// 130: interrupted.
    Interrupted,
}

impl ExitCode {
    /// All of them.
    pub const ALL: [ExitCode; 7] = [
        ExitCode::Held,
        ExitCode::Failed,
        ExitCode::CouldNotRun,
        ExitCode::TargetFailed,
        ExitCode::Inconclusive,
        ExitCode::Skipped,
        ExitCode::Interrupted,
    ];

    /// As `git bisect run` reads it: 0 is good, 1 is bad, and every other commit is skipped.
    pub fn of_bisection(self) -> Self {
        match self {
            ExitCode::Held | ExitCode::Failed => self,
            _ => ExitCode::Skipped,
        }
    }

    /// The process's exit status.
    pub fn code(self) -> u8 {
        match self {
            ExitCode::Held => 0,
            ExitCode::Failed => 1,
            ExitCode::CouldNotRun => 2,
            ExitCode::TargetFailed => 3,
            ExitCode::Inconclusive => 4,
            ExitCode::Skipped => 125,
            ExitCode::Interrupted => 130,
        }
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

impl JsonSchema for ExitCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExitCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ExitCode::ALL.map(ExitCode::code) })
    }
}

impl<'de> Deserialize<'de> for ExitCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = u8::deserialize(deserializer)?;
        let known = ExitCode::ALL.into_iter().find(|exit| exit.code() == code);
        known.ok_or_else(|| serde::de::Error::custom(format!("{code} is not an exit code of profile-run")))
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(exit: ExitCode) -> Self {
        std::process::ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bisection_knows_three_answers() {
        let answers = ExitCode::ALL.map(|exit| exit.of_bisection().code());
        assert_eq!(answers, [0, 1, 125, 125, 125, 125, 125]);
    }

    #[test]
    fn the_number_is_written_and_read() {
        for exit in ExitCode::ALL {
            let text = serde_json::to_string(&exit).unwrap();
            assert_eq!(text, exit.code().to_string());
            assert_eq!(serde_json::from_str::<ExitCode>(&text).unwrap(), exit);
        }
        assert!(serde_json::from_str::<ExitCode>("7").is_err());
    }
}
