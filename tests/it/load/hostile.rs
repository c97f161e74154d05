//! Servers that misbehave: every case is counted under its own kind, ends in time, and nothing panics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::smtp::{Act, Server};
use profile_run::load::{self, Address, Control, Job, LoadStats, SessionOptions, Step};
use profile_run::model::plan::scenario::{Greeting, PerConnection, Scenario};

/// Short, as the tests wait for it.
const STALL: Duration = Duration::from_secs(2);

fn job(server: &Server, sessions: u64, count: u64) -> Job {
    Job {
        scenario: Scenario::plain("test", sessions, count),
        target: Address::parse(&server.target()).expect("an address"),
        count,
        stall_timeout: STALL,
        seed: 1,
        options: SessionOptions::default(),
    }
}

/// Runs it; whatever happens, the sums must add up and the end must come in time.
fn run(job: &Job) -> LoadStats {
    let began = Instant::now();
    let tally = load::run(job, &Control::new()).expect("it starts");
    // A sweep a second, the time-out itself, and a machine that may be busy.
    assert!(began.elapsed() < STALL * 2 + Duration::from_secs(6), "{:?}", began.elapsed());
    assert!(tally.adds_up(), "{tally:?}");
    tally
}

fn errors(tally: &LoadStats) -> BTreeMap<&str, u64> {
    tally.errors.iter().map(|(kind, count)| (kind.as_str(), *count)).collect()
}

fn expect(tally: &LoadStats, wanted: &[(&str, u64)], what: &str) {
    assert_eq!(errors(tally), wanted.iter().copied().collect(), "{what}");
}

/// The moments of a session, with the names of their steps.
const MOMENTS: [(&str, &str); 7] = [
    ("BANNER", "banner"),
    ("HELO", "helo"),
    ("MAIL", "mail"),
    ("RCPT", "rcpt"),
    ("DATA", "data"),
    (".", "message"),
    ("QUIT", "quit"),
];

#[test]
fn closes_at_every_stage() {
    for (moment, step) in MOMENTS {
        let server = Server::hostile(moment, Act::Close);
        let tally = run(&job(&server, 4, 8));
        expect(&tally, &[(&format!("closed_{step}"), 8)], moment);
        assert_eq!(tally.sessions.failed, 8);
        // Lost after it was accepted is accepted all the same.
        let accepted = if moment == "QUIT" { 8 } else { 0 };
        assert_eq!((tally.messages_accepted, tally.asked.failed), (accepted, 8 - accepted), "{moment}");
    }
}

#[test]
fn resets_at_every_stage() {
    for (moment, step) in MOMENTS {
        let server = Server::hostile(moment, Act::Reset);
        let tally = run(&job(&server, 4, 8));
        expect(&tally, &[(&format!("reset_{step}"), 8)], moment);
    }
}

#[test]
fn refuses_at_every_stage_for_now_and_for_good() {
    for (moment, step) in MOMENTS {
        for code in [450, 554] {
            let server = Server::hostile(moment, Act::say(&format!("{code}-no\r\n{code} way\r\n")));
            let tally = run(&job(&server, 4, 8));
            expect(&tally, &[(&format!("{step}_{code}"), 8)], moment);
            assert_eq!(tally.sessions.refused, 8, "{moment}");
            let sent = if matches!(moment, "." | "QUIT") { 8 } else { 0 };
            assert_eq!(tally.messages_sent, sent, "{moment}");
            // Refused, and goodbye said all the same.
            assert!(server.sessions().iter().all(|s| s.verbs().last() == Some(&"QUIT")), "{moment}");
        }
    }
}

#[test]
fn says_421_and_closes_at_every_stage() {
    for (moment, step) in MOMENTS {
        let server = Server::hostile(moment, Act::SayAndClose(b"421 too busy\r\n".to_vec()));
        let tally = run(&job(&server, 4, 8));
        expect(&tally, &[(&format!("{step}_421"), 8)], moment);
        assert_eq!((tally.sessions.refused, tally.left_open), (8, 0), "{moment}");
    }
}

#[test]
fn mute_at_every_stage_is_a_stall() {
    let tallies: Vec<_> = MOMENTS
        .into_iter()
        .map(|(moment, step)| {
            std::thread::spawn(move || {
                let server = Server::hostile(moment, Act::Mute);
                (moment, step, run(&job(&server, 4, 8)))
            })
        })
        .collect();
    for thread in tallies {
        let (moment, step, tally) = thread.join().expect("no panic");
        expect(&tally, &[(&format!("timeout_{step}"), 4)], moment);
        let stall = tally.stalled.expect("stalled");
        assert_eq!((stall.stage.name(), stall.open_sessions), (step, 4), "{moment}");
        assert!(stall.last_reply_seconds_ago >= STALL.as_secs_f64(), "{moment}");
        if moment != "QUIT" {
            assert_eq!(tally.asked.not_started, 4, "{moment}");
        }
    }
}

