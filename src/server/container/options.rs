//! Options as container clients read them: long ones, clusters of letters, and which of them take a value. Pure.

/// An option as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// `--env`, `-e`: each letter of a cluster is an option of its own.
    pub name: String,
    /// Its value, where it has one.
    pub value: Option<String>,
    /// Name and value are one word.
    joined: bool,
}

/// Options of `run` that take no value; all others do.
pub const RUN: &[&str] = &[
    "-d",
    "--detach",
    "--disable-content-trust",
    "--env-host",
    "--help",
    "--http-proxy",
    "--init",
    "-i",
    "--interactive",
    "--no-deps",
    "--no-healthcheck",
    "--no-hostname",
    "--no-hosts",
    "--no-TTY",
    "--oom-kill-disable",
    "--passwd",
    "--privileged",
    "-P",
    "--publish-all",
    "-q",
    "--quiet",
    "--quiet-build",
    "--quiet-pull",
    "--build",
    "--read-only",
    "--read-only-tmpfs",
    "--remove-orphans",
    "--replace",
    "--rm",
    "--rmi",
    "--rootfs",
    "--service-ports",
    "--sig-proxy",
    "-T",
    "-t",
    "--tls-verify",
    "--tty",
    "--unsetenv-all",
    "--use-aliases",
    "--use-api-socket",
];

/// Options before `run` that take no value.
pub const BEFORE: &[&str] = &[
    "--all-resources",
    "--compatibility",
    "-D",
    "--debug",
    "--dry-run",
    "--help",
    "--no-ansi",
    "--noout",
    "-r",
    "--remote",
    "--skip-hostname-check",
    "--syslog",
    "--tls",
    "--tlsverify",
    "--trace",
    "--transient-store",
    "-v",
    "--verbose",
    "--version",
];

/// The options that `words` begins with, and how many words they are. `flags` take no value.
pub fn read(words: &[String], flags: &[&str]) -> (Vec<Given>, usize) {
    let mut given = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.len() > 1 && word.starts_with('-')) {
        at += 1;
        if word == "--" {
            break;
        }
        let mut next = || {
            let value = words.get(at).cloned();
            at += 1;
            value
        };
        if word.starts_with("--") {
            given.push(match word.split_once('=') {
                Some((name, value)) => Given { name: name.to_owned(), value: Some(value.to_owned()), joined: true },
                None if flags.contains(&word.as_str()) => Given { name: word.clone(), value: None, joined: false },
                None => Given { name: word.clone(), value: next(), joined: false },
            });
            continue;
        }
        for (place, letter) in word.char_indices().skip(1) {
            let name = format!("-{letter}");
            let rest = &word[place + letter.len_utf8()..];
            if flags.contains(&name.as_str()) && !rest.starts_with('=') {
                given.push(Given { name, value: None, joined: false });
                continue;
            }
            let (value, joined) = match rest.strip_prefix('=') {
                Some(value) => (Some(value.to_owned()), true),
                None if rest.is_empty() => (next(), false),
                None => (Some(rest.to_owned()), false),
            };
            given.push(Given { name, value, joined });
            break;
        }
    }
    (given, at.min(words.len()))
}

impl Given {
    /// Whether it is one of these names.
    pub fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    /// A flag that is switched on.
    pub fn is_on(&self) -> bool {
        self.value.as_deref().is_none_or(|value| matches!(value, "true" | "1" | "t" | "T" | "TRUE" | "True"))
    }

    /// As words of a command line.
    pub fn words(self) -> Vec<String> {
        match self.value {
            None => vec![self.name],
            Some(value) if self.joined => vec![format!("{}={value}", self.name)],
            Some(value) => vec![self.name, value],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn long_ones_clusters_and_values_that_look_like_options() {
        for (line, rest, as_words) in [
            ("image php -d x", 4, ""),
            ("--rm -it image sh", 2, "--rm -i -t"),
            ("-itv /a:/b image", 1, "-i -t -v /a:/b"),
            ("-p2525:25 -e A=-1 --name=x image", 1, "-p 2525:25 -e A=-1 --name=x"),
            ("--ulimit nofile=64 -m 128m -- image", 1, "--ulimit nofile=64 -m 128m"),
            ("-d=false --tty=true image", 1, "-d=false --tty=true"),
            ("--publish", 0, "--publish"),
        ] {
            let words = words(line);
            let (given, at) = read(&words, RUN);
            assert_eq!(words.len() - at, rest, "{line}");
            assert_eq!(given.into_iter().flat_map(Given::words).collect::<Vec<_>>().join(" "), as_words, "{line}");
        }
    }

    #[test]
    fn flags_that_are_on() {
        let words = words("-d --detach=false -d=true");
        let on: Vec<bool> = read(&words, RUN).0.iter().map(Given::is_on).collect();
        assert_eq!(on, [true, false, true]);
    }
}
