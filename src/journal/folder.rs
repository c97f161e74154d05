//! Where everything of a run lies, and how a new run's folder is made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Errors of a run's folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It exists and holds something.
    #[error("{path} is not empty: give --out another folder, or empty this one", path = .0.display())]
    NotEmpty(PathBuf),
    /// It is no folder.
    #[error("{path} is not a folder: give --out another path", path = .0.display())]
    NotAFolder(PathBuf),
    /// It cannot be made or written.
    #[error("{path} cannot be written: {source}. Give --out a folder that you may write", path = path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no journal.
    #[error("{path} is no run: {why}", path = path.display())]
    NoRun {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
}

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// It is not empty, no folder, or cannot be written.
    pub fn create(root: &Path) -> Result<Self, FolderError> {
        let unwritable = |source| FolderError::Unwritable { path: root.to_path_buf(), source };
        match fs::read_dir(root) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(FolderError::NotEmpty(root.to_path_buf()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if root.exists() && !root.is_dir() => return Err(FolderError::NotAFolder(root.to_path_buf())),
            Err(error) => return Err(unwritable(error)),
        }
        fs::create_dir_all(root.join("profile")).map_err(unwritable)?;
        fs::create_dir_all(root.join("php")).map_err(unwritable)?;
        // Absolute, as the server may run elsewhere.
        let root = root.canonicalize().map_err(unwritable)?;
        Ok(Self { root })
    }

    /// Opens the folder of a run that was made before; a file inside it will do.
    ///
    /// # Errors
    /// There is no journal in it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let no_run = |why: &str| FolderError::NoRun { path: path.to_path_buf(), why: why.to_owned() };
        let root = if path.is_file() { path.parent().unwrap_or(Path::new(".")) } else { path };
        let root = root.canonicalize().map_err(|error| no_run(&error.to_string()))?;
        if !root.join("journal.jsonl").is_file() {
            return Err(no_run(
                "there is no journal.jsonl in it; give the folder that a run wrote (profile-run-out/...)",
            ));
        }
        Ok(Self { root })
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `journal.jsonl`.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// `samples.jsonl`.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples.jsonl")
    }

    /// `target.PASS.log`, written by the target itself.
    pub fn target_log(&self, pass: &str) -> PathBuf {
        self.root.join(format!("target.{pass}.log"))
    }

    /// `profile/`.
    pub fn profile(&self) -> PathBuf {
        self.root.join("profile")
    }

    /// `report.html`.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }
}
