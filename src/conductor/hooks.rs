//! `--before` and `--after`: the user's own commands around a launch.

use std::process::Stdio;

use tokio::process::Command;

use super::context::Context;
use super::stop_reason::Halt;
use crate::model::EarlyEnd;
use crate::server::log;

/// Runs `--before` or `--after`.
pub(super) async fn run_hook(run: &Context<'_>, option: &str, command: Option<String>) -> Result<(), Halt> {
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
        .kill_on_drop(true)
        .spawn()?;
    let status = run.interrupt.unless(child.wait()).await??;
    if status.success() {
        return Ok(());
    }
    let tail = log::tail(&log, 5).join("\n  ");
    Err(Halt::early(
        EarlyEnd::Environment,
        format!("{option} `{text}` failed ({}):\n  {tail}", crate::server::describe(status)),
    ))
}
