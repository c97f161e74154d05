//! From what was seen to one sentence. Rules in the order of how sure they are.

use serde::{Deserialize, Serialize};

use super::output;
use super::{Ended, Observations};
pub use crate::model::FailureKind as Cause;
use crate::phrase::{bytes, duration, grouped, plural};

/// A stall or an end, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What it was.
    pub cause: Cause,
    /// One sentence for people.
    pub sentence: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub advice: String,
    /// Sessions at once when it happened, where that number is what brought it about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_sessions: Option<u64>,
    /// What else was seen, a sentence each.
    pub evidence: Vec<String>,
}

/// FD_SETSIZE of glibc and musl: `select` has one bit for each descriptor below it.
const FD_SETSIZE: i64 = 1024;
/// Signals that end a process that does not expect them.
const FATAL_SIGNALS: [i32; 9] = [
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGKILL,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGXCPU,
    libc::SIGXFSZ,
];
/// Below this share of one processor a process found in a system call is said to be asleep there.
const ASLEEP: f64 = 0.5;
/// From this share of one processor on a silent process is said to spin.
const FULL: f64 = 0.8;

/// Names the cause.
pub fn diagnose(seen: &Observations) -> Diagnosis {
    let found = match seen.ended {
        Some(ended) => dead(seen, ended),
        None => alive(seen),
    };
    let Finding { cause, what, advice, by_sessions } = found;
    let sentence = format!("{}{what}.", opening(seen));
    let from_sessions = (by_sessions && seen.open_sessions > 0).then_some(seen.open_sessions);
    Diagnosis { cause, sentence, advice: advice.to_owned(), from_sessions, evidence: evidence(seen, cause) }
}

struct Finding {
    cause: Cause,
    what: String,
    advice: &'static str,
    by_sessions: bool,
}

impl Finding {
    fn new(cause: Cause, what: impl Into<String>, advice: &'static str) -> Self {
        Self { cause, what: what.into(), advice, by_sessions: false }
    }

    fn by_sessions(self) -> Self {
        Self { by_sessions: true, ..self }
    }
}

/// `With 1,017 sessions open and 4,000 done, waiting after the final dot, the server `.
fn opening(seen: &Observations) -> String {
    let mut when = Vec::new();
    if seen.open_sessions > 0 {
        when.push(format!("with {} open", plural(seen.open_sessions, "session")));
    }
    if seen.sessions_done > 0 {
        when.push(format!("after {}", plural(seen.sessions_done, "session")));
    }
    if let Some(stage) = &seen.stage {
        when.push(stage.clone());
    }
    let when = when.join(", ");
    let mut letters = when.chars();
    match letters.next() {
        Some(first) => format!("{}{}, the server ", first.to_uppercase(), letters.as_str()),
        None => "The server ".to_owned(),
    }
}

const SELECT_ADVICE: &str =
    "Use an event loop on epoll (ext-event, ext-ev, ext-uv), or refuse connections above about 1,000.";
const MEMORY_ADVICE: &str = "The place is where the last piece was asked for, not what leaks: see the memory findings.";
const FD_ADVICE: &str = "Close what is left open (see the descriptor findings), or raise the limit with `ulimit -n`.";

