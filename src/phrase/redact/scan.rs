//! Where in a text secrets stand, by name and by form.

use std::ops::Range;

use super::names::{Sure, how_sure};
use super::programs;

/// What tokens of known services begin with, and how long such a token is at least.
const TOKENS: [(&str, usize); 12] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("AKIA", 20),
    ("AIza", 30),
    ("SG.", 30),
];

/// After these words a secret follows. Compared without case.
const SCHEMES: [&str; 6] = ["bearer ", "basic ", "auth plain ", "auth login ", "auth xoauth2 ", "auth cram-md5 "];

/// The secrets of a text, in order, none within another.
pub fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    keys(text, &mut all);
    schemes(text, &mut all);
    assigned(text, &mut all);
    programs::passwords(text, &mut all);
    for word in words(text) {
        by_form(&text[word.clone()], word.start, &mut all);
    }
    all.retain(|range| !range.is_empty() && text[range.clone()].chars().any(|c| c != '*'));
    all.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut end = 0;
    all.retain(|range| {
        let apart = range.start >= end;
        end = end.max(range.end);
        apart
    });
    all
}

/// Private keys as PEM writes them, the marks kept.
fn keys(text: &str, all: &mut Vec<Range<usize>>) {
    const MARK: &str = "PRIVATE KEY-----";
    let mut from = 0;
    while let Some(at) = text[from..].find(MARK) {
        let begin = from + at + MARK.len();
        let end = text[begin..].find("-----END").map_or(text.len(), |at| begin + at);
        all.push(begin..end);
        from = end + if end < text.len() { "-----END".len() } else { 0 };
        if let Some(rest) = text[from..].find(MARK).filter(|rest| !text[from..from + rest].contains('\n')) {
            // The closing mark ends in the same words.
            from += rest + MARK.len();
        }
    }
}

/// `Bearer ...`, and whatever an `Authorization:` says to the end of its line.
fn schemes(text: &str, all: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    for scheme in SCHEMES {
        for (at, _) in lower.match_indices(scheme) {
            let begin = at + scheme.len();
            let end = text[begin..].find(|c: char| c.is_whitespace() || "\"'<>,;".contains(c));
            let range = begin..end.map_or(text.len(), |end| begin + end);
            // In prose a word follows.
            if range.len() >= 8 {
                all.push(range);
            }
        }
    }
    for header in ["authorization:", "set-cookie:", "cookie:"] {
        for (at, _) in lower.match_indices(header) {
            let begin = at + header.len();
            let begin = begin + (text[begin..].len() - text[begin..].trim_start_matches(' ').len());
            all.push(begin..text[begin..].find(['\n', '\r', '"', '\'']).map_or(text.len(), |end| begin + end));
        }
    }
}

/// `NAME=VALUE`, `NAME: VALUE`, `"NAME":"VALUE"`, `'NAME' => 'VALUE'`, `--name VALUE`.
fn assigned(text: &str, all: &mut Vec<Range<usize>>) {
    let is_name = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let mut from = 0;
    while let Some(at) = text[from..].find(is_name) {
        let begin = from + at;
        let end = text[begin..].find(|c| !is_name(c)).map_or(text.len(), |end| begin + end);
        from = end;
        let name = &text[begin..end];
        let Some(sure) = how_sure(name) else { continue };
        let rest = &text[end..];
        let quoted = rest.starts_with(['"', '\'']);
        let after = rest.trim_start_matches(['"', '\'', ']']).trim_start_matches(' ');
        let value = if let Some(value) = after.strip_prefix("=>").or_else(|| after.strip_prefix('=')) {
            value
        } else if let Some(value) = after.strip_prefix(':').filter(|_| sure == Sure::Always || quoted) {
            value
        } else if name.starts_with('-') && rest.starts_with(' ') {
            rest
        } else {
            continue;
        };
        let value = value.trim_start_matches(' ');
        let start = text.len() - value.len();
        let range = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => start + 1..closing(text, start + 1, quote),
            _ => {
                let ends = |c: char| c.is_whitespace() || ",;&\"'<>()[]{}`".contains(c);
                start..value.find(ends).map_or(text.len(), |end| start + end)
            }
        };
        from = range.end.max(from);
        all.push(range);
    }
}

