//! What was typed: arguments, their lowering to a plan, the exit codes. Imports all, imported by none.

mod analyze;
mod compare;
mod config;
mod doctor;
mod exit;
mod floors;
mod load;
mod main_job;
mod parse;
mod report;
mod run;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Exit;

use crate::target::watchdog;

/// Launch a server, load it, watch it, profile it, and write one report.
#[derive(Debug, Parser)]
#[command(name = "profile-run", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    main_job: main_job::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the load alone, in smtp-source's place
    Load(load::Args),
    /// Watch a process, in the place of watch, ps and lsof
    Watch(watch::Args),
    /// Read profile files, or judge a CSV of floors
    Analyze(analyze::Args),
    /// Write the reports of a run anew
    Report(report::Args),
    /// Compare two runs: what got worse
    Compare(compare::Args),
    /// Say what would spoil a run here, before it is started
    Doctor(doctor::Args),
}

/// Parses, runs, and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let [_, first, id] = arguments.as_slice()
        && first == watchdog::ARGUMENT
    {
        watchdog::main(&id.to_string_lossy());
        return Exit::Held.into();
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::CouldNotRun.into() } else { Exit::Held.into() };
        }
    };
    let outcome = match cli.command {
        Some(Command::Load(args)) => load::run(args),
        Some(Command::Watch(args)) => watch::run(args),
        Some(Command::Analyze(args)) => analyze::run(args),
        Some(Command::Report(args)) => report::run(args),
        Some(Command::Compare(args)) => compare::run(args),
        Some(Command::Doctor(args)) => doctor::run(args),
        None => main_job::run(cli.main_job),
    };
    outcome
        .unwrap_or_else(|error| {
            eprintln!("profile-run: {error:#}");
            Exit::CouldNotRun
        })
        .into()
}