fn dead(seen: &Observations, ended: Ended) -> Finding {
    if let Some(limit) = output::memory_limit(&seen.output) {
        return memory_limit(&limit, "ended");
    }
    if seen.stopped_by_us {
        return Finding::new(Cause::Exited, "was stopped by profile-run", "");
    }
    let (ended, by_code) = match ended {
        // A shell in front of the server passes the signal on as 128 + its number.
        Ended::Code(code) if FATAL_SIGNALS.contains(&(code - 128)) => {
            (Ended::Signal(code - 128), format!(" (so says its exit code {code})"))
        }
        other => (other, String::new()),
    };
    match ended {
        Ended::Signal(libc::SIGKILL) if seen.oom_kills > 0 => {
            let limit = seen.cgroup_limit.map_or("the machine's memory was used up".to_owned(), |max| {
                format!("its control group's limit of {} was reached", bytes(max as f64))
            });
            Finding::new(
                Cause::KernelOom,
                format!("was killed by the kernel's OOM killer: {limit}"),
                "Raise the limit only after the memory findings show no leak.",
            )
        }
        Ended::Signal(libc::SIGABRT) if output::buffer_overflow(&seen.output) => Finding::new(
            Cause::SelectSetAborted,
            "died of SIGABRT (\"buffer overflow detected\"): it put a descriptor of 1,024 or above into a select set, \
             which has room for 1,024, and the hardened C library ended it",
            SELECT_ADVICE,
        )
        .by_sessions(),
        Ended::Signal(libc::SIGABRT) if seen.highest_fd + 1 >= FD_SETSIZE || seen.fds >= FD_SETSIZE as u64 => Finding::new(
            Cause::SelectSetAborted,
            format!(
                "died of SIGABRT with {} open: most likely it put one of 1,024 or above into a select set, which has \
                 room for 1,024, and the hardened C library ended it",
                plural(seen.fds, "descriptor")
            ),
            SELECT_ADVICE,
        )
        .by_sessions(),
        Ended::Signal(signal) => Finding::new(
            Cause::Crash,
            format!("died of {}{}{by_code}", signal_name(signal), signal_meaning(signal)),
            if matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGABRT | libc::SIGFPE) {
                "That is a fault in native code: an extension or the runtime; a core dump names it."
            } else {
                ""
            },
        ),
        Ended::Code(code) => {
            let said = output::fatal_line(&seen.output).or_else(|| output::last_line(&seen.output));
            let said = said.map_or(String::new(), |line| format!("; its last word: {line}"));
            Finding::new(Cause::Exited, format!("ended by itself with exit code {code}{said}"), "")
        }
    }
}

fn alive(seen: &Observations) -> Finding {
    // A select set that is too small: PHP says so, or a process with high descriptors turns in select.
    let high = output::select_set_too_small(&seen.output).is_some();
    let in_select = seen.stack.iter().take(2).any(|f| f.contains("stream_select") || f.contains("socket_select"))
        || seen.sleeping.as_ref().is_some_and(|s| matches!(s.call.as_str(), "select" | "pselect6"));
    if seen.highest_fd >= FD_SETSIZE && (high || in_select) {
        let how = if seen.busy() >= 0.5 {
            format!("and now spins at {}", percent(seen.cpu))
        } else {
            "and sleeps".to_owned()
        };
        return Finding::new(
            Cause::SelectSet,
            format!(
                "answers nobody: its select cannot watch descriptors from 1,024 on, it has {} up to number {} {how}",
                plural(seen.fds, "descriptor"),
                grouped(seen.highest_fd as u64)
            ),
            SELECT_ADVICE,
        )
        .by_sessions();
    }
    if let Some(limit) = output::memory_limit(&seen.output) {
        return memory_limit(&limit, "lost a process");
    }
    if let Some(limit) = seen.nofile
        && limit > 0
        && (seen.fds + 1 >= limit || output::too_many_open_files(&seen.output) && seen.fds + limit / 16 >= limit)
    {
        let how = if seen.busy() >= FULL { format!(" and spins at {}", percent(seen.cpu)) } else { String::new() };
        return Finding::new(
            Cause::DescriptorLimit,
            format!(
                "has {} descriptors open of the {} that it may have, so it can accept nobody{how}",
                grouped(seen.fds),
                grouped(limit)
            ),
            FD_ADVICE,
        )
        .by_sessions();
    }
    if matches!(seen.state, Some('T' | 't')) {
        let by = if seen.state == Some('t') { "a debugger" } else { "a signal" };
        return Finding::new(Cause::Stopped, format!("is stopped by {by}"), "Continue it with `kill -CONT PID`.");
    }
    if seen.busy() >= FULL {
        let place = place(&seen.stack).map_or(String::new(), |place| format!(" in {place}"));
        return Finding::new(
            Cause::Spinning,
            format!(
                "spins{place}: {} of a processor{} and not one reply in {}",
                percent(seen.cpu),
                ready(seen),
                silence(seen)
            ),
            "",
        );
    }
    if seen.busy() < ASLEEP
        && let Some(asleep) = asleep(seen)
    {
        return asleep;
    }
    if seen.state == Some('D') {
        let at = seen.wchan.as_deref().map_or(String::new(), |w| format!(" (kernel function {w})"));
        return Finding::new(Cause::Disk, format!("waits for a disk or a network file system{at}"), "");
    }
    if queue_full(seen) {
        return accept_queue(seen);
    }
    let doing =
        if seen.cpu >= 0.02 { format!("uses {} of a processor", percent(seen.cpu)) } else { "sleeps".to_owned() };
    let at = seen.wchan.as_deref().map_or(String::new(), |w| format!(" in the kernel function {w}"));
    Finding::new(Cause::Unknown, format!("{doing}{at} and sent no reply in {}", silence(seen)), "")
}

