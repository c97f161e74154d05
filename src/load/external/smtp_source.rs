//! Postfix's smtp-source: which arguments a scenario comes to, what it cannot do, and what its output tells. Pure.

use crate::load::address::{Address, Family};
use crate::load::error::{LoadError, PlanError};
use crate::load::job::Job;
use crate::model::plan::scenario::{Delay, Depth, Ending, Expect, Greeting, Length, Payload, PerConnection, TlsMode};

/// What is true of every load that smtp-source makes, to be said wherever its figures are shown.
pub const LIMITS: &str = "smtp-source resets each connection at its end, tells no latency, ends at the first refusal, \
                          and does not tell what became of the sessions in flight then";

/// The arguments of `job`, target last. `-c` is smtp-source's own running counter, from which its work is known.
///
/// # Errors
/// What smtp-source cannot do, by name.
pub fn arguments(job: &Job) -> Result<Vec<String>, LoadError> {
    let (scenario, options) = (&job.scenario, &job.options);
    let tls = scenario.tls.unwrap_or(options.tls);
    let kept = scenario.per_connection != PerConnection::AtMost(1);
    for (asked, what) in [
        (scenario.until != Depth::Data, "ends no session before DATA (its -m 0 is an error)"),
        (!matches!(scenario.ending, Ending::Quit), "leaves no session but by QUIT"),
        (scenario.expect != Expect::Accepted, "ends at the first refusal"),
        (
            matches!(scenario.per_connection, PerConnection::AtMost(n) if n > 1),
            "keeps a connection for all messages or for one",
        ),
        (tls != TlsMode::None, "has no TLS"),
        (options.auth.is_some(), "has no AUTH"),
        (scenario.pipelining || scenario.greeting == Greeting::Ehlo, "has no PIPELINING and says HELO"),
        (scenario.slow.is_some() || !scenario.stay.is_zero(), "has no slow and no idle clients"),
        (!scenario.recipient_delay.is_none(), "has no wait between recipients"),
        (options.rate.is_some(), "has no rate: it is a closed loop"),
        (options.hold, "does not hold its connections"),
        (matches!(scenario.payload, Payload::Folder(_)), "sends one file alone"),
        (
            matches!(scenario.payload, Payload::Generated(Length::Uniform { .. } | Length::LogNormal { .. })),
            "sends one length alone",
        ),
    ] {
        if asked {
            return Err(PlanError::SmtpSource { lacks: what, scenario: scenario.name.clone() }.into());
        }
    }
    let mut arguments: Vec<String> = Vec::new();
    let mut with = |flag: &str, value: &dyn ToString| arguments.extend([flag.to_owned(), value.to_string()]);
    with("-s", &scenario.sessions.min(job.count).max(1));
    with("-m", &job.count);
    with("-f", scenario.from.as_ref().unwrap_or(&options.from));
    with("-t", scenario.to.as_ref().unwrap_or(&options.to));
    with("-M", &options.helo);
    with("-C", &options.connect_tries.max(1));
    match &scenario.payload {
        Payload::Generated(Length::Fixed(length)) => with("-l", length),
        Payload::File(path) => with("-F", &path.display()),
        _ => {}
    }
    if scenario.recipients > 1 {
        with("-r", &scenario.recipients);
    }
    if let Some(subject) = &options.subject {
        with("-S", subject);
    }
    let Delay { time, random } = scenario.message_delay;
    if !time.is_zero() {
        if time.subsec_nanos() > 0 {
            return Err(PlanError::WholeSeconds.into());
        }
        with(if random { "-R" } else { "-w" }, &time.as_secs());
    }
    for (set, flag) in [
        (true, "-c"),
        (kept, "-d"),
        (options.lmtp, "-L"),
        (options.bare, "-o"),
        (options.numbered && scenario.recipients == 1, "-N"),
        (options.family == Some(Family::V4), "-4"),
        (options.family == Some(Family::V6), "-6"),
    ] {
        if set {
            arguments.push(flag.to_owned());
        }
    }
    arguments.push(match &job.target {
        Address::Tcp { .. } => format!("inet:{}", job.target),
        Address::Unix(_) => job.target.to_string(),
    });
    Ok(arguments)
}

/// The newest number of the running counter in `output` (numbers, each followed by CR).
pub fn counted(output: &[u8]) -> Option<u64> {
    let end = output.iter().rposition(|b| *b == b'\r')?;
    let begin = output[..end].iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |at| at + 1);
    std::str::from_utf8(&output[begin..end]).ok()?.parse().ok()
}

