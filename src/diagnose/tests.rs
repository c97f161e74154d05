//! The sentences, one table of observations after the other.

use super::{Cause, Diagnosis, Ended, Observations, Queue, Sleeping, diagnose};
use crate::proc::Kind;

fn alive() -> Observations {
    Observations {
        silent_seconds: 30.0,
        state: Some('S'),
        fds: 12,
        highest_fd: 14,
        nofile: Some(20_000),
        ..Observations::default()
    }
}

fn dead(ended: Ended, output: &str) -> Observations {
    Observations { ended: Some(ended), output: output.to_owned(), highest_fd: -1, ..Observations::default() }
}

fn in_call(call: &str, fd: i32, kind: Option<Kind>, on: &str) -> Observations {
    let sleeping = Sleeping { call: call.to_owned(), on: on.to_owned(), fd, kind };
    Observations { sleeping: Some(sleeping), ..alive() }
}

#[track_caller]
fn says(seen: &Observations, cause: Cause, sentence: &str) -> Diagnosis {
    let diagnosis = diagnose(seen);
    assert_eq!((diagnosis.cause, diagnosis.sentence.as_str()), (cause, sentence));
    diagnosis
}

#[test]
fn select_at_1024_alive_and_dead() {
    let seen = Observations {
        cpu: 0.95,
        fds: 1031,
        highest_fd: 1030,
        open_sessions: 1017,
        stage: Some("waiting for the greeting".to_owned()),
        stack: vec!["stream_select".to_owned(), "Server->tick".to_owned(), "{main}".to_owned()],
        ..alive()
    };
    let diagnosis = says(
        &seen,
        Cause::SelectSet,
        "With 1,017 sessions open, waiting for the greeting, the server answers nobody: its select cannot watch \
         descriptors from 1,024 on, it has 1,031 descriptors up to number 1,030 and now spins at 95%.",
    );
    assert_eq!(diagnosis.from_sessions, Some(1017));
    assert!(diagnosis.evidence.contains(&"stack, innermost first: stream_select < Server->tick < {main}".to_owned()));

    let text = "*** buffer overflow detected ***: terminated\n";
    let seen = Observations { open_sessions: 1017, ..dead(Ended::Signal(libc::SIGABRT), text) };
    let diagnosis = diagnose(&seen);
    assert_eq!((diagnosis.cause, diagnosis.from_sessions), (Cause::SelectSetAborted, Some(1017)));
    assert!(diagnosis.sentence.contains("died of SIGABRT (\"buffer overflow detected\")"), "{}", diagnosis.sentence);
    // The message lost, the last sample still had the descriptors.
    let seen = Observations { fds: 1025, ..dead(Ended::Signal(libc::SIGABRT), "") };
    assert_eq!(diagnose(&seen).cause, Cause::SelectSetAborted);
    assert_eq!(diagnose(&dead(Ended::Signal(libc::SIGABRT), "assert failed")).cause, Cause::Crash);
}

#[test]
fn many_descriptors_alone_are_no_select_stall() {
    let seen = Observations { cpu: 0.99, fds: 3000, highest_fd: 3002, ..alive() };
    assert_eq!(diagnose(&seen).cause, Cause::Spinning);
    let on_epoll = Observations { fds: 3000, highest_fd: 3002, ..in_call("epoll_wait", 4, Some(Kind::Epoll), "") };
    assert_eq!(diagnose(&on_epoll).cause, Cause::Asleep);
}

#[test]
fn the_descriptor_limit() {
    let seen =
        Observations { fds: 1024, highest_fd: 1023, nofile: Some(1024), open_sessions: 1015, cpu: 0.97, ..alive() };
    let diagnosis = says(
        &seen,
        Cause::DescriptorLimit,
        "With 1,015 sessions open, the server has 1,024 descriptors open of the 1,024 that it may have, so it can \
         accept nobody and spins at 97%.",
    );
    assert_eq!(diagnosis.from_sessions, Some(1015));
    // The complaint alone, long ago and with room now, is no limit.
    let past = Observations { output: "accept(): Too many open files".to_owned(), ..alive() };
    assert_ne!(diagnose(&past).cause, Cause::DescriptorLimit);
}

#[test]
fn one_that_spins_on_a_loaded_machine_gets_a_part_of_a_processor() {
    let seen = Observations { cpu: 0.51, waited: 0.46, state: Some('R'), sessions_done: 500, ..alive() };
    let diagnosis = diagnose(&seen);
    assert_eq!(diagnosis.cause, Cause::Spinning);
    assert!(diagnosis.sentence.contains("51% of a processor (and it wanted one for another 46% of the time)"));
    let seen = Observations { cpu: 0.3, waited: 0.1, ..seen };
    assert_ne!(diagnose(&seen).cause, Cause::Spinning);
}

