//! `--before` and `--after`: the user's own commands around a launch.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::context::Context;
use super::stop_reason::Halt;
use super::supervise::end_of;
use crate::model::EarlyEnd;
use crate::phrase;
use crate::server::{Start, log, mark};

/// Between two looks at a command whose end the kernel cannot tell.
const LOOK: Duration = Duration::from_secs(1);

/// From the end of a process until the watchdog has told of it.
const TOLD: Duration = Duration::from_millis(1);

/// Runs `--before` or `--after`.
pub(super) async fn run_hook(run: &Context<'_>, option: &str, command: Option<String>) -> Result<(), Halt> {
    let Some(text) = command else { return Ok(()) };
    let log = run.folder.append(OsStr::new("hooks.log"))?;
    // Below the watchdog, so that what it leaves behind is stopped with the run.
    let pid = run.watchdog.spawn(Start {
        file: Path::new("/bin/sh"),
        argv: &["sh".to_owned(), "-c".to_owned(), text.clone()],
        cwd: &run.cwd,
        set: run.plan.env.iter().map(|(name, value)| (name.into(), value.into())).chain([mark(&run.id)]).collect(),
        remove: &[],
        output: log.try_clone()?.into(),
        descriptors: run.descriptors,
    })?;
    let ended = async {
        // The watchdog tells the end right after it; where the kernel cannot, looking again is left.
        loop {
            if let Some(status) = run.watchdog.ended(pid) {
                return status;
            }
            tokio::select! {
                () = end_of(pid) => tokio::time::sleep(TOLD).await,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    };
    let status = match run.interrupt.unless(ended).await {
        Ok(status) => status,
        Err(halt) => {
            run.watchdog.stop_all(Duration::ZERO);
            return Err(halt);
        }
    };
    if status.success() {
        return Ok(());
    }
    let tail = phrase::last_output(&log::tail(&log, 5));
    Err(Halt::early(
        EarlyEnd::Environment,
        format!("{option} `{text}` failed ({}){tail}", crate::server::describe(status)),
    ))
}