/// Why smtp-source ended early, out of what it wrote on its standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A refusal: `rcpt_550`.
    Refused(String),
    /// Anything else: `closed_mail`, `timeout_banner`, `connect_refused`, `smtp_source_failed`.
    Failed(String),
}

/// Reads the fatal line of `stderr`.
pub fn ended(stderr: &str) -> Ended {
    let fatal = stderr.lines().rev().find_map(|line| line.split_once("fatal: ")).map_or("", |(_, text)| text);
    if let Some((what, reply)) = fatal.split_once("rejected") {
        let code: String = reply.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        let step = step_of(what).or_else(|| step_of(reply)).unwrap_or("smtp_source");
        return Ended::Refused(format!("{step}_{code}"));
    }
    let kind = if let Some(reason) = fatal.strip_prefix("connect") {
        if reason.contains("Connection refused") { "connect_refused" } else { "connect_failed" }.to_owned()
    } else if let Some((trouble, what)) = fatal.split_once(" while ") {
        let kind = if trouble.contains("timeout") { "timeout" } else { "closed" };
        format!("{kind}_{}", step_of(what).unwrap_or("smtp_source"))
    } else {
        "smtp_source_failed".to_owned()
    };
    Ended::Failed(kind)
}

/// The step that a phrase of smtp-source's speaks of.
fn step_of(phrase: &str) -> Option<&'static str> {
    let steps = [
        ("greeting", "banner"),
        ("banner", "banner"),
        ("HELO", "helo"),
        ("LHLO", "helo"),
        ("sender", "mail"),
        ("recipient", "rcpt"),
        ("end of data", "message"),
        ("message", "message"),
        ("DATA", "data"),
        ("rset", "rset"),
        ("RSET", "rset"),
        ("QUIT", "quit"),
    ];
    steps.iter().find(|(word, _)| phrase.contains(word)).map(|(_, step)| *step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::SessionOptions;
    use crate::model::plan::scenario::{Scenario, built_in};
    use std::time::Duration;

    fn job(scenario: Scenario) -> Job {
        Job {
            count: scenario.total,
            scenario,
            target: Address::parse("localhost:2525").expect("an address"),
            stall_timeout: Duration::from_secs(1),
            seed: 1,
            options: SessionOptions::default(),
        }
    }

    #[test]
    fn the_recipe_as_it_is_typed() {
        let line = arguments(&job(built_in("churn").expect("churn"))).expect("it can").join(" ");
        assert_eq!(
            line,
            "-s 5000 -m 5000 -f test@localhost -t test@localhost -M localhost -C 1 -l 200 -c inet:localhost:2525"
        );
    }

    #[test]
    fn what_it_cannot_do_is_said() {
        for (name, words) in [
            ("handshake", "-m 0"),
            ("abrupt", "QUIT"),
            ("refused", "before DATA"),
            ("slow", "slow"),
            ("idle", "before DATA"),
            ("pipelined", "one"),
            ("tls", "TLS"),
        ] {
            let text = arguments(&job(built_in(name).expect(name))).expect_err(name).to_string();
            assert!(text.contains(words) && text.contains("--engine builtin"), "{name}: {text}");
        }
    }

    #[test]
    fn the_counter() {
        for (output, count) in [
            (&b""[..], None),
            (b"1\r2\r", Some(2)),
            (b"9\r10\r1", Some(10)),
            (b"x\r", None),
            (b"99\r100\r\n", Some(100)),
        ] {
            assert_eq!(counted(output), count, "{:?}", String::from_utf8_lossy(output));
        }
    }

    #[test]
    fn its_last_words() {
        let refused = |kind: &str| Ended::Refused(kind.into());
        let failed = |kind: &str| Ended::Failed(kind.into());
        for (stderr, ended) in [
            ("smtp-source: fatal: recipient rejected: 550 no such user", refused("rcpt_550")),
            ("smtp-source: fatal: sender rejected: 451 later", refused("mail_451")),
            ("smtp-source: fatal: rejected at server banner: 554 no", refused("banner_554")),
            ("smtp-source: fatal: end of data rejected: 552 big", refused("message_552")),
            ("smtp-source: fatal: DATA rejected: 451 x", refused("data_451")),
            ("smtp-source: fatal: lost connection while sending DATA command", failed("closed_data")),
            ("smtp-source: fatal: timeout while reading server greeting", failed("timeout_banner")),
            ("smtp-source: warning: x\nsmtp-source: fatal: connect: Connection refused\n", failed("connect_refused")),
            ("Segmentation fault", failed("smtp_source_failed")),
        ] {
            assert_eq!(super::ended(stderr), ended, "{stderr}");
        }
    }
}