#[test]
fn one_session_forgotten_among_many_times_out_alone() {
    let forget = |at: &str, number| match (at, number) {
        ("MAIL", 3) => Act::Mute,
        ("MAIL", _) => Act::Late(Duration::from_millis(20)),
        _ => Act::Normal,
    };
    let server = Server::acting(forget);
    let mut job = job(&server, 4, 600);
    job.options.step_timeout = Some(Duration::from_secs(1));
    let tally = run(&job);
    expect(&tally, &[("timeout_mail", 1)], "forgotten");
    assert_eq!((tally.messages_accepted, tally.stalled), (599, None));
}

#[test]
fn garbage_instead_of_replies() {
    for (moment, step) in MOMENTS {
        for garbage in [&b"\xff\x00\x01\r\n"[..], b"hello there\r\n", b"25\r\n", b"250-a\r\n550 b\r\n", b"999 no\r\n"] {
            let server = Server::hostile(moment, Act::Say(garbage.to_vec()));
            let tally = run(&job(&server, 2, 4));
            expect(&tally, &[(&format!("protocol_{step}"), 4)], moment);
        }
    }
}

#[test]
fn replies_of_the_wrong_kind() {
    for (moment, reply, kind) in [
        ("DATA", "250 sure\r\n", "protocol_data"),
        ("MAIL", "354 go ahead\r\n", "protocol_mail"),
        ("BANNER", "334 what\r\n", "protocol_banner"),
        (".", "354 more\r\n", "protocol_message"),
    ] {
        let server = Server::hostile(moment, Act::say(reply));
        expect(&run(&job(&server, 2, 4)), &[(kind, 4)], moment);
    }
}

#[test]
fn lines_of_a_megabyte() {
    for (moment, step) in MOMENTS {
        let mut line = b"250 ".to_vec();
        line.resize(1 << 20, b'x');
        line.extend_from_slice(b"\r\n");
        let server = Server::hostile(moment, Act::Say(line));
        expect(&run(&job(&server, 2, 4)), &[(&format!("overlong_reply_{step}"), 4)], moment);
    }
}

#[test]
fn byte_by_byte_and_cut_anywhere_is_as_good_as_whole() {
    let bytes = |text: &str| Act::Pieces(text.bytes().map(|b| vec![b]).collect());
    let cut = Act::Pieces(vec![b"250-a\r".to_vec(), b"\n25".to_vec(), b"0-b\r\n250".to_vec(), b" c\r\n".to_vec()]);
    for (moment, act) in [
        ("BANNER", bytes("220 slow\r\n")),
        ("MAIL", bytes("250-a\r\n250 b\r\n")),
        ("HELO", cut.clone()),
        ("RCPT", cut.clone()),
        (".", cut),
        ("QUIT", bytes("221 bye\r\n")),
    ] {
        let server = Server::hostile(moment, act);
        let tally = run(&job(&server, 2, 4));
        expect(&tally, &[], moment);
        assert!(tally.is_whole(), "{moment}");
    }
}

#[test]
fn answers_before_it_is_asked() {
    for (moment, step, reply) in [
        ("BANNER", "helo", "220 hello\r\n250 I know already\r\n"),
        ("HELO", "mail", "250 hi\r\n250 ok\r\n"),
        ("MAIL", "rcpt", "250 ok\r\n250 ok\r\n250 ok\r\n"),
        (".", "quit", "250 queued\r\n221 bye\r\n"),
    ] {
        let server = Server::hostile(moment, Act::say(reply));
        expect(&run(&job(&server, 2, 4)), &[(&format!("early_reply_{step}"), 4)], moment);
    }
}

#[test]
fn bytes_after_the_goodbye() {
    let server = Server::hostile("QUIT", Act::say("221 bye\r\n250 wait\r\n"));
    let tally = run(&job(&server, 2, 4));
    expect(&tally, &[("bytes_after_close", 4)], "in one packet");
    assert_eq!(tally.messages_accepted, 4);
    let server = Server::hostile("AFTER", Act::say("500 and another thing\r\n"));
    let tally = run(&job(&server, 2, 4));
    expect(&tally, &[("bytes_after_close", 4)], "later");
}

#[test]
fn a_server_that_does_not_close_is_closed_and_told_of() {
    let server = Server::hostile("AFTER", Act::Mute);
    let tally = run(&job(&server, 2, 4));
    expect(&tally, &[], "left open");
    assert_eq!((tally.left_open, tally.messages_accepted), (4, 4));
}

#[test]
fn refusals_in_kept_sessions_go_on_with_the_next_message() {
    let server = Server::hostile("RCPT", Act::say("450 later\r\n"));
    let mut job = job(&server, 2, 20);
    job.scenario.per_connection = PerConnection::Unlimited;
    let tally = run(&job);
    expect(&tally, &[("rcpt_450", 20)], "kept");
    assert_eq!((tally.asked.refused, tally.sessions.asked), (20, 2));
    // One of the two may have been given a single message.
    let verbs: Vec<String> = server.sessions().iter().map(|session| session.commands.join(" ")).collect();
    assert!(verbs.iter().any(|verbs| verbs.contains("RSET MAIL")), "{verbs:?}");
}

