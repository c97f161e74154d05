//! Reading another process's memory: `process_vm_readv`, and `/proc/PID/mem` where that call is
//! filtered out. Nothing is written, nothing is stopped.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

/// How many ranges one call takes (`IOV_MAX`).
const RANGES_A_CALL: usize = 1024;

/// The memory of one process, to read.
#[derive(Debug)]
pub struct Remote {
    pid: i32,
    /// Open where `process_vm_readv` is not allowed to us.
    mem: Option<File>,
}

impl Remote {
    /// Opens the memory of `pid`. Whether it may be read shows at the first read.
    pub fn new(pid: i32) -> Remote {
        Remote { pid, mem: None }
    }

    /// Opens `/proc/PID/mem` for every later read.
    ///
    /// # Errors
    /// The system's own, as when the process is another user's.
    pub fn through_file(pid: i32) -> io::Result<Remote> {
        Ok(Remote { pid, mem: Some(File::open(format!("/proc/{pid}/mem"))?) })
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Fills `into` from `address`.
    ///
    /// # Errors
    /// `EFAULT` or `EIO` where the range is not mapped, `EPERM` where reading is not allowed,
    /// `ESRCH` where the process is gone; `UnexpectedEof` where only a part could be had.
    pub fn read(&self, address: u64, into: &mut [u8]) -> io::Result<()> {
        self.read_ranges(&[(address, into.len())], into)
    }

    /// Fills `into` with the ranges (address, length), one behind the other.
    ///
    /// # Errors
    /// As [`Remote::read`]; `into` is then filled in part.
    ///
    /// # Panics
    /// Where `into` is not exactly as long as the ranges together.
    pub fn read_ranges(&self, ranges: &[(u64, usize)], into: &mut [u8]) -> io::Result<()> {
        assert_eq!(ranges.iter().map(|r| r.1).sum::<usize>(), into.len());
        let mut rest = into;
        for group in ranges.chunks(RANGES_A_CALL) {
            let length = group.iter().map(|r| r.1).sum();
            let (now, later) = rest.split_at_mut(length);
            match &self.mem {
                Some(mem) => read_file(mem, group, now)?,
                None => self.read_group(group, now)?,
            }
            rest = later;
        }
        Ok(())
    }

    fn read_group(&self, group: &[(u64, usize)], into: &mut [u8]) -> io::Result<()> {
        let remote: Vec<RemoteIoVec> =
            group.iter().map(|&(base, len)| RemoteIoVec { base: base as usize, len }).collect();
        let wanted = into.len();
        // One call moves at most 2 GiB; what is read is capped far below that.
        match process_vm_readv(Pid::from_raw(self.pid), &mut [IoSliceMut::new(into)], &remote) {
            Ok(got) if got == wanted => Ok(()),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn read_file(mem: &File, group: &[(u64, usize)], into: &mut [u8]) -> io::Result<()> {
    let mut rest = into;
    for &(address, length) in group {
        let (now, later) = rest.split_at_mut(length);
        mem.read_exact_at(now, address)?;
        rest = later;
    }
    Ok(())
}

/// Whether `error` says that the call itself is not to be had (a seccomp filter), so that
/// `/proc/PID/mem` is worth a try.
pub fn is_call_filtered(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENOSYS as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(bytes: &[u8]) -> u64 {
        bytes.as_ptr() as u64
    }

    #[test]
    fn reads_scattered_ranges_in_order() {
        let (first, second) = (*b"mailbox", *b"envelope");
        let remote = Remote::new(std::process::id() as i32);
        let mut out = [0; 11];
        remote.read_ranges(&[(own(&second), 4), (own(&first), 7)], &mut out).unwrap();
        assert_eq!(&out, b"envemailbox");
    }

    #[test]
    fn more_ranges_than_one_call_takes() {
        let bytes: Vec<u8> = (0..5000_u32).map(|i| i as u8).collect();
        let ranges: Vec<_> = (0..5000).map(|i| (own(&bytes) + i, 1)).collect();
        let mut out = vec![0; 5000];
        Remote::new(std::process::id() as i32).read_ranges(&ranges, &mut out).unwrap();
        assert_eq!(out, bytes);
        Remote::through_file(std::process::id() as i32).unwrap().read_ranges(&ranges, &mut out).unwrap();
        assert_eq!(out, bytes);
    }

    #[test]
    fn what_is_not_mapped_is_an_error() {
        assert!(Remote::new(std::process::id() as i32).read(8, &mut [0; 8]).is_err());
    }
}
