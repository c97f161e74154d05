//! The GitHub action's scripts, with the runner's files made by hand and a `gh` that writes down what it was asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

struct Runner {
    place: TempDir,
}

impl Runner {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        for file in ["output", "summary", "asked"] {
            fs::write(place.path().join(file), "").expect("a file");
        }
        let gh = place.path().join("gh");
        let answers = "#!/bin/sh\necho \"$*\" >>\"$ASKED\"\ncase \"$*\" in *--paginate*) cat \"$IDS\";; esac\nexit \"${GH_CODE:-0}\"\n";
        fs::write(&gh, answers).expect("a program");
        fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).expect("rights");
        fs::write(place.path().join("ids"), "").expect("a file");
        Self { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn script(&self, name: &str, variables: &[(&str, &str)]) -> Output {
        let path = std::env::var("PATH").expect("a PATH");
        Command::new("bash")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ci").join(name))
            .current_dir(self.place.path())
            .env("PATH", format!("{}:{path}", self.place.path().display()))
            .env("RUNNER_TEMP", self.place.path())
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .env("GITHUB_REPOSITORY", "owner/project")
            .env("BINARY", env!("CARGO_BIN_EXE_profile-run"))
            .env("NAME", "load")
            .env("ASKED", self.path("asked"))
            .env("IDS", self.path("ids"))
            .envs(variables.iter().copied())
            .output()
            .expect("bash runs")
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_run_that_fails_leaves_its_code_its_report_and_its_annotations() {
    let runner = Runner::new();
    let output = runner.script(
        "github-run.sh",
        &[("COMMAND", "sh -c 'exit 3' 'a b'"), ("ARGS", "--load smoke --budget 5s"), ("BASELINE", "not/there")],
    );
    assert!(output.status.success(), "{}", said(&output));
    let outputs = runner.read("output");
    let folder = runner.path("profile-run-load");
    for line in [
        "exit-code=3".to_owned(),
        format!("folder={}", folder.display()),
        format!("report={}", runner.path("load.html").display()),
    ] {
        assert!(outputs.lines().any(|given| given == line), "{line}: {outputs}");
    }
    assert!(runner.read("load.html").contains("profile-run-result"));
    assert!(runner.read("summary").starts_with("**failed** · "), "{}", runner.read("summary"));
    let said = said(&output);
    assert!(said.contains("::error title=profile-run%3A failed::"), "{said}");
    assert!(said.contains("::warning title=profile-run::there is no baseline at not/there"), "{said}");
}

#[test]
fn one_comment_is_written_and_found_again_and_a_fork_has_none() {
    let runner = Runner::new();
    fs::create_dir(runner.path("run")).expect("a folder");
    fs::write(runner.path("run/summary.md"), "**clean** · No leak found.\n").expect("a summary");
    let folder = runner.path("run");
    let variables = |head: &'static str, code: &'static str| {
        [
            ("FOLDER", folder.to_str().expect("a path").to_owned()),
            ("PULL_REQUEST", "7".to_owned()),
            ("REPORT_URL", "https://example.org/report".to_owned()),
            ("HEAD_REPOSITORY", head.to_owned()),
            ("GH_CODE", code.to_owned()),
        ]
    };
    let comment = |head, code| {
        let variables = variables(head, code);
        let variables: Vec<(&str, &str)> = variables.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let output = runner.script("github-comment.sh", &variables);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let said = comment("stranger/project", "0");
    assert!(said.contains("no comment: a pull request from a fork") && runner.read("asked").is_empty(), "{said}");

    comment("owner/project", "0");
    assert!(
        runner.read("asked").contains("--method POST repos/owner/project/issues/7/comments"),
        "{}",
        runner.read("asked")
    );
    let body = runner.read("profile-run-comment.md");
    assert!(body.starts_with("<!-- profile-run: load -->\n**clean**"), "{body}");
    assert!(body.ends_with("[The whole report](https://example.org/report)\n"), "{body}");

    fs::write(runner.path("ids"), "41\n42\n").expect("ids");
    comment("owner/project", "0");
    assert!(
        runner.read("asked").contains("--method PATCH repos/owner/project/issues/comments/41 "),
        "{}",
        runner.read("asked")
    );

    let said = comment("owner/project", "1");
    assert!(said.contains("::warning title=profile-run::"), "{said}");
}

/// The action names the scripts that are there, and hands over all that they read.
#[test]
fn the_action_hands_over_what_its_scripts_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let action = fs::read_to_string(root.join("action.yml")).expect("an action");
    for script in ["github-run.sh", "github-comment.sh"] {
        let text = fs::read_to_string(root.join("ci").join(script)).expect("a script");
        let (_, step) = action.split_once("env:\n").expect("steps");
        assert!(action.contains(&format!("bash \"$GITHUB_ACTION_PATH/ci/{script}\"")), "{script}");
        let listed = text.lines().find_map(|line| line.strip_prefix("# In: ")).expect("what it reads");
        for name in listed.split([',', ';']).map(|word| word.trim().trim_end_matches('.')) {
            let is_variable = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if is_variable && !name.starts_with("GITHUB_") && name != "RUNNER_TEMP" {
                assert!(step.contains(&format!("        {name}: ")), "{script} reads {name}");
            }
        }
    }
}
