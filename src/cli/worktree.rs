//! The project under test at another commit, in a work tree of its own that is removed at the end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::server::watchdog::Watchdog;

/// Runs git in a folder; gives what it printed.
///
/// # Errors
/// There is no git, or it refused; the message is its own.
pub fn git<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("git cannot be started: install it")?;
    if !output.status.success() {
        let words = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
        bail!("git {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}

/// A project: its repository, and where in it the command is run.
#[derive(Debug, Clone)]
pub struct Project {
    /// The root of the work tree that the user works in.
    pub root: PathBuf,
    /// From there to the folder that the server runs in.
    pub below: PathBuf,
}

impl Project {
    /// The project that a folder belongs to.
    ///
    /// # Errors
    /// It belongs to no work tree of git.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("{} cannot be entered", folder.display()))?;
        let root = git(&folder, &["rev-parse", "--show-toplevel"])
            .with_context(|| format!("{} is in no work tree of git", folder.display()))?;
        let root = Path::new(&root).canonicalize().with_context(|| format!("{root} cannot be entered"))?;
        let below = folder.strip_prefix(&root).unwrap_or(Path::new("")).to_path_buf();
        Ok(Self { root, below })
    }

    /// The full name of a commit.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn commit(&self, name: &str) -> anyhow::Result<String> {
        let named = format!("{name}^{{commit}}");
        git(&self.root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named])
            .map_err(|_| anyhow::anyhow!("{name} is no commit of {}", self.root.display()))
    }

    /// `abc1234 Subject of the commit`.
    pub fn title(&self, commit: &str) -> String {
        git(&self.root, &["log", "-1", "--format=%h %s", commit]).unwrap_or_else(|_| commit.to_owned())
    }

    /// Refuses a command that names files of this work tree outright: they stay as they are, whatever is checked out.
    ///
    /// # Errors
    /// A word of it does.
    pub fn is_relative(&self, command: &[String]) -> anyhow::Result<()> {
        for word in command {
            let path = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
            let named = Path::new(path);
            if named.is_absolute() && named.canonicalize().is_ok_and(|named| named.starts_with(&self.root)) {
                bail!("{word} stays the same whatever is checked out: name it relative to {}", self.root.display());
            }
        }
        Ok(())
    }
}

/// A work tree beside the user's own.
#[derive(Debug)]
pub struct Worktree {
    root: PathBuf,
    folder: tempfile::TempDir,
    _watchdog: Watchdog,
}

impl Worktree {
    /// Makes one at a commit.
    ///
    /// # Errors
    /// There is no room for it, or git refuses.
    pub fn add(project: &Project, commit: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("profile-run-tree.").tempdir().context("no temporary folder")?;
        let id = format!("{}-tree", std::process::id());
        let watchdog = Watchdog::start(&id).context("the watchdog of the work tree cannot be started")?;
        watchdog.remove_at_end(folder.path());
        // What is left of one whose program was killed.
        let _ = git(&project.root, &["worktree", "prune"]);
        let tree = Self { root: project.root.clone(), folder, _watchdog: watchdog };
        let place = tree.place();
        let words = ["worktree", "add", "--quiet", "--detach", "--force"].map(OsStr::new);
        git(&project.root, &[&words[..], &[place.as_os_str(), OsStr::new(commit)]].concat())?;
        Ok(tree)
    }

    /// Where it is.
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Checks out another commit; nothing stays of the one before, nor of what ran there.
    ///
    /// # Errors
    /// Git refuses.
    pub fn check_out(&self, commit: &str) -> anyhow::Result<()> {
        git(&self.place(), &["clean", "-ffdxq"])?;
        git(&self.place(), &["checkout", "--quiet", "--detach", "--force", commit])?;
        git(&self.place(), &["clean", "-ffdxq"])?;
        Ok(())
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let place = self.place();
        let words = ["worktree", "remove", "--force"].map(OsStr::new);
        let _ = git(&self.root, &[&words[..], &[place.as_os_str()]].concat());
        let _ = std::fs::remove_dir_all(self.folder.path());
        let _ = git(&self.root, &["worktree", "prune"]);
    }
}
