//! Projects in git with a history that is known: a server, commits that change nothing that matters, some that do not
//! start, and one that brings a leak.

#![allow(dead_code)] // each test uses a part of it

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the leak is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leak {
    /// A property of the mailbox, a string per message.
    Property,
    /// A static variable, an array per session.
    Static,
    /// A list that was emptied is no more: the line that took out is gone.
    NeverRemoved,
    /// A file that stays open per message.
    Descriptor,
    /// No commit brings any.
    Nowhere,
}

/// What a history has.
pub struct Plan<'a> {
    pub commits: usize,
    /// The commit that brings the leak, counted from 0.
    pub culprit: usize,
    /// Those that do not start.
    pub broken: &'a [usize],
    pub leak: Leak,
}

/// A project with its history.
pub struct History {
    pub folder: tempfile::TempDir,
    /// Full names, the oldest first.
    pub commits: Vec<String>,
}

/// Runs git in a folder.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(std::fs::copy(entry.path(), place).unwrap()),
        }
    }
}

/// A file of the server and two texts of it: before and after.
fn change(leak: Leak) -> Option<(&'static str, &'static str, &'static str)> {
    const DELIVERED: &str = "        $this->delivered++;\n";
    Some(match leak {
        Leak::Property => (
            "src/Mailbox.php",
            DELIVERED,
            "        $this->delivered++;\n        $this->recent[] = str_repeat('x', 1000) . $this->delivered;\n",
        ),
        Leak::Static => (
            "src/Server.php",
            "        $session->begin();\n",
            "        static $seen = [];\n        $seen[$session->id()] = range(1, 100);\n        $session->begin();\n",
        ),
        Leak::NeverRemoved => ("src/Server.php", "            $this->last = array_slice($this->last, -10);\n", ""),
        Leak::Descriptor => (
            "src/Mailbox.php",
            DELIVERED,
            "        $this->delivered++;\n        $this->files[] = fopen('/etc/hostname', 'r');\n",
        ),
        Leak::Nowhere => return None,
    })
}

impl History {
    /// Writes a project's history.
    pub fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/smtp-server"), root);
        let edit = |file: &str, from: &str, to: &str| {
            let path = root.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} has {from:?}");
            std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        };
        // What the leaks are written into is there from the start.
        let begin = "    private int $process;\n";
        edit(
            "src/Mailbox.php",
            begin,
            &format!("{begin}    public array $recent = [];\n    public array $files = [];\n"),
        );
        edit(
            "src/Server.php",
            "        $session->begin();\n",
            "        $session->begin();\n            $this->last[] = str_repeat('y', 900);\n            \
             $this->last = array_slice($this->last, -10);\n",
        );
        edit("src/Server.php", "    /** Says what", "    public array $last = [];\n\n    /** Says what");
        git(root, &["init", "--quiet", "--initial-branch=main"]);
        let broken: BTreeSet<usize> = plan.broken.iter().copied().collect();
        let mut commits = Vec::new();
        for commit in 0..plan.commits {
            std::fs::write(root.join("NOTES"), format!("{commit}\n")).unwrap();
            if let Some((file, from, to)) = change(plan.leak).filter(|_| commit == plan.culprit) {
                edit(file, from, to);
            }
            let options = root.join("src/Options.php");
            let text = std::fs::read_to_string(&options).unwrap().replace("\nno php at all\n", "");
            let more = if broken.contains(&commit) { "\nno php at all\n" } else { "" };
            std::fs::write(options, text + more).unwrap();
            git(root, &["add", "--all"]);
            git(root, &["commit", "--quiet", "-m", &format!("change {commit}")]);
            commits.push(git(root, &["rev-parse", "HEAD"]));
        }
        Self { folder, commits }
    }

    /// The root of the project.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Searches in it, with further options.
    pub fn bisect(&self, good: &str, bad: &str, out: &Path, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.current_dir(self.root()).args(["bisect", good, bad, "--json", "--budget", "100s", "--out"]).arg(out);
        command.args(options).args(["--", "php", "bin/console", "smtp:serve", "--port", "0"]);
        command
    }

    /// Work trees beside its own.
    pub fn other_trees(&self) -> Vec<PathBuf> {
        let listed = git(self.root(), &["worktree", "list", "--porcelain"]);
        let trees = listed.lines().filter_map(|line| line.strip_prefix("worktree "));
        let own = self.root().canonicalize().unwrap();
        trees.map(PathBuf::from).filter(|tree| tree.canonicalize().map_or(true, |tree| tree != own)).collect()
    }
}

/// The set that a search may come down to: the first commit that starts from the culprit on, and those before it that
/// cannot be told from it.
pub fn suspects(plan: &Plan) -> Vec<usize> {
    let broken = |commit: &usize| plan.broken.contains(commit);
    let last = (plan.culprit..plan.commits).find(|commit| !broken(commit)).unwrap();
    let first = (0..plan.culprit).rev().find(|commit| !broken(commit)).unwrap() + 1;
    (first..=last).collect()
}
