//! What a job comes to for each worker: its part of the sessions and messages, and how they go. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use serde::Serialize;

use crate::load::error::{LoadError, PlanError};
use crate::load::job::{Job, Mechanism, SessionOptions};
use crate::load::payload::Bodies;
use crate::load::script::Script;
use crate::model::plan::scenario::{
    Delay, Depth, Ending, Expect, Length, Payload, PerConnection, Scenario, TlsMode, Unit,
};

/// The most bytes of files that go to each worker with its order.
const FILES: usize = 16 << 20;

/// So much longer than the stall time-out a step may take at least.
const SLACK: Duration = Duration::from_secs(5);

/// One worker's part of a wave. Numbers are exact: all parts together are what was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Order {
    /// The wave, so that a late report is known as such.
    pub wave: u64,
    /// Messages, or sessions where the scenario's unit says so.
    pub count: u64,
    /// Sessions at once.
    pub parallel: u64,
    /// Units of the parts before this one.
    pub first: u64,
    handshakes: u64,
    bodies_at_once: Option<u64>,
    /// The number of the first session's source address.
    sources: Option<u64>,
    seed: u64,
    #[serde(flatten)]
    talk: Talk,
}

/// What is the same for all workers.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Talk {
    ip: String,
    port: u16,
    host: String,
    allow_remote: bool,
    unit: Unit,
    until: Depth,
    ending: Ending,
    expect: Expect,
    /// Messages as they go over the wire, in Base64; none where they are generated.
    contents: Option<Vec<String>>,
    length: Option<Bytes>,
    with_headers: bool,
    recipients: u32,
    per_connection: Option<u32>,
    sender: String,
    to: String,
    helo: String,
    ehlo: bool,
    tls: TlsMode,
    auth: Option<Login>,
    pipelining: bool,
    /// Seconds, and whether they are the most that may come.
    message_delay: (f64, bool),
    recipient_delay: (f64, bool),
    stay: f64,
    /// Bytes a write, seconds between two.
    slow: Option<(u32, f64)>,
    subject: Option<String>,
    step_timeout: f64,
    stall_timeout: f64,
    duration: Option<f64>,
}

/// The length of generated messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Bytes {
    Range { min: u64, longest: u64 },
    Median { median: u64, sigma: f64, longest: u64 },
    Fixed { longest: u64 },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Login {
    user: String,
    password: String,
    mechanism: Option<&'static str>,
}

/// Whether the workers can do this.
///
/// # Errors
/// What they cannot do, by name.
pub fn check(scenario: &Scenario, options: &SessionOptions) -> Result<(), PlanError> {
    for (asked, what) in [
        (options.rate.is_some(), "has no rate: it is a closed loop"),
        (options.hold, "does not hold its connections"),
        (options.lmtp, "has no LMTP"),
        (options.bare, "always greets"),
        (options.numbered, "has no numbered recipients"),
        (options.tls_ca.is_some(), "checks no certificate"),
        (options.connect_tries > 1, "tries each connection once"),
        (options.window.is_some(), "sets no receive window"),
        (options.gather.is_some(), "does not gather replies"),
        (options.transcribed > 0, "keeps no dialogue"),
    ] {
        if asked {
            return Err(PlanError::Locust { lacks: what, scenario: scenario.name.clone() });
        }
    }
    Ok(())
}

/// Bytes of the messages that are read from files are what each worker is sent.
fn contents(scenario: &Scenario, bodies: &Bodies) -> Result<Option<Vec<String>>, PlanError> {
    if matches!(scenario.payload, Payload::Generated(_)) {
        return Ok(None);
    }
    if bodies.contents().iter().map(Vec::len).sum::<usize>() > FILES {
        return Err(PlanError::Locust {
            lacks: "sends at most 16 MiB of message files to its workers",
            scenario: scenario.name.clone(),
        });
    }
    Ok(Some(bodies.contents().iter().map(|content| BASE64.encode(content)).collect()))
}

