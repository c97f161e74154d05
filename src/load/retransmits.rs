//! What the kernel had to send again on a connection.

use std::os::fd::AsRawFd;

/// Segments (SYNs too) that were sent again so far.
#[cfg(target_os = "linux")]
pub fn of(socket: &impl AsRawFd) -> u64 {
    // SAFETY: tcp_info is plain old data that the kernel fills; `len` is its size.
    unsafe {
        let mut info: libc::tcp_info = std::mem::zeroed();
        let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
        let out = (&raw mut info).cast();
        if libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, out, &mut len) != 0 {
            return 0;
        }
        u64::from(info.tcpi_total_retrans).max(u64::from(info.tcpi_retransmits))
    }
}

/// Not known elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn of(_: &impl AsRawFd) -> u64 {
    0
}
