//! `--before` and `--after`: the user's own commands around a launch.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::context::Context;
use super::stop_reason::Halt;
use crate::server::log;

/// Between two looks at a command that runs.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `--before` or `--after`.
pub(super) fn run_hook(run: &Context<'_>, option: &str, command: Option<String>) -> Result<(), Halt> {
    let Some(text) = command else { return Ok(()) };
    let log = run.folder.root().join("hooks.log");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", &text])
        .current_dir(&run.cwd)
        .envs(run.environment_added())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Err(halt) = run.interrupt.check() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(halt);
        }
        std::thread::sleep(LOOK);
    };
    if status.success() {
        return Ok(());
    }
    let tail = log::tail(&log, 5).join("\n  ");
    Err(Halt::early(
        "environment",
        format!("{option} `{text}` failed ({}):\n  {tail}", crate::server::describe(status)),
    ))
}
