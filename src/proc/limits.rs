//! `/proc/PID/limits`. Source: proc_pid_limits(5).

use super::Error;
use super::stat::number;

/// One limit; `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// What holds now.
    pub soft: Option<u64>,
    /// What the process may raise it to.
    pub hard: Option<u64>,
}

/// The limits that end servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Open descriptors.
    pub nofile: Limit,
    /// Address space, bytes.
    pub address_space: Limit,
    /// Processes of the user.
    pub nproc: Limit,
    /// Core file, bytes.
    pub core: Limit,
    /// File size, bytes.
    pub fsize: Limit,
}

impl Limits {
    /// Reads the table; its columns are fixed in width and start at byte 26.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut out = Self::default();
        let mut found = false;
        for line in text.split(|&b| b == b'\n') {
            let slot = match line {
                l if l.starts_with(b"Max open files ") => &mut out.nofile,
                l if l.starts_with(b"Max address space ") => &mut out.address_space,
                l if l.starts_with(b"Max processes ") => &mut out.nproc,
                l if l.starts_with(b"Max core file size ") => &mut out.core,
                l if l.starts_with(b"Max file size ") => &mut out.fsize,
                _ => continue,
            };
            let mut columns =
                line.get(26..).unwrap_or_default().split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty());
            let mut next = || match columns.next() {
                Some(b"unlimited") => Ok(None),
                Some(word) => number(word).map(|n| Some(n as u64)).ok_or(()),
                None => Err(()),
            };
            let bad = |()| Error::Malformed {
                file: "limits",
                offset: line.as_ptr() as usize - text.as_ptr() as usize,
                expected: "a soft and a hard limit",
            };
            *slot = Limit { soft: next().map_err(bad)?, hard: next().map_err(bad)? };
            found = true;
        }
        if !found {
            return Err(Error::Malformed { file: "limits", offset: 0, expected: "a table of limits" });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max file size             unlimited            unlimited            bytes     \n\
            Max processes             31711                31711                processes \n\
            Max open files            1024                 524288               files     \n\
            Max address space         unlimited            unlimited            bytes     \n";
        let limits = Limits::parse(text).unwrap();
        assert_eq!(limits.nofile, Limit { soft: Some(1024), hard: Some(524_288) });
        assert_eq!(limits.nproc.soft, Some(31_711));
        assert_eq!(limits.address_space, Limit::default());
        assert!(Limits::parse(b"").is_err());
    }
}
