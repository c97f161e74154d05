//! Text that others wrote, made fit for a terminal and a page.

use std::borrow::Cow;

/// Replaces what would steer a terminal or turn the direction of writing: control characters but for line ends and
/// tabs, and the marks of the bidirectional algorithm.
pub fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match text.contains(steers) {
        true => Cow::Owned(text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_steers_a_terminal() {
        let text = super::printable("\u{1b}]52;c;AAAA\u{7} a\u{202e}b\n\tc");
        assert_eq!(text, "\u{fffd}]52;c;AAAA\u{fffd} a\u{fffd}b\n\tc");
    }
}
