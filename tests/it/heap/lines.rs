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
    fn start(script: &str, cases: &[&str]) -> Php {
        let php = std::env::var("PROFILE_RUN_PHP").unwrap_or_else(|_| "php".into());
        let mut child = Command::new(php)
            .args(["-n", "-d", "memory_limit=1G", "-d", "error_reporting=22527", script])
            .args(cases)
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
        inspector.census_with_code(CopyMode::MayStop, &|file| file.contains("/library/")).unwrap()
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
    grown_by(Php::start(script, &[case]), case)
}

fn grown_by(mut php: Php, case: &str) -> (ContainerCode, Code) {
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
    let locations = found.lines_of(&growth.growing[0].keeps, &growth.growing[0].what);
    (ContainerCode { locations, ..found.clone() }, code)
}

#[test]
fn the_lines_that_fill_and_empty_a_container_are_the_scripts_own() {
    let by_hand = ["static", "storage", "closure", "generator", "enum", "access", "trait", "private", "reference"];
    let lists = ["asked", "joined", "passed", "cut", "otherwise", "late", "shared", "given", "loose", "texts"];
    for case in by_hand.into_iter().chain(["nested", "queue", "string", "kinds", "objects"]).chain(lists) {
        let (found, code) = grown(SCRIPT, case);
        let puts = told(SCRIPT, &format!("{case} puts"));
        assert!(!puts.is_empty(), "{case} is not told");
        assert_eq!(lines(&found, Role::PutsIn), puts, "{case}: {found:#?}");
        assert_eq!(lines(&found, Role::TakesOut), told(SCRIPT, &format!("{case} takes")), "{case}: {found:#?}");
        // What an element is replaced by is not followed: there "nowhere" is more than is known.
        assert_eq!(found.by_reference, case == "given", "{case}: {found:#?}");
        if !["string", "kinds", "objects", "texts"].contains(&case) {
            assert_eq!(lines(&found, Role::Creates), told(SCRIPT, "creates"), "{case}: {found:#?}");
        }
        assert!(found.locations.iter().all(|at| at.file.ends_with("lines.php")), "{found:#?}");
        assert!(code.functions > 20 && code.opcodes > 300, "{} {}", code.functions, code.opcodes);
    }
}

#[test]
fn what_is_written_anew_or_under_another_name_is_filled_and_emptied_where_it_is() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/rewritten.php");
    for case in ["referred", "siblings", "bag", "chain", "text", "copied", "fixed", "map"] {
        let (found, _) = grown(script, case);
        let puts = told(script, &format!("{case} puts"));
        assert!(!puts.is_empty(), "{case} is not told");
        assert_eq!(lines(&found, Role::PutsIn), puts, "{case}: {found:#?}");
        let takes = told(script, &format!("{case} takes"));
        match case {
            // PHP 8.4 calls `substr` by a number: that it may cut the text is then said.
            "text" if lines(&found, Role::TakesOut).is_empty() => assert!(found.by_reference, "{found:#?}"),
            _ => assert_eq!(lines(&found, Role::TakesOut), takes, "{case}: {found:#?}"),
        }
    }
}

#[test]
fn no_line_is_named_where_code_names_another_property_or_none() {
    for case in ["computed", "unsure"] {
        let mut php = Php::start(SCRIPT, &[case]);
        php.fill(100);
        let (census, code) = php.census();
        let holder = census.holders.iter().find(|holder| holder.path.contains("->loose{stdClass}->"));
        let path = &holder.unwrap_or_else(|| panic!("{case}: {census:#?}")).path;
        assert_eq!(code.refused, None);
        let found = code.container(path);
        assert!(found.is_none_or(|found| lines(found, Role::PutsIn).is_empty() && found.by_reference), "{found:#?}");
    }
}

