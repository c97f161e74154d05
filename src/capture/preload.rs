//! The libraries that give forked processes profiles or counts of their own: they travel inside the program, are written
//! into the run's folder, and are tried on the php in question before anything depends on them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Compiled from `fork.c`; empty where the build had no compiler for it.
static FORK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fork.so"));

/// Compiled from `count.c`, likewise.
static COUNT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/count.so"));

/// Asks the library for a sign that it was loaded.
const TRIAL: &str = "PROFILE_RUN_PRELOAD_TRIAL";

/// How long a trial may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why forked processes will share their parent's profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This program was built without it.
    #[error("this program was built without the library that tells forked processes apart")]
    NotBuilt,
    /// The file could not be written.
    #[error("{path}: {reason}", path = path.display())]
    NotWritten {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The loader does not take it: a static php, one of another C library, a folder that holds no programs.
    #[error(
        "{php} does not load the library that tells forked processes apart (a static php, or one of another C library)",
        php = php.display()
    )]
    NotLoaded {
        /// The php that was tried.
        php: PathBuf,
    },
}

/// The library, ready for a php.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separate {
    /// What `LD_PRELOAD` has to hold.
    pub preload: String,
}

impl Separate {
    /// Writes the library of the profile pass into a folder and tries it with a php. `before` is what `LD_PRELOAD` holds
    /// already.
    ///
    /// # Errors
    /// [`Refused`], with the reason: the pass goes on without it.
    pub fn profiles(folder: &Path, php: &Path, before: Option<&str>) -> Result<Separate, Refused> {
        Self::prepare(FORK, &folder.join("profile-run-fork.so"), php, before)
    }

    /// The same with that of the count pass.
    ///
    /// # Errors
    /// As there.
    pub fn counts(folder: &Path, php: &Path, before: Option<&str>) -> Result<Separate, Refused> {
        Self::prepare(COUNT, &folder.join("profile-run-count.so"), php, before)
    }

    fn prepare(library: &[u8], path: &Path, php: &Path, before: Option<&str>) -> Result<Separate, Refused> {
        if library.is_empty() {
            return Err(Refused::NotBuilt);
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let refused = |reason: &str| Refused::NotWritten { path: path.to_owned(), reason: reason.to_owned() };
        let text = path.to_str().filter(|text| !text.contains([' ', ':', '\t', '$']));
        let text = text.ok_or_else(|| refused("the loader takes no path with blanks, colons or dollar signs"))?;
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, library));
        written.map_err(|error| refused(&error.to_string()))?;
        if !is_loaded(php, text, &folder.join("loaded")) {
            return Err(Refused::NotLoaded { php: php.to_owned() });
        }
        let preload = match before.filter(|before| !before.is_empty()) {
            Some(before) => format!("{text}:{before}"),
            None => text.to_owned(),
        };
        Ok(Separate { preload })
    }
}

/// Starts php with the library, and looks for the sign.
fn is_loaded(php: &Path, library: &str, sign: &Path) -> bool {
    let _ = std::fs::remove_file(sign);
    let started = Command::new(php)
        // PHP 7 ends with 254 where there is no code at all.
        .args(["-n", "-r", ";"])
        .env("LD_PRELOAD", library)
        .env(TRIAL, sign)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return false };
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    let loaded = sign.exists();
    let _ = std::fs::remove_file(sign);
    ended && loaded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_no_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Separate::profiles(folder.path(), Path::new("/nowhere/php"), None);
        assert!(matches!(refused, Err(Refused::NotLoaded { .. } | Refused::NotBuilt)), "{refused:?}");
        let refused = Separate::profiles(&folder.path().join("a b"), Path::new("php"), None);
        assert!(matches!(refused, Err(Refused::NotWritten { .. } | Refused::NotBuilt)), "{refused:?}");
    }

    #[test]
    fn a_php_that_refuses_empty_code_is_tried_with_some() {
        let folder = tempfile::tempdir().unwrap();
        let php = folder.path().join("php");
        // Written by another process: one that this one still has open could not be started.
        let script = "printf '#!/bin/sh\ntest -n \"$3\"\n' >\"$0\" && chmod +x \"$0\"";
        assert!(Command::new("sh").args(["-c", script]).arg(&php).status().unwrap().success());
        let tried = Separate::profiles(folder.path(), &php, None);
        assert!(matches!(tried, Ok(_) | Err(Refused::NotBuilt)), "{tried:?}");
    }
}
