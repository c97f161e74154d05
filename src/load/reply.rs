//! SMTP replies out of bytes: pure, knows no socket. RFC 5321, section 4.2.

/// The longest line that is taken for a reply; RFC 5321 allows 512, servers write more.
pub const LINE_LIMIT: usize = 4096;
/// The longest reply over all its lines.
pub const REPLY_LIMIT: usize = 64 * 1024;

/// What the bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// A whole reply.
    Reply {
        /// The three digits.
        code: u16,
        /// Its length in bytes over all lines, with the last CRLF.
        len: usize,
    },
    /// The beginning of a reply: more bytes are needed.
    Incomplete,
    /// No reply: text without three digits, or codes that differ between the lines.
    Malformed,
    /// A line or a reply beyond the limits.
    Overlong,
}

/// Parses the reply that `bytes` begin with. A bare LF ends a line as CRLF does.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut start = 0;
    let mut first: Option<u16> = None;
    loop {
        let rest = &bytes[start..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return unfinished(rest, start);
        };
        if end > LINE_LIMIT || start + end > REPLY_LIMIT {
            return Parsed::Overlong;
        }
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let Some(code) = code(line) else { return Parsed::Malformed };
        if first.is_some_and(|first| first != code) {
            return Parsed::Malformed;
        }
        first = Some(code);
        start += end + 1;
        match line.get(3) {
            None | Some(b' ') => return Parsed::Reply { code, len: start },
            Some(b'-') => {}
            Some(_) => return Parsed::Malformed,
        }
    }
}

/// A line without its end: garbage is known as such by its first byte, before the end comes.
fn unfinished(rest: &[u8], start: usize) -> Parsed {
    let digits = rest.iter().take(3).enumerate().all(|(i, b)| match i {
        0 => (b'2'..=b'5').contains(b),
        _ => b.is_ascii_digit(),
    });
    if !digits {
        Parsed::Malformed
    } else if rest.len() > LINE_LIMIT || start + rest.len() > REPLY_LIMIT {
        Parsed::Overlong
    } else {
        Parsed::Incomplete
    }
}

fn code(line: &[u8]) -> Option<u16> {
    match line {
        [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => None,
    }
}

/// Whether one of the lines of an EHLO reply offers `keyword` (case does not matter).
pub fn offers(reply: &[u8], keyword: &str) -> bool {
    extensions(reply).any(|line| line.split([' ', '=']).next().is_some_and(|word| word.eq_ignore_ascii_case(keyword)))
}

/// The extensions of an EHLO reply, one line each (`SIZE 10240000`), without the greeting line.
pub fn extensions(reply: &[u8]) -> impl Iterator<Item = &str> + Clone {
    std::str::from_utf8(reply).unwrap_or_default().lines().skip(1).filter_map(|line| line.get(4..)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let overlong = [b"250 ".as_slice(), &[b'x'; 1 << 20]].concat();
        let many = b"250-x\r\n".repeat(20_000);
        for (bytes, parsed) in [
            (&b"220 ready\r\n"[..], Parsed::Reply { code: 220, len: 11 }),
            (b"220 ready\n", Parsed::Reply { code: 220, len: 10 }),
            (b"250\r\n", Parsed::Reply { code: 250, len: 5 }),
            (b"250-a\r\n250-b\r\n250 c\r\n354 x", Parsed::Reply { code: 250, len: 21 }),
            (b"250-a\r\n250-b\r\n25", Parsed::Incomplete),
            (b"", Parsed::Incomplete),
            (b"2", Parsed::Incomplete),
            (b"250 a\r", Parsed::Incomplete),
            (b"hello\r\n", Parsed::Malformed),
            (b"h", Parsed::Malformed),
            (b"2x", Parsed::Malformed),
            (b"\r\n", Parsed::Malformed),
            (b"150 x\r\n", Parsed::Malformed),
            (b"650 x\r\n", Parsed::Malformed),
            (b"250_x\r\n", Parsed::Malformed),
            (b"2505 x\r\n", Parsed::Malformed),
            (b"250-a\r\n550 b\r\n", Parsed::Malformed),
            (b"\xff\xfe\x00", Parsed::Malformed),
            (&overlong, Parsed::Overlong),
            (&many, Parsed::Overlong),
        ] {
            assert_eq!(parse(bytes), parsed, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        }
    }

    #[test]
    fn extensions_by_word() {
        let reply = b"250-mx.example SIZE\r\n250-PIPELINING\r\n250-auth=PLAIN LOGIN\r\n250 SIZE 1000\r\n";
        assert!(offers(reply, "pipelining") && offers(reply, "AUTH") && offers(reply, "SIZE"));
        assert!(!offers(reply, "PIPE") && !offers(reply, "mx.example"));
        assert_eq!(extensions(reply).last(), Some("SIZE 1000"));
    }

    proptest! {
        /// Wherever the network cuts a reply, the pieces before the last are incomplete and the whole is the same.
        #[test]
        fn cuts_change_nothing(code in 200u16..600, lines in prop::collection::vec("[ -~]{0,60}", 1..6)) {
            let last = lines.len() - 1;
            let text: String = lines
                .iter()
                .enumerate()
                .map(|(i, line)| format!("{code}{}{line}\r\n", if i == last { ' ' } else { '-' }))
                .collect();
            let bytes = text.as_bytes();
            prop_assert_eq!(parse(bytes), Parsed::Reply { code, len: bytes.len() });
            for cut in 0..bytes.len() {
                prop_assert_eq!(parse(&bytes[..cut]), Parsed::Incomplete);
            }
        }

        /// Any bytes at all are answered without a panic, and never with a reply longer than they are.
        #[test]
        fn anything(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Parsed::Reply { code, len } = parse(&bytes) {
                prop_assert!(len <= bytes.len() && (200..600).contains(&code));
            }
        }
    }
}
