//! The password of `--auth USER:PASS`, in the forms in which a server may print it.

use data_encoding::BASE64;

/// The password, and the base64 texts that hold it: AUTH LOGIN sends it alone, AUTH PLAIN behind the user's name, HTTP
/// after a colon. Each with and without the signs that fill it up.
pub fn forms(auth: &str) -> Vec<String> {
    let Some((user, password)) = auth.split_once(':') else { return Vec::new() };
    let mut all = vec![password.to_owned()];
    for sent in [
        password.to_owned(),
        format!("\0{user}\0{password}"),
        format!("{user}\0{user}\0{password}"),
        format!("{user}:{password}"),
    ] {
        let text = BASE64.encode(sent.as_bytes());
        let bare = text.trim_end_matches('=').to_owned();
        all.extend([text, bare]);
    }
    all
}

/// What was given to `--auth` in these words.
pub fn typed(words: &[String]) -> impl Iterator<Item = &str> {
    let apart = words.windows(2).filter(|pair| pair[0] == "--auth").map(|pair| pair[1].as_str());
    apart.chain(words.iter().filter_map(|word| word.strip_prefix("--auth=")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_mechanisms_of_auth_send_it() {
        let all = forms("me:geheim:7");
        for sent in
            ["geheim:7", "Z2VoZWltOjc=", "Z2VoZWltOjc", "AG1lAGdlaGVpbTo3", "bWUAbWUAZ2VoZWltOjc=", "bWU6Z2VoZWltOjc="]
        {
            assert!(all.iter().any(|form| form == sent), "{sent}: {all:?}");
        }
        assert!(forms("me").is_empty());
    }

    #[test]
    fn both_ways_of_typing_it() {
        let words = ["--auth", "me:a", "--auth=you:b", "--", "php"].map(str::to_owned);
        assert_eq!(typed(&words).collect::<Vec<_>>(), ["me:a", "you:b"]);
    }
}
