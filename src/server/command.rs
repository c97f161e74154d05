//! What kind of command the user gave: php itself, a script, a shell, a container client. Pure but
//! for looking into PATH and at a script's first line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::TargetError;
use super::container::{self, Client};
use crate::proc::Process;

/// A command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// As typed.
    pub argv: Vec<String>,
    /// The program's file.
    pub program: PathBuf,
    /// Where php stands in `argv`, if the command names it (`php x`, `env A=1 php x`).
    pub php_at: Option<usize>,
    /// The php that will run, as far as it can be told before the launch.
    pub php: Option<PathBuf>,
    /// The command names that php, or its script does; else it is guessed from a shell's text.
    pub names_php: bool,
    /// The process that runs already, of a server that is not launched.
    pub running: Option<i32>,
    /// The client of a container, in which the server runs.
    pub client: Option<Client>,
}

impl Invocation {
    /// Understands a command.
    ///
    /// # Errors
    /// The program is not found, or is the client of a container that cannot be judged from outside.
    pub fn understand(argv: &[String], cwd: &Path) -> Result<Self, TargetError> {
        let name = argv.first().map(String::as_str).unwrap_or_default();
        // What cannot be judged is said whether or not the client is there.
        let client = container::find_client(argv, is_wrapper, |word| find_program(word, cwd).is_some());
        let client = client.map(|at| Client::understand(argv, at)).transpose()?;
        let program = find_program(name, cwd).ok_or_else(|| not_found(name, cwd))?;
        if client.is_some() {
            // Which php runs in the container is told by its process.
            let argv = argv.to_vec();
            return Ok(Self { argv, program, php_at: None, php: None, names_php: false, running: None, client });
        }
        let php_at = php_position(argv);
        let php = match php_at {
            Some(at) => find_program(&argv[at], cwd),
            None => interpreter(&program, cwd).filter(|p| is_php(&p.to_string_lossy())),
        };
        let names_php = php.is_some();
        let php = php.or_else(|| mentions_php(argv).then(|| find_program("php", cwd)).flatten());
        Ok(Self { argv: argv.to_vec(), program, php_at, php, names_php, running: None, client: None })
    }

    /// The command of a process that runs already.
    ///
    /// # Errors
    /// It is gone, or may not be looked at.
    pub fn of_running(pid: i32) -> Result<Self, crate::proc::Error> {
        let process = Process::open(pid)?;
        let program = process.exe()?;
        let words = process.cmdline()?;
        let argv = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Ok(Self { argv, program, php_at: None, php: None, names_php: false, running: Some(pid), client: None })
    }

    /// The command is php itself, so that `-d` flags work.
    pub fn is_direct_php(&self) -> bool {
        self.php_at == Some(0)
    }

    /// The options between php and its script, as typed.
    pub fn php_options(&self) -> &[String] {
        self.php_at.map_or(&[], |at| php_options(&self.argv[at + 1..]))
    }

    /// php was told to read no configuration at all (`-n`).
    pub fn without_configuration(&self) -> bool {
        self.php_options().iter().any(|o| o == "-n" || o == "--no-php-ini")
    }
}

/// The options that `words`, what follows php on a command line, begins with.
pub fn php_options(words: &[String]) -> &[String] {
    let mut end = 0;
    let is_option = |word: &&String| word.starts_with('-') && !matches!(word.as_str(), "-" | "--") && !is_code(word);
    while let Some(option) = words.get(end).filter(is_option) {
        end += if takes_value(option) { 2 } else { 1 };
    }
    &words[..end.min(words.len())]
}

/// The last value that `key` has among the `-d` options anywhere in the command, shell text included.
pub fn typed_setting(argv: &[String], key: &str) -> Option<String> {
    let prefix = format!("{key}=");
    argv.iter().rev().find_map(|argument| {
        let at = argument.rfind(&prefix)?;
        // Only at the start of a word: `-dkey=`, `-d key=`, or inside a shell's text.
        let before = argument[..at].chars().next_back();
        if !matches!(before, None | Some(' ' | '\t' | '\'' | '"' | 'd')) {
            return None;
        }
        let value = &argument[at + prefix.len()..];
        let shell_text = argument[..at].contains(' ');
        let value = if shell_text { value.split_whitespace().next().unwrap_or_default() } else { value };
        Some(value.trim_matches(['\'', '"']).to_owned())
    })
}

/// Code follows in the place of a script.
fn is_code(option: &str) -> bool {
    matches!(option, "-r" | "--run" | "-B" | "-R" | "-F" | "-E" | "--process-code" | "--process-file")
}

