//! Memory of a process: `statm`, `status`, `smaps_rollup`. Source: proc_pid_statm(5), proc_pid_status(5).

use super::Error;
use super::stat::number;

/// The page size, bytes.
pub fn page_size() -> u64 {
    // SAFETY: sysconf only reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    if size > 0 { size as u64 } else { 4096 }
}

/// `/proc/PID/statm`, in pages: the cheapest look at memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statm {
    /// Virtual size, pages.
    pub size: u64,
    /// Resident, pages.
    pub resident: u64,
    /// Resident of files and shared memory, pages; the rest is anonymous.
    pub shared: u64,
}

impl Statm {
    /// Reads the line.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut words = text.split(|b| b.is_ascii_whitespace());
        let mut next = || {
            words.next().and_then(number).map(|n| n as u64).ok_or(Error::Malformed {
                file: "statm",
                offset: 0,
                expected: "three numbers of pages",
            })
        };
        Ok(Self { size: next()?, resident: next()?, shared: next()? })
    }
}

/// `/proc/PID/status`, the lines that a watcher needs. Bytes where the kernel writes kB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// State letter, as in `stat`; `\0` where the line is missing.
    pub state: char,
    /// Parent's pid.
    pub ppid: i32,
    /// Its pid as it knows it itself, in its own pid namespace; 0 in kernels before 4.1.
    pub own_pid: i32,
    /// The pid of the tracer, 0 without one.
    pub tracer: i32,
    /// Threads.
    pub threads: u32,
    /// Virtual size, bytes.
    pub vsz: u64,
    /// Resident, bytes.
    pub rss: u64,
    /// Highest resident size so far, bytes.
    pub rss_peak: u64,
    /// Resident anonymous memory, bytes: what a leak is judged by.
    pub rss_anon: u64,
    /// Resident pages of files, bytes.
    pub rss_file: u64,
    /// Resident shared memory, bytes.
    pub rss_shmem: u64,
    /// Swapped out, bytes.
    pub swap: u64,
    /// Size of the descriptor table, slots (not the number of open descriptors).
    pub fd_slots: u64,
    /// Signals waiting to be delivered to the process, a bit each.
    pub signals_pending: u64,
    /// Signals that are blocked, a bit each.
    pub signals_blocked: u64,
    /// Signals that are ignored, a bit each.
    pub signals_ignored: u64,
    /// Signals that have a handler, a bit each.
    pub signals_caught: u64,
    /// Queued signals.
    pub signals_queued: u64,
}

impl Status {
    /// Reads the lines; unknown ones are skipped, missing ones stay 0 (a kernel thread has no memory).
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut out = Self::default();
        let mut seen_state = false;
        for line in text.split(|&b| b == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let value = line[colon + 1..].trim_ascii();
            let bad = |expected| Error::Malformed {
                file: "status",
                offset: line.as_ptr() as usize - text.as_ptr() as usize,
                expected,
            };
            let kilobytes = || {
                let digits = value.strip_suffix(b" kB").ok_or(bad("a size in kB"))?;
                Ok::<u64, Error>(number(digits).ok_or(bad("a size in kB"))? as u64 * 1024)
            };
            let count = || number(value).map(|n| n as u64).ok_or(bad("a number"));
            let mask =
                || std::str::from_utf8(value).ok().and_then(|v| u64::from_str_radix(v, 16).ok()).ok_or(bad("a mask"));
            match &line[..colon] {
                b"State" => {
                    out.state = *value.first().ok_or(bad("a state letter"))? as char;
                    seen_state = true;
                }
                b"PPid" => out.ppid = count()? as i32,
                b"NSpid" => {
                    let own = value.rsplit(|b| b.is_ascii_whitespace()).next().and_then(number);
                    out.own_pid = own.ok_or(bad("pids"))? as i32;
                }
                b"TracerPid" => out.tracer = count()? as i32,
                b"FDSize" => out.fd_slots = count()?,
                b"Threads" => out.threads = count()? as u32,
                b"VmSize" => out.vsz = kilobytes()?,
                b"VmHWM" => out.rss_peak = kilobytes()?,
                b"VmRSS" => out.rss = kilobytes()?,
                b"RssAnon" => out.rss_anon = kilobytes()?,
                b"RssFile" => out.rss_file = kilobytes()?,
                b"RssShmem" => out.rss_shmem = kilobytes()?,
                b"VmSwap" => out.swap = kilobytes()?,
                b"SigQ" => {
                    let queued = value.split(|&b| b == b'/').next().and_then(number);
                    out.signals_queued = queued.ok_or(bad("queued/limit"))? as u64;
                }
                b"ShdPnd" => out.signals_pending = mask()?,
                b"SigBlk" => out.signals_blocked = mask()?,
                b"SigIgn" => out.signals_ignored = mask()?,
                b"SigCgt" => out.signals_caught = mask()?,
                _ => {}
            }
        }
        if !seen_state {
            return Err(Error::Malformed { file: "status", offset: text.len(), expected: "a State line" });
        }
        Ok(out)
    }
}

