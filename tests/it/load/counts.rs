//! What the load does, as a server that writes everything down has seen it, against what the load says of itself.

use std::collections::HashSet;
use std::process::{Command, Output};

use crate::support::smtp::{Act, End, Server};
use serde_json::Value;

/// Runs `profile-run load --json ARGS TARGET`; its exit code and its one entry of `load[]`.
fn load(args: &[&str], server: &Server) -> (i32, Value) {
    let output = run(args, &server.target());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let last = text.lines().last().unwrap_or_else(|| panic!("no output: {}", String::from_utf8_lossy(&output.stderr)));
    let line: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(line["event"], "result", "{last}");
    (output.status.code().expect("an exit code"), line["result"]["load"][0].clone())
}

fn run(args: &[&str], target: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["load", "--json"])
        .args(args)
        .arg(target)
        .output()
        .expect("profile-run runs")
}

fn errors(load: &Value) -> Vec<(String, u64)> {
    let errors = load["errors"].as_object().expect("errors");
    errors.iter().map(|(kind, count)| (kind.clone(), count.as_u64().expect("a count"))).collect()
}

#[test]
fn the_recipes_smoke() {
    let server = Server::recording();
    let args = ["-d", "-f", "test@localhost", "-t", "test@localhost", "-s", "10", "-l", "1", "-m", "10"];
    let (code, load) = load(&args, &server);
    let sessions = server.sessions();
    assert_eq!((code, sessions.len()), (0, 10));
    for session in &sessions {
        assert_eq!(session.verbs(), ["HELO", "MAIL", "RCPT", "DATA", "QUIT"]);
        assert_eq!(session.end, End::Quit);
        assert_eq!(session.messages.len(), 1);
        assert_eq!(session.messages[0].from, "test@localhost");
        assert_eq!(session.messages[0].recipients, ["test@localhost"]);
        assert_eq!(session.messages[0].body, b"X");
    }
    assert_eq!(load["messages_sent"], 10);
    assert_eq!(load["messages_accepted"], 10);
    assert_eq!(load["sessions"], 10);
    assert_eq!(errors(&load), []);
    assert_eq!(load["latency_ms"]["count"], 10);
}

#[test]
fn the_recipes_sequential_is_one_after_another() {
    let server = Server::recording();
    let args = ["-f", "test@localhost", "-t", "test@localhost", "-s", "1", "-m", "300", "-l", "100"];
    let (code, load) = load(&args, &server);
    let messages = server.messages();
    assert_eq!((code, messages.len(), server.sessions().len()), (0, 300, 300));
    assert!(messages.iter().all(|message| message.body.len() == 100));
    assert_eq!(load["peak_open"], 1);
    // The next session may begin while the server still closes the last.
    assert!(server.peak() <= 3, "{}", server.peak());
    let ids: HashSet<&String> =
        messages.iter().map(|m| m.headers.iter().find(|h| h.starts_with("Message-Id")).expect("an id")).collect();
    assert_eq!(ids.len(), 300);
}

#[test]
fn the_recipes_churn_and_large_on_a_small_scale() {
    let server = Server::recording();
    let (code, load_) = load(&["-d", "-f", "a@b", "-t", "c@d", "-s", "500", "-m", "500", "-l", "200"], &server);
    assert_eq!((code, server.messages().len()), (0, 500));
    assert!(server.messages().iter().all(|message| message.body.len() == 200 && message.from == "a@b"));
    assert_eq!(load_["messages_accepted"], 500);

    let server = Server::recording();
    let (code, load_) = load(&["-d", "-s", "20", "-m", "20", "-l", "5000000"], &server);
    let messages = server.messages();
    assert_eq!((code, messages.len()), (0, 20));
    assert!(messages.iter().all(|message| message.body.len() == 5_000_000));
    assert!(load_["bytes"].as_u64().expect("bytes") > 100_000_000);
}

#[test]
fn the_recipes_handshake_sends_no_recipient() {
    let server = Server::recording();
    let (code, load) = load(&["-c", "-s", "200", "-m", "0"], &server);
    let sessions = server.sessions();
    assert_eq!((code, sessions.len()), (0, 200));
    assert!(sessions.iter().all(|session| session.verbs() == ["HELO", "QUIT"]));
    assert_eq!((&load["messages_accepted"], &load["sessions"]), (&Value::from(0), &Value::from(200)));
}

