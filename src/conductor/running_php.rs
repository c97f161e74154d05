//! The PHP that really serves: told by its process, as a search path may name another one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::context::{Context, LEARNT};
use super::profile_files::RESTARTS;
use super::restarted;
use super::session::Session;
use crate::heap::Inspector;
use crate::proc::{Cgroup, Process};
use crate::server::command::{is_php, php_options};
use crate::server::php::{self, PhpFacts};

/// Memory that a container must have left for a php that says what it is.
const ROOM_TO_ASK: u64 = 64 << 20;

/// What is known of the PHP that serves; the facts of `run` are put right where they are another PHP's.
pub(super) fn learn(run: &mut Context<'_>, session: &Session) {
    let server = session.server;
    if run.invocation.client.is_some() {
        run.in_container.extend(variables(server));
    }
    // The process that listens comes first, then all below the command.
    let mut candidates = std::iter::once(server).chain(session.pids());
    let Some((pid, found)) = candidates.find_map(|pid| Some((pid, Running::of(pid)?))) else {
        // Nothing of it may be seen of another user's processes: what the command says stands then.
        if Process::open(server).and_then(|process| process.exe()).is_ok() {
            run.php = None;
            run.php_asked = true;
        }
        return;
    };
    let way = Way::to(&found, session);
    let asked = run.php.take().filter(|facts| found.is(&facts.binary));
    let facts = asked.or_else(|| way.ask(run, &found.binary, &options_of(pid)));
    run.left_xdebug = LeftXdebug::of(run, pid, &found, &way);
    run.php = Some(found.correct(pid, facts));
    run.php_asked = true;
}

/// Variables of a container that a later launch adds to.
fn variables(server: i32) -> BTreeMap<String, String> {
    let environment = Process::open(server).and_then(|process| process.environ()).unwrap_or_default();
    let text = environment.iter().filter_map(|variable| variable.to_str()?.split_once('='));
    text.filter(|(name, _)| LEARNT.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// How the program that serves can be run once more, to say what it is.
enum Way {
    /// As it is.
    Here,
    /// By the engine of its container: the words before it.
    Exec(Vec<String>),
    None,
}

impl Way {
    fn to(found: &Running, session: &Session) -> Self {
        if found.here {
            return Self::Here;
        }
        let group = Process::open(session.server).and_then(|process| Cgroup::of(&process)).ok().flatten();
        // What runs there counts against what the container may use.
        let room = group.and_then(|group| Some(group.max?.saturating_sub(group.current))).unwrap_or(u64::MAX);
        let engine = session.target.engine().filter(|_| room > ROOM_TO_ASK);
        // Empty, so that no `XDEBUG_CONFIG` of the image is heard.
        let exec = engine.and_then(|engine| engine.exec(&["XDEBUG_MODE=off", "XDEBUG_CONFIG="]));
        exec.map_or(Self::None, Self::Exec)
    }

    fn ask(&self, run: &Context<'_>, php: &Path, options: &[String]) -> Option<PhpFacts> {
        match self {
            Self::Here => php::ask(php, options, &run.cwd, &run.environment_added()),
            Self::Exec(words) => php::ask_in_container(words, php, options),
            Self::None => None,
        }
    }
}

/// A process that was started without Xdebug, where the same program loads it otherwise: `php -n`, or an application that
/// starts itself anew.
#[derive(Debug)]
pub(super) struct LeftXdebug {
    /// Its command line.
    pub line: String,
    /// The variable that makes the application stay with Xdebug.
    pub variable: Option<String>,
}

impl LeftXdebug {
    fn of(run: &Context<'_>, pid: i32, found: &Running, way: &Way) -> Option<Self> {
        if found.xdebug {
            return None;
        }
        way.ask(run, &found.binary, &[])?.xdebug?;
        let words = Process::open(pid).and_then(|process| process.cmdline()).unwrap_or_default();
        let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Some(Self { line: words.join(" "), variable: restarted::variable(pid) })
    }

    /// What to do: who restarts itself gives an ini file of its own.
    pub fn advice(&self) -> &'static str {
        let mut words = self.line.split(' ');
        match words.clone().any(|word| word == "-n") && !words.any(|word| word.starts_with("-c")) {
            true => "Leave -n out.",
            false => RESTARTS,
        }
    }
}

/// `php`, `xdebug`, `memory_limit` as a run tells them.
pub(super) fn versions(facts: &PhpFacts) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::from([("php".to_owned(), facts.version.clone())]);
    if let Some(xdebug) = facts.xdebug.clone() {
        versions.insert("xdebug".to_owned(), xdebug);
    }
    if facts.memory_limit > 0 {
        versions.insert("memory_limit".to_owned(), facts.memory_limit.to_string());
    }
    versions
}

/// A process that runs PHP.
struct Running {
    /// Its program, as its own root names it.
    binary: PathBuf,
    /// Its root is ours, so that its program can be asked.
    here: bool,
    /// Xdebug is loaded.
    xdebug: bool,
}

impl Running {
    fn of(pid: i32) -> Option<Self> {
        let process = Process::open(pid).ok()?;
        let binary = process.exe().ok()?;
        let maps = process.read("maps").unwrap_or_default();
        let maps = String::from_utf8_lossy(&maps);
        let maps_file =
            |start: &str| maps.lines().filter_map(|line| line.rsplit('/').next()).any(|name| name.starts_with(start));
        if !is_php(&binary.to_string_lossy()) && !maps_file("libphp") {
            return None;
        }
        Some(Self { binary, here: same_root(pid), xdebug: maps_file("xdebug") || maps_file("php_xdebug") })
    }

    /// Whether it is this program.
    fn is(&self, binary: &Path) -> bool {
        self.here && fs::canonicalize(binary).is_ok_and(|binary| binary == self.binary)
    }

    /// What was said of it, or where nothing was, what its memory says; Xdebug by what it has loaded.
    fn correct(&self, pid: i32, facts: Option<PhpFacts>) -> PhpFacts {
        let mut facts = facts.unwrap_or_else(|| PhpFacts {
            binary: self.binary.clone(),
            version: Inspector::attach(pid).map(|php| php.php_version().to_owned()).unwrap_or_default(),
            memory_limit: -1,
            ..PhpFacts::default()
        });
        facts.xdebug = self.xdebug.then(|| facts.xdebug.unwrap_or_else(|| "of unknown version".to_owned()));
        facts
    }
}

/// Whether a process sees the same files by the same names.
fn same_root(pid: i32) -> bool {
    let of = |path: String| fs::metadata(path).map(|root| (root.dev(), root.ino())).ok();
    of(format!("/proc/{pid}/root/")).is_some_and(|root| Some(root) == of("/".to_owned()))
}

/// The options before its script, where its command line still stands.
fn options_of(pid: i32) -> Vec<String> {
    let words = Process::open(pid).and_then(|process| process.cmdline()).unwrap_or_default();
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match words.first() {
        Some(name) if is_php(name) => php_options(&words[1..]).to_vec(),
        _ => Vec::new(),
    }
}
