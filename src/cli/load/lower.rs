//! From what was typed to the jobs that are meant.

use std::time::Duration;

use anyhow::{Context, bail};

use super::super::config::Config;
use super::args::Args;
use crate::load::{Auth, Family, Job, Rate, Recording, SessionOptions, Tool};
use crate::model::plan::scenario::{Delay, Depth, Greeting, Length, Payload, PerConnection, Scenario};
use crate::model::plan::{Engine, Mail};

/// Bodies above this are counted as long (the default of --bodies-at-once applies).
const LONG: u64 = 64 * 1024;

/// The jobs that the arguments mean, in their order.
pub fn jobs(args: &Args, tool: Option<&Tool>) -> anyhow::Result<Vec<Job>> {
    let scenarios = match (&args.scenario, &args.script) {
        (Some(names), _) => chosen(args, names)?,
        (None, Some(_)) => vec![Scenario::plain("script", args.sessions.max(1), args.messages.unwrap_or(1).max(1))],
        (None, None) => vec![typed(args)?],
    };
    let options = options(args)?;
    let meant = |scenario: Scenario| tool.map_or(scenario.clone(), |tool| tool.scenario(&scenario));
    let jobs = scenarios.into_iter().map(meant).map(|scenario| Job {
        count: if args.duration.is_some() && args.messages.is_none() && args.scenario.is_none() {
            u64::MAX
        } else {
            scenario.total
        },
        scenario,
        target: args.target.clone(),
        stall_timeout: args.stall_timeout,
        seed: args.seed,
        options: options.clone(),
    });
    Ok(jobs.collect())
}

/// The program that makes the load, where it is not this one.
pub fn tool(args: &Args) -> anyhow::Result<Option<Tool>> {
    if args.load_command.is_some() && args.engine != Engine::Command {
        bail!("--load-command is what --engine command runs: add that");
    }
    if let Some(path) = &args.script {
        let text = std::fs::read(path).with_context(|| format!("--script {}", path.display()))?;
        let recording = Recording::parse(&text).with_context(|| format!("--script {}", path.display()))?;
        return Ok(Some(Tool::Script(recording)));
    }
    Ok(Tool::of(args.engine, args.load_command.as_deref()))
}

/// Scenarios by name.
fn chosen(args: &Args, names: &[String]) -> anyhow::Result<Vec<Scenario>> {
    let catalog = Config::load(args.config.as_deref())?.catalog;
    Ok(catalog.choose(names)?.into_iter().map(|scenario| scenario.scaled(args.scale)).collect())
}

/// The scenario that -s, -m, -l and their like describe.
fn typed(args: &Args) -> anyhow::Result<Scenario> {
    if args.sessions == 0 {
        bail!("-s 0: at least one session");
    }
    if args.recipients == 0 {
        bail!("-r 0: at least one recipient; without any use -c -m 0");
    }
    if args.keep_open == Some(0) {
        bail!("--keep-open=0: at least one message a connection");
    }
    let messages = args.messages.unwrap_or(if args.no_data { 0 } else { 1 });
    if messages == 0 && !args.no_data {
        bail!("-m 0 sends nothing: for sessions without a message add -c");
    }
    if args.no_data && args.keep_open.is_some() {
        bail!("-c sends no messages, so --keep-open has none to send over the same connection");
    }
    let (until, total) = match (args.no_data, messages) {
        (true, 0) => (Depth::Helo, args.sessions),
        (true, n) => (Depth::Rcpt, n),
        (false, n) => (Depth::Data, n),
    };
    let payload = match (&args.file, &args.length) {
        (Some(path), _) if path.is_dir() => Payload::Folder(path.clone()),
        (Some(path), _) => Payload::File(path.clone()),
        (None, Some(length)) => Payload::Generated(self::length(length)?),
        (None, None) => Payload::Short,
    };
    let delay = |time: Option<Duration>| Delay { time: time.unwrap_or_default(), random: args.random_delay };
    Ok(Scenario {
        about: String::new(),
        until,
        bodies_at_once: (is_long(&payload) && args.bodies_at_once > 0).then_some(args.bodies_at_once),
        payload,
        recipients: args.recipients,
        per_connection: match args.keep_open {
            None => PerConnection::AtMost(1),
            Some(u32::MAX) => PerConnection::Unlimited,
            Some(n) => PerConnection::AtMost(n),
        },
        greeting: if args.ehlo { Greeting::Ehlo } else { Greeting::Auto },
        pipelining: args.pipelining,
        message_delay: delay(args.message_delay),
        recipient_delay: delay(args.recipient_delay),
        ..Scenario::plain("load", args.sessions, total)
    })
}

fn is_long(payload: &Payload) -> bool {
    match payload {
        Payload::Short => false,
        Payload::Generated(length) => length.longest() > LONG,
        Payload::File(path) => std::fs::metadata(path).is_ok_and(|meta| meta.len() > LONG),
        Payload::Folder(_) => true,
    }
}

/// `N`, `MIN-MAX`, `~MEDIAN-MAX`.
fn length(text: &str) -> anyhow::Result<Length> {
    let wrong = || format!("-l {text}: write a number of bytes, MIN-MAX, or ~MEDIAN-MAX");
    let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n <= 1 << 30);
    let length = match text.strip_prefix('~') {
        Some(rest) => rest.split_once('-').and_then(|(median, max)| {
            let (median, max) = (number(median)?, number(max)?);
            (1..=max).contains(&median).then_some(Length::LogNormal { median, sigma: 1.0, max })
        }),
        None => match text.split_once('-') {
            Some((min, max)) => {
                let range = number(min).zip(number(max)).filter(|(min, max)| min <= max);
                range.map(|(min, max)| Length::Uniform { min, max })
            }
            None => number(text).map(Length::Fixed),
        },
    };
    length.with_context(wrong)
}

fn options(args: &Args) -> anyhow::Result<SessionOptions> {
    let helo = args.helo.clone().unwrap_or_else(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        if name.trim().is_empty() { "localhost".into() } else { name.trim().to_owned() }
    });
    let mail = Mail {
        from: args.from.clone(),
        to: args.to.clone(),
        helo: Some(helo),
        auth: None,
        starttls: args.starttls,
        tls: args.tls,
    };
    Ok(SessionOptions {
        lmtp: args.lmtp,
        numbered: args.number_recipients,
        bare: args.old,
        subject: args.subject.clone(),
        auth: args.auth.clone().map(|auth| Auth { mechanism: args.auth_mechanism.map(Into::into), ..auth }),
        tls_ca: args.tls_ca.clone(),
        family: match (args.ipv4, args.ipv6) {
            (true, _) => Some(Family::V4),
            (_, true) => Some(Family::V6),
            _ => None,
        },
        connect_tries: args.connect_tries,
        hold: args.hold,
        handshakes: args.pace,
        window: args.window,
        gather: args.gather,
        rate: args.rate.map(|per_second| Rate { per_second, ramp: args.ramp.unwrap_or_default() }),
        duration: args.duration,
        transcribed: match args.verbose {
            0 => 0,
            1 => 1,
            _ => 10,
        },
        ..SessionOptions::of_mail(&mail, args.allow_remote)
    })
}
