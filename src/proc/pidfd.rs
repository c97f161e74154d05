//! A handle on a process that becomes readable when it ends. Source: pidfd_open(2), Linux 5.3.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The handle.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens a handle on `pid`.
    ///
    /// # Errors
    /// No such process (`ESRCH`), or a kernel that has no such handles (`ENOSYS`).
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: the call takes two numbers and touches no memory of ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as RawFd) }))
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Waits until one of these processes has ended, for as long as `most`. Where the kernel has no such handles it only waits
/// a moment.
pub fn wait_for_an_end(pids: &[i32], most: Duration) {
    let opened: Result<Vec<PidFd>, io::Error> = pids.iter().map(|pid| PidFd::open(*pid)).collect();
    let handles = match opened {
        Ok(handles) if !handles.is_empty() => handles,
        // One has ended already.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return,
        Ok(_) | Err(_) => return std::thread::sleep(most.min(MOMENT)),
    };
    let mut watched: Vec<PollFd> =
        handles.iter().map(|handle| PollFd::new(handle.0.as_fd(), PollFlags::POLLIN)).collect();
    // A signal of our own ends the wait early, and whoever waits looks again.
    let _ = poll(&mut watched, PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX));
}

/// Between two looks where nothing can be waited for.
const MOMENT: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_end_is_waited_for_and_no_longer() {
        let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = sleeper.id() as i32;
        let still = Duration::from_millis(20);
        let began = Instant::now();
        wait_for_an_end(&[pid], still);
        assert!(began.elapsed() >= still, "it lives");
        sleeper.kill().unwrap();
        wait_for_an_end(&[pid], Duration::from_secs(600));
        sleeper.wait().unwrap();
        wait_for_an_end(&[pid], Duration::from_secs(600));
    }
}
