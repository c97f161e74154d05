//! Signals that end a run in order: SIGINT, SIGTERM, SIGHUP. A thread waits for them and leaves a note.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::stop_reason::Halt;

/// Names by the number that the note holds; 0 is none.
const NAMES: [&str; 4] = ["", "SIGINT", "SIGTERM", "SIGHUP"];

/// The note.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    note: Arc<AtomicUsize>,
}

impl Interrupt {
    /// From now on the three signals leave a note instead of ending the program.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        let interrupt = Self::default();
        let note = Arc::clone(&interrupt.note);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // Installed before this returns, so that no signal falls between.
        let guard = runtime.enter();
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let mut hup = signal(SignalKind::hangup())?;
        drop(guard);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let which = tokio::select! {
                        _ = int.recv() => 1,
                        _ = term.recv() => 2,
                        _ = hup.recv() => 3,
                    };
                    // The first one is the one that is told.
                    let _ = note.compare_exchange(0, which, Ordering::SeqCst, Ordering::SeqCst);
                }
            });
        })?;
        Ok(interrupt)
    }

    /// Which signal came.
    pub fn came(&self) -> Option<&'static str> {
        match self.note.load(Ordering::SeqCst) {
            0 => None,
            which => Some(NAMES[which]),
        }
    }

    /// Goes on, or ends the run.
    ///
    /// # Errors
    /// A signal came.
    pub fn check(&self) -> Result<(), Halt> {
        self.came().map_or(Ok(()), |signal| Err(Halt::Interrupted(signal)))
    }
}
