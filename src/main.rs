//! The program: parse, run, and turn what came of it into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    profile_run::cli::main(std::env::args_os())
}
