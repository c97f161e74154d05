//! Text of others (a server's replies, its output, names in a profile) made safe to show on a terminal or a page.

/// `text` on one line, with its control characters and the characters that turn the direction of writing made visible,
/// so that it shows what it is and moves nothing: no escape sequence reaches a terminal.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '\0' => out.push_str("\\0"),
            '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// The same line by line: line ends stay, carriage returns before them go.
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_a_terminal() {
        assert_eq!(visible("a\u{202e}b\u{1b}"), "a\\u{202e}b\\x1b");
        // OSC 52 would write the clipboard.
        assert_eq!(visible("550 \u{1b}]52;c;cm0=\u{7}"), "550 \\x1b]52;c;cm0=\\x07");
        assert_eq!(visible("a\tb\nc\0"), "a b c\\0");
        assert_eq!(visible("\u{9b}31m \u{2066}x\u{200b}"), "\\x9b31m \\u{2066}x\\u{200b}");
        assert_eq!(visible("Grüße 日本"), "Grüße 日本");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(visible_lines("250-a\r\n250 \u{1b}[2J\r\n"), "250-a\n250 \\x1b[2J");
    }
}
