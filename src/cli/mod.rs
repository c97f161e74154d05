//! What was typed: arguments, their lowering to a plan, the exit codes. Imports all, imported by none.

mod against;
mod analyze;
mod bisect;
mod compare;
mod config;
mod config_checks;
mod doctor;
mod exit;
mod export;
mod fleet;
mod hidden;
mod lists;
mod load;
mod main_job;
mod manual;
mod names;
mod outputs;
mod parse;
mod profile_summary;
mod report;
mod run;
mod stdout;
mod watch;
mod worktree;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::Exit;

use crate::phrase::Redactor;
use crate::server::watchdog;
use stdout::errln;

/// Every exit code, as `--help` shows them.
const EXIT_CODES: &str = "\
Exit codes:
  0    all that was judged held
  1    a verdict failed: leak, threshold, regression
  2    it could not run: usage, environment, a refusal in preflight, command not found
  3    the server failed: exited at once, never ready, crashed, stalled, accepted nothing
  4    inconclusive
  130  interrupted
  125  with --bisect: this commit tells nothing (2, 3, 4 and 130 of above)
--fail-on chooses what of 1, 3 and 4 counts. After 1, 3, 4 and 130 there is a report all the same.
load:    0 all that was asked was done, 1 some or all was refused or failed, 3 ended by the stall time-out
analyze: 0 read, also where a file is incomplete, 2 nothing was readable; for a CSV of floors as in a run
compare: 0 nothing is worse, 1 something is, 4 nothing could be judged
bisect:  0 found (the commit, or the few that cannot be told apart), 2 an end of the search is not as it was said
watch:   2 there is no such process";

/// Launch a server, load it, watch it, profile it, and write one report.
#[derive(Debug, Parser)]
#[command(name = "profile-run", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
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
    /// Find the commit that brought a leak
    Bisect(Box<bisect::Args>),
    /// Say what would spoil a run here, before it is started
    Doctor(doctor::Args),
    /// Print what a shell needs to complete commands and options
    Completions(manual::CompletionsArgs),
    /// Print a man page
    Man(manual::ManArgs),
}

/// Parses, runs, and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let [_, first, id] = arguments.as_slice()
        && first == watchdog::ARGUMENT
    {
        return match watchdog::main(&id.to_string_lossy()) {
            Ok(()) => Exit::Held.into(),
            Err(_) => Exit::CouldNotRun.into(),
        };
    }
    names::by_the_c_library_alone();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            if let Some(line) = with_dashes(&arguments, &error) {
                errln!("profile-run: the server's command stands after --; did you mean\n  {line}");
                return Exit::CouldNotRun.into();
            }
            let _ = error.print();
            return if error.use_stderr() { Exit::CouldNotRun.into() } else { Exit::Held.into() };
        }
    };
    let bisect = cli.command.is_none() && cli.main_job.bisect;
    let outcome = match cli.command {
        Some(Command::Load(args)) => load::run(args),
        Some(Command::Watch(args)) => watch::run(args),
        Some(Command::Analyze(args)) => analyze::run(args),
        Some(Command::Report(args)) => report::run(args),
        Some(Command::Compare(args)) => compare::run(args),
        Some(Command::Bisect(args)) => bisect::run(*args),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Completions(args)) => manual::completions(&args, Cli::command()),
        Some(Command::Man(args)) => manual::man(&args, Cli::command()),
        None => main_job::run(cli.main_job),
    };
    let exit = outcome.unwrap_or_else(|error| {
        // A message may repeat what was typed or what a server said.
        let open = arguments.iter().any(|word| word == "--no-redact");
        let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        errln!("profile-run: {}", Redactor::of_typed(&hidden::hidden(open), &words).text(&chain(&error)));
        Exit::CouldNotRun
    });
    // What the caller asked for did not arrive; a verdict's own code still goes before.
    let exit = match stdout::lost() {
        Some(why) => {
            errln!("profile-run: standard output cannot be written: {why}");
            if exit == Exit::Held { Exit::CouldNotRun } else { exit }
        }
        None => exit,
    };
    if bisect { exit.of_bisection() } else { exit }.into()
}

/// What was typed with `--` where the command begins, for those who left it out.
fn with_dashes(arguments: &[OsString], error: &clap::Error) -> Option<String> {
    use clap::error::ErrorKind;
    if !matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand) {
        return None;
    }
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if words.iter().any(|word| word == "--") {
        return None;
    }
    // The word that clap stumbled over is the command's first, unless it is an option of ours mistyped.
    let stumbled = match error
        .get(clap::error::ContextKind::InvalidArg)
        .or(error.get(clap::error::ContextKind::InvalidSubcommand))
    {
        Some(clap::error::ContextValue::String(word)) => word.clone(),
        _ => return None,
    };
    let at = words.iter().skip(1).position(|word| *word == stumbled)? + 1;
    if stumbled.starts_with('-') || words[1..at].iter().any(|word| Cli::command().find_subcommand(word).is_some()) {
        return None;
    }
    let before = std::iter::once("profile-run").chain(words[1..at].iter().map(String::as_str)).chain(["--"]);
    Some(crate::model::shell::line(before.chain(words[at..].iter().map(String::as_str))))
}

/// An error and its causes; one that is told by the message before it is not told twice.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
