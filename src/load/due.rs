//! A timer that wakes the poll when a message is due: a timerfd where there is one, for the poll's own
//! time-out counts in whole milliseconds.

use std::io;

use mio::{Registry, Token};

/// Wakes the poll.
#[derive(Debug)]
pub struct DueTimer {
    #[cfg(target_os = "linux")]
    timer: nix::sys::timerfd::TimerFd,
}

#[cfg(target_os = "linux")]
impl DueTimer {
    /// A timer whose events bear `token`.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        use std::os::fd::{AsFd, AsRawFd};
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut mio::unix::SourceFd(&fd), token, mio::Interest::READABLE)?;
        Ok(Self { timer })
    }

    /// Wakes in `nanos`, at least 1, in place of what was set before. Edge-triggered: it need not be read.
    pub fn set(&self, nanos: u64) {
        use nix::sys::timer::{Expiration, TimerSetTimeFlags};
        use std::time::Duration;
        let after = Expiration::OneShot(Duration::from_nanos(nanos.max(1)).into());
        // It fails for times out of range alone, which an u64 of ns never is.
        let _ = self.timer.set(after, TimerSetTimeFlags::empty());
    }
}

#[cfg(not(target_os = "linux"))]
impl DueTimer {
    /// Nothing: the poll's time-out must do.
    ///
    /// # Errors
    /// None.
    pub fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Nothing.
    pub fn set(&self, _: u64) {}
}
