//! The ledger of the measure pass, before the first wave: which step of a conversation keeps bytes in the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::context::Context;
use super::ledger_bench::{Given, ServerBench};
use super::session::Session;
use super::stop_reason::Halt;
use super::supervise::{self, News};
use super::{diagnosis, disk, wave};
use crate::heap::Error;
use crate::journal::{Event, LedgerTaken, Live, Readers, Scene};
use crate::load::{Control, Mechanism, SessionOptions, offered_mechanism};
use crate::model::load_stats::LoadStats;
use crate::model::plan::Engine;
use crate::model::plan::scenario::Unit;
use crate::model::{EarlyEnd, LEDGER, Ledger, LedgerStatus, Pass, REPRODUCE};
use crate::verdict::ledger::{Offers, Stop, inquire};

/// The longest that it takes, and its part of the budget.
const LONGEST: Duration = Duration::from_secs(10);
const PART: f64 = 0.1;
/// The longest where it decides whether a leak is there.
const DECIDING: Duration = Duration::from_secs(30);
/// Less than this decides too little to be worth the time of the waves.
const SHORTEST: Duration = Duration::from_secs(6);

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(100);

/// How long the end of a process that fell is waited for.
const REAPED: Duration = Duration::from_millis(200);

/// What the thread gives back.
struct Done {
    ledger: Ledger,
    tally: LoadStats,
    script: Option<Vec<u8>>,
}

/// Keeps the ledger, writes it down, and leaves the script that plays what it found. True where no waves are needed any
/// more, as it tells of the leak that is looked for.
pub(super) async fn keep(run: &mut Context<'_>, session: &mut Session) -> Result<bool, Halt> {
    let time = match allotted(run) {
        Ok(time) => time,
        Err(status) => {
            write(run, Ledger::without(status), LoadStats::new(Unit::Sessions, 0))?;
            return Ok(false);
        }
    };
    let control = Arc::new(Control::new());
    let played = Arc::new(AtomicU64::new(0));
    let given = Given {
        address: session.address,
        kernel: session.kernel(),
        servers: session.servers(&session.pids()),
        options: SessionOptions {
            sources: None,
            ..SessionOptions::of_mail(&run.plan.mail, session.may_be_loaded(run.plan))
        },
        ehlo: !run.extensions.is_empty() || run.plan.mail.starttls || run.plan.mail.auth.is_some(),
        mechanism: offered_mechanism(run.extensions.iter().map(String::as_str)).unwrap_or(Mechanism::Plain),
        descriptor_limit: session.safe_descriptors,
        time,
        control: Arc::clone(&control),
        played: Arc::clone(&played),
    };
    let offers = Offers {
        starttls: run.plan.mail.starttls,
        auth: run.plan.mail.auth.is_some(),
        pipelining: run.extensions.iter().any(|line| line.eq_ignore_ascii_case("PIPELINING")),
    };
    let work = supervise::on_thread(LEDGER, move || on_bench(given, offers))?;
    let interrupt = run.interrupt.clone();
    let mut halt = None;
    let began = run.elapsed();
    let done = supervise::until_done(work, supervise::end_of(session.server), LOOK, &interrupt, |news| {
        if let News::Signal(signal) = news {
            halt = halt.take().or(Some(Halt::Interrupted(signal)));
        }
        if halt.is_none() {
            halt = look(run, session).err();
        }
        if halt.is_some() || session.target.alive().is_empty() {
            control.stop();
        }
        run.recorder.live(&Live {
            step: format!("measure   {LEDGER:<11} {} conversations", played.load(Ordering::Relaxed)),
            done: Some(((run.elapsed() - began) / time.as_secs_f64()).min(1.0)),
            rss: session.rss(),
            left: run.deadline(Pass::Measure).map(|deadline| (deadline - run.elapsed()).max(0.0)),
            ..Live::default()
        });
        true
    });
    let done =
        done.await.flatten().ok_or_else(|| Halt::early(EarlyEnd::Environment, "the ledger's thread panicked"))?;
    run.sample_log.load.messages.fetch_add(done.tally.messages_accepted, Ordering::Relaxed);
    let mut ledger = done.ledger;
    let fallen = session.target.alive().is_empty() || session.servers(&session.pids()).is_empty();
    if fallen {
        ledger.status = LedgerStatus::Fell;
    }
    if let Some(script) = done.script {
        // It may hold a password.
        run.folder.write_whole(REPRODUCE, &script, Readers::Owner)?;
        ledger.script = Some(REPRODUCE.to_owned());
    }
    let told = run.plan.sought.as_ref().is_some_and(|sought| sought.is_in(&ledger).is_some());
    write(run, ledger, done.tally)?;
    if let Some(halt) = halt {
        return Err(halt);
    }
    if fallen {
        fell(run, session).await?;
    }
    Ok(told)
}