#[test]
fn what_an_array_object_holds_is_counted_once() {
    for (case, path, what) in [
        ("each", "$logs[]", "ArrayObject"),
        ("one", "$log{ArrayObject}[]", "Session"),
        ("arrays", "$log{ArrayObject}[]", "array"),
        ("used", "$used[]", "Closure"),
        ("copied", "$logs[]", "ArrayObject"),
        ("weak", "$keep[]", "Session"),
        ("weak alone", "$keep{Node}->next…", "Node"),
    ] {
        let mut php = Php::start(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/counted.php"), &[case]);
        let censuses: Vec<(u64, Census)> = (1..=4_u64)
            .map(|wave| {
                php.fill(100);
                (wave * 100, php.census().0)
            })
            .collect();
        let growth = growth(&censuses);
        let found = &growth.growing[0];
        assert_eq!(found.path.strip_prefix("run() "), Some(path), "{case}: {growth:#?}");
        assert_eq!(found.counts, [100, 200, 300, 400], "{case}: {growth:#?}");
        assert!(found.what.starts_with(what), "{case}: {growth:#?}");
    }
}

#[test]
fn a_loop_that_runs_in_a_fiber_is_read_like_any_other() {
    for case in ["static", "storage", "enum", "queue"] {
        let php = Php::start(SCRIPT, &[case, "fiber"]);
        let (found, _) = grown_by(php, case);
        assert_eq!(lines(&found, Role::PutsIn), told(SCRIPT, &format!("{case} puts")), "{case}: {found:#?}");
    }
    let mut php = Php::start(SCRIPT, &["static", "fiber"]);
    php.fill(10);
    php.fill(10);
    let (census, _) = php.census();
    let stack: Vec<&str> = census.stack.iter().map(|frame| frame.function.rsplit('\\').next().unwrap()).collect();
    assert_eq!(stack[..2], ["fgets", "Driver->loop"], "{stack:?}");
    assert_eq!(stack[stack.len() - 2..], ["Fiber->resume", "{main}"], "{stack:?}");
    assert_eq!(census.garbage.objects + census.held.objects, 0, "{census:#?}");
}

#[test]
fn callbacks_that_the_engine_keeps_are_named() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/engine.php");
    let cases = [
        ("shutdown", "register_shutdown_function()[]"),
        ("arguments", "register_shutdown_function()[]"),
        ("method", "spl_autoload_register()[]"),
        ("invoked", "register_tick_function()[]"),
        ("tick", "register_tick_function()[]"),
        ("error", "set_error_handler()[]"),
        ("exception", "set_exception_handler()[]"),
        ("autoload", "spl_autoload_register()[]"),
        ("buffer", "ob_start()[]"),
        ("signal", "pcntl_signal()[]{Handler}->kept[]"),
        ("context", "$contexts[]"),
        // Found by whoever points at it.
        ("session", "(held by ps_globals)[]{Handler}->told[]"),
    ];
    for (case, path) in cases {
        let mut php = Php::start(script, &[case]);
        let mut code = Code::default();
        let censuses: Vec<(u64, Census)> = (1..=4_u64)
            .map(|wave| {
                php.fill(50);
                let (census, read) = php.census();
                code = read;
                (wave * 50, census)
            })
            .collect();
        let growth = growth(&censuses);
        let paths: Vec<&str> = growth.growing.iter().map(|growing| growing.path.as_str()).collect();
        assert_eq!(paths, [path], "{case}: {growth:#?}");
        let found = &growth.growing[0];
        assert!(found.keeps.iter().any(|class| class == "Session"), "{case}: {found:?}");
        assert_eq!(found.per_1000, 1000.0, "{case}");
        let last = &censuses[3].1;
        assert_eq!(last.held.objects + last.garbage.objects, 0, "{case}: {:?} {:?}", last.held, last.garbage);
        assert_eq!(code.refused, None, "{case}");
        let lines_of = |role| code.container(path).map(|found| lines(found, role)).unwrap_or_default();
        // Whatever is given to a function of the engine, the lines are all those that call it.
        let of = match case {
            "arguments" => "shutdown",
            "method" => "autoload",
            "invoked" => "tick",
            _ => case,
        };
        assert_eq!(lines_of(Role::PutsIn), told(script, &format!("{of} puts")), "{case}: {:?}", code.container(path));
        assert_eq!(lines_of(Role::TakesOut), told(script, &format!("{of} takes")), "{case}");
    }
}

#[test]
fn a_leak_through_a_library_names_the_line_that_calls_into_it() {
    let user = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/user.php");
    let library = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/library/Library.php");
    for case in ["timer", "listener", "entity", "logger"] {
        let (found, _) = grown(user, case);
        assert_eq!(lines(&found, Role::PutsIn), told(library, &format!("{case} puts")), "{case}: {found:#?}");
        assert_eq!(lines(&found, Role::TakesOut), told(library, &format!("{case} takes")), "{case}: {found:#?}");
        assert_eq!(lines(&found, Role::Calls), told(user, &format!("{case} calls")), "{case}: {found:#?}");
        let at = |role: Role| found.locations.iter().filter(move |at| at.role == role);
        assert!(at(Role::PutsIn).all(|at| at.file.ends_with("Library.php")));
        assert!(at(Role::Calls).all(|at| at.file.ends_with("user.php")));
    }
}

/// A line of the practice server, found by its text.
fn at(file: &str, text: &str) -> (String, u32) {
    let path = format!("{}/fixtures/smtp-server/src/{file}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    let line = source.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{file} has no {text}"));
    (file.rsplit('/').next().unwrap().to_owned(), line as u32 + 1)
}

fn places(code: &ContainerCode, role: Role) -> Vec<(String, u32)> {
    let name = |file: &str| file.rsplit('/').next().unwrap().to_owned();
    code.locations.iter().filter(|at| at.role == role).map(|at| (name(&at.file), at.line)).collect()
}

