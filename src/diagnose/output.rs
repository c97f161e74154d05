//! What a server's own last output says about its end.

/// The memory limit that PHP ran into: its fatal line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The limit, bytes.
    pub limit: u64,
    /// What it asked for when it ended, bytes; 0 where the line does not say.
    pub asked: u64,
    /// `FILE on line N` where it ended, which is not where memory leaks.
    pub place: String,
}

/// Finds the newest `Allowed memory size of N bytes exhausted (tried to allocate M bytes) in FILE on line L`.
pub fn memory_limit(output: &str) -> Option<MemoryLimit> {
    output.lines().rev().find_map(|line| {
        let rest = after(line, "Allowed memory size of ")?;
        let limit = rest.split(' ').next()?.parse().ok()?;
        let asked = after(rest, "tried to allocate ").and_then(|r| r.split(' ').next()?.parse().ok()).unwrap_or(0);
        let place = after(rest, "bytes) in ").or_else(|| after(rest, "exhausted in ")).unwrap_or("").trim().to_owned();
        Some(MemoryLimit { limit, asked, place })
    })
}

/// Finds PHP's complaint that a select set holds descriptors that are too high; gives the descriptor.
pub fn select_set_too_small(output: &str) -> Option<u64> {
    let rest = after(output, "larger value of FD_SETSIZE")?;
    let high = after(rest, "numbered at least as high as ")?;
    let digits = high.find(|c: char| !c.is_ascii_digit()).unwrap_or(high.len());
    high[..digits].parse().ok()
}

/// Whether the C library ended the process for writing behind the end of a buffer.
pub fn buffer_overflow(output: &str) -> bool {
    output.contains("buffer overflow detected")
}

/// Whether something was refused for want of descriptors (EMFILE; ENFILE is the whole machine's).
pub fn too_many_open_files(output: &str) -> bool {
    output.contains("Too many open files") && !output.contains("Too many open files in system")
}

/// The newest line by which a program says that it gives up, shortened to one that can be shown.
pub fn fatal_line(output: &str) -> Option<String> {
    const MARKS: [&str; 7] = [
        "Fatal error:",
        "Fatal error ",
        "Uncaught ",
        "panicked at",
        "panic:",
        "Traceback (most recent",
        "Segmentation fault",
    ];
    let line = output.lines().rev().find(|l| MARKS.iter().any(|m| l.contains(m)))?.trim();
    Some(shortened(line))
}

/// The last line that is not blank.
pub fn last_line(output: &str) -> Option<String> {
    output.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(shortened)
}

fn shortened(line: &str) -> String {
    const MOST: usize = 200;
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    }
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).map(|at| &text[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_limit() {
        let output = "accepted id=1\nPHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to \
            allocate 20480 bytes) in /srv/app/src/Buffer.php on line 41\n";
        let expected =
            MemoryLimit { limit: 134_217_728, asked: 20_480, place: "/srv/app/src/Buffer.php on line 41".to_owned() };
        assert_eq!(memory_limit(output), Some(expected));
        assert_eq!(memory_limit("Allowed memory"), None);
    }

    #[test]
    fn the_select_set() {
        let output = "Warning: stream_select(): You MUST recompile PHP with a larger value of FD_SETSIZE.\n\
            It is set to 1024, but you have descriptors numbered at least as high as 1030.\n --enable-fd-setsize=2048";
        assert_eq!(select_set_too_small(output), Some(1030));
        assert_eq!(select_set_too_small("FD_SETSIZE"), None);
    }

    #[test]
    fn lines() {
        assert!(too_many_open_files("accept(): Too many open files"));
        assert!(!too_many_open_files("Too many open files in system"));
        assert_eq!(
            fatal_line("a\nPHP Fatal error:  Uncaught Error: no\n#0 main").unwrap(),
            "PHP Fatal error:  Uncaught Error: no"
        );
        assert_eq!(last_line("one\n\n  two \n\n").unwrap(), "two");
        assert_eq!(last_line("é".repeat(300).as_str()).unwrap().chars().count(), 203);
    }
}
