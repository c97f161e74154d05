//! Memory that lives in files without a place on a disk: memfds, deleted files of tmpfs, and what is mapped of them.
//! Sources: memfd_create(2), tmpfs(5), proc_pid_smaps(5), proc_pid_mountinfo(5).

use std::collections::{BTreeMap, BTreeSet};

use super::fd::{Descriptor, Kind};
use super::process::Process;
use super::stat::number;

/// A file of memory: its device, as stat(2) has it, and its inode.
pub type FileId = (u64, u64);

/// The devices of all tmpfs file systems in the text of `/proc/PID/mountinfo`.
pub fn tmpfs_devices(text: &str) -> BTreeSet<u64> {
    let device = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let (major, minor) = mount.split_ascii_whitespace().nth(2)?.split_once(':')?;
        (kind.split_ascii_whitespace().next()? == "tmpfs")
            .then_some(libc::makedev(major.parse().ok()?, minor.parse().ok()?))
    };
    text.lines().filter_map(device).collect()
}

/// What is resident of each file in the text of `/proc/PID/smaps`: bytes, shared pages divided among those that share them.
pub fn mapped_by_file(text: &[u8]) -> BTreeMap<FileId, u64> {
    let mut found = BTreeMap::new();
    let mut file = None;
    for line in text.split(|&b| b == b'\n') {
        if let Some(header) = header(line) {
            file = header;
        } else if let Some(id) = file
            && let Some(rest) = line.strip_prefix(b"Pss:")
            && let Some(kilobytes) = rest.trim_ascii().strip_suffix(b" kB").and_then(number)
        {
            *found.entry(id).or_default() += kilobytes as u64 * 1024;
        }
    }
    found
}

/// The file of a mapping's first line, `Some(None)` where none stands behind it; `None` for every other line.
fn header(line: &[u8]) -> Option<Option<FileId>> {
    let text = std::str::from_utf8(line.get(..line.len().min(120))?).ok().or_else(|| {
        // A path may be anything; the columns before it are plain.
        line.utf8_chunks().next().map(|chunk| chunk.valid())
    })?;
    let mut columns = text.split_ascii_whitespace();
    let (from, to) = columns.next()?.split_once('-')?;
    u64::from_str_radix(from, 16).ok().zip(u64::from_str_radix(to, 16).ok())?;
    let (major, minor) = columns.nth(2)?.split_once(':')?;
    let inode: u64 = columns.next()?.parse().ok()?;
    let device = libc::makedev(u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    Some((inode != 0).then_some((device, inode)))
}

impl Process {
    /// The memory behind descriptors of this process: memfds, and deleted files on one of the `tmpfs` devices. Bytes that
    /// the kernel has given each, swapped ones with them; what was closed meanwhile is left out.
    pub fn held_memory(&self, descriptors: &[Descriptor], tmpfs: &BTreeSet<u64>) -> BTreeMap<FileId, u64> {
        let may_be = |d: &&Descriptor| d.kind == Kind::Memfd || d.kind == Kind::File && d.deleted && !tmpfs.is_empty();
        let held = |d: &Descriptor| {
            let stat = self.descriptor_stat(d.fd).ok()?;
            let is = d.kind == Kind::Memfd || tmpfs.contains(&stat.st_dev);
            // st_blocks counts 512 bytes each, whatever the file system's own blocks are.
            is.then_some(((stat.st_dev, stat.st_ino), stat.st_blocks as u64 * 512))
        };
        descriptors.iter().filter(may_be).filter_map(held).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmpfs_among_the_mounts() {
        let text = "24 30 0:22 / /sys rw shared:7 - sysfs sysfs rw\n26 30 0:5 / /dev/shm rw,nosuid - tmpfs tmpfs rw\n\
            36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n";
        assert_eq!(tmpfs_devices(text), [libc::makedev(0, 5)].into());
    }

    #[test]
    fn resident_by_file() {
        let text =
            b"7f00-7f10 rw-s 00000000 00:01 77                        /memfd:ring (deleted)\nRss:  8 kB\nPss:   6 kB\n\
            VmFlags: rd wr\n8000-9000 rw-p 00000000 00:00 0 \nPss:  100 kB\n\
            a000-b000 rw-s 00001000 00:01 77  /memfd:ring (deleted)\nPss:  2 kB\n\
            b000-c000 r--p 00000000 fe:00 9 /usr/lib/\xff.so\nPss:  4 kB\n";
        let found = mapped_by_file(text);
        assert_eq!(found, [((libc::makedev(0, 1), 77), 8 << 10), ((libc::makedev(0xfe, 0), 9), 4 << 10)].into());
    }

    #[test]
    fn a_memfd_of_our_own() {
        use std::io::Write;
        let fd = nix::sys::memfd::memfd_create("held", nix::sys::memfd::MFdFlags::empty()).unwrap();
        let mut file = std::fs::File::from(fd);
        file.write_all(&[1; 1 << 20]).unwrap();
        let me = Process::open(std::process::id() as i32).unwrap();
        let held = me.held_memory(&me.descriptors().unwrap(), &BTreeSet::new());
        assert!(held.values().any(|bytes| *bytes >= 1 << 20), "{held:?}");
    }
}