/// One message to the server, and one that it refuses.
fn converse(port: u16) {
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut to, mut from) = (stream.try_clone().unwrap(), BufReader::new(stream));
    let mut say = |line: &str| {
        to.write_all(line.as_bytes()).unwrap();
        loop {
            let mut reply = String::new();
            from.read_line(&mut reply).unwrap();
            if reply.as_bytes().get(3) == Some(&b' ') {
                break;
            }
            assert!(!reply.is_empty(), "the server left");
        }
    };
    for line in ["", "EHLO here\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<no@nowhere.invalid>\r\n"] {
        say(line);
    }
    let large = format!("Subject: x\r\n\r\n{}.\r\n", "0123456789\r\n".repeat(2_000));
    for line in ["RCPT TO:<test@localhost>\r\n", "DATA\r\n", large.as_str(), "QUIT\r\n"] {
        say(line);
    }
}

#[test]
fn each_planted_leak_of_the_practice_server_has_its_line() {
    let php = std::env::var("PROFILE_RUN_PHP").unwrap_or_else(|_| "php".into());
    type Case = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);
    let cases: [Case; 9] = [
        ("session", "SessionFault.php", "$this->sessions[] = $session", &[]),
        ("message", "MessageFault.php", "$this->messages[] =", &[]),
        ("string", "StringFault.php", "$this->history .=", &[]),
        ("static", "StaticFault.php", "self::$seen[$message->id] =", &[]),
        ("fnstatic", "FunctionStaticFault.php", "$cache[] =", &[]),
        ("closure", "ClosureFault.php", "$this->callbacks[] =", &[]),
        ("storage", "StorageFault.php", "$this->storage[new Node", &[]),
        ("queue", "QueueFault.php", "$this->queue->enqueue", &[]),
        ("linked", "LinkedFault.php", "$this->first = new Node", &[("Node.php", "$this->next = null")]),
    ];
    for (fault, file, text, takes) in cases {
        let mut child = Command::new(&php)
            .args(["-n", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console"), "smtp:serve"])
            .args(["--port", "0"])
            .env("SMTP_FAULT", fault)
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need php-cli");
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let port = first.rsplit_once("127.0.0.1:").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
        let inspector = Inspector::attach(child.id() as i32).unwrap();
        let mut censuses = Vec::new();
        let mut code = Code::default();
        for wave in 1..=4_u64 {
            (0..20).for_each(|_| converse(port));
            let read = inspector.census_with_code(CopyMode::MayStop, &|_| false);
            let (census, read) = read.unwrap();
            code = read;
            censuses.push((wave * 20, census));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(code.refused, None, "{fault}");
        let growth = growth(&censuses);
        let path = &growth.growing.first().unwrap_or_else(|| panic!("{fault}: {growth:?}")).path;
        let found = code.container(path).unwrap_or_else(|| panic!("{fault}: no code names {path}"));
        let puts = places(found, Role::PutsIn);
        assert!(puts.contains(&at(&format!("Faults/{file}"), text)), "{fault}: {found:#?}");
        let extra = puts.iter().filter(|(of, _)| of != file && of != "Node.php").count();
        assert_eq!((extra, puts.len()), (0, if fault == "linked" { 2 } else { 1 }), "{fault}: {found:#?}");
        let taken = places(found, Role::TakesOut);
        assert_eq!(taken.is_empty(), takes.is_empty(), "{fault}: {found:#?}");
        for (of, text) in takes {
            assert!(taken.contains(&at(&format!("Faults/{of}"), text)), "{fault}: {found:#?}");
        }
        // Nothing takes them out, and that may be said.
        assert!(takes.is_empty() != found.by_reference || !takes.is_empty(), "{fault}: {found:#?}");
    }
}

#[test]
fn the_code_of_a_large_program_is_read_in_passing() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("large.php");
    let method = |n: u32| {
        format!(
            "public function m{n}(array $a, ?self $o) {{ $this->list[$n] = $a; foreach ($a as $k => $v) {{ if (isset($this->map[$k])) {{ unset($this->map[$k]); }} $this->map[$k][] = strlen((string) $v) + {n}; }} return $o?->m{n}($a, null) ?? count($this->list); }}\n"
        )
    };
    let classes: String = (0..3_000_u32)
        .map(|c| {
            let methods: String = (0..10).map(method).collect();
            format!("class C{c} {{ private array $list = []; private array $map = [];\n{methods}}}\n")
        })
        .collect();
    let run = "$kept = [];\nwhile (($line = fgets(STDIN)) !== false) { for ($i = 0; $i < (int) $line; $i++) { $kept[] = new C0(); } echo \"filled\\n\"; }";
    std::fs::write(&script, format!("<?php\n{classes}{run}\n").replace("$n]", "1]")).unwrap();
    let mut php = Php::start(script.to_str().unwrap(), &[]);
    php.fill(100);
    let (_, code) = php.census();
    assert_eq!(code.refused, None);
    assert_eq!(code.functions, 30_001);
    assert!(code.bytes < 50 << 20, "{} bytes", code.bytes);
    assert!(code.container("$kept[]").is_some(), "{:?}", code.containers);
}
