//! The sampler and the floors against processes whose truth is known.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use profile_run::proc::{Process, SocketTable, held_tcp, states};
use profile_run::sample::Trackers;
use proptest::prelude::*;

/// What may happen to a process's descriptors between two looks.
#[derive(Debug, Clone, Copy)]
enum Step {
    Connect,
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
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

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
                .args(["puppet_body", "--exact", "--nocapture", "--test-threads=1"])
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
        for step in steps.into_iter().chain([Step::Look]) {
            match step {
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