/// How long it could have run had the machine had room.
fn ready(seen: &Observations) -> String {
    match seen.waited {
        waited if waited < 0.05 => String::new(),
        waited => format!(" (and it wanted one for another {} of the time)", percent(waited)),
    }
}

/// What is to be said of a process whose main thread was found in a system call.
fn asleep(seen: &Observations) -> Option<Finding> {
    let sleeping = seen.sleeping.as_ref()?;
    let call = sleeping.call.as_str();
    let on = if sleeping.on.is_empty() { String::new() } else { format!(" on {}", sleeping.on) };
    let writes = matches!(call, "write" | "writev" | "sendto" | "sendmsg");
    let own_output = matches!(sleeping.fd, 1 | 2) || matches!(sleeping.kind, Some(crate::proc::Kind::Tty));
    let to_pipe = matches!(sleeping.kind, Some(crate::proc::Kind::Pipe));
    if writes && (own_output || to_pipe) {
        return Some(Finding::new(
            Cause::BlockedOutput,
            format!("is blocked writing its own output ({call}{on}): whoever should read it does not"),
            "Send the output to a file, or read it.",
        ));
    }
    let for_events = matches!(
        call,
        "select"
            | "pselect6"
            | "poll"
            | "ppoll"
            | "epoll_wait"
            | "epoll_pwait"
            | "accept"
            | "accept4"
            | "io_uring_enter"
    );
    if for_events && queue_full(seen) {
        return Some(accept_queue(seen));
    }
    let place = place(&seen.stack).map_or(String::new(), |place| format!(" at {place}"));
    let why = match call {
        _ if for_events => ": it waits for events that do not come",
        "nanosleep" | "clock_nanosleep" => ": it sleeps on purpose",
        _ if writes => ": the other side does not read",
        "futex" => ": it waits for a lock or for another thread",
        "flock" | "fcntl" => ": it waits for a file lock",
        "wait4" | "waitid" => ": it waits for a child process",
        "connect" => ": it waits for another server to answer",
        "fsync" | "fdatasync" => ": it waits for the disk",
        _ => "",
    };
    let what = format!("is asleep in {call}{on}{place}{why}, and sent no reply in {}", silence(seen));
    Some(Finding::new(Cause::Asleep, what, ""))
}

fn queue_full(seen: &Observations) -> bool {
    let full = seen.queue.is_some_and(|q| q.most > 0 && q.waiting >= q.most);
    full || seen.listen_overflows > 0
}

