//! `profile-run watch` must say of a process what the process knows of itself: its descriptors by its
//! own count, the state of each socket as the kernel tells its owner (TCP_INFO), its memory.
//!
//! The process watched is this test binary again, in the role that `WATCH_SUBJECT` names: it opens
//! things, prints what it knows as one line of JSON, and waits.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use serde_json::{Value, json};

const HIGHEST: RawFd = 12_000;

// ---- the process that is watched ----

/// No test: the other half of the tests below, which start it as a process of its own.
#[test]
fn subject() {
    let Ok(role) = std::env::var("WATCH_SUBJECT") else { return };
    let kept: Vec<OwnedFd> = match role.as_str() {
        "mixed" => mixed(),
        "many" => many(5000),
        "listeners" => listeners(),
        other => panic!("no role {other}"),
    };
    let mut knows = what_it_knows();
    // The kernel may still be busy with what was asked of it last.
    loop {
        std::thread::sleep(std::time::Duration::from_millis(60));
        let again = what_it_knows();
        if again["sockets"] == knows["sockets"] && again["sockets"].get("FIN_WAIT1").is_none() {
            break;
        }
        knows = again;
    }
    let mut line = what_it_knows().to_string();
    line.push('\n');
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read(&mut [0]);
    drop(kept);
}

fn own(fd: impl IntoRawFd) -> OwnedFd {
    // SAFETY: the descriptor was just given up by its owner.
    unsafe { OwnedFd::from_raw_fd(fd.into_raw_fd()) }
}

fn check(fd: RawFd) -> OwnedFd {
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the call that made it succeeded, and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn raw_tcp() -> OwnedFd {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap()
}

/// A bit of everything.
fn mixed() -> Vec<OwnedFd> {
    let mut kept = Vec::new();
    let four = TcpListener::bind("127.0.0.1:0").unwrap();
    let six = TcpListener::bind("[::1]:0").unwrap();
    // An unspecified IPv6 address takes IPv4 too: the sockets are IPv6, the peers are not.
    let dual = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let pair = |listener: &TcpListener, address: SocketAddr| {
        let client = TcpStream::connect(address).unwrap();
        (client, listener.accept().unwrap().0)
    };
    let at = |listener: &TcpListener| listener.local_addr().unwrap();
    let dual_by_four = SocketAddr::from(([127, 0, 0, 1], at(&dual).port()));
    for (listener, address, times) in [(&four, at(&four), 5), (&six, at(&six), 3), (&dual, dual_by_four, 4)] {
        for _ in 0..times {
            let (client, server) = pair(listener, address);
            kept.extend([own(client), own(server)]);
        }
    }
    // The other side closed: 17 times here, of each family.
    for (listener, address, times) in [(&four, at(&four), 9), (&six, at(&six), 6), (&dual, dual_by_four, 2)] {
        for _ in 0..times {
            kept.push(own(pair(listener, address).1));
        }
    }
    // We closed our half only.
    let (client, server) = pair(&four, at(&four));
    client.shutdown(std::net::Shutdown::Write).unwrap();
    kept.extend([own(client), own(server)]);
    // The other side reset the connection: no table lists what is left.
    for _ in 0..3 {
        let (client, server) = pair(&four, at(&four));
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the option's value lives through the call and has the size that is given.
        let done = unsafe {
            libc::setsockopt(
                client.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of_val(&linger) as u32,
            )
        };
        assert_eq!(done, 0);
        drop(client);
        kept.push(own(server));
    }
    // Never connected, and bound only.
    kept.extend([raw_tcp(), raw_tcp()]);
    let bound = raw_tcp();
    nix::sys::socket::bind(bound.as_raw_fd(), &nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    kept.push(bound);
    // The same socket under two more numbers.
    kept.extend([own(four.try_clone().unwrap()), own(four.try_clone().unwrap())]);
    // What is no TCP socket.
    for _ in 0..4 {
        kept.push(own(UdpSocket::bind("127.0.0.1:0").unwrap()));
    }
    let (a, b) = UnixStream::pair().unwrap();
    kept.extend([own(a), own(b)]);
    let (r, w) = std::io::pipe().unwrap();
    kept.extend([own(r), own(w)]);
    // SAFETY: plain calls that make descriptors; the arguments are constants.
    unsafe {
        kept.push(check(libc::eventfd(0, 0)));
        kept.push(check(libc::epoll_create1(0)));
        kept.push(check(libc::timerfd_create(libc::CLOCK_MONOTONIC, 0)));
        kept.push(check(libc::inotify_init1(0)));
        kept.push(check(libc::memfd_create(c"subject".as_ptr(), 0)));
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        kept.push(check(libc::signalfd(-1, &none, 0)));
    }
    let folder = tempfile::tempdir().unwrap();
    for i in 0..7 {
        kept.push(own(std::fs::File::create(folder.path().join(format!("m{i}"))).unwrap()));
    }
    drop(folder); // the files live on, deleted
    kept.extend([own(four), own(six), own(dual)]);
    kept
}

fn many(sockets: usize) -> Vec<OwnedFd> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut kept = Vec::new();
    while kept.len() + 2 < sockets {
        kept.push(own(TcpStream::connect(listener.local_addr().unwrap()).unwrap()));
        kept.push(own(listener.accept().unwrap().0));
    }
    kept.push(own(listener));
    while kept.len() < sockets {
        kept.push(raw_tcp());
    }
    kept
}

fn listeners() -> Vec<OwnedFd> {
    let any = [own(TcpListener::bind("0.0.0.0:0").unwrap()), own(TcpListener::bind("[::]:0").unwrap())];
    any.into_iter().chain([raw_tcp()]).collect()
}

/// What the process knows of itself, without looking at what `watch` looks at.
fn what_it_knows() -> Value {
    let mut fds = 0;
    let mut by_type: BTreeMap<&str, u32> = BTreeMap::new();
    let mut states: BTreeMap<&str, u32> = BTreeMap::new();
    let mut seen = std::collections::HashSet::new();
    for fd in 0..HIGHEST {
        // SAFETY: asks for the flags of a number, which may be no descriptor.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            continue;
        }
        fds += 1;
        // SAFETY: the descriptor is open, and the buffer is a whole stat.
        let stat = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            assert_eq!(libc::fstat(fd, &mut stat), 0);
            stat
        };
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFSOCK => *by_type.entry("socket").or_default() += 1,
            libc::S_IFIFO => *by_type.entry("pipe").or_default() += 1,
            _ => continue,
        }
        let is_tcp = option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
            && matches!(option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN), Some(libc::AF_INET | libc::AF_INET6));
        if is_tcp && seen.insert(stat.st_ino) {
            const NAMES: [&str; 12] = [
                "?",
                "ESTABLISHED",
                "SYN_SENT",
                "SYN_RECV",
                "FIN_WAIT1",
                "FIN_WAIT2",
                "TIME_WAIT",
                "CLOSE",
                "CLOSE_WAIT",
                "LAST_ACK",
                "LISTEN",
                "CLOSING",
            ];
            // The first byte of struct tcp_info is the state.
            let state = option(fd, libc::IPPROTO_TCP, libc::TCP_INFO).unwrap() & 0xff;
            *states.entry(NAMES[state as usize]).or_default() += 1;
        }
    }
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let rss = rollup.lines().find_map(|l| l.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    json!({ "fds": fds, "types": by_type, "sockets": states, "rss": rss.unwrap() * 1024 })
}

