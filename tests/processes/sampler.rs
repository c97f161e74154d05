//! The sampler and the floors against processes whose truth is known.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use profile_run::diagnose::{Cause, Ended, Observations, Witness, diagnose};
use profile_run::model::Clock;
use profile_run::model::Sample;
use profile_run::proc::{Process, SocketTable, State, held_tcp, states};
use profile_run::sampler::{Rates, Reader, Sampler, Sink, SocketSample, Trackers, survivors};
use profile_run::server::listeners::{listening, outside_mail_connections};
use proptest::prelude::*;

/// What may happen to a process's descriptors between two looks.
#[derive(Debug, Clone, Copy)]
enum Step {
    Connect,
    ConnectOnly,
    Accept,
    PeerCloses(usize),
    PeerResets(usize),
    Close(usize),
    Duplicate(usize),
    FreshTcp,
    Udp,
    File,
    SwapForFile(usize),
    SwapForSocket(usize),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Connect),
        1 => Just(Step::ConnectOnly),
        2 => Just(Step::Accept),
        2 => (0..64usize).prop_map(Step::PeerCloses),
        1 => (0..64usize).prop_map(Step::PeerResets),
        2 => (0..64usize).prop_map(Step::Close),
        1 => (0..64usize).prop_map(Step::Duplicate),
        1 => Just(Step::FreshTcp),
        1 => Just(Step::Udp),
        1 => Just(Step::File),
        1 => (0..64usize).prop_map(Step::SwapForFile),
        1 => (0..64usize).prop_map(Step::SwapForSocket),
        4 => Just(Step::Look),
    ]
}

/// A process that holds what it is told to: this test's child, steered through its input.
mod puppet {
    use super::*;
    use std::process::{ChildStdin, ChildStdout};