/// The parts of `job` for at most so many workers; fewer where there is not that much to be done at once.
///
/// # Errors
/// What workers cannot do; words that would break out of their line; files that cannot be read.
pub fn orders(
    job: &Job,
    (wave, workers): (u64, usize),
    address: SocketAddr,
    handshakes: u64,
) -> Result<Vec<Order>, LoadError> {
    let (scenario, options) = (&job.scenario, &job.options);
    check(scenario, options)?;
    let script = Script::new(scenario, options, jiff::Timestamp::now())?;
    let bodies = Bodies::new(&scenario.payload, options.bare)?;
    // That all wait is known a report later than that one does.
    let patience = (job.stall_timeout / 5).max(SLACK);
    let seconds = |delay: Delay| (delay.time.as_secs_f64(), delay.random);
    let talk = Talk {
        ip: address.ip().to_string(),
        port: address.port(),
        host: job.target.host().unwrap_or("localhost").to_owned(),
        allow_remote: options.allow_remote,
        unit: scenario.unit(),
        until: scenario.until,
        ending: scenario.ending,
        expect: scenario.expect,
        contents: contents(scenario, &bodies)?,
        length: match &scenario.payload {
            Payload::Generated(Length::Fixed(longest)) => Some(Bytes::Fixed { longest: *longest }),
            Payload::Generated(Length::Uniform { min, max }) => Some(Bytes::Range { min: *min, longest: *max }),
            Payload::Generated(Length::LogNormal { median, sigma, max }) => {
                Some(Bytes::Median { median: *median, sigma: *sigma, longest: *max })
            }
            _ => None,
        },
        with_headers: bodies.headers,
        recipients: scenario.recipients,
        per_connection: match scenario.per_connection {
            PerConnection::AtMost(n) => Some(n),
            PerConnection::Unlimited => None,
        },
        sender: scenario.from.clone().unwrap_or_else(|| options.from.clone()),
        to: scenario.to.clone().unwrap_or_else(|| options.to.clone()),
        helo: options.helo.clone(),
        ehlo: script.ehlo,
        tls: script.tls,
        auth: options.auth.as_ref().map(|auth| Login {
            user: auth.user.clone(),
            password: auth.password.clone(),
            mechanism: auth.mechanism.map(|mechanism| match mechanism {
                Mechanism::Plain => "PLAIN",
                Mechanism::Login => "LOGIN",
                Mechanism::CramMd5 => "CRAM-MD5",
            }),
        }),
        pipelining: scenario.pipelining,
        message_delay: seconds(scenario.message_delay),
        recipient_delay: seconds(scenario.recipient_delay),
        stay: scenario.stay.as_secs_f64(),
        slow: scenario.slow.map(|slow| (slow.chunk, slow.pause.as_secs_f64())),
        subject: options.subject.clone(),
        step_timeout: options.step_timeout.unwrap_or(job.stall_timeout + patience).as_secs_f64(),
        stall_timeout: job.stall_timeout.as_secs_f64(),
        duration: options.duration.map(|duration| duration.as_secs_f64()),
    };
    let parallel = scenario.sessions.min(job.count).max(1);
    let bodies_at_once = scenario.bodies_at_once.map(u64::from);
    // Each has at least one of everything, so that no limit is exceeded in sum.
    let parts = (workers as u64).min(parallel).min(handshakes).min(bodies_at_once.unwrap_or(u64::MAX)).max(1);
    let mut first = 0;
    let part = |number: u64| {
        let order = Order {
            wave,
            count: share(job.count, parts, number),
            parallel: share(parallel, parts, number),
            first,
            handshakes: share(handshakes, parts, number),
            bodies_at_once: bodies_at_once.map(|most| share(most, parts, number)),
            sources: options.sources.map(|sources| sources.before + first),
            seed: job.seed.wrapping_mul(1_000_003).wrapping_add(number),
            talk: talk.clone(),
        };
        first += order.count;
        order
    };
    Ok((0..parts).map(part).collect())
}