/// The first four bytes of a socket option.
fn option(fd: RawFd, level: i32, name: i32) -> Option<i32> {
    let mut value = 0i32;
    let mut length = size_of::<i32>() as u32;
    // SAFETY: the kernel writes at most the length that is given.
    let done = unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut length) };
    (done == 0).then_some(value)
}

// ---- the tests ----

/// The other process; ends with the test.
struct Subject {
    child: Child,
    knows: Value,
}

impl Subject {
    fn start(role: &str) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), role)
    }

    fn start_by(mut command: Command, role: &str) -> Self {
        let mut child = command
            .args(["watch::subject", "--exact", "--nocapture", "--test-threads=1"])
            .env("WATCH_SUBJECT", role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The harness prints a line or two of its own before; ours begins with a brace.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.map_while(Result::ok).find_map(|l| l.find('{').map(|at| l[at..].to_owned()));
        let knows = line.and_then(|l| serde_json::from_str(&l).ok());
        let Some(knows) = knows else {
            let _ = child.kill();
            panic!("the subject did not say what it knows: {:?}", child.wait());
        };
        Self { child, knows }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn watch(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("watch").args(args).output().unwrap()
}

fn once(pid: &str) -> Value {
    let output = watch(&["--pid", pid, "--once", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn agrees(said: &Value, subject: &Subject) {
    let knows = &subject.knows;
    assert_eq!(said["pid"], subject.child.id());
    assert_eq!(said["sockets"], knows["sockets"]);
    assert_eq!(said["fds"]["total"], knows["fds"]);
    let kinds = said["fds"].as_object().unwrap();
    let sum: u64 = kinds.iter().filter(|(k, _)| *k != "total").map(|(_, n)| n.as_u64().unwrap()).sum();
    assert_eq!(Some(sum), said["fds"]["total"].as_u64());
    for (kind, count) in knows["types"].as_object().unwrap() {
        assert_eq!(&said["fds"][kind], count, "{kind}");
    }
    let bytes = |key: &str| said[key].as_f64().unwrap();
    let own = knows["rss"].as_f64().unwrap();
    // It went on for some instructions after it looked; a page cache page or two may have come in.
    assert!((bytes("rss") - own).abs() < 256.0 * 1024.0, "rss {} against {own}", bytes("rss"));
    assert_eq!(bytes("rss"), bytes("rss_anon") + bytes("rss_file") + bytes("rss_shmem"));
    assert!(bytes("vsz") > bytes("rss"));
}

#[test]
fn says_what_the_process_knows_of_itself() {
    let subject = Subject::start("mixed");
    let said = once(&subject.pid());
    agrees(&said, &subject);
    let expected = json!({
        "ESTABLISHED": 24, // 12 connections, both ends
        "FIN_WAIT2": 1,
        "CLOSE": 6, // 3 reset, 2 never connected, 1 bound only
        "CLOSE_WAIT": 18, // 17, and the other end of the half that we closed
        "LISTEN": 3,
    });
    assert_eq!(said["sockets"], expected);
    for kind in ["eventfd", "epoll", "timerfd", "signalfd", "inotify", "memfd"] {
        assert_eq!(said["fds"][kind], 1, "{kind} in {}", said["fds"]);
    }
    let groups = said["descriptors"].as_array().unwrap();
    let count = |part: &str| -> u64 {
        groups.iter().filter(|g| g["name"].as_str().unwrap().contains(part)).map(|g| g["count"].as_u64().unwrap()).sum()
    };
    assert_eq!(count("/* (deleted)"), 7);
    assert_eq!(count("sockets in CLOSE_WAIT to clients"), 18);
    assert_eq!(count("UDP sockets"), 4);
    assert_eq!(count("UNIX sockets"), 2);
}

#[test]
fn five_thousand_sockets() {
    let subject = Subject::start("many");
    let said = once(&subject.pid());
    agrees(&said, &subject);
    assert_eq!(said["sockets"], json!({"ESTABLISHED": 4998, "CLOSE": 1, "LISTEN": 1}));
}

#[test]
fn another_network_namespace_is_read_from_inside() {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]);
    if !command.arg("true").status().is_ok_and(|s| s.success()) {
        println!("left out: this machine lets nobody make a namespace");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]).arg(std::env::current_exe().unwrap());
    let subject = Subject::start_by(command, "listeners");
    let said = once(&subject.pid());
    assert_eq!(said["sockets"], json!({"CLOSE": 1, "LISTEN": 2}));
    agrees(&said, &subject);
}

#[test]
fn nobody_is_exit_2_with_a_sentence() {
    let mut gone = Command::new("true").spawn().unwrap();
    let pid = gone.id().to_string();
    gone.wait().unwrap();
    for more in [&["--once"][..], &["--once", "--json"], &["--json"], &[]] {
        let output = watch(&[&["--pid", &pid], more].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(output.stdout.is_empty());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&format!("no process with pid {pid}")), "{text}");
    }
    for bad in [&["--pid", "0"][..], &["--pid", "-3"], &["--pid", "x"], &[], &["--pid", "1", "--interval", "0"]] {
        assert_eq!(watch(bad).status.code(), Some(2), "{bad:?}");
    }
}

#[test]
fn follows_until_the_process_ends() {
    let mut child = Command::new("sleep").arg("0.5").spawn().unwrap();
    let reaper = std::thread::spawn({
        let pid = child.id().to_string();
        move || watch(&["--pid", &pid, "--json", "--interval", "100ms"])
    });
    child.wait().unwrap();
    let output = reaper.join().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.len() >= 2, "{} lines", lines.len());
    assert!(lines.windows(2).all(|w| w[0]["seconds"].as_f64() < w[1]["seconds"].as_f64()));
    assert!(String::from_utf8(output.stderr).unwrap().contains("has ended"));
}

#[test]
fn a_table_for_people() {
    let subject = Subject::start("mixed");
    let text = String::from_utf8(watch(&["--pid", &subject.pid(), "--once"]).stdout).unwrap();
    for part in ["rss", "tcp sockets  52: 24 ESTABLISHED", "18 CLOSE_WAIT", "18 sockets in CLOSE_WAIT to clients"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn the_heap_stands_in_the_lines_of_a_pipe_too() {
    let mut php = Command::new("php").args(["-r", "fgets(STDIN);"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = php.id().to_string();
    let mut watch = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["watch", "--heap", "--interval", "100ms", "--pid", &pid])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The first look may meet a PHP that is still starting.
    let lines: Vec<String> =
        BufReader::new(watch.stdout.take().unwrap()).lines().take(30).map(|line| line.unwrap()).collect();
    for child in [&mut watch, &mut php] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let column = lines[0].split_whitespace().position(|name| name == "heap");
    assert_eq!(column, Some(4), "{}", lines[0]);
    assert!(lines.last().unwrap().split_whitespace().filter(|word| *word == "KiB" || *word == "MiB").count() >= 4);
}
