//! Completions and man pages: what shells and `man` make of them.

use std::fs;
use std::process::{Command, Output};

fn profile_run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run")).args(arguments).output().unwrap()
}

#[test]
fn completions_load_in_bash_and_know_commands_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    fs::write(&file, profile_run(&["completions", "bash"]).stdout).unwrap();
    let script = format!(
        "set -e; . {}; COMP_WORDS=(profile-run com); COMP_CWORD=1; $(complete -p profile-run | sed 's/.*-F \\([^ ]*\\).*/\\1/') profile-run com profile-run; \
         echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("compare") && said.contains("completions"), "{said}{output:?}");
    for shell in ["zsh", "fish"] {
        let text = String::from_utf8(profile_run(&["completions", shell]).stdout).unwrap();
        for word in ["analyze", "budget", "smtp-source"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(profile_run(&["completions", "ksh"]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_man_page_that_roff_takes_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let out = profile_run(&["man", "--out", folder.path().to_str().unwrap()]);
    assert!(out.status.success(), "{out:?}");
    let pages: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in ["profile-run", "profile-run-load", "profile-run-analyze", "profile-run-compare", "profile-run-man"] {
        assert!(pages.iter().any(|page| page.file_stem().is_some_and(|stem| stem == name)), "{name}: {pages:?}");
    }
    for page in &pages {
        let said = Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8"]).arg(page).output().unwrap();
        assert!(said.status.success() && said.stderr.is_empty(), "{}: {said:?}", page.display());
    }
    let load = profile_run(&["man", "load"]).stdout;
    assert_eq!(load, fs::read(folder.path().join("profile-run-load.1")).unwrap());
    assert_eq!(profile_run(&["man", "nothing"]).status.code(), Some(2));
}
