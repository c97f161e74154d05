//! Signals that end a run in order: SIGINT, SIGTERM, SIGHUP. A thread hears them, and whoever waits is woken.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::stop_reason::Halt;

/// What was heard so far: the first signal is the one that is told.
type Heard = Option<&'static str>;

/// The exit code of a run that was interrupted.
const INTERRUPTED: i32 = 130;

/// The ear of a run; clones hear the same.
#[derive(Debug, Clone)]
pub struct Interrupt {
    heard: watch::Receiver<Heard>,
    at_once: Arc<AtomicBool>,
}

impl Interrupt {
    /// From now on the three signals are heard instead of ending the program.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        let (tell, heard) = watch::channel(None);
        let at_once = Arc::new(AtomicBool::new(false));
        let hurried = Arc::clone(&at_once);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // Installed before this returns, so that no signal falls between.
        let guard = runtime.enter();
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let mut hup = signal(SignalKind::hangup())?;
        drop(guard);
        // A thread of its own: signals are heard also while the run's thread reads a heap or stops a server.
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let which = tokio::select! {
                        _ = int.recv() => "SIGINT",
                        _ = term.recv() => "SIGTERM",
                        _ = hup.recv() => "SIGHUP",
                    };
                    // The first one is the one that is told; it ends the run in order. Who asks again wants
                    // it at once: the watchdog stops what runs, and clears away.
                    let first = tell.send_if_modified(|heard| heard.is_none().then(|| *heard = Some(which)).is_some());
                    if !first || hurried.load(Ordering::SeqCst) {
                        std::process::exit(INTERRUPTED);
                    }
                }
            });
        })?;
        Ok(Self { heard, at_once })
    }

    /// From now on nothing runs that must be stopped in order: a signal ends the program where it stands.
    pub fn at_once(&self) {
        self.at_once.store(true, Ordering::SeqCst);
    }

    /// From now on something runs again that must be stopped in order.
    pub fn in_order(&self) {
        self.at_once.store(false, Ordering::SeqCst);
    }

    /// Which signal came.
    pub fn came(&self) -> Option<&'static str> {
        *self.heard.borrow()
    }

    /// Goes on, or ends the run.
    ///
    /// # Errors
    /// A signal came.
    pub fn check(&self) -> Result<(), Halt> {
        self.came().map_or(Ok(()), |signal| Err(Halt::Interrupted(signal)))
    }

    /// Waits for a signal; for ever, where none comes.
    pub async fn signal(&self) -> &'static str {
        let mut heard = self.heard.clone();
        match heard.wait_for(Option::is_some).await.map(|heard| *heard) {
            Ok(Some(signal)) => signal,
            // Nobody listens any more, so that none can come.
            _ => std::future::pending().await,
        }
    }

    /// Does `work`, unless a signal comes first.
    ///
    /// # Errors
    /// A signal came.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            biased;
            signal = self.signal() => Err(Halt::Interrupted(signal)),
            done = work => Ok(done),
        }
    }
}

#[cfg(test)]
impl Interrupt {
    /// One whose signals a test sends.
    pub(super) fn by_hand() -> (watch::Sender<Heard>, Self) {
        let (tell, heard) = watch::channel(None);
        (tell, Self { heard, at_once: Arc::default() })
    }
}