#[test]
fn no_data_with_messages_is_mail_and_rcpt() {
    let server = Server::recording();
    // -d changes nothing, with -c too.
    let (code, load) = load(&["-c", "-d", "-s", "5", "-m", "20", "-r", "3"], &server);
    let sessions = server.sessions();
    assert_eq!((code, sessions.len()), (0, 20));
    assert!(sessions.iter().all(|s| s.verbs() == ["HELO", "MAIL", "RCPT", "RCPT", "RCPT", "QUIT"]));
    assert_eq!(load["messages_sent"], 0);
}

#[test]
fn kept_connections_carry_what_they_should() {
    let server = Server::recording();
    let (code, load_) = load(&["--keep-open", "-s", "4", "-m", "100", "-l", "50"], &server);
    assert_eq!((code, server.messages().len(), server.sessions().len()), (0, 100, 4));
    assert_eq!(load_["sessions"], 4);

    let server = Server::recording();
    let (code, _) = load(&["--keep-open=10", "-s", "4", "-m", "100", "-l", "50"], &server);
    let sessions = server.sessions();
    assert_eq!((code, server.messages().len()), (0, 100));
    assert!(sessions.iter().all(|session| session.messages.len() <= 10));
    assert!((10..=13).contains(&sessions.len()), "{}", sessions.len());
}

#[test]
fn what_is_said() {
    let server = Server::recording();
    let (code, _) = load(&["-f", "", "-N", "-r", "2", "-m", "2", "-S", "hello", "-M", "me.example"], &server);
    assert_eq!(code, 0);
    let sessions = server.sessions();
    assert_eq!(sessions[0].commands[..2], ["HELO me.example", "MAIL FROM:<>"]);
    let recipients: Vec<String> = server.messages().iter().flat_map(|m| m.recipients.clone()).collect();
    assert_eq!(recipients, ["1test@localhost", "2test@localhost", "3test@localhost", "4test@localhost"]);
    assert!(server.messages()[0].headers.contains(&"Subject: hello".to_owned()));
}

#[test]
fn old_mode_and_lmtp() {
    let server = Server::recording();
    let (code, _) = load(&["-o"], &server);
    assert_eq!(code, 0);
    assert_eq!(server.sessions()[0].verbs(), ["MAIL", "RCPT", "DATA", "QUIT"]);

    let server = Server::acting(|at, _| if at == "." { Act::say("250 one\r\n250 two\r\n") } else { Act::Normal });
    let (code, load) = load(&["-L", "-r", "2", "-m", "3"], &server);
    assert_eq!((code, &load["messages_accepted"]), (0, &Value::from(3)));
    assert_eq!(server.sessions()[0].verbs()[0], "LHLO");
}

#[test]
fn files_and_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.eml"), "Subject: a\n\n.dot\nlast\n").expect("a.eml");
    std::fs::write(folder.path().join("b.eml"), "Subject: b\r\n\r\n..\r\n").expect("b.eml");
    std::fs::write(folder.path().join("c.txt"), "not a message").expect("c.txt");
    let server = Server::recording();
    let (code, _) = load(&["-F", folder.path().to_str().expect("UTF-8"), "-m", "4"], &server);
    let bodies: Vec<String> = server.messages().iter().map(|m| String::from_utf8_lossy(&m.body).into_owned()).collect();
    assert_eq!((code, bodies), (0, vec![".dot\r\nlast".into(), "..".into(), ".dot\r\nlast".into(), "..".into()]));
}

#[test]
fn lengths_by_chance() {
    let server = Server::recording();
    let (code, _) = load(&["-l", "10-3000", "-m", "200", "-s", "5"], &server);
    let lengths: Vec<usize> = server.messages().iter().map(|m| m.body.len()).collect();
    assert_eq!(code, 0);
    assert!(lengths.iter().all(|n| (10..=3000).contains(n)));
    assert!(lengths.iter().collect::<HashSet<_>>().len() > 100);
}

#[test]
fn pipelining_is_one_write() {
    let server = Server::recording();
    let (code, _) = load(&["--pipelining", "-r", "3", "-m", "20", "--keep-open"], &server);
    assert_eq!((code, server.messages().len()), (0, 20));
    assert!(server.messages().iter().all(|message| message.recipients.len() == 3));
}