/// `/proc/PID/smaps_rollup`: exact figures, summed over all mappings by walking the page tables (dear).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollup {
    /// Resident, bytes.
    pub rss: u64,
    /// Resident, shared pages divided among those that share them, bytes.
    pub pss: u64,
    /// Anonymous memory, bytes.
    pub anonymous: u64,
    /// Pages of this process alone, bytes.
    pub private: u64,
    /// Swapped out, bytes.
    pub swap: u64,
    /// Anonymous memory, shared pages divided among those that share them, bytes; none before Linux 5.4.
    pub pss_anon: Option<u64>,
    /// Shared memory, divided in the same way, bytes; none before Linux 5.4.
    pub pss_shmem: Option<u64>,
    /// Swapped out, divided in the same way, bytes.
    pub swap_pss: u64,
    /// Huge pages that were set aside for it (hugetlbfs), bytes: these are in no other figure.
    pub hugetlb: u64,
    /// Anonymous and shared memory in huge pages that the kernel made by itself, bytes.
    pub huge: u64,
    /// Anonymous memory that was given back (`MADV_FREE`) and that the kernel takes when it needs some, bytes.
    pub lazy_free: u64,
}

impl Rollup {
    /// Reads the lines.
    pub fn parse(text: &[u8]) -> Self {
        let mut out = Self::default();
        for line in text.split(|&b| b == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let Some(kilobytes) = line[colon + 1..].trim_ascii().strip_suffix(b" kB").and_then(number) else {
                continue;
            };
            let bytes = kilobytes as u64 * 1024;
            match &line[..colon] {
                b"Rss" => out.rss = bytes,
                b"Pss" => out.pss = bytes,
                b"Anonymous" => out.anonymous = bytes,
                b"Private_Clean" | b"Private_Dirty" => out.private += bytes,
                b"Swap" => out.swap = bytes,
                b"Pss_Anon" => out.pss_anon = Some(bytes),
                b"Pss_Shmem" => out.pss_shmem = Some(bytes),
                b"SwapPss" => out.swap_pss = bytes,
                b"LazyFree" => out.lazy_free = bytes,
                b"Shared_Hugetlb" | b"Private_Hugetlb" => out.hugetlb += bytes,
                b"AnonHugePages" | b"ShmemPmdMapped" => out.huge += bytes,
                _ => {}
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &[u8] = b"Name:\tphp: worker\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t77\nPid:\t77\nPPid:\t70\n\
        TracerPid:\t0\nFDSize:\t256\nVmPeak:\t  104200 kB\nVmSize:\t  104196 kB\nVmHWM:\t   38044 kB\n\
        VmRSS:\t   37020 kB\nRssAnon:\t   16912 kB\nRssFile:\t   20096 kB\nRssShmem:\t      12 kB\n\
        VmSwap:\t       0 kB\nThreads:\t4\nSigQ:\t2/31711\nShdPnd:\t0000000000000200\nSigBlk:\t0000000000000000\n\
        SigIgn:\t0000000000001000\nSigCgt:\t0000000180004002\n";

    #[test]
    fn status_lines() {
        let s = Status::parse(STATUS).unwrap();
        assert_eq!((s.state, s.ppid, s.threads, s.fd_slots), ('S', 70, 4, 256));
        assert_eq!((s.rss, s.rss_anon, s.rss_file, s.rss_shmem), (37_020 << 10, 16_912 << 10, 20_096 << 10, 12 << 10));
        assert_eq!((s.vsz, s.rss_peak, s.signals_queued), (104_196 << 10, 38_044 << 10, 2));
        assert_eq!((s.signals_pending, s.signals_ignored), (0x200, 0x1000));
        assert_eq!(s.rss, s.rss_anon + s.rss_file + s.rss_shmem);
    }

    #[test]
    fn a_kernel_thread_has_no_memory() {
        let s = Status::parse(b"Name:\tkthreadd\nState:\tS (sleeping)\nThreads:\t1\n").unwrap();
        assert_eq!((s.rss, s.vsz, s.threads), (0, 0, 1));
        assert!(Status::parse(b"").is_err());
        assert!(Status::parse(b"State:\tS\nVmRSS:\tmany kB\n").is_err());
    }

    #[test]
    fn statm_and_rollup() {
        assert_eq!(
            Statm::parse(b"26049 9255 5027 1210 0 5002 0\n").unwrap(),
            Statm { size: 26049, resident: 9255, shared: 5027 }
        );
        assert!(Statm::parse(b"1 2\n").is_err());
        let text = b"55-7f ---p 0 00:00 0 [rollup]\nRss:  1696 kB\nPss:  321 kB\nPrivate_Clean:  4 kB\n\
            Private_Dirty:  112 kB\nAnonymous:  112 kB\nSwap:  8 kB\n";
        let old = Rollup {
            rss: 1696 << 10,
            pss: 321 << 10,
            anonymous: 112 << 10,
            private: 116 << 10,
            swap: 8 << 10,
            ..Rollup::default()
        };
        assert_eq!(Rollup::parse(text), old);
        let text = b"Pss_Anon:  100 kB\nPss_Shmem:  7 kB\nAnonHugePages:  2048 kB\nShmemPmdMapped:  0 kB\n\
            Private_Hugetlb:  4096 kB\nSwapPss:  3 kB\nLazyFree:  8 kB\n";
        let new = Rollup::parse(text);
        assert_eq!((new.pss_anon, new.pss_shmem, new.swap_pss), (Some(100 << 10), Some(7 << 10), 3 << 10));
        assert_eq!((new.huge, new.hugetlb), (2 << 20, 4 << 20));
    }
}