    /// Not a test: the puppet's body.
    pub fn body() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut out = std::io::stdout();
        out.write_all(format!("\n@{port}\n").as_bytes()).unwrap();
        out.flush().unwrap();
        let mut held: Vec<OwnedFd> = Vec::new();
        let mut order = [0u8; 2];
        while std::io::stdin().read_exact(&mut order).is_ok() {
            let at = |held: &Vec<OwnedFd>| order[1] as usize % held.len().max(1);
            let file = || OwnedFd::from(std::fs::File::open("/etc/hostname").unwrap());
            match order[0] {
                b'a' => held.push(listener.accept().unwrap().0.into()),
                b'c' if !held.is_empty() => drop(held.swap_remove(at(&held))),
                b'd' if !held.is_empty() => held.push(held[at(&held)].try_clone().unwrap()),
                b't' => held.push(fresh()),
                b'u' => held.push(UdpSocket::bind("127.0.0.1:0").unwrap().into()),
                b'f' => held.push(file()),
                b'F' if !held.is_empty() => swap(&held[at(&held)], file()),
                b'S' if !held.is_empty() => swap(&held[at(&held)], fresh()),
                _ => {}
            }
            out.write_all(b".").unwrap();
            out.flush().unwrap();
        }
    }

    fn fresh() -> OwnedFd {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
        socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap()
    }

    /// The same number, another thing behind it.
    fn swap(held: &OwnedFd, by: OwnedFd) {
        // SAFETY: both descriptors are open; the number stays owned by `held`.
        assert!(unsafe { libc::dup2(by.as_raw_fd(), held.as_raw_fd()) } >= 0);
    }

    pub struct Puppet {
        child: Child,
        input: ChildStdin,
        output: ChildStdout,
        pub port: u16,
    }

    impl Puppet {
        pub fn start() -> Self {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["sampler::puppet_body", "--exact", "--nocapture", "--test-threads=1"])
                .env("SAMPLE_PUPPET", "1")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let mut port = String::new();
            let mut seen = false;
            loop {
                let mut byte = [0];
                output.read_exact(&mut byte).unwrap();
                match byte[0] {
                    b'@' => seen = true,
                    b'\n' if seen => break,
                    b if seen => port.push(b as char),
                    _ => {}
                }
            }
            Self { child, input, output, port: port.parse().unwrap() }
        }

        pub fn pid(&self) -> i32 {
            self.child.id() as i32
        }

        pub fn order(&mut self, what: u8, which: usize) {
            self.input.write_all(&[what, which as u8]).unwrap();
            self.output.read_exact(&mut [0]).unwrap();
        }
    }

    impl Drop for Puppet {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[test]
fn puppet_body() {
    if std::env::var_os("SAMPLE_PUPPET").is_some() {
        puppet::body();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The cheap looks agree with the thorough one after whatever happened in between.
    #[test]
    fn tracking_is_as_good_as_reading_everything(steps in prop::collection::vec(step(), 1..60), frugal: bool) {
        let mut puppet = puppet::Puppet::start();
        let process = Process::open(puppet.pid()).unwrap();
        let mut trackers = if frugal { Trackers::frugal() } else { Trackers::default() };
        let mut clients: Vec<TcpStream> = Vec::new();
        let mut waiting = 0;
        for step in steps.into_iter().chain([Step::Look]) {
            match step {
                Step::ConnectOnly => {
                    clients.push(TcpStream::connect(("127.0.0.1", puppet.port)).unwrap());
                    waiting += 1;
                }
                Step::Accept if waiting > 0 => {
                    puppet.order(b'a', 0);
                    waiting -= 1;
                }
                Step::Accept => {}
                Step::Connect => {
                    clients.push(TcpStream::connect(("127.0.0.1", puppet.port)).unwrap());
                    puppet.order(b'a', 0);
                }
                Step::PeerCloses(i) if !clients.is_empty() => drop(clients.swap_remove(i % clients.len())),
                Step::PeerResets(i) if !clients.is_empty() => {
                    let client = clients.swap_remove(i % clients.len());
                    reset(client);
                }
                Step::PeerCloses(_) | Step::PeerResets(_) => {}
                Step::Close(i) => puppet.order(b'c', i),
                Step::Duplicate(i) => puppet.order(b'd', i),
                Step::FreshTcp => puppet.order(b't', 0),
                Step::Udp => puppet.order(b'u', 0),
                Step::File => puppet.order(b'f', 0),
                Step::SwapForFile(i) => puppet.order(b'F', i),
                Step::SwapForSocket(i) => puppet.order(b'S', i),
                Step::Look => {
                    trackers.look(&[&process]);
                    let descriptors = process.descriptors().unwrap();
                    let held = held_tcp(&process, &descriptors, &mut SocketTable::of_files()).unwrap();
                    let tracker = trackers.get(puppet.pid()).unwrap();
                    prop_assert_eq!(tracker.states(), states(held.values()));
                    prop_assert_eq!(tracker.descriptors().len(), descriptors.len());
                }
            }
        }
    }
}

fn reset(client: TcpStream) {
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
}

/// What a sampler handed out.
#[derive(Default, Clone)]
struct Log(Arc<Mutex<Logged>>);

#[derive(Default)]
struct Logged {
    samples: Vec<Sample>,
    sockets: Vec<SocketSample>,
    appeared: Vec<i32>,
    ended: Vec<i32>,
}

impl Sink for Log {
    fn sample(&mut self, sample: &Sample) {
        self.0.lock().unwrap().samples.push(*sample);
    }
    fn sockets(&mut self, sample: &SocketSample) {
        self.0.lock().unwrap().sockets.push(sample.clone());
    }
    fn appeared(&mut self, _: f64, pid: i32) {
        self.0.lock().unwrap().appeared.push(pid);
    }
    fn ended(&mut self, _: f64, pid: i32) {
        self.0.lock().unwrap().ended.push(pid);
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_sampler_follows_a_family_that_comes_and_goes() {
    // A shell that starts a child, waits for its end, and goes on.
    let mut shell = Command::new("sh").args(["-c", "sleep 60 & wait; exec sleep 60"]).spawn().unwrap();
    let root = shell.id() as i32;
    let log = Log::default();
    let rates = Rates {
        figures: Duration::from_millis(20),
        sockets: Duration::from_millis(100),
        processes: Duration::from_millis(50),
    };
    let sampler = Sampler::spawn(move |tree| tree.descendants(root), Clock::start(), rates, log.clone()).unwrap();
    until("both processes", || log.0.lock().unwrap().appeared.len() == 2);
    assert_eq!(log.0.lock().unwrap().appeared[0], root);
    let child = log.0.lock().unwrap().appeared[1];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL).unwrap();
    until("the end of the child", || log.0.lock().unwrap().ended == [child]);
    until("sockets", || !log.0.lock().unwrap().sockets.is_empty());
    until("the child is off the list", || sampler.pids() == [root]);
    // The shell becomes another program meanwhile, so the two are the same only a little later.
    let process = Process::open(root).unwrap();
    until("what the kernel says now", || {
        let (truth, latest) = (process.status().unwrap(), sampler.latest()[0]);
        (latest.rss, latest.rss_anon, latest.vsz, latest.threads) == (truth.rss, truth.rss_anon, truth.vsz, 1)
    });
    let latest = sampler.latest()[0];
    assert_eq!(u64::from(latest.fds), Process::open(root).unwrap().fd_numbers().unwrap().len() as u64);
    shell.kill().unwrap();
    shell.wait().unwrap();
    until("the end of the root", || sampler.pids().is_empty());
    let effort = sampler.stop();
    let log = log.0.lock().unwrap();
    assert!(effort.rounds > 0 && effort.cpu_seconds > 0.0 && effort.socket_rounds > 0);
    let of = |pid| log.samples.iter().filter(move |s| s.pid == pid).map(|s| s.seconds).collect::<Vec<_>>();
    assert!(of(root).len() > of(child).len() && !of(child).is_empty());
    assert!(of(root).is_sorted());
}

#[test]
fn listeners_and_mail_that_leaves() {
    let mut puppet = puppet::Puppet::start();
    let found = listening(&[puppet.pid()]).unwrap();
    assert_eq!(found.len(), 1);
    let listener = &found[0];
    assert_eq!((listener.port, listener.pid, listener.shared_with_outside), (puppet.port, puppet.pid(), None));
    assert_eq!(listener.address.to_string(), "127.0.0.1");
    // Connections on this machine are no mail that leaves, whatever their port.
    let _client = TcpStream::connect(("127.0.0.1", puppet.port)).unwrap();
    puppet.order(b'a', 0);
    assert_eq!(outside_mail_connections(&[puppet.pid()]).unwrap(), []);
    assert_eq!(listening(&[i32::MAX]).unwrap(), [], "nobody listens where nobody is");
}

#[test]
fn a_port_that_a_stranger_shares_is_seen() {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt,
    };
    let open = |port| {
        let s = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&s, sockopt::ReusePort, &true).unwrap();
        bind(s.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).unwrap();
        listen(&s, Backlog::new(8).unwrap()).unwrap();
        TcpListener::from(s)
    };
    let mine = open(0);
    let port = mine.local_addr().unwrap().port();
    // The stranger is a child that inherits a second socket on the port, which this process then closes.
    let theirs = open(port);
    nix::fcntl::fcntl(&theirs, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    drop(theirs);
    let me = std::process::id() as i32;
    let found = listening(&[me]).unwrap();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    let ours = found.iter().find(|l| l.port == port).unwrap();
    // A child that another test forked at that moment has inherited it too, and may be the one that is named.
    assert!(ours.shared_with_outside.is_some_and(|pid| pid > 0 && pid != me), "{ours:?}");
    drop(mine);
}

#[test]
fn floors_name_what_survived() {
    let mut puppet = puppet::Puppet::start();
    let mut reader = Reader::of_loaded_server();
    let before = reader.floor(puppet.pid()).unwrap();
    for _ in 0..17 {
        let client = TcpStream::connect(("127.0.0.1", puppet.port)).unwrap();
        puppet.order(b'a', 0);
        drop(client);
    }
    for _ in 0..5 {
        puppet.order(b'f', 0);
    }
    let after = reader.floors(&[puppet.pid(), i32::MAX]).unwrap().remove(0);
    let names: Vec<String> = survivors(&before.descriptors, &after.descriptors).iter().map(|g| g.sentence()).collect();
    assert_eq!(names, ["17 sockets in CLOSE_WAIT to our clients", "5 open /etc/*"]);
    assert_eq!(after.server_sockets[&State::CloseWait], 17);
    assert_eq!(after.fds.total, before.fds.total + 22);
    assert_eq!(after.rss, after.rss_anon + after.rss_file + after.rss_shmem);
}

/// How the process ended, or what it is like after half a second more of silence.
fn observe(child: &mut Child, witness: &Witness, output: &std::path::Path) -> Observations {
    let before = witness.cpu_seconds();
    std::thread::sleep(Duration::from_millis(500));
    let mut seen = witness.look();
    seen.silent_seconds = 0.5;
    seen.cpu = witness.cpu_seconds().zip(before).map_or(0.0, |(now, before)| (now - before) / 0.5);
    seen.output = std::fs::read_to_string(output).unwrap();
    seen.ended = child.try_wait().unwrap().map(|status| {
        use std::os::unix::process::ExitStatusExt;
        status.signal().map_or_else(|| Ended::Code(status.code().unwrap()), Ended::Signal)
    });
    seen
}

/// Ends its process with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(command: &mut Command) -> (Guard, Witness, tempfile::NamedTempFile) {
    let output = tempfile::NamedTempFile::new().unwrap();
    let file = || output.reopen().unwrap();
    let child = command.stdin(Stdio::null()).stdout(file()).stderr(file()).spawn().unwrap();
    let witness = Witness::begin(child.id() as i32).unwrap();
    (Guard(child), witness, output)
}

#[test]
fn stream_select_at_1024_is_named() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(8192), hard).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sample/select-server.php");
    let (mut php, witness, output) = run(Command::new("php").arg(script).env("XDEBUG_MODE", "off"));
    let mut port = String::new();
    until("the port", || {
        port = std::fs::read_to_string(&output).unwrap().lines().next().unwrap_or_default().to_owned();
        !port.is_empty()
    });
    let port: u16 = port.parse().unwrap();
    let mut clients = Vec::new();
    for _ in 0..1100 {
        let Ok(client) = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(1)) else {
            break;
        };
        clients.push(client);
    }
    let pid = php.0.id() as i32;
    until("descriptor 1,024, or the end", || {
        php.0.try_wait().unwrap().is_some()
            || Process::open(pid).and_then(|p| p.fd_numbers()).is_ok_and(|fds| fds.last() >= Some(&1024))
    });
    let mut seen = observe(&mut php.0, &witness, output.path());
    seen.open_sessions = clients.len() as u64;
    let diagnosis = diagnose(&seen);
    // A PHP that was built with checks of the C library dies instead; each has its own sentence.
    let expected = if seen.ended.is_some() { Cause::SelectSetAborted } else { Cause::SelectSet };
    assert_eq!(diagnosis.cause, expected, "{diagnosis:?}\n{seen:?}");
    assert!(diagnosis.sentence.contains("1,024"), "{}", diagnosis.sentence);
    assert_eq!(diagnosis.from_sessions, Some(clients.len() as u64));
}

