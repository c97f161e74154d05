//! The stop ladder: a polite signal, the same again, and at the deadline the one that cannot be refused.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::launch::{Target, describe};
use super::tree::Family;
use crate::proc::{Process, wait_for_an_end};

/// Between two polite signals. Within a fiber the prepended handler must not exit, so it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long SIGKILL is sent again: a process in the kernel cannot be hurried.
const KILL: Duration = Duration::from_secs(5);

/// How long a container's client may go on with making the container.
const MAKING: Duration = Duration::from_millis(2_500);

/// How long a container's client may take when the server has ended.
const CLIENT: Duration = Duration::from_secs(10);

/// What is born while the end of the others is waited for is seen after this long.
const LOOK: Duration = Duration::from_millis(100);

/// How a stop went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// In words: `exit code 0 after SIGTERM`.
    pub how: String,
    /// Some of it had to be killed.
    pub killed: bool,
}

/// Stops the whole tree and waits until none of it is left. SIGTERM goes to every process of it,
/// parents first; what still lives at the deadline is killed.
pub fn stop(target: &Target, deadline: Duration) -> Stopped {
    if target.is_attached() && target.exited().is_none() {
        return Stopped { how: "goes on running".to_owned(), killed: false };
    }
    let begin = Instant::now();
    if let Some(status) = target.exited()
        && target.left().is_empty()
    {
        target.clear(false);
        return Stopped { how: describe(status), killed: false };
    }
    let mut next_signal = begin;
    let mut was_alive = begin;
    let mut deaf = false;
    while begin.elapsed() < deadline || was_alive.elapsed() < CLIENT && target.alive().is_empty() {
        let (alive, left) = (target.alive(), target.left());
        if left.is_empty() && target.exited().is_some() {
            let how = match target.exited() {
                Some(status) if status.signal() == Some(Signal::SIGTERM as i32) => "ended by SIGTERM".to_owned(),
                status => format!("{} after SIGTERM", status.map(describe).unwrap_or_default()),
            };
            target.clear(true);
            return Stopped { how, killed: false };
        }
        if !alive.is_empty() || target.is_awaited() {
            was_alive = Instant::now();
        }
        if Instant::now() >= next_signal {
            // A container's client ends with the server, and tidies up after it. One that is asked while it makes the
            // container leaves behind what no engine removes: it is given a moment.
            match target.is_awaited() {
                false => ask_to_end(&alive),
                true if begin.elapsed() > MAKING => ask_to_end(&left),
                true => {}
            }
            next_signal = if target.is_awaited() { Instant::now() + LOOK } else { next_signal + AGAIN };
        }
        deaf = !alive.is_empty() && alive.iter().all(|pid| is_deaf(*pid));
        if deaf {
            break;
        }
        wait_for_an_end(&left, LOOK);
    }
    let ended = target.alive().is_empty() && !target.is_awaited();
    kill_tree(target);
    target.clear(true);
    if ended {
        // Its container's client was only late.
        return Stopped { how: "ended after SIGTERM".to_owned(), killed: false };
    }
    let how = target.exited().map(describe).unwrap_or_default();
    if deaf {
        let why = "killed, as the first process of a container hears no SIGTERM that it has no handler for (--init)";
        return Stopped { how: why.to_owned() + &suffix(&how), killed: true };
    }
    Stopped {
        how: format!("killed, as SIGTERM had not ended it within {} s", deadline.as_secs()) + &suffix(&how),
        killed: true,
    }
}

/// SIGTERM to each, parents first.
fn ask_to_end(pids: &[i32]) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGTERM);
        // A stopped process would never take the signal up.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGCONT);
    }
}

/// The first process of a pid namespace gets no signal from outside that it does not handle, but SIGKILL.
fn is_deaf(pid: i32) -> bool {
    let handles = |caught: u64| caught & 1 << (Signal::SIGTERM as i32 - 1) != 0;
    let status = Process::open(pid).and_then(|process| process.status());
    status.is_ok_and(|status| pid != 1 && status.own_pid == 1 && !handles(status.signals_caught))
}

fn kill_each(pids: &[i32]) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
}

/// Stops a family that nobody asks the end of: politely, and at the deadline for good.
pub fn stop_all(family: &Family, deadline: Duration) {
    let begin = Instant::now();
    let mut next_signal = begin;
    while begin.elapsed() < deadline + KILL {
        let alive = family.members();
        if alive.is_empty() {
            return;
        }
        if begin.elapsed() >= deadline {
            kill_each(&alive);
        } else if Instant::now() >= next_signal {
            ask_to_end(&alive);
            next_signal += AGAIN;
        }
        wait_for_an_end(&alive, LOOK);
    }
}

fn suffix(how: &str) -> String {
    if how.is_empty() { String::new() } else { format!(" ({how})") }
}

/// Kills what is left of the tree, and waits for it; bounded, as a process in the kernel cannot be hurried.
pub fn kill_tree(target: &Target) {
    let begin = Instant::now();
    while begin.elapsed() < KILL {
        let (alive, left) = (target.alive(), target.left());
        if left.is_empty() && target.exited().is_some() {
            return;
        }
        // A container's client is given a moment to see the end.
        let client_too = alive.is_empty() && begin.elapsed() > KILL / 2 || target.is_awaited();
        kill_each(if target.engine().is_none() || client_too { &left } else { &alive });
        wait_for_an_end(&left, LOOK);
    }
}
