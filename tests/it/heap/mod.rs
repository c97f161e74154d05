//! The heap census against processes that know their own truth: `fixtures/heap/leaks.php` writes
//! down its figures, its counts and its containers before it waits.
//!
//! `PROFILE_RUN_PHP` names another PHP than the one in the path (`tests/truth/php-suites.sh`
//! unpacks those of other Debian suites).

mod lines;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use profile_run::heap::{Census, CopyMode, Error, Growth, Inspector, growth, layout};
use serde_json::Value;

/// A PHP that runs the fixture.
struct Php {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Php {
    fn start(case: &str, count: u64, env: &[(&str, &str)]) -> Php {
        let php = std::env::var("PROFILE_RUN_PHP").unwrap_or_else(|_| "php".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/heap/leaks.php");
        let mut child = Command::new(php)
            .args(["-n", "-d", "memory_limit=1G", script, case, &count.to_string()])
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need php-cli");
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Php { child, stdin, stdout }
    }

    /// Grows by `count` more (the first time: by what it was started with) and tells its truth.
    fn next(&mut self, count: u64) -> Value {
        writeln!(self.stdin, "{count}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// A census of the process once it waits for its next line.
    fn census(&self) -> Census {
        let inspector = attach(self.pid());
        for _ in 0..200 {
            match inspector.census(CopyMode::IdleOnly) {
                Err(Error::Busy) => std::thread::sleep(std::time::Duration::from_millis(5)),
                other => return other.unwrap(),
            }
        }
        panic!("never at rest");
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PHP needs a moment to start up.
fn attach(pid: i32) -> Inspector {
    for _ in 0..400 {
        match Inspector::attach(pid) {
            Ok(inspector) => return inspector,
            Err(Error::Busy | Error::NotPhp) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Err(other) => panic!("{other}"),
        }
    }
    panic!("PHP never came up");
}

/// Not every release has what the case needs.
fn has_fibers(census: &Census) -> bool {
    !census.php_version.starts_with("7.") && !census.php_version.starts_with("8.0.")
}

fn class(census: &Census, name: &str) -> u64 {
    census.classes.iter().find(|c| c.name == name).map_or(0, |c| c.count)
}

#[test]
fn figures_and_counts_equal_phps_own() {
    for count in [1_000, 100_000] {
        let mut php = Php::start("array", count, &[]);
        let truth = php.next(0);
        let census = php.census();
        let figures = attach(php.pid()).figures().unwrap();
        assert_eq!(census.figures, Some(figures));
        assert_eq!(figures.size, truth["usage"].as_u64().unwrap(), "at {count}");
        assert_eq!(figures.peak, truth["peak"].as_u64().unwrap());
        assert_eq!(figures.real_size, truth["real"].as_u64().unwrap());
        assert_eq!(figures.limit, Some(1 << 30));
        assert_eq!((class(&census, "Session"), class(&census, "Server")), (count, 1));
        for (of, expected) in truth["resources"].as_object().unwrap() {
            let told = census.resources.iter().filter(|r| r.of.split(':').next() == Some(of.as_str()));
            assert_eq!(told.map(|r| r.count).sum::<u64>(), expected.as_u64().unwrap(), "{of}");
        }
        let collector = census.collector.expect("the collector's counters");
        assert_eq!(u64::from(collector.runs), truth["gc"]["runs"].as_u64().unwrap());
        assert_eq!(u64::from(collector.collected), truth["gc"]["collected"].as_u64().unwrap());
        assert_eq!(u64::from(collector.threshold), truth["gc"]["threshold"].as_u64().unwrap());
        // What the fixture does after it asked may add a root or two.
        let roots = truth["gc"]["roots"].as_u64().unwrap();
        assert!((roots..roots + 8).contains(&u64::from(collector.roots)), "{roots} and {collector:?}");
        let shares = census.reachable.bytes + census.garbage.bytes + census.held.bytes + census.unexplained;
        assert_eq!(shares, figures.size);
        let calls: Vec<_> = census.stack.iter().map(|f| f.function.as_str()).collect();
        assert_eq!(calls, ["fgets", "Server->run", "{main}"]);
        assert_eq!(census.stack[1].file.as_deref(), Some("leaks.php"));
    }
}

/// Grows `case` by `count` a wave and compares the censuses.
fn waves(case: &str, waves: u64, count: u64) -> (Growth, Value, Census) {
    let mut php = Php::start(case, count, &[]);
    let mut truth = Value::Null;
    let censuses: Vec<(u64, Census)> = (1..=waves)
        .map(|wave| {
            truth = php.next(count);
            (wave * count, php.census())
        })
        .collect();
    let last = censuses.last().unwrap().1.clone();
    (growth(&censuses), truth, last)
}

#[test]
fn each_planted_leak_is_named_by_its_container() {
    let script = include_str!("../../../fixtures/heap/leaks.php");
    let line = script.lines().position(|l| l.contains("case 'closure'")).unwrap() + 1;
    let closure = format!("Closure@leaks.php:{line}");
    let cases = [
        ("array", "$server{Server}->leak[]", "Session", "leak"),
        ("strings", "$server{Server}->lines[]", "string", "lines"),
        ("static", "Metrics::$seen[]", "Session", "seen"),
        ("function", "Server::countCalls() static $calls[]", "string", "calls"),
        ("closure", "$server{Server}->timers[]", closure.as_str(), "timers"),
        ("list", "$server{Server}->head{Session}->next…", "Session", ""),
        ("storage", "$server{Server}->storage{SplObjectStorage}[]", "Session", "storage"),
        ("queue", "$server{Server}->queue{SplQueue}[]", "Session", "queue"),
        ("sockets", "$server{Server}->sockets[]", "array", "sockets"),
        ("string", "$server{Server}->buffer", "string", "buffer"),
        ("fiber", "$server{Server}->fibers[]", "Fiber", "fibers"),
    ];
    for (case, path, what, key) in cases {
        if case == "fiber" && !has_fibers(&Php::start("clean", 1, &[]).census()) {
            continue;
        }
        let (growth, truth, last) = waves(case, 4, 100);
        let paths: Vec<_> = growth.growing.iter().map(|g| (g.path.as_str(), g.what.as_str())).collect();
        assert_eq!(paths, [(path, what)], "{case}: {growth:#?}");
        let found = &growth.growing[0];
        let count = *found.counts.last().unwrap();
        match case {
            // The manager rounds a block up.
            "string" => {
                assert_eq!(found.unit, "bytes");
                assert!(count >= truth["truth"][key].as_u64().unwrap());
            }
            "list" => assert_eq!(count, 400),
            _ => assert_eq!(count, truth["truth"][key].as_u64().unwrap(), "{case}"),
        }
        if case != "string" {
            assert_eq!(found.counts, [100, 200, 300, 400], "{case}");
            assert_eq!(found.per_1000, 1000.0);
        }
        if matches!(case, "array" | "static" | "closure" | "list" | "storage" | "queue" | "fiber") {
            assert!(found.keeps.iter().any(|c| c == "Session"), "{case}: {found:?}");
            assert_eq!(class(&last, "Session"), 400, "{case}");
        }
        assert!(growth.classes.is_empty(), "{case}: {:?}", growth.classes);
        assert!(found.explains_share.unwrap() > 0.8, "{case}: {found:?}");
        assert_eq!(growth.heap, growth.reachable + growth.garbage + growth.held + growth.unexplained);
    }
}

#[test]
fn what_does_not_leak_is_not_named() {
    for case in ["clean", "cache"] {
        let (growth, ..) = waves(case, 6, 50);
        assert!(growth.growing.is_empty() && growth.classes.is_empty(), "{case}: {growth:#?}");
        assert_eq!(growth.garbage, 0);
    }
}

#[test]
fn forgotten_cycles_are_garbage_and_no_leak() {
    let (growth, _, last) = waves("cycle", 12, 100);
    assert!(growth.growing.is_empty(), "{growth:#?}");
    assert_eq!(last.garbage.objects, 1200);
    assert!(growth.garbage > 11 * 100 * 100);
    // What is left is a read buffer that came once.
    assert!(growth.without_garbage() < 10_000, "{growth:#?}");
    // The collector takes them once it runs.
    let (_, truth, last) = waves("cycle", 2, 6_000);
    assert_eq!(truth["gc"]["runs"], 1);
    assert!(last.garbage.objects < 2_100, "{:?}", last.garbage);
    assert!(last.collector.is_none_or(|c| c.runs == 1), "{:?}", last.collector);
}

/// What must be the same whatever the layout that told it.
fn told(census: &Census) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut classes: Vec<_> = census.classes.iter().map(|c| (c.name.clone(), c.count, c.bytes)).collect();
    classes.sort();
    let mut holders: Vec<_> =
        census.holders.iter().map(|h| (h.path.clone(), h.count, h.element_type.clone())).collect();
    holders.sort();
    (classes, holders, census.resources.clone(), census.figures)
}

#[test]
fn a_layout_of_another_version_is_refused() {
    let mut php = Php::start("array", 200, &[]);
    php.next(0);
    php.census();
    let own = attach(php.pid()).layout().clone();
    for wrong in layout::known().iter().filter(|l| l.version != own.version) {
        let inspector = Inspector::attach_with(php.pid(), wrong.clone()).unwrap();
        let refused = inspector.census(CopyMode::IdleOnly);
        assert!(matches!(refused, Err(Error::Unsupported(_) | Error::Busy)), "{}: {refused:?}", wrong.version);
    }
}

#[test]
fn an_offset_that_is_off_is_refused_or_changes_nothing() {
    let mut php = Php::start("mixed", 40, &[]);
    php.next(0);
    let right = php.census();
    let own = attach(php.pid()).layout().clone();
    let fields = own.clone().fields_mut().len();
    let (mut refused, mut wrong) = (0, Vec::new());
    for field in 0..fields {
        for by in [-8_i64, -4, 4, 8] {
            let mut moved = own.clone();
            let (name, offset) = moved.fields_mut().swap_remove(field);
            let Ok(new) = u32::try_from(i64::from(*offset) + by) else { continue };
            *offset = new;
            let inspector = Inspector::attach_with(php.pid(), moved).unwrap();
            match inspector.census(CopyMode::IdleOnly) {
                Ok(census) if told(&census) == told(&right) => {}
                Ok(_) => wrong.push(format!("{name} moved by {by}")),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "told something else: {wrong:#?}");
    assert!(refused > fields * 2, "only {refused} refused");
}

#[test]
fn a_busy_process_is_counted_right_and_runs_on() {
    let mut php = Php::start("busy", 500, &[]);
    php.next(0);
    let inspector = attach(php.pid());
    let (mut right, mut busy) = (0, 0);
    let rounds = std::env::var("PROFILE_RUN_TRUTH").map_or(60, |_| 1000);
    for _ in 0..rounds {
        match inspector.census(CopyMode::MayStop) {
            Ok(census) => {
                // 500 that stay, and one at a time that comes and goes.
                assert!((500..=502).contains(&class(&census, "Session")), "{:?}", census.classes);
                let leak = census.holders.iter().find(|h| h.path == "$server{Server}->leak[]").unwrap();
                assert_eq!(leak.count, 500);
                right += 1;
            }
            Err(Error::Busy) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(right > rounds / 2, "{right} right, {busy} busy");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", php.pid())).unwrap();
    let state = stat.rsplit_once(") ").unwrap().1.chars().next();
    assert!(matches!(state, Some('R' | 'S')), "left in state {state:?}");
}

#[test]
fn without_zends_manager_counts_work_and_figures_do_not() {
    let mut php = Php::start("array", 300, &[("USE_ZEND_ALLOC", "0")]);
    php.next(0);
    let census = php.census();
    assert_eq!(census.figures, None);
    assert_eq!(class(&census, "Session"), 300);
    assert!(census.warnings.iter().any(|w| w.contains("memory manager")));
    assert!(matches!(attach(php.pid()).figures(), Err(Error::Unsupported(_))));
}

#[test]
fn what_is_no_php_says_so() {
    let mut child = Command::new("sleep").arg("5").spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    let status = Inspector::attach(child.id() as i32).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(status, Error::NotPhp);
    assert_eq!(Inspector::attach(child.id() as i32).unwrap_err(), Error::NotPhp);
}

/// A program that exports what a PHP with threads does.
#[test]
fn a_php_with_threads_is_refused_by_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("zts.c"), folder.path().join("frankenphp"));
    std::fs::write(
        &source,
        "#include <unistd.h>\nint executor_globals_offset = 8, compiler_globals_offset = 16; char module_registry[56];\n\
         int main(void) { write(1, \"x\", 1); sleep(5); }\n",
    )
    .unwrap();
    let built = Command::new("cc").args(["-rdynamic", "-w", "-o"]).arg(&program).arg(&source).status();
    assert!(built.expect("this test needs cc").success());
    let mut child = Command::new(&program).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let refused = Inspector::attach(child.id() as i32).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(&refused, Error::Unsupported(why) if why.contains("with threads (ZTS)")), "{refused:?}");
}

#[test]
fn statuses_print_as_documented() {
    let json = |error: Error| serde_json::to_value(error).unwrap();
    assert_eq!(json(Error::NotPhp)["status"], "not_php");
    let unsupported = json(Error::Unsupported("ZTS".into()));
    assert_eq!((unsupported["status"].as_str(), unsupported["why"].as_str()), (Some("unsupported"), Some("ZTS")));
}
