//! Names in formats that are text. Knows no format.

use std::borrow::Cow;

/// A name without what is no character of a text: control characters and line ends become spaces. PHP puts a NUL between
/// `class@anonymous` and its place.
pub(super) fn printable(name: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match name.contains(breaks) {
        true => Cow::Owned(name.replace(breaks, " ")),
        false => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(printable("class@anonymous\0/a.php\n\u{1b}[2J\u{85}\t"), "class@anonymous /a.php  [2J  ");
        assert_eq!(printable("a;b é"), "a;b é");
    }
}