#[test]
fn php_out_of_its_memory_limit_is_named() {
    // It is looked at before it falls.
    let code = "usleep(300000); $kept = []; while (true) { $kept[] = str_repeat('x', 100000); usleep(10); }";
    let (mut php, witness, output) =
        run(Command::new("php").args(["-d", "memory_limit=8M", "-r", code]).env("XDEBUG_MODE", "off"));
    php.0.wait().unwrap();
    let diagnosis = diagnose(&observe(&mut php.0, &witness, output.path()));
    assert_eq!(diagnosis.cause, Cause::MemoryLimit, "{diagnosis:?}");
    assert!(diagnosis.sentence.contains("memory_limit of 8 MiB"), "{}", diagnosis.sentence);
}

#[test]
fn ends_and_sleeps_of_real_processes_are_named() {
    let cases: [(&str, Cause, &str); 5] = [
        ("sleep 0.2; kill -SEGV $$", Cause::Crash, "died of SIGSEGV"),
        ("sleep 0.2; echo no spool; exit 3", Cause::Exited, "exit code 3; its last word: no spool"),
        ("while :; do :; done", Cause::Spinning, "spins"),
        ("exec sleep 60", Cause::Asleep, "asleep in clock_nanosleep"),
        ("kill -STOP $$", Cause::Stopped, "is stopped by a signal"),
    ];
    for (script, cause, words) in cases {
        let (mut shell, witness, output) = run(Command::new("sh").args(["-c", script]));
        std::thread::sleep(Duration::from_millis(600));
        let mut seen = observe(&mut shell.0, &witness, output.path());
        if cause == Cause::Spinning {
            // On a loaded machine a loop does not get all of a processor; that it wants it shows in its state.
            assert_eq!(seen.state, Some('R'));
            seen.cpu = seen.cpu.max(0.9);
        }
        let diagnosis = diagnose(&seen);
        assert_eq!(diagnosis.cause, cause, "{script}: {diagnosis:?}");
        assert!(diagnosis.sentence.contains(words), "{script}: {}", diagnosis.sentence);
    }
}

