//! The main job on a server that somebody else started: judged like any other, and left as it was.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const CONSOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/smtp-server/bin/console");

/// A running server, ended with the test.
struct Server {
    child: Child,
    port: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(script: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, port) = (folder.path().join(script), port.to_string());
        fs::write(&file, format!("<?php require '{CONSOLE}';")).unwrap();
        let mut command = Command::new("php");
        command.arg(&file).args(["smtp:serve", "--port", &port]).env_remove("SMTP_FAULT");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let server = Self { child, port, folder };
        let end = Instant::now() + Duration::from_secs(30);
        while server.greeting().is_none() {
            assert!(Instant::now() < end, "it does not greet");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn greeting(&self) -> Option<String> {
        let mut line = String::new();
        let stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).ok()?;
        BufReader::new(stream).read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line)
    }

    fn attach(&self, name: &str, options: &[&str]) -> (Output, Option<Value>) {
        let out = self.folder.path().join(format!("run-{}", fs::read_dir(self.folder.path()).unwrap().count()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
        command.arg("--out").arg(&out).args(["--attach", name, "--load", "smoke"]).args(options);
        let output = command.current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap();
        let result = fs::read(out.join("result.json")).ok().map(|text| serde_json::from_slice(&text).unwrap());
        (output, result)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_running_server_is_judged_by_pid_and_by_name_and_goes_on() {
    let script = format!("serve-{}", std::process::id());
    let mut server = Server::start(&script, 24_000 + (std::process::id() % 900) as u16);
    let pid = server.child.id().to_string();
    for name in [pid.as_str(), script.as_str(), pid.as_str()] {
        let (output, result) = server.attach(name, &["--budget", "20s"]);
        let result = result.unwrap_or_else(|| panic!("{}", text(&output)));
        assert!(text(&output).contains(&format!("attached to pid {pid}")), "{}", text(&output));
        assert!(text(&output).contains(&format!("· --attach {name}")), "{}", text(&output));
        assert!(result["target"]["versions"]["php"].is_string(), "{result}");
        assert_eq!(result["target"]["command"][0], "php", "{result}");
        let accepted = result["load"].as_array().unwrap().iter().filter(|row| row["wave"].is_null());
        assert!(accepted.map(|row| row["messages_accepted"].as_u64().unwrap()).sum::<u64>() >= 10, "{result}");
        assert!(server.child.try_wait().unwrap().is_none(), "it goes on");
        assert!(server.greeting().is_some_and(|line| line.starts_with("220")), "it still greets");
    }
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_profile-run"));
    let output = doctor.args(["doctor", "--attach", &pid]).stdin(Stdio::null()).output().unwrap();
    assert!(text(&output).contains("it takes a message"), "{}", text(&output));
    assert!(server.greeting().is_some_and(|line| line.starts_with("220")), "it still greets");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("TracerPid:\t0"), "nobody holds it: {status}");
}

#[test]
fn what_cannot_be_attached_to_is_said() {
    let server = Server::start("serve", 24_900 + (std::process::id() % 90) as u16);
    for (name, options, said) in [
        ("no-such-server-anywhere", &[][..], "no process and no container is called so"),
        ("1", &[], "that is no server"),
        ("2147483000", &[], "there is no such process"),
        ("serve", &["--passes", "profile"], "cannot be started under a profiler"),
        ("serve", &["--env", "A=1"], "cannot be used with"),
    ] {
        let (output, _) = server.attach(name, options);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(said), "{said}: {}", text(&output));
    }
}
