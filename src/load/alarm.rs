//! What wakes the poll at a time: a timerfd where there is one. It is exact where the poll's own time-out counts in
//! milliseconds, and it is set once, where a time-out is set and taken back by the kernel at every single wait.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

/// Wakes the poll.
#[derive(Debug)]
pub struct Alarm {
    #[cfg(target_os = "linux")]
    timer: nix::sys::timerfd::TimerFd,
    /// When it rings, in ns since the load began; not set where that has passed.
    #[cfg(target_os = "linux")]
    rings: u64,
}

#[cfg(target_os = "linux")]
impl Alarm {
    /// An alarm whose events bear `token`.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        use std::os::fd::{AsFd, AsRawFd};
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut mio::unix::SourceFd(&fd), token, mio::Interest::READABLE)?;
        Ok(Self { timer, rings: 0 })
    }

    /// Sees to it that the poll wakes at `at` or before (both ns since the load began). Returns the time-out that
    /// the poll needs beside that.
    pub fn wake_at(&mut self, at: u64, now: u64) -> Option<Duration> {
        use nix::sys::timer::{Expiration, TimerSetTimeFlags};
        if at <= now {
            return Some(Duration::ZERO);
        }
        if at < self.rings || self.rings <= now {
            // Edge-triggered: it need not be read. It fails for times out of range alone.
            let after = Expiration::OneShot(Duration::from_nanos(at - now).into());
            let _ = self.timer.set(after, TimerSetTimeFlags::empty());
            self.rings = at;
        }
        None
    }
}

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// Nothing: the poll's time-out must do.
    ///
    /// # Errors
    /// None.
    pub fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The time-out that the poll needs.
    pub fn wake_at(&mut self, at: u64, now: u64) -> Option<Duration> {
        Some(Duration::from_nanos(at.saturating_sub(now)))
    }
}
