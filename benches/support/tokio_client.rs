//! The same conversation carried by tokio, a task a session, for comparison alone: what the engine's own loop
//! saves is told by this, not assumed. Every reply is checked and timed as the engine does; one thread.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use profile_run::load::Latency;
use profile_run::load::reply::{Parsed, parse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

struct Plan {
    target: String,
    left: Cell<u64>,
    kept: bool,
    message: Vec<u8>,
    latency: std::cell::RefCell<Latency>,
}

/// Sends what the arguments say, as `profile-run load` would.
pub fn main(arguments: &[String]) {
    let value = |flag: &str| -> u64 {
        let at = arguments.iter().position(|a| a == flag).expect("the flag is there");
        arguments[at + 1].parse().expect("a number")
    };
    let mut body = vec![b'X'; value("-l") as usize];
    for line in body.chunks_exact_mut(80) {
        line[78..].copy_from_slice(b"\r\n");
    }
    let mut message = b"From: <test@localhost>\r\nTo: <test@localhost>\r\n\r\n".to_vec();
    message.extend_from_slice(&body);
    message.extend_from_slice(b"\r\n.\r\n");
    let plan = Rc::new(Plan {
        target: arguments.last().expect("a target").clone(),
        left: Cell::new(value("-m")),
        kept: arguments.iter().any(|a| a == "--keep-open"),
        message,
        latency: Default::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = LocalSet::new();
    for _ in 0..value("-s") {
        let plan = plan.clone();
        tasks.spawn_local(async move {
            while plan.left.get() > 0 {
                plan.left.set(plan.left.get() - 1);
                session(&plan).await.expect("a session in order");
            }
        });
    }
    runtime.block_on(tasks);
}

async fn session(plan: &Plan) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(&plan.target).await?;
    let mut since = Instant::now();
    step(&mut stream, b"", 2, plan, &mut since).await?;
    step(&mut stream, b"HELO localhost\r\n", 2, plan, &mut since).await?;
    loop {
        step(&mut stream, b"MAIL FROM:<test@localhost>\r\n", 2, plan, &mut since).await?;
        step(&mut stream, b"RCPT TO:<test@localhost>\r\n", 2, plan, &mut since).await?;
        step(&mut stream, b"DATA\r\n", 3, plan, &mut since).await?;
        step(&mut stream, &plan.message, 2, plan, &mut since).await?;
        if !plan.kept || plan.left.get() == 0 {
            break;
        }
        plan.left.set(plan.left.get() - 1);
    }
    step(&mut stream, b"QUIT\r\n", 2, plan, &mut since).await?;
    let mut end = [0; 16];
    assert_eq!(stream.read(&mut end).await?, 0, "bytes after the goodbye");
    Ok(())
}

async fn step(
    stream: &mut TcpStream,
    words: &[u8],
    hundreds: u16,
    plan: &Plan,
    since: &mut Instant,
) -> std::io::Result<()> {
    if !words.is_empty() {
        stream.write_all(words).await?;
    }
    let mut buffer = [0; 512];
    let mut got = 0;
    loop {
        let n = stream.read(&mut buffer[got..]).await?;
        assert!(n > 0, "the server closed");
        got += n;
        match parse(&buffer[..got]) {
            Parsed::Incomplete => {}
            Parsed::Reply { code, len } => {
                assert!(code / 100 == hundreds && len == got, "{}", String::from_utf8_lossy(&buffer[..got]));
                let now = Instant::now();
                plan.latency.borrow_mut().record((now - *since).as_nanos() as u64);
                *since = now;
                return Ok(());
            }
            other => panic!("{other:?}"),
        }
    }
}
