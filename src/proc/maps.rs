//! `/proc/PID/maps` and `/proc/PID/pagemap`: text or bytes in, ranges out. Knows nothing of what
//! the mapped process is.

/// One line of `/proc/PID/maps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind the mapping.
    pub end: u64,
    /// `r`
    pub readable: bool,
    /// `w`
    pub writable: bool,
    /// `x`
    pub executable: bool,
    /// `s` in the last column of the permissions: changes are seen by others.
    pub shared: bool,
    /// Offset into the file, in bytes.
    pub offset: u64,
    /// `major:minor` of the file's device, as printed.
    pub device: String,
    /// Inode, 0 where no file stands behind the mapping.
    pub inode: u64,
    /// Path, `[heap]`, `[stack]` and the like, or empty.
    pub path: String,
}

impl Mapping {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The kernel never prints an empty mapping; asked for by the lint that knows `len`.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Whether `address` lies inside.
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Whether a file stands behind it.
    pub fn is_file(&self) -> bool {
        self.inode != 0 && self.path.starts_with('/')
    }
}

/// Reads the text of `/proc/PID/maps`; a line that does not look like one is left out.
pub fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mapping> {
    // The path may hold blanks, so only the first five columns are split off.
    let mut rest = line;
    let mut column = || {
        rest = rest.trim_start_matches(' ');
        let end = rest.find(' ').unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        rest = tail;
        word
    };
    let (range, perms, offset, device, inode) = (column(), column(), column(), column(), column());
    let (start, end) = range.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let perms = perms.as_bytes();
    if perms.len() != 4 || end < start {
        return None;
    }
    Some(Mapping {
        start,
        end,
        readable: perms[0] == b'r',
        writable: perms[1] == b'w',
        executable: perms[2] == b'x',
        shared: perms[3] == b's',
        offset: u64::from_str_radix(offset, 16).ok()?,
        device: device.to_owned(),
        inode: inode.parse().ok()?,
        path: rest.trim_start_matches(' ').to_owned(),
    })
}

/// One page as `/proc/PID/pagemap` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageState(u64);

impl PageState {
    /// Wraps one entry (8 bytes in the machine's order).
    pub fn new(entry: u64) -> PageState {
        PageState(entry)
    }

    /// The page has contents of its own in memory or in swap. A page without any reads as zero
    /// (anonymous) or as the file (file mapping).
    pub fn is_populated(self) -> bool {
        self.0 & (0b11 << 62) != 0
    }

    /// The page is the file's (or shared memory's) own and not a private copy of it.
    pub fn is_file_or_shared(self) -> bool {
        self.0 & (1 << 61) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_file_heap_and_deleted_lines() {
        let text = "55d0c8a00000-55d0c8aeb000 r--p 00000000 fe:00 1311 /usr/bin/php8.2\n\
                    55d0ca000000-55d0ca200000 rw-p 00000000 00:00 0                          [heap]\n\
                    7f0000000000-7f0008000000 rw-s 00000000 00:01 2048 /dev/zero (deleted)\n\
                    7f0010000000-7f0010200000 rw-p 00000000 00:00 0 \n\
                    rubbish\n";
        let maps = parse(text);
        assert_eq!(maps.len(), 4);
        assert!(maps[0].is_file() && maps[0].readable && !maps[0].writable);
        assert_eq!(maps[0].path, "/usr/bin/php8.2");
        assert_eq!(maps[1].path, "[heap]");
        assert!(maps[1].writable && !maps[1].is_file());
        assert!(maps[2].shared);
        assert_eq!(maps[2].path, "/dev/zero (deleted)");
        assert_eq!(maps[3].len(), 0x20_0000);
        assert!(maps[3].contains(0x7f00_1000_0000) && !maps[3].contains(0x7f00_1020_0000));
    }

    #[test]
    fn a_page_is_populated_in_memory_or_in_swap() {
        assert!(PageState::new(1 << 63).is_populated());
        assert!(PageState::new(1 << 62).is_populated());
        assert!(!PageState::new(1 << 55).is_populated());
        assert!(PageState::new(1 << 61 | 1 << 63).is_file_or_shared());
    }
}