/// Where a quoted value ends.
fn closing(text: &str, from: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text[from..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return from + at,
            _ => {}
        }
    }
    text.len()
}

fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let ends = |c: char| c.is_whitespace() || "\"'`<>()[]{},;".contains(c);
    text.split(ends).filter(|word| !word.is_empty()).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

/// URLs with a password, `user:pass@host`, JWTs, tokens of known services.
fn by_form(word: &str, start: usize, all: &mut Vec<Range<usize>>) {
    let place = |range: Range<usize>| start + range.start..start + range.end;
    let authority = word.find("://").map(|at| at + 3);
    let begin = authority.unwrap_or(word.rfind('=').map_or(0, |at| at + 1));
    let host = word[begin..].find(['/', '?', '#']).filter(|_| authority.is_some());
    let part = &word[begin..host.map_or(word.len(), |at| begin + at)];
    if let (Some(at), Some(colon)) = (part.rfind('@'), part.find(':'))
        && colon + 1 < at
        && at + 1 < part.len()
    {
        all.push(place(begin + colon + 1..begin + at));
    }
    // A slash may stand in a password that nobody escaped.
    if let (Some(from), Some(at)) = (authority, word.rfind('@'))
        && let Some(colon) = word[from..].find(':')
        && from + colon + 1 < at
        && !word[from..from + colon].contains('/')
    {
        all.push(place(from + colon + 1..at));
    }
    let is_token = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    for (at, _) in word.match_indices("eyJ") {
        let end = word[at..].find(|c| !is_token(c)).map_or(word.len(), |end| at + end);
        if end - at >= 20 && word[at..end].matches('.').count() >= 2 {
            all.push(place(at..end));
        }
    }
    for (prefix, least) in TOKENS {
        if let Some(at) = word.find(prefix) {
            let end = word[at..].find(|c| !is_token(c)).map_or(word.len(), |end| at + end);
            if end - at >= least {
                all.push(place(at..end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        secrets(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn behind_names() {
        assert_eq!(found("DB_PASSWORD=hunter2 php x"), ["hunter2"]);
        assert_eq!(found("php x --password hunter2 --api-token=abc"), ["hunter2", "abc"]);
        assert_eq!(found(r#"{"apiKey":"a b","name":"x"}"#), ["a b"]);
        assert_eq!(found("['secret' => 'a\\'b', 'x' => 1]"), ["a\\'b"]);
        assert_eq!(found("password: hunter2, then"), ["hunter2"]);
        assert_eq!(found("--env=STRIPE_KEY=abc"), ["abc"]);
    }

    #[test]
    fn by_form_alone() {
        assert_eq!(found("mysql://me:p%40ss@db/x?y=1"), ["p%40ss"]);
        assert_eq!(found("DATABASE_URL=pgsql://me:a/b@db/x"), ["a/b"]);
        assert_eq!(found("--to me:hunter2@localhost"), ["hunter2"]);
        assert_eq!(found("Authorization: Bearer abcdefgh12"), ["Bearer abcdefgh12"]);
        assert_eq!(found("> AUTH PLAIN AG1lAGh1bnRlcjI="), ["AG1lAGh1bnRlcjI="]);
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r";
        assert_eq!(found(&format!("got {jwt};")), [jwt]);
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nAAAA\n-----END RSA PRIVATE KEY-----\nafter";
        assert_eq!(found(key), ["\nMIIB\nAAAA\n"]);
    }

    #[test]
    fn prose_and_plain_settings_stay() {
        for text in [
            "In sequential: heap stayed below 500 B per 1,000 messages over 6,883 messages in 11 waves.",
            "--passes measure,profile --from test@localhost --to test@localhost",
            "clean     launched (php 8.2.36, xdebug 3.2.0, Xdebug off)",
            "127.0.0.1:2525 at 12:30",
            "the basic idea",
            "http://127.0.0.1:8080/x",
            "App\\Cache->items[] grows by 1 per message",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
