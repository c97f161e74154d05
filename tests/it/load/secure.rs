//! TLS and AUTH against a server that is not ours: Debian's python3-aiosmtpd, with certificates made on the spot.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::locust;
use serde_json::Value;

/// An authority, and a certificate of localhost that it signed.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = "set -e
            openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=test authority'
            openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost
            echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' > names
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names";
        let made = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The server; it ends with its input, which ends when this is dropped.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    target: String,
}

impl Server {
    fn start(certificates: &Certificates, way: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/load/secure_server.py");
        // Debian's own interpreter has Debian's aiosmtpd.
        let python = if Path::new("/usr/bin/python3").is_file() { "/usr/bin/python3" } else { "python3" };
        let mut child = Command::new(python)
            .args([script, &port.to_string()])
            .args([certificates.file("cert.pem"), certificates.file("key.pem")])
            .arg(way)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "python3-aiosmtpd is needed (tests/install-tools.sh installs it)");
        Self { child, output, target: format!("localhost:{port}") }
    }

    /// Ends it; gives back a line for each message that it took.
    fn messages(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let lines = self.output.by_ref().lines().map(Result::unwrap).collect();
        self.child.wait().unwrap();
        lines
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(args: &[&str], target: &str) -> (i32, Value) {
    load_by(Command::new(env!("CARGO_BIN_EXE_profile-run")), args, target)
}

fn load_by(mut command: Command, args: &[&str], target: &str) -> (i32, Value) {
    let output = command.args(["load", "--json", "-4", "-s", "3", "-m", "9"]).args(args).arg(target).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let result: Value = serde_json::from_str(last).unwrap();
    (output.status.code().unwrap(), result["result"]["load"][0].clone())
}

#[test]
fn mail_goes_over_tls_from_those_who_logged_in() {
    let certificates = Certificates::make();
    let authority = certificates.file("ca.pem");
    for (way, option) in [("starttls", "--starttls"), ("implicit", "--tls")] {
        for mechanism in ["plain", "login"] {
            let server = Server::start(&certificates, way);
            let options = [option, "--auth", "me:secret", "--auth-mechanism", mechanism, "--tls-ca"];
            let (code, row) = load(&[&options[..], &[authority.to_str().unwrap()]].concat(), &server.target);
            assert_eq!((code, &row["messages_accepted"]), (0, &9.into()), "{way} {mechanism}: {row}");
            let messages = server.messages();
            assert_eq!(messages.len(), 9);
            assert!(messages.iter().all(|line| line.ends_with("tls me")), "{messages:?}");
        }
    }
}

#[test]
fn locust_speaks_tls_and_logs_in_as_well() {
    if !locust::is_here() {
        return;
    }
    let (certificates, fleet) = (Certificates::make(), locust::Fleet::new("secure"));
    let by_locust = |args: &[&str], target: &str| {
        let args = [args, &["--engine", "locust", "--locust-workers", "1", "--auth", "me:secret"]].concat();
        load_by(fleet.command(env!("CARGO_BIN_EXE_profile-run")), &args, target)
    };
    for (way, option, mechanism) in [("starttls", "--starttls", "plain"), ("implicit", "--tls", "login")] {
        let server = Server::start(&certificates, way);
        let (code, row) = by_locust(&[option, "--auth-mechanism", mechanism], &server.target);
        assert_eq!((code, &row["messages_accepted"]), (0, &9.into()), "{way}: {row}");
        let messages = server.messages();
        assert!(messages.len() == 9 && messages.iter().all(|line| line.ends_with("tls me")), "{messages:?}");
    }
    let (mut server, target) = asks_for_an_answer();
    let (code, row) = by_locust(&[], &target);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!((code, &row["messages_accepted"]), (0, &9.into()), "{row}");
}

/// A server that knows CRAM-MD5 alone, and where it listens.
fn asks_for_an_answer() -> (Child, String) {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port().to_string();
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/servers/first.py");
    let server = Command::new("python3").args([server, &port, "cram"]).spawn().unwrap();
    let target = format!("127.0.0.1:{port}");
    let again = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::net::TcpStream::connect(&target).is_err() && std::time::Instant::now() < again {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (server, target)
}

#[test]
fn a_challenge_is_answered() {
    let (mut server, target) = asks_for_an_answer();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let text =
        "EHLO localhost\nAUTH CRAM-MD5\n#! cram-md5 me secret\nMAIL FROM:<a@b>\nRCPT TO:<a@b>\nDATA\nhi\n.\nQUIT\n";
    std::fs::write(&script, text).unwrap();
    let of_script = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["load", "-m", "4", "--script"])
        .arg(&script)
        .arg(&target)
        .status()
        .unwrap();
    let right = load(&["--auth", "me:secret"], &target);
    let wrong = load(&["--auth", "me:wrong", "--auth-mechanism", "cram-md5"], &target);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(of_script.success());
    assert_eq!((right.0, &right.1["messages_accepted"]), (0, &9.into()), "{}", right.1);
    assert_eq!((wrong.0, &wrong.1["errors"]["auth_535"]), (1, &9.into()), "{}", wrong.1);
}

#[test]
fn a_wrong_password_a_strange_authority_and_no_tls_are_counted_under_their_names() {
    let certificates = Certificates::make();
    let strange = Certificates::make();
    let server = Server::start(&certificates, "starttls");
    let authority = strange.file("ca.pem");
    for (options, kind) in [
        (vec!["--starttls", "--auth", "me:wrong"], "auth_535"),
        (vec!["--starttls", "--tls-ca", authority.to_str().unwrap()], "tls"),
        (vec![], "helo_530"),
    ] {
        let (code, row) = load(&options, &server.target);
        assert_eq!((code, &row["messages_accepted"]), (1, &0.into()), "{options:?}: {row}");
        let errors = row["errors"].as_object().unwrap();
        assert!(errors.keys().any(|name| name.contains(kind)), "{options:?}: {errors:?}");
    }
    assert!(server.messages().is_empty());
}

#[test]
fn a_self_signed_certificate_is_trusted_where_it_is_given() {
    let certificates = Certificates::make();
    for (from, to) in [("ca.pem", "cert.pem"), ("ca.key", "key.pem")] {
        std::fs::copy(certificates.file(from), certificates.file(to)).unwrap();
    }
    let server = Server::start(&certificates, "starttls");
    let authority = certificates.file("ca.pem");
    let options = ["--starttls", "--auth", "me:secret", "--tls-ca", authority.to_str().unwrap()];
    let (code, row) = load(&options, &server.target);
    assert_eq!((code, &row["messages_accepted"]), (0, &9.into()), "{row}");
    assert_eq!(server.messages().len(), 9);
}
