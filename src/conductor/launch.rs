//! From a command to a session: launched, ready, watched at idle.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::context::Context;
use super::hooks;
use super::profile_files;
use super::ready;
use super::running_php;
use super::runtime;
use super::session::{Session, sample};
use super::stop::LAST_WORDS;
use super::stop_reason::Halt;
use crate::capture::{Refused, Separate};
use crate::journal::{self, Event, Folder, Ready, TargetExit};
use crate::model::EarlyEnd;
use crate::model::plan::Pass;
use crate::proc::{Cgroup, Meminfo, Process, Waiting, syscall_name};
use crate::sampler::Idle;
use crate::server::listeners::listening;
use crate::server::settings::{Settings, Surroundings, for_pass};
use crate::server::{Launch, Target, container_mark, log};

/// How long a server is watched at idle before its first load.
const IDLE: Duration = Duration::from_millis(600);

/// A `select` set ends here (FD_SETSIZE of glibc and musl).
const SELECT_LIMIT: u64 = 1024;

/// Launches the target for a pass and waits until it greets.
pub(super) async fn launch(run: &mut Context<'_>, pass: Pass) -> Result<Session, Halt> {
    run.interrupt.check()?;
    if let Some(pid) = run.invocation.running {
        return attach(run, pid, pass).await;
    }
    if let Some(address) = &run.plan.target {
        check_free(run, address)?;
    }
    hooks::run_hook(run, "--before", run.plan.before.clone()).await?;
    let environment = run.environment();
    let mark = run.invocation.client.is_some().then(|| container_mark(&run.id));
    let prepended = run.php.as_ref().map(|php| php.auto_prepend_file.clone()).filter(|file| !file.is_empty());
    let mut settings = for_pass(
        pass,
        &run.invocation,
        &Surroundings {
            cwd: &run.cwd,
            php: &run.private.php(),
            profiles: &match mark {
                Some(_) => run.private.drop_folder(),
                None => run.private.profiles(&run.folder.profile()),
            },
            in_container: mark.is_some(),
            environment: &environment,
            configured_prepend: prepended.as_deref(),
            counts: &run.private.profiles(&run.folder.count()),
        },
    );
    if pass == Pass::Profile {
        tell_forks_apart(run, &environment, &mut settings, Separate::profiles);
        if let Some(variable) = &run.allow_xdebug {
            settings.set.insert(variable.clone(), "1".to_owned());
            settings.notes.push(format!(
                "The application starts itself anew without Xdebug; in the profile pass it stayed with it ({variable}=1)."
            ));
        }
    }
    if pass == Pass::Count {
        tell_forks_apart(run, &environment, &mut settings, Separate::counts);
        run.counts_forks = settings.set.contains_key("LD_PRELOAD");
    }
    if let Some(folder) = &settings.profile_folder {
        // Xdebug makes no folders: it would write nothing, and say so nowhere.
        std::fs::create_dir_all(folder).map_err(|error| {
            Halt::early(
                EarlyEnd::Environment,
                format!("{}: profiles cannot be written there: {error}", folder.display()),
            )
        })?;
    }
    let profiles = settings.profile_folder.clone().map(|folder| {
        let before = profile_files::list(&folder);
        (folder, before)
    });
    let engine = run.invocation.client.as_ref().zip(mark.as_ref()).map(|(client, mark)| client.engine(mark));
    if let (Some(client), Some(mark)) = (&run.invocation.client, &mark) {
        let folder = |path: std::path::PathBuf, writable| (path.display().to_string(), writable);
        // What is ours in the container is what the profiler needs.
        let mounts = match pass {
            Pass::Profile => vec![folder(run.private.php(), false), folder(run.private.drop_folder(), true)],
            Pass::Measure | Pass::Count => Vec::new(),
        };
        if pass == Pass::Profile {
            settings.notes.push(
                "Forked processes share their parent's profile: what tells them apart was not tried in a container."
                    .to_owned(),
            );
        }
        settings = client.launched(settings, &run.plan.env, &mounts, mark);
    }
    let target = Launch {
        settings: &settings,
        program: run.valgrind.as_ref().map_or(&run.invocation.program, |valgrind| &valgrind.program),
        cwd: &run.cwd,
        env: if engine.is_some() { &[] } else { &run.plan.env },
        log: run.folder.append(&Folder::target_log(pass.name()))?,
        private: &run.private,
        id: &run.id,
        descriptors: run.descriptors,
        engine,
    }
    .start(&run.watchdog)?;
    // A php that was only guessed is not named before its process is seen.
    let known = run.php.as_ref().filter(|_| run.invocation.names_php || run.php_asked);
    let versions = known.map(running_php::versions).unwrap_or_default();
    run.recorder.write(Event::Launch(journal::Launch {
        pass,
        pid: target.pid(),
        command: settings.argv.clone(),
        environment: settings.set.clone(),
        versions,
        notes: settings.notes.clone(),
        attached: false,
    }))?;
    become_ready(run, target, pass, profiles).await
}

