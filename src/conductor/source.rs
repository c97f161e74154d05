//! Lines of the server's own scripts around the places that fill a container: read where the server sees them, and only
//! from files that have not changed since it started.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::heap::Code;
use crate::model::{Excerpt, Role};
use crate::proc::{Process, clock_ticks, uptime};

/// Lines before the place, and as many behind.
const AROUND: usize = 1;
/// The largest script that is read.
const LARGEST: u64 = 4 << 20;
/// Characters of a line.
const LONGEST: usize = 200;
/// In the place of a tab, which would be shown as one blank.
const TAB: &str = "    ";
/// A file's time is that of the last tick.
const TICK: Duration = Duration::from_millis(50);

/// Adds the lines around what puts in, and around what calls into a library that does.
pub(super) fn excerpts(code: &mut Code, pid: i32) {
    let Some(started) = started(pid) else { return };
    let mut scripts: HashMap<String, Option<Vec<u8>>> = HashMap::new();
    for location in code.containers.iter_mut().flat_map(|container| &mut container.locations) {
        if !matches!(location.role, Role::PutsIn | Role::Calls) {
            continue;
        }
        let text = scripts.entry(location.file.clone()).or_insert_with(|| script(pid, &location.file, started));
        location.excerpt = text.as_ref().and_then(|text| excerpt(text, location.line));
    }
}

/// A script as the process finds it; none where it is newer than the process.
fn script(pid: i32, file: &str, started: SystemTime) -> Option<Vec<u8>> {
    let within = if file.starts_with('/') { "root" } else { "cwd" };
    let path = PathBuf::from(format!("/proc/{pid}/{within}/{}", file.trim_start_matches('/')));
    let about = std::fs::metadata(&path).ok()?;
    let is_old = about.modified().is_ok_and(|modified| modified <= started + TICK);
    if about.is_file() && about.len() <= LARGEST && is_old { std::fs::read(path).ok() } else { None }
}

fn started(pid: i32) -> Option<SystemTime> {
    let ticks = Process::open(pid).ok()?.stat().ok()?.start;
    let age = uptime().ok()? - ticks as f64 / clock_ticks() as f64;
    SystemTime::now().checked_sub(Duration::try_from_secs_f64(age.max(0.0)).ok()?)
}

fn excerpt(text: &[u8], line: u32) -> Option<Excerpt> {
    let at = (line as usize).checked_sub(1)?;
    let first = at.saturating_sub(AROUND);
    let all = text.split(|byte| *byte == b'\n');
    let lines: Vec<String> = all.skip(first).take(at + AROUND + 1 - first).map(shown).collect();
    // The line itself is there, and is no empty one.
    let is_there = lines.get(at - first).is_some_and(|line| !line.trim().is_empty());
    is_there.then_some(Excerpt { first: first as u32 + 1, lines })
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).replace('\t', TAB);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_and_its_neighbours() {
        let text = b"<?php\r\n$a[] = 1;\n\n$b[] = 2;";
        let lines = |line| excerpt(text, line).map(|excerpt| (excerpt.first, excerpt.lines));
        assert_eq!(lines(2), Some((1, vec!["<?php".into(), "$a[] = 1;".into(), String::new()])));
        assert_eq!(lines(1), Some((1, vec!["<?php".into(), "$a[] = 1;".into()])));
        assert_eq!(lines(4), Some((3, vec![String::new(), "$b[] = 2;".into()])));
        assert_eq!((lines(0), lines(3), lines(5)), (None, None, None));
        assert_eq!(shown(b"\t$a;\r"), "    $a;");
        assert_eq!(shown("é".repeat(300).as_bytes()).chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_has_changed_since_the_process_began_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let script_of = |name: &str| folder.path().join(name).display().to_string();
        let pid = std::process::id() as i32;
        let began = started(pid).unwrap();
        std::fs::write(script_of("new.php"), "<?php\n$a[] = 1;\n").unwrap();
        let old = std::fs::File::create(script_of("old.php")).unwrap();
        old.set_modified(began - Duration::from_secs(60)).unwrap();
        assert_eq!(script(pid, &script_of("new.php"), began - Duration::from_secs(1)), None);
        assert_eq!(script(pid, &script_of("old.php"), began), Some(Vec::new()));
        assert_eq!(script(pid, &folder.path().display().to_string(), SystemTime::now()), None);
    }
}
