//! valgrind: where it is, which one, what it shows of the processor, and the command line below which callgrind counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::command::find_program;

/// How long a trial may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// callgrind's files begin so; the pid follows.
const BEGIN: &str = "callgrind.out.";

/// A valgrind that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valgrind {
    /// Its file.
    pub program: PathBuf,
    /// `3.19.0`.
    pub version: String,
    /// The processor's features as it shows them: `amd64`, `cx16`, `avx2`, ...
    pub features: Vec<String>,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoValgrind {
    /// It is not installed.
    NotThere,
    /// It does not start; its last line.
    Fails(String),
}

impl Valgrind {
    /// Looks for valgrind and tries it.
    ///
    /// # Errors
    /// [`NoValgrind`].
    pub fn find(cwd: &Path) -> Result<Self, NoValgrind> {
        let program = find_program("valgrind", cwd).ok_or(NoValgrind::NotThere)?;
        // The smallest program that every system has; it also shows that callgrind itself is installed.
        let trial = ["-v", "--vgdb=no", "--tool=callgrind", "--callgrind-out-file=/dev/null", "/bin/sh", "-c", ":"];
        let said = said(&program, &trial).map_err(NoValgrind::Fails)?;
        let version = said_version(&said).ok_or_else(|| NoValgrind::Fails(last_line(&said)))?;
        Ok(Self { program, version, features: features(&said) })
    }
}

/// The command below which a server runs in the count pass; its files come to `folder`.
pub fn command(folder: &Path) -> Vec<String> {
    // A percent sign in a folder's name would be read as the beginning of another value.
    let folder = folder.display().to_string().replace('%', "%%");
    let files = format!("--callgrind-out-file={folder}/{BEGIN}%p");
    // Without the gate to a debugger it leaves no pipes among the temporary files where it is killed.
    let words = ["valgrind", "--quiet", "--vgdb=no", "--tool=callgrind", "--trace-children=yes", &files];
    words.map(str::to_owned).to_vec()
}

/// The pid in the name of one of callgrind's files; none of another file.
pub fn pid_of(name: &str) -> Option<i32> {
    name.strip_prefix(BEGIN)?.parse().ok()
}

/// A file of valgrind's own, which is mapped into whatever runs below it.
pub fn is_own(path: &str) -> bool {
    Path::new(path).parent().and_then(Path::file_name).is_some_and(|folder| folder == "valgrind")
}

/// All that a command prints; its last line where it fails.
fn said(program: &Path, words: &[&str]) -> Result<String, String> {
    let started = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let pid = started.id() as i32;
    let (tell, done) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = started.wait_with_output();
        let _ = tell.send(());
        output
    });
    let begun = Instant::now();
    if done.recv_timeout(PATIENCE).is_err() {
        // It has not been waited for: the number is still its own.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    let output = waiter.join().map_err(|_| "its output could not be read".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(text),
        false if begun.elapsed() >= PATIENCE => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        false => Err(last_line(&text)),
    }
}

/// The last line that says something, without the number of the process before it.
fn last_line(text: &str) -> String {
    let plain =
        |line: &str| line.trim_start_matches(|c: char| "=-".contains(c) || c.is_ascii_digit()).trim().to_owned();
    text.lines().rev().map(plain).find(|line| !line.is_empty()).unwrap_or_else(|| "it says nothing".to_owned())
}

/// `==7== Using Valgrind-3.19.0-8d3c8034b8-20220411 and LibVEX; rerun with -h for copyright info`.
fn said_version(text: &str) -> Option<String> {
    let after = text.split("Using Valgrind-").nth(1)?;
    let version: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    (!version.is_empty()).then_some(version)
}

/// `--7-- Arch and hwcaps: AMD64, LittleEndian, amd64-cx16-rdtscp-avx2`.
fn features(text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.split("Arch and hwcaps:").nth(1)).unwrap_or_default();
    let last = line.rsplit(',').next().unwrap_or_default().trim();
    last.split('-').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valgrind_says_of_itself() {
        let text = "==7== Callgrind, a call-graph generating cache profiler\n\
                    ==7== Using Valgrind-3.19.0-8d3c8034b8-20220411 and LibVEX; rerun with -h for copyright info\n\
                    --7-- Arch and hwcaps: AMD64, LittleEndian, amd64-cx16-rdtscp-avx2\n";
        assert_eq!(said_version(text).as_deref(), Some("3.19.0"));
        assert_eq!(features(text), ["amd64", "cx16", "rdtscp", "avx2"]);
        assert_eq!(said_version("valgrind: no"), None);
        assert_eq!(last_line("==7== \nvalgrind: failed to start tool\n==7== \n"), "valgrind: failed to start tool");
        assert!(features("").is_empty());
    }

    #[test]
    fn names_of_files() {
        assert_eq!(pid_of("callgrind.out.4711"), Some(4711));
        assert_eq!(pid_of("callgrind.out.x"), None);
        assert!(is_own("/usr/libexec/valgrind/callgrind-amd64-linux") && !is_own("/usr/bin/php8.2"));
        assert!(command(Path::new("/a%b")).contains(&"--callgrind-out-file=/a%%b/callgrind.out.%p".to_owned()));
    }
}