#[test]
fn spinning() {
    let stack = vec!["Mime->parse".to_owned(), "Session->data".to_owned()];
    let seen = Observations { cpu: 0.99, state: Some('R'), sessions_done: 500, stack, ..alive() };
    says(
        &seen,
        Cause::Spinning,
        "After 500 sessions, the server spins in Session->data, at Mime->parse: 99% of a processor and not one \
         reply in 30 s.",
    );
}

#[test]
fn asleep_in_a_call_by_name() {
    says(
        &in_call("nanosleep", -1, None, ""),
        Cause::Asleep,
        "The server is asleep in nanosleep: it sleeps on purpose, and sent no reply in 30 s.",
    );
    says(
        &in_call("recvfrom", 9, Some(Kind::Socket), "a connection with 10.0.0.9:3306"),
        Cause::Asleep,
        "The server is asleep in recvfrom on a connection with 10.0.0.9:3306, and sent no reply in 30 s.",
    );
    // A full accept queue is then what follows from it, not what it comes from.
    let queue = Some(Queue { waiting: 129, most: 128 });
    let seen = Observations { queue, listen_overflows: 7, ..in_call("flock", 5, Some(Kind::File), "/var/spool/lock") };
    let diagnosis = diagnose(&seen);
    assert_eq!(diagnosis.cause, Cause::Asleep);
    assert!(diagnosis.evidence[0].starts_with("129 connections wait in its accept queue"), "{:?}", diagnosis.evidence);
}

#[test]
fn writing_its_own_output() {
    says(
        &in_call("write", 1, Some(Kind::Pipe), "a pipe"),
        Cause::BlockedOutput,
        "The server is blocked writing its own output (write on a pipe): whoever should read it does not.",
    );
    let to_client = in_call("sendto", 9, Some(Kind::Socket), "a connection with 127.0.0.1:40000");
    assert_eq!(diagnose(&to_client).cause, Cause::Asleep);
}

#[test]
fn the_accept_queue() {
    let queue = Some(Queue { waiting: 129, most: 128 });
    let seen = Observations { queue, listen_overflows: 40, listen_drops: 44, open_sessions: 200, cpu: 0.4, ..alive() };
    let diagnosis = says(
        &seen,
        Cause::AcceptQueue,
        "With 200 sessions open, the server does not accept connections as fast as they come: its accept queue is \
         full (129 wait, 128 may), and the kernel dropped 44 connection attempts.",
    );
    assert_eq!(diagnosis.from_sessions, Some(200));
}

#[test]
fn out_of_memory_by_php_and_by_the_kernel() {
    let line = "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 4096 bytes) \
        in /srv/src/Buffer.php on line 41";
    let diagnosis = says(
        &dead(Ended::Code(255), line),
        Cause::MemoryLimit,
        "The server ended at PHP's memory_limit of 128 MiB (asked for 4 KiB more, in /srv/src/Buffer.php on line 41).",
    );
    assert!(diagnosis.advice.contains("not what leaks"));
    let seen = Observations { oom_kills: 1, cgroup_limit: Some(256 << 20), ..dead(Ended::Signal(libc::SIGKILL), "") };
    says(
        &seen,
        Cause::KernelOom,
        "The server was killed by the kernel's OOM killer: its control group's limit of 256 MiB was reached.",
    );
    let seen = dead(Ended::Signal(libc::SIGKILL), "");
    assert_eq!(diagnose(&seen).cause, Cause::Crash);
}

#[test]
fn crashes_and_exits() {
    says(
        &dead(Ended::Signal(libc::SIGSEGV), ""),
        Cause::Crash,
        "The server died of SIGSEGV (it touched memory that is not its own).",
    );
    assert_eq!(
        diagnose(&dead(Ended::Code(139), "")).sentence,
        "The server died of SIGSEGV (it touched memory that is not its own) (so says its exit code 139)."
    );
    says(
        &dead(Ended::Code(255), "PHP Fatal error:  Uncaught Error: no such queue\nStack trace:\n#0 {main}\n"),
        Cause::Exited,
        "The server ended by itself with exit code 255; its last word: PHP Fatal error:  Uncaught Error: no such queue.",
    );
    let seen = Observations { state: Some('T'), ..alive() };
    assert_eq!(diagnose(&seen).cause, Cause::Stopped);
    assert_eq!(diagnose(&alive()).cause, Cause::Unknown);
}