#[test]
fn output_that_nobody_reads_is_named() {
    let mut writer = Command::new("yes").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let unread = writer.stdout.take();
    let witness = Witness::begin(writer.id() as i32).unwrap();
    let mut writer = Guard(writer);
    until("a full pipe", || witness.look().sleeping.is_some_and(|s| s.call == "write"));
    let empty = tempfile::NamedTempFile::new().unwrap();
    let seen = Observations { cpu: 0.0, ..observe(&mut writer.0, &witness, empty.path()) };
    assert_eq!(diagnose(&seen).cause, Cause::BlockedOutput, "{seen:?}");
    drop(unread);
}

#[test]
fn an_accept_queue_that_nobody_empties_is_named() {
    let mut puppet = puppet::Puppet::start();
    let witness = Witness::begin(puppet.pid()).unwrap();
    // The standard library's listener takes 128 at most; whoever comes later is dropped by the kernel.
    let address = ([127, 0, 0, 1], puppet.port).into();
    let mut clients = Vec::new();
    for _ in 0..4200 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(client) => clients.push(client),
            Err(_) => break,
        }
    }
    let seen = witness.look();
    let queue = seen.queue.unwrap();
    assert!(queue.waiting >= queue.most && queue.most > 0, "{queue:?}");
    assert!(seen.listen_overflows > 0, "{seen:?}");
    // The puppet sleeps in a read of its orders: that is the cause, the queue its consequence.
    let diagnosis = diagnose(&seen);
    assert_eq!(diagnosis.cause, Cause::Asleep, "{diagnosis:?}");
    assert!(diagnosis.evidence.iter().any(|e| e.contains("wait in its accept queue")), "{diagnosis:?}");
    puppet.order(b'a', 0);
}