/// Takes up a server that runs already.
async fn attach(run: &mut Context<'_>, pid: i32, pass: Pass) -> Result<Session, Halt> {
    hooks::run_hook(run, "--before", run.plan.before.clone()).await?;
    let target = Target::attach(pid, &run.watchdog)?;
    run.recorder.write(Event::Launch(journal::Launch {
        pass,
        pid,
        command: run.invocation.argv.clone(),
        environment: BTreeMap::new(),
        versions: BTreeMap::new(),
        notes: Vec::new(),
        attached: true,
    }))?;
    run.recorder.not_measured("The profile: a server that runs already cannot be started under the profiler.")?;
    become_ready(run, target, pass, None).await
}

/// Readies the library of a pass for a php.
type Prepare = fn(&std::path::Path, &std::path::Path, Option<&str>) -> Result<Separate, Refused>;

/// Sets what gives each forked process a profile or a count of its own, or notes why they share one. A server that forks
/// under load and has no such library is not counted, which is said there.
fn tell_forks_apart(
    run: &Context<'_>,
    environment: &BTreeMap<String, String>,
    settings: &mut Settings,
    prepare: Prepare,
) {
    let Some(php) = &run.invocation.php else { return };
    let before = environment.get("LD_PRELOAD").map(String::as_str);
    match prepare(&run.private.php(), php, before) {
        Ok(separate) => drop(settings.set.insert("LD_PRELOAD".to_owned(), separate.preload)),
        Err(_) if run.valgrind.is_some() => {}
        Err(refused) => settings.notes.push(format!("Forked processes share their parent's profile: {refused}.")),
    }
}

async fn become_ready(
    run: &mut Context<'_>,
    mut target: Target,
    pass: Pass,
    profiles: Option<(std::path::PathBuf, Vec<std::path::PathBuf>)>,
) -> Result<Session, Halt> {
    let counted = pass == Pass::Count;
    // Under valgrind its memory is not its own.
    let log = if counted { run.sample_log.silent() } else { run.sample_log.clone() };
    let sampler = sample(target.family(), run.recorder.clock(), &log)
        .map_err(|error| Halt::early(EarlyEnd::Environment, error.to_string()))?;
    let (greeted, banner, others) = match ready::wait_for_banner(run, &mut target, pass).await {
        Ok(found) => found,
        Err(halt) => {
            // A server that never greeted is not asked twice.
            let stopped = crate::server::stop::stop(&target, Duration::from_secs(3));
            let last_words = log::tail(&target.log, LAST_WORDS);
            run.recorder.write(Event::TargetExit(TargetExit {
                pass,
                pid: target.pid(),
                how: stopped.how,
                asked: true,
                last_words: last_words.clone(),
            }))?;
            return Err(if run.greeted { left_behind(halt, &last_words) } else { halt });
        }
    };
    run.greeted = true;
    let seconds = target.started.elapsed().as_secs_f64();
    let mut session = Session::new(target, pass, greeted, sampler, profiles);
    let seen = Ready {
        pass,
        address: session.address.to_string(),
        pid: session.server,
        seconds,
        banner,
        others: Vec::new(),
        descriptor_limit: None,
        runtime: None,
        versions: None,
        memory_limit: None,
        backlog: None,
        editor: None,
    };
    if counted {
        // What can be seen of the process is valgrind.
        run.recorder.write(Event::Ready(seen))?;
        return Ok(session);
    }
    session.descriptor_limit =
        Process::open(session.server).and_then(|process| process.limits()).ok().and_then(|limits| limits.nofile.soft);
    running_php::learn(run, &session);
    run.runtime = runtime::of(session.server);
    run.recorder.write(Event::Ready(Ready {
        others,
        descriptor_limit: session.descriptor_limit,
        runtime: run.runtime,
        versions: Some(run.php.as_ref().map(running_php::versions).unwrap_or_default()),
        editor: run.php.as_ref().map(|php| php.editor.clone()).filter(|form| !form.is_empty()),
        memory_limit: memory_limit(session.server),
        backlog: session.kernel().ask(session.address).map(|side| side.backlog),
        ..seen
    }))?;
    watch_idle(run, &mut session).await?;
    session.safe_descriptors = session.descriptor_limit;
    if waits_in_select(session.server).await {
        session.safe_descriptors = Some(session.descriptor_limit.map_or(SELECT_LIMIT, |own| own.min(SELECT_LIMIT)));
    }
    // Where the recipe's own counts are asked for, they are what a server is held against.
    if run.plan.budget.is_some() {
        session.descriptor_limit = session.safe_descriptors;
    }
    Ok(session)
}