fn accept_queue(seen: &Observations) -> Finding {
    let queue = match seen.queue {
        // It was full a moment ago: what waits now is no longer what overflowed.
        Some(q) if q.most > 0 && q.waiting < q.most => format!(", which holds {}", grouped(u64::from(q.most))),
        Some(q) if q.most > 0 => {
            format!(" ({} wait, {} may)", grouped(u64::from(q.waiting)), grouped(u64::from(q.most)))
        }
        _ => String::new(),
    };
    let dropped = seen.listen_overflows.max(seen.listen_drops);
    let dropped = if dropped > 0 {
        format!(", and the kernel dropped {}", plural(dropped, "connection attempt"))
    } else {
        String::new()
    };
    Finding::new(
        Cause::AcceptQueue,
        format!("does not accept connections as fast as they come: its accept queue is full{queue}{dropped}"),
        "Accept in a loop until there is nothing to accept, or raise the listener's backlog (in PHP \
         stream_context_create(['socket' => ['backlog' => 511]])) and net.core.somaxconn.",
    )
    .by_sessions()
}

fn memory_limit(limit: &output::MemoryLimit, how: &str) -> Finding {
    let place = if limit.place.is_empty() { String::new() } else { format!(", in {}", limit.place) };
    Finding::new(
        Cause::MemoryLimit,
        format!(
            "{how} at PHP's memory_limit of {} (asked for {} more{place})",
            bytes(limit.limit as f64),
            bytes(limit.asked as f64)
        ),
        MEMORY_ADVICE,
    )
}

/// `Server->tick, at stream_select`: the innermost function of the program and the builtin that it called.
fn place(stack: &[String]) -> Option<String> {
    match stack {
        [] => None,
        [only] => Some(only.clone()),
        [inner, outer, ..] => Some(format!("{outer}, at {inner}")),
    }
}

fn silence(seen: &Observations) -> String {
    duration(std::time::Duration::from_secs_f64(seen.silent_seconds.max(0.0)))
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn evidence(seen: &Observations, cause: Cause) -> Vec<String> {
    let mut out = Vec::new();
    let mut say = |text: String| out.push(text);
    if let Some(q) = seen.queue
        && q.waiting > 0
        && cause != Cause::AcceptQueue
    {
        say(format!(
            "{} wait in its accept queue, which holds {}",
            plural(u64::from(q.waiting), "connection"),
            grouped(u64::from(q.most))
        ));
    }
    if seen.listen_overflows > 0 && cause != Cause::AcceptQueue {
        say(format!(
            "the kernel dropped {} at full accept queues",
            plural(seen.listen_overflows, "connection attempt")
        ));
    }
    if let (None, Some(limit)) = (seen.ended, seen.nofile)
        && cause != Cause::DescriptorLimit
    {
        say(format!(
            "{} open, the highest is number {}, the limit {}",
            plural(seen.fds, "descriptor"),
            seen.highest_fd,
            grouped(limit)
        ));
    }
    if let Some(s) = &seen.sleeping
        && cause != Cause::Asleep
        && seen.busy() < FULL
    {
        say(format!("last seen in the system call {}", s.call));
    }
    if !seen.stack.is_empty() {
        say(format!("stack, innermost first: {}", seen.stack.join(" < ")));
    }
    if matches!(seen.ended, Some(Ended::Signal(libc::SIGKILL))) && seen.oom_kills == 0 && !seen.stopped_by_us {
        say("no kill for want of memory was counted; somebody else sent the signal".to_owned());
    }
    if seen.ended.is_some()
        && cause != Cause::Exited
        && let Some(line) = output::last_line(&seen.output)
    {
        say(format!("its last line: {line}"));
    }
    out
}

fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |s| s.as_str().to_owned())
}

fn signal_meaning(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => " (it touched memory that is not its own)",
        libc::SIGBUS => " (it touched memory that has nothing behind it, a file cut short say)",
        libc::SIGILL => " (an instruction that this processor does not have, or a deliberate trap)",
        libc::SIGFPE => " (an impossible division)",
        libc::SIGABRT => " (it gave itself up)",
        libc::SIGKILL => " (somebody killed it)",
        libc::SIGXCPU => " (its limit of CPU time)",
        libc::SIGXFSZ => " (its limit of file size)",
        libc::SIGPIPE => " (it wrote to somebody who had gone)",
        libc::SIGSYS => " (a system call that a filter forbids)",
        _ => "",
    }
}
