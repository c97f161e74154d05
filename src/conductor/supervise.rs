//! A piece of work on a thread of its own, and whoever watches it: the work's end, a signal, the end of a process and
//! the ticks between meet here. Knows neither what the work is nor what is looked at.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use super::interrupt::Interrupt;
use crate::proc::PidFd;

/// Why a watcher is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Time has passed.
    Tick,
    /// The process that was watched has ended.
    Ended,
    /// A signal came; told once.
    Signal(&'static str),
}

/// Waits for `work` and calls `look` at each tick, once at the end of the process, and once at a signal. `look` may ask
/// the work to stop; what it gives back at a signal says whether the work's own end is waited for.
///
/// None where it was not waited for.
pub(super) async fn until_done<T>(
    work: impl Future<Output = T>,
    ended: impl Future<Output = ()>,
    every: Duration,
    interrupt: &Interrupt,
    mut look: impl FnMut(News) -> bool,
) -> Option<T> {
    let (mut work, mut ended, mut signal) = (pin!(work), pin!(ended), pin!(interrupt.signal()));
    let (mut gone, mut told) = (false, false);
    let mut ticks = interval(every);
    // A look that took long is not followed by a burst of them.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let news = tokio::select! {
            biased;
            done = &mut work => return Some(done),
            signal = &mut signal, if !told => {
                told = true;
                News::Signal(signal)
            }
            () = &mut ended, if !gone => {
                gone = true;
                News::Ended
            }
            _ = ticks.tick() => News::Tick,
        };
        if !look(news) {
            return None;
        }
    }
}

/// Runs `work` on a thread of its own; the future is its result, none where it panicked.
///
/// # Errors
/// No thread can be started.
pub(super) fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<impl Future<Output = Option<T>>> {
    let (tell, done) = oneshot::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody listens only where the run has given up.
        let _ = tell.send(work());
    })?;
    Ok(async { done.await.ok() })
}

/// The end of a process, whoever's child it is; never where the kernel cannot tell (before 5.3).
pub(super) async fn end_of(pid: i32) {
    // SAFETY: the handle owns its descriptor, so that it stays open for as long as it is registered.
    let watched = PidFd::open(pid).map(|process| unsafe { AsyncFd::register(process) });
    match watched {
        Ok(Ok(process)) => {
            // Readable means ended.
            let _ = process.readable().await;
        }
        // What is gone already has no handle any more.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
        Ok(Err(_)) | Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const EVERY: Duration = Duration::from_millis(50);

    fn paused(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn ticks_until_the_work_is_done() {
        paused(async {
            let (_tell, interrupt) = Interrupt::by_hand();
            let work = async {
                sleep(Duration::from_millis(120)).await;
                7
            };
            let ticks = RefCell::new(0);
            let done = until_done(work, pending(), EVERY, &interrupt, |news| {
                assert_eq!(news, News::Tick);
                *ticks.borrow_mut() += 1;
                true
            })
            .await;
            assert_eq!((done, ticks.into_inner()), (Some(7), 3));
        });
    }

    #[test]
    fn a_signal_is_told_once_and_the_work_is_waited_for() {
        paused(async {
            let (tell, interrupt) = Interrupt::by_hand();
            let stop = tokio::sync::Notify::new();
            let work = async {
                stop.notified().await;
                sleep(Duration::from_millis(100)).await;
                "what was done until then"
            };
            let signals = RefCell::new(Vec::new());
            let supervised = until_done(work, pending(), EVERY, &interrupt, |news| {
                if let News::Signal(signal) = news {
                    signals.borrow_mut().push(signal);
                    stop.notify_one();
                }
                true
            });
            let user = async {
                sleep(Duration::from_secs(5)).await;
                tell.send(Some("SIGINT")).unwrap();
                pending::<()>().await;
            };
            let done = tokio::select! { done = supervised => done, () = user => None };
            assert_eq!((done, signals.into_inner()), (Some("what was done until then"), vec!["SIGINT"]));
        });
    }

    #[test]
    fn a_watcher_may_give_up_on_work_that_hangs() {
        paused(async {
            let (_tell, interrupt) = Interrupt::by_hand();
            let news = RefCell::new(Vec::new());
            let ended = sleep(Duration::from_secs(3));
            let done: Option<()> = until_done(pending(), ended, Duration::from_secs(2), &interrupt, |what| {
                news.borrow_mut().push(what);
                what == News::Tick
            })
            .await;
            assert_eq!((done, news.into_inner()), (None, vec![News::Tick, News::Tick, News::Ended]));
        });
    }

    #[test]
    fn the_end_of_a_process_is_heard() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut child = std::process::Command::new("sleep").arg("0.05").spawn().unwrap();
        let pid = child.id() as i32;
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), end_of(pid)).await }).unwrap();
        child.wait().unwrap();
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), end_of(pid)).await }).unwrap();
    }
}
