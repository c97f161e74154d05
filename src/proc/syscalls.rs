//! Names of the system calls in which a server sleeps or spins, for this machine's architecture.

/// `(libc::SYS_name, "name")` pairs.
macro_rules! names {
    ($($name:ident => $text:literal),* $(,)?) => { &[$((libc::$name, $text)),*] };
}

/// Calls that every architecture has.
const COMMON: &[(libc::c_long, &str)] = names![
    SYS_read => "read", SYS_write => "write", SYS_readv => "readv", SYS_writev => "writev",
    SYS_pread64 => "pread64", SYS_pwrite64 => "pwrite64", SYS_openat => "openat", SYS_close => "close",
    SYS_fsync => "fsync", SYS_fdatasync => "fdatasync", SYS_flock => "flock", SYS_fcntl => "fcntl",
    SYS_ioctl => "ioctl", SYS_sendfile => "sendfile", SYS_splice => "splice",
    SYS_pselect6 => "pselect6", SYS_ppoll => "ppoll", SYS_epoll_pwait => "epoll_pwait",
    SYS_accept => "accept", SYS_accept4 => "accept4", SYS_connect => "connect",
    SYS_recvfrom => "recvfrom", SYS_recvmsg => "recvmsg", SYS_sendto => "sendto", SYS_sendmsg => "sendmsg",
    SYS_futex => "futex", SYS_nanosleep => "nanosleep", SYS_clock_nanosleep => "clock_nanosleep",
    SYS_restart_syscall => "restart_syscall", SYS_wait4 => "wait4", SYS_waitid => "waitid",
    SYS_rt_sigtimedwait => "rt_sigtimedwait", SYS_rt_sigsuspend => "rt_sigsuspend",
    SYS_semop => "semop", SYS_semtimedop => "semtimedop", SYS_msgrcv => "msgrcv", SYS_msgsnd => "msgsnd",
    SYS_io_uring_enter => "io_uring_enter", SYS_getrandom => "getrandom", SYS_madvise => "madvise",
    SYS_mmap => "mmap", SYS_munmap => "munmap", SYS_mprotect => "mprotect", SYS_exit_group => "exit_group",
    SYS_kill => "kill", SYS_getdents64 => "getdents64", SYS_unlinkat => "unlinkat", SYS_sched_yield => "sched_yield",
    SYS_execve => "execve", SYS_clone => "clone", SYS_ftruncate => "ftruncate", SYS_fallocate => "fallocate",
];

/// Calls that only older architectures still have.
#[cfg(target_arch = "x86_64")]
const OLD: &[(libc::c_long, &str)] = names![
    SYS_select => "select", SYS_poll => "poll", SYS_epoll_wait => "epoll_wait", SYS_pause => "pause",
    SYS_open => "open", SYS_stat => "stat", SYS_unlink => "unlink", SYS_rename => "rename", SYS_fork => "fork",
    SYS_vfork => "vfork",
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[(libc::c_long, &str)] = &[];

/// The name of a system call by its number on this machine, where it is one of those that block.
#[allow(clippy::useless_conversion)] // c_long is 32 bits on some targets
pub fn syscall_name(number: i64) -> Option<&'static str> {
    COMMON.iter().chain(OLD).find(|(n, _)| i64::from(*n) == number).map(|&(_, name)| name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn by_number() {
        #[allow(clippy::unnecessary_cast)] // c_long is 32 bits on some targets
        const NUMBER: i64 = libc::SYS_ppoll as i64;
        assert_eq!(super::syscall_name(NUMBER), Some("ppoll"));
        assert_eq!(super::syscall_name(-1), None);
    }
}
