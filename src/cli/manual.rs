//! What an installation brings beside the program: completions for shells, and man pages.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::Exit;

/// Arguments of `profile-run completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell that completes
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `profile-run man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// A subcommand, as `load` [default: the program itself]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    page: Option<String>,
    /// Write every page into a folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints what a shell reads to complete.
///
/// # Errors
/// Standard output cannot be written.
pub fn completions(args: &CompletionsArgs, mut program: Command) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "profile-run", &mut text);
    print(&text)
}

/// Prints a man page, or writes all.
///
/// # Errors
/// There is no such subcommand, or the pages cannot be written.
pub fn man(args: &ManArgs, mut program: Command) -> anyhow::Result<Exit> {
    // The pages of subcommands name the program too.
    program.build();
    let names = program.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    let names: Vec<String> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    let Some(folder) = &args.out else {
        let chosen = match &args.page {
            None => program,
            Some(name) => program
                .find_subcommand(name)
                .cloned()
                .with_context(|| format!("there is no command {name}: give one of {}", names.join(", ")))?,
        };
        return print(&page(chosen)?);
    };
    let write = |command: &Command, name: &str| -> anyhow::Result<()> {
        let path = folder.join(format!("{name}.1"));
        let text = page(command.clone())?;
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    };
    make(folder)?;
    write(&program, "profile-run")?;
    for command in program.get_subcommands().filter(|command| names.iter().any(|name| name == command.get_name())) {
        write(command, &format!("profile-run-{}", command.get_name()))?;
    }
    Ok(Exit::Held)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

fn page(command: Command) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    let name = command.get_display_name().unwrap_or("profile-run").to_owned();
    // A page is named by one word.
    Man::new(command.display_name(name.replace(' ', "-"))).render(&mut text)?;
    Ok(text)
}

fn print(text: &[u8]) -> anyhow::Result<Exit> {
    match io::stdout().lock().write_all(text) {
        // `| head` has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Held),
    }
}
