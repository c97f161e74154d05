//! Who makes the load, where that is more than this program: Locust's workers are called before the first launch and
//! stand idle until a wave is theirs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::context::Context;
use super::stop_reason::Halt;
use crate::journal::{Event, Live, Readers, Warning, Worker, Workers};
use crate::load::external::locust;
use crate::load::{self, Address, Endpoint, Locust, Muster, Note, Tool};
use crate::model::EarlyEnd;
use crate::model::plan::Engine;

/// Between two looks at who is there.
const LOOK: Duration = Duration::from_millis(100);

/// Readies what makes the load. The budget begins once all workers are there, as somebody may have to call them.
pub(super) async fn call(run: &mut Context<'_>) -> Result<(), Halt> {
    run.tool = Tool::of(run.plan.engine, run.plan.load_command.as_deref());
    if run.plan.engine != Engine::Locust {
        return Ok(());
    }
    let unready = |error: load::LoadError| Halt::early(EarlyEnd::Environment, error.to_string());
    let file = run.folder.write_whole("locustfile.py", locust::FILE.as_bytes(), Readers::Owner)?;
    let locust = Locust::start(workers(run)?, file).map_err(unready)?;
    let mut invited = false;
    loop {
        run.interrupt.check()?;
        let muster = locust.muster().map_err(unready)?;
        if muster.is_whole() {
            run.recorder.write(event(&muster, None))?;
            break;
        }
        if muster.invitation.is_some() && !invited {
            run.recorder.write(event(&muster, muster.invitation.clone()))?;
            invited = true;
        }
        run.recorder.live(&Live {
            step: format!("locust    {} of {} workers", muster.here.len(), muster.wanted),
            done: Some(muster.here.len() as f64 / f64::from(muster.wanted.max(1))),
            ..Live::default()
        });
        sleep(LOOK).await;
    }
    run.tool = Some(Tool::Locust(locust));
    run.began = Instant::now();
    say(run)
}

/// What the plan says of the workers.
fn workers(run: &Context<'_>) -> Result<load::Workers, Halt> {
    let target = run.plan.target.as_deref().map(|target| Address::parse(target)?.resolve(None, true)).transpose();
    let target = target.map_err(|error| Halt::early(EarlyEnd::Environment, error.to_string()))?;
    let address = target.and_then(|resolved| match resolved.endpoint {
        Endpoint::Tcp(address) => Some(address),
        Endpoint::Unix(_) => None,
    });
    Ok(load::Workers { local: run.plan.locust_workers, remote: run.plan.remote_workers, address })
}

fn event(muster: &Muster, command: Option<String>) -> Event {
    let here = muster.here.iter().map(|(host, pid)| Worker { host: host.clone(), pid: *pid });
    Event::Workers(Workers { version: muster.version.clone(), wanted: muster.wanted, here: here.collect(), command })
}

/// Warns of what was seen of the workers since the last time.
pub(super) fn say(run: &mut Context<'_>) -> Result<(), Halt> {
    let Some(Tool::Locust(locust)) = &run.tool else { return Ok(()) };
    for Note { kind, text, advice } in locust.notes() {
        run.recorder.write(Event::Warning(Warning { kind, text, advice: advice.to_owned() }))?;
    }
    Ok(())
}
