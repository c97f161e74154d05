//! Programs that take a password by an option of one letter: what stands behind it says nothing of that by itself.

use std::ops::Range;

/// Where the password stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the same word: `-pPASSWORD`. Apart, something else is meant.
    Attached,
    /// In the same word or the next one.
    Either,
    /// The same, behind the user's name and this sign.
    After(char),
}

/// What a program's name begins with, the option, and where the password stands.
const PROGRAMS: [(&str, &str, Place); 17] = [
    ("mysql", "-p", Place::Attached),
    ("mariadb", "-p", Place::Attached),
    ("sshpass", "-p", Place::Either),
    ("mongo", "-p", Place::Either),
    ("redis-cli", "-a", Place::Either),
    ("ldap", "-w", Place::Either),
    ("7z", "-p", Place::Attached),
    ("unzip", "-P", Place::Either),
    ("zip", "-P", Place::Either),
    ("sqlcmd", "-P", Place::Either),
    ("rabbitmqadmin", "-p", Place::Either),
    ("swaks", "-ap", Place::Either),
    ("curl", "-u", Place::After(':')),
    ("curl", "--user", Place::After(':')),
    ("curl", "-U", Place::After(':')),
    ("curl", "--proxy-user", Place::After(':')),
    ("smbclient", "-U", Place::After('%')),
];

/// Adds the passwords of a text's command lines.
pub fn passwords(text: &str, all: &mut Vec<Range<usize>>) {
    let mut options: Vec<(&str, Place)> = Vec::new();
    let mut awaited = None;
    for Range { start, end } in words(text) {
        let word = &text[start..end];
        if ends_command(&text[..start]) {
            options.clear();
            awaited = None;
        }
        if let Some(place) = awaited.take() {
            all.extend(secret(word, place).map(|from| start + from..end));
            continue;
        }
        for (option, place) in &options {
            let Some(rest) = word.strip_prefix(option) else { continue };
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            match (rest.is_empty(), place) {
                (true, Place::Attached) => {}
                (true, place) => awaited = Some(*place),
                (false, place) => all.extend(secret(rest, *place).map(|from| end - rest.len() + from..end)),
            }
        }
        let name = word.rsplit('/').next().unwrap_or(word);
        for (program, option, place) in PROGRAMS {
            if name.starts_with(program) && !options.contains(&(option, place)) {
                options.push((option, place));
            }
        }
    }
}

/// Where in a word the password begins.
fn secret(word: &str, place: Place) -> Option<usize> {
    match place {
        Place::After(sign) => word.find(sign).map(|at| at + sign.len_utf8()),
        Place::Attached | Place::Either => Some(0),
    }
}

/// Whether a new command begins behind this text.
fn ends_command(before: &str) -> bool {
    before.trim_end_matches([' ', '\t', '"', '\'']).ends_with([';', '|', '&', '\n', '(', '`', '{'])
}

/// Words as a shell has them, near enough: the quotes around one are left out.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let ends = |c: char| c.is_whitespace() || ";|&\"'`(){}<>,[]".contains(c);
    text.split(ends).filter(|word| !word.is_empty()).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        passwords(text, &mut all);
        all.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn as_each_program_takes_it() {
        assert_eq!(found("/usr/bin/mysqldump -h db -pgeheim shop"), ["geheim"]);
        assert_eq!(found("sh -c 'mysql -pgeheim; php x'"), ["geheim"]);
        assert_eq!(found(r#"["mariadb","-pgeheim"]"#), ["geheim"]);
        assert_eq!(found("sshpass -p geheim ssh -p 22 host"), ["geheim", "22"]);
        assert_eq!(found("redis-cli -h r -a geheim PING | grep -a PONG"), ["geheim"]);
        assert_eq!(found("curl -s -u me:geheim http://x/"), ["geheim"]);
        assert_eq!(found("smbclient -U me%geheim //x"), ["geheim"]);
    }

    #[test]
    fn what_means_something_else_stays() {
        for text in
            ["mysql -p shop", "mysql -P 3306", "ssh -p 2222 me", "php -p x", "mkdir -pv a; mysql shop", "curl -u me x"]
        {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
