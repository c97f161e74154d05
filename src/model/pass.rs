//! The passes of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the passes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// The server as it is, Xdebug off: all leak, throughput and latency verdicts. Called `clean` up to schema 1.
    #[serde(alias = "clean")]
    Measure,
    /// A fresh start under Xdebug's profiler: the call tree.
    Profile,
    /// Starts of the server as it is under valgrind's callgrind, one session at a time: instructions per message.
    Count,
}

impl Pass {
    /// All, in the order in which they run.
    pub const ALL: [Pass; 3] = [Pass::Measure, Pass::Profile, Pass::Count];

    /// `measure`, `profile` or `count`.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Measure => "measure",
            Pass::Profile => "profile",
            Pass::Count => "count",
        }
    }

    /// The pass of a name; `clean` is the old name of the first.
    pub fn from_name(name: &str) -> Option<Pass> {
        match name {
            "measure" | "clean" => Some(Pass::Measure),
            "profile" => Some(Pass::Profile),
            "count" => Some(Pass::Count),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_name_is_understood_and_no_longer_written() {
        assert_eq!(serde_json::from_str::<Pass>(r#""clean""#).unwrap(), Pass::Measure);
        assert_eq!(serde_json::to_string(&Pass::Measure).unwrap(), r#""measure""#);
        for pass in Pass::ALL {
            assert_eq!(Pass::from_name(pass.name()), Some(pass));
        }
        assert_eq!(Pass::from_name("clean"), Some(Pass::Measure));
    }
}