/// A server that started once and does not start again: what its first start left may be in the way.
fn left_behind(halt: Halt, output: &[String]) -> Halt {
    let Halt::Early { why: why @ (EarlyEnd::Exited | EarlyEnd::NeverReady), sentence } = halt else { return halt };
    let words = output.iter().flat_map(|line| line.split(|c: char| c.is_whitespace() || "\"'(),;:".contains(c)));
    let names_file =
        |word: &&str| [".pid", ".lock", ".sock"].iter().any(|end| word.trim_end_matches('.').ends_with(end));
    let file = words.map(|word| word.trim_end_matches('.')).find(names_file);
    let (what, remove) = match file {
        Some(file) => (format!("{file} may be left from it"), format!("--before 'rm -f {file}'")),
        None => ("a pid file, a lock or a socket may be left from it".to_owned(), "--before 'rm -f FILE'".to_owned()),
    };
    Halt::early(
        why,
        format!("{sentence}\nIt did start earlier in this run: {what}. Have it removed before each start: {remove}"),
    )
}

/// What the server's control group may use of memory, where less than the machine has.
fn memory_limit(pid: i32) -> Option<u64> {
    let limit = Process::open(pid).and_then(|process| Cgroup::of(&process)).ok().flatten()?.max?;
    Meminfo::read().is_ok_and(|machine| limit < machine.total).then_some(limit)
}

/// Something that answers at `--target` already is not the target.
fn check_free(run: &Context<'_>, text: &str) -> Result<(), Halt> {
    let address = ready::resolve(run, text)?;
    let answers = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
    if !answers {
        return Ok(());
    }
    Err(Halt::early(
        EarlyEnd::Environment,
        crate::server::TargetError::PortInUse { address: address.to_string(), owner: owner(address.port()) }
            .to_string(),
    ))
}

/// What a server is like when nobody asks anything of it.
async fn watch_idle(run: &mut Context<'_>, session: &mut Session) -> Result<(), Halt> {
    session.sampler.count_sockets_every(Duration::from_millis(200));
    let (mut moments, mut rounds) = (Vec::new(), session.sampler.rounds());
    let watched = async {
        while rounds.changed().await.is_ok() {
            moments.push(session.moment());
        }
    };
    // The time that it is watched is over, always: readings come without an end.
    let _ = run.interrupt.unless(timeout(IDLE, watched)).await?;
    // The first half may still hold the end of its own start.
    let calm = moments.split_off(moments.len() / 2);
    session.idle = Idle::of(&calm);
    session.sampler.count_sockets_every(Duration::from_secs(1));
    Ok(())
}

/// Whether a server that idles waits in `select`, which cannot watch descriptors from 1,024 on.
async fn waits_in_select(pid: i32) -> bool {
    let Ok(process) = Process::open(pid) else { return false };
    for _ in 0..20 {
        if let Ok(Some(Waiting::InSyscall { number, .. })) = process.waiting()
            && matches!(syscall_name(number), Some("select" | "pselect6" | "_newselect"))
        {
            return true;
        }
        sleep(Duration::from_millis(5)).await;
    }
    false
}

/// Who listens on a port of this machine, as far as it can be seen.
fn owner(port: u16) -> Option<String> {
    let pids: Vec<i32> = crate::proc::Tree::scan().ok()?.pids().collect();
    // Processes of others cannot be looked into; each is asked alone, so that one refusal hides nobody.
    pids.into_iter().find_map(|pid| {
        let listens = listening(&[pid]).ok()?.iter().any(|l| l.port == port);
        let name = listens.then(|| Process::open(pid).and_then(|p| p.comm()).unwrap_or_default())?;
        Some(format!("pid {pid}, {name}"))
    })
}
