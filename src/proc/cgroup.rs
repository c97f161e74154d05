//! The control group of a process: memory in use, its limit, and kills for want of memory.
//! Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Process};

/// Which hierarchy governs memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// The memory controller of the first version.
    V1,
    /// The unified hierarchy.
    V2,
}

/// What a control group says of memory. Figures count all processes in it, page cache included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Which hierarchy.
    pub version: Version,
    /// The group's folder.
    pub path: PathBuf,
    /// Where the hierarchy is mounted.
    #[serde(skip)]
    mount: PathBuf,
    /// Memory in use, bytes.
    pub current: u64,
    /// The lowest limit of the group and of those above it that can be seen, bytes; `None` without one.
    pub max: Option<u64>,
    /// Processes of the group killed for want of memory so far.
    pub oom_kills: u64,
}

impl Cgroup {
    /// Reads the group that governs the memory of `process`; `None` where there is none to be seen
    /// (no groups in this kernel, no controller mounted, or the group lies outside of this mount).
    pub fn of(process: &Process) -> Result<Option<Self>, Error> {
        let Some(groups) = process.read_if_there("cgroup")? else { return Ok(None) };
        Ok(locate(&String::from_utf8_lossy(&groups), &String::from_utf8_lossy(&our_mounts()?))
            .into_iter()
            .find_map(|(version, mount, path)| Self::read(version, &mount, &path)))
    }

    /// Reads the same group again; it may outlive the process. `None` once it is removed.
    pub fn again(&self) -> Option<Self> {
        Self::read(self.version, &self.mount, &self.path)
    }

    fn read(version: Version, mount: &Path, path: &Path) -> Option<Self> {
        let text = |folder: &Path, name| std::fs::read_to_string(folder.join(name)).ok();
        let number = |folder: &Path, name| text(folder, name)?.trim().parse::<u64>().ok();
        let (current, limit, events) = match version {
            Version::V1 => ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control"),
            Version::V2 => ("memory.current", "memory.max", "memory.events"),
        };
        // A group without the controller is counted in the nearest one above that has it.
        let current = path.ancestors().take_while(|p| p.starts_with(mount)).find_map(|p| number(p, current))?;
        // A limit of nearly 2^63 is how version 1 spells "none"; `max` of version 2 is no number.
        let limits = path.ancestors().take_while(|p| p.starts_with(mount)).filter_map(|p| number(p, limit));
        let max = limits.filter(|&bytes| bytes < 1 << 62).min();
        let oom_kills = path
            .ancestors()
            .take_while(|p| p.starts_with(mount))
            .find_map(|p| text(p, events))
            .and_then(|t| t.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok()))
            .unwrap_or(0);
        Some(Self { version, path: path.to_owned(), mount: mount.to_owned(), current, max, oom_kills })
    }
}

/// The folder of the unified hierarchy's group that `process` is in, also where that hierarchy is mounted beside those of
/// the first version; `None` where it is not mounted.
pub fn unified_group(process: &Process) -> Result<Option<PathBuf>, Error> {
    let Some(groups) = process.read_if_there("cgroup")? else { return Ok(None) };
    let all = locate(&String::from_utf8_lossy(&groups), &String::from_utf8_lossy(&our_mounts()?));
    Ok(all.into_iter().find(|(version, ..)| *version == Version::V2).map(|(_, _, path)| path))
}

/// What is mounted where for us, who read the files: a process in a container has mounts of its own.
fn our_mounts() -> Result<Vec<u8>, Error> {
    Process::open(std::process::id() as i32)?.read("mountinfo")
}

/// Candidates (version, mount point, folder of the group), the unified hierarchy first.
fn locate(groups: &str, mounts: &str) -> Vec<(Version, PathBuf, PathBuf)> {
    let mut out = Vec::new();
    for (version, filesystem) in [(Version::V2, "cgroup2"), (Version::V1, "cgroup")] {
        let group = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let ours = match version {
                Version::V2 => controllers.is_empty(),
                Version::V1 => controllers.split(',').any(|c| c == "memory"),
            };
            ours.then_some(path)
        });
        let Some(group) = group else { continue };
        for line in mounts.lines() {
            // ... root mountpoint options [optional]... - type source superoptions
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let mut right = right.split(' ');
            let (kind, _, options) = (right.next(), right.next(), right.next().unwrap_or_default());
            if kind != Some(filesystem) || version == Version::V1 && !options.split(',').any(|o| o == "memory") {
                continue;
            }
            let mut left = left.split(' ').skip(3);
            let (Some(root), Some(mount)) = (left.next(), left.next()) else { continue };
            let Some(below) = Path::new(group).strip_prefix(root).ok().or_else(|| {
                // In a group namespace both are relative to the namespace's own root.
                (root == "/").then(|| Path::new(group.trim_start_matches('/')))
            }) else {
                continue;
            };
            if below.starts_with("..") {
                continue;
            }
            let mount = PathBuf::from(mount);
            let path = if below.as_os_str().is_empty() { mount.clone() } else { mount.join(below) };
            out.push((version, mount, path));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &str, mounts: &str) -> Vec<(Version, String)> {
        locate(groups, mounts).into_iter().map(|(v, _, path)| (v, path.display().to_string())).collect()
    }

    #[test]
    fn unified_on_a_host_and_in_a_container() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(
            found("0::/system.slice/smtp.service\n", mounts),
            [(Version::V2, "/sys/fs/cgroup/system.slice/smtp.service".to_owned())]
        );
        assert_eq!(found("0::/\n", mounts), [(Version::V2, "/sys/fs/cgroup".to_owned())]);
        // A process outside of our group namespace cannot be read.
        assert_eq!(found("0::/../other\n", mounts), []);
    }

    #[test]
    fn the_memory_controller_of_version_1() {
        let groups = "5:cpu:/\n4:memory:/docker/abc/worker\n0::/\n";
        let mounts = "41 30 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            42 30 0:31 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        assert_eq!(found(groups, mounts), [(Version::V1, "/sys/fs/cgroup/memory/worker".to_owned())]);
    }

    #[test]
    fn figures_and_the_lowest_limit_above() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("a/b");
        std::fs::create_dir_all(&group).unwrap();
        let put = |path: &Path, name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
        put(&group, "memory.current", "4096\n");
        put(&group, "memory.max", "max\n");
        put(&group, "memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 0\n");
        put(&folder.path().join("a"), "memory.max", "1048576\n");
        let read = Cgroup::read(Version::V2, folder.path(), &group).unwrap();
        assert_eq!((read.current, read.max, read.oom_kills), (4096, Some(1_048_576), 1));
        // A group below it that has no controller of its own.
        let bare = group.join("c");
        std::fs::create_dir(&bare).unwrap();
        let read = Cgroup::read(Version::V2, folder.path(), &bare).unwrap();
        assert_eq!((read.current, read.max), (4096, Some(1_048_576)));
        assert_eq!(Cgroup::read(Version::V1, folder.path(), &group), None);
    }
}
