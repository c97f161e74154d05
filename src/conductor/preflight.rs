//! One whole conversation before the first wave: whether the server takes what the load will send.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use super::supervise::{self, News};
use crate::journal::{Event, Preflight, PreflightStep, Warning};
use crate::load::{self, Address, Control, PreflightError, PreflightTimes, SessionOptions, Sources};
use crate::model::plan::Engine;
use crate::model::{EarlyEnd, WarningKind};
use crate::phrase;

/// Between two looks at a preflight that goes on.
const LOOK: Duration = Duration::from_millis(100);

/// Conversations from other addresses before they are called slower than the first one was, and by how many seconds.
const TRIES: u64 = 3;
const NOTICED: f64 = 0.02;

/// The server's address, as the load takes it.
pub fn address(session: &Session) -> Address {
    Address::Tcp { host: session.address.ip().to_string(), port: session.address.port() }
}

/// Holds the conversation; a refusal ends the run with the server's own reply.
pub(super) async fn hold(run: &mut Context<'_>, session: &mut Session) -> Result<u64, Halt> {
    if run.plan.engine == Engine::Command {
        return Ok(0);
    }
    let options = SessionOptions::of_mail(&run.plan.mail, session.may_be_loaded(run.plan));
    let times = PreflightTimes { step: run.plan.stall_timeout, ..PreflightTimes::default() };
    let outcome = converse(run, session, options.clone(), times).await?;
    match outcome {
        Ok(done) => {
            run.reply = Some(done.seconds);
            let steps = done.replies.iter().map(|reply| PreflightStep {
                step: reply.step.name().to_uppercase(),
                reply: reply.text.trim_end().to_owned(),
            });
            let steps = steps.collect();
            run.extensions = done.extensions;
            let (conversations, messages) = from_another_address(run, session, &options).await?;
            run.recorder.write(Event::Preflight(Preflight {
                pass: session.pass,
                steps,
                refused: None,
                sessions: done.conversations + conversations + std::mem::take(&mut session.probes),
                messages: 1 + messages,
            }))?;
            Ok(1 + messages)
        }
        Err(error) => {
            let sentence = error.to_string();
            run.recorder.write(Event::Preflight(Preflight {
                pass: session.pass,
                steps: Vec::new(),
                refused: Some(sentence.clone()),
                sessions: 1 + std::mem::take(&mut session.probes),
                messages: 0,
            }))?;
            Err(match error {
                PreflightError::Refused(_) | PreflightError::Start(_) => Halt::early(EarlyEnd::Preflight, sentence),
                PreflightError::Broken { .. } | PreflightError::Stopped => {
                    let fell = session.target.alive().is_empty();
                    let what = if fell {
                        "the server ended during the first conversation"
                    } else {
                        "the first conversation broke"
                    };
                    Halt::early(EarlyEnd::PreflightBroken, format!("{what}: {sentence}{}", output(session)))
                }
            })
        }
    }
}

/// The conversation itself, on a thread of its own, so that a signal and the server's end are seen meanwhile.
async fn converse(
    run: &mut Context<'_>,
    session: &mut Session,
    options: SessionOptions,
    times: PreflightTimes,
) -> Result<Result<load::Preflight, PreflightError>, Halt> {
    let control = Arc::new(Control::new());
    let (told, target) = (Arc::clone(&control), address(session));
    let held = supervise::on_thread("preflight", move || load::preflight(&target, &options, times, &told))?;
    let interrupt = run.interrupt.clone();
    let outcome = supervise::until_done(held, supervise::end_of(session.server), LOOK, &interrupt, |news| {
        if !matches!(news, News::Signal(_)) && !session.target.alive().is_empty() {
            return true;
        }
        control.stop();
        // A step that hangs is bounded by its own time-out, which an interrupted run does not wait for.
        !matches!(news, News::Signal(_))
    });
    let outcome = outcome.await;
    interrupt.check()?;
    outcome.flatten().ok_or_else(|| Halt::early(EarlyEnd::Environment, "the preflight's thread panicked"))
}

/// Whether the server takes mail from other loopback addresses too: then every session of the load comes from its own,
/// and what a server keeps for each client's address shows. Returns the conversations and the accepted messages that
/// it took: none where the server is not on the IPv4 loopback.
async fn from_another_address(
    run: &mut Context<'_>,
    session: &mut Session,
    options: &SessionOptions,
) -> Result<(u64, u64), Halt> {
    if !has_addresses(run) || !matches!(session.address.ip(), IpAddr::V4(ip) if ip.is_loopback()) {
        return Ok((0, 0));
    }
    // A server that puts off each new client would put off every session.
    let times = PreflightTimes { step: run.plan.stall_timeout, retry: Duration::ZERO };
    let (mut sessions, mut held, mut fastest) = (0, 0, f64::INFINITY);
    let own = run.reply.unwrap_or(f64::INFINITY);
    let why = loop {
        let from = SessionOptions { sources: Some(Sources { before: held }), ..options.clone() };
        sessions += 1;
        match converse(run, session, from, times).await? {
            Ok(done) => fastest = done.seconds.min(fastest),
            Err(error) => break format!("the server refuses another loopback address: {error}"),
        }
        held += 1;
        if !is_slower(fastest, own) {
            session.sources = Some(Sources { before: held });
            return Ok((sessions, held));
        }
        if held == TRIES {
            break format!(
                "the server takes {} for a conversation from another loopback address and {} for one from 127.0.0.1; it may look up the name of each new client",
                phrase::millis(fastest * 1e3),
                phrase::millis(own * 1e3)
            );
        }
    };
    run.recorder.write(Event::Warning(Warning {
        kind: WarningKind::OneAddress,
        text: format!("All load comes from one address, as {why}."),
        advice: "What the server keeps for each client address does not show; let it accept 127.0.0.0/8 as it does 127.0.0.1."
            .to_owned(),
    }))?;
    Ok((sessions, held))
}

/// Whether the load can come from loopback addresses of its own choice.
fn has_addresses(run: &Context<'_>) -> bool {
    match run.plan.engine {
        Engine::Builtin => true,
        Engine::Locust => run.plan.remote_workers == 0,
        Engine::SmtpSource | Engine::Command => false,
    }
}

/// Whether a conversation from another address takes the server clearly longer.
fn is_slower(other: f64, own: f64) -> bool {
    other > 2.0 * own + NOTICED
}

fn output(session: &Session) -> String {
    phrase::last_output(&session.output().lines().collect::<Vec<_>>())
}
