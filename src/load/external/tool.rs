//! The tools themselves: what each means by a scenario, and how a load is run with it.

use crate::model::load_stats::LoadStats;
use crate::model::plan::Engine;
use crate::model::plan::scenario::{Depth, Ending, Expect, PerConnection, Scenario};

use super::super::error::LoadError;
use super::super::job::{Control, Job};
use super::super::play::{self, Recording};
use super::locust::Locust;
use super::{runs, source_run};

/// What makes the load in place of the built-in engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// Postfix's smtp-source, started once a load.
    SmtpSource,
    /// A shell command, run once for each unit of work; `{host}`, `{port}`, `{from}`, `{to}`, `{number}` in it
    /// are filled in.
    Command(String),
    /// A recorded conversation, played as it stands.
    Script(Recording),
    /// Locust's workers, which are there already.
    Locust(Locust),
}

impl Tool {
    /// The tool of `engine` where that is started for each load; none for the built-in one, and for Locust, whose
    /// workers have to be called first. `command` is that of the command engine.
    pub fn of(engine: Engine, command: Option<&str>) -> Option<Self> {
        match engine {
            Engine::Builtin | Engine::Locust => None,
            Engine::SmtpSource => Some(Tool::SmtpSource),
            Engine::Command => Some(Tool::Command(command.unwrap_or_default().to_owned())),
        }
    }

    /// The scenario as this tool means it. A command's work is counted in runs, which stand as sessions: how
    /// often and how many at once is kept of the scenario, all else is the command's own.
    pub fn scenario(&self, scenario: &Scenario) -> Scenario {
        match self {
            Tool::SmtpSource | Tool::Locust(_) => scenario.clone(),
            Tool::Command(_) | Tool::Script(_) => Scenario {
                until: Depth::Connect,
                ending: Ending::Quit,
                expect: Expect::Accepted,
                per_connection: PerConnection::AtMost(1),
                ..scenario.clone()
            },
        }
    }
}

/// Runs a load with `tool` to its end. Blocking, as the built-in engine's [`run`](crate::load::run).
///
/// # Errors
/// An address that may not be loaded, what the tool cannot do, a program that is not there.
pub fn run_external(job: &Job, tool: &Tool, control: &Control) -> Result<LoadStats, LoadError> {
    // The same rule as for our own sessions: nobody else's machine without a word.
    job.target.resolve(job.options.family, job.options.allow_remote)?;
    match tool {
        Tool::SmtpSource => source_run::run(job, control),
        Tool::Command(command) => runs::run(job, command, control),
        Tool::Script(recording) => play::run(job, recording, control),
        Tool::Locust(locust) => locust.run(job, control),
    }
}
