//! A recorded conversation played line by line, as a server that writes everything down has seen it.

use std::process::Command;

use crate::support::smtp::{Act, End, Server};
use serde_json::Value;

/// Plays `text`; the exit code, the row, and what went to standard error.
fn play(text: &str, args: &[&str], server: &Server) -> (Option<i32>, Value, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("reproduce.smtp");
    std::fs::write(&file, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["load", "--json", "--script"])
        .arg(&file)
        .args(args)
        .arg(server.target())
        .output()
        .expect("profile-run runs");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    let last: Value = out.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).expect("JSON"));
    (output.status.code(), last["result"]["load"][0].clone(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const WHOLE: &str =
    "# a comment\nEHLO a.example\nMAIL FROM:<a@b>\n\nRCPT TO:<c@d>\nDATA\nSubject: x\n\n# text\n.\nQUIT\n";

#[test]
fn the_clients_own_lines_arrive_as_they_stand() {
    let server = Server::recording();
    let (code, row, _) = play(WHOLE, &["-m", "20", "-s", "4"], &server);
    assert_eq!((code, &row["sessions"], &row["messages_accepted"]), (Some(0), &20.into(), &20.into()));
    let sessions = server.sessions();
    assert_eq!(sessions.len(), 20);
    for session in &sessions {
        assert_eq!(session.verbs(), ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]);
        assert_eq!((session.end, session.commands[0].as_str()), (End::Quit, "EHLO a.example"));
        assert_eq!(session.messages[0].headers, ["Subject: x"]);
    }
}

#[test]
fn a_refusal_is_counted_and_the_conversation_goes_on() {
    let server = Server::hostile("DATA", Act::say("554 no\r\n"));
    let (code, row, _) = play(WHOLE, &["-m", "3"], &server);
    assert_eq!((code, &row["errors"]), (Some(0), &serde_json::json!({"data_554": 3})));
    // The message was left out: its lines would have been taken for commands.
    assert!(server.sessions().iter().all(|s| s.verbs() == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]));
}

#[test]
fn it_may_go_without_a_word() {
    let server = Server::recording();
    let (code, row, _) = play("EHLO a\nMAIL FROM:<>\n#! wait 20ms\n#! close\n", &["-m", "5"], &server);
    assert_eq!((code, &row["sessions"]), (Some(0), &5.into()));
    assert!(server.sessions().iter().all(|s| s.verbs() == ["EHLO", "MAIL"] && s.end != End::Quit));
    let server = Server::recording();
    let (code, row, _) = play("EHLO a\nMAIL FROM:<>\nRCPT TO:<a@b>\nDATA\nhalf\n#! reset\n", &["-m", "5"], &server);
    assert_eq!((code, &row["sessions"], &row["messages_sent"]), (Some(0), &5.into(), &0.into()));
    assert!(server.messages().is_empty());
}

#[test]
fn slips_are_told_by_line_and_silence_is_a_stall() {
    let server = Server::recording();
    let (code, _, text) = play("EHLO a\n#! sleep 2s\n", &[], &server);
    assert_eq!(code, Some(2));
    assert!(text.contains("line 2 of the script") && text.contains("#! wait TIME"), "{text}");
    assert!(server.sessions().is_empty());
    let mute = Server::hostile("MAIL", Act::Mute);
    let (code, row, _) = play(WHOLE, &["--stall-timeout", "500ms"], &mute);
    assert_eq!((code, &row["errors"]), (Some(3), &serde_json::json!({"timeout_mail": 1})));
}

#[test]
fn what_the_server_says_moves_no_terminal() {
    let server = Server::hostile("EHLO", Act::say("250 \u{1b}]52;c;cm0=\u{7}\u{202e}\r\n"));
    let (_, _, text) = play(WHOLE, &["-v"], &server);
    assert!(text.contains("S: 250 \\x1b]52;c;cm0=\\x07\\u{202e}"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
}
