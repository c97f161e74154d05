//! Starts the embedded PHP server for one test, talks to it, and ends it when the test does.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest time that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server with its log, ended by SIGKILL when dropped.
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Server {
    /// Starts it with a fault (`""` for none) and further arguments.
    pub fn start(fault: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let prepend = format!("auto_prepend_file={}", probe().display());
        let child = php(&["-d", &prepend])
            .args(["smtp:serve", "--port", "0"])
            .args(arguments)
            .env("SMTP_FAULT", fault)
            .env("HEAP_PROBE", folder.path().join("heap"))
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("the log twice"))
            .stdout(log)
            .spawn()
            .expect("php starts; `make test` installs it");
        let mut server = Self { child, folder, address: ([127, 0, 0, 1], 0).into() };
        server.address = server.wait_for("the line \"listening on\"", |server| {
            server.log().split_once("listening on ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        });
        server
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log is readable")
    }

    /// The `bytes=` of each `accepted` line.
    pub fn accepted(&self) -> Vec<usize> {
        self.log()
            .lines()
            .filter_map(|line| line.split_once(" info accepted id="))
            .map(|(_, rest)| {
                let bytes = rest.split(' ').find_map(|field| field.strip_prefix("bytes=")).expect("bytes= in the line");
                bytes.parse().expect("a number of bytes")
            })
            .collect()
    }

    /// `memory_get_usage()` of the server, by its own account, when it has come to rest: two readings agree. A client
    /// sees its connection closed before the server has forgotten it.
    pub fn heap(&self) -> u64 {
        let mut last = self.read_heap();
        self.wait_for("two readings of the heap that agree", |_| {
            let before = std::mem::replace(&mut last, self.read_heap());
            (before == last).then_some(last)
        })
    }

    fn read_heap(&self) -> u64 {
        let file = self.folder.path().join("heap");
        let read = || fs::read_to_string(&file).unwrap_or_default();
        let before = read().lines().count();
        send_signal(self.pid(), libc::SIGUSR1);
        self.wait_for("the heap's size", |_| read().ends_with('\n').then(read)?.lines().nth(before)?.parse().ok())
    }

    /// Open descriptors of the server, by what they are linked to.
    pub fn descriptors(&self) -> Vec<PathBuf> {
        let folder = format!("/proc/{}/fd", self.pid());
        fs::read_dir(folder)
            .expect("the server runs")
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .collect()
    }

    /// The state of each TCP socket that the server holds, as /proc/net/tcp numbers it.
    pub fn socket_states(&self) -> Vec<u8> {
        let held = self.descriptors();
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.pid())).expect("a socket table");
        table
            .lines()
            .skip(1)
            .filter_map(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let link = PathBuf::from(format!("socket:[{}]", fields[9]));
                held.contains(&link).then(|| u8::from_str_radix(fields[3], 16).expect("a state"))
            })
            .collect()
    }

    /// CPU time used so far, in ticks.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the server runs");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
    }

    pub fn signal(&self, signal: i32) {
        send_signal(self.pid(), signal);
    }

    pub fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server did not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks until there is an answer.
    pub fn wait_for<T>(&self, what: &str, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `php bin/console`, with Xdebug off and the given arguments of php's own.
pub fn php(settings: &[&str]) -> Command {
    let mut command = Command::new("php");
    command.env("XDEBUG_MODE", "off").args(settings);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/smtp-server/bin/console"));
    command
}

fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/smtp_server/heap_probe.php")
}

fn send_signal(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).expect("a pid");
    // SAFETY: kill takes two integers; the pid is that of our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "the server runs");
}

/// One connection, used line by line.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects and takes the greeting.
    pub fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        let mut client = Self { stream: BufReader::new(stream) };
        assert_eq!(client.code(), 220);
        client
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next reply whole, continuation lines and all.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            assert_ne!(self.stream.read_line(&mut reply).expect("a reply in time"), 0, "closed after {reply:?}");
            if reply.as_bytes().get(start + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    pub fn code(&mut self) -> u16 {
        let reply = self.reply();
        reply[..3].parse().unwrap_or_else(|_| panic!("no code in {reply:?}"))
    }

    /// Sends one line and gives the code of its reply.
    pub fn ask(&mut self, line: &str) -> u16 {
        self.send(format!("{line}\r\n"));
        self.code()
    }

    /// A whole mail but for its last reply; `content` as it goes over the wire, without the final dot.
    pub fn mail(&mut self, content: &str) {
        assert_eq!(self.ask("MAIL FROM:<test@localhost>"), 250);
        assert_eq!(self.ask("RCPT TO:<test@localhost>"), 250);
        assert_eq!(self.ask("DATA"), 354);
        self.send(format!("{content}.\r\n"));
    }

    /// QUIT, and whatever the server does then until it closes.
    pub fn quit(mut self) {
        assert_eq!(self.ask("QUIT"), 221);
        assert!(self.closed(), "the server closes after 221");
    }

    /// Whether the server has closed; waits for the next line or the end.
    pub fn closed(&mut self) -> bool {
        self.stream.read_line(&mut String::new()).is_ok_and(|length| length == 0)
    }

    /// A time-out of its own for the next reads.
    pub fn hears_nothing_for(&mut self, time: Duration) -> bool {
        self.stream.get_ref().set_read_timeout(Some(time)).expect("a time-out");
        let silent = self.stream.read_line(&mut String::new()).is_err();
        self.stream.get_ref().set_read_timeout(Some(PATIENCE)).expect("a time-out");
        silent
    }
}

/// Sends `count` small mails, `per_session` to a connection.
pub fn deliver(server: &Server, count: usize, per_session: usize) {
    for first in (0..count).step_by(per_session) {
        let mut client = Client::connect(server);
        assert_eq!(client.ask("EHLO client"), 250);
        for _ in first..count.min(first + per_session) {
            client.mail("Subject: one of many\r\n\r\nbody\r\n");
            assert_eq!(client.code(), 250);
        }
        client.quit();
    }
}
