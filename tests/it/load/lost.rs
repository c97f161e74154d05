//! Connections that the kernel loses at a short accept queue: opened again, counted, and no fault of the server's.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt,
};
use profile_run::load::{self, Address, Control, Job, SessionOptions};
use profile_run::model::plan::scenario::Scenario;
use serde_json::Value;
use std::os::fd::AsRawFd;

/// A server whose accept queue holds `backlog` connections, and which accepts the first one only after `pause`. It
/// lives as long as the test program.
fn server(backlog: i32, pause: Duration) -> SocketAddr {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    setsockopt(&socket, sockopt::ReuseAddr, &true).expect("an option");
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a loopback port");
    listen(&socket, Backlog::new(backlog).expect("a backlog")).expect("it listens");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        std::thread::sleep(pause);
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    stream.write_all(b"220 test\r\n").ok()?;
    let mut in_data = false;
    while let Some(Ok(line)) = lines.next() {
        let reply: &[u8] = match (in_data, line.as_str()) {
            (true, ".") => {
                in_data = false;
                b"250 taken\r\n"
            }
            (true, _) => continue,
            (_, "DATA") => {
                in_data = true;
                b"354 go on\r\n"
            }
            (_, "QUIT") => {
                let _ = stream.write_all(b"221 bye\r\n");
                return None;
            }
            _ => b"250 ok\r\n",
        };
        stream.write_all(reply).ok()?;
    }
    None
}

/// Without SYN cookies the kernel keeps what it cannot queue, and asks again by itself.
fn kernel_loses_connections() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_syncookies").is_ok_and(|text| text.trim() != "0")
}

fn run(args: &[&str], address: SocketAddr) -> (Option<i32>, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["load", "--json"])
        .args(args)
        .arg(address.to_string())
        .output()
        .expect("profile-run runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let last: Value = serde_json::from_str(text.lines().last().expect("a result")).expect("JSON");
    (output.status.code(), last["result"]["load"][0].clone(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_the_kernel_lost_is_opened_again_and_counted() {
    // More at once than the queue holds, before the server accepts any.
    let args = ["-s", "60", "-m", "60", "--pace", "60", "--stall-timeout", "60s"];
    let (code, load, text) = run(&args, server(4, Duration::from_millis(500)));
    assert_eq!((code, &load["messages_accepted"], &load["errors"]), (Some(0), &60.into(), &serde_json::json!({})));
    assert_eq!((&load["sessions"], &load["backlog"]), (&60.into(), &4.into()));
    if kernel_loses_connections() {
        assert!(load["lost"].as_u64().expect("a count") > 0, "{load}");
        assert!(text.contains("never reached the server") && text.contains("'backlog' => 511"), "{text}");
    }
}

#[test]
fn no_more_at_once_than_the_accept_queue_holds() {
    let (code, load, _) = run(&["-s", "60", "-m", "60"], server(4, Duration::from_millis(500)));
    assert_eq!((code, &load["messages_accepted"], &load["lost"]), (Some(0), &60.into(), &0.into()));
}

#[test]
fn a_stall_is_called_one_only_where_a_fresh_connection_is_not_greeted_either() {
    let job = |address: SocketAddr| Job {
        scenario: Scenario::plain("lost", 30, 30),
        target: Address::parse(&address.to_string()).expect("an address"),
        count: 30,
        stall_timeout: Duration::from_secs(3),
        seed: 1,
        // Nobody tells what the kernel knows of the other side.
        options: SessionOptions { handshakes: Some(30), other_side: None, ..SessionOptions::default() },
    };
    let stats = load::run(&job(server(4, Duration::from_millis(500))), &Control::new()).expect("it starts");
    assert_eq!((stats.stalled.clone(), stats.messages_accepted), (None, 30), "{stats:?}");
    assert!(stats.adds_up());
    if kernel_loses_connections() {
        assert!(stats.lost > 0);
    }
    let stats = load::run(&job(server(4, Duration::from_secs(3600))), &Control::new()).expect("it starts");
    assert!(stats.stalled.is_some() && stats.adds_up(), "{stats:?}");
}
