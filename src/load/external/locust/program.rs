//! Where Locust is, and how it is started.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::load::error::LoadError;

/// A program and its first arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    file: PathBuf,
    arguments: &'static [&'static str],
}

impl Program {
    /// Locust with this file, in the folder that it lies in, without settings of the user's.
    pub fn command(&self, file: &Path) -> Command {
        let mut command = Command::new(&self.file);
        command.args(self.arguments).arg("-f").arg(file);
        command.current_dir(file.parent().unwrap_or(Path::new("/")));
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        // Python would leave its compiled form beside the file.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn is_setting(name: &OsString) -> bool {
    name.to_string_lossy().starts_with("LOCUST_")
}

/// Finds Locust: `locust` on PATH, or Python's module of that name.
///
/// # Errors
/// It is not installed; the text has the line that installs it.
pub fn find() -> Result<Program, LoadError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("locust")).find(|file| is_program(file));
    if let Some(file) = found {
        return Ok(Program { file, arguments: &[] });
    }
    let has_module = Command::new("python3")
        .args(["-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('locust') is None)"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match has_module {
        Ok(status) if status.success() => Ok(Program { file: "python3".into(), arguments: &["-m", "locust"] }),
        _ => Err(LoadError::NoLocust),
    }
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
