//! Tells from a file's beginning who wrote it.

use std::io::{self, Cursor, Read};

use super::super::source::Source;

/// So much of a file is looked at.
const LOOK: usize = 256 << 10;

/// What a beginning says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Head {
    /// Xdebug's, or nothing that says otherwise.
    Xdebug,
    /// Callgrind's format, whoever wrote it, or cachegrind's.
    Callgrind,
}

/// Looks at the beginning of a file; the source that is given back still holds it.
pub(in super::super) fn peek(source: Source) -> (Head, Source) {
    match source {
        Source::Mapped(map) => {
            let head = told(&map[..map.len().min(LOOK)]);
            (head, Source::Mapped(map))
        }
        Source::Stream(stream) => {
            let (head, stream) = peek_stream(stream);
            (head, Source::Stream(stream))
        }
        Source::Gzip(stream) => {
            let (head, stream) = peek_stream(stream);
            (head, Source::Gzip(stream))
        }
    }
}

fn peek_stream(mut stream: Box<dyn Read>) -> (Head, Box<dyn Read>) {
    let mut begin = Vec::new();
    let mut part = vec![0; 16 << 10];
    let mut error = None;
    while begin.len() < LOOK {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => begin.extend_from_slice(&part[..length]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    let head = told(&begin);
    let begin = Cursor::new(begin).chain(Broken(error));
    (head, Box::new(begin.chain(stream)))
}

/// Gives an error that was met earlier, once.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Xdebug names itself, except in its oldest versions, which begin with `version:` or `cmd:` and count
/// `Time`. All others have a header line that Xdebug's files do not have, or count `Time` without more.
fn told(begin: &[u8]) -> Head {
    let begin = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    let mut lines = begin.split(|&byte| byte == b'\n').map(|line| line.trim_ascii()).peekable();
    let mut described = false;
    while let Some(line) = lines.next() {
        // The last line may be cut.
        let whole = lines.peek().is_some();
        let value = |key: &[u8]| line.strip_prefix(key).map(|value| value.trim_ascii());
        if line == b"# callgrind format" {
            return Head::Callgrind;
        } else if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"====") {
            continue;
        } else if let Some(creator) = value(b"creator:") {
            let xdebug = creator.starts_with(b"xdebug") || !whole;
            return if xdebug { Head::Xdebug } else { Head::Callgrind };
        } else if let Some(events) = value(b"events:") {
            let xdebug = events.is_empty() || events.starts_with(b"Time") && (described || events != b"Time" || !whole);
            return if xdebug { Head::Xdebug } else { Head::Callgrind };
        } else if let Some(positions) = value(b"positions:") {
            if !b"line".starts_with(positions) {
                return Head::Callgrind;
            }
        } else if let Some(version) = value(b"version:") {
            described = true;
            if whole && version.first().is_some_and(|digit| (b'2'..=b'9').contains(digit)) {
                return Head::Callgrind;
            }
        } else if ["desc:", "event:", "pid:", "thread:"].iter().any(|key| line.starts_with(key.as_bytes())) {
            return Head::Callgrind;
        } else if ["cmd:", "part:"].iter().any(|key| line.starts_with(key.as_bytes())) {
            described = true;
        } else if begins_the_body(line) {
            return Head::Xdebug;
        }
    }
    Head::Xdebug
}

/// A line of costs or names. Any other that is not known is passed over: a header may have a line that is damaged.
fn begins_the_body(line: &[u8]) -> bool {
    let name = ["fl=", "fi=", "fe=", "fn=", "ob=", "cfl=", "cfi=", "cfn=", "cob=", "calls="];
    line[0].is_ascii_digit() || name.iter().any(|key| line.starts_with(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_told_by_their_headers() {
        for text in [
            "# callgrind format\nversion: 1\n",
            "version: 1\ncreator: callgrind-3.19.0\n",
            "\nversion: 1\ncreator: callgrind-0.10.11\npid: 1\n",
            "events: Ticks\nfi=x\n",
            "positions: instr line\nevents: cpu(ms)\n\nob=(1) x\n",
            "desc: I1 cache: 32768 B\ncmd: ls\nevents: Ir\n",
            "cmd: ls\nevents: Ir\n",
            "version: 2\n",
            "version: 1\r\ncreator: ruby-prof\r\n",
            "events: Time\nsummary: 5\nfl=lists\nfn={lists,map,2}\n1 5\n",
            "version: 1\n@@ damage\ncreator: callgrind-3.19.0\n",
            "event: ns : Nanoseconds\nevents: ns\n",
        ] {
            assert_eq!(told(text.as_bytes()), Head::Callgrind, "{text}");
        }
        for text in [
            "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2)\n",
            "version: 0.9.6\ncmd: /a.php\npart: 1\n\nevents: Time\n\nfl=a\n",
            "==== NEW PROFILING FILE ====\nversion: 1\ncreator: xdebug 3.2.0\n",
            "fl=(1) a\nfn=(1) b\n1 2 3\n",
            "events: Time Memory\n\nfl=a\n",
            "part: 1\n\nevents: Time\n\nfl=a\n",
            "",
            "\u{0}\u{1}creator: x\n",
            "version: 1\ncreator: x",
            "vers\ncreator: xdebug 3.2.0\n",
            "damage\nfl=(1) events: Ir\nfn=(1) a\n",
        ] {
            assert_eq!(told(text.as_bytes()), Head::Xdebug, "{text}");
        }
    }
}
