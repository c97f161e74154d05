//! Runs one case by the program itself, in a folder of its own, and reads what it left.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cases::{Case, Language, Server};

/// What a run left.
pub struct Outcome {
    /// Exit code; `None`: it had to be killed.
    pub code: Option<i32>,
    /// `result.json`; null where there is none.
    pub result: Value,
    /// Wall time.
    pub seconds: f64,
    /// Last lines of what it printed.
    pub said: String,
}

/// Where runs are kept (`PROFILE_RUN_KEEP`), so that a later rule can judge them too.
pub fn kept(case: &Case, seed: u32) -> Option<PathBuf> {
    let folder = std::env::var_os("PROFILE_RUN_KEEP")?;
    let name = format!("{}-{seed}", case.name().replace([' ', '/'], "_"));
    Some(Path::new(&folder).join(name))
}

/// Judges a kept run by today's rule, without running anything.
pub fn judge_again(run: &Path) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .arg("report")
        .arg(run)
        .arg("--out")
        .arg(folder.path())
        .output()
        .expect("the program starts");
    let result = read(folder.path());
    Outcome {
        code: result["exit_code"].as_i64().map(|code| code as i32),
        seconds: begun.elapsed().as_secs_f64(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        result,
    }
}

/// Runs `case` once; `seed` tells the runs of a case apart.
pub fn run(case: &Case, seed: u32) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let out = kept(case, seed).unwrap_or_else(|| folder.path().join("run"));
    let said = std::fs::File::create(folder.path().join("said")).expect("a file");
    let busy = AtomicBool::new(case.loaded);
    let (code, seconds) = std::thread::scope(|scope| {
        for _ in 0..if case.loaded { 2 } else { 0 } {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_profile-run"))
            .args(["--passes", "measure", "--load", case.load, "--stall-timeout", "10s"])
            .args(["--budget", &format!("{}s", case.budget), "--seed", &seed.to_string()])
            .args(["--env", &format!("SMTP_FAULT={}", case.fault)])
            .args(case.settle.iter().flat_map(|command| ["--settle", command]))
            .arg("--out")
            .arg(&out)
            .arg("--")
            .args(command(case))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("SMTP_FAULT")
            .stdin(Stdio::null())
            .stderr(said.try_clone().expect("the file twice"))
            .stdout(said)
            .spawn()
            .expect("the program starts");
        let patience = Duration::from_secs(u64::from(case.budget) * 2 + 120);
        let code = loop {
            if let Some(status) = child.try_wait().expect("our own child") {
                break status.code();
            }
            if begun.elapsed() > patience {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        busy.store(false, Ordering::Relaxed);
        (code, begun.elapsed().as_secs_f64())
    });
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    Outcome { code, result: read(&out), seconds, said: lines[lines.len().saturating_sub(12)..].join("\n") }
}

fn read(out: &Path) -> Value {
    std::fs::read(out.join("result.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or(Value::Null)
}

fn command(case: &Case) -> Vec<String> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
    let start = match case.server {
        Server::Php => return words("php fixtures/smtp-server/bin/console smtp:serve --port 0 -v"),
        // Debian's own Python has the module, whatever comes first in the path.
        Server::Python => return words("/usr/bin/python3 fixtures/truth/aiosmtpd_server.py"),
        Server::Small(Language::Php) => words("php fixtures/servers/kinds.php"),
        Server::Small(Language::Python) => words("python3 fixtures/servers/kinds.py"),
        Server::Small(Language::Node) => words("node fixtures/servers/kinds.js"),
        Server::Small(Language::C) => vec![format!("{}/kinds", built(Language::C))],
        Server::Small(Language::Java) => {
            words(&format!("java -XX:+UseSerialGC -Xmx64m -cp {} Kinds", built(Language::Java)))
        }
    };
    start.into_iter().chain(["0".to_owned(), case.fault.to_owned()]).collect()
}

/// The folder of the small servers that must be compiled; each is, once.
fn built(language: Language) -> &'static str {
    static C: OnceLock<()> = OnceLock::new();
    static JAVA: OnceLock<()> = OnceLock::new();
    const INTO: &str = env!("CARGO_TARGET_TMPDIR");
    let run = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
    };
    match language {
        Language::C => C.get_or_init(|| {
            run("cc", &["-O1", "-pthread", "-o", &format!("{INTO}/kinds"), "fixtures/servers/kinds.c"]);
        }),
        _ => JAVA.get_or_init(|| run("javac", &["-d", INTO, "fixtures/servers/Kinds.java"])),
    };
    INTO
}
