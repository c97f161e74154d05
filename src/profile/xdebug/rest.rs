//! Where a server rested while its profile was written. Xdebug writes in blocks, so a file's length at a moment says
//! only behind which block the calls of that moment stand. At rest a server waits, in one call that is far longer than
//! those around it: behind that call the work to come begins.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memchr::memmem;

use super::lexer::WRITE_BLOCK;

/// Bytes that are looked at behind a mark: what Xdebug holds back, and the rest of a call that begins in it.
const LOOKED_AT: usize = WRITE_BLOCK as usize + (1 << 10);

/// Moves each mark behind the longest call that may have gone on at its moment, where the file is plain text. Marks stay
/// ascending; one at the begin stays, as the file may not have been there.
pub fn moved_to_rest(path: &Path, marks: &[u64]) -> Vec<u64> {
    let moved = File::open(path).and_then(|file| marks.iter().map(|mark| behind_longest(&file, *mark)).collect());
    moved.unwrap_or_else(|_: io::Error| marks.to_vec())
}

fn behind_longest(file: &File, mark: u64) -> io::Result<u64> {
    if mark == 0 {
        return Ok(0);
    }
    let mut window = vec![0; LOOKED_AT];
    let mut filled = 0;
    while filled < window.len() {
        match file.read_at(&mut window[filled..], mark + filled as u64)? {
            0 => break,
            more => filled += more,
        }
    }
    let longest = longest(&window[..filled], WRITE_BLOCK as usize);
    Ok(longest.map_or(mark, |end| mark + end as u64))
}

/// Where the longest call ends of those that begin in the first `within` bytes.
fn longest(text: &[u8], within: usize) -> Option<usize> {
    let begins: Vec<usize> = memmem::find_iter(text, b"\n\nfl=(").map(|at| at + 2).collect();
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let calls = begins.iter().copied().zip(ends).filter(|(begin, _)| *begin < within);
    let (_, end) = calls.filter_map(|(begin, end)| Some((own_time(&text[begin..end])?, end))).max()?;
    Some(end)
}

/// Self time of a call in the file's unit: the second figure behind its name.
fn own_time(record: &[u8]) -> Option<u64> {
    let costs = record.split(|byte| *byte == b'\n').nth(2)?;
    std::str::from_utf8(costs).ok()?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: u32, time: u64) -> String {
        format!("fl=({name})\nfn=({name})\n7 {time} 16\n\n")
    }

    #[test]
    fn a_mark_goes_behind_the_longest_call() {
        let waits = call(2, 9_000_000);
        let before = call(1, 70).repeat(30);
        let text = format!("{}{before}{waits}{}", "\n\n", call(3, 400).repeat(100));
        assert_eq!(longest(text.as_bytes(), 4096), Some(2 + before.len() + waits.len()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let behind = (2 + before.len() + waits.len()) as u64;
        assert_eq!(moved_to_rest(file.path(), &[0, 2, 40, 40]), [0, behind, behind, behind]);
        let end = text.len() as u64;
        assert_eq!(moved_to_rest(file.path(), &[end, end + 9]), [end, end + 9], "nothing stands behind them");
    }

    #[test]
    fn a_call_beyond_what_is_held_back_is_none_of_that_moment() {
        let text = format!("\n\n{}{}", call(1, 70).repeat(300), call(2, 9_000_000));
        assert!(longest(text.as_bytes(), 4096).unwrap() < 4096 + 40);
    }

    #[test]
    fn what_is_no_text_moves_no_mark() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0x1f, 0x8b, 8, 0].repeat(4_000)).unwrap();
        assert_eq!(moved_to_rest(file.path(), &[10, 2_000]), [10, 2_000]);
        assert_eq!(moved_to_rest(Path::new("/no/such/file"), &[10]), [10]);
        assert_eq!(own_time(b"fl=(1)\nfn=(2)\n7 x 16"), None);
    }
}
