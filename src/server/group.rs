//! A control group of the second version for the tree, where one may be made. It adds no limit: its
//! list names every process of the tree, and one write kills all of them at once.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::proc::{Process, unified_group};

/// What its name begins with; the run's id follows.
pub const PREFIX: &str = "profile-run-";

/// A group that this process made.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    entrance: File,
}

impl Group {
    /// Makes a group below our own. `None` where that may not be: no second version mounted (also not
    /// beside the first), a file system that is read-only, no rights.
    pub fn create(id: &str) -> Option<Self> {
        let own = unified_group(&Process::open(std::process::id() as i32).ok()?).ok()??;
        let path = own.join(format!("{PREFIX}{id}"));
        fs::create_dir(&path).ok()?;
        match OpenOptions::new().write(true).open(path.join("cgroup.procs")) {
            Ok(entrance) => Some(Self { path, entrance }),
            Err(_) => {
                let _ = fs::remove_dir(&path);
                None
            }
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `cgroup.procs`, open for writing: who writes 0 there moves in.
    pub fn entrance(&self) -> BorrowedFd<'_> {
        self.entrance.as_fd()
    }

    /// Kills every process in it (Linux 5.14 and later; before, nothing happens).
    pub fn kill(&self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Removes it. The kernel may need a moment after the last process.
    pub fn remove(self) {
        for _ in 0..20 {
            if fs::remove_dir(&self.path).is_ok() || !self.path.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The processes in the group at `path`; none where it cannot be read.
pub fn members(path: &Path) -> Vec<i32> {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}
