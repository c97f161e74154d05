//! Copies of recorded runs that a test may write into.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A copy of a run of `fixtures/runs`.
pub struct Recorded {
    _place: TempDir,
    /// Its folder.
    pub folder: PathBuf,
}

impl Recorded {
    /// The run of this name.
    pub fn run(name: &str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("run");
        fs::create_dir(&folder).expect("a folder");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runs").join(name);
        for file in ["journal.jsonl", "samples.jsonl"] {
            fs::copy(fixture.join(file), folder.join(file)).expect("a file of the run");
        }
        Self { _place: place, folder }
    }

    /// Changes the line of its plan: plan and settings.
    pub fn with_plan(self, change: impl FnOnce(&mut Value)) -> Self {
        let journal = fs::read_to_string(self.folder.join("journal.jsonl")).expect("a journal");
        let (mut change, mut out) = (Some(change), String::new());
        for line in journal.lines() {
            let mut line: Value = serde_json::from_str(line).expect("JSON");
            if line["event"] == "plan" {
                change.take().expect("one plan")(&mut line);
            }
            out.push_str(&format!("{line}\n"));
        }
        fs::write(self.folder.join("journal.jsonl"), out).expect("a journal");
        self
    }

    /// Writes its reports, which must succeed, and gives back its result.
    #[track_caller]
    pub fn report(&self) -> Value {
        let output = profile_run(&["report"], &[&self.folder]);
        assert!(output.status.success(), "{}", text(&output));
        self.result()
    }

    /// The result that is there.
    pub fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join("result.json")).expect("a result")).expect("JSON")
    }

    /// Changes the result that is there.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut result = self.result();
        change(&mut result);
        fs::write(self.folder.join("result.json"), result.to_string()).expect("a result");
    }
}

/// Runs the program.
pub fn profile_run(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run")).args(arguments).args(paths).output().expect("profile-run runs")
}

/// All that it said.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
