//! `/proc/PID/stat`: state, parents, CPU time, threads, start. Source: proc_pid_stat(5).

use super::Error;

/// One process's line of scheduling facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: i32,
    /// State letter: `R` running, `S` sleeping, `D` disk sleep, `T` stopped, `t` traced, `Z` zombie ...
    pub state: char,
    /// Parent's pid.
    pub ppid: i32,
    /// Process group.
    pub pgrp: i32,
    /// Session.
    pub session: i32,
    /// CPU time in user mode, clock ticks (see [`clock_ticks`]).
    pub utime: u64,
    /// CPU time in the kernel, clock ticks.
    pub stime: u64,
    /// CPU time of children that ended and were waited for, theirs included, clock ticks.
    pub waited_time: u64,
    /// Threads.
    pub threads: u32,
    /// Start time after boot, clock ticks; with the pid it names a process for good.
    pub start: u64,
    /// Virtual size, bytes.
    pub vsize: u64,
    /// Resident pages as the scheduler's approximate counter has them (statm is the same counter).
    pub rss_pages: u64,
    /// The signal that the process will leave, or left, as its exit code (waitpid's form), 0 while it runs.
    pub exit_code: i32,
}

/// Clock ticks a second in which `utime`, `stime` and `start` are counted.
pub fn clock_ticks() -> u64 {
    use nix::unistd::{SysconfVar, sysconf};
    sysconf(SysconfVar::CLK_TCK).ok().flatten().map_or(100, |ticks| ticks as u64)
}

impl Stat {
    /// Reads the line. The command name stands in parentheses and may itself hold blanks, line ends
    /// and parentheses, so the last `)` ends it.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let bad = |offset, expected| Error::Malformed { file: "stat", offset, expected };
        let open = memchr::memchr(b'(', text).ok_or(bad(0, "`(` before the command name"))?;
        let close = memchr::memrchr(b')', text).ok_or(bad(open, "`)` after the command name"))?;
        let pid = number(&text[..open]).ok_or(bad(0, "the pid"))? as i32;
        // Fields are numbered as in proc_pid_stat(5), from 3 on after the name.
        let mut fields = [0i64; 53];
        let mut state = '?';
        let mut count = 2;
        for word in text[close + 1..].split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty()) {
            count += 1;
            match count {
                3 => state = word[0] as char,
                4..=52 => {
                    let offset = word.as_ptr() as usize - text.as_ptr() as usize;
                    fields[count] = number(word).ok_or(bad(offset, "a number"))?;
                }
                _ => break,
            }
        }
        if count < 24 {
            return Err(bad(text.len(), "at least 24 fields"));
        }
        Ok(Self {
            pid,
            state,
            ppid: fields[4] as i32,
            pgrp: fields[5] as i32,
            session: fields[6] as i32,
            utime: fields[14] as u64,
            stime: fields[15] as u64,
            waited_time: (fields[16].max(0) + fields[17].max(0)) as u64,
            threads: fields[20] as u32,
            start: fields[22] as u64,
            vsize: fields[23] as u64,
            rss_pages: fields[24].max(0) as u64,
            exit_code: fields[52] as i32,
        })
    }

    /// Its first thread has ended, and others go on: the kernel calls that a zombie too, and it lives.
    pub fn outlives_first_thread(&self) -> bool {
        self.state == 'Z' && self.threads > 1
    }
}

/// A decimal number with an optional sign; values above i64 (addresses, masks) wrap and are unused.
pub(crate) fn number(word: &[u8]) -> Option<i64> {
    let word = word.trim_ascii();
    let (negative, digits) = match word.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, word),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for &b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(b - b'0'));
    }
    Some(if negative { (value as i64).wrapping_neg() } else { value as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_parentheses() {
        let line = b"4242 (a) R 1 (b\n) S 17 4242 4200 34816 4242 4194304 120 0 0 0 250 75 0 0 20 0 3 0 987654 \
            12345678 901 18446744073709551615 1 1 0 0 0 0 0 4096 81922 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 9\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.ppid, stat.pgrp, stat.session), (4242, 'S', 17, 4242, 4200));
        assert_eq!((stat.utime, stat.stime, stat.threads, stat.start), (250, 75, 3, 987_654));
        assert_eq!((stat.vsize, stat.rss_pages, stat.exit_code), (12_345_678, 901, 9));
    }

    #[test]
    fn torn_lines_are_errors() {
        for text in ["", "12", "12 (x", "12 (x) S 1 2", "12 (x) S one 2 3"] {
            assert!(Stat::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