fn takes_value(option: &str) -> bool {
    matches!(option, "-d" | "-c" | "-f" | "-z" | "--define" | "--php-ini" | "--file" | "--zend-extension")
}

pub(super) fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `php`, `php8.2`, `php82`, `/usr/bin/php`.
pub fn is_php(name: &str) -> bool {
    base(name).strip_prefix("php").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// `env [-i] [NAME=VALUE]... php`, `nice php`: programs that hand their arguments on.
fn is_wrapper(name: &str) -> bool {
    matches!(base(name), "env" | "nice" | "ionice" | "nohup" | "stdbuf" | "setsid" | "time" | "timeout")
}

fn php_position(argv: &[String]) -> Option<usize> {
    if argv.first().is_some_and(|name| is_php(name)) {
        return Some(0);
    }
    if !is_wrapper(argv.first()?) {
        return None;
    }
    argv.iter().enumerate().skip(1).find(|(_, word)| is_php(word)).map(|(at, _)| at)
}

fn mentions_php(argv: &[String]) -> bool {
    argv.iter().any(|argument| argument.split(|c: char| c.is_whitespace() || ";&|()'\"".contains(c)).any(is_php))
}

/// The program that `#!` names, through `env` too.
fn interpreter(script: &Path, cwd: &Path) -> Option<PathBuf> {
    let mut head = [0u8; 256];
    let read = File::open(script).ok()?.read(&mut head).ok()?;
    let text = String::from_utf8_lossy(&head[..read]).into_owned();
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let name = if base(first) == "env" { words.find(|w| !w.starts_with('-') && !w.contains('='))? } else { first };
    find_program(name, cwd)
}

/// Looks a program up as a shell would.
pub fn find_program(name: &str, cwd: &Path) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        let path = cwd.join(name);
        return is_executable(&path).then_some(path);
    }
    std::env::var_os("PATH")
        .map(|paths| std::env::split_paths(&paths).map(|dir| dir.join(name)).find(|path| is_executable(path)))?
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

fn not_found(name: &str, cwd: &Path) -> TargetError {
    let path = cwd.join(name);
    let hint = if name.contains('/') && path.is_file() {
        Some(format!("{} is there but not executable: chmod +x, or start it with its interpreter", path.display()))
    } else if name.contains('/') {
        Some(format!("there is no {}", path.display()))
    } else if path.is_file() {
        Some(format!("did you mean ./{name}?"))
    } else if is_php(name) {
        Some("install php-cli, or give php's full path".to_owned())
    } else {
        None
    };
    TargetError::NotFound { program: name.to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn php_by_its_names() {
        for name in ["php", "php8.2", "/usr/bin/php", "php82"] {
            assert!(is_php(name), "{name}");
        }
        for name in ["phpunit", "php-fpm", "python", "xphp", "phpx"] {
            assert!(!is_php(name), "{name}");
        }
    }

    #[test]
    fn php_where_it_stands() {
        for (line, at) in [
            ("php bin/console", Some(0)),
            ("env FOO=1 php bin/console", Some(2)),
            ("sh -c php", None),
            ("bin/console php", None),
        ] {
            assert_eq!(php_position(&argv(line)), at, "{line}");
        }
    }

    #[test]
    fn options_before_the_script() {
        let of = |line: &str| Invocation {
            argv: argv(line),
            program: PathBuf::new(),
            php_at: Some(0),
            php: None,
            names_php: false,
            running: None,
            client: None,
        };
        assert_eq!(of("php -d a=1 -dxdebug.mode=off bin/console -v").php_options().len(), 3);
        assert_eq!(of("php -d a=1 -r code").php_options().len(), 2);
        assert!(of("php -n x").without_configuration());
        assert!(!of("php x -n").without_configuration());
    }

    #[test]
    fn settings_that_were_typed() {
        let line = argv("php -d xdebug.output_dir=var/xdebug -dxdebug.mode=profile x");
        assert_eq!(typed_setting(&line, "xdebug.output_dir").as_deref(), Some("var/xdebug"));
        assert_eq!(typed_setting(&line, "xdebug.mode").as_deref(), Some("profile"));
        assert_eq!(typed_setting(&line, "xdebug.other"), None);
        let shell = vec!["sh".to_owned(), "-c".to_owned(), "php -d xdebug.output_dir='a/b' x".to_owned()];
        assert_eq!(typed_setting(&shell, "xdebug.output_dir").as_deref(), Some("a/b"));
    }
}
