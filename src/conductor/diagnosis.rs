//! A stall or an end, told in the journal.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use crate::diagnose::{Diagnosis, Ended, Observations, diagnose};
use crate::journal::{Event, Failure, Scene};
use crate::model::load_stats::Step;

/// How a process ended, as a diagnosis takes it.
pub fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Code(0),
    }
}

/// Where a session stood that waited at a step, in words.
pub fn waiting(step: Step) -> &'static str {
    match step {
        Step::Connect => "while they were connecting",
        Step::Banner => "waiting for its greeting",
        Step::Tls => "within the TLS handshake",
        Step::Helo => "after EHLO",
        Step::Starttls => "after STARTTLS",
        Step::Auth => "after AUTH",
        Step::Mail => "after MAIL FROM",
        Step::Rcpt => "after RCPT TO",
        Step::Data => "after DATA",
        Step::Message => "after the final dot",
        Step::Rset => "after RSET",
        Step::Quit => "after QUIT",
        Step::Command => "after another command",
        Step::Close => "waiting for it to close",
        Step::Run => "within a run of the load's program",
    }
}

/// Writes down what befell the server.
fn failure(run: &mut Context<'_>, scene: &Scene, seen: &Observations) -> Result<Diagnosis, Halt> {
    let diagnosis = diagnose(seen);
    run.recorder.write(Event::Failure(Failure {
        scene: scene.clone(),
        kind: diagnosis.cause,
        sentence: diagnosis.sentence.clone(),
        advice: diagnosis.advice.clone(),
        details: diagnosis.evidence.clone(),
    }))?;
    Ok(diagnosis)
}

/// Writes down what befell the server, and that another must be launched.
pub(super) fn fell(
    run: &mut Context<'_>,
    session: &mut Session,
    scene: &Scene,
    seen: &Observations,
) -> Result<Diagnosis, Halt> {
    session.spoilt = true;
    failure(run, scene, seen)
}