/// What part `number` of `parts` has of `all`: parts differ by one at most, and are `all` in sum.
fn share(all: u64, parts: u64, number: u64) -> u64 {
    all / parts + u64::from(number < all % parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::job::{Rate, Sources};
    use crate::load::{Address, HANDSHAKES};
    use crate::model::plan::scenario::{BUILT_IN, built_in};

    fn job(scenario: Scenario) -> Job {
        Job {
            count: scenario.total,
            scenario,
            target: Address::parse("localhost:2525").expect("an address"),
            stall_timeout: Duration::from_secs(10),
            seed: 1,
            options: SessionOptions::default(),
        }
    }

    fn orders_of(job: &Job, workers: usize, handshakes: u64) -> Vec<Order> {
        orders(job, (1, workers), ([127, 0, 0, 1], 2525).into(), handshakes).expect("it can")
    }

    #[test]
    fn the_parts_are_what_was_asked_for() {
        for name in BUILT_IN {
            let job = Job { count: 1003, ..job(built_in(name).expect(name)) };
            for workers in 1..=9 {
                let orders = orders_of(&job, workers, u64::from(HANDSHAKES));
                let sum = |of: fn(&Order) -> u64| orders.iter().map(of).sum::<u64>();
                assert_eq!(sum(|order| order.count), 1003, "{name} by {workers}");
                assert_eq!(sum(|order| order.parallel), job.scenario.sessions.min(1003), "{name} by {workers}");
                assert!(sum(|order| order.handshakes) <= u64::from(HANDSHAKES));
                let bodies = job.scenario.bodies_at_once.map_or(0, u64::from);
                assert_eq!(sum(|order| order.bodies_at_once.unwrap_or(0)), bodies, "{name} by {workers}");
                assert!(orders.iter().all(|order| order.count > 0 && order.parallel > 0 && order.handshakes > 0));
                // Sessions have numbers of their own.
                let firsts: Vec<u64> = orders.iter().map(|order| order.first).collect();
                let ends = orders.iter().map(|order| order.first + order.count);
                assert_eq!(firsts[1..], ends.take(orders.len() - 1).collect::<Vec<_>>());
            }
        }
        // One after another is the work of one; few sessions and short queues leave others idle.
        assert_eq!(orders_of(&job(built_in("sequential").expect("it")), 4, 100).len(), 1);
        assert_eq!(orders_of(&Job { count: 3, ..job(built_in("churn").expect("it")) }, 4, 100).len(), 3);
        assert_eq!(orders_of(&job(built_in("churn").expect("it")), 4, 2).len(), 2);
    }

    #[test]
    fn what_is_sent() {
        let mut job = job(built_in("tls").expect("tls"));
        job.options.sources = Some(Sources { before: 7 });
        let order = serde_json::to_value(&orders_of(&job, 3, 100)[1]).expect("JSON");
        for (key, value) in [
            ("ip", serde_json::json!("127.0.0.1")),
            ("tls", "starttls".into()),
            ("until", "data".into()),
            ("unit", "messages".into()),
            ("ehlo", true.into()),
            ("length", serde_json::json!({"longest": 200})),
            ("contents", serde_json::Value::Null),
            ("sources", (7 + 334).into()),
            ("step_timeout", 15.0.into()),
        ] {
            assert_eq!(order[key], value, "{key}");
        }
    }

    #[test]
    fn what_it_cannot_do_is_said() {
        let with = |change: fn(&mut SessionOptions)| {
            let mut job = job(built_in("smoke").expect("smoke"));
            change(&mut job.options);
            check(&job.scenario, &job.options).expect_err("it cannot").to_string()
        };
        let rate = with(|options| options.rate = Some(Rate { per_second: 1.0, ramp: Duration::ZERO }));
        assert!(rate.contains("rate") && rate.contains("`smoke`") && rate.contains("--engine builtin"), "{rate}");
        assert!(with(|options| options.lmtp = true).contains("LMTP"));
        for name in BUILT_IN {
            check(&built_in(name).expect(name), &SessionOptions::default()).expect(name);
        }
    }
}
