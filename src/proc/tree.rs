//! The processes of the machine and who descends from whom.

use std::fs::File;
use std::io::Read;

use super::{Error, Process, Stat};

/// One process of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Process id.
    pub pid: i32,
    /// Parent's pid.
    pub ppid: i32,
    /// Session.
    pub session: i32,
    /// Start time after boot, clock ticks.
    pub start: u64,
    /// State letter; `Z` once all of it has ended.
    pub state: char,
}

/// All processes at one moment (each read by itself, so a fork meanwhile may be missed once).
#[derive(Debug, Clone, Default)]
pub struct Tree {
    entries: Vec<Entry>,
}

impl Tree {
    /// Reads every `/proc/PID/stat`: three system calls a process.
    pub fn scan() -> Result<Self, Error> {
        let folder = std::fs::read_dir("/proc").map_err(|source| Error::Read { path: "/proc".to_owned(), source })?;
        let mut entries = Vec::new();
        let mut path = String::new();
        // Longer than any line: fifty numbers of at most twenty digits.
        let mut text = [0u8; 2048];
        for entry in folder.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().filter(|name| name.bytes().all(|b| b.is_ascii_digit())) else { continue };
            path.clear();
            path.extend(["/proc/", pid, "/stat"]);
            // A process that ended between the listing and the read is no error.
            let Ok(length) = File::open(&path).and_then(|mut file| file.read(&mut text)) else { continue };
            let Ok(stat) = Stat::parse(&text[..length]) else { continue };
            let Stat { pid, ppid, session, start, .. } = stat;
            // What its living threads do, their own lines would tell.
            let state = if stat.outlives_first_thread() { 'S' } else { stat.state };
            entries.push(Entry { pid, ppid, session, start, state });
        }
        Ok(Self::new(entries))
    }

    /// A tree of given processes.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The process with this pid.
    pub fn get(&self, pid: i32) -> Option<&Entry> {
        self.entries.iter().find(|e| e.pid == pid)
    }

    /// All processes.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All pids.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.entries.iter().map(|e| e.pid)
    }

    /// How many processes have `pid` as their parent, zombies included.
    pub fn children(&self, pid: i32) -> u32 {
        self.entries.iter().filter(|e| e.ppid == pid).count() as u32
    }

    /// `root` and all that descend from it, `root` first, zombies included.
    pub fn descendants(&self, root: i32) -> Vec<i32> {
        self.below(self.get(root).map(|e| e.pid).into_iter().collect(), &[])
    }

    /// `family` and all that descend from it, parents before children; `except` and what is below it alone is left out.
    pub fn below(&self, mut family: Vec<i32>, except: &[i32]) -> Vec<i32> {
        let mut next = 0;
        while next < family.len() {
            let parent = family[next];
            next += 1;
            for e in self.entries.iter().filter(|e| e.ppid == parent) {
                if !family.contains(&e.pid) && !except.contains(&e.pid) {
                    family.push(e.pid);
                }
            }
        }
        family
    }
}

/// The effective user of a process, which no right is needed to see; `None` once it is gone.
pub fn user_of(pid: i32) -> Option<u32> {
    let status = Process::open(pid).and_then(|process| process.read("status")).ok()?;
    let text = String::from_utf8_lossy(&status).into_owned();
    text.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok())
}

/// Whether there is a process with this pid, one that ended and was not waited for included.
pub fn is_there(pid: i32) -> bool {
    Process::open(pid).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(i32, i32)]) -> Tree {
        let entry = |&(pid, ppid)| Entry { pid, ppid, session: 1, start: 7, state: 'S' };
        Tree::new(links.iter().map(entry).collect())
    }

    #[test]
    fn descendants_in_any_order_of_pids() {
        // 100 → 50 → 300 → 20; 60 is a stranger.
        let tree = tree(&[(1, 0), (20, 300), (50, 100), (60, 1), (100, 1), (300, 50)]);
        assert_eq!(tree.descendants(100), [100, 50, 300, 20]);
        assert_eq!(tree.descendants(999), Vec::<i32>::new());
    }
}
