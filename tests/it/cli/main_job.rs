//! The main job on the embedded PHP server: launch in every form, verdicts, refusals, interruptions. Real PHP, real
//! Xdebug, small loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

/// A port of its own for each server, below those that the kernel gives out.
pub fn port() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    (21_000 + (std::process::id() % 500) as u16 * 16 + NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

pub struct Run {
    pub folder: tempfile::TempDir,
}

impl Run {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn out(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn command(&self, options: &[&str], server: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("--out").arg(self.out()).args(options).arg("--").args(server);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env_remove("SMTP_FAULT");
        command
    }

    pub fn run(&self, options: &[&str], server: &[&str]) -> Output {
        self.command(options, server).output().unwrap()
    }

    pub fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.out().join("result.json")).unwrap()).unwrap()
    }
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Nothing that carries `mark` in its command line is left.
pub fn nothing_is_left(mark: &str) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let alive = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                line.contains("smtp:serve") && line.contains(mark)
            })
        });
        if !alive || Instant::now() > end {
            return !alive;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn has_a_whole_profile(run: &Run, output: &Output) {
    assert_eq!(run.result()["profile"]["complete"], true, "{}", text(output));
    let main = run.result()["profile"]["functions"].as_array().unwrap().iter().any(|f| f["name"] == "{main}");
    assert!(main, "no {{main}}: {}", text(output));
}

const SMALL: [&str; 4] = ["--passes", "profile", "--load", "smoke"];

#[test]
fn every_way_to_start_php_leaves_a_whole_profile() {
    let script = Run::new();
    let file = script.folder.path().join("serve");
    fs::copy(CONSOLE, &file).unwrap();
    let shell = |port: &str| format!("php {CONSOLE} smtp:serve --port {port}");
    for form in ["php", "env", "sh", "script"] {
        let (run, port) = (Run::new(), port());
        let output = match form {
            "php" => run.run(&SMALL, &["php", CONSOLE, "smtp:serve", "--port", &port]),
            "env" => run.run(&SMALL, &["env", "FOO=1", "php", CONSOLE, "smtp:serve", "--port", &port]),
            "sh" => run.run(&SMALL, &["sh", "-c", &shell(&port)]),
            _ => run.run(&SMALL, &[CONSOLE, "smtp:serve", "--port", &port]),
        };
        has_a_whole_profile(&run, &output);
        assert!(nothing_is_left(&port), "{form}");
    }
}

#[test]
fn flags_that_were_typed_win_and_their_relative_folder_is_read() {
    let (run, port) = (Run::new(), port());
    let project = run.folder.path().join("project");
    fs::create_dir(&project).unwrap();
    let mut options = SMALL.to_vec();
    options.extend(["--cwd", project.to_str().unwrap()]);
    let server =
        ["php", "-dxdebug.mode=profile", "-d", "xdebug.start_with_request=yes", "-d", "xdebug.output_dir=var/xdebug"];
    let output = run.run(&options, &[&server[..], &[CONSOLE, "smtp:serve", "--port", &port]].concat());
    has_a_whole_profile(&run, &output);
    assert_eq!(fs::read_dir(project.join("var/xdebug")).unwrap().count(), 1);
    // Nothing was to be judged, so nothing is.
    assert!(run.result()["verdict"].is_null(), "{}", text(&output));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn without_pcntl_the_profile_is_shown_under_a_frame_that_says_so() {
    let (run, port) = (Run::new(), port());
    let off = "disable_functions=pcntl_signal,pcntl_async_signals";
    let output = run.run(&SMALL, &["php", "-d", off, CONSOLE, "smtp:serve", "--port", &port]);
    assert_eq!(run.result()["profile"]["complete"], false, "{}", text(&output));
    let report = fs::read_to_string(run.out().join("report.html")).unwrap();
    assert!(report.contains("still running when the file ended"));
}

#[test]
fn a_sound_server_is_clean_and_its_report_is_whole() {
    let (run, port) = (Run::new(), port());
    let options = ["--load", "sequential,handshake", "--budget", "90s", "--passes", "measure"];
    let output = run.run(&options, &["php", CONSOLE, "smtp:serve", "--port", &port, "-v"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let result = run.result();
    assert_eq!(result["verdict"], "clean");
    let load = result["load"].as_array().unwrap();
    let total = |name: &str| load.iter().find(|row| row["scenario"] == name && row["wave"].is_null()).unwrap();
    assert_eq!(total("handshake")["messages_accepted"], 0);
    assert!(total("handshake")["sessions"].as_u64().unwrap() >= 1_000);
    // What the load counted is what the server wrote down, the preflight's message included.
    let log = String::from_utf8_lossy(&fs::read(run.out().join("target.measure.log")).unwrap()).into_owned();
    let written = log.lines().filter(|line| line.contains("accepted id=")).count() as u64;
    let of_clean = load.iter().filter(|row| row["wave"].is_null() && row["pass"] == "measure");
    assert_eq!(of_clean.map(|row| row["messages_accepted"].as_u64().unwrap()).sum::<u64>(), written);
    for file in ["report.html", "summary.md", "plan.json", "load.json", "journal.jsonl", "samples.jsonl"] {
        assert!(run.out().join(file).is_file(), "{file}");
    }
    // A report that is written anew comes to the same.
    let again = Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(run.out()).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert_eq!(run.result()["verdict"], "clean");
}

#[test]
fn a_leak_is_named_by_its_container() {
    let (run, port) = (Run::new(), port());
    let console = copied_server(run.folder.path(), "$password = 'hunter2-of-mine';");
    let options = ["--load", "sequential", "--budget", "120s", "--passes", "measure", "--rest", "3s"];
    // Quoted, as `&` means something in an ini.
    let editor = r#"xdebug.file_link_format="ed://open?file=%f&line=%l""#;
    let mut command = run.command(&options, &["php", "-d", editor, &console, "smtp:serve", "--port", &port]);
    let output = command.env("SMTP_FAULT", "session").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let result = run.result();
    assert_eq!(result["verdict"], "leak");
    assert!(result["sentence"].as_str().unwrap().contains("SessionFault->sessions[]"), "{}", result["sentence"]);
    let heap = result["findings"].as_array().unwrap().iter().find(|f| f["metric"] == "heap").unwrap();
    assert_eq!((&heap["state"], &heap["growth"]["per"]), (&"leak".into(), &"1000_messages".into()));
    // The line that fills it, in its script, with its neighbours; a password beside it is hidden.
    let filled = heap["locations"].as_array().unwrap().iter().find(|at| at["role"] == "puts_in").unwrap();
    let line = filled["line"].as_u64().unwrap();
    let lines: Vec<&str> = filled["excerpt"]["lines"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert_eq!((filled["excerpt"]["first"].as_u64().unwrap(), lines.len()), (line - 1, 3));
    assert_eq!((lines[0].trim(), lines[1].trim()), ("$password = '***';", "$this->sessions[] = $session;"));
    for file in ["report.html", "summary.md", "result.json"] {
        let text = fs::read_to_string(run.out().join(file)).unwrap();
        assert!(text.contains("$this-&#62;sessions[] = $session;") || text.contains(lines[1].trim()), "{file}");
        assert!(!text.contains("hunter2"), "{file}");
    }
    // It opens in the editor that the server's Xdebug is set to: in the finding, with its holder, above the lines.
    let html = fs::read_to_string(run.out().join("report.html")).unwrap();
    let link = format!("<a href=\"ed://open?file={}&#38;line={line}\">", filled["file"].as_str().unwrap());
    assert_eq!(html.matches(&link).count(), 3, "{link}");
    // The folder of the project is known, so that it may itself lie in a `vendor/`.
    let plan: Value = serde_json::from_slice(&fs::read(run.out().join("plan.json")).unwrap()).unwrap();
    let folder = run.folder.path().canonicalize().unwrap();
    assert_eq!(plan["library"]["root"].as_str(), Some(format!("{}/", folder.display()).as_str()));
    // Anew, without the lines of the script.
    let bare = run.folder.path().join("bare");
    let mut report = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let again = report.arg("report").arg(run.out()).arg("--no-source").arg("--out").arg(&bare).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    for file in ["report.html", "summary.md", "result.json"] {
        let text = fs::read_to_string(bare.join(file)).unwrap();
        assert!(text.contains("SessionFault.php") || text.contains("SessionFault->sessions"), "{file}");
        assert!(!text.contains("excerpt") && !text.contains("$session;"), "{file}");
    }
}

#[test]
fn without_source_no_line_of_a_script_is_read() {
    for (options, read) in [(&[][..], true), (&["--no-source"][..], false)] {
        let (run, port) = (Run::new(), port());
        let console = copied_server(run.folder.path(), "// a mark of its own");
        let options = [&["--load", "smoke", "--full", "--passes", "measure", "--ledger", "off"], options].concat();
        let mut command = run.command(&options, &["php", &console, "smtp:serve", "--port", &port]);
        let output = command.env("SMTP_FAULT", "session").output().unwrap();
        let journal = fs::read_to_string(run.out().join("journal.jsonl")).unwrap();
        assert!(journal.contains("SessionFault.php"), "{}", text(&output));
        assert_eq!(journal.contains("a mark of its own"), read, "{}", text(&output));
    }
}

/// The practice server, with a line of ours before the one that keeps sessions; its console.
fn copied_server(folder: &Path, line: &str) -> String {
    let server = folder.join("server");
    let fixture = Path::new(CONSOLE).ancestors().nth(2).unwrap();
    assert!(Command::new("cp").arg("-r").args([fixture, &server]).status().unwrap().success());
    let fault = server.join("src/Faults/SessionFault.php");
    let script = fs::read_to_string(&fault).unwrap();
    let keeps = "$this->sessions[] = $session;";
    assert!(script.contains(keeps));
    fs::write(&fault, script.replace(keeps, &format!("{line}\n            {keeps}"))).unwrap();
    server.join("bin/console").display().to_string()
}

#[test]
fn a_refused_recipient_ends_the_run_with_the_servers_own_words() {
    let (run, port) = (Run::new(), port());
    let output = run.run(&["--to", "nobody@example.org"], &["php", CONSOLE, "smtp:serve", "--port", &port]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("550") && text(&output).contains("--to"), "{}", text(&output));
    assert_ne!(run.result()["verdict"], "clean");
    assert!(nothing_is_left(&port));
}

#[test]
fn a_crash_is_named_and_fails() {
    let (run, port) = (Run::new(), port());
    let options = ["--load", "sequential", "--budget", "30s", "--passes", "measure"];
    let mut command = run.command(&options, &["php", CONSOLE, "smtp:serve", "--port", &port]);
    let output = command.env("SMTP_FAULT", "crash:60").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert_eq!(run.result()["failures"][0]["kind"], "crash", "{}", run.result()["failures"]);
    assert!(nothing_is_left(&port));
}

#[test]
fn what_cannot_run_says_why() {
    let run = Run::new();
    let program = || Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let missing = run.run(&[], &["no-such-program-anywhere", "x"]);
    let bare = program().args(["php", "bin/console"]).output().unwrap();
    let nothing = program().args(["--"]).output().unwrap();
    let unknown = run.run(&["--load", "chrun"], &["php", CONSOLE]);
    let container = run.run(&[], &["kubectl", "run", "x"]);
    for (output, part) in [
        (&missing, "command not found: `no-such-program-anywhere`"),
        (&bare, "profile-run -- php bin/console"),
        (&nothing, "no command"),
        (&unknown, "did you mean `churn`?"),
        (&container, "inside the container"),
    ] {
        assert_eq!(output.status.code(), Some(2), "{}", text(output));
        assert!(text(output).contains(part), "{}", text(output));
    }
    assert!(!run.out().exists(), "nothing was begun");
    fs::create_dir(run.out()).unwrap();
    fs::write(run.out().join("mine"), "").unwrap();
    let full = run.run(&[], &["php", CONSOLE]);
    assert_eq!(full.status.code(), Some(2));
    assert!(text(&full).contains("is not empty"), "{}", text(&full));
    let no_run = program().arg("report").arg(run.out()).output().unwrap();
    assert_eq!(no_run.status.code(), Some(2));
    assert!(text(&no_run).contains("is not a run folder"), "{}", text(&no_run));
}

#[test]
fn one_that_ends_at_once_shows_its_last_words() {
    let run = Run::new();
    let output = run.run(&[], &["php", "-r", "echo \"no database here\\n\"; exit(7);"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("exit code 7"), "{}", text(&output));
    assert!(text(&output).contains("no database here"), "{}", text(&output));
}

#[test]
fn an_interrupted_run_leaves_a_report_and_no_process() {
    for after in [300, 1_000, 4_000] {
        let (run, port) = (Run::new(), port());
        let shell = format!("php {CONSOLE} smtp:serve --port {port}");
        let mut command = run.command(&["--budget", "60s"], &["sh", "-c", &shell]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{after} ms: {}", text(&output));
        assert!(nothing_is_left(&port), "{after} ms");
        assert!(run.out().join("report.html").is_file(), "{after} ms: {}", text(&output));
        assert_ne!(run.result()["verdict"], "clean");
    }
}

#[test]
fn a_killed_run_leaves_no_process_and_its_folder_can_be_reported() {
    let (run, port) = (Run::new(), port());
    let shell = format!("php {CONSOLE} smtp:serve --port {port}");
    let mut child = run.command(&["--budget", "60s"], &["sh", "-c", &shell]).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(nothing_is_left(&port));
    let again = Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("report").arg(run.out()).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert_eq!(run.result()["cut_off"], true);
    assert_ne!(run.result()["verdict"], "clean");
    assert!(Path::new(&run.out().join("report.html")).is_file());
}

/// Both passes, as short as they may be.
const BOTH: [&str; 4] = ["--load", "smoke", "--budget", "20s"];

#[test]
fn the_php_that_serves_is_named_and_not_one_of_the_search_path() {
    let (run, port) = (Run::new(), port());
    let output = run.run(&BOTH, &["sh", "-c", &format!("php -n {CONSOLE} smtp:serve --port {port}")]);
    let result = run.result();
    let versions = &result["target"]["versions"];
    assert!(versions["php"].is_string() && versions["xdebug"].is_null(), "{versions}: {}", text(&output));
    // And why there is no profile stands on the console.
    assert!(text(&output).contains("not measured"), "{}", text(&output));
    let missing = result["not_measured"].as_array().unwrap();
    assert!(missing.iter().any(|text| text.as_str().unwrap().contains("was started without Xdebug")), "{missing:?}");
}

#[test]
fn what_the_first_start_left_behind_is_named_where_it_stops_the_second() {
    let (run, port) = (Run::new(), port());
    let server = format!(
        "if [ -e run.pid ]; then echo 'already running, see run.pid'; exit 1; fi; echo $$ > run.pid; \
         exec php {CONSOLE} smtp:serve --port {port}"
    );
    let output = run.run(&BOTH, &["sh", "-c", &server]);
    assert!(text(&output).contains("run.pid may be left from it"), "{}", text(&output));
    assert!(text(&output).contains("--before 'rm -f run.pid'"), "{}", text(&output));
}

#[test]
fn doctor_starts_the_server_and_says_what_it_met() {
    let (run, port) = (Run::new(), port());
    let doctor = |server: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.args(["doctor", "--"]).args(server).current_dir(run.folder.path()).stdin(Stdio::null());
        command.output().unwrap()
    };
    let shell = format!("php -n {CONSOLE} smtp:serve --port {port}");
    let output = doctor(&["sh", "-c", &shell]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for part in
        [format!("greets on 127.0.0.1:{port}").as_str(), "it takes a message", "accept queue holds", "has no Xdebug"]
    {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
    assert!(!run.folder.path().join("profile-run-out").exists(), "it keeps nothing");
    assert!(nothing_is_left(&port));
}
