//! `profile-run bisect` on projects whose history is known.

use std::process::Output;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::recorded::text;
use crate::support::history::{History, Leak, Plan, git, suspects};

/// The result of a search, and its events of commits.
fn result(output: &Output) -> (Value, Vec<Value>) {
    let lines = String::from_utf8_lossy(&output.stdout);
    let mut events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.pop().unwrap_or_else(|| panic!("{}", text(output)));
    assert_eq!(last["event"], "result", "{}", text(output));
    (last["result"].clone(), events)
}

#[test]
fn the_commit_that_brought_a_leak_is_named_with_its_diff() {
    let plan = Plan { commits: 10, culprit: 6, broken: &[4, 8], leak: Leak::Property };
    let history = History::new(&plan);
    let out = tempfile::tempdir().unwrap();
    let (good, bad) = (&history.commits[0], &history.commits[9]);
    let output = history.bisect(good, bad, &out.path().join("runs"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let (found, events) = result(&output);
    assert_eq!(found["suspects"], serde_json::json!([history.commits[6]]), "{found}");
    assert_eq!(found["culprit"], history.commits[6].as_str());
    assert!(found["diffs"][0].as_str().unwrap().contains("+        $this->recent[] = "), "{found}");
    assert!(found["started"].as_u64().unwrap() <= 5, "{found}");
    assert_eq!(events[0]["commit"], bad.as_str());
    assert_eq!(found["commits"].as_array().unwrap().len(), events.len());
    assert!(out.path().join("runs/bisect.json").is_file());
    // The user's own work tree is as it was, and there is no other.
    assert_eq!(git(history.root(), &["status", "--porcelain"]), "");
    assert_eq!(git(history.root(), &["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert!(history.other_trees().is_empty());
}

#[test]
fn inside_a_merge_what_was_merged_is_looked_through() {
    // Two searches one after the other: minutes.
    if std::env::var_os("PROFILE_RUN_TRUTH").is_none() {
        return;
    }
    let plan = Plan { commits: 3, culprit: 3, broken: &[], leak: Leak::Property };
    let history = History::new(&plan);
    let root = history.root();
    let commit = |text: &str| {
        git(root, &["add", "--all"]);
        git(root, &["commit", "--quiet", "-m", text]);
        git(root, &["rev-parse", "HEAD"])
    };
    git(root, &["checkout", "--quiet", "-b", "side", &history.commits[1]]);
    std::fs::write(root.join("SIDE"), "1").unwrap();
    commit("side 1");
    let mailbox = root.join("src/Mailbox.php");
    let leaky = std::fs::read_to_string(&mailbox).unwrap();
    let leaky = leaky.replace("$this->delivered++;", "$this->delivered++; $this->recent[] = str_repeat('x', 1000);");
    std::fs::write(&mailbox, leaky).unwrap();
    let culprit = commit("side 2");
    std::fs::write(root.join("SIDE"), "3").unwrap();
    commit("side 3");
    git(root, &["checkout", "--quiet", "main"]);
    git(root, &["merge", "--quiet", "--no-ff", "-m", "merge", "side"]);
    let out = tempfile::tempdir().unwrap();
    // What is not in git is prepared after each checkout.
    let prepare = ["--prepare", "touch prepared"];
    let output = history.bisect(&history.commits[0], "main", &out.path().join("runs"), &prepare).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(result(&output).0["culprit"], culprit.as_str(), "{}", text(&output));
}

#[test]
fn ends_that_are_not_what_they_are_said_to_be_are_refused() {
    let plan = Plan { commits: 2, culprit: 0, broken: &[], leak: Leak::Property };
    let history = History::new(&plan);
    let (first, last) = (&history.commits[0], &history.commits[1]);
    let out = tempfile::tempdir().unwrap();
    let refused = |good: &str, bad: &str, options: &[&str], words: &str| {
        let output = history.bisect(good, bad, &out.path().join(words.replace(' ', "-")), options).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(words), "{words}: {}", text(&output));
        assert!(history.other_trees().is_empty());
    };
    refused(first, "nowhere", &[], "nowhere is no commit");
    refused(last, first, &[], "is no ancestor of");
    refused(first, first, &[], "are the same commit");
    refused(first, last, &["--attach", "1"], "cannot be used with");
    refused(first, last, &[], "leaks as well");
    let console = history.root().join("bin/console");
    let output = history
        .bisect(first, last, &out.path().join("x"), &[])
        .args(["--config".as_ref(), console.as_os_str()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "a word of the command names a file of the project: {}", text(&output));
    assert!(text(&output).contains("stays the same whatever is checked out"), "{}", text(&output));
}

#[test]
fn a_search_that_is_interrupted_leaves_nothing_behind() {
    let plan = Plan { commits: 4, culprit: 2, broken: &[], leak: Leak::Property };
    let history = History::new(&plan);
    let out = tempfile::tempdir().unwrap();
    for (after, signal, code) in [(500, Signal::SIGINT, Some(130)), (6_000, Signal::SIGTERM, Some(130))] {
        let mut command =
            history.bisect(&history.commits[0], &history.commits[3], &out.path().join(after.to_string()), &[]);
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), code, "{after} ms: {}", text(&output));
        assert!(history.other_trees().is_empty(), "{after} ms");
    }
}

#[test]
fn what_a_search_comes_down_to_is_the_smallest_set() {
    let plan = Plan { commits: 8, culprit: 4, broken: &[4, 5], leak: Leak::Nowhere };
    assert_eq!(suspects(&plan), [4, 5, 6]);
    let plan = Plan { commits: 8, culprit: 4, broken: &[3], leak: Leak::Nowhere };
    assert_eq!(suspects(&plan), [3, 4]);
}
