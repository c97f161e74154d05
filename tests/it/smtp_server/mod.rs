//! The embedded PHP server does what its README says: the protocol, the log, and each planted fault. A tool that is
//! tested against it is only as good as this.

mod server;

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use server::{Client, Server, deliver, php};

const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;

/// The loop's own variable may hold the session that was served last until the next one comes.
const LAST_SESSION: u64 = 512;

#[test]
fn each_command_gets_the_code_that_the_standard_asks_for() {
    let server = Server::start("", &["-vvv"]);
    let mut client = Client::connect(&server);
    let conversation = [
        ("MAIL FROM:<test@localhost>", 503),
        ("EHLO", 501),
        ("HELO client", 250),
        ("RCPT TO:<test@localhost>", 503),
        ("DATA", 503),
        ("MAIL", 501),
        ("MAIL FROM:nobody", 501),
        ("MAIL FROM:<no-at-sign>", 501),
        ("MAIL FROM:<a@b> COLOUR=red", 555),
        ("mail from:<> BODY=8BITMIME SIZE=10", 250),
        ("MAIL FROM:<a@b>", 503),
        ("DATA", 554),
        ("RCPT TO:<>", 501),
        ("RCPT TO:<nobody@example.org>", 550),
        ("RCPT TO:<Test@LOCALHOST>", 250),
        ("RSET", 250),
        ("DATA", 503),
        ("NOOP", 250),
        ("NOOP with words", 250),
        ("VRFY test@localhost", 252),
        ("VRFY", 501),
        ("HELP", 214),
        ("STARTTLS", 502),
        ("AUTH PLAIN", 502),
        ("NONSENSE", 500),
        ("", 500),
    ];
    for (line, code) in conversation {
        assert_eq!(client.ask(line), code, "reply to {line:?}");
    }
    client.quit();
    let log = server.log();
    assert!(log.contains(" info refused session=1 code=550 recipient=<nobody@example.org>\n"), "{log}");
    assert!(log.contains(" trace session=1 > VRFY test@localhost\n"), "{log}");
    assert!(log.contains(" debug closed session=1 reason=quit messages=0\n"), "{log}");
}

#[test]
fn ehlo_lists_the_extensions() {
    let server = Server::start("", &["--size", "5000"]);
    let mut client = Client::connect(&server);
    client.send("EHLO client\r\n");
    let reply = client.reply();
    for extension in ["PIPELINING", "SIZE 5000", "8BITMIME"] {
        assert!(reply.lines().any(|line| &line[4..] == extension), "{extension} in {reply}");
    }
}

#[test]
fn a_pipelined_conversation_is_answered_in_order_however_it_is_cut() {
    let server = Server::start("", &["-v"]);
    let conversation = "EHLO client\r\nMAIL FROM:<a@b>\r\nRCPT TO:<test@localhost>\r\nRCPT TO:<x@y>\r\nDATA\r\n\
                        first\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<test@localhost>\r\nDATA\r\n.\r\nNOOP\r\nQUIT\r\n";
    for size in [conversation.len(), 1, 7] {
        let mut client = Client::connect(&server);
        for piece in conversation.as_bytes().chunks(size) {
            client.send(piece);
        }
        let codes: Vec<u16> = (0..11).map(|_| client.code()).collect();
        assert_eq!(codes, [250, 250, 250, 550, 354, 250, 250, 250, 354, 250, 250], "pieces of {size}");
        assert_eq!(client.code(), 221);
        assert!(client.closed());
    }
    assert_eq!(server.accepted(), [7, 0, 7, 0, 7, 0]);
}