/// The time that it has, or why it has none.
fn allotted(run: &Context<'_>) -> Result<Duration, LedgerStatus> {
    if !run.plan.ledger {
        return Err(LedgerStatus::Off);
    }
    if run.plan.engine == Engine::Command {
        return Err(LedgerStatus::OtherEngine);
    }
    if run.plan.sought.as_ref().is_some_and(|sought| sought.step.is_some()) {
        // It decides in the waves' place.
        return Ok(DECIDING);
    }
    let part = run.plan.budget.map_or(LONGEST, |budget| budget.mul_f64(PART).min(LONGEST));
    if part < SHORTEST {
        return Err(LedgerStatus::BudgetTooShort(SHORTEST.as_secs_f64() / PART));
    }
    Ok(part)
}

/// The whole inquiry, blocking.
fn on_bench(given: Given, offers: Offers) -> Done {
    let mut bench = match ServerBench::new(given) {
        Ok(bench) => bench,
        Err(error) => {
            let ledger = Ledger::without(LedgerStatus::NotReadable(error.to_string()));
            return Done { ledger, tally: LoadStats::new(Unit::Sessions, 0), script: None };
        }
    };
    let mut ledger = match inquire(&mut bench, offers) {
        Ok(ledger) => ledger,
        Err(Stop::Told | Stop::Time | Stop::Silent | Stop::Fell) => Ledger::without(LedgerStatus::TimeUsed),
    };
    if let (LedgerStatus::Fell, Some(error)) = (&ledger.status, &bench.unreadable) {
        ledger.status = LedgerStatus::NotReadable(Error::to_string(error));
    }
    ledger.seconds = bench.seconds();
    let script = ledger.kept.first().and_then(|kept| {
        let head = "# The shortest conversation that keeps bytes in the server:\n\
                    # profile-run load --script reproduce.smtp HOST:PORT\n";
        Some([head.as_bytes(), &bench.script(&kept.shortest)?].concat())
    });
    Done { ledger, tally: bench.tally, script }
}

/// Mail that leaves the machine, and a disk that fills.
fn look(run: &mut Context<'_>, session: &mut Session) -> Result<(), Halt> {
    session.tend_log();
    disk::check(run, session.profiles.as_ref())?;
    wave::no_mail_leaves(run, &session.target.alive())
}

fn write(run: &mut Context<'_>, ledger: Ledger, tally: LoadStats) -> Result<(), Halt> {
    run.recorder.write(Event::Ledger(LedgerTaken {
        pass: Pass::Measure,
        ledger: Box::new(ledger),
        tally: Box::new(tally),
    }))
}

/// The server ended under single conversations.
async fn fell(run: &mut Context<'_>, session: &mut Session) -> Result<(), Halt> {
    let mut seen = session.witness.as_ref().map(|witness| witness.look()).unwrap_or_default();
    let reaped = async {
        while session.target.exited().is_none() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(REAPED, reaped).await;
    seen.output = session.output();
    seen.ended = session.target.exited().map(diagnosis::ended);
    let scene = Scene { pass: Pass::Measure, scenario: LEDGER.to_owned(), wave: 0 };
    diagnosis::fell(run, session, &scene, &seen)?;
    Ok(())
}
