//! Names of variables, options and keys behind which secrets stand.

/// Parts of names that say it wherever they stand.
const STRONG: [&str; 9] =
    ["password", "passwd", "passphrase", "passwort", "secret", "token", "apikey", "credential", "privatekey"];

/// Words that hold `pass` and mean something else.
const HARMLESS: [&str; 9] =
    ["passes", "passed", "passing", "bypass", "compass", "passage", "passive", "passenger", "passthru"];

/// How sure a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    /// Only before a value that is set: `APP_KEY=...`.
    Before,
    /// Whatever stands between: `password: ...`.
    Always,
}

/// Whether the value of a variable, option or key of this name is a secret.
pub fn is_secret_name(name: &str) -> bool {
    how_sure(name).is_some()
}

/// The same, and how sure it is.
pub fn how_sure(name: &str) -> Option<Sure> {
    let words = words(name);
    let joined: String = words.concat();
    if STRONG.iter().any(|part| joined.contains(part)) {
        return Some(Sure::Always);
    }
    let says = |word: &String| {
        let pass = (word.starts_with("pass") || word.ends_with("pass")) && !HARMLESS.contains(&word.as_str());
        pass || matches!(word.as_str(), "pwd" | "pw")
    };
    let last_is_key = words.last().is_some_and(|word| word == "key");
    // The working folder of every shell.
    let is_folder = name == "PWD" || name == "OLDPWD";
    ((words.iter().any(says) || last_is_key) && !is_folder).then_some(Sure::Before)
}

/// `dbPassword`, `DB_PASSWORD`, `db-password` in lower-case words.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || lower && c.is_uppercase() {
            words.push(String::new());
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_and_names_that_only_look_so() {
        for name in [
            "DB_PASSWORD",
            "MAIL_PASS",
            "SMTPPASS",
            "apiKey",
            "STRIPE_KEY",
            "APP_SECRET",
            "access-token",
            "PGPASSWORD",
            "--password",
            "client_secret_id",
            "privateKey",
            "MYSQL_PWD",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["--passes", "passed", "PWD", "monkey", "keyboard", "scenario", "PATH", "bypass", "compass", "keys"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
