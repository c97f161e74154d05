//! The client's own CPU time, and its timers' precision.

use nix::sys::resource::{UsageWho, getrusage};

/// CPU seconds, user and system, of the calling thread (elsewhere than on Linux: of the process).
pub fn thread_seconds() -> f64 {
    #[cfg(target_os = "linux")]
    let who = UsageWho::RUSAGE_THREAD;
    #[cfg(not(target_os = "linux"))]
    let who = UsageWho::RUSAGE_SELF;
    getrusage(who).map_or(0.0, |usage| {
        [usage.user_time(), usage.system_time()].iter().map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6).sum()
    })
}

/// Lets the calling thread's short sleeps be short: by default Linux adds up to 50 µs.
pub fn fine_timers() {
    #[cfg(target_os = "linux")]
    // A kernel that refuses leaves longer sleeps, and nothing else.
    let _ = nix::sys::prctl::set_timerslack(1000);
}
