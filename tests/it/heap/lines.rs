//! Which lines fill a container and which empty it, against a script that says so in its own comments.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use profile_run::heap::{Census, Code, ContainerCode, CopyMode, Inspector, Role, growth};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/lines.php");

struct Php {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Php {
    fn start(script: &str, case: &str) -> Php {
        let php = std::env::var("PROFILE_RUN_PHP").unwrap_or_else(|_| "php".into());
        let mut child = Command::new(php)
            .args(["-n", script, case])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need php-cli");
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Php { child, stdin, stdout }
    }

    fn fill(&mut self, by: u32) {
        writeln!(self.stdin, "{by}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "filled\n");
    }

    fn census(&self) -> (Census, Code) {
        let inspector = Inspector::attach(self.child.id() as i32).unwrap();
        inspector.census_with_code(CopyMode::MayStop, &|file| file.contains("/vendor/")).unwrap()
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that the script's comments name.
fn told(script: &str, what: &str) -> BTreeSet<u32> {
    let text = std::fs::read_to_string(script).unwrap();
    let says = |line: &str| line.rsplit_once("// ").is_some_and(|(code, says)| says == what && !code.trim().is_empty());
    text.lines().zip(1..).filter(|(line, _)| says(line)).map(|(_, number)| number).collect()
}

fn lines(code: &ContainerCode, role: Role) -> BTreeSet<u32> {
    code.locations.iter().filter(|at| at.role == role).map(|at| at.line).collect()
}

/// Fills `case` and tells what code does to the one container that grew.
fn grown(script: &str, case: &str) -> (ContainerCode, Code) {
    let mut php = Php::start(script, case);
    let mut censuses = Vec::new();
    let mut code = Code::default();
    for wave in 1..=4_u64 {
        php.fill(100);
        let (census, read) = php.census();
        assert_eq!(read.refused, None, "{case}");
        code = read;
        censuses.push((wave * 100, census));
    }
    let growth = growth(&censuses);
    let paths: Vec<&str> = growth.growing.iter().map(|growing| growing.path.as_str()).collect();
    let [path] = paths[..] else { panic!("{case}: {paths:?}") };
    let found = code.container(path).unwrap_or_else(|| panic!("{case}: no code names {path}"));
    (found.clone(), code)
}

#[test]
fn the_lines_that_fill_and_empty_a_container_are_the_scripts_own() {
    let by_hand = ["static", "storage", "closure", "generator", "enum", "access", "trait", "private", "reference"];
    for case in by_hand.into_iter().chain(["nested", "queue", "string"]) {
        let (found, code) = grown(SCRIPT, case);
        let puts = told(SCRIPT, &format!("{case} puts"));
        assert!(!puts.is_empty(), "{case} is not told");
        assert_eq!(lines(&found, Role::PutsIn), puts, "{case}: {found:#?}");
        assert_eq!(lines(&found, Role::TakesOut), told(SCRIPT, &format!("{case} takes")), "{case}: {found:#?}");
        if case != "string" {
            assert_eq!(lines(&found, Role::Creates), told(SCRIPT, "creates"), "{case}: {found:#?}");
        }
        assert!(found.locations.iter().all(|at| at.file.ends_with("lines.php")), "{found:#?}");
        assert!(code.functions > 20 && code.opcodes > 300, "{} {}", code.functions, code.opcodes);
        assert!(code.milliseconds < 300.0, "{}", code.milliseconds);
    }
}
