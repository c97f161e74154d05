//! `--against REV`: two builds launched in turn.

use std::path::Path;

use super::recorded::text;
use crate::support::history::{History, Leak, Plan, git};

#[test]
fn a_build_is_compared_with_another_commit() {
    let plan = Plan { commits: 2, culprit: 1, broken: &[], leak: Leak::Nowhere };
    let history = History::new(&plan);
    let root = history.root();
    // Not committed: the project as it is counts. Each message costs some milliseconds more, and leaks.
    let mailbox = root.join("src/Mailbox.php");
    let changed = std::fs::read_to_string(&mailbox).unwrap().replace(
        "        $this->delivered++;\n",
        "        $this->delivered++;\n        $this->recent[] = str_repeat('x', 1000);\n        $this->costs();\n",
    );
    let costs =
        "    private function costs(): void\n    {\n        for ($i = 0; $i < 10000; $i++) {\n        }\n    }\n\n";
    let changed = changed.replace("    /** Messages taken over", &format!("{costs}    /** Messages taken over"));
    std::fs::write(&mailbox, changed).unwrap();
    let out = tempfile::tempdir().unwrap();
    let run = out.path().join("run");
    let command = |options: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.current_dir(root).args(options).args(["--out"]).arg(&run);
        command.args(["--", "php", "bin/console", "smtp:serve", "--port", "0"]).output().unwrap()
    };
    let options = ["--against", "HEAD", "--prepare", "touch prepared", "--budget", "80s", "--load", "sequential"];
    let output = command(&[&options[..], &["--rest", "3s"]].concat());
    // A leak, or too short to say so.
    assert!(matches!(output.status.code(), Some(1 | 4)), "{}", text(&output));
    let result = |run: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(run.join("result.json")).unwrap()).unwrap()
    };
    let found = result(&run);
    let baseline = &found["baseline"];
    assert_eq!(baseline["commits"][0], history.commits[1].as_str());
    assert_eq!(baseline["against"]["revision"], "HEAD");
    // What is exact: growth and calls.
    let grown = baseline["growth"].as_array().unwrap();
    assert!(grown.iter().any(|row| row["metric"] == "heap" && row["change"] != "better"), "{grown:?}");
    let new = baseline["new_functions"].as_array().unwrap();
    // A machine that had no time for a whole profile, or for one of enough messages, has no calls to compare.
    let base = result(&run.join("against/base"));
    let profiled = |run: &serde_json::Value| run["profile"]["complete"] == true;
    let enough = profiled(&found) && profiled(&base) && baseline["few_messages"].is_null();
    assert_eq!(new.iter().any(|row| row["name"] == "SmtpServer\\Mailbox->costs"), enough, "{new:?}");
    // The same file in another place is no other file.
    assert!(!new.iter().any(|row| row["name"].as_str().unwrap().starts_with("require")), "{new:?}");
    // And times, where the machine let it launch them often enough.
    let launches = baseline["against"]["launches"].as_u64().unwrap();
    assert!(launches >= 4 && launches.is_multiple_of(4), "{launches}: {}", text(&output));
    let times = baseline["times"].as_array().cloned().unwrap_or_default();
    assert!(times.iter().all(|time| time["change"] != "better"), "{times:?}");
    assert!(text(&output).contains("launches in turn"), "{}", text(&output));
    // Both profiles as one picture: what is new is marked as such.
    let drawn = |run: &Path| {
        std::fs::read_to_string(run.join("report.html")).unwrap().contains("new:\u{a0}SmtpServer\\Mailbox-&gt;costs")
    };
    assert!(drawn(&run) || !enough);
    // Written anew it is the same.
    let again = std::process::Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(&run).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert_eq!(result(&run)["baseline"]["times"], baseline["times"]);
    assert_eq!(result(&run)["exit_code"], found["exit_code"]);
    assert!(drawn(&run) || !enough);
    assert!(std::fs::read_to_string(run.join("summary.md")).unwrap().contains("costs") || !enough);
    // No other work tree is left, and the user's own is as it was.
    assert!(history.other_trees().is_empty());
    assert!(!root.join("prepared").exists());
    assert_eq!(git(root, &["status", "--porcelain"]), "M src/Mailbox.php");
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_run() {
    let plan = Plan { commits: 1, culprit: 1, broken: &[], leak: Leak::Nowhere };
    let history = History::new(&plan);
    let out = tempfile::tempdir().unwrap();
    for (options, words) in [
        (&["--against", "nowhere"][..], "nowhere is no commit"),
        (&["--against", "HEAD", "--attach", "1"], "cannot be used with"),
        (&["--against", "HEAD", "--passes", "profile"], "needs the measure pass"),
        (&["--prepare", "true"], "goes with --against"),
    ] {
        let run = out.path().join("run");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_profile-run"))
            .current_dir(history.root())
            .args(options)
            .arg("--out")
            .arg(&run)
            .args(["--", "php", "bin/console", "smtp:serve"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(words), "{words}: {}", text(&output));
        assert!(!run.exists() && history.other_trees().is_empty());
    }
}