#[test]
fn dots_are_unstuffed_and_only_a_line_of_its_own_ends_a_mail() {
    let spool = tempfile::tempdir().expect("a folder");
    let server = Server::start("", &["-v", "--spool", spool.path().to_str().expect("a plain path")]);
    let sent = "..leading\r\n...two\r\nin . the . middle\r\n\n.\nbare\r\n.. \r\nlast\r\n";
    let stored = ".leading\r\n..two\r\nin . the . middle\r\n\n.\nbare\r\n. \r\nlast\r\n";
    let wire = format!("{sent}.\r\n");
    for cut in 0..=wire.len() {
        let mut client = Client::connect(&server);
        assert_eq!(client.ask("EHLO client"), 250);
        assert_eq!(client.ask("MAIL FROM:<a@b>"), 250);
        assert_eq!(client.ask("RCPT TO:<test@localhost>"), 250);
        assert_eq!(client.ask("DATA"), 354);
        client.send(&wire[..cut]);
        std::thread::sleep(Duration::from_millis(2));
        client.send(&wire[cut..]);
        assert_eq!(client.code(), 250);
        client.quit();
    }
    let files: Vec<_> = std::fs::read_dir(spool.path()).expect("a spool").map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), wire.len() + 1);
    for file in files {
        assert_eq!(std::fs::read_to_string(file).expect("a mail"), stored);
    }
    assert_eq!(server.accepted(), vec![stored.len(); wire.len() + 1]);
}

#[test]
fn a_mail_above_the_limit_is_refused_and_the_session_goes_on() {
    let server = Server::start("", &["-v", "--size", "1000"]);
    let mut client = Client::connect(&server);
    assert_eq!(client.ask("EHLO client"), 250);
    assert_eq!(client.ask("MAIL FROM:<a@b> SIZE=1001"), 552);
    for (length, code) in [(998, 250), (999, 552), (300_000, 552), (998, 250)] {
        client.mail(&format!("{}\r\n", "x".repeat(length)));
        assert_eq!(client.code(), code, "a line of {length}");
    }
    client.quit();
    assert_eq!(server.accepted(), [1000, 1000]);
}

#[test]
fn a_large_mail_arrives_whole_and_leaves_nothing() {
    let server = Server::start("", &["-v"]);
    let line = format!("{}\r\n", "x".repeat(998));
    let mail = line.repeat(5000);
    let mut heaps = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(&server);
        assert_eq!(client.ask("EHLO client"), 250);
        client.mail(&mail);
        assert_eq!(client.code(), 250);
        client.quit();
        heaps.push(server.heap());
    }
    assert_eq!(server.accepted(), [5_000_000; 3]);
    assert!(heaps[1].abs_diff(heaps[2]) <= LAST_SESSION, "{heaps:?}");
}

#[test]
fn the_log_has_one_accepted_line_a_message() {
    let server = Server::start("", &["-v"]);
    deliver(&server, 300, 7);
    let bytes = "Subject: one of many\r\n\r\nbody\r\n".len();
    assert_eq!(server.accepted(), vec![bytes; 300]);
}

#[test]
fn a_silent_client_is_sent_away_and_an_endless_line_too() {
    let server = Server::start("", &["-vv", "--timeout", "1"]);
    let mut endless = Client::connect(&server);
    endless.send("x".repeat(5000));
    assert_eq!(endless.code(), 500);
    let mut silent = Client::connect(&server);
    assert_eq!(silent.code(), 421);
    assert!(silent.closed());
    assert!(server.log().contains("reason=idle"));
}

#[test]
fn without_a_fault_the_heap_stands_still() {
    let server = Server::start("", &["-v"]);
    deliver(&server, 200, 1);
    deliver(&server, 200, 20);
    let settled = server.heap();
    for _ in 0..3 {
        deliver(&server, 200, 1);
        deliver(&server, 200, 20);
        let heap = server.heap();
        assert!(heap.abs_diff(settled) <= LAST_SESSION, "{heap}, settled at {settled}");
    }
    assert_eq!(server.accepted().len(), 1600);
}

