//! The target's output: it writes the file itself; here the middle of a long one is released, and
//! the ends are read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FallocateFlags, fallocate};

/// Bytes kept at each end.
pub const KEPT: u64 = 1 << 20;

/// Releases the blocks between the first and the last megabyte; lengths stay as they are. `from` is
/// what was released already, and comes back moved on. File systems that cannot do it keep all.
pub fn release_middle(file: &File, from: &mut u64) -> io::Result<()> {
    let length = file.metadata()?.len();
    let begin = (*from).max(KEPT);
    // Whole blocks, and not for every little bit.
    let end = (length.saturating_sub(KEPT)) & !4095;
    if end < begin + KEPT {
        return Ok(());
    }
    let mode = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(file, mode, begin as i64, (end - begin) as i64)?;
    *from = end;
    Ok(())
}

/// The last `lines` lines, control characters replaced, each cut at 500 characters.
pub fn tail(file: &File, lines: usize) -> Vec<String> {
    let Ok(text) = last_bytes(file, 64 * 1024) else { return Vec::new() };
    let text = String::from_utf8_lossy(&text);
    let all: Vec<String> = text.lines().map(printable).filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].to_vec()
}

fn printable(line: &str) -> String {
    let mut out = String::new();
    let mut escape = false;
    for c in line.chars().take(500) {
        match c {
            '\u{1b}' => escape = true,
            c if escape => escape = !c.is_ascii_alphabetic(),
            '\0' => {}
            c if c.is_control() && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Read by position: the server appends through a descriptor of its own, and the file may bear another name by now.
fn last_bytes(file: &File, count: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut bytes = vec![0; length.min(count) as usize];
    file.read_exact_at(&mut bytes, length.saturating_sub(count))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_released_and_the_ends_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = || std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut text = b"first line\n".to_vec();
        text.resize(8 << 20, b'x');
        text.extend(b"\nlast line\n");
        std::fs::write(&path, &text).unwrap();
        let mut released = 0;
        if release_middle(&open(), &mut released).is_err() {
            return; // A file system that cannot release keeps all, which is legal.
        }
        assert!(released > 6 << 20);
        let now = std::fs::read(&path).unwrap();
        assert_eq!(now.len(), text.len());
        assert_eq!(now[..KEPT as usize], text[..KEPT as usize]);
        assert_eq!(tail(&open(), 1), vec!["last line".to_owned()]);
    }

    #[test]
    fn colours_are_left_out() {
        assert_eq!(printable("\u{1b}[32mok\u{1b}[0m\u{7}"), "ok\u{fffd}");
    }
}