#[test]
fn one_of_several_recipients_refused_is_counted_and_the_message_goes() {
    let server = Server::acting(|at, _| if at == "RCPT" { Act::say("250 ok\r\n") } else { Act::Normal });
    let mut several = job(&server, 1, 3);
    several.scenario.recipients = 3;
    assert!(run(&several).is_whole());

    // Every second RCPT of a session.
    let counter = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::acting(move |at, _| {
        let odd = at == "RCPT" && counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2 == 1;
        if odd { Act::say("550 not him\r\n") } else { Act::Normal }
    });
    let mut several = job(&server, 1, 3);
    several.scenario.recipients = 2;
    let tally = run(&several);
    expect(&tally, &[("rcpt_550", 3)], "one of two");
    assert_eq!((tally.messages_accepted, tally.recipients_refused, tally.is_whole()), (3, 3, false));
}

#[test]
fn pipelined_refusals_keep_replies_and_commands_in_step() {
    for (moment, kinds) in
        [("MAIL", vec![("mail_550", 6)]), ("RCPT", vec![("rcpt_550", 12)]), ("DATA", vec![("data_550", 6)])]
    {
        let server = Server::hostile(moment, Act::say("550 no\r\n"));
        let mut job = job(&server, 1, 6);
        job.scenario.recipients = 2;
        job.scenario.pipelining = true;
        job.scenario.greeting = Greeting::Ehlo;
        job.scenario.per_connection = PerConnection::Unlimited;
        let tally = run(&job);
        expect(&tally, &kinds, moment);
        assert_eq!((tally.asked.refused, tally.sessions.asked), (6, 1), "{moment}");
    }
}

#[test]
fn nobody_listens() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let server = Server::recording();
    let mut job = job(&server, 3, 10);
    job.target = Address::parse(&format!("127.0.0.1:{port}")).expect("an address");
    let tally = run(&job);
    expect(&tally, &[("connect_refused", 10)], "refused");
    assert_eq!((tally.asked.failed, tally.sessions.failed), (10, 10));
}

#[test]
fn refusal_in_the_middle_of_a_long_body() {
    // Says no after 354 and does not read on.
    let server = Server::hostile("DATA", Act::SayAndClose(b"354 go\r\n552 too big\r\n".to_vec()));
    let tally = run(&job(&server, 1, 1));
    assert_eq!(tally.messages_accepted, 0);
    assert_eq!(tally.errors.values().sum::<u64>(), 1, "{:?}", tally.errors);
}

#[test]
fn told_to_stop_it_counts_what_is_left() {
    let server = Server::hostile("MAIL", Act::Mute);
    let job = job(&server, 3, 10);
    let control = std::sync::Arc::new(Control::new());
    let stopper = control.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stopper.stop();
    });
    let began = Instant::now();
    let tally = load::run(&job, &control).expect("it starts");
    thread.join().expect("no panic");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(tally.interrupted && tally.adds_up());
    expect(&tally, &[("interrupted_mail", 3)], "stopped");
    assert_eq!(tally.asked.not_started, 7);
}

#[test]
fn a_preflight_names_the_step_the_reply_and_the_option() {
    let times = load::PreflightTimes { step: Duration::from_secs(2), retry: Duration::ZERO };
    let options = SessionOptions::default();
    let preflight = |server: &Server| {
        let target = Address::parse(&server.target()).expect("an address");
        load::preflight(&target, &options, times, &Control::new())
    };
    let good = preflight(&Server::recording()).expect("a good server");
    assert_eq!(good.banner, "220 test ESMTP");
    assert_eq!(good.extensions, ["PIPELINING", "SIZE 100000000"]);
    assert_eq!(good.replies.last().map(|reply| (reply.step, reply.code)), Some((Step::Quit, 221)));

    for (moment, reply, words) in [
        ("RCPT", "550 no such user here\r\n", &["rcpt", "550 no such user here", "--to"][..]),
        ("MAIL", "553 not from you\r\n", &["mail", "553 not from you", "--from"]),
        ("RCPT", "450 greylisted\r\n", &["450 greylisted", "--to"]),
        ("MAIL", "530 log in first\r\n", &["530", "--auth"]),
    ] {
        let text = preflight(&Server::hostile(moment, Act::say(reply))).expect_err(moment).to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    // EHLO unknown: HELO it is.
    let old = preflight(&Server::hostile("EHLO", Act::say("502 what\r\n"))).expect("an old server");
    assert_eq!((old.conversations, old.extensions.len()), (2, 0));
    let text = preflight(&Server::hostile("BANNER", Act::say("go away\r\n"))).expect_err("garbage").to_string();
    assert!(text.contains("no SMTP reply") && text.contains("go away"), "{text}");
}

#[test]
fn a_banner_is_probed() {
    let server = Server::recording();
    assert_eq!(load::probe_banner(server.address, STALL).expect("a banner"), "220 test ESMTP");
    assert!(load::probe_banner(Server::hostile("BANNER", Act::Mute).address, Duration::from_millis(200)).is_err());
    assert!(load::probe_banner(Server::hostile("BANNER", Act::say("554 no\r\n")).address, STALL).is_err());
}