#[test]
fn each_leak_of_memory_keeps_about_a_kilobyte() {
    // What a block of 1,024 bytes costs beside the block: a slot, an object, a closure, a growing hash.
    let cases = [
        ("session", 800, 1300),
        ("message", 1000, 1300),
        ("message:1:16", 48, 100),
        ("message:10", 100, 130),
        ("string", 980, 1300),
        ("static", 1000, 1300),
        ("fnstatic", 1000, 1300),
        ("closure", 1300, 2200),
        ("linked", 1000, 1300),
        ("storage", 1000, 1400),
        ("queue", 1000, 1300),
    ];
    for (fault, least, most) in cases {
        let server = Server::start(fault, &[]);
        // From 140 to 250 elements no array doubles.
        deliver(&server, 140, 1);
        let before = server.heap();
        deliver(&server, 110, 1);
        let each = (server.heap() - before) / 110;
        assert!((least..=most).contains(&each), "{fault}: {each} bytes");
    }
}

#[test]
fn what_only_looks_like_a_leak_stays_bounded() {
    for fault in ["cache:40", "warm:40", "highwater:16", "none"] {
        let server = Server::start(fault, &[]);
        deliver(&server, 150, 1);
        let before = server.heap();
        deliver(&server, 150, 1);
        let after = server.heap();
        assert!(after.abs_diff(before) <= LAST_SESSION, "{fault}: {before} to {after}");
    }
}

#[test]
fn the_list_that_is_searched_is_small() {
    let server = Server::start("search", &[]);
    deliver(&server, 150, 1);
    let before = server.heap();
    deliver(&server, 600, 1);
    let grown = server.heap() - before;
    // 750 numbers of 16 bytes in an array that doubles.
    assert!((600 * 16..1024 * 16 + LAST_SESSION).contains(&grown), "{grown}");
}

#[test]
fn a_leak_on_one_path_shows_on_that_path_only() {
    let visit = |server: &Server, refuse: bool, vanish: bool| {
        let mut client = Client::connect(server);
        assert_eq!(client.ask("EHLO client"), 250);
        assert_eq!(client.ask("MAIL FROM:<>"), 250);
        if refuse {
            assert_eq!(client.ask("RCPT TO:<nobody@example.org>"), 550);
        }
        if !vanish {
            client.quit();
        }
    };
    for fault in ["refused", "abrupt"] {
        let server = Server::start(fault, &["-vv"]);
        let mut opened = 0;
        let mut heap_after = |refuse: bool, vanish: bool| {
            for _ in 0..100 {
                visit(&server, refuse, vanish);
            }
            opened += 100;
            server.wait_for("all to be closed", |server| {
                (server.log().matches(" closed session=").count() == opened).then_some(())
            });
            server.heap()
        };
        heap_after(true, true);
        let before = heap_after(true, true);
        let other_path = heap_after(fault != "refused", fault != "abrupt");
        let its_path = heap_after(fault == "refused", fault == "abrupt");
        assert!(before.abs_diff(other_path) < 10_000, "{fault}: {before} to {other_path} on the other path");
        assert!(its_path > other_path + 100_000, "{fault}: {other_path} to {its_path} on its path");
    }
}

#[test]
fn descriptors_leak_in_the_state_that_is_said() {
    for (fault, state) in [("socket", CLOSE_WAIT), ("open", CLOSE_WAIT), ("established", ESTABLISHED)] {
        let server = Server::start(fault, &["-vv"]);
        for _ in 0..30 {
            let mut client = Client::connect(&server);
            assert_eq!(client.ask("QUIT"), 221);
        }
        let count = |server: &Server| server.socket_states().iter().filter(|other| **other == state).count();
        server.wait_for("thirty sockets", |server| (count(server) == 30).then_some(()));
    }
    let server = Server::start("file:3", &[]);
    deliver(&server, 90, 10);
    let count =
        |is: &dyn Fn(&str) -> bool| server.descriptors().iter().filter(|link| is(&link.to_string_lossy())).count();
    assert_eq!(count(&|link| link.contains("smtp-spool-")), 30);
    // The one that listens alone: no connection is kept.
    server.wait_for("no connection", |_| (count(&|link| link.starts_with("socket:")) == 1).then_some(()));
}