#[test]
fn abrupt_leaves_at_every_stage_by_fin_and_by_rst() {
    let server = Server::recording();
    let (code, load) = load(&["--scenario", "abrupt", "--scale", "0.1"], &server);
    let sessions = server.sessions();
    assert_eq!((code, sessions.len()), (0, 200), "{load}");
    assert_eq!(load["sessions"], 200);
    let ends = |end| sessions.iter().filter(|session| session.end == end).count();
    // Whoever leaves before the banner may be gone before the server looks.
    assert!(ends(End::Reset) >= 60, "{}", ends(End::Reset));
    assert!(ends(End::Eof) >= 60, "{}", ends(End::Eof));
    for last in ["HELO", "MAIL", "RCPT", "DATA"] {
        assert!(sessions.iter().any(|session| session.verbs().last() == Some(&last)), "{last}");
    }
    assert!(sessions.iter().filter(|session| session.unfinished > 0).count() >= 10);
    assert_eq!(errors(&load), []);
}

#[test]
fn refused_means_a_refused_recipient() {
    let refuse = |at: &str, _| if at == "RCPT" { Act::say("550 no such user\r\n") } else { Act::Normal };
    let server = Server::acting(refuse);
    let (code, load_) = load(&["--scenario", "refused", "--scale", "0.02"], &server);
    assert_eq!((code, &load_["sessions"]), (0, &Value::from(40)));
    assert_eq!(errors(&load_), [("rcpt_550".into(), 40)]);
    assert!(server.sessions().iter().all(|s| s.verbs() == ["HELO", "MAIL", "RCPT", "QUIT"]));

    // A server that takes everybody's mail: nothing was tested.
    let server = Server::recording();
    let (code, load_) = load(&["--scenario", "refused", "--scale", "0.02"], &server);
    assert_eq!((code, &load_["sessions"]), (1, &Value::from(0)));
}

#[test]
fn slow_and_idle_do_as_they_say() {
    let server = Server::recording();
    let (code, _) = load(&["--scenario", "slow", "--scale", "0.02"], &server);
    assert_eq!((code, server.messages().len()), (0, 10));
    assert!(server.messages().iter().all(|message| message.body.len() == 400));

    let server = Server::recording();
    let (code, load) = load(&["--scenario", "idle", "--scale", "0.01"], &server);
    assert_eq!((code, server.sessions().len()), (0, 20));
    assert!(load["seconds"].as_f64().expect("seconds") > 9.0);
}

#[test]
fn hold_opens_all_before_any_speaks() {
    let server = Server::recording();
    let (code, load) = load(&["--hold", "-s", "50", "-m", "50"], &server);
    assert_eq!((code, server.peak()), (0, 50));
    assert_eq!(load["peak_open"], 50);
}

#[test]
fn usage_errors_are_code_2_and_say_what_to_do() {
    for (args, words) in [
        (&["-m", "0"][..], "-c"),
        (&["-s", "0"], "at least one"),
        (&["--scenario", "chrun"], "did you mean `churn`?"),
        (&["-l", "many"], "MIN-MAX"),
        (&["-t", ""], "recipient"),
        (&["-f", "a>b"], "address"),
        (&["-F", "/nowhere/at/all"], "/nowhere/at/all"),
    ] {
        let output = run(args, "127.0.0.1:1");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
    let output = run(&[], "192.0.2.7:25");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-remote"));
}

#[test]
fn told_to_end_it_says_what_was_done() {
    for signal in [nix::sys::signal::SIGTERM, nix::sys::signal::SIGINT] {
        let server = Server::recording();
        let child = Command::new(env!("CARGO_BIN_EXE_profile-run"))
            .args(["load", "--json", "--rate", "20/s", "--duration", "60s", &server.target()])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("profile-run runs");
        while server.sessions().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).expect("it runs");
        let output = child.wait_with_output().expect("it ends");
        let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
        let line: Value = serde_json::from_str(&last).expect("JSON");
        assert_eq!(output.status.code(), Some(130), "{signal}: {last}");
        assert!(line["result"]["load"][0]["messages_accepted"].as_u64() > Some(0), "{signal}: {last}");
    }
}
