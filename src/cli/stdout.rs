//! Standard output and error that may go away: `profile-run ... | head` is no error, and a run's exit code still tells.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;

/// The first failure of standard output.
static LOST: OnceLock<String> = OnceLock::new();

/// Writes what was formatted. Nobody may read it any more, and then it is lost; that it cannot be written is told by
/// [`lost`].
pub fn out(text: Arguments) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(LOST.set(error.to_string())),
        _ => {}
    }
}

/// Whether standard output is meant where a file is named.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Why a part of the output is missing, where it is.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// As `println!`, by [`out`].
macro_rules! outln {
    ($($text:tt)*) => { $crate::cli::stdout::out(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use outln;

/// Writes what was formatted to standard error; a pipe that nobody reads, or a full disk behind it, ends nothing.
pub fn err(text: Arguments) {
    let _ = std::io::stderr().lock().write_fmt(text);
}

/// As `eprintln!`, by [`err`].
macro_rules! errln {
    ($($text:tt)*) => { $crate::cli::stdout::err(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use errln;