#[test]
fn the_faults_that_stop_the_server_strike_after_n_messages() {
    let strike = |fault: &str| {
        let server = Server::start(fault, &["-v"]);
        deliver(&server, 5, 2);
        let mut client = Client::connect(&server);
        assert_eq!(client.ask("EHLO client"), 250);
        client.mail("the sixth\r\n");
        (server, client)
    };
    let (mut crashed, _client) = strike("crash:5");
    assert_eq!(crashed.wait_for_end().signal(), Some(libc::SIGSEGV));
    let (mut exhausted, _client) = strike("oom:5");
    assert_eq!(exhausted.wait_for_end().code(), Some(255));
    assert!(exhausted.log().contains("Allowed memory size of 134217728 bytes exhausted"));
    for (fault, spins) in [("hang:5", false), ("spin:5", true)] {
        let (server, mut client) = strike(fault);
        let before = server.cpu_ticks();
        assert!(client.hears_nothing_for(Duration::from_millis(600)), "{fault}");
        assert_eq!(server.cpu_ticks() - before >= 5, spins, "{fault}");
        assert_eq!(server.accepted().len(), 5, "{fault}");
    }
}

#[test]
fn time_alone_makes_the_timer_leak_and_frees_what_comes_late() {
    let keeps = Server::start("timer:1:50000", &[]);
    let frees = Server::start("late:1:50000", &[]);
    deliver(&frees, 40, 1);
    let loaded = frees.heap();
    frees.wait_for("the timer that frees", |server| (server.heap() + 900_000 < loaded).then_some(()));
    let before = keeps.heap();
    keeps.wait_for("the timer that keeps", |server| (server.heap() > before + 400_000).then_some(()));
}

#[test]
fn a_worker_is_replaced_after_n_messages_and_ends_with_its_master() {
    let mut server = Server::start("restart:10", &["-v"]);
    deliver(&server, 35, 1);
    let log = server.log();
    let workers: std::collections::BTreeSet<&str> = log
        .lines()
        .filter_map(|line| line.split_once("accepted id=")?.1.split_once('-').map(|(worker, _)| worker))
        .collect();
    assert_eq!((server.accepted().len(), workers.len()), (35, 4), "{log}");
    let last = log.rsplit_once("worker pid=").expect("a worker").1.split_once(' ').expect("a pid").0.to_owned();
    server.signal(libc::SIGTERM);
    assert_eq!(server.wait_for_end().signal(), Some(libc::SIGTERM));
    let stat = format!("/proc/{last}/cmdline");
    server.wait_for("the worker's end", |_| {
        std::fs::read_to_string(&stat).map_or(true, |command| !command.contains("smtp:serve")).then_some(())
    });
}

#[test]
fn help_names_every_fault_and_a_wrong_one_is_refused() {
    let help = php(&[]).arg("--help").output().expect("php runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let required = "session message string static closure socket open file refused timer cycle cache spin slow crash \
                    hang oom linked storage queue fnstatic ffi log late abrupt large highwater restart noise warm \
                    search ehlo starttls auth second deferred pipelined reused rset noop cyclic";
    let listed: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once("  N: "))
        .map(|(name, _)| name.trim())
        .collect();
    for name in required.split_whitespace() {
        assert!(listed.contains(&name), "{name} in the help:\n{help}");
    }
    for (fault, said) in [
        ("sesion", "did you mean \"session\"?"),
        ("message:0", "no number from 1"),
        ("message:1:2:3", "too many parts"),
        ("spin:1:2", "takes N"),
    ] {
        let refused = php(&[]).args(["smtp:serve", "--port", "0"]).env("SMTP_FAULT", fault).output().expect("php runs");
        let error = String::from_utf8(refused.stderr).expect("text");
        assert_eq!(refused.status.code(), Some(2), "{fault}");
        assert!(error.contains(said), "{fault}: {error}");
    }
}

#[test]
fn a_port_in_use_ends_it_with_an_error() {
    let server = Server::start("", &[]);
    let port = server.address().port().to_string();
    let second = php(&[]).args(["smtp:serve", "--port", &port]).output().expect("php runs");
    let error = String::from_utf8(second.stderr).expect("text");
    assert_eq!(second.status.code(), Some(1));
    assert!(error.contains("Address already in use") && error.contains("--port"), "{error}");
}
