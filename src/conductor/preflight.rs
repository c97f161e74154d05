//! One whole conversation before the first wave: whether the server takes what the load will send.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use super::supervise::{self, News};
use crate::journal::{Event, Preflight, PreflightStep};
use crate::load::{self, Address, Auth, Control, PreflightError, PreflightTimes, SessionOptions};
use crate::model::EarlyEnd;
use crate::model::plan::scenario::TlsMode;
use crate::model::plan::{Engine, Plan};

/// Between two looks at a preflight that goes on.
const LOOK: Duration = Duration::from_millis(100);

/// The mail options of the plan, as the load takes them.
pub fn session_options(plan: &Plan) -> SessionOptions {
    let defaults = SessionOptions::default();
    SessionOptions {
        from: plan.mail.from.clone(),
        to: plan.mail.to.clone(),
        helo: plan.mail.helo.clone().unwrap_or(defaults.helo.clone()),
        auth: plan.mail.auth.as_deref().and_then(|text| text.split_once(':')).map(|(user, password)| Auth {
            user: user.to_owned(),
            password: password.to_owned(),
            mechanism: None,
        }),
        tls: match (plan.mail.starttls, plan.mail.tls) {
            (true, _) => TlsMode::Starttls,
            (_, true) => TlsMode::Implicit,
            _ => TlsMode::None,
        },
        allow_remote: plan.allow_remote,
        ..defaults
    }
}

/// The server's address, as the load takes it.
pub fn address(session: &Session) -> Address {
    Address::Tcp { host: session.address.ip().to_string(), port: session.address.port() }
}

/// Holds the conversation; a refusal ends the run with the server's own reply.
pub(super) async fn hold(run: &mut Context<'_>, session: &mut Session) -> Result<u64, Halt> {
    if run.plan.engine == Engine::Command {
        return Ok(0);
    }
    let control = Arc::new(Control::new());
    let (told, options, target) = (Arc::clone(&control), session_options(run.plan), address(session));
    let times = PreflightTimes { step: run.plan.stall_timeout, ..PreflightTimes::default() };
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
    let outcome =
        outcome.flatten().ok_or_else(|| Halt::early(EarlyEnd::Environment, "the preflight's thread panicked"))?;
    match outcome {
        Ok(done) => {
            run.reply = Some(done.seconds / done.conversations.max(1) as f64);
            let steps = done.replies.iter().map(|reply| PreflightStep {
                step: reply.step.name().to_uppercase(),
                reply: reply.text.trim_end().to_owned(),
            });
            run.recorder.write(Event::Preflight(Preflight {
                pass: session.pass,
                steps: steps.collect(),
                refused: None,
                sessions: done.conversations + std::mem::take(&mut session.probes),
                messages: 1,
            }))?;
            Ok(1)
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

fn output(session: &Session) -> String {
    let text = session.output();
    if text.is_empty() { String::new() } else { format!("; its last output:\n  {}", text.replace('\n', "\n  ")) }
}
