//! Words as a shell reads them back.

/// `word` as one word of a shell. A NUL, which no shell can be given, is left out.
pub fn quoted(word: &str) -> String {
    // Words as `-dmemory=1` need no quotes, though an assignment at the line's beginning would.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let clean: String = word.chars().filter(|c| *c != '\0').collect();
    shlex::try_quote(&clean).map_or_else(|_| String::new(), |quoted| quoted.into_owned())
}

/// `words` as one line.
pub fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        let words = ["-dxdebug.mode=off", "it's", "", "a;b", "$HOME", "a b", "ü", "\n"];
        assert_eq!(shlex::split(&line(words)).expect("a line"), words);
        assert_eq!(quoted("-dxdebug.mode=off"), "-dxdebug.mode=off");
        assert_eq!(quoted(""), "''");
    }
}
